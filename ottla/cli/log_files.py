"""What the files of a data folder say, as rows: one dictionary a line, `kind` first, plain values only.

`rows(path)` chooses the reader by the file's name, as Kafka names them. The readers are those the broker itself starts
with, so what is readable here is readable there; what is not comes as a row of kind `fault`. Nothing is ever changed.

    00000000000000000000.log       batch, record          00000000000000000000.snapshot   producer
    …-0000000001.checkpoint        batch, record          leader-epoch-checkpoint         epoch
    00000000000000000000.index     entry                  *-offset-checkpoint             offset
    00000000000000000000.timeindex entry                  partition.metadata              topic_id
    00000000000000000000.txnindex  aborted                meta.properties                 property
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..log import checkpoints, leader_epochs, transaction_index
from ..log.errors import CorruptSidecarError
from ..log.index import OFFSET_ENTRY_SIZE, TIME_ENTRY_SIZE, OffsetIndex, TimeIndex
from ..log.producer_state import ProducerState
from ..protocol.errors import KafkaError, RemoteProtocolError
from ..protocol.schema import Field, Primitive, Struct
from ..records import batch
from ..records.header import HEADER_SIZE, BatchHeader

Row = dict[str, Any]
#: Log size that no position in an index exceeds, for an index without its log beside it.
_NO_LOG = 1 << 62


def rows(path: Path, *, records: bool) -> Iterator[Row]:
    """What the file says; `records` adds the records of each batch. ValueError for a file that is none of these."""
    reader = _reader(path.name)
    if reader is None:
        raise ValueError(f"{path.name} is no name that Kafka gives to a file of a data folder")
    try:
        yield from reader(path, records)
    except CorruptSidecarError as fault:
        yield {"kind": "fault", "fault": str(fault)}


def _reader(name: str) -> Callable[[Path, bool], Iterator[Row]] | None:
    by_suffix = {".log": _batches, ".checkpoint": _batches, ".index": _offset_index, ".timeindex": _time_index,
                 ".txnindex": _transaction_index, ".snapshot": _producers, ".properties": _properties}  # fmt: skip
    by_name = {leader_epochs.FILE_NAME: _epochs, checkpoints.PARTITION_METADATA_FILE: _partition_metadata}
    if name.endswith("-offset-checkpoint"):
        return _offsets
    # A segment on its way out is called .log.deleted, one in the making .log.cleaned or .log.swap.
    plain = name
    for passing in (".deleted", ".cleaned", ".swap", ".tmp"):
        plain = plain.removesuffix(passing)
    return by_name.get(name) or by_suffix.get(Path(plain).suffix)


# ── batches ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _batches(path: Path, records: bool) -> Iterator[Row]:
    if path.stat().st_size == 0:
        return
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        memoryview(data) as view,
    ):
        pos, expected = 0, -1
        decode = _decoder(path)
        try:
            for pos, header in batch.iter_headers(view):
                row = _batch(view, pos, header)
                if header.base_offset < expected:
                    row["fault"] = f"offset {header.base_offset} after {expected - 1}"
                yield row
                expected = header.next_offset
                if records and "fault" not in row:
                    yield from _records(view, pos, header, decode)
                pos += header.size
        except KafkaError as fault:
            yield {"kind": "fault", "position": pos, "fault": fault.message}
            return
        left = len(view) - pos
        if left:
            zeros = "zero bytes" if not any(view[pos : pos + HEADER_SIZE]) else "bytes of a batch that is cut off"
            yield {"kind": "fault", "position": pos, "fault": f"{left} {zeros} at the end"}


def _batch(view: memoryview, pos: int, header: BatchHeader) -> Row:
    row: Row = {
        "kind": "batch", "position": pos, "base_offset": header.base_offset, "last_offset": header.last_offset,
        "count": header.record_count, "size": header.size, "leader_epoch": header.partition_leader_epoch,
        "magic": header.magic, "crc": header.crc, "attributes": header.attributes,
        "base_timestamp": header.base_timestamp, "max_timestamp": header.max_timestamp,
        "producer_id": header.producer_id, "producer_epoch": header.producer_epoch, "base_sequence": header.base_sequence,
        "transactional": header.is_transactional, "control": header.is_control,
    }  # fmt: skip
    try:
        row["compression"] = header.compression.name.lower()
        row["timestamp_type"] = header.timestamp_type.name
        batch.check_batch(view, pos, header, produced=False)
    except (KafkaError, ValueError) as fault:
        row["fault"] = getattr(fault, "message", None) or str(fault)
    return row


def _records(view: memoryview, pos: int, header: BatchHeader, decode: Callable[[Row, bool], None]) -> Iterator[Row]:
    for record in batch.read_records(view, pos):
        row: Row = {
            "kind": "record", "offset": record.offset, "timestamp": record.timestamp, "key": record.key,
            "value": record.value, "headers": [list(pair) for pair in record.headers],
        }  # fmt: skip
        decode(row, header.is_control)
        yield row


def _decoder(path: Path) -> Callable[[Row, bool], None]:
    """How the records of this log read: those of internal topics by Kafka's schemas, control records by theirs."""
    topic = path.absolute().parent.name.rpartition("-")[0]
    if topic == "__cluster_metadata" or path.name.endswith(".checkpoint"):
        return _decode_metadata
    if topic == "__consumer_offsets":
        return _decode_consumer_offsets
    return _decode_plain


