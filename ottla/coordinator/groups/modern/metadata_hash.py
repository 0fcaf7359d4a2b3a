"""The hash of the topics a group reads: when it changes, so must the assignment.

    group hash = xxh3( topic hash of each topic that exists, in the order of the names )        0 if there is none
    topic hash = xxh3( 0 · topic id · name · number of partitions · per partition: index, racks of its replicas )

It is stored with the group epoch, so a broker that takes the group over, Ottla or Kafka, sees whether topics changed while
nobody looked. Bytes and algorithm are those of Kafka 4.2: little-endian numbers, strings as UTF-16 followed by their length,
racks sorted.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

import xxhash

from ....metadata.image import BrokerImage, MetadataImage, TopicImage

__all__ = ["TopicHashes", "group_hash", "topic_hash"]

#: What a topic's bytes begin with; another number would be another layout.
_LAYOUT = b"\0"


def _int(number: int) -> bytes:
    return struct.pack("<i", number)


def _string(text: str) -> bytes:
    units = text.encode("utf-16-le", "surrogatepass")
    return units + _int(len(units) // 2)


def _signed(digest: int) -> int:
    return digest - (1 << 64) if digest >= 1 << 63 else digest


def topic_hash(topic: TopicImage, brokers: Mapping[int, BrokerImage]) -> int:
    """Hash one topic, as a signed 64-bit number."""
    high, low = struct.unpack(">qq", topic.id)
    parts = [_LAYOUT, struct.pack("<qq", high, low), _string(topic.name), _int(len(topic.partitions))]
    for index, partition in enumerate(topic.partitions):
        parts.append(_int(index))
        replicas = (brokers.get(replica) for replica in partition.replicas)
        for rack in sorted(broker.rack for broker in replicas if broker is not None and broker.rack is not None):
            parts += [_int(len(rack.encode("utf-16-le")) // 2), _string(rack)]
    return _signed(xxhash.xxh3_64_intdigest(b"".join(parts)))


def group_hash(topic_hashes: Mapping[str, int]) -> int:
    """Hash the topics of a group, given the hash of each that exists."""
    if not topic_hashes:
        return 0
    return _signed(
        xxhash.xxh3_64_intdigest(b"".join(struct.pack("<q", topic_hashes[name]) for name in sorted(topic_hashes)))
    )


class TopicHashes:
    """Remembers the hashes of topics as long as they stay the same; one per shard."""

    __slots__ = ("_brokers", "_hashes")

    def __init__(self) -> None:
        self._brokers: Mapping[int, BrokerImage] | None = None
        self._hashes: dict[str, tuple[TopicImage, int]] = {}

    def of_group(self, names: Iterable[str], image: MetadataImage) -> int:
        """Hash the topics of these names; ones that do not exist do not count."""
        if image.brokers is not self._brokers:
            self._brokers = image.brokers
            self._hashes.clear()
        hashes = {}
        for name in names:
            topic = image.topics.get(name)
            if topic is None:
                self._hashes.pop(name, None)
                continue
            known = self._hashes.get(name)
            if known is None or known[0] is not topic:
                self._hashes[name] = known = (topic, topic_hash(topic, image.brokers))
            hashes[name] = known[1]
        return group_hash(hashes)
