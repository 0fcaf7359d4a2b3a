"""What a server-side assignor is told, and the one thing it answers: partitions by member."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from .assignment import Assignment

__all__ = ["Assign", "GroupSpec", "MemberSpec"]


class MemberSpec(NamedTuple):
    """One member as an assignor sees it."""

    member_id: str
    instance_id: str | None
    rack_id: str | None
    #: How many topic names it subscribed to; some may not exist.
    names_count: int
    #: The ids of those that exist, and the same in the order of Kafka's set of their names.
    topic_ids: frozenset[bytes]
    topic_order: tuple[bytes, ...]
    #: Its part of the last target assignment.
    assignment: Assignment


class GroupSpec(NamedTuple):
    """A group as an assignor sees it."""

    #: In the order of Kafka's map of them (`hash_order`).
    members: Mapping[str, MemberSpec]
    #: Whether all members subscribed to the same topics.
    homogeneous: bool
    #: Partitions of the last target assignment: topic id -> partition -> member.
    owners: Mapping[bytes, Mapping[int, str]]
    #: Topic id -> number of partitions, of all topics in it.
    partition_counts: Mapping[bytes, int]


#: Every member of the group stands in the answer, or has nothing.
Assign = Callable[[GroupSpec], Mapping[str, Assignment]]