def _decode_plain(row: Row, control: bool) -> None:
    key = row["key"]
    if control and key is not None and len(key) >= 4:
        kind = int.from_bytes(key[2:4], "big")
        row["decoded"] = {0: "ABORT", 1: "COMMIT", 2: "LEADER_CHANGE"}.get(kind, f"control record of type {kind}")


def _decode_metadata(row: Row, control: bool) -> None:
    from ..protocol.stored import metadata_frame

    if control or row["value"] is None:
        _decode_plain(row, control)
        return
    try:
        row["decoded"] = _plain(metadata_frame.read(row["value"])[0])
    except RemoteProtocolError as fault:
        row["fault"] = str(fault)


def _decode_consumer_offsets(row: Row, control: bool) -> None:
    from ..protocol.stored.consumer_offsets import RECORDS

    if control or row["key"] is None:
        _decode_plain(row, control)
        return
    try:
        key, value = RECORDS.decode(row["key"], row["value"])
    except RemoteProtocolError as fault:
        row["fault"] = str(fault)
        return
    row["decoded"] = {"key": _plain(key), "value": None if value is None else _plain(value)}


def _plain(message: Struct) -> Row:
    """A message as a dictionary, its name first."""
    plain: Row = {"message": type(message).__name__}
    for field in message.FIELDS:
        value = getattr(message, field.name)
        plain[field.name] = [_value(field, item) for item in value] if isinstance(value, list) else _value(field, value)
    return plain


def _value(field: Field, value: Any) -> Any:
    if isinstance(value, Struct):
        return _plain(value)
    if isinstance(field.type, Primitive) and field.type.name == "uuid" and value is not None:
        return checkpoints.format_uuid(value)
    return value


# ── indexes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _offset_index(path: Path, _: bool) -> Iterator[Row]:
    data, spare = _without_spare(path.read_bytes(), OFFSET_ENTRY_SIZE)
    base = _base_offset(path)
    log = path.with_suffix(".log")
    index = OffsetIndex.from_bytes(data, log.stat().st_size if log.exists() else _NO_LOG)
    for relative, position in zip(index.offsets, index.positions, strict=True):
        row: Row = {"kind": "entry", "offset": base + relative, "position": position}
        if log.exists():
            header = _header_at(log, position)
            if header is None or header.last_offset < base + relative or header.base_offset > base + relative:
                row["fault"] = "no batch with this offset begins there"
        yield row
    if spare:
        yield {"kind": "note", "note": f"{spare} bytes allocated and not used"}


def _time_index(path: Path, _: bool) -> Iterator[Row]:
    data, spare = _without_spare(path.read_bytes(), TIME_ENTRY_SIZE)
    index = TimeIndex.from_bytes(data)
    for timestamp, relative in zip(index.timestamps, index.offsets, strict=True):
        yield {"kind": "entry", "timestamp": timestamp, "offset": _base_offset(path) + relative}
    if spare:
        yield {"kind": "note", "note": f"{spare} bytes allocated and not used"}


def _transaction_index(path: Path, _: bool) -> Iterator[Row]:
    for entry in transaction_index.decode(path.read_bytes(), _base_offset(path)):
        yield {"kind": "aborted", **entry._asdict()}


def _base_offset(path: Path) -> int:
    name = path.name.partition(".")[0]
    if not name.isdecimal():
        raise CorruptSidecarError(f"{path.name} does not begin with the base offset of its segment")
    return int(name)


def _without_spare(data: bytes, entry_size: int) -> tuple[bytes, int]:
    """Kafka allocates the index of an active segment in full; what is not used yet is zero."""
    used = len(data.rstrip(b"\0"))
    used += -used % entry_size
    return data[:used], max(0, len(data) - used)


def _header_at(log: Path, position: int) -> BatchHeader | None:
    with log.open("rb") as file:
        file.seek(position)
        data = file.read(HEADER_SIZE)
    return batch.read_header(data) if len(data) == HEADER_SIZE else None


# ── the small ones ──────────────────────────────────────────────────────────────────────────────────────────────────


def _producers(path: Path, _: bool) -> Iterator[Row]:
    state = ProducerState.from_snapshot(path.read_bytes(), path.name, _base_offset(path))
    for entry in state.producers.values():
        yield {
            "kind": "producer", "producer_id": entry.producer_id, "producer_epoch": entry.epoch,
            "last_sequence": entry.last_sequence, "last_offset": entry.last_offset, "last_timestamp": entry.last_timestamp,
            "coordinator_epoch": entry.coordinator_epoch, "current_txn_first_offset": entry.current_txn_first_offset,
        }  # fmt: skip


def _epochs(path: Path, _: bool) -> Iterator[Row]:
    for epoch, start_offset in leader_epochs.LeaderEpochs.from_bytes(path.read_bytes()).entries():
        yield {"kind": "epoch", "leader_epoch": epoch, "start_offset": start_offset}


def _offsets(path: Path, _: bool) -> Iterator[Row]:
    for (topic, partition), offset in checkpoints.parse_offsets(path.read_bytes()).items():
        yield {"kind": "offset", "topic": topic, "partition": partition, "offset": offset}


def _partition_metadata(path: Path, _: bool) -> Iterator[Row]:
    yield {
        "kind": "topic_id",
        "topic_id": checkpoints.format_uuid(checkpoints.parse_partition_metadata(path.read_bytes())),
    }


def _properties(path: Path, _: bool) -> Iterator[Row]:
    for key, value in checkpoints.parse_properties(path.read_bytes()).items():
        yield {"kind": "property", "key": key, "value": value}
