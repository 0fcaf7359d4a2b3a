"""What to clean: which log is dirtiest, which part of it may be cleaned now, which of its segments become one.

    log start     first dirty offset                first uncleanable       log end
        │   clean        │             dirty               │                  │
        ├───────┬────────┼──────────┬────────────┬─────────┼──────────────────┤
                                                           └ the earliest of: active segment, last stable offset,
                                                             first segment younger than min.compaction.lag.ms

    dirty ratio = bytes dirty / (bytes clean + bytes dirty)

A log is cleaned when its ratio exceeds min.cleanable.dirty.ratio, or when a record of the dirty part is older than
max.compaction.lag.ms; of several the one with the greatest ratio. The first dirty offset is what the checkpoint says,
unless that lies outside the log. (Kafka's LogCleanerManager and Cleaner.groupSegmentsBySize.)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ottla.log.cleaner.clean import LastBatch
from ottla.log.cleaner.source import SourceSegment
from ottla.log.index import RELATIVE_OFFSET_MAX
from ottla.log.log import Log
from ottla.log.segment import INDEX_SUFFIX, LOG_SUFFIX, TIME_INDEX_SUFFIX, Segment, file_name
from ottla.log.transaction_index import AbortedTransaction


class DirtyLog(NamedTuple):
    """A log, and what of it is dirty."""

    log: Log
    first_dirty_offset: int
    first_uncleanable_offset: int
    clean_bytes: int
    dirty_bytes: int
    overdue_ms: int  # by how much max.compaction.lag.ms is exceeded, 0 if not
    checkpoint_is_wrong: bool

    @property
    def ratio(self) -> float:
        total = self.clean_bytes + self.dirty_bytes
        return self.dirty_bytes / total if total else 0.0

    @property
    def due(self) -> bool:
        if self.dirty_bytes == 0:
            return False
        return self.overdue_ms > 0 or self.ratio > self.log.config.min_cleanable_dirty_ratio


def newest_of(segment: Segment, log: Log) -> int:
    """A segment's greatest timestamp; its file's time where no record has one."""
    segment.load_timestamps()
    return segment.max_timestamp if segment.max_timestamp >= 0 else log.files.modified_ms(segment.file.path)


def look_at(log: Log, checkpoint: int | None, high_watermark: int, now_ms: int) -> DirtyLog:
    """What of a compacted log is dirty, and how urgent that is."""
    first_dirty = log.log_start_offset if checkpoint is None else checkpoint
    wrong = not log.log_start_offset <= first_dirty <= log.log_end_offset
    if wrong:
        first_dirty = log.log_start_offset
    sealed = log.segments[:-1]
    uncleanable = min(log.stable_offset(high_watermark), log.active.base_offset)
    dirty = [segment for segment in sealed if segment.next_offset > first_dirty]
    lag = log.config.min_compaction_lag_ms
    if lag > 0:
        for segment in dirty:
            if newest_of(segment, log) > now_ms - lag:
                uncleanable = min(uncleanable, segment.base_offset)
                break
    # Whole segments only: the one that holds the first uncleanable offset is left out.
    end = max(
        (segment.next_offset for segment in sealed if segment.next_offset <= uncleanable),
        default=log.segments[0].base_offset,
    )
    end = max(end, first_dirty)
    return DirtyLog(
        log,
        first_dirty,
        end,
        sum(segment.size for segment in sealed if segment.next_offset <= first_dirty),
        sum(segment.size for segment in dirty if segment.next_offset <= end),
        _overdue_ms(log, dirty, now_ms),
        wrong,
    )


def _overdue_ms(log: Log, dirty: list[Segment], now_ms: int) -> int:
    lag = log.config.max_compaction_lag_ms
    if lag >= now_ms:
        return 0
    firsts = [first for segment in dirty if (first := segment.load_first_timestamp()) > 0]
    return max(0, now_ms - lag - min(firsts)) if firsts else 0


def dirtiest(found: Iterable[DirtyLog]) -> DirtyLog | None:
    """Which log to clean next."""
    return max((dirty for dirty in found if dirty.due), key=lambda dirty: dirty.ratio, default=None)


def sources_of(log: Log, end_offset: int) -> list[tuple[Segment, SourceSegment]]:
    """The sealed segments below an offset, as a worker reads them."""
    return [
        (
            segment,
            SourceSegment(
                segment.base_offset, segment.next_offset, segment.path(LOG_SUFFIX), segment.size,
                log.files.modified_ms(segment.path(LOG_SUFFIX)),
            ),
        )
        for segment in log.segments[:-1]
        if segment.next_offset <= end_offset
    ]  # fmt: skip


def aborted_in(log: Log, start_offset: int) -> list[AbortedTransaction]:
    """The aborted transactions whose markers lie at or above an offset."""
    return [
        entry
        for segment in log.segments
        if segment.next_offset > start_offset or segment is log.active
        for entry in log.aborted_of(segment)
        if entry.last_offset >= start_offset
    ]


def last_batches(log: Log) -> dict[int, LastBatch]:
    """Of each producer that may still write: its last batch, which must not vanish."""
    return {
        producer_id: LastBatch(entry.last_offset, entry.epoch)
        for producer_id, entry in log.producer_state.producers.items()
    }


def group(log: Log, segments: list[tuple[Segment, SourceSegment]]) -> list[list[tuple[Segment, SourceSegment]]]:
    """Neighbours that fit into one segment: by size, by the size of their indexes, by the reach of relative offsets."""
    groups: list[list[tuple[Segment, SourceSegment]]] = []
    size = entries = time_entries = 0
    names = log.files.list(log.directory)
    for segment, source in segments:
        index = names.get(file_name(segment.base_offset, INDEX_SUFFIX), 0)
        time_index = names.get(file_name(segment.base_offset, TIME_INDEX_SUFFIX), 0)
        fits = (
            bool(groups)
            and size + source.size <= log.config.segment_bytes
            and entries + index <= log.config.segment_index_bytes
            and time_entries + time_index <= log.config.segment_index_bytes
            and source.next_offset - 1 - groups[-1][0][1].base_offset <= RELATIVE_OFFSET_MAX
        )
        if fits:
            groups[-1].append((segment, source))
            size, entries, time_entries = size + source.size, entries + index, time_entries + time_index
        else:
            groups.append([(segment, source)])
            size, entries, time_entries = source.size, index, time_index
    return groups
