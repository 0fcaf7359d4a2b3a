"""Opening a log: from the files of a partition's folder to a log that is a valid prefix of what was appended.

After a clean stop the folder is trusted: sizes from the directory listing, the end of the active segment from its index
and a short walk, the newest snapshot. Otherwise every segment that reaches above the recovery point (below it all bytes
had been synced) is read whole and judged batch by batch:

    length and magic plausible │ CRC-32C │ offsets go on where the last batch ended │ leader epochs do not fall

        ... ████████████████████│████████████░░░░░           █ good   ░ first bad byte and all behind it
                        recovery point      cut

- The first bad byte above the recovery point is a torn tail: cut there, drop later segments. What was acknowledged as
  durable lies below the recovery point or was good.
- A bad byte below it is damage to bytes that had been durable. Nothing is cut: the segment is renamed
  `<name>.quarantined`, CorruptLogError is raised, and is raised at each later opening while that file lies there.

Between two segments the same rule holds: a sealed segment that lost its unsynced end leaves a hole before the next one,
which ends the log there. (Compaction leaves holes too, but cleans only what lies below a recovery point on the medium;
Apache Kafka does not wait for that, so in a folder taken over from it offsets need only grow.)

Indexes of the segments read are made anew; producer state, transaction indexes, leader epochs are replayed from the
newest good snapshot on. A second recovery finds nothing to change.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from ottla.log import leader_epochs
from ottla.log.config import LogConfig
from ottla.log.errors import CorruptLogError, CorruptSidecarError
from ottla.log.files import Files
from ottla.log.leader_epochs import LeaderEpochs
from ottla.log.producer_replay import load_producer_state, replay_batch, snapshot_offsets
from ottla.log.producer_state import ProducerState
from ottla.log.segment import (
    LOG_SUFFIX,
    SCAN_BYTES,
    SEGMENT_SUFFIXES,
    SNAPSHOT_SUFFIX,
    IndexCache,
    Segment,
    file_name,
)  # fmt: skip
from ottla.records.batch import crc32c, read_header
from ottla.records.header import CRC_START, HEADER_SIZE, LOG_OVERHEAD, MAGIC, BatchHeader

DELETED_SUFFIX = ".deleted"
CLEANED_SUFFIX = ".cleaned"
SWAP_SUFFIX = ".swap"
TEMPORARY_SUFFIX = ".tmp"
QUARANTINED_SUFFIX = ".quarantined"


class Loaded(NamedTuple):
    """What a Log starts from."""

    segments: list[Segment]
    epochs: LeaderEpochs
    producer_state: ProducerState
    log_start_offset: int
    log_end_offset: int
    recovery_point: int
    snapshot_offset: int
    names_unsynced: bool  # the folder and its files may have no durable names
    cut: str | None  # what was cut from the end and why, for the broker's log


class Opening(NamedTuple):
    """The circumstances of one opening."""

    files: Files
    directory: str
    name: str
    config: LogConfig
    now_ms: int
    recovery_point: int
    log_start_offset: int
    clean: bool
    cache: IndexCache
    holes: bool = False  # offsets may be missing anywhere: Apache Kafka wrote this, and may have compacted it


def load_log(opening: Opening) -> Loaded:
    files, directory = opening.files, opening.directory
    names = files.list(directory)
    quarantined = sorted(name for name in names if name.endswith(QUARANTINED_SUFFIX))
    if quarantined:
        raise CorruptLogError(
            directory, f"{quarantined[0]} was set aside because durable bytes in it are damaged; restore the partition "
            "from a replica or backup, or remove that file to serve what is left"
        )  # fmt: skip
    names = _clear_leftovers(files, directory, names)
    bases = sorted(int(name[: -len(LOG_SUFFIX)]) for name in names if _is_segment(name))
    bases = _drop_below(opening, bases, names)
    created = not bases
    interval = opening.config.index_interval_bytes
    if created and opening.recovery_point > opening.log_start_offset:
        raise CorruptLogError(
            directory, f"there is no segment, but offsets below {opening.recovery_point} had been durable here"
        )
    segments = [
        Segment(
            files,
            directory,
            base,
            names[file_name(base, LOG_SUFFIX)],
            created_ms=opening.now_ms,
            cache=opening.cache,
            interval=interval,
        )
        for base in bases
    ]
    if created:
        segments.append(
            Segment(
                files,
                directory,
                opening.log_start_offset,
                0,
                created_ms=opening.now_ms,
                cache=opening.cache,
                interval=interval,
                create=True,
            )
        )
    for segment, following in pairwise(segments):
        segment.sealed = True
        segment.next_offset = following.base_offset
    epochs = _load_epochs(files, directory, names)
    recovery = _Recovery(opening, segments, epochs, names, created)
    return recovery.trust() if (opening.clean or created) else recovery.scan()


def _is_segment(name: str) -> bool:
    return name.endswith(LOG_SUFFIX) and name[: -len(LOG_SUFFIX)].isdigit()


def _drop_below(opening: Opening, bases: list[int], names: dict[str, int]) -> list[int]:
    """Remove segments below the log start: deleted ones that a crash brought back, perhaps not all of them."""
    dropped = 0
    while dropped + 1 < len(bases) and bases[dropped + 1] <= opening.log_start_offset:
        for suffix in (*SEGMENT_SUFFIXES, SNAPSHOT_SUFFIX):
            name = file_name(bases[dropped], suffix)
            if names.pop(name, None) is not None:
                opening.files.remove(f"{opening.directory}/{name}")
        dropped += 1
    return bases[dropped:]


def _load_epochs(files: Files, directory: str, names: dict[str, int]) -> LeaderEpochs | None:
    if leader_epochs.FILE_NAME not in names:
        return None
    try:
        return LeaderEpochs.from_bytes(files.read_all(f"{directory}/{leader_epochs.FILE_NAME}"))
    except CorruptSidecarError:
        return None


def _clear_leftovers(files: Files, directory: str, names: dict[str, int]) -> dict[str, int]:
    """Finish or undo what a crash interrupted, by Kafka's suffixes.

    .deleted, .tmp: go. .cleaned: a compaction that was not finished, goes, with the .swap files of the same step. .swap
    of a finished one: takes the place of the segments it was made from.
    """
    doomed = [name for name in names if name.endswith((DELETED_SUFFIX, TEMPORARY_SUFFIX, CLEANED_SUFFIX))]
    names = {name: size for name, size in names.items() if name not in doomed}
    doomed += _orphaned_swaps(names)
    cleaned = [int(name[:20]) for name in doomed if name.endswith(CLEANED_SUFFIX) and name[:20].isdigit()]
    swaps = [name for name in names if name.endswith(SWAP_SUFFIX) and name[:20].isdigit() and name not in doomed]
    if cleaned:
        doomed += [name for name in swaps if int(name[:20]) >= min(cleaned)]
    swaps = [name for name in swaps if name not in doomed]
    for name in swaps:
        if name.endswith(LOG_SUFFIX + SWAP_SUFFIX):
            base, end = int(name[:20]), _end_of(files, directory, name)
            doomed += [
                other for other in names
                if other.endswith(SEGMENT_SUFFIXES) and other[:20].isdigit() and base <= int(other[:20]) < max(end, base + 1)
            ]  # fmt: skip
    logs = {name[:20] for name in names if _is_segment(name)} | {name[:20] for name in swaps}
    doomed += [
        name for name in names if name.endswith(SEGMENT_SUFFIXES) and name[:20].isdigit() and name[:20] not in logs
    ]
    if not doomed and not swaps:
        return names
    for name in set(doomed):
        files.remove(f"{directory}/{name}")
    for name in swaps:
        files.rename(f"{directory}/{name}", f"{directory}/{name.removesuffix(SWAP_SUFFIX)}")
    files.sync_directory(directory)
    return files.list(directory)


def _orphaned_swaps(names: dict[str, int]) -> list[str]:
    """Indexes whose log has its own name already (or not yet): which log they describe is uncertain, so both they and
    those beside the log go, and are made anew."""
    bases = {
        name[:20] for name in names
        if name.endswith(SWAP_SUFFIX) and name[:20] + LOG_SUFFIX + SWAP_SUFFIX not in names
    }  # fmt: skip
    return [
        name for name in names
        if name[:20] in bases
        and (name.endswith(SWAP_SUFFIX) or (name.endswith(SEGMENT_SUFFIXES) and not name.endswith(LOG_SUFFIX)))
    ]  # fmt: skip


def _end_of(files: Files, directory: str, name: str) -> int:
    """One past the last offset in a log file, by its headers."""
    path = f"{directory}/{name}"
    size = files.size(path)
    file = files.open(path, size=size)
    position, end = 0, int(name[:20])
    start, data = 0, b""
    while position + HEADER_SIZE <= size:
        if position + HEADER_SIZE > start + len(data):
            start, data = position, file.pread(SCAN_BYTES, position)
        header = read_header(data, position - start)
        if header.batch_length < HEADER_SIZE - LOG_OVERHEAD:
            break
        end = header.next_offset
        position += header.size
    file.close()
    return end


class SegmentScan:
    """Every batch of a segment with its bytes, until the end or the first that is not good."""

    __slots__ = ("_epoch", "_segment", "_strict_from", "fault", "next_offset", "position")

    def __init__(self, segment: Segment, expected_offset: int, epoch: int, strict_from: int | None) -> None:
        """From `strict_from` on (None: nowhere) offsets must follow each other without a hole."""
        self._segment = segment
        self._epoch = epoch
        self._strict_from = strict_from
        self.position = 0  # end of the good batches
        self.next_offset = expected_offset
        self.fault: str | None = None  # why the batch at `position` is not one

    def __iter__(self) -> Iterator[tuple[int, BatchHeader, memoryview]]:
        segment = self._segment
        size = segment.size
        start, data = 0, b""
        while self.position < size:
            at = self.position - start
            if at + HEADER_SIZE > len(data):
                start, at = self.position, 0
                data = segment.file.pread(min(SCAN_BYTES, size - start), start)
            if len(data) - at < HEADER_SIZE:
                self.fault = f"{len(data) - at} bytes are too few for a batch header"
                return
            header = read_header(data, at)
            if header.batch_length >= HEADER_SIZE - LOG_OVERHEAD and at + header.size > len(data):
                start, at = self.position, 0
                data = segment.file.pread(min(max(SCAN_BYTES, header.size), size - start), start)
            batch = memoryview(data)[at : at + max(header.size, 0)]
            self.fault = self._fault_of(header, batch)
            if self.fault is not None:
                return
            position = self.position
            self.position += header.size
            self.next_offset = header.next_offset
            self._epoch = max(self._epoch, header.partition_leader_epoch)
            yield position, header, batch

    def _fault_of(self, header: BatchHeader, batch: memoryview) -> str | None:
        if header.magic != MAGIC:
            return f"magic {header.magic}"
        if header.batch_length < HEADER_SIZE - LOG_OVERHEAD:
            return f"batch length {header.batch_length}"
        if len(batch) < header.size:
            return f"the file ends {header.size - len(batch)} bytes before the batch does"
        if crc32c(batch, CRC_START) != header.crc:
            return "wrong CRC"
        if header.last_offset_delta < 0 or header.record_count < 0:
            return f"{header.record_count} records, last offset delta {header.last_offset_delta}"
        expected = self.next_offset
        if header.base_offset < expected:
            return f"base offset {header.base_offset} where {expected} was expected"
        if header.base_offset > expected and self._strict_from is not None and expected >= self._strict_from:
            return f"base offset {header.base_offset} where {expected} was expected"
        if not self._segment.fits_offset(header.last_offset):
            return f"offset {header.last_offset} is too far from the segment's base"
        if 0 <= header.partition_leader_epoch < self._epoch:
            return f"leader epoch {header.partition_leader_epoch} after {self._epoch}"
        return None


class _Recovery:
    """One opening at work."""

    def __init__(
        self, opening: Opening, segments: list[Segment], epochs: LeaderEpochs | None,
        names: dict[str, int], created: bool,
    ) -> None:  # fmt: skip
        self.opening = opening
        self.segments = segments
        self.names = names
        self.created = created
        self.epochs_known = epochs is not None
        self.epochs = epochs if epochs is not None else LeaderEpochs()
        self.cut: str | None = None
        self.epochs.changed = epochs is None and not created

    def trust(self) -> Loaded:
        """A clean stop: nothing is read but the end of the active segment."""
        active = self.segments[-1]
        try:
            index = active.index
            position = index.positions[-1] if len(index) else 0
            next_offset, last_indexed = active.base_offset, position
            for at, header in active.walk(position):
                next_offset, position = header.next_offset, at + header.size
        except CorruptLogError:
            return self.scan()
        if position != active.size:
            # The marker said that every byte is in place, and here is half a batch: believe the bytes, read them all.
            return self.scan()
        active.next_offset = next_offset
        active.bytes_since_index = active.size - last_indexed
        return self._finish(next_offset)

    def scan(self) -> Loaded:
        """No clean stop: read every segment that reaches above the recovery point."""
        opening, segments = self.opening, self.segments
        point = opening.recovery_point
        first = 0
        while first < len(segments) - 1 and segments[first + 1].base_offset <= point:
            first += 1
        start = segments[first].base_offset
        self._drop_snapshots_above(start)
        state = load_producer_state(
            opening.files, opening.directory, opening.name, segments, start, opening.now_ms, opening.config, self.names
        )
        if self.epochs_known:
            self.epochs.truncate_from_end(max(start, point))
        expected = start
        epoch = self.epochs.epoch_of(start - 1) if start else -1
        number = first
        while number < len(segments):
            segment = segments[number]
            fault = self._between(segment, expected, number == first)
            if fault is not None:
                self._bad(number - 1, segments[number - 1].size, expected, fault)
                break
            scan = SegmentScan(segment, segment.base_offset, epoch, self._strict_from())
            self._rebuild(segment, scan, state)
            expected = scan.next_offset
            epoch = max(epoch, self.epochs.latest)
            if scan.fault is not None:
                self._bad(number, scan.position, expected, scan.fault)
                break
            number += 1
        if self._was_durable(expected):
            self._quarantine(segments[-1], f"the log ends at offset {expected}, below the recovery point {point}")
        state.end_offset = expected
        return self._finish(expected, state)

    def _was_durable(self, offset: int) -> bool:
        """Whether ending the log at `offset` would lose records that were synced, and not deleted on purpose."""
        return max(offset, self.opening.log_start_offset) < self.opening.recovery_point

    def _strict_from(self) -> int | None:
        """From which offset on holes are faults. Compaction makes some, but only below the recovery point."""
        return None if self.opening.holes else self.opening.recovery_point

    def _between(self, segment: Segment, expected: int, is_first: bool) -> str | None:
        if is_first or segment.base_offset == expected:
            return None
        strict_from = self._strict_from()
        if segment.base_offset < expected or (strict_from is not None and expected >= strict_from):
            return f"the next segment begins at offset {segment.base_offset} where {expected} was expected"
        return None

    def _rebuild(self, segment: Segment, scan: SegmentScan, state: ProducerState) -> None:
        """Read a segment whole: indexes, timestamps, transactions, producers and epochs come out of its batches."""
        opening = self.opening
        if segment is not self.segments[0] and state.end_offset <= segment.base_offset:
            state.end_offset = segment.base_offset
            path = segment.path(SNAPSHOT_SUFFIX)
            if file_name(segment.base_offset, SNAPSHOT_SUFFIX) not in self.names:
                state.tell_time(opening.now_ms, opening.config.producer_id_expiration_ms)
                opening.files.replace(path, state.to_snapshot(), durable=False)
                self.names[file_name(segment.base_offset, SNAPSHOT_SUFFIX)] = 0
        builder = segment.start_rebuild()
        aborted = []
        for position, header, batch in scan:
            builder.add(position, header)
            entry = replay_batch(state, header, batch)
            if entry is not None:
                aborted.append(entry)
            if header.partition_leader_epoch > self.epochs.latest:
                self.epochs.assign(header.partition_leader_epoch, header.base_offset)
        builder.finish(scan.next_offset, aborted)

    def _bad(self, number: int, position: int, offset: int, fault: str) -> None:
        """Cut at `position` of a segment, or refuse where that would cut durable bytes."""
        segments = self.segments
        segment = segments[number]
        where = f"{segment.path(LOG_SUFFIX)}, position {position}, offset {offset}: {fault}"
        if self._was_durable(offset):
            self._quarantine(segment, where)
        lost = segment.size - position + sum(later.size for later in segments[number + 1 :])
        self.cut = f"{lost} bytes cut at {where}"
        for later in segments[number + 1 :]:
            later.close()
            for suffix in (*SEGMENT_SUFFIXES, SNAPSHOT_SUFFIX):
                self.opening.files.remove(later.path(suffix))
        del segments[number + 1 :]
        segment.truncate(position, offset)
        segment.file.sync()
        self.opening.files.sync_directory(self.opening.directory)

    def _quarantine(self, segment: Segment, fault: str) -> None:
        path = segment.path(LOG_SUFFIX)
        for opened in self.segments:
            opened.close()
        self.opening.files.rename(path, path + QUARANTINED_SUFFIX)
        self.opening.files.sync_directory(self.opening.directory)
        raise CorruptLogError(
            self.opening.directory,
            f"bytes that had been durable (below recovery point {self.opening.recovery_point}) are damaged: {fault}",
        )

    def _drop_snapshots_above(self, offset: int) -> None:
        for snapshot in snapshot_offsets(self.names):
            if snapshot > offset:
                name = file_name(snapshot, SNAPSHOT_SUFFIX)
                self.opening.files.remove(f"{self.opening.directory}/{name}")
                self.names.pop(name)

    def _drop_stray_snapshots(self, end_offset: int) -> int:
        """Keep those of segments and the newest, which a clean stop left; answers its offset."""
        found = snapshot_offsets(self.names)
        newest = max((offset for offset in found if offset <= end_offset), default=-1)
        bases = {segment.base_offset for segment in self.segments}
        for offset in found:
            if offset != newest and (offset not in bases or offset > end_offset):
                self.opening.files.remove(f"{self.opening.directory}/{file_name(offset, SNAPSHOT_SUFFIX)}")
        return newest

    def _finish(self, end_offset: int, state: ProducerState | None = None) -> Loaded:
        opening, segments = self.opening, self.segments
        segments[-1].sealed = False
        segments[-1].next_offset = end_offset
        log_start = max(opening.log_start_offset, segments[0].base_offset)
        if log_start > end_offset:  # the checkpoint is ahead of what survived: the records below it stay deleted
            end_offset = self._start_over(log_start)
            state = ProducerState(opening.name, log_start)
        if not self.epochs_known and not self.created:
            self._rebuild_epochs()
        # An epoch that begins at the log end is one whose leader wrote nothing yet: a clean stop knows, a crash does not.
        self.epochs.truncate_from_end(end_offset + 1 if opening.clean else end_offset)
        if log_start > segments[0].base_offset or self.epochs.epochs:
            self.epochs.truncate_from_start(log_start)
        if state is None:
            state = load_producer_state(
                opening.files, opening.directory, opening.name, segments, end_offset, opening.now_ms, opening.config,
                self.names,
            )  # fmt: skip
        state.expire(opening.now_ms, opening.config.producer_id_expiration_ms)
        snapshot = self._drop_stray_snapshots(end_offset)
        point = end_offset
        if self.created or not opening.clean:
            # What survived a crash of the process alone may still be in the page cache only: it counts as unsynced.
            point = min(opening.recovery_point, end_offset)
            for segment in segments:
                if segment.next_offset > point:
                    segment.synced_size = 0
        return Loaded(
            segments,
            self.epochs,
            state,
            log_start,
            end_offset,
            point,
            snapshot,
            self.created or not opening.clean,
            self.cut,
        )

    def _start_over(self, offset: int) -> int:
        opening = self.opening
        for segment in self.segments:
            segment.close()
            for suffix in (*SEGMENT_SUFFIXES, SNAPSHOT_SUFFIX):
                opening.files.remove(segment.path(suffix))
        self.segments[:] = [
            Segment(
                opening.files,
                opening.directory,
                offset,
                0,
                created_ms=opening.now_ms,
                cache=opening.cache,
                interval=opening.config.index_interval_bytes,
                create=True,
            )
        ]
        return offset

    def _rebuild_epochs(self) -> None:
        """The checkpoint is gone: every batch header says its epoch."""
        epochs = LeaderEpochs()
        for segment in self.segments:
            for _, header in segment.walk(0):
                if header.partition_leader_epoch > epochs.latest:
                    epochs.assign(header.partition_leader_epoch, header.base_offset)
        epochs.changed = True
        self.epochs = epochs
