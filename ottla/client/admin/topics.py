"""Topics: create, delete, list, describe, more partitions, delete records, offsets.

await admin.topics.create("orders", partitions=6, config={"retention.ms": "7d"}, if_exists="ok")
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...protocol.apis.create_partitions import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from ...protocol.apis.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from ...protocol.apis.delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic
from ...protocol.apis.delete_topics import DeleteTopicsRequest, DeleteTopicState
from ...protocol.apis.metadata import MetadataRequest, MetadataRequestTopic
from ...protocol.errors import ErrorCode
from ...protocol.schema import Request
from ..cluster import ANY, CONTROLLER, Node
from ..errors import BrokerError, broker_error
from ..offsets import EARLIEST, LATEST, Found, by_topic, list_offsets, per_leader
from ..settings import Duration
from .base import Room, item_error, listed, outcome

TopicAndPartition = tuple[str, int]
Names = list[str]  # `Topics.list` hides the type within the class


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition: who leads it (-1: nobody), where its replicas are, which of them are in sync."""

    id: int
    leader: int
    leader_epoch: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    offline: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic. `id` is 16 bytes, zero on brokers before 2.8."""

    name: str
    id: bytes
    is_internal: bool
    partitions: tuple[Partition, ...]


_TIME = Duration("config", 0, "A duration.", low=-1)


def config_text(name: str, value: Any) -> str | None:
    """A config's value as Kafka takes it; `"7d"` is allowed where the name ends in .ms."""
    if value is None or (
        isinstance(value, str) and (not name.endswith(".ms") or value.strip().lstrip("-").isdecimal())
    ):
        return value  # a number is the broker's to judge
    if isinstance(value, bool):
        return "true" if value else "false"
    if name.endswith(".ms"):
        return str(_TIME.parse(value))
    return ",".join(value) if isinstance(value, list | tuple) else str(value)


