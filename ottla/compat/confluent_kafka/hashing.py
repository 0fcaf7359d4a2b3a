"""`murmur2`, `consistent` and `fnv1a`: the partition of a key, as librdkafka's partitioners choose it."""

from __future__ import annotations

import zlib

from ...client.producer._append_cy import partition_of


def murmur2(key: bytes, partition_count: int) -> int:
    """Java's partition of a key."""
    _check(key, partition_count)
    return int(partition_of(key, partition_count))


def consistent(key: bytes, partition_count: int) -> int:
    """librdkafka's own: by CRC-32."""
    _check(key, partition_count)
    return zlib.crc32(key) % partition_count


def fnv1a(key: bytes, partition_count: int) -> int:
    """Sarama's: FNV-1a of 32 bits, read as a signed number without its sign."""
    _check(key, partition_count)
    found = 0x811C9DC5
    for byte in key:
        found = ((found ^ byte) * 0x01000193) & 0xFFFFFFFF
    signed = found - (1 << 32) if found >= 1 << 31 else found
    return abs(signed) % partition_count


def _check(key: object, count: int) -> None:
    if not isinstance(key, bytes | bytearray | memoryview):
        raise TypeError(f"a bytes-like object is required, not '{type(key).__name__}'")
    if count <= 0:
        raise ValueError(f"partition_count must be > 0, got {count}")
