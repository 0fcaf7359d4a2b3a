"""Apache Kafka's own assignors beside ours, on random groups.

`range` and `roundrobin` give the same. The sticky ones give the same where nobody owns anything and all read the same; elsewhere
Java's choice among equally good answers follows its hash tables, so that how many are given and how many stay are compared.
"""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from ottla.client.consumer.assignors.table import choose
from ottla.client.consumer.assignors.types import Assignment, Member
from tests.support.jars import KAFKA, class_path, jars
from tests.support.requires import requires

pytestmark = [pytest.mark.java, pytest.mark.slow]

PROGRAM = Path(__file__).parent / "java" / "Assignors.java"
SEED = 20261121
Case = tuple[str, dict[str, int], list[Member]]
Racks = dict[tuple[str, int], frozenset[str]]


def java(cases: list[Case], racks: list[Racks] | None = None) -> list[Assignment]:
    requires("java", "mvn")
    lines = []
    for index, (name, counts, members) in enumerate(cases):
        rows = [
            f"{m.member_id}/{m.instance_id or ''}/{m.generation}/{m.rack or ''}:{'+'.join(sorted(m.topics))}:"
            + "+".join(f"{topic}-{number}" for topic, number in m.owned)
            for m in members
        ]
        lines.append(f"{name};{','.join(f'{t}={n}' for t, n in counts.items())};{'|'.join(rows)}")
        if racks is not None:
            lines[-1] += ";" + ",".join(f"{t}-{n}={'+'.join(sorted(where))}" for (t, n), where in racks[index].items())
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", class_path(jars("kafka", KAFKA)), str(PROGRAM)]
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [read(line) for line in done.stdout.splitlines()]


def read(line: str) -> Assignment:
    found: Assignment = {}
    for row in line.split("|"):
        who, _, names = row.partition(":")
        pairs = [name.rsplit("-", 1) for name in names.split(",") if name]
        found[who] = sorted((topic, int(number)) for topic, number in pairs)
    return found


def ours(case: Case) -> Assignment:
    name, counts, members = case
    return {who: sorted(given) for who, given in choose([name])[0].assign(counts, members).items()}


def group(chance: random.Random, *, equal: bool, static: bool = False) -> tuple[dict[str, int], list[Member]]:
    counts = {topic: chance.randint(1, 9) for topic in chance.sample("abcd", chance.randint(1, 4))}
    every = frozenset(counts)
    members = []
    for index in range(chance.randint(1, 8)):
        topics = every if equal else frozenset(chance.sample(sorted(every), chance.randint(1, len(every))))
        instance = f"i{9 - index}" if static and chance.random() < 0.5 else None
        members.append(Member(f"m{index}", topics, instance))
    return counts, members


def test_range_roundrobin_and_first_assignments_are_javas() -> None:
    chance = random.Random(SEED)
    cases: list[Case] = [("range", *group(chance, equal=False, static=True)) for _ in range(150)]
    cases += [("roundrobin", *group(chance, equal=False, static=True)) for _ in range(150)]
    cases += [(name, *group(chance, equal=True)) for name in ("sticky", "cooperative-sticky") for _ in range(100)]
    for case, theirs in zip(cases, java(cases), strict=True):
        assert ours(case) == theirs, case


def near(members: list[Member], given: Assignment, racks: Racks) -> int:
    """How many partitions have a replica in the rack of who reads them."""
    return sum(member.rack in racks[key] for member in members for key in given[member.member_id])


def test_range_by_racks_is_javas_and_the_sticky_ones_are_as_near() -> None:
    """KIP-881."""
    chance = random.Random(SEED)
    cases: list[Case] = []
    racks: list[Racks] = []
    for index in range(300):
        counts, members = group(chance, equal=index >= 200 or chance.random() < 0.5)
        if chance.random() < 0.3:
            counts = dict.fromkeys(counts, 6)
        where = ["r1", "r2", "r3", ""]
        members = [member._replace(rack=chance.choice(where[: 4 if index < 200 else 3]) or None) for member in members]
        racks.append({
            (topic, number): frozenset(chance.sample(where[:3], chance.randint(1, 2)))
            for topic, count in counts.items() for number in range(count)
        })  # fmt: skip
        cases.append(("range" if index < 200 else "cooperative-sticky", counts, members))
    worse = 0
    for case, where_replicas, theirs in zip(cases, racks, java(cases, racks), strict=True):
        name, counts, members = case
        assignor = choose([name])[0]
        given = {who: sorted(parts) for who, parts in assignor.assign_near(counts, members, where_replicas).items()}  # type: ignore[attr-defined]
        if name == "range":
            assert given == theirs, case
        else:
            assert sorted(map(len, given.values())) == sorted(map(len, theirs.values())), case
            worse += near(members, given, where_replicas) < near(members, theirs, where_replicas)
    assert worse <= 10


def measure(members: list[Member], given: Assignment) -> tuple[int, int]:
    """(how many are given in this round, how many stay where they were): what moves is withheld until its owner gave it up."""
    kept = sum(len(set(member.owned) & set(given[member.member_id])) for member in members)
    return sum(map(len, given.values())), kept


def test_cooperative_moves_as_much_and_no_more_than_java() -> None:
    chance = random.Random(SEED)
    cases: list[Case] = []
    for _ in range(200):
        counts, members = group(chance, equal=True)
        before = choose(["cooperative-sticky"])[0].assign(counts, members)
        leaving = chance.randint(0, len(members) - 1)
        after = [m._replace(owned=tuple(before[m.member_id]), generation=4) for m in members[leaving:]]
        after += [Member(f"n{index}", frozenset(counts)) for index in range(chance.randint(0, 3))]
        cases.append(("cooperative-sticky", counts, after))
    for case, theirs in zip(cases, java(cases), strict=True):
        assert measure(case[2], ours(case)) == measure(case[2], theirs), case