class Topics(Room):
    """`admin.topics`"""

    async def create(
        self,
        names: str | Iterable[str],
        *,
        partitions: int = -1,
        replication_factor: int = -1,
        assignments: Sequence[Sequence[int]] | None = None,
        config: Mapping[str, Any] | None = None,
        if_exists: str = "error",
        validate_only: bool = False,
    ) -> None:
        """Create topics. -1: the broker's default. `assignments[i]`: the replicas of partition i. `if_exists`: error or ok."""
        configs = [CreatableTopicConfig(name=k, value=config_text(k, v)) for k, v in (config or {}).items()]
        placed = [
            CreatableReplicaAssignment(partition_index=index, broker_ids=list(brokers))
            for index, brokers in enumerate(assignments or ())
        ]

        async def ask(left: Names) -> dict[str, Any]:
            topics = [
                CreatableTopic(
                    name=name,
                    num_partitions=-1 if placed else partitions,
                    replication_factor=-1 if placed else replication_factor,
                    assignments=placed,
                    configs=configs,
                )
                for name in left
            ]
            request = CreateTopicsRequest(topics=topics, timeout_ms=self._timeout_ms, validate_only=validate_only)
            answer = await self._ask(request, CONTROLLER, low=1)
            return {t.name: outcome(t.error_code, t.error_message, "CreateTopics", t.name) for t in answer.topics}

        allow = [ErrorCode.TOPIC_ALREADY_EXISTS] if if_exists == "ok" else []
        await self._each(listed(names), ask, "CreateTopics", allow=allow)

    async def delete(self, names: str | Iterable[str], *, if_missing: str = "error") -> None:
        """Delete topics with all that is in them. `if_missing`: error or ok."""

        async def ask(left: Names) -> dict[str, Any]:
            def request(version: int) -> Request:
                if version >= 6:
                    states = [DeleteTopicState(name=name) for name in left]
                    return DeleteTopicsRequest(topics=states, timeout_ms=self._timeout_ms)
                return DeleteTopicsRequest(topic_names=left, timeout_ms=self._timeout_ms)

            answer = await self._ask(request, CONTROLLER, kind=DeleteTopicsRequest)
            return {t.name: outcome(t.error_code, t.error_message, "DeleteTopics", t.name) for t in answer.responses}

        allow = [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION] if if_missing == "ok" else []
        await self._each(listed(names), ask, "DeleteTopics", allow=allow)
        for name in listed(names):
            self._cluster.tracked.pop(name, None)
            self._cluster.metadata.forget(name)

    async def list(self, *, internal: bool = False) -> Names:
        """The names of all topics."""
        return sorted(topic.name for topic in await self._metadata() if internal or not topic.is_internal)

    async def describe(self, names: str | Iterable[str] | None = None) -> dict[str, Topic]:
        """Name -> topic; of all topics where none are named."""
        if names is None:
            return {topic.name: topic for topic in await self._metadata()}

        async def ask(left: Names) -> dict[str, Any]:
            request = MetadataRequest(
                topics=[MetadataRequestTopic(name=name) for name in left], allow_auto_topic_creation=False
            )
            answer = await self._ask(request, ANY, low=4)
            return {
                row.name: outcome(row.error_code, None, "Metadata", row.name, None if row.error_code else _topic(row))
                for row in answer.topics
            }

        return await self._each(listed(names), ask, "Metadata")

    async def exists(self, name: str) -> bool:
        """Whether there is such a topic."""
        try:
            await self.describe(name)
        except BrokerError as problem:
            if problem.code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
                return False
            raise
        return True

    async def _metadata(self) -> Sequence[Topic]:
        answer = await self._ask(MetadataRequest(topics=None, allow_auto_topic_creation=False), ANY, low=4)
        return [_topic(row) for row in answer.topics if not row.error_code]

    async def set_partitions(
        self, name: str, count: int, *, assignments: Sequence[Sequence[int]] | None = None, validate_only: bool = False
    ) -> None:
        """Let a topic have `count` partitions in all. Keys go to other partitions from then on."""
        placed = None
        if assignments is not None:
            placed = [CreatePartitionsAssignment(broker_ids=list(brokers)) for brokers in assignments]

        async def ask(left: Iterable[str]) -> dict[str, Any]:
            topics = [CreatePartitionsTopic(name=each, count=count, assignments=placed) for each in left]
            request = CreatePartitionsRequest(topics=topics, timeout_ms=self._timeout_ms, validate_only=validate_only)
            answer = await self._ask(request, CONTROLLER)
            return {t.name: outcome(t.error_code, t.error_message, "CreatePartitions", t.name) for t in answer.results}

        await self._each([name], ask, "CreatePartitions")

    async def delete_records(self, before: Mapping[TopicAndPartition, int]) -> dict[TopicAndPartition, int]:
        """Delete the records before these offsets (-1: all); gives where each partition begins now."""

        async def ask(node: int, asked: dict[TopicAndPartition, int]) -> dict[TopicAndPartition, Any]:
            topics = [
                DeleteRecordsTopic(
                    name=topic,
                    partitions=[DeleteRecordsPartition(partition_index=n, offset=asked[topic, n]) for n in numbers],
                )
                for topic, numbers in by_topic(asked).items()
            ]
            request = DeleteRecordsRequest(topics=topics, timeout_ms=self._timeout_ms)
            answer = await self._cluster.request(request, Node(node), retry=False)
            found: dict[TopicAndPartition, Any] = {}
            for topic in answer.topics:
                for part in topic.partitions:
                    key = (topic.name, part.partition_index)
                    problem = broker_error(part.error_code, api="DeleteRecords", topic_partition=key)
                    found[key] = problem if part.error_code else part.low_watermark
            return {
                key: found.get(key, item_error(ErrorCode.UNKNOWN_SERVER_ERROR, "left out", "DeleteRecords", key))
                for key in asked
            }

        return await per_leader(self._cluster, before, ask, what="DeleteRecords")

    async def offsets(
        self, partitions: Iterable[TopicAndPartition], at: str | int | datetime = "latest", *, committed: bool = False
    ) -> dict[TopicAndPartition, Found]:
        """Offsets at a moment: earliest, latest, a datetime, or a timestamp of ListOffsets. `committed`: the last stable one."""
        words = {"earliest": EARLIEST, "latest": LATEST}
        when = round(at.timestamp() * 1000) if isinstance(at, datetime) else words[at] if isinstance(at, str) else at
        return await list_offsets(self._cluster, dict.fromkeys(partitions, when), isolation=int(committed))


def _topic(row: Any) -> Topic:
    partitions = tuple(
        Partition(
            p.partition_index, p.leader_id, p.leader_epoch, tuple(p.replica_nodes), tuple(p.isr_nodes),
            tuple(p.offline_replicas),
        )
        for p in sorted(row.partitions, key=lambda p: p.partition_index)
    )  # fmt: skip
    return Topic(row.name, row.topic_id, row.is_internal, partitions)
