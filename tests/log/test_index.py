"""The two sparse indexes: Kafka's bytes, and answers that a linear search gives too."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.log.errors import CorruptSidecarError
from ottla.log.index import OffsetIndex, TimeIndex
from ottla.log.transaction_index import AbortedTransaction, decode, encode

ASCENDING = st.lists(st.integers(0, (1 << 31) - 1), unique=True, max_size=30).map(sorted)


@given(ASCENDING, st.data())
def test_an_offset_index_finds_what_a_linear_search_finds(offsets: list[int], data: st.DataObject) -> None:
    positions = sorted(
        data.draw(st.lists(st.integers(0, 1 << 31), unique=True, min_size=len(offsets), max_size=len(offsets)))
    )
    index = OffsetIndex()
    for offset, position in zip(offsets, positions, strict=True):
        index.append(offset, position)
    raw = index.to_bytes()
    assert raw == b"".join(struct.pack(">II", *entry) for entry in zip(offsets, positions, strict=True))
    index = OffsetIndex.from_bytes(raw, 1 << 32)
    target = data.draw(st.integers(0, 1 << 31))
    assert index.position_for(target) == max(
        [p for o, p in zip(offsets, positions, strict=True) if o <= target], default=0
    )
    assert index.boundary_before(target) == max([p for p in positions if p <= target], default=0)
    index.truncate(target)
    assert list(index.offsets) == [o for o in offsets if o < target]
    assert len(index.positions) == len(index) == len(index.offsets)


@given(ASCENDING, st.data())
def test_a_time_index_finds_what_a_linear_search_finds(offsets: list[int], data: st.DataObject) -> None:
    times = sorted(
        data.draw(st.lists(st.integers(0, 1 << 60), unique=True, min_size=len(offsets), max_size=len(offsets)))
    )
    index = TimeIndex()
    for time, offset in zip(times, offsets, strict=True):
        index.maybe_append(time, offset)
        index.maybe_append(time, offset + 1)
    index.maybe_append(-1, 5)
    raw = index.to_bytes()
    assert raw == b"".join(struct.pack(">qI", *entry) for entry in zip(times, offsets, strict=True))
    index = TimeIndex.from_bytes(raw)
    assert (list(index.timestamps), list(index.offsets)) == (times, offsets)
    target = data.draw(st.integers(0, 1 << 60))
    assert index.offset_before(target) == max([o for t, o in zip(times, offsets, strict=True) if t < target], default=0)
    index.truncate(target)
    assert len(index) == len(index.timestamps) == len([o for o in offsets if o < target])


@pytest.mark.parametrize(
    "data",
    [
        bytes(7),
        struct.pack(">IIII", 5, 0, 5, 9),
        struct.pack(">IIII", 1, 9, 2, 9),
        struct.pack(">II", 1, 100),
        struct.pack(">II", 1 << 31, 1),
    ],
)
def test_an_offset_index_that_cannot_be_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptSidecarError):
        OffsetIndex.from_bytes(data, 100)


@pytest.mark.parametrize(
    "data",
    [bytes(13), struct.pack(">qIqI", 5, 0, 5, 9), struct.pack(">qIqI", 5, 9, 6, 9), struct.pack(">qI", 5, 1 << 31)],
)
def test_a_time_index_that_cannot_be_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptSidecarError):
        TimeIndex.from_bytes(data)


def test_a_transaction_index_is_kafkas() -> None:
    entries = [AbortedTransaction(7, 10, 20, 15), AbortedTransaction(8, 15, 25, 26)]
    data = encode(entries)
    assert data[:34] == struct.pack(">hqqqq", 0, 7, 10, 20, 15)
    assert decode(data, 0) == entries
    for bad in (
        data[:-1],
        data + data,
        struct.pack(">hqqqq", 1, 7, 10, 20, 15),
        struct.pack(">hqqqq", 0, 7, 30, 20, 15),
    ):
        with pytest.raises(CorruptSidecarError):
            decode(bad, 0)
    with pytest.raises(CorruptSidecarError):
        decode(data, 21)
