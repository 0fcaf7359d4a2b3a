"""The sticky task assignor: what holds for every assignment, and that it is Kafka's own, tie for tie."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.coordinator.groups.streams.assignor import MemberSpec, SubtopologySpec, assign_tasks
from ottla.coordinator.groups.streams.tasks import Tasks, TaskSets
from tests.support.jars import KAFKA, class_path, jars
from tests.support.requires import requires

PROGRAM = Path(__file__).with_name("Assign.java")
SEED = 1071
GROUPS = 100
ROUNDS = 8
NOTHING: Tasks = {}


def spec(process: str, targets: TaskSets | None = None) -> MemberSpec:
    if targets is None:
        return MemberSpec(process, NOTHING, NOTHING)
    return MemberSpec(process, targets.active, targets.standby)


def flat(tasks: Tasks) -> set[tuple[str, int]]:
    return {(key, partition) for key, partitions in tasks.items() for partition in partitions}


def text(tasks: Tasks) -> str:
    return ",".join(f"{key}:{partition}" for key, partition in sorted(flat(tasks)))


# -- what holds for every assignment ---------------------------------------------------------------------------------

MEMBERS = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.sampled_from("pqrs"), min_size=1, max_size=7)
TOPOLOGY = st.dictionaries(
    st.sampled_from("0123"), st.builds(SubtopologySpec, st.integers(1, 9), st.booleans()), min_size=1, max_size=4
)


@given(MEMBERS, MEMBERS, TOPOLOGY, st.integers(0, 2))
def test_every_task_is_active_once_and_copies_lie_in_other_processes(
    first: dict[str, str], second: dict[str, str], topology: dict[str, SubtopologySpec], replicas: int
) -> None:
    before = assign_tasks({name: spec(process) for name, process in first.items()}, topology, replicas)
    members = {name: spec(process, before.get(name)) for name, process in second.items()}
    after = assign_tasks(members, topology, replicas)
    every = {(key, index) for key, each in topology.items() for index in range(each.tasks)}
    active = [task for targets in after.values() for task in sorted(flat(targets.active))]
    assert sorted(active) == sorted(every)
    processes = set(second.values())
    for task in every:
        homes = [second[name] for name, targets in after.items() if task in flat(targets.standby)]
        owner = next(second[name] for name, targets in after.items() if task in flat(targets.active))
        wanted = min(replicas, len(processes) - 1) if topology[task[0]].stateful else 0
        assert len(homes) == len(set(homes)) == wanted
        assert owner not in homes


@given(MEMBERS, TOPOLOGY, st.integers(0, 2))
def test_nothing_moves_when_nothing_changes(
    members: dict[str, str], topology: dict[str, SubtopologySpec], replicas: int
) -> None:
    """A group that was assigned once or twice stays as it is: stickiness ends in a fixed point."""
    targets: Mapping[str, TaskSets] = {}
    seen = []
    for _ in range(4):
        targets = assign_tasks({name: spec(members[name], targets.get(name)) for name in members}, topology, replicas)
        seen.append({name: flat(each.active) for name, each in targets.items()})
    assert seen[1] == seen[2] == seen[3]


@given(st.integers(1, 8), st.integers(1, 20))
def test_active_tasks_are_even(members: int, tasks: int) -> None:
    """One process per member, nothing known of before: nobody has two tasks more than another."""
    targets = assign_tasks({f"m{n}": spec(f"p{n}") for n in range(members)}, {"0": SubtopologySpec(tasks, False)}, 0)
    counts = [len(flat(each.active)) for each in targets.values()]
    assert max(counts) - min(counts) <= 1


def test_a_task_goes_to_who_has_a_copy_when_its_owner_dies() -> None:
    topology = {"0": SubtopologySpec(3, True)}
    members = {"a": "p", "b": "q", "c": "r"}
    before = assign_tasks({name: spec(process) for name, process in members.items()}, topology, 1)
    (lost,) = flat(before["a"].active)
    heir = next(name for name in "bc" if lost in flat(before[name].standby))
    after = assign_tasks({name: spec(members[name], before[name]) for name in "bc"}, topology, 1)
    assert lost in flat(after[heir].active)


# -- the same as Kafka's ---------------------------------------------------------------------------------------------


def random_rounds(random: Random) -> list[tuple[dict[str, MemberSpec], dict[str, SubtopologySpec], int]]:
    """One group over some time: members come and go, replicas change, the topology grows."""
    topology = {
        str(key): SubtopologySpec(random.randint(1, 12), random.random() < 0.7) for key in range(random.randint(1, 13))
    }
    processes = [f"process-{random.getrandbits(32):x}" for _ in range(random.randint(1, 6))]
    members: dict[str, str] = {}
    targets: Mapping[str, TaskSets] = {}
    rounds = []
    for _ in range(ROUNDS):
        for name in [name for name in members if random.random() < 0.2]:
            del members[name]
        for _ in range(random.randint(0 if members else 1, 4)):
            members[f"member-{random.getrandbits(48):x}"] = random.choice(processes)
        replicas = random.choice([0, 0, 1, 1, 2])
        specs = {name: spec(process, targets.get(name)) for name, process in members.items()}
        rounds.append((specs, topology, replicas))
        targets = assign_tasks(specs, topology, replicas)
        if random.random() < 0.2:
            key = random.choice(list(topology))
            topology = {**topology, key: topology[key]._replace(tasks=topology[key].tasks + 2)}
    return rounds


def lines(members: dict[str, MemberSpec], topology: dict[str, SubtopologySpec], replicas: int) -> list[str]:
    told = [f"sub {key} {each.tasks} {int(each.stateful)}" for key, each in topology.items()]
    told += [
        f"member {name} {each.process_id} {text(each.active)} {text(each.standby)}" for name, each in members.items()
    ]
    return [*told, f"go {replicas}"]


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
    for case, answer in zip(cases, answers, strict=True):
        ours = assign_tasks(*case)
        got = [f"{name} {text(ours[name].active)} {text(ours[name].standby)}" for name in sorted(ours)]
        assert got == answer.splitlines()
