"""The assignor `uniform`, Kafka's default: everybody gets as many partitions as the next, and keeps what it has.

Where all members read the same topics, a quota says it all:

    quota = partitions / members, and one more for the first few
    1. each member keeps of its last assignment what fits into its quota; the rest is free
    2. free partitions fill up the members that are below theirs, in order

Whose turn it is where it does not matter follows from the order of Kafka's hash maps (`modern/hash_order`), so that the
same group gets the same assignment from both. Where members read different topics: `uniform_mixed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..modern import hash_order
from ..modern.assignment import Assignment, frozen
from ..modern.assignor import GroupSpec, MemberSpec
from .uniform_mixed import assign_mixed

__all__ = ["assign_uniform"]


class _Unfilled(NamedTuple):
    member_id: str
    room: int


def assign_uniform(spec: GroupSpec) -> Mapping[str, Assignment]:
    """Assign evenly, moving as little as possible."""
    if not spec.members:
        return {}
    return _assign_same(spec) if spec.homogeneous else assign_mixed(spec)


def _assign_same(spec: GroupSpec) -> Mapping[str, Assignment]:
    first = next(iter(spec.members.values()))
    topic_ids = hash_order.by_uuid(first.topic_order, hash_order.capacity_for_copy(first.names_count))
    if not topic_ids:
        return {}
    free: list[tuple[bytes, int]] = []
    total = 0
    for topic_id in topic_ids:
        count = spec.partition_counts[topic_id]
        owners = spec.owners.get(topic_id, {})
        free += [(topic_id, partition) for partition in range(count) if partition not in owners]
        total += count
    targets: dict[str, Assignment] = {}
    unfilled: list[_Unfilled] = []
    quota, extras = divmod(total, len(spec.members))
    for number, member in enumerate(spec.members.values()):
        has_extra = extras > 0
        kept, room = _keep(member, frozenset(topic_ids), quota + has_extra, free)
        targets[member.member_id] = kept
        if room and has_extra and len(spec.members) - number > extras:
            # It does not use the one it could have more, and enough members come after it that may.
            room -= 1
            has_extra = False
        if room:
            unfilled.append(_Unfilled(member.member_id, room))
        extras -= has_extra
    _fill(targets, unfilled, free)
    return targets


def _keep(
    member: MemberSpec, topic_ids: frozenset[bytes], quota: int, free: list[tuple[bytes, int]]
) -> tuple[Assignment, int]:
    """Let a member keep what fits into its quota; what does not is added to `free`. Returns also how much room is left."""
    room = quota
    changed: dict[bytes, frozenset[int]] = dict(member.assignment)
    for topic_id in hash_order.by_uuid(member.assignment):
        partitions = member.assignment[topic_id]
        if topic_id not in topic_ids:
            del changed[topic_id]
        elif len(partitions) <= room:
            room -= len(partitions)
        else:
            order = hash_order.by_number(sorted(partitions), hash_order.capacity_for_copy(len(partitions)))
            changed[topic_id] = frozenset(order[:room])
            free += [(topic_id, partition) for partition in order[room:]]
            if not room:
                del changed[topic_id]
            room = 0
    return (member.assignment if changed == member.assignment else changed), room


def _fill(targets: dict[str, Assignment], unfilled: list[_Unfilled], free: list[tuple[bytes, int]]) -> None:
    given = iter(free)
    for member_id, room in unfilled:
        grown = {topic_id: set(partitions) for topic_id, partitions in targets[member_id].items()}
        for _, (topic_id, partition) in zip(range(room), given, strict=False):
            grown.setdefault(topic_id, set()).add(partition)
        targets[member_id] = frozen(grown)
