"""The assignor "simple" of share groups: every partition to some members, every member about as many partitions.

A partition may be read by several members. With P partitions and M members each partition is shared by S = ⌈M / P⌉ of
them, and member i has ⌈S·P/M·(i+1)⌉ - ⌈S·P/M·i⌉ partitions. Starting from the last assignment:

    1  take from each member what nobody reads any more, and what it has too much
    2  take each partition from whom it is shared with too many
    3  give what is missing to members that have too few, going round them

If all members read the same topics this is done once for all partitions, else for each topic by itself. To come to the same
result as Kafka's, everything is gone through in the order of Kafka's hash maps (`modern/hash_order`), which decides who
of several equals gets a partition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import ceil
from typing import Generic, NamedTuple, TypeVar

from ..modern.assignment import NOTHING, Assignment, frozen
from ..modern.hash_order import by_number, by_string, by_topic_partition, by_uuid, capacity_for_copy

__all__ = ["ASSIGNOR_NAME", "ShareMemberSpec", "assign"]

ASSIGNOR_NAME = "simple"

#: A partition: with its topic where all topics are assigned at once, a bare index within one topic.
PartitionT = TypeVar("PartitionT")
Walk = Callable[[Iterable[PartitionT], int], list[PartitionT]]

#: The table of a HashMap made without a size.
_DEFAULT_CAPACITY = 16


class ShareMemberSpec(NamedTuple):
    """A member as the assignor sees it."""

    member_id: str
    #: Name -> id of the subscribed topics that exist.
    topics: Mapping[str, bytes]
    #: Its part of the last target assignment.
    assignment: Assignment

    def topic_ids(self) -> list[bytes]:
        """Return the topics in the order of Kafka's set of their names."""
        return [self.topics[name] for name in by_string(self.topics, capacity_for_copy(len(self.topics)))]


def assign(members: Sequence[ShareMemberSpec], assignable: Assignment, *, homogeneous: bool) -> dict[str, Assignment]:
    """Return the partitions of each member.

    `assignable` are the partitions whose state is initialized; the others are not given to anybody.
    """
    ids = by_string(member.member_id for member in members)
    by_id = {member.member_id: member for member in members}
    ordered = [by_id[member_id] for member_id in ids]
    if not any(member.topics for member in ordered):
        return dict.fromkeys(ids, NOTHING)
    result = _homogeneous(ordered, assignable) if homogeneous else _heterogeneous(ordered, assignable)
    return {member.member_id: frozen(result[index]) for index, member in enumerate(ordered)}


Assigned = list[dict[bytes, set[int]]]


def _homogeneous(members: list[ShareMemberSpec], assignable: Assignment) -> Assigned:
    topic_ids = members[0].topic_ids()
    subscribed = set(topic_ids)
    targets = [
        (topic_id, partition) for topic_id in topic_ids for partition in sorted(assignable.get(topic_id, frozenset()))
    ]
    old = [
        [(topic_id, p) for topic_id in by_uuid(one.assignment) if topic_id in subscribed for p in _old(one, topic_id)]
        for one in members
    ]
    sharing = _Sharing(
        targets,
        dict(enumerate(old)),
        range(len(members)),
        walk=by_topic_partition,
        at_once=True,
    )
    result: Assigned = [{} for _ in members]
    for index, partitions in sharing.build().items():
        for topic_id, partition in partitions:
            result[index].setdefault(topic_id, set()).add(partition)
    return result


def _heterogeneous(members: list[ShareMemberSpec], assignable: Assignment) -> Assigned:
    names: dict[bytes, None] = {}
    for member in members:
        names.update(dict.fromkeys(member.topic_ids()))
    # What is assigned of a topic that nobody reads any more stays in the target; members are not given it.
    result: Assigned = [{topic: set(some) for topic, some in one.assignment.items()} for one in members]
    readers: dict[bytes, list[int]] = {}
    for index, member in enumerate(members):
        for topic_id in member.topics.values():
            readers.setdefault(topic_id, []).append(index)
    for topic_id in by_uuid(names):
        sharing = _Sharing(
            sorted(assignable.get(topic_id, frozenset())),
            {index: _old(one, topic_id) for index, one in enumerate(members) if topic_id in one.assignment},
            readers[topic_id],
            walk=by_number,
            at_once=False,
        )
        assigned = sharing.build()
        for index, topics in enumerate(result):
            topics[topic_id] = set(assigned.get(index, ()))
    return result


