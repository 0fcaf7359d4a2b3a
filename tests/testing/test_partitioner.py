"""Keys go where Java's producer puts them."""

from __future__ import annotations

import pytest

from ottla.testing.partitioner import murmur2, partition_of


@pytest.mark.parametrize(
    ("key", "expected"),
    # The vectors of Kafka's UtilsTest.testMurmur2, signed there.
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536),
     (b"a-little-bit-longer-string", -1486304829), (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
     (b"abc", 479470107)],
)  # fmt: skip
def test_murmur2_is_that_of_kafka(key: bytes, expected: int) -> None:
    assert murmur2(key) == expected & 0xFFFFFFFF


def test_a_partition_is_never_negative() -> None:
    assert all(0 <= partition_of(str(i).encode(), 7) < 7 for i in range(1000))
