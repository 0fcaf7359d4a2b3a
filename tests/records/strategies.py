"""Records and batches for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from ottla.records.batch import Compression, Record, TimestampType, build_batch

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
# Timestamps whose differences are 64-bit numbers, as all are that a clock gives.
TIMESTAMPS = st.one_of(st.integers(-1, 1 << 43), st.integers(-(1 << 62), (1 << 62) - 1))
BYTES = st.one_of(st.none(), st.binary(max_size=40), st.binary(min_size=60, max_size=200))
NAMES = st.one_of(st.text(max_size=10), st.binary(max_size=6).map(lambda name: name.decode("utf-8", "surrogateescape")))
HEADERS = st.lists(st.tuples(NAMES, st.one_of(st.none(), st.binary(max_size=10))), max_size=3).map(tuple)
RECORDS = st.lists(st.builds(Record, INT64, TIMESTAMPS, BYTES, BYTES, HEADERS), min_size=1, max_size=12)


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of build_batch beside the records."""
    return {
        "base_offset": draw(st.integers(0, 1 << 50)),
        "compression": draw(st.sampled_from(list(Compression))),
        "producer_id": draw(INT64),
        "producer_epoch": draw(st.integers(-1, 0x7FFF)),
        "base_sequence": draw(st.integers(-1, 0x7FFFFFFF)),
        "transactional": draw(st.booleans()),
        "control": draw(st.booleans()),
        "leader_epoch": draw(st.integers(-1, 0x7FFFFFFF)),
        "timestamp_type": draw(st.sampled_from(list(TimestampType))),
    }


@st.composite
def batches(draw: st.DrawFn) -> bytearray:
    return build_batch(draw(RECORDS), **draw(options()))
