"""Judges a history of transactions, in the manner of Jepsen's Kafka workload. Pure: a `History` in, findings out.

What became of a transaction is read from the log: one of whose values one is readable was committed. Against that stand
what its producer was told, what every poll showed, and how far the groups came:

    lost                 committed was answered, a value is not there (though others are not either: then not torn)
    duplicate            a value stands twice
    aborted-read         a value of an aborted transaction was read, by a poll or in the end
    torn                 of a transaction some values are there and some are not
    phantom              a value that nobody sent; or in a partition it was not sent to
    premature-read       a poll showed a value before its commit was asked
    vanished             a poll showed a value at an offset where it is not in the end
    inconsistent-offset  the broker told another offset for a value than it has
    internal-order       values of one transaction stand in another order than they were sent in
    external-order       values of a transaction stand before those of one that had ended when it began
    nonmonotonic-poll    a consumer saw an offset again or a lower one after a higher one
    skipped-poll         a consumer went past a committed value
    zombie               a producer committed a transaction that it began after its successor was initialised
    consumed-twice       two committed transactions of a group took the same input
    consumed-never       the group's position is past an input that no committed transaction took
    position-ahead       the group's position is past what committed transactions took along
    position-behind      the group's position is before what committed transactions took along
    hanging              a transaction is open though every producer has ended
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from .history import ABORTED, COMMITTED, NEVER, History, Transaction

KINDS = (
    "lost", "duplicate", "aborted-read", "torn", "phantom", "premature-read", "vanished", "inconsistent-offset",
    "internal-order", "external-order", "nonmonotonic-poll", "skipped-poll", "zombie", "consumed-twice",
    "consumed-never", "position-ahead", "position-behind", "hanging",
)  # fmt: skip


class Finding(NamedTuple):
    """What is wrong, and where."""

    kind: str
    what: str


@dataclass
class _Value:
    """One value: whose it is, where it was sent, and where it stands."""

    transaction: Transaction
    partition: str
    number: int
    told: int | None
    offsets: list[int]


class _Case:
    """A history with its indexes."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.values: dict[str, _Value] = {}
        for transaction in history.transactions.values():
            for number, send in enumerate(transaction.sends):
                self.values[send.value] = _Value(transaction, send.partition, number, send.offset, [])
        self.phantoms: list[tuple[str, int, str]] = []
        for partition, records in history.log.items():
            for offset, value in records:
                known = self.values.get(value)
                if known is None or known.partition != partition:
                    self.phantoms.append((partition, offset, value))
                else:
                    known.offsets.append(offset)
        self.at = {partition: dict(records) for partition, records in history.log.items()}
        self.offsets = {partition: sorted(dict(records)) for partition, records in history.log.items()}

    def stands(self, transaction: Transaction) -> bool:
        """Whether a transaction was committed, as the log shows."""
        if not transaction.sends:
            return transaction.outcome == COMMITTED
        return any(self.values[send.value].offsets for send in transaction.sends)


def judge(history: History) -> list[Finding]:
    """All that is wrong with a history."""
    case = _Case(history)
    found = [Finding("phantom", f"{value} at {partition}/{offset}") for partition, offset, value in case.phantoms]
    for check in (_fates, _places, _orders, _polls, _sessions, _zombies, _groups):
        found += check(case)
    found += [Finding("hanging", f"{name}: {stable} of {end}") for name, (stable, end) in history.open.items()]
    return found


def _fates(case: _Case) -> Iterator[Finding]:
    """Each transaction: all or nothing, as was answered."""
    for transaction in case.history.transactions.values():
        missing = [send.value for send in transaction.sends if not case.values[send.value].offsets]
        if not transaction.sends:
            continue
        if transaction.outcome == ABORTED:
            if len(missing) < len(transaction.sends):
                yield Finding("aborted-read", f"{transaction.name} stands in the log")
        elif missing and len(missing) < len(transaction.sends):
            yield Finding("torn", f"{transaction.name} is without {', '.join(missing)}")
        elif missing and transaction.outcome == COMMITTED:
            yield Finding("lost", f"{transaction.name} was committed and is not there")


def _places(case: _Case) -> Iterator[Finding]:
    for value, known in case.values.items():
        if len(known.offsets) > 1:
            yield Finding("duplicate", f"{value} at {known.partition}/{known.offsets}")
        elif known.offsets and known.told not in (None, known.offsets[0]):
            told = f"was told {known.told}, is at {known.offsets[0]}"
            yield Finding("inconsistent-offset", f"{value} {told} in {known.partition}")


