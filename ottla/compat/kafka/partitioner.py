"""kafka.partitioner: the base class of a program's own, and the names of those that our producer does by itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from ...client.producer._append_cy import partition_of


class Partitioner(ABC):
    """Chooses a record's partition."""

    @abstractmethod
    def partition(
        self,
        topic: str,
        key: Any,
        serialized_key: bytes | None,
        value: Any,
        serialized_value: bytes | None,
        cluster: Any,
    ) -> int:
        """The partition; `cluster` has `partitions_for_topic` and `available_partitions_for_topic`."""


class Partitions:
    """What a partitioner is told of the cluster."""

    def __init__(self, partitions_for: Callable[[str], set[int]]) -> None:
        self._partitions_for = partitions_for

    def partitions_for_topic(self, topic: str) -> set[int]:
        return self._partitions_for(topic)

    available_partitions_for_topic = partitions_for_topic

    def topics(self) -> _Any:
        return _Any()


class _Any:
    """Every topic is known: what is not is asked for."""

    def __contains__(self, topic: object) -> bool:
        return True


class DefaultPartitioner(Partitioner):
    """Java's: by murmur2 of the key."""

    def partition(
        self,
        topic: str,
        key: Any,
        serialized_key: bytes | None,
        value: Any,
        serialized_value: bytes | None,
        cluster: Any,
    ) -> int:
        every = sorted(cluster.partitions_for_topic(topic))
        return int(every[partition_of(serialized_key or b"", len(every))])


class StickyPartitioner(DefaultPartitioner):
    """The same; records without key stay with a partition for a batch, as our producer does anyway."""
