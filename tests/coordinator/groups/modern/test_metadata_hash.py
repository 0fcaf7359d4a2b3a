"""The hash of a group's topics is the number Kafka computes: a group that moves between the two does not rebalance for it."""

from __future__ import annotations

from ottla.coordinator.groups.modern.metadata_hash import TopicHashes, group_hash, topic_hash
from ottla.metadata.image import BrokerImage, MetadataImage, PartitionImage, TopicImage
from ottla.protocol.stored.metadata import PartitionRecord, TopicRecord

#: Both numbers are from hash4j, as Kafka 4.2.1 uses it.
TOPIC_HASH = 8152477559623050981
GROUP_HASH = -2789513061995168418


def broker(number: int, rack: str | None) -> BrokerImage:
    return BrokerImage(number, 1, bytes(16), (), rack)


def test_a_topic_hashes_to_kafkas_number() -> None:
    brokers = {1: broker(1, "r2"), 2: broker(2, "r1"), 3: broker(3, None)}
    partitions = (PartitionImage(1, 0, 0, (1, 2, 3), (1,)), PartitionImage(1, 0, 0, (1,), (1,)))
    id_ = (1).to_bytes(8, "big") + (2).to_bytes(8, "big")
    assert topic_hash(TopicImage("topic", id_, partitions), brokers) == TOPIC_HASH


def test_a_group_hashes_to_kafkas_number_in_the_order_of_names() -> None:
    assert group_hash({"topic": TOPIC_HASH, "a": 5}) == GROUP_HASH
    assert group_hash({}) == 0


def test_what_is_remembered_follows_the_topic() -> None:
    def partition(index: int) -> PartitionRecord:
        return PartitionRecord(partition_id=index, topic_id=bytes([7]) * 16, replicas=[1], isr=[1], leader=1)

    hashes = TopicHashes()
    image = MetadataImage.empty().apply([TopicRecord(name="t", topic_id=bytes([7]) * 16), partition(0)])
    one = hashes.of_group(["t", "none"], image)
    assert hashes.of_group(["t"], image) == one
    assert hashes.of_group(["t"], image.apply([partition(1)])) != one
    assert hashes.of_group(["none"], image) == 0
