"""The partitions this broker holds, kept equal to the metadata image.

`apply` compares two images topic by topic (a topic nobody touched is the same object in both, so that costs one identity
test), opens logs for new partitions, closes and deletes those of topics that are gone, and hands leadership and config
changes to the partitions.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..log.errors import KafkaStorageError
from ..metadata.image import MetadataImage, ResourceType, TopicImage
from ..protocol.errors import ErrorCode, KafkaError
from .partition import Partition

if TYPE_CHECKING:
    from ..log.log import Log
    from .server import Broker

logger = logging.getLogger("ottla.broker.partitions")


class Partitions:
    """Finds partitions by name or id, and follows the image."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        #: topic name -> index -> partition; the same inner dict is found by topic id.
        self._by_name: dict[str, dict[int, Partition]] = {}
        self._by_id: dict[bytes, dict[int, Partition]] = {}
        #: What the short way of Produce remembers: by the bytes that name a partition in a request, with a name and with an
        #: id. Emptied whenever a partition comes or goes.
        self.by_destination: tuple[dict[bytes, Partition], dict[bytes, Partition]] = ({}, {})
        #: Partitions that are ours but whose disk failed or whose data is damaged.
        self.failed: set[tuple[str, int]] = set()

    def get(self, topic: str, index: int) -> Partition:
        """Return a partition of ours. Raises UNKNOWN_TOPIC_OR_PARTITION, or NOT_LEADER_OR_FOLLOWER for another's."""
        try:
            return self._by_name[topic][index]
        except KeyError:
            image = self._broker.image.topics.get(topic)
        if image is None or not 0 <= index < len(image.partitions):
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        raise self._not_here(image.name, index)

    def get_by_id(self, topic_id: bytes, index: int) -> Partition:
        """Return a partition of ours. Raises UNKNOWN_TOPIC_ID for an id that no topic has."""
        try:
            return self._by_id[topic_id][index]
        except KeyError:
            image = self._broker.image.topics.by_id(topic_id)
        if image is None:
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_ID)
        if not 0 <= index < len(image.partitions):
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        raise self._not_here(image.name, index)

    def _not_here(self, topic: str, index: int) -> KafkaError:
        if (topic, index) in self.failed:
            return KafkaError(ErrorCode.KAFKA_STORAGE_ERROR)
        return KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)

    def current_leader(self, topic: str, topic_id: bytes, index: int) -> tuple[int, int] | None:
        """Return (leader id, leader epoch) of any partition of the cluster, or None."""
        topics = self._broker.image.topics
        image = topics.get(topic) if topic else topics.by_id(topic_id)
        if image is None or not 0 <= index < len(image.partitions):
            return None
        return image.partitions[index].leader, image.partitions[index].leader_epoch

    def high_watermark_of(self, log: Log) -> int:
        """Return the high watermark that belongs to a log; 0 if nobody serves it."""
        partition = self._by_name.get(log.topic, {}).get(log.partition)
        return 0 if partition is None else partition.high_watermark

    def __iter__(self) -> Iterator[Partition]:
        for partitions in self._by_name.values():
            yield from partitions.values()

    def __len__(self) -> int:
        return sum(map(len, self._by_name.values()))

    # ── following the image ─────────────────────────────────────────────────────────────────────────────────────

    def apply(self, old: MetadataImage, new: MetadataImage) -> None:
        """Make the partitions what `new` says."""
        if old.topics is not new.topics:
            self._forget_destinations()
            for topic in old.topics:
                replacement = new.topics.get(topic.name)
                if replacement is None or replacement.id != topic.id:
                    self._remove(topic)
            for topic in new.topics:
                if old.topics.get(topic.name) is not topic:
                    self._update(topic, new)
        if old.configs is not new.configs:
            self._update_configs(old, new)

    def _update(self, topic: TopicImage, image: MetadataImage) -> None:
        broker = self._broker
        partitions = self._by_name.setdefault(topic.name, {})
        self._by_id[topic.id] = partitions
        for index, state in enumerate(topic.partitions):
            if broker.node_id not in state.replicas:
                continue
            partition = partitions.get(index)
            if partition is None:
                partition = self._open(topic, index, image)
                if partition is None:
                    continue
                partitions[index] = partition
            partition.apply(state, broker.node_id)

    def _open(self, topic: TopicImage, index: int, image: MetadataImage) -> Partition | None:
        """Open the log of a partition, new or old; None if its directory is dead or its data damaged."""
        broker = self._broker
        config = broker.config.log_config(
            image.configs.get(ResourceType.TOPIC, topic.name), broker.config.levels_in(image)
        )
        try:
            log = broker.logs.create(topic.name, index, topic.id, config, broker.clock.now_ms())
        except KafkaStorageError as problem:
            logger.error("partition %s-%d is out of service: %s", topic.name, index, problem)
            self.failed.add((topic.name, index))
            return None
        return Partition(
            topic.name, topic.id, index, log, group_commit=broker.group_commit, on_failure=broker.on_partition_failure,
            acks_wait=broker.config.durability != "os",
        )  # fmt: skip

    def _remove(self, topic: TopicImage) -> None:
        """Close and delete the partitions of a topic that is gone, those out of service too: its name may come again."""
        broker = self._broker
        partitions = self._by_name.pop(topic.name, {})
        self._by_id.pop(topic.id, None)
        for index in range(len(topic.partitions)):
            self.failed.discard((topic.name, index))
            if index in partitions:
                partitions[index].close(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
            try:
                broker.logs.delete(topic.name, index, broker.clock.now_ms())
            except KafkaStorageError as problem:
                logger.error("the folder of %s-%d stays until the next start: %s", topic.name, index, problem)

    def _update_configs(self, old: MetadataImage, new: MetadataImage) -> None:
        """Give each log its effective configuration again where something it rests on has changed."""
        config = self._broker.config
        levels = config.levels_in(new)
        everything = levels != config.levels_in(old)
        for name, partitions in self._by_name.items():
            own = new.configs.get(ResourceType.TOPIC, name)
            if everything or own is not old.configs.get(ResourceType.TOPIC, name):
                effective = config.log_config(own, levels)
                for partition in partitions.values():
                    partition.log.config = effective

    def _forget_destinations(self) -> None:
        for known in self.by_destination:
            known.clear()

    def drop(self, partition: Partition) -> None:
        """Take a failed partition out of service."""
        self._forget_destinations()
        self.failed.add((partition.topic, partition.index))
        partitions = self._by_name.get(partition.topic)
        if partitions is not None and partitions.get(partition.index) is partition:
            del partitions[partition.index]
