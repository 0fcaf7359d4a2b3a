"""All logs of a broker: its data folders, what lies in them, and what is written about them.

    <log dir>/.lock                                who serves this folder (fcntl; the pid stands in it)
              meta.properties                      cluster id, node id, directory id
              .kafka_cleanshutdown                 there: every log was closed; removed before the first append
              recovery-point-offset-checkpoint     below: synced          ┐ all logs of the folder,
              log-start-offset-checkpoint          DeleteRecords          │ replaced as a whole
              replication-offset-checkpoint        high watermarks        ┘
              cleaner-offset-checkpoint            below: compacted
              orders-0/                            a partition: segments and partition.metadata (its topic id)
              orders-0.<32 hex>-delete/            deleted; its files go after file.delete.delay.ms
              orders-0.<32 hex>-future/            on its way here from another folder (move.py)
              orders-0.<32 hex>-stray/             on disk, but no metadata knows it: kept, never served

Order of a clean stop: logs closed (indexes, snapshots, epochs) → everything synced → checkpoints → marker last. A start
reads the marker and removes it before anything can be appended, so a crash is never taken for a clean stop.
A recovery point is written only after the data below it and the leader epochs of that data are on the medium.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ottla.log import checkpoints, retention
from ottla.log.checkpoints import Offsets
from ottla.log.config import DEFAULT_LOG_CONFIG, LogConfig
from ottla.log.directory import LogDirectory, parse_folder_name
from ottla.log.errors import KafkaStorageError, LockedError
from ottla.log.files import Files
from ottla.log.log import Log
from ottla.log.move import Move
from ottla.log.segment import IndexCache
from ottla.protocol.errors import ErrorCode, KafkaError

DELETE_SUFFIX = "-delete"
STRAY_SUFFIX = "-stray"
FUTURE_SUFFIX = "-future"
CLUSTER_METADATA = "__cluster_metadata"  # Kafka's metadata log; the takeover of a folder reads it, nobody serves it
PREFERRED_MAX = 10_000  # partitions of which clients said where they shall lie, should they come
LOGS_AT_A_TIME = 200  # looked at by retention before others have their turn
FOLDER_NAME_MAX = 255  # bytes of a file name on every usual file system

__all__ = ["LoadReport", "LockedError", "LogManager"]

ConfigFor = Callable[[str], LogConfig]


class LoadReport(NamedTuple):
    """What a start found, for the broker's log and for people."""

    loaded: int
    clean: bool
    cut: list[str]  # torn tails, one sentence each
    damaged: list[str]  # partitions that can not be served, one sentence each


