"""Batches as text, in the words of java/Batches.java, so that Kafka's reading and ours can be compared."""

from __future__ import annotations

from ottla.records.batch import BatchHeader, Record, iter_headers, read_records

TIMESTAMP_TYPES = ["CreateTime", "LogAppendTime"]


def hexed(data: bytes | None) -> str:
    return "null" if data is None else f"x{data.hex()}"


def header_line(header: BatchHeader) -> str:
    return (
        f"batch base_offset={header.base_offset} last_offset={header.last_offset} magic={header.magic} "
        f"compression={header.compression.name.lower()} timestamp_type={TIMESTAMP_TYPES[header.timestamp_type]} "
        f"max_timestamp={header.max_timestamp} leader_epoch={header.partition_leader_epoch} "
        f"producer_id={header.producer_id} producer_epoch={header.producer_epoch} base_sequence={header.base_sequence} "
        f"last_sequence={header.last_sequence} count={header.record_count} "
        f"transactional={str(header.is_transactional).lower()} control={str(header.is_control).lower()}"
    )


def record_line(record: Record) -> str:
    words = [
        f"record offset={record.offset} timestamp={record.timestamp} key={hexed(record.key)} value={hexed(record.value)}"
    ]
    words += [f"{hexed(name.encode('utf-8', 'surrogateescape'))}={hexed(value)}" for name, value in record.headers]
    return " ".join(words)


def as_text(data: bytes | bytearray) -> list[str]:
    lines = []
    for pos, header in iter_headers(data):
        lines.append(header_line(header))
        lines += [record_line(record) for record in read_records(data, pos)]
    return lines
