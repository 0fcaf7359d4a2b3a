"""Where records without key go (KIP-480, KIP-794): to one partition until it got its share, then to another. Pure.

Chosen is by chance among the partitions that have a leader; one with many batches waiting is chosen more rarely, so that a slow
broker does not fill the buffer for all. The partition of a key is `_append_cy.partition_of`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..metadata import Metadata
    from .queues import PartitionQueue


class RoundRobin:
    """Each topic's partitions in turn, whatever the key (partitioner.class=round_robin)."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def __call__(self, topic: str, key: bytes | None, partitions: int) -> int:
        turn = self._next.get(topic, -1) + 1
        self._next[topic] = turn
        return turn % partitions


def sticky_partition(
    metadata: Metadata, topic: str, queues: Mapping[tuple[str, int], PartitionQueue], chance: float
) -> int:
    """The next partition for records without key; `chance` is from 0 to 1."""
    view = metadata.topics.get(topic)
    if view is None or len(view.partitions) < 2:
        return 0
    led = [index for index, part in enumerate(view.partitions) if part.leader in metadata.nodes]
    led = led or list(range(len(view.partitions)))
    waiting = []
    for index in led:
        queue = queues.get((topic, index))
        waiting.append(0 if queue is None else len(queue.pending) + len(queue.retries))
    longest = max(waiting)
    weights = [longest + 1 - length for length in waiting]
    rest = chance * sum(weights)
    for index, weight in zip(led, weights, strict=True):
        rest -= weight
        if rest < 0:
            return index
    return led[-1]
