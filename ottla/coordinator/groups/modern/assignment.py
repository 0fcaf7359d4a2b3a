"""Partitions by topic id: what a member has, shall have, or gives back. Values are immutable and shared freely."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

__all__ = ["NOTHING", "Assignment", "assignment_of", "frozen", "is_within", "topic_partitions"]

#: Topic id -> partitions. Invariant: no topic without partitions. Nobody writes to one after it was made.
Assignment = Mapping[bytes, frozenset[int]]

NOTHING: Assignment = MappingProxyType({})


class TopicPartitions(Protocol):
    """A struct of a message or record with a topic and some of its partitions."""

    topic_id: bytes
    partitions: list[int]


StructT = TypeVar("StructT")


def assignment_of(structs: Iterable[TopicPartitions]) -> Assignment:
    """Read the structs of a message or record."""
    return {struct.topic_id: frozenset(struct.partitions) for struct in structs if struct.partitions}


def topic_partitions(assignment: Assignment, struct: type[StructT]) -> list[StructT]:
    """Write an assignment as structs, partitions in order."""
    make: Any = struct
    return [make(topic_id=topic_id, partitions=sorted(partitions)) for topic_id, partitions in assignment.items()]


def frozen(partitions: Mapping[bytes, Iterable[int]]) -> Assignment:
    """Make an assignment of collections that are being built."""
    return {topic_id: frozenset(some) for topic_id, some in partitions.items() if some}


def is_within(structs: Iterable[TopicPartitions] | None, assignment: Assignment) -> bool:
    """Whether a list of partitions (null is none that we know of) holds nothing outside of the assignment."""
    if structs is None:
        return False
    return all(assignment.get(s.topic_id, frozenset()).issuperset(s.partitions) for s in structs)
