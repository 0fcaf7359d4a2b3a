"""The seam between the log and the medium: everything the log room does to a disk goes through a `Files`.

Three implementations share it, so that a test, the pytest fixture and the simulator run the very code that a server
runs: `DiskFiles` (here the default), `MemoryFiles` (nothing touches a disk) and `FaultyFiles` (a memory disk that loses
what was not synced, tears writes and fails on demand).

    Files   names:    list, exists, size, mkdir, rename, remove, sync_directory, read_all, replace, lock
      └─ File  bytes: append (one write), pread (one read), truncate, sync, close

A `File` is addressed by position and knows its own size; nobody asks the operating system for it on the hot path. Names
are plain strings with `/`. Errors are `OSError`, as the medium says them; the callers decide what they mean.

`replace` is the only way a small file is changed: temporary file, fsync, rename, fsync of the folder. A reader sees the
old content or the new one, also after a loss of power.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Buffer = bytes | bytearray | memoryview


def parent_of(path: str) -> str:
    """The folder that holds a name."""
    parent = path.rstrip("/").rpartition("/")[0]
    return parent or ("/" if path.startswith("/") else ".")


class File(Protocol):
    """One file, opened when first used; may be closed behind the caller's back and reopened."""

    path: str
    size: int

    def append(self, data: Buffer) -> None:
        """Write all of `data` at the end."""

    def pread(self, size: int, position: int) -> bytes:
        """The bytes from `position`, fewer than `size` only at the end of the file."""

    def truncate(self, size: int) -> None: ...

    def reserve(self, size: int) -> None:
        """Let the medium keep room for a file of this size, where it can; the file does not grow by it. `truncate` ends it."""

    def sync(self) -> None:
        """Return when the content is on the medium. Call it from any thread."""

    def pin(self) -> Callable[[], None]:
        """What `sync` would do to the file as it is now, to be run in another thread, whatever becomes of this object."""

    def close(self) -> None: ...


class Files(Protocol):
    """One file system."""

    def open(self, path: str, *, size: int | None = None, create: bool = False) -> File:
        """`size` where the caller knows it already (from `list`); `create` makes an empty file."""

    def list(self, directory: str) -> dict[str, int]:
        """Names in a folder, with the sizes of files; folders have size -1."""

    def exists(self, path: str) -> bool: ...

    def size(self, path: str) -> int: ...

    def modified_ms(self, path: str) -> int: ...

    def set_modified(self, path: str, modified_ms: int) -> None: ...

    def mkdir(self, path: str) -> None:
        """Make a folder (and its parents); no error when it exists."""

    def rename(self, source: str, target: str) -> None:
        """Atomic; replaces the target. Not durable before `sync_directory`."""

    def remove(self, path: str) -> None:
        """Remove a file; no error when it is gone already."""

    def remove_tree(self, path: str) -> None: ...

    def sync_directory(self, path: str) -> None: ...

    def sync_everything(self, path: str) -> None:
        """Every change on the medium that holds `path` is durable: one call in place of thousands of fsyncs."""

    def read_all(self, path: str) -> bytes:
        """FileNotFoundError when it is not there."""

    def replace(self, path: str, data: Buffer, *, durable: bool = True) -> None: ...

    def lock(self, path: str) -> Callable[[], None]:
        """Take the lock file or raise LockedError; returns what releases it. The lock dies with the process."""

    def for_worker(self) -> Files:
        """The same file system for another thread: open descriptors are not shared between threads."""

    def free_bytes(self, path: str) -> tuple[int, int]:
        """(total, usable) of the medium, -1 where it has no such figure."""


from ottla.log.disk_files import DiskFiles  # noqa: E402  the implementations need Buffer from here
from ottla.log.memory_files import FaultyFiles, MemoryFiles  # noqa: E402

__all__ = ["Buffer", "DiskFiles", "FaultyFiles", "File", "Files", "MemoryFiles", "parent_of"]
