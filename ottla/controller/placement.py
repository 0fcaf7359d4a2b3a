"""Where replicas go: over racks in turn, and within a rack over brokers in turn, each row shifted by one.

    racks  A: 0 1    B: 2 3    C: 4         partition 0   0 2 4     the first replica (the leader) walks over racks and
                                                      1   3 4 1     brokers; further replicas take the racks that
                                                      2   4 1 3     follow; fenced brokers come last and never first

That is the rule of Kafka's StripedReplicaPlacer: leaders spread evenly over racks and brokers, a partition uses as many
racks as there are, and where it starts is random, so that small topics do not all begin on the first broker. When every
broker has led once the orders are shuffled, so that the same replica sets do not repeat.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from ..metadata.image import BrokerImage
from ..protocol.errors import ErrorCode, KafkaError
from .decision import Randomness

ItemT = TypeVar("ItemT")


class _Ring:
    """Brokers of a rack; each row of replicas begins one further."""

    def __init__(self, brokers: list[int], random: Randomness):
        self._brokers = sorted(brokers)
        self._start = random.randrange(len(brokers)) if brokers else 0
        self._row = 0
        self._taken = 0

    def next(self, row: int) -> int | None:
        """Return the next broker for a row, or None when the row has used them all."""
        if self._row != row:
            self._row, self._taken = row, 0
            if self._brokers:
                self._start = (self._start + 1) % len(self._brokers)
        if self._taken >= len(self._brokers):
            return None
        broker = self._brokers[(self._start + self._taken) % len(self._brokers)]
        self._taken += 1
        return broker

    def shuffle(self, random: Randomness) -> None:
        _shuffle(self._brokers, random)


class _Rack:
    def __init__(self, brokers: list[BrokerImage], random: Randomness):
        self._fenced = _Ring([b.id for b in brokers if b.fenced], random)
        self._unfenced = _Ring([b.id for b in brokers if not b.fenced], random)

    def next_leader(self, row: int) -> int | None:
        return self._unfenced.next(row)

    def next(self, row: int) -> int | None:
        broker = self._unfenced.next(row)
        return self._fenced.next(row) if broker is None else broker

    def shuffle(self, random: Randomness) -> None:
        self._fenced.shuffle(random)
        self._unfenced.shuffle(random)


def place(
    brokers: Iterable[BrokerImage], partitions: int, replication_factor: int, random: Randomness
) -> list[tuple[int, ...]]:
    """Choose replicas for new partitions; raises `KafkaError(INVALID_REPLICATION_FACTOR)` if there are too few brokers."""
    by_rack: dict[str | None, list[BrokerImage]] = {}
    for broker in brokers:
        by_rack.setdefault(broker.rack, []).append(broker)
    total = sum(map(len, by_rack.values()))
    unfenced = sum(not b.fenced for rack in by_rack.values() for b in rack)
    if replication_factor <= 0:
        raise _refused(f"Invalid replication factor {replication_factor}: the replication factor must be positive.")
    if unfenced == 0:
        raise _refused("All brokers are currently fenced.")
    if replication_factor > total:
        raise _refused(
            f"The target replication factor of {replication_factor} cannot be reached because only {total} "
            "broker(s) are registered."
        )
    order = sorted(by_rack, key=lambda name: (name is not None, name or ""))
    racks = [_Rack(by_rack[name], random) for name in order]
    first = random.randrange(len(racks))
    row, rows = 0, []
    for _ in range(partitions):
        if row == unfenced and unfenced > 1:
            _shuffle(racks, random)
            for rack in racks:
                rack.shuffle(random)
            row = 0
        rows.append(_place_row(racks, first, row, replication_factor))
        row += 1
        first = (first + 1) % len(racks)
    return rows


def _place_row(racks: list[_Rack], first: int, row: int, replication_factor: int) -> tuple[int, ...]:
    """Choose one partition's replicas: a leader from the first rack that has one, the rest from the racks in turn."""
    count = len(racks)
    leader, leader_rack = None, first
    for step in range(count):
        leader_rack = (first + step) % count
        leader = racks[leader_rack].next_leader(row)
        if leader is not None:
            break
    assert leader is not None  # there is an unfenced broker, and a row takes one leader
    replicas = [leader]
    at, skip = first, leader_rack
    while len(replicas) < replication_factor:
        if at == skip:
            skip = -1  # the leader's rack has had its turn in this round
        else:
            broker = racks[at].next(row)
            if broker is not None:
                replicas.append(broker)
        at = (at + 1) % count
    return tuple(replicas)


def _shuffle(items: list[ItemT], random: Randomness) -> None:
    for i in range(len(items) - 1, 0, -1):
        j = random.randrange(i + 1)
        items[i], items[j] = items[j], items[i]


def _refused(message: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_REPLICATION_FACTOR, message)