def _old(member: ShareMemberSpec, topic_id: bytes) -> list[int]:
    partitions = sorted(member.assignment[topic_id])
    return by_number(partitions, capacity_for_copy(len(partitions)))


def _map_capacity(count: int) -> int:
    """Return the capacity of a map that Kafka's assignor makes for so many entries."""
    return int((count + 1) / 0.75 + 1)


def _grown_capacity(count: int) -> int:
    """Return the size of a set that was made without one and has had so many members."""
    capacity = _DEFAULT_CAPACITY
    while count > capacity * 3 // 4:
        capacity *= 2
    return capacity


class _Sharing(Generic[PartitionT]):
    """Shares some partitions among some members; members are numbers."""

    def __init__(
        self,
        targets: Sequence[PartitionT],
        old: Mapping[int, Sequence[PartitionT]],
        members: Sequence[int],
        *,
        walk: Walk[PartitionT],
        at_once: bool,
    ) -> None:
        self._targets = targets
        self._members = members
        self._walk = walk
        self._at_once = at_once
        self._sharing = -(-len(members) // len(targets)) if targets else 0
        precise = self._sharing * len(targets) / len(members)
        self._desired = {
            member: ceil(precise * (place + 1)) - ceil(precise * place) for place, member in enumerate(members)
        }
        self._by_partition: dict[PartitionT, dict[int, None]] = {}
        self._by_member: dict[int, dict[PartitionT, None]] = {}
        for member, partitions in old.items():
            for partition in partitions:
                self._by_partition.setdefault(partition, {})[member] = None
                self._by_member.setdefault(member, {})[partition] = None
        self._unfilled = {member for member in members if len(self._of(member)) < self._desired[member]}
        #: How many members each partition had at first: the size that Kafka's sets have grown to.
        self._grown = {partition: len(sharers) for partition, sharers in self._by_partition.items()}

    def _of(self, member: int) -> dict[PartitionT, None]:
        return self._by_member.get(member, {})

    def build(self) -> dict[int, dict[PartitionT, None]]:
        """Return the partitions of each member that has any."""
        self._revoke_overfilled()
        self._revoke_overshared()
        for partition in self._targets:
            self._by_partition.setdefault(partition, {})
        self._assign_remaining()
        return self._by_member

    def _revoke_overfilled(self) -> None:
        for member, partitions in self._by_member.items():
            surplus = len(partitions) - self._desired.get(member, 0)
            if surplus > 0:
                for partition in self._walk(partitions, _DEFAULT_CAPACITY)[:surplus]:
                    del partitions[partition]
                    del self._by_partition[partition][member]

    def _revoke_overshared(self) -> None:
        for partition, sharers in self._by_partition.items():
            surplus = len(sharers) - self._sharing
            if surplus > 0:
                capacity = _grown_capacity(self._grown[partition])
                for member in by_number(sharers, capacity)[:surplus]:
                    del sharers[member]
                    del self._by_member[member][partition]
                    if self._at_once:
                        self._unfilled.add(member)

    def _assign_remaining(self) -> None:
        if not self._at_once:
            self._unfilled = {member for member in self._members if len(self._of(member)) < self._desired[member]}
        if not self._unfilled:
            return
        rounds = _Rounds(sorted(self._unfilled))
        # `computeIfAbsent`, by which Kafka fills this map, puts a new key first into its bucket, not last.
        for partition in self._walk(reversed(self._by_partition), _map_capacity(len(self._targets))):
            sharers = self._by_partition[partition]
            missing = self._sharing - len(sharers)
            while missing > 0:
                member = rounds.next()
                if member is None:
                    break
                if member in sharers:
                    continue
                # Kafka leaves out to note the member with the partition: nothing looks at it after this.
                partitions = self._by_member.setdefault(member, {})
                partitions[partition] = None
                missing -= 1
                rounds.used(full=len(partitions) >= self._desired[member])
            if not rounds.members:
                break


class _Rounds:
    """Goes round the members that have too few partitions, and stops after a round in which nobody took any."""

    def __init__(self, members: list[int]) -> None:
        self.members = members
        self._place = -1
        self._taken = False

    def next(self) -> int | None:
        """Return the next member; None if it is no use to ask any more."""
        self._place += 1
        if self._place >= len(self.members):
            if not self._taken or not self.members:
                self._place = len(self.members) - 1
                return None
            self._place, self._taken = 0, False
        return self.members[self._place]

    def used(self, *, full: bool) -> None:
        """Note that the member just returned took a partition, and leave it out from now on if it is full."""
        self._taken = True
        if full:
            del self.members[self._place]
            self._place -= 1
