"""One log directory: its lock, its meta.properties, its marker and its checkpoint files."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from functools import partial
from itertools import count

from ottla.log import checkpoints
from ottla.log.checkpoints import Offsets
from ottla.log.errors import CorruptSidecarError, KafkaStorageError, StorageHealth
from ottla.log.files import Files, parent_of

_FOLDER = re.compile(r"(.+)-(\d+)")


def parse_folder_name(name: str) -> tuple[str, int] | None:
    """topic and partition of a partition's folder, None for any other name."""
    found = _FOLDER.fullmatch(name)
    return (found[1], int(found[2])) if found is not None else None


class LogDirectory:
    """A folder that holds partitions."""

    def __init__(self, files: Files, path: str) -> None:
        self.files = files
        self.path = path
        self.health = StorageHealth(path)
        self.clean = False  # the last stop was a clean one
        self.last_broker_epoch = -1  # of the last clean stop
        self.recovery_points: Offsets = {}
        self.log_start_offsets: Offsets = {}
        self.high_watermarks: Offsets = {}
        self.cleaner_offsets: Offsets = {}  # below: compacted; the first dirty offset of each log that ever was
        self.checkpointed: set[tuple[str, int]] = set()  # partitions of which an offset stands in a checkpoint file
        self._written: dict[str, tuple[int, bytes]] = {}  # checkpoint -> when it was prepared, what it holds
        self._order = count(1)
        self._writing = threading.Lock()
        self._release: Callable[[], None] | None = None

    def file(self, name: str) -> str:
        return f"{self.path}/{name}"

    @property
    def locked(self) -> bool:
        return self._release is not None

    def lock(self) -> None:
        if not self.files.exists(self.path):
            self.files.mkdir(self.path)
            self.files.sync_directory(parent_of(self.path))
        if self._release is None:
            self._release = self.files.lock(self.file(checkpoints.LOCK_FILE))

    def unlock(self) -> None:
        if self._release is not None:
            self._release()
            self._release = None

    def folders(self) -> list[str]:
        return sorted(name for name, size in self.files.list(self.path).items() if size < 0)

    def read_state(self) -> None:
        """Marker and checkpoints; the marker is gone from the medium when this returns."""
        marker = self.file(checkpoints.CLEAN_SHUTDOWN_FILE)
        self.clean = self.files.exists(marker)
        if self.clean:
            self.last_broker_epoch = checkpoints.parse_clean_shutdown(self.files.read_all(marker))
            self.files.remove(marker)
            self.files.sync_directory(self.path)
        self.recovery_points = self.read_offsets(checkpoints.RECOVERY_POINT_CHECKPOINT)
        self.log_start_offsets = self.read_offsets(checkpoints.LOG_START_OFFSET_CHECKPOINT)
        self.high_watermarks = self.read_offsets(checkpoints.HIGH_WATERMARK_CHECKPOINT)
        self.cleaner_offsets = self.read_offsets(checkpoints.CLEANER_OFFSET_CHECKPOINT)
        self.checkpointed = {
            *self.recovery_points,
            *self.log_start_offsets,
            *self.high_watermarks,
            *self.cleaner_offsets,
        }

    def read_offsets(self, name: str) -> Offsets:
        """A checkpoint; one that is missing or damaged says nothing (recovery then reads more than it had to)."""
        try:
            return checkpoints.parse_offsets(self.files.read_all(self.file(name)))
        except (FileNotFoundError, CorruptSidecarError):
            return {}

    def prepare_offsets(self, name: str, offsets: Offsets) -> Callable[[], None]:
        """A write of a checkpoint for any thread. What was prepared earlier and comes later is not written at all: the
        file never goes back, and two threads never share its temporary one."""
        return partial(self._write_offsets, name, offsets, next(self._order))

    def _write_offsets(self, name: str, offsets: Offsets, order: int) -> None:
        data = checkpoints.format_offsets(offsets)
        with self._writing:
            last_order, last_data = self._written.get(name, (0, b""))
            if order > last_order:
                if last_data != data:
                    self.files.replace(self.file(name), data)
                self._written[name] = order, data

    def write_clean_marker(self, broker_epoch: int) -> None:
        self.files.replace(self.file(checkpoints.CLEAN_SHUTDOWN_FILE), checkpoints.format_clean_shutdown(broker_epoch))

    def read_properties(self) -> dict[str, str]:
        """meta.properties, empty where there is none."""
        try:
            return checkpoints.parse_properties(self.files.read_all(self.file(checkpoints.META_PROPERTIES_FILE)))
        except FileNotFoundError:
            return {}

    def write_properties(self, properties: dict[str, str]) -> None:
        self.files.mkdir(self.path)
        self.files.replace(self.file(checkpoints.META_PROPERTIES_FILE), checkpoints.format_properties(properties))

    def read_topic_id(self, folder: str, was_synced: bool) -> bytes | None:
        """The topic id in a partition's folder; None where the file is missing or a crash came before its first sync."""
        path = f"{self.path}/{folder}/{checkpoints.PARTITION_METADATA_FILE}"
        try:
            return checkpoints.parse_partition_metadata(self.files.read_all(path))
        except FileNotFoundError:
            return None
        except CorruptSidecarError as error:
            if was_synced:
                raise KafkaStorageError(f"{path}: {error}") from None
            return None

    def write_topic_id(self, folder: str, topic_id: bytes) -> None:
        path = f"{self.path}/{folder}/{checkpoints.PARTITION_METADATA_FILE}"
        self.files.replace(path, checkpoints.format_partition_metadata(topic_id), durable=False)