def _orders(case: _Case) -> Iterator[Finding]:
    """Within a transaction, and of the transactions of one transactional id, of which one follows the other."""
    spans: dict[tuple[str, str], list[tuple[Transaction, int, int]]] = defaultdict(list)
    for transaction in case.history.transactions.values():
        by_partition: dict[str, list[int]] = defaultdict(list)
        for send in transaction.sends:
            if len(case.values[send.value].offsets) == 1:
                by_partition[send.partition].append(case.values[send.value].offsets[0])
        for partition, offsets in by_partition.items():
            if offsets != sorted(offsets):
                yield Finding("internal-order", f"{transaction.name} in {partition}: {offsets}")
            spans[transaction.transactional_id, partition].append((transaction, min(offsets), max(offsets)))
    for (_, partition), members in spans.items():
        members.sort(key=lambda member: member[0].began)
        highest, name, ended = -1, "", NEVER
        for transaction, first, last in members:
            if first < highest and ended <= transaction.began:
                yield Finding("external-order", f"{transaction.name} stands before {name} in {partition}")
            if last > highest:
                highest, name, ended = last, transaction.name, transaction.ended


def _polls(case: _Case) -> Iterator[Finding]:
    """Each poll: only what was committed by then, and what stays where it was."""
    told: set[tuple[str, str]] = set()
    for poll in case.history.polls:
        for partition, offset, value in poll.records:
            known = case.values.get(value)
            if known is None:
                kind = "" if (partition, offset, value) in case.phantoms else "phantom"
            elif known.transaction.outcome == ABORTED:
                kind = "aborted-read"
            elif poll.at < known.transaction.asked:
                kind = "premature-read"
            else:
                kind = "" if case.at.get(partition, {}).get(offset) == value else "vanished"
            if kind and (kind, value) not in told:
                told.add((kind, value))
                yield Finding(kind, f"{value} at {partition}/{offset} by {poll.session}")


def _sessions(case: _Case) -> Iterator[Finding]:
    """Each consumer, partition by partition: forward, past nothing."""
    last: dict[tuple[str, str], int] = {}
    for poll in case.history.polls:
        for partition, offset, value in poll.records:
            before = last.get((poll.session, partition))
            if before is not None:
                if offset <= before:
                    yield Finding("nonmonotonic-poll", f"{poll.session} saw {partition}/{offset} after {before}")
                    continue
                known = case.offsets.get(partition, [])
                between = known[bisect_right(known, before) : bisect_left(known, offset)]
                if between:
                    gone = f"{partition}/{between} between {before} and {offset}"
                    yield Finding("skipped-poll", f"{poll.session} did not see {gone} ({value})")
            last[poll.session, partition] = offset


def _zombies(case: _Case) -> Iterator[Finding]:
    """Who was replaced before it began commits nothing."""
    inits: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for instance, (transactional_id, at) in case.history.inits.items():
        inits[transactional_id].append((at, instance))
    for those in inits.values():
        those.sort()
    replaced = {
        instance: those[number + 1][0]
        for those in inits.values()
        for number, (_, instance) in enumerate(those)
        if number + 1 < len(those)
    }
    for transaction in case.history.transactions.values():
        if transaction.began > replaced.get(transaction.instance, NEVER) and case.stands(transaction):
            yield Finding("zombie", f"{transaction.name} of {transaction.instance}")


def _groups(case: _Case) -> Iterator[Finding]:
    """Consume, transform, produce: every input below the group's position by exactly one committed transaction."""
    taken: dict[tuple[str, str], dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    position: dict[tuple[str, str], int] = defaultdict(int)
    for transaction in case.history.transactions.values():
        if not case.stands(transaction):
            continue
        for take in transaction.takes:
            key = (take.group, take.partition)
            position[key] = max(position[key], take.position)
            for offset, _ in take.inputs:
                taken[key][offset].append(transaction.name)
    for key in sorted({*position, *case.history.positions}):
        where = "{} in {}".format(*key)
        known = case.history.positions.get(key, 0)
        if known > position[key]:
            yield Finding("position-ahead", f"{where}: {known}, committed transactions came to {position[key]}")
        elif known < position[key]:
            yield Finding("position-behind", f"{where}: {known}, committed transactions came to {position[key]}")
        for offset, names in taken[key].items():
            if len(names) > 1:
                yield Finding("consumed-twice", f"{where}: {offset} by {', '.join(names)}")
        missing = [o for o in case.offsets.get(key[1], []) if o < position[key] and o not in taken[key]]
        if missing:
            yield Finding("consumed-never", f"{where}: {missing[:5]} ({len(missing)} in all)")
