"""Cutting from the end of a log: what a follower does where its log differs from the leader's.

The recovery point falls with the log end, and must have fallen on the medium before the bytes go: a crash in between
would otherwise find a log that is shorter than what had been durable, which is damage. The manager therefore writes the
recovery point checkpoint first (`LogManager.truncate_to`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ottla.log import retention
from ottla.log.producer_replay import load_producer_state, snapshot_offsets
from ottla.log.producer_state import ProducerState
from ottla.log.segment import SNAPSHOT_SUFFIX, Segment, file_name

if TYPE_CHECKING:
    from ottla.log.log import Log


def truncate_to(log: Log, offset: int, now_ms: int) -> None:
    log.health.check()
    if offset >= log.log_end_offset:
        return
    if offset < log.segments[0].base_offset:
        truncate_fully(log, offset, now_ms)
        return
    try:
        number = log.segment_number(offset)
        doomed = log.segments[number + 1 :]
        del log.segments[number + 1 :]
        if doomed:
            retention.delete_files(log, doomed, now_ms)
        segment = log.segments[-1]
        log.aborted_of(segment)
        position, base, size = segment.locate(offset)
        # An offset inside a batch cuts the whole batch: half a batch does not exist.
        end = min(offset, base) if size else offset
        segment.truncate(position, end)
        _drop_snapshots(log, end)
        _now_ends_at(log, end)
        log.producer_state = load_producer_state(
            log.files, log.directory, log.name, log.segments, end, now_ms, log.config
        )
    except OSError as error:
        raise log.health.fail(error) from error


def truncate_fully(log: Log, offset: int, now_ms: int) -> None:
    """Begin anew at `offset`, with nothing."""
    log.health.check()
    try:
        retention.delete_files(log, log.segments, now_ms)
        _drop_snapshots(log, -1)
        log.segments = [
            Segment(
                log.files,
                log.directory,
                offset,
                0,
                created_ms=now_ms,
                cache=log.cache,
                interval=log.config.index_interval_bytes,
                create=True,
            )
        ]
        log.leader_epochs.clear()
        log.producer_state = ProducerState(log.name, offset)
        log.log_start_offset = offset
        _now_ends_at(log, offset)
    except OSError as error:
        raise log.health.fail(error) from error


def _drop_snapshots(log: Log, above: int) -> None:
    for snapshot in snapshot_offsets(log.files.list(log.directory)):
        if snapshot > above:
            log.files.remove(f"{log.directory}/{file_name(snapshot, SNAPSHOT_SUFFIX)}")
    log.snapshot_offset = min(log.snapshot_offset, above)


def _now_ends_at(log: Log, offset: int) -> None:
    log.truncations += 1
    log.names_unsynced = True
    log.log_end_offset = offset
    log.log_start_offset = min(log.log_start_offset, offset)
    log.recovery_point = min(log.recovery_point, offset)
    log.leader_epochs.truncate_from_end(offset)
    log.segments_changed()