class LogManager:
    """Opens, creates, finds, deletes and checkpoints logs. Used from one thread."""

    def __init__(
        self, files: Files, directories: Iterable[str], default_config: LogConfig = DEFAULT_LOG_CONFIG
    ) -> None:
        self.files = files
        self.default_config = default_config
        self.directories = [LogDirectory(files, path.rstrip("/") or "/") for path in directories]
        self.high_watermark_of: Callable[[Log], int] | None = None  # the broker's partitions know it
        self._logs: dict[tuple[str, int], Log] = {}
        self._directory_of: dict[tuple[str, int], LogDirectory] = {}
        self._damaged: dict[tuple[str, int], KafkaStorageError] = {}
        self._doomed: list[tuple[int, str]] = []  # (when, folder that was renamed to -delete)
        self._cache = IndexCache()
        self._topic_ids: dict[tuple[str, int], bytes | None] = {}
        self._preferred: dict[tuple[str, int], LogDirectory] = {}
        self._foreign = False
        self._interrupted: list[tuple[LogDirectory, str]] = []  # -future folders that the start found

    # -- start and stop -------------------------------------------------------------------------------------------

    def lock(self) -> None:
        """Take the folders (made if need be). LockedError names the process that has one."""
        for directory in self.directories:
            directory.lock()

    def load(self, now_ms: int, config_for: ConfigFor | None = None, *, foreign: bool = False) -> LoadReport:
        """Open every log found. A damaged one is reported, not served; the others are.

        `foreign`: Apache Kafka left these folders. What was found in them then counts as written by us: it is synced.
        """
        self._foreign = foreign
        report = LoadReport(0, True, [], [])
        for directory in self.directories:
            if not directory.locked:
                directory.lock()
            directory.read_state()
            report = report._replace(clean=report.clean and directory.clean)
            for name in directory.folders():
                self._load_folder(directory, name, now_ms, config_for or self._default_for, report)
            if foreign and not directory.clean:
                self._sync_all(directory)
        return report._replace(loaded=len(self._logs))

    def _sync_all(self, directory: LogDirectory) -> None:
        """Everything in a folder is durable, and the checkpoints say so."""
        try:
            self.files.sync_everything(directory.path)
        except OSError as error:
            raise directory.health.fail(error) from error
        for key, log in self._logs.items():
            if self._directory_of[key] is directory:
                log.recovery_point = log.log_end_offset
        _run_writes([(directory, self._checkpoint_writes(directory))])

    def _default_for(self, topic: str) -> LogConfig:
        return self.default_config

    def _load_folder(
        self, directory: LogDirectory, name: str, now_ms: int, config_for: ConfigFor, report: LoadReport
    ) -> None:
        path = f"{directory.path}/{name}"
        if name.endswith((DELETE_SUFFIX, FUTURE_SUFFIX)):
            self._doomed.append((now_ms, path))
            if name.endswith(FUTURE_SUFFIX):
                self._interrupted.append((directory, name))
            return
        key = parse_folder_name(name)
        if key is None or key[0] == CLUSTER_METADATA or name.endswith(STRAY_SUFFIX):
            return
        try:
            log = Log.open(
                self.files, path, config_for(key[0]), now_ms=now_ms, recovery_point=directory.recovery_points.get(key, 0),
                log_start_offset=directory.log_start_offsets.get(key, 0), clean=directory.clean, health=directory.health,
                cache=self._cache, holes=self._foreign,
            )  # fmt: skip
            if key in self._logs and not self._replaces(directory, log, now_ms, report):
                return
            self._topic_ids[key] = directory.read_topic_id(name, directory.recovery_points.get(key, 0) > 0)
        except KafkaStorageError as error:
            self._damaged[key] = error
            self._directory_of[key] = directory
            report.damaged.append(error.message)
            return
        if log.cut is not None:
            report.cut.append(log.cut)
        self._logs[key] = log
        self._directory_of[key] = directory

    def _replaces(self, directory: LogDirectory, log: Log, now_ms: int, report: LoadReport) -> bool:
        """A crash in the last moment of a move left the log in two folders: the longer one counts, the other is kept."""
        key = log.topic, log.partition
        other = self._logs[key]
        newer = log.log_end_offset > other.log_end_offset
        loser, place = (other, self._directory_of[key]) if newer else (log, directory)
        winner = log if newer else other
        report.cut.append(
            f"{loser.name} lies in two folders: {winner.directory} is served, the other set aside as -stray"
        )
        loser.close(clean=False)
        self._rename_aside(place, loser.topic, loser.partition, STRAY_SUFFIX)
        return newer

    # -- moving ---------------------------------------------------------------------------------------------------

    def directory_at(self, path: str) -> LogDirectory:
        """The log directory with this path; LOG_DIR_NOT_FOUND, or KAFKA_STORAGE_ERROR where it failed."""
        for directory in self.directories:
            if str(Path(directory.path).absolute()) == (path.rstrip("/") or "/"):
                directory.health.check()
                return directory
        raise KafkaError(ErrorCode.LOG_DIR_NOT_FOUND, f"Log dir {path} is not found in the config.")

    def prefer(self, topic: str, partition: int, directory: LogDirectory) -> None:
        """If the partition comes to this broker, let it lie there."""
        if (topic, partition) not in self._logs and len(self._preferred) < PREFERRED_MAX:
            self._preferred[topic, partition] = directory

    def take_interrupted_moves(self) -> list[tuple[Log, LogDirectory]]:
        """The moves that the last stop or crash interrupted: which log was on its way to where."""
        found = []
        interrupted, self._interrupted = self._interrupted, []
        for directory, name in interrupted:
            key = parse_folder_name(name.rpartition(".")[0])
            log = None if key is None else self._logs.get(key)
            if key is None or log is None or self._directory_of[key] is directory:
                continue
            topic_id = directory.read_topic_id(name, was_synced=False)
            if topic_id is not None and topic_id == self._topic_ids.get(key):  # and no other topic of this name
                found.append((log, directory))
        return found

    def start_move(self, log: Log, target: LogDirectory, stopped: Callable[[], bool]) -> Move:
        """Make the folder of a log that moves to another directory."""
        tail = f"-{log.partition}.{secrets.token_hex(16)}{FUTURE_SUFFIX}"
        name = f"{log.topic.encode()[: FOLDER_NAME_MAX - len(tail)].decode(errors='ignore')}{tail}"
        self.files.mkdir(f"{target.path}/{name}")
        topic_id = self._topic_ids.get((log.topic, log.partition))
        if topic_id is not None:
            target.write_topic_id(name, topic_id)
        return Move(log, target, f"{target.path}/{name}", stopped)

    def finish_move(self, move: Move, now_ms: int) -> Log:
        """On the loop, for some milliseconds: the log as it is served from its new place."""
        old, target = move.log, move.target
        key = old.topic, old.partition
        source = self._directory_of[key]
        move.finish()
        path = f"{target.path}/{old.topic}-{old.partition}"
        self._directory_of[key] = target  # the target's checkpoints tell of it before it is there
        if key in source.cleaner_offsets:
            target.cleaner_offsets[key] = source.cleaner_offsets.pop(key)
        recovery_point, old.recovery_point = old.recovery_point, old.log_end_offset
        try:
            _run_writes([(target, self._checkpoint_writes(target))])
            self.files.rename(move.folder, path)
            self.files.sync_directory(target.path)
            log = Log.open(
                self.files, path, old.config, now_ms=now_ms, recovery_point=old.log_end_offset,
                log_start_offset=old.log_start_offset, health=target.health, cache=self._cache,
            )  # fmt: skip
        except OSError as error:
            self._directory_of[key], old.recovery_point = source, recovery_point
            raise target.health.fail(error) from error
        log.producer_state, log.leader_epochs = old.producer_state, old.leader_epochs
        self._logs[key] = log
        old.gone = True
        old.close(clean=False)
        aside = self._rename_aside(source, old.topic, old.partition, DELETE_SUFFIX)
        self._doomed.append((now_ms + old.config.file_delete_delay_ms, aside))
        return log

    def shutdown(self, clean: bool = True, broker_epoch: int = -1) -> None:
        """Close everything. `clean=False` is what a crash leaves: no marker, nothing flushed."""
        failures = []
        for log in self._logs.values():
            try:
                log.close(clean and log.health.failure is None)
            except KafkaStorageError as problem:
                failures.append(problem)
        for directory in self.directories:
            if clean and directory.locked and directory.health.failure is None:
                try:
                    self._sync_all(directory)
                    directory.write_clean_marker(broker_epoch)
                except KafkaStorageError as problem:
                    failures.append(problem)
                except OSError as error:
                    failures.append(directory.health.fail(error))
            directory.unlock()
        self._logs.clear()
        if failures:  # the other directories are closed all the same
            raise failures[0]

    # -- logs -----------------------------------------------------------------------------------------------------

    def get(self, topic: str, partition: int) -> Log | None:
        """The log of a partition, None where this broker has none; KafkaStorageError where it is damaged."""
        log = self._logs.get((topic, partition))
        if log is None and (topic, partition) in self._damaged:
            raise self._damaged[topic, partition]
        return log

    def __iter__(self) -> Iterator[Log]:
        return iter(list(self._logs.values()))

    def __len__(self) -> int:
        return len(self._logs)

    def topic_id(self, topic: str, partition: int) -> bytes | None:
        """The topic id in the partition's folder, None where the folder has none."""
        return self._topic_ids.get((topic, partition))

    def directory_of(self, topic: str, partition: int) -> LogDirectory:
        return self._directory_of[topic, partition]

    def create(self, topic: str, partition: int, topic_id: bytes, config: LogConfig | None, now_ms: int) -> Log:
        """The partition's log, made in the live folder with the fewest logs if there is none yet.

        INCONSISTENT_TOPIC_ID where the folder belongs to another topic of the same name.
        """
        key = topic, partition
        log = self.get(topic, partition)
        if log is not None:
            known = self._topic_ids.get(key)
            if known is None:
                self._write_topic_id(self._directory_of[key], log, topic_id)
            elif known != topic_id:
                raise KafkaError(
                    ErrorCode.INCONSISTENT_TOPIC_ID,
                    f"{log.name} on disk has topic id {checkpoints.format_uuid(known)}, asked for {checkpoints.format_uuid(topic_id)}",
                )
            return log
        directory = self._directory_for_new(key)
        directory.cleaner_offsets.pop(key, None)
        if key in directory.checkpointed:  # of a deleted partition of this name: its offsets are not the new one's
            _run_writes([(directory, self._checkpoint_writes(directory))])
        try:
            log = Log.open(
                self.files, f"{directory.path}/{topic}-{partition}", config or self.default_config, now_ms=now_ms,
                health=directory.health, cache=self._cache,
            )  # fmt: skip
            self._write_topic_id(directory, log, topic_id)
        except OSError as error:
            raise directory.health.fail(error) from error
        self._logs[key] = log
        self._directory_of[key] = directory
        return log

    def _write_topic_id(self, directory: LogDirectory, log: Log, topic_id: bytes) -> None:
        directory.write_topic_id(log.name, topic_id)
        self._topic_ids[log.topic, log.partition] = topic_id

    def _directory_for_new(self, key: tuple[str, int]) -> LogDirectory:
        """Where a client asked for (AlterReplicaLogDirs before the partition was here), else where there is least."""
        preferred = self._preferred.pop(key, None)
        if preferred is not None and preferred.health.failure is None:
            return preferred
        live = [directory for directory in self.directories if directory.health.failure is None]
        if not live:
            raise self.directories[0].health.failure or KafkaStorageError("no log directory")
        if len(live) == 1:
            return live[0]
        used = list(self._directory_of.values())
        return min(live, key=used.count)

    def delete(self, topic: str, partition: int, now_ms: int) -> None:
        """Forget a log at once; its folder is renamed now and removed when file.delete.delay.ms is over."""
        self._set_aside(topic, partition, DELETE_SUFFIX, now_ms)

    def mark_stray(self, topic: str, partition: int, now_ms: int) -> None:
        """Set aside a log that no metadata mentions: it may be the metadata that is wrong, so nothing is removed."""
        self._set_aside(topic, partition, STRAY_SUFFIX, now_ms)

    def _set_aside(self, topic: str, partition: int, suffix: str, now_ms: int) -> None:
        key = topic, partition
        directory = self._directory_of.pop(key, None)
        if directory is None:
            return
        log = self._logs.pop(key, None)
        self._damaged.pop(key, None)
        self._topic_ids.pop(key, None)
        directory.cleaner_offsets.pop(key, None)
        delay = self.default_config.file_delete_delay_ms if log is None else log.config.file_delete_delay_ms
        if log is not None:
            log.gone = True
            log.close(clean=False)
        path = self._rename_aside(directory, topic, partition, suffix)
        if suffix == DELETE_SUFFIX:
            self._doomed.append((now_ms + delay, path))

    def _rename_aside(self, directory: LogDirectory, topic: str, partition: int, suffix: str) -> str:
        tail = f"-{partition}.{secrets.token_hex(16)}{suffix}"
        path = f"{directory.path}/{topic.encode()[: FOLDER_NAME_MAX - len(tail)].decode(errors='ignore')}{tail}"
        try:
            self.files.rename(f"{directory.path}/{topic}-{partition}", path)
            self.files.sync_directory(directory.path)
        except OSError as error:
            raise directory.health.fail(error) from error
        return path

    # -- housekeeping ---------------------------------------------------------------------------------------------

    def apply_retention(self, now_ms: int) -> int:
        """`retention_steps`, all in this thread; for tools and tests."""
        steps = self.retention_steps(now_ms)
        try:
            while True:
                step = next(steps)
                if step is not None:
                    step()
        except StopIteration as end:
            deleted: int = end.value
            return deleted

    def retention_steps(self, now_ms: int) -> Generator[Callable[[], None] | None, None, int]:
        """One pass over all logs: expired segments, files whose delay is over, deleted partitions' folders.

        Yields what waits for the disk, to be called in a worker thread, or None where others may have their turn. A log
        directory that fails on the way keeps no other from its turn; KafkaStorageError tells of it in the end.
        """
        failures: list[KafkaStorageError] = []
        shrinking = []
        doomed: list[tuple[Log, list[str]]] = []
        for number, log in enumerate(list(self._logs.values())):
            if number % LOGS_AT_A_TIME == LOGS_AT_A_TIME - 1:
                yield None
            if log.health.failure is None and not log.gone:
                if paths := retention.take_purgeable(log, now_ms):
                    doomed.append((log, paths))
                mark = log.log_end_offset if self.high_watermark_of is None else self.high_watermark_of(log)
                try:
                    if log.plan_retention(now_ms, mark):
                        shrinking.append(log)
                except KafkaStorageError as problem:
                    failures.append(problem)
        try:
            if shrinking:
                yield self.prepare_log_starts()
        except KafkaStorageError as problem:
            failures.append(problem)
        due = [path for when, path in self._doomed if when <= now_ms]
        self._doomed = [(when, path) for when, path in self._doomed if when > now_ms]
        if due or doomed:
            yield partial(self._remove, doomed, due, failures)
        deleted = 0
        for log in shrinking:
            if log.health.failure is None and not log.gone:
                try:
                    deleted += log.delete_below_log_start(now_ms)
                except KafkaStorageError as problem:
                    failures.append(problem)
        if failures:
            raise failures[0]
        return deleted

    def _remove(
        self, doomed: list[tuple[Log, list[str]]], folders: list[str], failures: list[KafkaStorageError]
    ) -> None:
        """Worker: large files and folders take their time."""
        for log, paths in doomed:
            try:
                for path in paths:
                    self.files.remove(path)
            except OSError as error:
                if not log.gone:
                    failures.append(log.health.fail(error))
        for path in folders:
            directory = next(found for found in self.directories if path.startswith(f"{found.path}/"))
            try:
                if directory.health.failure is None:
                    self.files.remove_tree(path)
            except OSError as error:
                failures.append(directory.health.fail(error))

    def checkpoint_log_starts(self) -> None:
        """Write the log starts; before files are deleted, and before DeleteRecords is answered."""
        self.prepare_log_starts()()

    def prepare_log_starts(self) -> Callable[[], None]:
        """What `checkpoint_log_starts` would write, as of now, for a worker thread."""
        writes: list[tuple[LogDirectory, list[Callable[[], None]]]] = []
        for directory in self.directories:
            if directory.health.failure is None:
                logs = [log for key, log in self._logs.items() if self._directory_of[key] is directory]
                write = directory.prepare_offsets(checkpoints.LOG_START_OFFSET_CHECKPOINT, self._log_starts(directory))
                writes.append((directory, [*self._sync_started(logs), write]))
        return partial(_run_writes, writes)

    # -- compaction -----------------------------------------------------------------------------------------------

    def cleaner_offset(self, log: Log) -> int | None:
        """Up to where a log was compacted, None if it never was."""
        key = log.topic, log.partition
        return self._directory_of[key].cleaner_offsets.get(key)

    def set_cleaner_offset(self, log: Log, offset: int) -> Callable[[], None]:
        """Note how far a log is compacted now; what writes it down, for a worker thread."""
        key = log.topic, log.partition
        directory = self._directory_of[key]
        directory.cleaner_offsets[key] = offset
        directory.checkpointed.add(key)
        return partial(_run_writes, [(directory, [self._cleaner_write(directory)])])

    def _cleaner_write(self, directory: LogDirectory) -> Callable[[], None]:
        return directory.prepare_offsets(checkpoints.CLEANER_OFFSET_CHECKPOINT, dict(directory.cleaner_offsets))

    def due_for_flush(self, now_ms: int) -> list[Log]:
        """The logs with unsynced records whose flush.ms is over since their last sync."""
        due = []
        for log in self._logs.values():
            unsynced = log.health.failure is None and log.recovery_point < log.log_end_offset
            if unsynced and now_ms - log.synced_ms >= log.config.flush_ms:
                log.synced_ms = now_ms
                due.append(log)
        return due

    def _sync_started(self, logs: list[Log]) -> list[Callable[[], None]]:
        """A log start says that offsets below it are used up: the folder must outlive the checkpoint that says so."""
        return [sync for log in logs if log.log_start_offset > 0 and log.folder_unsynced for sync in log.sync_names()]

    def _log_starts(self, directory: LogDirectory) -> Offsets:
        """Kafka leaves out those that equal the first segment's base; they stay here, because a deleted segment's file
        may come back with a crash."""
        starts = {
            key: log.log_start_offset for key, log in self._logs.items()
            if log.log_start_offset > 0 and self._directory_of[key] is directory
        }  # fmt: skip
        return self._with_damaged(starts, directory, directory.log_start_offsets)

    def _with_damaged(self, offsets: Offsets, directory: LogDirectory, before: Offsets) -> Offsets:
        """What is known of a log that could not be opened stays known: without it the damage would be forgotten."""
        for key in self._damaged:
            if self._directory_of[key] is directory and key in before:
                offsets[key] = before[key]
        return offsets

    def purge_deleted(self, now_ms: int) -> None:
        """Remove the folders of deleted partitions whose delay is over."""
        due = [path for when, path in self._doomed if when <= now_ms]
        self._doomed = [(when, path) for when, path in self._doomed if when > now_ms]
        for path in due:
            self.files.remove_tree(path)

    def checkpoint(self) -> None:
        """Write recovery points, log starts and high watermarks (Kafka does so every minute, or 5 s for the latter)."""
        self.prepare_checkpoint()()

    def prepare_checkpoint(self) -> Callable[[], None]:
        """What `checkpoint` would write, as of now: call the result in a worker thread, it blocks on the medium."""
        live = [directory for directory in self.directories if directory.health.failure is None]
        return partial(_run_writes, [(directory, self._checkpoint_writes(directory)) for directory in live])

    def _checkpoint_writes(self, directory: LogDirectory) -> list[Callable[[], None]]:
        logs = [log for key, log in self._logs.items() if self._directory_of[key] is directory]
        mark = self.high_watermark_of
        recovery_points = {(log.topic, log.partition): log.recovery_point for log in logs if log.recovery_point > 0}
        high_watermarks = {
            (log.topic, log.partition): log.log_end_offset if mark is None else mark(log) for log in logs
        }
        writes: list[Callable[[], None]] = [write for log in logs if (write := log.prepare_epochs()) is not None]
        writes += self._sync_started(logs)
        for name, offsets in (
            (checkpoints.LOG_START_OFFSET_CHECKPOINT, self._log_starts(directory)),
            (
                checkpoints.HIGH_WATERMARK_CHECKPOINT,
                self._with_damaged(high_watermarks, directory, directory.high_watermarks),
            ),
            (
                checkpoints.RECOVERY_POINT_CHECKPOINT,
                self._with_damaged(recovery_points, directory, directory.recovery_points),
            ),
        ):
            writes.append(directory.prepare_offsets(name, offsets))
        if directory.cleaner_offsets:
            writes.append(self._cleaner_write(directory))
        directory.checkpointed = {*high_watermarks, *self._damaged, *directory.cleaner_offsets}
        return writes

    def high_watermark_checkpoint(self, topic: str, partition: int) -> int:
        """The high watermark as it stood at the last checkpoint, 0 where unknown."""
        directory = self._directory_of.get((topic, partition))
        return 0 if directory is None else directory.high_watermarks.get((topic, partition), 0)

    def truncate_to(self, log: Log, offset: int, now_ms: int) -> None:
        """Cut a follower's log; the lowered recovery point is on the medium before the bytes go."""
        directory = self._directory_of[log.topic, log.partition]
        if directory.cleaner_offsets.get((log.topic, log.partition), 0) > offset:
            directory.cleaner_offsets[log.topic, log.partition] = offset
        if offset < log.recovery_point:
            log.recovery_point = offset
            _run_writes([(directory, self._checkpoint_writes(directory))])
        log.truncate_to(offset, now_ms)


def _run_writes(writes: list[tuple[LogDirectory, list[Callable[[], None]]]]) -> None:
    """Each directory's writes in their order; one that fails keeps no other from being written."""
    failures = []
    for directory, steps in writes:
        try:
            for step in steps:
                step()
        except OSError as error:
            failures.append(directory.health.fail(error))
        except KafkaStorageError as problem:
            failures.append(problem)
    if failures:
        raise failures[0]
