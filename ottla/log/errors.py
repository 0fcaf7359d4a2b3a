"""What can go wrong with a log, beyond what Kafka's error codes say.

Two conditions end a part of the broker's work and are never papered over:

- `KafkaStorageError`: the medium refused (EIO, ENOSPC, a failed fsync). After a failed fsync the kernel may have thrown
  the dirty pages away and say so once, so neither a retry nor the page cache can be believed: the whole log directory
  is dead for this process, and only a restart, which reads from the medium, may trust it again.
- `CorruptLogError`: bytes that had been durable (below the recovery point) are no longer a valid log. That is never a
  torn tail; the segment is set aside and the partition answers KAFKA_STORAGE_ERROR until a person or a replica helps.
"""

from __future__ import annotations

from collections.abc import Callable

from ottla.protocol.errors import ErrorCode, KafkaError


class KafkaStorageError(KafkaError):
    """The log directory, or one partition of it, can not be used any more."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.KAFKA_STORAGE_ERROR, message)


class CorruptLogError(KafkaStorageError):
    """Durable bytes of one partition are damaged."""

    def __init__(self, directory: str, message: str) -> None:
        super().__init__(f"{directory}: {message}")
        self.directory = directory


class CorruptSidecarError(Exception):
    """An index, snapshot or checkpoint does not parse; its owner rebuilds it from the log."""


class LockedError(Exception):
    """Another process serves this data folder."""

    def __init__(self, path: str, pid: int | None) -> None:
        owner = f"the process with pid {pid}" if pid else "another process"
        super().__init__(f"{path} is locked by {owner}")
        self.path = path
        self.pid = pid


class StorageHealth:
    """Whether one log directory may still be used; shared by every log in it, so one failure stops them all.

    Set from the thread that syncs, read on every append: one attribute, written once, never taken back.
    """

    __slots__ = ("directory", "failure", "on_failure")

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.failure: KafkaStorageError | None = None
        #: Called once at the first failure, in the thread that met it.
        self.on_failure: Callable[[], object] | None = None

    def fail(self, error: OSError) -> KafkaStorageError:
        """Mark the directory dead because of `error`; returns what to raise. The first failure is kept."""
        if self.failure is None:
            reason = error.strerror or str(error)
            self.failure = KafkaStorageError(f"log directory {self.directory} failed and is offline: {reason}")
            self.failure.__cause__ = error
            if self.on_failure is not None:
                self.on_failure()
        return self.failure

    def check(self) -> None:
        if self.failure is not None:
            raise self.failure
