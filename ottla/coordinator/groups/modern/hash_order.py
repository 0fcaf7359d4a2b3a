"""The order in which Java walks a HashMap, which decides between equals in Kafka's assignors.

Kafka's uniform assignor gives partitions to members in the order of its hash maps. To come to the same assignment from the
same group, that order has to be the same. A map is walked bucket by bucket, within one by age; the bucket is the low bits
of the key's hash, folded once; the table doubles when it is three quarters full. (Buckets of eight and more keys become
trees, whose order differs a little: that only breaks ties between equals.)
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TypeVar

from ...shard import java_string_hash

__all__ = [
    "by_hash",
    "by_number",
    "by_string",
    "by_topic_partition",
    "by_uuid",
    "capacity_for_copy",
    "capacity_grown_to",
    "uuid_sort_key",
]

T = TypeVar("T")

#: The table of a HashMap made without a size.
_DEFAULT_CAPACITY = 16


@lru_cache(maxsize=65_536)  # Member ids are long, and a group is walked again and again.
def _string_bucket(text: str) -> int:
    hashed = java_string_hash(text) & 0xFFFFFFFF
    return hashed ^ (hashed >> 16)


def _uuid_hash(uuid: bytes) -> int:
    high, low = struct.unpack(">QQ", uuid)
    mixed: int = high ^ low
    return (mixed >> 32) ^ (mixed & 0xFFFFFFFF)


def _uuid_bucket(uuid: bytes) -> int:
    hashed = _uuid_hash(uuid)
    return hashed ^ (hashed >> 16)


def _topic_partition_bucket(topic_partition: tuple[bytes, int]) -> int:
    topic_id, partition = topic_partition
    hashed = (31 * _uuid_hash(topic_id) + partition) & 0xFFFFFFFF
    return hashed ^ (hashed >> 16)


def _number_bucket(number: int) -> int:
    return number ^ (number >> 16)


def _walk(keys: Iterable[T], bucket: Callable[[T], int], capacity: int) -> list[T]:
    inserted = list(keys)
    size = 1
    while size < capacity:
        size *= 2
    while len(inserted) > size * 3 // 4:
        size *= 2
    return sorted(inserted, key=lambda key: bucket(key) & (size - 1))


def capacity_for_copy(count: int) -> int:
    """Return the capacity a HashSet gets that is made as a copy of a collection of this size."""
    return max(int(count / 0.75) + 1, _DEFAULT_CAPACITY)


def capacity_grown_to(count: int) -> int:
    """Return the table of a HashMap, made without a size, that has held as many keys as this."""
    size = _DEFAULT_CAPACITY
    while count > size * 3 // 4:
        size *= 2
    return size


def by_string(keys: Iterable[str], capacity: int = _DEFAULT_CAPACITY) -> list[str]:
    """Order distinct strings, given in the order of their insertion."""
    return _walk(keys, _string_bucket, capacity)


def by_hash(keys: Iterable[T], hash_of: Callable[[T], int], capacity: int = _DEFAULT_CAPACITY) -> list[T]:
    """Order distinct keys of another kind by their `hashCode`, given in the order of their insertion."""

    def bucket(key: T) -> int:
        hashed = hash_of(key) & 0xFFFFFFFF
        return hashed ^ (hashed >> 16)

    return _walk(keys, bucket, capacity)


def by_uuid(keys: Iterable[bytes], capacity: int = _DEFAULT_CAPACITY) -> list[bytes]:
    """Order distinct UUIDs, given in the order of their insertion."""
    return _walk(keys, _uuid_bucket, capacity)


def by_number(keys: Iterable[int], capacity: int = _DEFAULT_CAPACITY) -> list[int]:
    """Order distinct numbers, given in the order of their insertion."""
    return _walk(keys, _number_bucket, capacity)


def by_topic_partition(keys: Iterable[tuple[bytes, int]], capacity: int = _DEFAULT_CAPACITY) -> list[tuple[bytes, int]]:
    """Order distinct pairs of topic id and partition, given in the order of their insertion."""
    return _walk(keys, _topic_partition_bucket, capacity)


def uuid_sort_key(uuid: bytes) -> tuple[int, int]:
    """Return what Kafka compares UUIDs by: two signed halves."""
    high, low = struct.unpack(">qq", uuid)
    return high, low
