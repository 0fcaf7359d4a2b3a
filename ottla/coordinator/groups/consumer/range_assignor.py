"""The assignor `range`: of each topic, every subscriber gets one contiguous piece, in the order of instance and member ids.

Topics with the same number of partitions and the same subscribers are cut alike, so that a member gets the same partitions
of all of them (co-partitioning). It is not sticky: who joins shifts the pieces.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..modern.assignment import Assignment
from ..modern.assignor import GroupSpec, MemberSpec

__all__ = ["assign_range"]


def _place(member: MemberSpec) -> tuple[bool, str]:
    """Static members come first, by instance id; then the others by member id."""
    if member.instance_id is not None:
        return False, member.instance_id
    return True, member.member_id


def assign_range(spec: GroupSpec) -> Mapping[str, Assignment]:
    """Cut each topic into as many pieces as it has subscribers; the first ones get what cannot be divided."""
    subscribers: dict[bytes, list[str]] = {}
    members = sorted(spec.members.values(), key=_place)
    for member in members:
        for topic_id in member.topic_ids:
            subscribers.setdefault(topic_id, []).append(member.member_id)
    assigned: dict[str, dict[bytes, frozenset[int]]] = {member.member_id: {} for member in members}
    for topic_id, member_ids in subscribers.items():
        each, remainder = divmod(spec.partition_counts[topic_id], len(member_ids))
        start = 0
        for number, member_id in enumerate(member_ids):
            end = start + each + (number < remainder)
            if end > start:
                assigned[member_id][topic_id] = frozenset(range(start, end))
            start = end
    return assigned
