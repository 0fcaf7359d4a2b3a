"""`roundrobin`: all partitions of all topics are dealt out in turn, passing over members that do not read the topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .types import Assignment, Member, TopicAndPartition


class RoundRobinAssignor:
    """Kafka's RoundRobinAssignor."""

    name = "roundrobin"
    cooperative = False

    def user_data(self, owned: Sequence[TopicAndPartition], generation: int) -> bytes | None:
        return None

    def assign(self, counts: Mapping[str, int], members: Sequence[Member]) -> Assignment:
        assignment: Assignment = {member.member_id: [] for member in members}
        ordered = sorted(members, key=lambda member: member.order)
        read = frozenset().union(*(member.topics for member in members)) if members else frozenset()
        turn = 0
        for topic in sorted(read & counts.keys()):
            for partition in range(counts[topic]):
                while topic not in ordered[turn % len(ordered)].topics:
                    turn += 1
                assignment[ordered[turn % len(ordered)].member_id].append((topic, partition))
                turn += 1
        return assignment
