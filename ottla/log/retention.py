"""Deleting from the front of a log: by age, by size, by the log start.

Only whole segments go, from the oldest on, and only below the high watermark. A segment goes when
  - age: now - its greatest timestamp > retention.ms (its file's time where no record has a timestamp),
  - size: the log without it would still have retention.bytes,
  - log start: every record in it lies below the log start offset.
The log start rises first and is written to its checkpoint before any file goes: file systems may lose any subset of
renames, and segments that come back after a crash then lie below the log start, where opening drops them.

If the active segment goes too, a new, empty one takes its place first, so offsets go on. Age and size are asked only
where cleanup.policy has `delete`.

Deleting is renaming to `.deleted`, at once; the files go when `file.delete.delay.ms` is over, because a reader may still
hold one. A start after a crash removes what is left of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ottla.log.segment import SEGMENT_SUFFIXES, SNAPSHOT_SUFFIX, Segment
from ottla.protocol.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from ottla.log.log import Log

DELETED_SUFFIX = ".deleted"


def paths_of(segment: Segment) -> list[str]:
    return [segment.path(suffix) for suffix in (*SEGMENT_SUFFIXES, SNAPSHOT_SUFFIX)]


def delete_records_before(log: Log, offset: int, high_watermark: int) -> int:
    """Raise the log start to `offset` (-1: the high watermark). The segments go with the next retention pass."""
    log.health.check()
    if offset == -1:
        offset = high_watermark
    if offset < 0 or offset > high_watermark:
        raise KafkaError(
            ErrorCode.OFFSET_OUT_OF_RANGE,
            f"Cannot increment the log start offset to {offset} of partition {log.name} since it is larger than the high "
            f"watermark {high_watermark}",
        )
    raise_log_start(log, offset)
    return log.log_start_offset


def raise_log_start(log: Log, offset: int) -> None:
    if offset > log.log_start_offset:
        log.log_start_offset = offset
        log.leader_epochs.truncate_from_start(offset)


def plan_retention(log: Log, now_ms: int, high_watermark: int) -> int:
    """Raise the log start above the segments that shall go; how many go with `delete_below_log_start`."""
    log.health.check()
    segments = log.segments
    doomed = 0
    while doomed < len(segments) - 1 and segments[doomed].next_offset <= min(log.log_start_offset, high_watermark):
        doomed += 1
    try:
        if log.config.deletes:
            doomed = _too_much(log, doomed, high_watermark)
            while (
                doomed < len(segments)
                and _deletable(segments[doomed], high_watermark)
                and _too_old(log, segments[doomed], now_ms)
            ):
                doomed += 1
        if doomed == len(segments):
            log.roll(now_ms)
    except OSError as error:
        raise log.health.fail(error) from error
    if doomed:
        raise_log_start(log, segments[doomed - 1].next_offset)
    return doomed


def _deletable(segment: Segment, high_watermark: int) -> bool:
    # An empty active segment stays; a sealed one that compaction emptied goes like any other.
    return segment.next_offset <= high_watermark and (segment.size > 0 or segment.sealed)


def _too_much(log: Log, doomed: int, high_watermark: int) -> int:
    """How many segments from the front the size limit does not keep; `doomed` go already."""
    limit = log.config.retention_bytes
    if limit < 0:
        return doomed
    spare = log.size - sum([segment.size for segment in log.segments[:doomed]]) - limit
    while doomed < len(log.segments):
        segment = log.segments[doomed]
        if not _deletable(segment, high_watermark) or spare < segment.size:
            break
        spare -= segment.size
        doomed += 1
    return doomed


def _too_old(log: Log, segment: Segment, now_ms: int) -> bool:
    limit = log.config.retention_ms
    if limit < 0:
        return False
    segment.load_timestamps()
    newest = segment.max_timestamp
    if newest < 0:
        newest = log.files.modified_ms(segment.file.path)
    return now_ms - newest > limit


def delete_below_log_start(log: Log, now_ms: int) -> int:
    """Delete the segments that lie below the log start as a whole; how many."""
    log.health.check()
    count = 0
    while count < len(log.segments) - 1 and log.segments[count].next_offset <= log.log_start_offset:
        count += 1
    try:
        if count:
            doomed = log.segments[:count]
            del log.segments[:count]
            delete_files(log, doomed, now_ms)
            log.segments_changed()
    except OSError as error:
        raise log.health.fail(error) from error
    return count


def apply_retention(log: Log, now_ms: int, high_watermark: int) -> int:
    """Plan and delete at once; the manager writes the log start checkpoint in between."""
    purge_deleted(log, now_ms)
    deleted = delete_below_log_start(log, now_ms) if plan_retention(log, now_ms, high_watermark) else 0
    log.producer_state.first_unstable_offset(high_watermark)  # forgets what is stable now
    log.producer_state.expire(now_ms, log.config.producer_id_expiration_ms)
    return deleted


def delete_files(log: Log, segments: list[Segment], now_ms: int, keep_snapshot_of: int = -1) -> None:
    """Rename the files of segments that the log has no more; the snapshot at one offset may stay."""
    renamed = []
    names = log.files.list(log.directory)
    for segment in segments:
        segment.close()
        for path in paths_of(segment):
            if segment.base_offset == keep_snapshot_of and path.endswith(SNAPSHOT_SUFFIX):
                continue
            if path.rpartition("/")[2] in names:
                log.files.rename(path, path + DELETED_SUFFIX)
                renamed.append(path + DELETED_SUFFIX)
    log.names_unsynced = True
    log.deleted.append((now_ms + log.config.file_delete_delay_ms, renamed))


def take_purgeable(log: Log, now_ms: int) -> list[str]:
    """The files whose delay is over; they are the caller's now."""
    paths: list[str] = []
    while log.deleted and log.deleted[0][0] <= now_ms:
        paths += log.deleted.pop(0)[1]
    return paths


def purge_deleted(log: Log, now_ms: int) -> None:
    try:
        for path in take_purgeable(log, now_ms):
            log.files.remove(path)
    except OSError as error:
        raise log.health.fail(error) from error
