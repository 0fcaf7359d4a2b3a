"""The assignors `uniform` and `range`: what holds for every assignment, and that it is Kafka's own, tie for tie."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.coordinator.groups.consumer.config import ASSIGNORS
from ottla.coordinator.groups.modern import hash_order
from ottla.coordinator.groups.modern.assignment import NOTHING, Assignment
from ottla.coordinator.groups.modern.assignor import GroupSpec, MemberSpec
from tests.support.jars import KAFKA, class_path, jars
from tests.support.requires import requires

PROGRAM = Path(__file__).with_name("Assign.java")
SEED = 848
GROUPS = 80
ROUNDS = 8


class Topic(NamedTuple):
    id: bytes
    partitions: int


class Case(NamedTuple):
    """A group as both assignors are told it."""

    assignor: str
    topics: dict[str, Topic]
    #: Member id -> (instance id, names of topics, of which some may not exist).
    members: dict[str, tuple[str, frozenset[str]]]
    before: Mapping[str, Assignment]

    @property
    def homogeneous(self) -> bool:
        return len({names for _, names in self.members.values()}) == 1

    def spec(self) -> GroupSpec:
        owners: dict[bytes, dict[int, str]] = {}
        specs = {}
        for member_id in hash_order.by_string(self.members, hash_order.capacity_grown_to(len(self.members))):
            instance_id, names = self.members[member_id]
            before = self.before.get(member_id, NOTHING)
            walked = hash_order.by_string(sorted(names), hash_order.capacity_for_copy(len(names)))
            order = tuple(self.topics[name].id for name in walked if name in self.topics)
            specs[member_id] = MemberSpec(
                member_id, instance_id or None, None, len(names), frozenset(order), order, before
            )
            for topic_id, partitions in before.items():
                owners.setdefault(topic_id, {}).update(dict.fromkeys(partitions, member_id))
        counts = {topic.id: topic.partitions for topic in self.topics.values()}
        return GroupSpec(specs, self.homogeneous, owners, counts)

    def assign(self) -> dict[str, Assignment]:
        made = ASSIGNORS[self.assignor](self.spec())
        return {member_id: made.get(member_id, NOTHING) for member_id in self.members}

    def text(self, assignment: Assignment) -> str:
        names = {topic.id: name for name, topic in self.topics.items()}
        found = sorted((names[t], p) for t, partitions in assignment.items() if t in names for p in partitions)
        return ",".join(f"{name}:{partition}" for name, partition in found)

    def lines(self) -> list[str]:
        told = []
        for name, topic in self.topics.items():
            high, low = struct.unpack(">qq", topic.id)
            told.append(f"topic {name} {high} {low} {topic.partitions}")
        for member_id, (instance_id, names) in self.members.items():
            before = self.text(self.before.get(member_id, NOTHING))
            told.append(f"member {member_id} {instance_id} {','.join(sorted(names))} {before}")
        return [*told, f"go {self.assignor} {int(self.homogeneous)}"]


# -- what holds for every assignment ---------------------------------------------------------------------------------

NAMES = ["t", "u", "v"]
GROUP = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3),
    st.tuples(st.just(""), st.frozensets(st.sampled_from(NAMES))),
    min_size=1,
    max_size=6,
)
TOPICS = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 9), min_size=1)


def topics_of(counts: dict[str, int]) -> dict[str, Topic]:
    return {name: Topic(name.encode() * 16, count) for name, count in counts.items()}


@given(GROUP, GROUP, TOPICS, st.sampled_from(["uniform", "range"]))
def test_every_partition_that_somebody_reads_is_assigned_once(
    first: dict[str, tuple[str, frozenset[str]]], second: dict[str, tuple[str, frozenset[str]]],
    counts: dict[str, int], assignor: str,
) -> None:  # fmt: skip
    topics = topics_of(counts)
    before = Case(assignor, topics, first, {}).assign()
    kept = {member_id: assignment for member_id, assignment in before.items() if member_id in second}
    after = Case(assignor, topics, second, kept).assign()
    read = {name for _, names in second.values() for name in names if name in topics}
    expected = sorted((topics[name].id, index) for name in read for index in range(topics[name].partitions))
    given_out = sorted(
        (t, p) for assignment in after.values() for t, partitions in assignment.items() for p in partitions
    )
    assert given_out == expected
    for member_id, assignment in after.items():
        ids = {topics[name].id for name in second[member_id][1] if name in topics}
        assert set(assignment) <= ids


@given(st.integers(1, 9), st.integers(0, 40), st.integers(1, 9))
def test_uniform_is_even_and_moves_nothing_it_need_not(members: int, partitions: int, later: int) -> None:
    topics = topics_of({"t": partitions or 1})
    names = frozenset({"t"})
    first = Case("uniform", topics, {f"m{n}": ("", names) for n in range(members)}, {})
    before = first.assign()
    again = first._replace(before=before).assign()
    assert again == before
    after = Case("uniform", topics, {f"m{n}": ("", names) for n in range(later)}, before).assign()
    sizes = [sum(map(len, assignment.values())) for assignment in after.values()]
    assert max(sizes) - min(sizes) <= 1
    fewest = topics["t"].partitions // later
    for member_id, assignment in after.items():
        had = before.get(member_id, NOTHING).get(topics["t"].id, frozenset())
        kept = had & assignment.get(topics["t"].id, frozenset())
        assert len(kept) >= min(len(had), fewest)


# -- the same as Kafka's ---------------------------------------------------------------------------------------------


def random_rounds(random: Random) -> list[Case]:
    """One group over some time: members come and go, subscriptions change, topics grow."""
    assignor = random.choice(["uniform", "uniform", "range"])
    topics = {f"topic-{n}": Topic(random.randbytes(16), random.randint(1, 40)) for n in range(random.randint(1, 9))}
    names = [*topics, "missing"]
    same = random.random() < 0.5
    common = frozenset(random.sample(names, random.randint(1, len(names))))
    members: dict[str, tuple[str, frozenset[str]]] = {}
    before: Mapping[str, Assignment] = {}
    cases = []
    for _ in range(ROUNDS):
        for member_id in [member_id for member_id in members if random.random() < 0.2]:
            del members[member_id]
        for _ in range(random.randint(0 if members else 1, 9)):
            own = common if same else frozenset(random.sample(names, random.randint(0, len(names))))
            instance_id = f"instance-{random.getrandbits(24):x}" if random.random() < 0.2 else ""
            members[f"{random.getrandbits(128):032x}"] = (instance_id, own)
        known = {}
        for member_id in members.keys() & before.keys():
            known[member_id] = {t.id: before[member_id][t.id] for t in topics.values() if t.id in before[member_id]}
        case = Case(assignor, topics, dict(members), known)
        cases.append(case)
        before = case.assign()
        if random.random() < 0.3:
            name = random.choice(list(topics))
            topics = {**topics, name: topics[name]._replace(partitions=topics[name].partitions + random.randint(1, 9))}
    return cases


@pytest.mark.java
@pytest.mark.slow
def test_the_result_is_that_of_kafkas_assignors() -> None:
    requires("java", "mvn")
    random = Random(SEED)
    cases = [case for _ in range(GROUPS) for case in random_rounds(random)]
    sent = "\n".join(line for case in cases for line in case.lines()) + "\n"
    command = ["java", "-Xmx256m", "-cp", class_path(jars("kafka", KAFKA)), str(PROGRAM)]
    done = subprocess.run(command, input=sent, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    answers = done.stdout.strip("\n").split("\n\n")
    assert len(answers) == len(cases)
    for case, answer in zip(cases, answers, strict=True):
        made = case.assign()
        ours = [f"{member_id} {case.text(made[member_id])}" for member_id in sorted(made)]
        assert ours == answer.split("\n"), case
