"""The short way of an append: what it lets through is what the long way lets through, stamped the same."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.protocol.errors import KafkaError
from ottla.records.batch import Compression, Record, admit, build_batch, check_and_describe, patch, read_header
from tests.records.conftest import Form

RECORDS = [Record(i, 1000 + i % 3, b"k", bytes(i), (("h", b"v"),)) for i in range(20)]


@pytest.mark.parametrize("producer_id", [-1, 7])
def test_an_ordinary_batch_is_stamped_as_patch_does(form: Form, producer_id: int) -> None:
    sent = build_batch(RECORDS, producer_id=producer_id, producer_epoch=0, base_sequence=0)
    expected = bytearray(sent)
    patch(expected, 0, 1 << 40, 5)
    header = read_header(sent, 0)
    assert admit(sent, 1 << 40, 5) == (19, 1002, header if producer_id >= 0 else None)
    assert sent == expected


@pytest.mark.parametrize(
    "batch",
    [
        build_batch(RECORDS, compression=Compression.LZ4),
        build_batch(RECORDS, transactional=True, producer_id=1, producer_epoch=0, base_sequence=0),
        build_batch(RECORDS, base_offset=3),
        build_batch(RECORDS, producer_id=1, producer_epoch=0, base_sequence=-1),
        build_batch(RECORDS)[:-1],
        build_batch(RECORDS) + b"x",
        bytearray(5),
    ],
)
def test_any_other_batch_is_left_alone(form: Form, batch: bytearray) -> None:
    before = bytes(batch)
    assert admit(batch, 9, 9) is None
    assert batch == before


def test_times_out_of_bounds_are_for_the_long_way(form: Form) -> None:
    assert admit(build_batch(RECORDS), 0, 0, 1001, 5000) is None
    assert admit(build_batch(RECORDS), 0, 0, 0, 1001) is None
    assert admit(build_batch(RECORDS), 0, 0, 1000, 1002) is not None


@given(seed=st.integers(0, 2**32))
def test_it_lets_nothing_through_that_the_long_way_refuses(seed: int) -> None:
    random = Random(seed)
    batch = build_batch(RECORDS)
    for _ in range(random.randrange(3)):
        batch[random.randrange(len(batch))] = random.randrange(256)
    before = bytes(batch)
    if admit(batch, 7, 1) is not None:
        try:
            checked = check_and_describe(before, 0)
        except KafkaError as error:
            raise AssertionError(f"refused by the long way: {error}") from error
        assert checked.max_timestamp == checked.header.max_timestamp
