"""Assignors: golden cases of Kafka's own, and what must hold for any group."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.client.consumer.assignors.sticky import StickyAssignor, owners
from ottla.client.consumer.assignors.table import ASSIGNORS, choose, cooperative
from ottla.client.consumer.assignors.types import (
    Member,
    read_assignment,
    read_subscription,
    write_assignment,
    write_subscription,
)
from ottla.client.errors import ConfigError

COUNTS = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 7), min_size=1)
TOPICS = st.frozensets(st.sampled_from("abcde"), min_size=1)
GROUPS = st.lists(TOPICS, min_size=1, max_size=8)


def members(topics: list[frozenset[str]]) -> list[Member]:
    return [Member(f"m{index}", each) for index, each in enumerate(topics)]


def check_whole(counts: dict[str, int], group: list[Member], given: dict[str, list[tuple[str, int]]]) -> None:
    """Each partition that somebody reads has one reader, who asked for it."""
    topics = {member.member_id: member.topics for member in group}
    assert set(given) == set(topics)
    assert all(topic in topics[who] for who, partitions in given.items() for topic, _ in partitions)
    dealt = sorted(partition for partitions in given.values() for partition in partitions)
    read = frozenset().union(*topics.values())
    assert dealt == sorted((topic, p) for topic, n in counts.items() if topic in read for p in range(n))


@pytest.mark.parametrize("name", ASSIGNORS)
@given(counts=COUNTS, topics=GROUPS)
def test_every_partition_that_is_read_has_one_reader(
    name: str, counts: dict[str, int], topics: list[frozenset[str]]
) -> None:
    group = members(topics)
    check_whole(counts, group, choose([name])[0].assign(counts, group))


def test_range_gives_the_first_members_one_more() -> None:
    given = choose(["range"])[0].assign({"t": 5, "u": 3}, members([frozenset("tu")] * 3))
    assert given == {
        "m0": [("t", 0), ("t", 1), ("u", 0)],
        "m1": [("t", 2), ("t", 3), ("u", 1)],
        "m2": [("t", 4), ("u", 2)],
    }


def test_static_members_are_ordered_by_instance_id_and_come_first() -> None:
    group = [Member("a", frozenset("t")), Member("c", frozenset("t"), "i1"), Member("b", frozenset("t"), "i2")]
    assert choose(["range"])[0].assign({"t": 3}, group) == {"a": [("t", 2)], "b": [("t", 1)], "c": [("t", 0)]}


def test_round_robin_passes_over_members_that_do_not_read_the_topic() -> None:
    group = members([frozenset("tu"), frozenset("t")])
    given = choose(["roundrobin"])[0].assign({"t": 2, "u": 2}, group)
    assert given == {"m0": [("t", 0), ("u", 0), ("u", 1)], "m1": [("t", 1)]}


@given(counts=COUNTS, size=st.integers(1, 8), more=st.integers(1, 8))
def test_sticky_is_even_and_nobody_loses_more_than_evenness_asks(counts: dict[str, int], size: int, more: int) -> None:
    sticky = StickyAssignor()
    topics = frozenset("abcd")
    before = sticky.assign(counts, members([topics] * size))
    group = [
        Member(f"m{i}", topics, user_data=sticky.user_data(before.get(f"m{i}", []), 3) if i < size else None)
        for i in range(more)
    ]
    after = sticky.assign(counts, group)
    check_whole(counts, group, after)
    loads = [len(each) for each in after.values()]
    assert max(loads) - min(loads) <= 1
    low, fuller = divmod(sum(counts.values()), more)
    owned = sorted((len(before[m.member_id]) for m in group if m.member_id in before), reverse=True)
    keepable = sum(min(n, low + (i < fuller)) for i, n in enumerate(owned))
    kept = sum(len(set(before.get(who, ())) & set(each)) for who, each in after.items())
    assert kept == keepable


@given(counts=COUNTS, topics=GROUPS)
def test_an_assignment_that_is_even_stays(counts: dict[str, int], topics: list[frozenset[str]]) -> None:
    cooperative_sticky = choose(["cooperative-sticky"])[0]
    first = cooperative_sticky.assign(counts, members(topics))
    again = [m._replace(owned=tuple(first[m.member_id]), generation=1) for m in members(topics)]
    assert {k: sorted(v) for k, v in cooperative_sticky.assign(counts, again).items()} == {
        k: sorted(v) for k, v in first.items()
    }


@given(counts=COUNTS, before=GROUPS, after=GROUPS)
def test_cooperative_gives_nobody_what_another_still_reads_and_settles(
    counts: dict[str, int], before: list[frozenset[str]], after: list[frozenset[str]]
) -> None:
    assignor = choose(["cooperative-sticky"])[0]
    held = assignor.assign(counts, members(before))
    group = [m._replace(owned=tuple(held.get(m.member_id, ())), generation=1) for m in members(after)]
    first = assignor.assign(counts, group)
    for who, given_now in first.items():
        for other in group:
            if other.member_id != who:
                still = {each for each in other.owned if each[0] in other.topics}
                assert not still & set(given_now)
    for generation in range(2, 7):
        group = [m._replace(owned=tuple(first[m.member_id]), generation=generation) for m in group]
        first = assignor.assign(counts, group)
    check_whole(counts, group, first)


def test_an_older_generation_owns_nothing_that_a_newer_one_claims() -> None:
    group = [Member("a", frozenset("t"), owned=(("t", 0),), generation=1)]
    group += [Member("b", frozenset("t"), owned=(("t", 0), ("t", 1)), generation=2)]
    group += [Member("c", frozenset("t"), owned=(("t", 1),), generation=2)]
    assert owners({"t": 2}, group) == {("t", 0): "b"}


def test_what_travels_is_read_again() -> None:
    data = write_subscription(["u", "t"], [("t", 3), ("t", 1)], 7, "r1", b"x")
    said = read_subscription("m", "i", data)
    assert said == Member("m", frozenset("tu"), "i", (("t", 1), ("t", 3)), 7, b"x", "r1")
    assert read_assignment(write_assignment([("t", 1), ("u", 0)])) == [("t", 1), ("u", 0)]
    assert read_assignment(b"") == []


def test_a_group_is_cooperative_only_if_every_assignor_is() -> None:
    assert not cooperative(choose(["range", "cooperative-sticky"]))
    assert cooperative(choose(["org.apache.kafka.clients.consumer.CooperativeStickyAssignor"]))
    with pytest.raises(ConfigError, match="there are range"):
        choose(["best"])


RACKS = st.lists(st.sampled_from([None, "r1", "r2", "r3"]), min_size=8, max_size=8)


@pytest.mark.parametrize("name", ["range", "sticky", "cooperative-sticky"])
@given(counts=COUNTS, size=st.integers(1, 8), stand=RACKS, replicas=st.randoms(use_true_random=False))
def test_racks_change_who_reads_not_how_much_and_a_group_comes_to_rest(
    name: str, counts: dict[str, int], size: int, stand: list[str | None], replicas: random.Random
) -> None:
    """KIP-881: as even as without racks; run on its own outcome it gives the same again, though that started without racks."""
    racks = {
        (topic, number): frozenset(replicas.sample(["r1", "r2", "r3"], replicas.randint(1, 3)))
        for topic, count in counts.items() for number in range(count)
    }  # fmt: skip
    group = [
        member._replace(rack=rack) for member, rack in zip(members([frozenset(counts)] * size), stand, strict=False)
    ]
    assignor: Any = choose([name])[0]
    plain = assignor.assign(counts, group)
    for _ in range(3):  # cooperative: what moves is given in the round after
        generation = group[0].generation + 1
        given = assignor.assign_near(counts, group, racks)
        group = [
            member._replace(owned=tuple(given[member.member_id]), generation=generation,
                            user_data=assignor.user_data(given[member.member_id], generation))
            for member in group
        ]  # fmt: skip
    check_whole(counts, group, given)
    for topic in [*counts] if name == "range" else [""]:  # range is even within each topic
        sizes = [
            sorted(sum(topic in ("", each) for each, _ in parts) for parts in found.values())
            for found in (given, plain)
        ]
        assert sizes[0] == sizes[1]
    again = assignor.assign_near(counts, group, racks)
    assert {who: sorted(each) for who, each in again.items()} == {who: sorted(each) for who, each in given.items()}


def test_a_member_reads_what_is_in_its_rack() -> None:
    racks = {("t", number): frozenset([f"r{number % 3}"]) for number in range(6)}
    group = [Member(f"m{index}", frozenset("t"), rack=f"r{2 - index}") for index in range(3)]
    for name in ("range", "sticky", "cooperative-sticky"):
        assignor: Any = choose([name])[0]
        given = assignor.assign_near({"t": 6}, group, racks)
        assert {who: sorted(n % 3 for _, n in each) for who, each in given.items()} == {
            "m0": [2, 2], "m1": [1, 1], "m2": [0, 0]
        }  # fmt: skip
