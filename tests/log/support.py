"""What the tests of the log share: batches in one line, and a log's content as plain values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from ottla.log.config import LogConfig
from ottla.log.files import Files, MemoryFiles
from ottla.log.log import Log
from ottla.records.batch import build_batch, iter_headers, read_records
from ottla.records.header import Record

FOLDER = "/data/orders-0"
NOW = 1_700_000_000_000


class Entry(NamedTuple):
    """One record as a reader sees it."""

    offset: int
    timestamp: int
    value: bytes | None


def batch(*values: bytes | str, timestamp: int = NOW, key: bytes | None = b"k", **options: Any) -> bytearray:
    """A producer's batch of these values."""
    records = [Record(0, timestamp, key, value.encode() if isinstance(value, str) else value) for value in values]
    return build_batch(records, **options)


def open_log(files: Files | None = None, folder: str = FOLDER, *, now_ms: int = NOW, **options: Any) -> Log:
    """A log in memory; options that LogConfig knows go there, others to Log.open."""
    files = MemoryFiles() if files is None else files
    names = LogConfig.__dataclass_fields__
    config = replace(LogConfig(), **{name: value for name, value in options.items() if name in names})
    rest = {name: value for name, value in options.items() if name not in names}
    return Log.open(files, folder, config, now_ms=now_ms, **rest)


def reopen(log: Log, *, clean: bool = False, now_ms: int = NOW, **options: Any) -> Log:
    """Open the same folder again, after a crash unless `clean`."""
    options.setdefault("recovery_point", log.recovery_point)
    options.setdefault("log_start_offset", log.log_start_offset)
    return Log.open(log.files, log.directory, log.config, now_ms=now_ms, clean=clean, **options)


def content(log: Log, start: int | None = None, max_bytes: int = 1 << 20) -> list[Entry]:
    """Every record a consumer finds, read as one does: fetch after fetch."""
    entries: list[Entry] = []
    offset = log.log_start_offset if start is None else start
    while offset < log.log_end_offset:
        data = log.read(offset, max_bytes)
        assert len(data) > 0, f"nothing at offset {offset} below the log end {log.log_end_offset}"
        for position, header in iter_headers(data):
            records = read_records(data, position)
            entries += [
                Entry(record.offset, record.timestamp, record.value) for record in records if record.offset >= offset
            ]
            following = header.next_offset
        offset = following
    return entries


def values(log: Log) -> list[bytes | None]:
    return [entry.value for entry in content(log)]


def fill(log: Log, count: int, size: int = 100, start: int = 0) -> None:
    """Append `count` one-record batches; their timestamps rise by one."""
    for number in range(start, start + count):
        log.append_as_leader(batch(b"%d" % number + b"." * size, timestamp=NOW + number), 0, NOW)


def state_of(log: Log, with_content: bool = True) -> dict[str, Any]:
    """Everything a recovery must bring back: what the log holds and what it knows about it."""
    return {
        "content": content(log) if with_content else None,
        "offsets": (log.log_start_offset, log.log_end_offset),
        "bases": [segment.base_offset for segment in log.segments],
        "sizes": [segment.size for segment in log.segments],
        "epochs": log.leader_epochs.entries(),
        "producers": sorted(
            (entry.producer_id, entry.epoch, entry.last_sequence, entry.last_offset, entry.last_timestamp,
             entry.coordinator_epoch, entry.current_txn_first_offset)
            for entry in log.producer_state.producers.values()
        ),
        "ongoing": sorted(log.producer_state.ongoing.items()),
        "aborted": [log.aborted_of(segment) for segment in log.segments],
        "indexes": [(list(segment.index.offsets), list(segment.index.positions)) for segment in log.segments],
        "time indexes": [(list(segment.time_index.timestamps), list(segment.time_index.offsets)) for segment in log.segments],
        "newest": log.max_timestamp_offset(),
    }  # fmt: skip
