"""What consumer groups have committed and what they have still to read, as kafka_exporter tells it.

Of the groups this broker coordinates. The lag counts from the high watermark, which is known of partitions that this broker leads; of
others the committed offset is told without a lag.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from ...protocol.errors import KafkaError

if TYPE_CHECKING:
    from ..server import Broker


class GroupOffset(NamedTuple):
    """One committed offset; `lag` is None where the end of the partition is another broker's to know."""

    group: str
    topic: str
    partition: int
    offset: int
    lag: int | None


def committed_offsets(broker: Broker) -> Iterator[GroupOffset]:
    """Every committed offset of every group coordinated here."""
    for host in broker.groups.loaded():
        for key, committed in host.shard.committed_offsets():
            try:
                end = broker.partitions.get(key.topic, key.partition).high_watermark
            except KafkaError:
                lag = None
            else:
                lag = max(end - committed.committed_offset, 0)
            yield GroupOffset(key.group_id, key.topic, key.partition, committed.committed_offset, lag)


def members(broker: Broker) -> Counter[tuple[str, str]]:
    """How many members each group has: (group, state) -> members."""
    counts: Counter[tuple[str, str]] = Counter()
    for host in broker.groups.loaded():
        for group_id, state, count in host.shard.sizes():
            counts[group_id, state] = count
    return counts
