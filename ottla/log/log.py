"""One partition on disk: an ordered, append-only sequence of record batches, cut into segments.

         log start                                             recovery point     log end
            │                                                        │               │
    ├───────┴──────┼───────────────────┼───────────────────┼────────┴───────────────┤
    0.log          1042.log            2099.log            3170.log  (active)

Invariants, which recovery restores and the tests hold:

- Offsets only grow; a batch's bytes never change once written; batches are appended whole, with one write.
- log start ≤ log end, recovery point ≤ log end. Below the recovery point everything was synced. The log start only rises.
- Everything but the `.log` files (and the log start in its checkpoint) can be made anew from them.
- Nothing here asks a clock or blocks on anything but the disk: time comes in as `now_ms`, and a sync runs where the
  caller wants it (`prepare_sync`, sync.py).

A Log is used from one thread (the event loop); only `SyncPoint.run` runs in another. An OSError of the medium ends the
log directory (`StorageHealth`): every later call answers KAFKA_STORAGE_ERROR.

The rooms' other files: incoming (a leader's checks), reading, segment and index (bytes), producer_state, leader_epochs,
recovery (opening), retention (deleting), truncation (cutting), lookup (offsets by time).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from ottla.log import leader_epochs, lookup, retention, truncation
from ottla.log.checkpoints import PARTITION_METADATA_FILE
from ottla.log.config import LogConfig
from ottla.log.errors import StorageHealth
from ottla.log.files import Buffer, Files, parent_of
from ottla.log.incoming import Incoming, Origin, check_incoming, stamp
from ottla.log.producer_replay import marker_of, replay_batch
from ottla.log.producer_state import BatchMetadata, ProducerEntry
from ottla.log.reading import Reader
from ottla.log.recovery import Loaded, Opening, load_log
from ottla.log.segment import SEGMENT_SUFFIXES, SNAPSHOT_SUFFIX, IndexCache, Segment, file_name
from ottla.log.sync import SyncPoint
from ottla.log.transaction_index import AbortedTransaction
from ottla.protocol.errors import ErrorCode, KafkaError
from ottla.records.batch import INT64_MIN, admit, crc32c, iter_headers
from ottla.records.header import CRC_START, BatchHeader

SHARED_INDEX_CACHE = IndexCache()
_CLIENT = Origin.CLIENT  # an enum's member costs more to find than a name
_new_tuple = tuple.__new__

__all__ = ["AppendResult", "Log", "Origin"]


class AppendResult(NamedTuple):
    """What an append did. For a duplicate, the offsets the batch got the first time."""

    first_offset: int
    last_offset: int
    log_append_time_ms: int  # -1 with CreateTime
    log_start_offset: int
    duplicate: bool = False


class Log:
    """The log of one partition."""

    __slots__ = (
        "_jitter_ms", "_segment_bases", "cache", "config", "cut", "deleted", "directory", "files", "folder_unsynced",
        "gone", "health",
        "leader_epochs", "log_end_offset", "log_start_offset", "name", "names_unsynced", "partition", "producer_state",
        "reader", "recovery_point", "segments", "snapshot_offset", "sync_position", "synced_ms", "topic", "truncations",
    )  # fmt: skip

    def __init__(
        self, files: Files, directory: str, config: LogConfig, health: StorageHealth, cache: IndexCache, loaded: Loaded
    ) -> None:  # fmt: skip
        self.files = files
        #: The folder has another name by now: the topic was deleted. Set before it is renamed, read by worker threads.
        self.gone = False
        self.directory = directory
        self.name = directory.rpartition("/")[2]
        topic, _, partition = self.name.rpartition("-")
        self.topic = topic
        self.partition = int(partition) if partition.isdigit() else -1
        self.config = config
        self.health = health
        self.cache = cache
        self.segments = loaded.segments
        self.leader_epochs = loaded.epochs
        self.producer_state = loaded.producer_state
        self.log_start_offset = loaded.log_start_offset
        self.log_end_offset = loaded.log_end_offset
        self.recovery_point = loaded.recovery_point
        self.cut = loaded.cut
        self.snapshot_offset = loaded.snapshot_offset  # of the newest snapshot file, -1 where there is none
        self.names_unsynced = loaded.names_unsynced  # a segment was created since the folder was synced
        self.folder_unsynced = loaded.names_unsynced  # so was the folder itself
        self.truncations = 0  # how often the end was cut; a sync point of an older count proves less
        self.deleted: list[tuple[int, list[str]]] = []  # (when, files that were renamed to .deleted)
        self.sync_position: tuple[int, Segment, int] | None = None
        self.synced_ms = self.segments[-1].created_ms  # when flush.ms last had it synced; opened, at first
        self._segment_bases = [segment.base_offset for segment in loaded.segments]
        self.reader = Reader(self, cache.reads)
        self._jitter_ms = config.jitter_of(f"{self.name} {self.segments[-1].base_offset}")
        if config.preallocate:
            self.segments[-1].reserve(config.segment_bytes)

    @classmethod
    def open(
        cls, files: Files, directory: str, config: LogConfig, *, now_ms: int, recovery_point: int = 0,
        log_start_offset: int = 0, clean: bool = True, health: StorageHealth | None = None, cache: IndexCache | None = None,
        holes: bool = False,
    ) -> Log:  # fmt: skip
        """Open the log in a folder (made if need be). After an unclean stop, with `clean=False`."""
        cache = SHARED_INDEX_CACHE if cache is None else cache
        health = StorageHealth(directory) if health is None else health
        name = directory.rpartition("/")[2]
        try:
            files.mkdir(directory)
            loaded = load_log(
                Opening(files, directory, name, config, now_ms, recovery_point, log_start_offset, clean, cache, holes)
            )
        except OSError as error:
            raise health.fail(error) from error
        return cls(files, directory, config, health, cache, loaded)

    @property
    def size(self) -> int:
        return sum([segment.size for segment in self.segments])

    @property
    def active(self) -> Segment:
        return self.segments[-1]

    # -- appending ------------------------------------------------------------------------------------------------

    def append_as_leader(
        self,
        records: Buffer,
        leader_epoch: int,
        now_ms: int,
        origin: Origin = _CLIENT,
        transaction_version: int = 0,
    ) -> AppendResult:
        """Append one batch at the log end; its bytes are patched in place. Raises KafkaError as Kafka answers."""
        if self.health.failure is not None:
            self.health.check()
        config = self.config
        offset = self.log_end_offset
        ordinary = config.ordinary if origin is _CLIENT else config.ordinary_with_keys
        if ordinary and len(records) <= config.batch_bytes_max:
            latest_ms = now_ms + config.message_timestamp_after_max_ms
            admitted = admit(records, offset, leader_epoch, INT64_MIN, latest_ms)
            if admitted is not None:
                last_delta, max_timestamp, header = admitted
                if header is not None:
                    return self._append_numbered(
                        records, offset, leader_epoch, now_ms, last_delta, max_timestamp, header
                    )
                last_offset = offset + last_delta
                self._write(records, offset, last_offset, max_timestamp, leader_epoch, now_ms)
                self.producer_state.end_offset = last_offset + 1
                return _new_tuple(AppendResult, (offset, last_offset, -1, self.log_start_offset, False))
        incoming = check_incoming(records, config, origin, now_ms, self.name)
        header = incoming.header
        last_offset = offset + header.last_offset_delta
        if header.producer_id >= 0:
            duplicate = self._check_producer(incoming, offset, origin, transaction_version)
            if duplicate is not None:
                # Kafka tells the time of the batch that is already there, whatever the timestamp type.
                return AppendResult(
                    duplicate.first_offset, duplicate.last_offset, duplicate.timestamp, self.log_start_offset, True
                )
        stamp(incoming, offset, leader_epoch)
        self._write(incoming.records, offset, last_offset, incoming.max_timestamp, leader_epoch, now_ms)
        if header.producer_id >= 0:
            self._account(incoming, offset)
        self.producer_state.end_offset = last_offset + 1
        return AppendResult(offset, last_offset, incoming.log_append_time_ms, self.log_start_offset)

    def _append_numbered(
        self, records: Buffer, offset: int, leader_epoch: int, now_ms: int,
        last_offset_delta: int, max_timestamp: int, header: BatchHeader,
    ) -> AppendResult:  # fmt: skip
        """Append a batch of an idempotent producer, which `admit` has checked and stamped."""
        last_offset = offset + last_offset_delta
        producer_state = self.producer_state
        duplicate = producer_state.check(header, offset)
        if duplicate is not None:
            return AppendResult(
                duplicate.first_offset, duplicate.last_offset, duplicate.timestamp, self.log_start_offset, True
            )
        self._write(records, offset, last_offset, max_timestamp, leader_epoch, now_ms)
        producer_state.record_data(header, offset, max_timestamp)
        producer_state.end_offset = last_offset + 1
        return AppendResult(offset, last_offset, -1, self.log_start_offset)

    def _write(
        self, records: Buffer, offset: int, last_offset: int, max_timestamp: int, leader_epoch: int, now_ms: int
    ) -> None:
        """Put a stamped batch at the end of the active segment, or of a new one."""
        if leader_epoch > self.leader_epochs.latest:
            self.leader_epochs.assign(leader_epoch, offset)
        try:
            segment = self.segments[-1]
            if self._must_roll(segment, len(records), last_offset, max_timestamp, now_ms):
                segment = self.roll(now_ms)
            segment.append(records, last_offset, max_timestamp, last_offset, self.config.index_interval_bytes)
        except OSError as error:
            raise self.health.fail(error) from error
        self.log_end_offset = last_offset + 1

    def _check_producer(
        self, incoming: Incoming, offset: int, origin: Origin, transaction_version: int
    ) -> BatchMetadata | None:
        header = incoming.header
        if header.is_control:
            marker = marker_of(incoming.records)
            if marker is not None:
                self.producer_state.check_marker(header, marker[1], offset, transaction_version)
            return None
        if origin is Origin.CLIENT:
            return self.producer_state.check(header, offset)
        self.producer_state.check_epoch(header, offset)
        return None

    def _account(self, incoming: Incoming, offset: int) -> None:
        """Let the producer state follow what was appended."""
        header = incoming.header
        if not header.is_control:
            self.producer_state.record_data(header, offset, incoming.max_timestamp)
            return
        marker = marker_of(incoming.records)
        if marker is not None:
            aborted = self.producer_state.record_marker(header, offset, *marker)
            if aborted is not None:
                self.aborted_of(self.segments[-1]).append(aborted)

    def append_as_follower(self, records: Buffer, now_ms: int) -> AppendResult:
        """Append batches that a leader numbered and checked; offsets, epochs and times stay."""
        self.health.check()
        view = memoryview(records)
        first_offset = -1
        last_offset = self.log_end_offset - 1
        for position, header in iter_headers(view):
            if header.base_offset <= last_offset:
                raise KafkaError(
                    ErrorCode.UNKNOWN_SERVER_ERROR,
                    f"Out of order offsets found in append to {self.name}: {header.base_offset} after {last_offset}",
                )
            if crc32c(view, position + CRC_START, position + header.size) != header.crc:
                raise KafkaError(
                    ErrorCode.CORRUPT_MESSAGE, f"Record batch {header.base_offset} for {self.name} has a wrong CRC"
                )
            batch = view[position : position + header.size]
            self._append_replica(header.base_offset, header.last_offset, header.max_timestamp, batch, now_ms)
            if header.partition_leader_epoch > self.leader_epochs.latest:
                self.leader_epochs.assign(header.partition_leader_epoch, header.base_offset)
            aborted = replay_batch(self.producer_state, header, batch)
            if aborted is not None:
                self.aborted_of(self.segments[-1]).append(aborted)
            last_offset = header.last_offset
            if first_offset < 0:
                first_offset = header.base_offset
        return AppendResult(first_offset, last_offset, -1, self.log_start_offset)

    def _append_replica(self, base: int, last_offset: int, max_timestamp: int, batch: Buffer, now_ms: int) -> None:
        try:
            segment = self.segments[-1]
            if self._must_roll(segment, len(batch), last_offset, max_timestamp, now_ms):
                segment = self.roll(now_ms, base)
            segment.append(batch, last_offset, max_timestamp, last_offset, self.config.index_interval_bytes)
        except OSError as error:
            raise self.health.fail(error) from error
        self.log_end_offset = last_offset + 1

    def assign_epoch(self, epoch: int) -> None:
        """A leader of `epoch` begins at the log end (what it has not written yet belongs to it too)."""
        self.leader_epochs.assign(epoch, self.log_end_offset)

    def _must_roll(self, segment: Segment, size: int, last_offset: int, max_timestamp: int, now_ms: int) -> bool:
        config = self.config
        used = segment.size
        if used > config.segment_bytes - size:
            return used > 0
        if last_offset - segment.base_offset > 0x7FFFFFFF:
            return True
        if used == 0:
            return False
        first = segment.first_timestamp
        if first == -2:
            first = segment.load_first_timestamp()
        waited = max_timestamp - first if first >= 0 else now_ms - segment.created_ms
        if waited > config.roll_ms - self._jitter_ms:
            return True
        index_bytes = config.segment_index_bytes  # of the time index, room for the entry of the seal is kept
        time_entries = len(segment.time_index.offsets)
        return time_entries >= index_bytes // 12 - 1 or len(segment.index.offsets) >= index_bytes // 8

    def roll(self, now_ms: int, base_offset: int | None = None) -> Segment:
        """Seal the active segment and begin a new one at the log end."""
        base = self.log_end_offset if base_offset is None else base_offset
        old = self.segments[-1]
        if old.size == 0:  # an empty segment would share its name with the new one, or lie before a gap for nothing
            if old.base_offset == base:
                return old
            old.close()
            for suffix in SEGMENT_SUFFIXES:
                self.files.remove(old.path(suffix))
            self.segments.pop()
            self._segment_bases.pop()
        else:
            self.take_snapshot(base)
            self.aborted_of(old)
            old.seal()
            old.next_offset = base
        segment = Segment(
            self.files, self.directory, base, 0, created_ms=now_ms, cache=self.cache,
            interval=self.config.index_interval_bytes, create=True,
        )  # fmt: skip
        if self.config.preallocate:
            segment.reserve(self.config.segment_bytes)
        self.segments.append(segment)
        self._segment_bases.append(base)
        self.names_unsynced = True
        self._jitter_ms = self.config.jitter_of(f"{self.name} {base}")
        return segment

    # -- reading --------------------------------------------------------------------------------------------------

    def read(
        self, start_offset: int, max_bytes: int, max_offset: int | None = None, at_least_one: bool = True
    ) -> Buffer:
        """Whole batches from the one that contains `start_offset`, of about `max_bytes`, all below `max_offset`."""
        end = self.log_end_offset
        if start_offset < self.log_start_offset or start_offset > end:
            raise self.out_of_range(start_offset)
        limit_offset = end if max_offset is None or max_offset > end else max_offset
        if start_offset >= limit_offset:
            return b""
        self.health.check()
        try:
            return self.reader.read(start_offset, max_bytes, limit_offset, at_least_one)
        except OSError as error:
            raise self.health.fail(error) from error

    def segment_number(self, offset: int) -> int:
        """Which segment holds an offset."""
        return max(0, bisect_right(self._segment_bases, offset) - 1)

    def segments_changed(self) -> None:
        """After segments were dropped or cut: forget every remembered place."""
        self._segment_bases = [segment.base_offset for segment in self.segments]
        self.reader.forget()
        self.sync_position = None

    def out_of_range(self, offset: int) -> KafkaError:
        return KafkaError(
            ErrorCode.OFFSET_OUT_OF_RANGE,
            f"Received request for offset {offset} for partition {self.name}, but we only have log segments from offset "
            f"{self.log_start_offset} up to {self.log_end_offset}.",
        )

    # -- transactions, times, epochs ------------------------------------------------------------------------------

    @property
    def last_stable_offset(self) -> int:
        """The first offset of the oldest open transaction, or the log end: the high watermark is not considered."""
        first = self.producer_state.first_open_offset
        return self.log_end_offset if first < 0 else max(first, self.log_start_offset)

    def stable_offset(self, high_watermark: int) -> int:
        """Where a read-committed consumer stops: before the first transaction that is open, or whose end a failover
        could still lose (its marker is not below the high watermark)."""
        first = self.producer_state.first_unstable_offset(high_watermark)
        return high_watermark if first < 0 else min(high_watermark, max(first, self.log_start_offset))

    def aborted_of(self, segment: Segment) -> list[AbortedTransaction]:
        entries = segment.aborted
        return lookup.rebuild_aborted(self, segment) if entries is None else entries

    def aborted_transactions(self, start_offset: int, end_offset: int) -> list[tuple[int, int]]:
        """(producer id, first offset) of the aborted transactions in a range, by first offset."""
        return lookup.aborted_transactions(self, start_offset, end_offset)

    def offset_for_timestamp(self, timestamp_ms: int, max_offset: int | None = None) -> tuple[int, int, int] | None:
        """(timestamp, offset, leader epoch) of the first record at or after a time, below `max_offset`."""
        return lookup.offset_for_timestamp(
            self, timestamp_ms, self.log_end_offset if max_offset is None else max_offset
        )

    def max_timestamp_offset(self, max_offset: int | None = None) -> tuple[int, int, int] | None:
        """(timestamp, offset, leader epoch) of the first record with the greatest timestamp."""
        return lookup.max_timestamp_offset(self, self.log_end_offset if max_offset is None else max_offset)

    def end_offset_for_epoch(self, epoch: int) -> tuple[int, int]:
        """(greatest known epoch not above `epoch`, its end offset), (-1, -1) where unknown."""
        return self.leader_epochs.end_offset_for(epoch, self.log_end_offset)

    def active_producers(self, now_ms: int) -> list[ProducerEntry]:
        """The producers that may still write, for DescribeProducers."""
        self.producer_state.expire(now_ms, self.config.producer_id_expiration_ms)
        return list(self.producer_state.producers.values())

    # -- shrinking ------------------------------------------------------------------------------------------------

    def delete_records_before(self, offset: int, high_watermark: int | None = None) -> int:
        """Raise the log start (DeleteRecords, or a leader that did); returns the log start."""
        return retention.delete_records_before(
            self, offset, self.log_end_offset if high_watermark is None else high_watermark
        )

    def apply_retention(self, now_ms: int, high_watermark: int | None = None) -> int:
        """Delete the segments that the configuration does not keep; how many."""
        return retention.apply_retention(
            self, now_ms, self.log_end_offset if high_watermark is None else high_watermark
        )

    def plan_retention(self, now_ms: int, high_watermark: int) -> int:
        """The first half of a retention pass: raise the log start, delete nothing yet."""
        planned = retention.plan_retention(self, now_ms, high_watermark)
        self.producer_state.first_unstable_offset(high_watermark)
        self.producer_state.expire(now_ms, self.config.producer_id_expiration_ms)
        return planned

    def delete_below_log_start(self, now_ms: int) -> int:
        """The second half: delete the segments below the log start."""
        return retention.delete_below_log_start(self, now_ms)

    def truncate_to(self, offset: int, now_ms: int) -> None:
        """Cut every record at or above an offset (a follower that diverged)."""
        truncation.truncate_to(self, offset, now_ms)

    def truncate_fully(self, offset: int, now_ms: int) -> None:
        """Drop everything and begin anew at an offset (a follower that fell behind the leader's log start)."""
        truncation.truncate_fully(self, offset, now_ms)

    # -- durability -----------------------------------------------------------------------------------------------

    def prepare_sync(self) -> SyncPoint:
        """Note what must be synced for everything appended so far to be durable."""
        self.health.check()
        syncs, sizes = [], []
        try:
            for segment in reversed(self.segments):
                if segment.synced_size < segment.size:
                    syncs.append(segment.file.pin())
                    sizes.append((segment, segment.size))
                elif segment.next_offset <= self.recovery_point:
                    break
            syncs += self.sync_names()
        except OSError as error:
            raise self.health.fail(error) from error
        active = self.segments[-1]
        return SyncPoint(self.log_end_offset, self.truncations, syncs, sizes, self.health, (active, active.size))

    def sync_names(self) -> list[Callable[[], None]]:
        """A new file counts only when its folder knows its name, a new folder when its own folder does."""
        if not self.names_unsynced:
            return []
        self.names_unsynced = False
        syncs: list[Callable[[], None]] = []
        if self.folder_unsynced:
            self.folder_unsynced = False
            metadata = f"{self.directory}/{PARTITION_METADATA_FILE}"
            if self.files.exists(metadata):
                syncs.append(self.files.open(metadata).pin())
            syncs.append(partial(self.files.sync_directory, parent_of(self.directory)))
        syncs.append(partial(self._unless_gone, partial(self.files.sync_directory, self.directory)))
        return syncs

    def sync_folder(self) -> None:
        """Make the names in the folder durable, in a worker thread."""
        try:
            self._unless_gone(partial(self.files.sync_directory, self.directory))
        except OSError as error:
            raise self.health.fail(error) from error

    def _unless_gone(self, write: Callable[[], None]) -> None:
        """Do a write by path in a worker thread; a folder that was set aside meanwhile needs it no more."""
        if not self.gone:
            try:
                write()
            except FileNotFoundError:
                if not self.gone:
                    raise

    def complete_sync(self, point: SyncPoint) -> int:
        """The point has run: raise the recovery point; returns it."""
        if point.done and point.truncations == self.truncations:
            for segment, size in point.sizes:
                segment.synced_size = max(segment.synced_size, size)
            if point.offset > self.recovery_point:
                self.recovery_point = point.offset
                self.sync_position = (point.offset, *point.position)
        return self.recovery_point

    def sync(self) -> None:
        """Make everything durable here and now; for tools, tests and shutdown."""
        point = self.prepare_sync()
        point.run()
        self.complete_sync(point)

    def take_snapshot(self, offset: int) -> None:
        """Write the producer state, which describes everything below `offset`."""
        if offset > self.snapshot_offset:
            path = f"{self.directory}/{file_name(offset, SNAPSHOT_SUFFIX)}"
            self.files.replace(path, self.producer_state.to_snapshot(), durable=False)
            self.snapshot_offset = offset

    def prepare_epochs(self, durable: bool = True) -> Callable[[], None] | None:
        """What brings the leader epochs to the medium, None if they are there.

        It must have run before a recovery point is written that spares recovery the batches they come from. A log that
        never had a batch gets no file: its leader begins at offset 0 next time too, and 10,000 files take seconds.
        """
        epochs = self.leader_epochs
        if not epochs.changed or not (self.log_end_offset or epochs.in_file):
            return None
        epochs.changed, epochs.in_file = False, True
        path = f"{self.directory}/{leader_epochs.FILE_NAME}"
        return partial(self._unless_gone, partial(self.files.replace, path, epochs.to_bytes(), durable=durable))

    def close(self, clean: bool = True) -> None:
        """Close the files; cleanly: with indexes and snapshot written, everything handed to the system (not synced)."""
        try:
            if clean and self.health.failure is None:
                self.active.give_room_back()
                self.active.write_sidecars()
                if (write := self.prepare_epochs(durable=False)) is not None:
                    write()
                if self.producer_state.producers or len(self.segments) > 1 or not self.active.is_small():
                    self.take_snapshot(self.log_end_offset)
        except OSError as error:
            raise self.health.fail(error) from error
        finally:
            for segment in self.segments:
                segment.close()
