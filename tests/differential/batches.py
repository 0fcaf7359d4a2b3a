"""Record batches made by hand, so that they can also be made wrong."""

from __future__ import annotations

import gzip
import struct

import google_crc32c

NOW_MS = 1_700_000_000_000
GZIP, LOG_APPEND_TIME, TRANSACTIONAL, CONTROL = 1, 8, 16, 32


def varint(value: int) -> bytes:
    number = (value << 1) ^ (value >> 63)
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def record(index: int, value: bytes | None, key: bytes | None = None, *, offset_delta: int | None = None) -> bytes:
    delta = index if offset_delta is None else offset_delta
    body = b"\x00" + varint(0) + varint(delta)
    for part in (key, value):
        body += varint(-1) if part is None else varint(len(part)) + part
    body += varint(0)
    return varint(len(body)) + body


def batch(
    *values: bytes,
    records: bytes | None = None,
    count: int | None = None,
    last_delta: int | None = None,
    attributes: int = 0,
    magic: int = 2,
    timestamp: int = NOW_MS,
    producer: tuple[int, int, int] = (-1, -1, -1),
    crc_off_by: int = 0,
    length_off_by: int = 0,
    base_offset: int = 0,
    key: bytes | None = None,
) -> bytes:
    """A batch of `values`; each other argument replaces what would be right."""
    payload = b"".join(record(i, value, key) for i, value in enumerate(values)) if records is None else records
    if attributes & 7 == GZIP:
        payload = gzip.compress(payload, mtime=0)
    held = len(values) if count is None else count
    delta = held - 1 if last_delta is None else last_delta
    tail = struct.pack(">hiqqqhii", attributes, delta, timestamp, timestamp, *producer, held) + payload
    crc = (google_crc32c.value(tail) + crc_off_by) & 0xFFFFFFFF
    middle = struct.pack(">ibI", 0, magic, crc)
    length = len(middle) + len(tail) + length_off_by
    return struct.pack(">qi", base_offset, length) + middle + tail
