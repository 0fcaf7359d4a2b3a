"""Where partitions and members stand (KIP-881). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .types import Member, TopicAndPartition

#: Partition -> the racks in which it has replicas.
Racks = Mapping[TopicAndPartition, frozenset[str]]


def racks_matter(members: Iterable[Member], racks: Sequence[frozenset[str]]) -> bool:
    """Whether some member is nearer to some partition than to others: not where each partition has a replica in every rack."""
    everywhere = frozenset().union(*racks)
    if not any(member.rack in everywhere for member in members if member.rack is not None):
        return False
    return any(each != everywhere for each in racks)
