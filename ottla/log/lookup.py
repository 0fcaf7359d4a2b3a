"""Questions about a log's content: which offset a time has, which transactions were aborted in a range."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ottla.log.producer_replay import load_producer_state, replay_segment
from ottla.log.segment import Segment
from ottla.log.transaction_index import AbortedTransaction
from ottla.records.batch import read_records

if TYPE_CHECKING:
    from ottla.log.log import Log


def offset_for_timestamp(log: Log, timestamp_ms: int, max_offset: int) -> tuple[int, int, int] | None:
    """The first record at or above the log start whose timestamp is at least the asked one."""
    log.health.check()
    try:
        for segment in log.segments:
            if segment.base_offset >= max_offset:
                return None
            segment.load_timestamps()
            if segment.max_timestamp >= timestamp_ms and segment.next_offset > log.log_start_offset:
                found = _search_segment(segment, timestamp_ms, log.log_start_offset, max_offset)
                if found is not None:
                    return found
    except OSError as error:
        raise log.health.fail(error) from error
    return None


def _search_segment(
    segment: Segment, timestamp_ms: int, min_offset: int, max_offset: int
) -> tuple[int, int, int] | None:
    start_offset = max(min_offset, segment.base_offset + segment.time_index.offset_before(timestamp_ms))
    position = segment.locate(start_offset)[0]
    for at, header in segment.walk(position):
        if header.base_offset >= max_offset:
            return None
        if header.max_timestamp >= timestamp_ms:
            for record in read_records(segment.file.pread(header.size, at)):
                if record.timestamp >= timestamp_ms and record.offset >= min_offset:
                    if record.offset >= max_offset:
                        return None
                    return record.timestamp, record.offset, header.partition_leader_epoch
    return None


def max_timestamp_offset(log: Log, max_offset: int) -> tuple[int, int, int] | None:
    """The first record with the greatest timestamp of the log: of all that its segments hold.

    As with Kafka a record that DeleteRecords hid counts until its segment is deleted.
    """
    log.health.check()
    try:
        best: Segment | None = None
        for segment in log.segments:
            segment.load_timestamps()
            if segment.max_timestamp >= 0 and (best is None or segment.max_timestamp > best.max_timestamp):
                best = segment
        if best is None:
            return None
        return _search_segment(best, best.max_timestamp, best.base_offset, max_offset)
    except OSError as error:
        raise log.health.fail(error) from error


def aborted_transactions(log: Log, start_offset: int, end_offset: int) -> list[tuple[int, int]]:
    """Aborted transactions that have data in start..end, ascending by first offset (consumers rely on the order)."""
    found: list[AbortedTransaction] = []
    for number in range(log.segment_number(start_offset), len(log.segments)):
        complete = False
        for entry in log.aborted_of(log.segments[number]):
            if entry.last_offset >= start_offset and entry.first_offset < end_offset:
                found.append(entry)
            complete = complete or entry.last_stable_offset >= end_offset
        if complete:
            break
    return sorted(((entry.producer_id, entry.first_offset) for entry in found), key=lambda pair: pair[1])


def rebuild_aborted(log: Log, segment: Segment) -> list[AbortedTransaction]:
    """Make a lost transaction index anew: replay the segment's markers onto the state before it."""
    state = load_producer_state(log.files, log.directory, log.name, log.segments, segment.base_offset, -1, log.config)
    entries = replay_segment(state, segment, segment.next_offset)
    segment.set_aborted(entries)
    return entries
