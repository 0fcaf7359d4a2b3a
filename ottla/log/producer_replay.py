"""Producer state from a snapshot and the batches after it."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from ottla.log.config import LogConfig
from ottla.log.errors import CorruptSidecarError
from ottla.log.files import Buffer, Files
from ottla.log.producer_state import ProducerState
from ottla.log.segment import SNAPSHOT_SUFFIX, Segment, file_name
from ottla.log.transaction_index import AbortedTransaction
from ottla.records.batch import read_records
from ottla.records.header import BatchHeader

MARKER_KEY = struct.Struct(">hh")  # version, type
MARKER_VALUE = struct.Struct(">hi")  # version, coordinator epoch
ABORT = 0
COMMIT = 1


def marker_of(batch: Buffer) -> tuple[bool, int, int] | None:
    """(commit, coordinator epoch, timestamp) of an end-transaction marker, None for other control batches."""
    records = read_records(batch)
    if not records:  # compaction may leave the batch and drop its record
        return None
    key, value = records[0].key, records[0].value
    if key is None or len(key) < MARKER_KEY.size or value is None or len(value) < MARKER_VALUE.size:
        return None
    kind = MARKER_KEY.unpack_from(key)[1]
    if kind not in (ABORT, COMMIT):
        return None
    return kind == COMMIT, MARKER_VALUE.unpack_from(value)[1], records[0].timestamp


def replay_batch(state: ProducerState, header: BatchHeader, batch: Buffer) -> AbortedTransaction | None:
    """Account for a batch of the log; answers the transaction it aborted."""
    entry = None
    if header.producer_id >= 0:
        if not header.is_control:
            state.record_data(header, header.base_offset, header.max_timestamp)
        else:
            marker = marker_of(batch)
            if marker is not None:
                entry = state.record_marker(header, header.base_offset, *marker)
    state.end_offset = header.next_offset
    return entry


def replay_segment(state: ProducerState, segment: Segment, end_offset: int) -> list[AbortedTransaction]:
    """Account for the batches of a segment from the state's end up to `end_offset`, by their headers."""
    aborted = []
    if state.end_offset < end_offset:
        position = segment.locate(state.end_offset)[0] if state.end_offset > segment.base_offset else 0
        for at, header in segment.walk(position):
            if header.base_offset >= end_offset:
                break
            batch = segment.file.pread(header.size, at) if header.producer_id >= 0 and header.is_control else b""
            entry = replay_batch(state, header, batch)
            if entry is not None:
                aborted.append(entry)
    return aborted


def snapshot_offsets(names: Iterable[str]) -> list[int]:
    return sorted(
        int(name[: -len(SNAPSHOT_SUFFIX)])
        for name in names
        if name.endswith(SNAPSHOT_SUFFIX) and name[: -len(SNAPSHOT_SUFFIX)].isdigit()
    )


def load_producer_state(
    files: Files, directory: str, name: str, segments: list[Segment], offset: int, now_ms: int, config: LogConfig,
    names: dict[str, int] | None = None,
) -> ProducerState:  # fmt: skip
    """The state that describes everything below `offset`: newest good snapshot, then the batches after it.

    Damaged snapshots are removed, from `names` (the folder's listing, if the caller has one) too.
    """
    names = files.list(directory) if names is None else names
    state = None
    for snapshot in reversed(snapshot_offsets(names)):
        if snapshot > offset:
            continue
        path = f"{directory}/{file_name(snapshot, SNAPSHOT_SUFFIX)}"
        try:
            state = ProducerState.from_snapshot(files.read_all(path), name, snapshot)
            break
        except CorruptSidecarError:
            files.remove(path)
            del names[file_name(snapshot, SNAPSHOT_SUFFIX)]
    if state is None:
        state = ProducerState(name, segments[0].base_offset)
    for number, segment in enumerate(segments):
        end = segments[number + 1].base_offset if number + 1 < len(segments) else offset
        if state.end_offset < min(end, offset):
            replay_segment(state, segment, min(end, offset))
            state.end_offset = max(state.end_offset, min(end, offset))
    state.end_offset = offset
    state.expire(now_ms, config.producer_id_expiration_ms)
    return state
