"""`range`: of each topic every member gets a run of neighbouring partitions; the first members get one more.

Equal partition counts end up equally: partition 3 of two topics goes to one member, which a join of the two needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .types import Assignment, Member, TopicAndPartition


class RangeAssignor:
    """Kafka's RangeAssignor, without its look at racks."""

    name = "range"
    cooperative = False

    def user_data(self, owned: Sequence[TopicAndPartition], generation: int) -> bytes | None:
        return None

    def assign(self, counts: Mapping[str, int], members: Sequence[Member]) -> Assignment:
        assignment: Assignment = {member.member_id: [] for member in members}
        ordered = sorted(members, key=lambda member: member.order)
        for topic in sorted(counts):
            readers = [member for member in ordered if topic in member.topics]
            if not readers:
                continue
            share, more = divmod(counts[topic], len(readers))
            first = 0
            for index, member in enumerate(readers):
                stop = first + share + (index < more)
                assignment[member.member_id] += [(topic, partition) for partition in range(first, stop)]
                first = stop
        return assignment
