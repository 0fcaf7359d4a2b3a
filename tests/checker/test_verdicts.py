"""The judge of transactions: a good history has no finding, and each planted fault is called by its name and no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .history import ABORTED, COMMITTED, NEVER, UNKNOWN, History, Poll, Recorder, Send, Take, Transaction, load
from .verdicts import KINDS, judge


def transaction(name: str, at: int, values: str, outcome: str = COMMITTED, *, instance: str = "A1") -> Transaction:
    """`values` as "a/0:x a/1:y"; told offsets are left out."""
    sends = [Send(partition, value) for partition, value in (each.split(":") for each in values.split())]
    asked = NEVER if outcome == ABORTED else at + 5
    return Transaction(name, instance[0], instance, at, sends, [], asked, outcome, at + 9)


def good() -> History:
    """Two producers, a group that transforms `in` to `out`, and a consumer; offsets leave room for markers."""
    history = History()
    for each in (
        transaction("t1", 100, "in:a in:b other:c"),
        transaction("t2", 200, "in:x other:y", ABORTED),
        transaction("t3", 300, "in:d in:e"),
        transaction("t4", 400, "in:u other:v", UNKNOWN),
        transaction("t5", 500, "in:f other:g", UNKNOWN),
        transaction("w1", 320, "out:A out:B", instance="W1"),
        transaction("w2", 620, "out:D out:E", instance="W2"),
        transaction("w3", 720, "out:D2 out:E2", ABORTED, instance="W2"),
    ):
        history.transactions[each.name] = each
    history.transactions["t3"].sends[0].offset = 5
    history.transactions["w1"].takes = [Take("g", "in", [(0, "a"), (1, "b")], 2)]
    history.transactions["w2"].takes = [Take("g", "in", [(5, "d"), (6, "e")], 7)]
    history.transactions["w3"].takes = [Take("g", "in", [(10, "f")], 11)]
    history.inits = {"A1": ("A", 50), "W1": ("W", 50), "W2": ("W", 600)}
    history.log = {
        "in": [(0, "a"), (1, "b"), (5, "d"), (6, "e"), (10, "f")],
        "other": [(0, "c"), (9, "g")],
        "out": [(0, "A"), (1, "B"), (3, "D"), (4, "E")],
    }
    history.positions = {("g", "in"): 7}
    history.polls = [
        Poll("c1", 150, [("in", 0, "a"), ("in", 1, "b")]),
        Poll("c1", 350, [("other", 0, "c"), ("in", 5, "d"), ("in", 6, "e")]),
        Poll("c2", 360, [("in", 1, "b"), ("in", 5, "d")]),
        Poll("c1", 900, [("in", 10, "f")]),
    ]
    return history


def lost(history: History) -> None:
    history.log["in"].remove((5, "d"))
    history.log["in"].remove((6, "e"))
    history.polls.clear()
    del history.transactions["w2"]
    history.log["out"] = history.log["out"][:2]
    history.positions["g", "in"] = 2


def duplicate(history: History) -> None:
    history.log["other"].append((12, "g"))


def aborted_in_the_log(history: History) -> None:
    history.log["other"].append((4, "y"))


def aborted_in_a_poll(history: History) -> None:
    history.polls.append(Poll("c3", 950, [("other", 4, "y")]))


def torn(history: History) -> None:
    history.log["other"].remove((9, "g"))


def torn_though_nobody_was_told(history: History) -> None:
    history.log["other"].append((7, "v"))


def phantom(history: History) -> None:
    history.log["other"].append((20, "nobody's"))


def misplaced(history: History) -> None:
    history.log["out"].append((20, "c"))


def phantom_poll(history: History) -> None:
    history.polls.append(Poll("c3", 950, [("other", 4, "nobody's")]))


def premature(history: History) -> None:
    history.polls[0].at = 104


def vanished(history: History) -> None:
    history.polls.append(Poll("c3", 950, [("other", 8, "g")]))


def inconsistent(history: History) -> None:
    history.transactions["t3"].sends[0].offset = 4


def internal_order(history: History) -> None:
    history.transactions["w2"].sends.reverse()


def external_order(history: History) -> None:
    history.log["out"] = [(0, "D"), (1, "E"), (3, "A"), (4, "B")]


def nonmonotonic(history: History) -> None:
    history.polls.append(Poll("c1", 950, [("in", 6, "e")]))


def seen_again(history: History) -> None:
    history.polls.append(Poll("c1", 950, [("in", 10, "f")]))


def skipped(history: History) -> None:
    history.polls[1].records.pop(1)


def zombie(history: History) -> None:
    history.transactions["w2"].instance = "W1"


def consumed_twice(history: History) -> None:
    history.transactions["w2"].takes[0].inputs.insert(0, (1, "b"))


def consumed_never(history: History) -> None:
    history.transactions["w2"].takes[0].inputs.pop(0)


def ahead(history: History) -> None:
    history.positions["g", "in"] = 11


def behind(history: History) -> None:
    history.positions["g", "in"] = 2


def hanging(history: History) -> None:
    history.open["in"] = (11, 12)


FAULTS: list[tuple[Callable[[History], None], str]] = [
    (lost, "lost"), (duplicate, "duplicate"), (aborted_in_the_log, "aborted-read"), (aborted_in_a_poll, "aborted-read"),
    (torn, "torn"), (torn_though_nobody_was_told, "torn"), (phantom, "phantom"), (misplaced, "phantom"),
    (phantom_poll, "phantom"), (premature, "premature-read"), (vanished, "vanished"),
    (inconsistent, "inconsistent-offset"), (internal_order, "internal-order"), (external_order, "external-order"),
    (nonmonotonic, "nonmonotonic-poll"), (seen_again, "nonmonotonic-poll"), (skipped, "skipped-poll"),
    (zombie, "zombie"), (consumed_twice, "consumed-twice"), (consumed_never, "consumed-never"),
    (ahead, "position-ahead"), (behind, "position-behind"), (hanging, "hanging"),
]  # fmt: skip


def test_a_good_history_has_no_finding() -> None:
    assert judge(good()) == []


@pytest.mark.parametrize(("plant", "kind"), FAULTS, ids=[plant.__name__ for plant, _ in FAULTS])
def test_a_planted_fault_is_named(plant: Callable[[History], None], kind: str) -> None:
    history = good()
    plant(history)
    assert {finding.kind for finding in judge(history)} == {kind}


def test_each_verdict_has_a_planted_fault() -> None:
    assert {kind for _, kind in FAULTS} == set(KINDS)


def test_a_history_survives_the_kill_of_its_writer(tmp_path: Path) -> None:
    path = tmp_path / "events"
    recorder = Recorder(path)
    took = [["g", "in", [[3, "i"]], 4]]
    base = {"id": "A", "instance": "A1"}
    recorder.write({"e": "init", "at": 5, **base})
    recorder.write({"e": "began", "txn": "t", "at": 6, "sends": [["p", "v"]], "takes": took, **base})
    recorder.write({"e": "ending", "txn": "t", "at": 7, "commit": True, "offsets": [["v", 9]]})
    recorder.write({"e": "read", "session": "c", "at": 8, "records": [["p", 9, "v"]]})
    with path.open("a") as file:
        file.write(json.dumps({"e": "ended", "txn": "t"})[:-4])
    history = load([path])
    expected = Transaction("t", "A", "A1", 6, [Send("p", "v", 9)], [Take("g", "in", [(3, "i")], 4)], asked=7)
    assert history.transactions == {"t": expected}
    assert history.polls == [Poll("c", 8, [("p", 9, "v")])]
    assert history.inits == {"A1": ("A", 5)}
