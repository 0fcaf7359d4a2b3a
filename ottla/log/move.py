"""A log moves to another log directory of the same broker, while it is used (AlterReplicaLogDirs, KIP-113).

    <target>/orders-0.<32 hex>-future    copied by a worker, round after round, until little is missing
                    │  the rest, in one go on the loop, synced (nothing, unless it is written just then);
                    │  checkpoints of the target
                    ▼  renamed, folder synced
    <target>/orders-0                    opened and served from here
    <source>/orders-0.<32 hex>-delete    gone after file.delete.delay.ms

A crash or a stop before the rename leaves the source and a -future folder: the next start removes it and begins the move
anew (Kafka goes on where it was). A crash after it leaves the log in both places, and the next start serves the longer
one (they are equal, or appends went on in the new one). Files are copied as they are, so that indexes and
what compaction left stay; compaction must rest meanwhile, and retention may go on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from ottla.log import leader_epochs
from ottla.log.checkpoints import PARTITION_METADATA_FILE
from ottla.log.files import File, Files
from ottla.log.segment import LOG_SUFFIX, SEGMENT_SUFFIXES, SNAPSHOT_SUFFIX, file_name

if TYPE_CHECKING:
    from ottla.log.directory import LogDirectory
    from ottla.log.log import Log

#: The rest is copied on the loop when no more than this is missing: some milliseconds.
REST_BYTES_MAX = 256 * 1024
PIECE_BYTES = 1 << 20
#: So often what came meanwhile is copied and synced before the move ends on the loop with something left.
LAST_ROUNDS_MAX = 20

Step = Callable[[], object]


class MoveAborted(Exception):  # noqa: N818  nothing is wrong: the topic was deleted, the broker stops, another move came
    """The log stays where it is."""


class Move:
    """One log on its way."""

    def __init__(self, log: Log, target: LogDirectory, folder: str, stopped: Callable[[], bool]) -> None:
        self.log = log
        self.target = target
        self.folder = folder
        self.cancelled = False
        self.next_offset = log.log_start_offset  # what is copied of the log, for DescribeLogDirs
        self._stopped = stopped
        self._files: dict[int, File] = {}  # base offset -> the copy
        self._sealed: set[int] = set()  # copied whole, with indexes
        self._unsynced: set[int] = set()
        self._epochs = b""  # of the leaders, as they were written

    @property
    def size(self) -> int:
        return sum(file.size for file in self._files.values())

    def check(self) -> None:
        if self.log.gone or self.cancelled or self._stopped():
            raise MoveAborted(f"{self.log.name} stays in {self.log.directory.rpartition('/')[0]}")
        self.log.health.check()

    def copy(self) -> Generator[Step, None, None]:
        """Copy until little is missing, all of it synced; a log that is not written just then is there as a whole."""
        worker, log = self.target.files.for_worker(), self.log
        yield lambda: self._make_known(worker)
        last_rounds = 0
        while last_rounds < LAST_ROUNDS_MAX:
            self.check()
            wanted = [(s.base_offset, s.directory, s.size, s.sealed, s.next_offset) for s in log.segments]
            yield lambda wanted=wanted: self._copy_all(worker, wanted)  # type: ignore[misc]
            self.next_offset = wanted[-1][4]
            if log.size - self.size <= REST_BYTES_MAX:
                epochs = log.leader_epochs.to_bytes()
                yield lambda epochs=epochs: self._sync(worker, epochs)  # type: ignore[misc]
                last_rounds += 1
                if log.size == self.size:
                    break
        self.check()

    def _make_known(self, files: Files) -> None:
        """Whatever happens from here on, the next start finds out which move was interrupted."""
        files.mkdir(self.folder)
        metadata = f"{self.folder}/{PARTITION_METADATA_FILE}"
        if files.exists(metadata):
            files.open(metadata).sync()
        files.sync_directory(self.folder)
        files.sync_directory(self.target.path)

    def _copy_all(self, files: Files, wanted: list[tuple[int, str, int, bool, int]]) -> None:
        for base in [base for base in self._files if base not in {entry[0] for entry in wanted}]:
            self._files.pop(base).close()  # retention was there
            for suffix in SEGMENT_SUFFIXES:
                files.remove(f"{self.folder}/{file_name(base, suffix)}")
        for base, directory, size, sealed, _ in wanted:
            self.check()
            if base not in self._sealed:
                try:
                    self._copy_segment(files, base, directory, size, sealed)
                except FileNotFoundError:
                    raise MoveAborted(f"{directory}: segment {base} went while it was copied") from None

    def _copy_segment(self, files: Files, base: int, directory: str, size: int, sealed: bool) -> None:
        copy = self._files.get(base)
        if copy is None:
            copy = self._files[base] = files.open(f"{self.folder}/{file_name(base, LOG_SUFFIX)}", create=True)
        source = files.open(f"{directory}/{file_name(base, LOG_SUFFIX)}", size=size)
        if copy.size < size:
            self._unsynced.add(base)
        try:
            while copy.size < size:
                copy.append(self._read(source, min(PIECE_BYTES, size - copy.size), copy.size))
        finally:
            source.close()
        if sealed:
            for suffix in (*SEGMENT_SUFFIXES[1:], SNAPSHOT_SUFFIX):
                path = f"{directory}/{file_name(base, suffix)}"
                if files.exists(path):
                    files.replace(f"{self.folder}/{file_name(base, suffix)}", files.read_all(path), durable=False)
            files.set_modified(copy.path, files.modified_ms(f"{directory}/{file_name(base, LOG_SUFFIX)}"))
            self._sealed.add(base)

    def _read(self, source: File, size: int, position: int) -> bytes:
        try:
            return source.pread(size, position)
        except FileNotFoundError:
            raise
        except OSError as error:  # the log's own folder failed, not the one it moves to
            raise self.log.health.fail(error) from error

    def _sync(self, files: Files, epochs: bytes) -> None:
        """What was copied since the last time is on the medium, and the leader epochs."""
        if not self._unsynced and epochs == self._epochs:
            return
        for base in self._unsynced & self._files.keys():
            self._files[base].sync()
        self._unsynced.clear()
        if epochs != self._epochs:
            files.replace(f"{self.folder}/{leader_epochs.FILE_NAME}", epochs)
            self._epochs = epochs
        files.sync_directory(self.folder)

    def finish(self) -> None:
        """On the loop: what is missing, and what describes the end of the log."""
        self.check()
        log, files = self.log, self.target.files
        wanted = [(s.base_offset, s.directory, s.size, s.sealed, s.next_offset) for s in log.segments]
        self._copy_all(files, wanted)
        name = file_name(log.log_end_offset, SNAPSHOT_SUFFIX)
        files.replace(f"{self.folder}/{name}", log.producer_state.to_snapshot(), durable=False)
        self._sync(files, log.leader_epochs.to_bytes())
        for copy in self._files.values():
            copy.close()

    def give_up(self) -> None:
        """Worker: remove what was copied; where only the broker stops, leave it for the next start to find."""
        for copy in self._files.values():
            copy.close()
        if self._stopped() and not (self.log.gone or self.cancelled):
            return
        if self.target.files.exists(self.folder):
            self.target.files.remove_tree(self.folder)
