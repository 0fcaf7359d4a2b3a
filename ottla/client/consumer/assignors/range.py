"""`range`: of each topic every member gets a run of neighbouring partitions; the first members get one more.

Equal partition counts end up equally: partition 3 of two topics goes to one member, which a join of the two needs.

With racks (KIP-881) a member gets, within its share, first what has a replica in its rack; what is left over goes out as without. Topics with
equally many partitions and the same readers still go together: a partition number is given to one member if it is near for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .racks import Racks, racks_matter
from .types import Assignment, Member, TopicAndPartition


class RangeAssignor:
    """Kafka's RangeAssignor."""

    name = "range"
    cooperative = False

    def user_data(self, owned: Sequence[TopicAndPartition], generation: int) -> bytes | None:
        return None

    def assign(self, counts: Mapping[str, int], members: Sequence[Member]) -> Assignment:
        return self.assign_near(counts, members, {})

    def assign_near(self, counts: Mapping[str, int], members: Sequence[Member], racks: Racks) -> Assignment:
        """The same, with the racks in which each partition has replicas."""
        assignment: Assignment = {member.member_id: [] for member in members}
        ordered = sorted(members, key=lambda member: member.order)
        topics = []
        for name in sorted(counts):
            readers = [member for member in ordered if name in member.topics]
            if readers and counts[name]:
                topics.append(_Topic(name, counts[name], readers, racks))
        if any(topic.by_rack for topic in topics):
            _assign_by_rack(topics, assignment)
        for topic in topics:
            topic.deal(assignment, near=False)
        for given in assignment.values():
            given.sort()
        return assignment


class _Topic:
    """How far a topic is dealt out."""

    def __init__(self, name: str, count: int, readers: Sequence[Member], racks: Racks) -> None:
        self.name, self.readers, self.count = name, readers, count
        self.left = list(range(count))
        self.racks = [racks.get((name, partition), frozenset()) for partition in range(count)]
        self.by_rack = racks_matter(readers, self.racks)
        self._share, self._more = divmod(count, len(readers))
        self._given = dict.fromkeys((member.member_id for member in readers), 0)

    def room(self, member: Member) -> int:
        """How many partitions it may still get."""
        return max(0, self._share + (self._more > 0) - self._given[member.member_id])

    def is_near(self, member: Member, partition: int) -> bool:
        """Whether there is a replica in its rack; who stands nowhere is near to all."""
        return member.rack is None or member.rack in self.racks[partition]

    def give(self, member: Member, partitions: Sequence[int], assignment: Assignment) -> None:
        self._given[member.member_id] += len(partitions)
        if self._given[member.member_id] > self._share:
            self._more -= 1
        self.left = [partition for partition in self.left if partition not in partitions]
        assignment[member.member_id] += [(self.name, partition) for partition in partitions]

    def deal(self, assignment: Assignment, *, near: bool) -> None:
        """A run for each reader, with `near` of what is near to it."""
        for member in self.readers:
            fitting = [partition for partition in self.left if not near or self.is_near(member, partition)]
            chosen = fitting[: self.room(member)]
            if chosen:
                self.give(member, chosen, assignment)


def _assign_by_rack(topics: Sequence[_Topic], assignment: Assignment) -> None:
    together: dict[tuple[tuple[str, ...], int], list[_Topic]] = {}
    for topic in topics:
        readers = tuple(member.member_id for member in topic.readers)
        together.setdefault((readers, topic.count), []).append(topic)
    for group in together.values():
        if len(group) > 1:
            _assign_together(group, assignment)
        elif group[0].by_rack:
            group[0].deal(assignment, near=True)


def _assign_together(topics: Sequence[_Topic], assignment: Assignment) -> None:
    """Give one partition number of all these topics to a member that it is near to in each of them."""
    for partition in range(topics[0].count):
        for member in topics[0].readers:
            if all(topic.room(member) and topic.is_near(member, partition) for topic in topics):
                for topic in topics:
                    topic.give(member, [partition], assignment)
                break
