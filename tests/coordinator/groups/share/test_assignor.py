"""The assignor "simple": what holds for every assignment, and that it is Kafka's own, tie for tie."""

from __future__ import annotations

import subprocess
from pathlib import Path
from random import Random
from struct import unpack
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.coordinator.groups.modern.assignment import NOTHING, Assignment
from ottla.coordinator.groups.share.assignor import ShareMemberSpec, assign
from tests.support.jars import KAFKA, class_path, jars
from tests.support.requires import requires

PROGRAM = Path(__file__).with_name("Assign.java")
SEED = 932
GROUPS = 60
ROUNDS = 8


class Topic(NamedTuple):
    """A topic with some of its partitions initialized."""

    id: bytes
    count: int
    assignable: frozenset[int]


def topic(number: int, count: int) -> Topic:
    return Topic(Random(number).randbytes(16), count, frozenset(range(count)))


def group(
    topics: dict[str, Topic], subscriptions: dict[str, list[str]], before: dict[str, Assignment]
) -> dict[str, Assignment]:
    """Assign; members are told only of topics that exist."""
    specs = [
        ShareMemberSpec(
            member, {name: topics[name].id for name in names if name in topics}, before.get(member, NOTHING)
        )
        for member, names in subscriptions.items()
    ]
    assignable = {one.id: one.assignable for one in topics.values()}
    return assign(specs, assignable, homogeneous=is_homogeneous(subscriptions))


def is_homogeneous(subscriptions: dict[str, list[str]]) -> bool:
    return len({tuple(sorted(names)) for names in subscriptions.values()}) == 1


# -- what holds for every assignment ---------------------------------------------------------------------------------

TOPICS = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 9), min_size=1)
SUBSCRIPTIONS = st.dictionaries(
    st.text("lmnop", min_size=1, max_size=3), st.lists(st.sampled_from("abcd"), unique=True, min_size=1), min_size=1
)


@given(TOPICS, SUBSCRIPTIONS, SUBSCRIPTIONS)
def test_every_partition_is_read_and_nobody_reads_what_it_did_not_subscribe_to(
    counts: dict[str, int], first: dict[str, list[str]], second: dict[str, list[str]]
) -> None:
    topics = {name: topic(number, counts[name]) for number, name in enumerate(counts)}
    after = group(topics, second, group(topics, first, {}))
    for name, one in topics.items():
        readers = [member for member, names in second.items() if name in names]
        shared = [partition for member in readers for partition in after[member].get(one.id, ())]
        if readers:
            assert set(shared) == one.assignable
        strangers = [member for member in second if name not in second[member]]
        if readers:  # What nobody subscribes to any more may stay in the target; members are not given it.
            assert not any(one.id in after[member] for member in strangers)


@given(st.integers(1, 30), st.integers(1, 30))
def test_partitions_are_shared_evenly(partitions: int, members: int) -> None:
    topics = {"a": topic(1, partitions)}
    after = group(topics, {f"m{n}": ["a"] for n in range(members)}, {})
    sizes = [len(assignment.get(topics["a"].id, ())) for assignment in after.values()]
    assert max(sizes) - min(sizes) <= 1
    assert sum(sizes) == partitions * -(-members // partitions)


@given(TOPICS, SUBSCRIPTIONS)
def test_nothing_moves_when_nothing_changes(counts: dict[str, int], subscriptions: dict[str, list[str]]) -> None:
    topics = {name: topic(number, counts[name]) for number, name in enumerate(counts)}
    first = group(topics, subscriptions, {})
    second = group(topics, subscriptions, first)
    assert group(topics, subscriptions, second) == second


def test_only_initialized_partitions_are_given() -> None:
    topics = {"a": topic(1, 4)._replace(assignable=frozenset({1, 3}))}
    assert group(topics, {"m": ["a"]}, {}) == {"m": {topics["a"].id: frozenset({1, 3})}}


# -- the same as Kafka's ---------------------------------------------------------------------------------------------

Case = tuple[dict[str, Topic], dict[str, list[str]], dict[str, Assignment]]


def random_rounds(random: Random) -> list[Case]:
    """One group over some time: members come, go and change their minds; topics grow and are initialized bit by bit."""
    topics = {}
    for number in range(random.choice([1, 2, 5])):
        count = random.choice([1, 2, 3, 7, 12, 40])
        topics[f"topic-{number}"] = Topic(random.randbytes(16), count, frozenset())
    alike = random.random() < 0.6
    subscriptions: dict[str, list[str]] = {}
    before: dict[str, Assignment] = {}
    rounds: list[Case] = []
    for _ in range(ROUNDS):
        for name in list(topics):
            one = topics[name]
            grown = one.count + (3 if random.random() < 0.1 else 0)
            known = frozenset(p for p in range(grown) if p in one.assignable or random.random() < 0.7)
            topics[name] = one._replace(count=grown, assignable=known)
        for member in [member for member in subscriptions if random.random() < 0.25]:
            del subscriptions[member]
        for _ in range(random.choice([0, 1, 3, 20]) if subscriptions else random.choice([1, 2, 17])):
            subscriptions[f"member-{random.getrandbits(60):x}"] = []
        for member in subscriptions:
            if alike or not subscriptions[member] or random.random() < 0.1:
                chosen = list(topics) if alike else random.sample(list(topics), random.randint(1, len(topics)))
                subscriptions[member] = sorted(chosen)
        rounds.append((dict(topics), dict(subscriptions), before))
        before = group(topics, subscriptions, before)
    return rounds


def words(assignment: Assignment, names: dict[bytes, str]) -> list[str]:
    """In the order of the topics in the record, which Kafka's maps may keep."""
    return [f"{names[topic_id]}:{'+'.join(map(str, sorted(some)))}" for topic_id, some in assignment.items()]


def lines(topics: dict[str, Topic], subscriptions: dict[str, list[str]], before: dict[str, Assignment]) -> list[str]:
    names = {one.id: name for name, one in topics.items()}
    told = []
    for name, one in topics.items():
        high, low = unpack(">qq", one.id)
        told.append(f"topic {name} {high} {low} {one.count} {','.join(map(str, sorted(one.assignable)))}")
    told += [
        f"member {member} {','.join(subscribed)} {','.join(words(before.get(member, NOTHING), names))}"
        for member, subscribed in subscriptions.items()
    ]
    return [*told, f"go {int(is_homogeneous(subscriptions))}"]


@pytest.mark.java
@pytest.mark.slow
def test_the_result_is_that_of_kafkas_assignor() -> None:
    requires("java", "mvn")
    random = Random(SEED)
    cases = [case for _ in range(GROUPS) for case in random_rounds(random)]
    sent = "\n".join(line for case in cases for line in lines(*case)) + "\n"
    command = ["java", "-Xmx256m", "-cp", class_path(jars("kafka", KAFKA)), str(PROGRAM)]
    made = subprocess.run(command, input=sent, capture_output=True, text=True, check=True)
    answers = made.stdout.removesuffix("\n\n").split("\n\n")
    assert len(answers) == len(cases) == GROUPS * ROUNDS
    for topics, subscriptions, before in cases:
        names = {one.id: name for name, one in topics.items()}
        ours = group(topics, subscriptions, before)
        got = [f"{member} {','.join(sorted(words(ours[member], names)))}" for member in sorted(ours)]
        assert got == answers.pop(0).splitlines()
