"""Replicas spread over racks and brokers, and leaders do too."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.controller.placement import place
from ottla.metadata.image import BrokerImage
from ottla.protocol.errors import ErrorCode, KafkaError


def brokers(*racks: str | None, fenced: tuple[int, ...] = ()) -> list[BrokerImage]:
    return [BrokerImage(i, 1, bytes(16), (), rack, i in fenced) for i, rack in enumerate(racks)]


def test_leaders_walk_over_the_brokers() -> None:
    rows = place(brokers(None, None, None), 9, 3, random.Random(1))
    assert Counter(row[0] for row in rows) == {0: 3, 1: 3, 2: 3}


def test_a_partition_uses_as_many_racks_as_there_are() -> None:
    cluster = brokers("a", "a", "b", "b", "c", "c")
    rack = {b.id: b.rack for b in cluster}
    rows = place(cluster, 12, 3, random.Random(1))
    assert all(len({rack[b] for b in row}) == 3 for row in rows)
    assert Counter(rack[row[0]] for row in rows) == {"a": 4, "b": 4, "c": 4}
    assert set(Counter(row[0] for row in rows).values()) == {2}


def test_a_fenced_broker_never_leads_and_comes_last() -> None:
    rows = place(brokers(None, None, None, fenced=(1,)), 8, 2, random.Random(3))
    assert all(set(row) == {0, 2} for row in rows)
    rows = place(brokers(None, None, None, fenced=(1,)), 8, 3, random.Random(3))
    assert {row[-1] for row in rows} == {1}


@pytest.mark.parametrize(("cluster", "factor", "message"), [
    ([], 1, "All brokers are currently fenced."), (brokers(None, fenced=(0,)), 1, "All brokers are currently fenced."),
    (brokers(None, None), 3, r"factor of 3 cannot be reached because only 2 broker\(s\) are registered"),
    (brokers(None), 0, "Invalid replication factor 0: the replication factor must be positive."),
])  # fmt: skip
def test_what_cannot_be_placed_is_refused(cluster: list[BrokerImage], factor: int, message: str) -> None:
    with pytest.raises(KafkaError, match=message) as caught:
        place(cluster, 1, factor, random.Random(1))
    assert caught.value.code is ErrorCode.INVALID_REPLICATION_FACTOR


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.booleans()), min_size=1, max_size=12),
    st.integers(1, 20), st.integers(1, 12), st.integers(),
)  # fmt: skip
def test_every_row_is_sound(shape: list[tuple[str | None, bool]], partitions: int, factor: int, seed: int) -> None:
    cluster = [BrokerImage(i, 1, bytes(16), (), rack, fenced) for i, (rack, fenced) in enumerate(shape)]
    usable = {b.id for b in cluster if not b.fenced}
    if not usable or factor > len(cluster):
        return
    rows = place(cluster, partitions, factor, random.Random(seed))
    assert len(rows) == partitions
    for row in rows:
        assert len(set(row)) == factor
        assert row[0] in usable
        assert len(usable & set(row)) == min(factor, len(usable)) or len({b.rack for b in cluster}) > 1
