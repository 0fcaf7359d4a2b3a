"""AdminClient of confluent_kafka: most calls give a dict of futures, one for each thing asked about."""

from __future__ import annotations

import sys
from concurrent.futures import Future
from enum import Enum
from typing import Any

from ...client.admin.admin import Admin as AsyncAdmin
from ...client.admin.configs import ConfigResource as OurResource
from ...client.admin.configs import Kind
from ...client.blocking import IoThread
from ...client.errors import ClientError
from .config import merged, translate
from .errors import KafkaError, KafkaException, as_exception, as_kafka_error
from .types import Node, TopicCollection, TopicPartition

__all__ = [
    "AdminClient", "AlterConfigOpType", "BrokerMetadata", "ClusterMetadata", "ConfigEntry", "ConfigResource",
    "ConsumerGroupDescription", "ConsumerGroupListing", "ConsumerGroupState", "ConsumerGroupTopicPartitions",
    "DescribeClusterResult", "KafkaError", "KafkaException", "ListConsumerGroupsResult", "NewPartitions", "NewTopic",
    "OffsetSpec", "PartitionMetadata", "ResourceType", "TopicMetadata",
]  # fmt: skip


class NewTopic:
    """A topic to create."""

    def __init__(
        self, topic: str, num_partitions: int = -1, replication_factor: int = -1,
        replica_assignment: list[list[int]] | None = None, config: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.topic, self.num_partitions, self.replication_factor = topic, num_partitions, replication_factor
        self.replica_assignment, self.config = replica_assignment, config or {}

    def __repr__(self) -> str:
        return f"NewTopic(topic={self.topic},num_partitions={self.num_partitions})"


class NewPartitions:
    """More partitions for a topic."""

    def __init__(self, topic: str, new_total_count: int, replica_assignment: list[list[int]] | None = None) -> None:
        self.topic, self.new_total_count, self.replica_assignment = topic, new_total_count, replica_assignment


class ResourceType(Enum):
    UNKNOWN = 0
    ANY = 1
    TOPIC = 2
    GROUP = 3
    BROKER = 4
    TRANSACTIONAL_ID = 5


class AlterConfigOpType(Enum):
    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


class ConsumerGroupState(Enum):
    UNKNOWN = 0
    PREPARING_REBALANCING = 1
    COMPLETING_REBALANCING = 2
    STABLE = 3
    DEAD = 4
    EMPTY = 5
    ASSIGNING = 6
    RECONCILING = 7


class _Fields:
    """An object of named fields."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.__dict__.items())})"


class ConfigEntry(_Fields):
    """One config: name, value, source, is_read_only, is_default, is_sensitive."""

    def __init__(self, name: str, value: Any, incremental_operation: Any = None, **more: Any) -> None:
        super().__init__(name=name, value=value, incremental_operation=incremental_operation, **more)

    def __str__(self) -> str:
        return f'{self.name}="{self.value}"'  # type: ignore[attr-defined]


class ConfigResource:
    """A topic or broker, and configs of it."""

    Type = ResourceType

    def __init__(
        self, restype: Any, name: str, set_config: dict[str, Any] | None = None,
        incremental_configs: list[ConfigEntry] | None = None, **_: Any,
    ) -> None:  # fmt: skip
        if isinstance(restype, str):
            restype = ResourceType[restype.upper()]
        elif isinstance(restype, int):
            restype = ResourceType(restype)
        self.restype, self.name = restype, name
        self.restype_int = restype.value
        self.set_config_dict = dict(set_config or {})
        self.incremental_configs = list(incremental_configs or ())

    def set_config(self, name: str, value: Any, overwrite: bool = True) -> None:
        if overwrite or name not in self.set_config_dict:
            self.set_config_dict[name] = value

    def add_incremental_config(self, entry: ConfigEntry) -> None:
        self.incremental_configs.append(entry)

    @property
    def _ours(self) -> OurResource:
        if self.restype is ResourceType.GROUP:
            return OurResource.group(self.name)
        kind = Kind.TOPIC if self.restype is ResourceType.TOPIC else Kind.BROKER
        return OurResource.topic(self.name) if kind is Kind.TOPIC else OurResource.broker(self.name)

    def __hash__(self) -> int:
        return hash((self.restype, self.name))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConfigResource) and (self.restype, self.name) == (other.restype, other.name)

    def __repr__(self) -> str:
        return f"ConfigResource({self.restype},{self.name})"


class BrokerMetadata(_Fields):
    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.id}"  # type: ignore[attr-defined]


class ClusterMetadata(_Fields):
    def __str__(self) -> str:
        return str(self.cluster_id)  # type: ignore[attr-defined]


class TopicMetadata(_Fields):
    def __str__(self) -> str:
        return str(self.topic)  # type: ignore[attr-defined]


class PartitionMetadata(_Fields):
    def __str__(self) -> str:
        return str(self.id)  # type: ignore[attr-defined]


class ConsumerGroupTopicPartitions(_Fields):
    def __init__(self, group_id: str, topic_partitions: list[TopicPartition] | None = None) -> None:
        super().__init__(group_id=group_id, topic_partitions=topic_partitions)


class ConsumerGroupListing(_Fields):
    pass


class ListConsumerGroupsResult(_Fields):
    pass


class ConsumerGroupDescription(_Fields):
    pass


class DescribeClusterResult(_Fields):
    pass


class OffsetSpec:
    """Where in a partition: earliest, latest, or a time."""

    def __init__(self, value: int) -> None:
        self._value = value

    @classmethod
    def earliest(cls) -> OffsetSpec:
        return cls(-2)

    @classmethod
    def latest(cls) -> OffsetSpec:
        return cls(-1)

    @classmethod
    def max_timestamp(cls) -> OffsetSpec:
        return cls(-3)

    @classmethod
    def for_timestamp(cls, timestamp: int) -> OffsetSpec:
        return cls(timestamp)


def _state(name: str) -> ConsumerGroupState:
    words = {
        "Stable": 3, "Empty": 5, "Dead": 4, "PreparingRebalance": 1, "CompletingRebalance": 2, "Assigning": 6,
        "Reconciling": 7,
    }  # fmt: skip
    return ConsumerGroupState(words.get(name, 0))


class AdminClient:
    """See the head of the module."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        settings = {k: v for k, v in merged(*arguments, **more).items() if not k.startswith("partition.assignment")}
        self._config = translate(settings)
        self._io = IoThread("ottla-confluent-admin")
        self._admin: AsyncAdmin | None = None

    async def _room(self) -> AsyncAdmin:
        if self._admin is None:
            admin = AsyncAdmin(self._config)
            await admin.start()
            self._admin = admin
        return self._admin

    def _close(self) -> None:
        async def end() -> None:
            if self._admin is not None:
                await self._admin.close()

        if not self._io.loop.is_closed():
            self._io.run(end())
            self._io.stop()

    def __del__(self) -> None:
        """There is no close in the library: dropping the client does it."""
        if hasattr(self, "_io") and not sys.is_finalizing():
            self._close()

    def _future(self, work: Any) -> Future[Any]:
        import asyncio

        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()

        async def run() -> None:
            try:
                result = await work(await self._room())
            except (ClientError, ExceptionGroup) as problem:
                future.set_exception(as_exception(problem))
            except BaseException as problem:
                future.set_exception(problem)
                raise
            else:
                future.set_result(result)

        asyncio.run_coroutine_threadsafe(run(), self._io.loop)
        return future

    def _now(self, work: Any) -> Any:
        return self._future(work).result()

    # ── topics ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def create_topics(
        self, new_topics: list[NewTopic], validate_only: bool = False, **_: Any
    ) -> dict[str, Future[Any]]:
        """Topic -> future."""
        if not isinstance(new_topics, list):
            raise TypeError("expected list of NewTopic objects")

        def creation(topic: NewTopic) -> Any:
            return lambda admin: admin.topics.create(
                topic.topic, partitions=topic.num_partitions, replication_factor=topic.replication_factor,
                assignments=topic.replica_assignment, config={k: str(v) for k, v in topic.config.items()},
                validate_only=validate_only,
            )  # fmt: skip

        return {topic.topic: self._future(creation(topic)) for topic in new_topics}

    def delete_topics(self, topics: list[str], **_: Any) -> dict[str, Future[Any]]:
        return {topic: self._future(lambda a, t=topic: a.topics.delete(t)) for topic in topics}

    def create_partitions(
        self, new_partitions: list[NewPartitions], validate_only: bool = False, **_: Any
    ) -> dict[str, Future[Any]]:  # fmt: skip
        def growth(each: NewPartitions) -> Any:
            return lambda admin: admin.topics.set_partitions(
                each.topic, each.new_total_count, assignments=each.replica_assignment, validate_only=validate_only
            )

        return {each.topic: self._future(growth(each)) for each in new_partitions}

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata:
        """The cluster's brokers and topics."""

        async def ask(admin: AsyncAdmin) -> ClusterMetadata:
            cluster = await admin.cluster.describe()
            try:
                topics = await admin.topics.describe(None if topic is None else topic)
                missing = None
            except ClientError as problem:
                topics, missing = {}, as_kafka_error(problem)
            found = {name: _topic_metadata(each) for name, each in topics.items()}
            if topic is not None and missing is not None:
                found[topic] = TopicMetadata(topic=topic, partitions={}, error=missing)
            brokers = {b.id: BrokerMetadata(id=b.id, host=b.host, port=b.port) for b in cluster.brokers}
            return ClusterMetadata(
                cluster_id=cluster.id, controller_id=cluster.controller_id, brokers=brokers, topics=found,
                orig_broker_id=-1, orig_broker_name=None,
            )  # fmt: skip

        found: ClusterMetadata = self._now(ask)
        return found

    def describe_topics(self, topics: TopicCollection, **_: Any) -> dict[str, Future[Any]]:
        async def ask(admin: AsyncAdmin, name: str) -> Any:
            return _topic_description((await admin.topics.describe(name))[name])

        return {name: self._future(lambda a, n=name: ask(a, n)) for name in topics.topic_names}

    def describe_cluster(self, **_: Any) -> Future[Any]:
        async def ask(admin: AsyncAdmin) -> Any:
            told = await admin.cluster.describe()
            nodes = [Node(b.id, b.host, b.port, b.rack) for b in told.brokers]
            controller = next((node for node in nodes if node.id == told.controller_id), None)
            return DescribeClusterResult(
                cluster_id=told.id, controller=controller, nodes=nodes, authorized_operations=None
            )

        return self._future(ask)

    def delete_records(self, partitions: list[TopicPartition], **_: Any) -> dict[TopicPartition, Future[Any]]:
        async def ask(admin: AsyncAdmin, p: TopicPartition) -> Any:
            found = await admin.topics.delete_records({p._key: p.offset})
            return _Fields(low_watermark=found[p._key])

        return {p: self._future(lambda a, p=p: ask(a, p)) for p in partitions}

    def list_offsets(
        self, topic_partition_offsets: dict[TopicPartition, OffsetSpec], **_: Any
    ) -> dict[TopicPartition, Future[Any]]:  # fmt: skip
        async def ask(admin: AsyncAdmin, p: TopicPartition, spec: OffsetSpec) -> Any:
            found = (await admin.topics.offsets([p._key], spec._value))[p._key]
            return _Fields(offset=found.offset, timestamp=found.timestamp, leader_epoch=found.leader_epoch)

        asked = topic_partition_offsets.items()
        return {p: self._future(lambda a, p=p, spec=spec: ask(a, p, spec)) for p, spec in asked}

    # ── configs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def describe_configs(self, resources: list[ConfigResource], **_: Any) -> dict[ConfigResource, Future[Any]]:
        async def ask(admin: AsyncAdmin, resource: ConfigResource) -> Any:
            entries = await admin.configs.get(resource._ours)
            return {
                name: ConfigEntry(
                    name, e.value, source=_SOURCES.get(e.source, 0), is_read_only=e.read_only,
                    is_default=e.source == "default", is_sensitive=e.sensitive, is_synonym=False, synonyms={},
                )
                for name, e in entries.items()
            }  # fmt: skip

        return {each: self._future(lambda a, r=each: ask(a, r)) for each in resources}

    def incremental_alter_configs(
        self, resources: list[ConfigResource], validate_only: bool = False, **_: Any
    ) -> dict[ConfigResource, Future[Any]]:  # fmt: skip
        async def ask(admin: AsyncAdmin, resource: ConfigResource) -> None:
            fields = [vars(entry) for entry in resource.incremental_configs]
            ops = [(f["name"], f["incremental_operation"].value, f["value"]) for f in fields]
            await admin.configs._alter(resource._ours, ops, validate_only)

        return {each: self._future(lambda a, r=each: ask(a, r)) for each in resources}

    def alter_configs(
        self, resources: list[ConfigResource], validate_only: bool = False, **_: Any
    ) -> dict[ConfigResource, Future[Any]]:  # fmt: skip
        """Set all configs of a resource: those that are not named go back to their defaults."""

        async def ask(admin: AsyncAdmin, resource: ConfigResource) -> None:
            now = await admin.configs.get(resource._ours)
            dynamic = [n for n, e in now.items() if e.source in ("topic", "broker", "group")]
            ops: list[tuple[str, int, Any]] = [
                (name, 1, None) for name in dynamic if name not in resource.set_config_dict
            ]
            ops += [(name, 0, str(value)) for name, value in resource.set_config_dict.items()]
            await admin.configs._alter(resource._ours, ops, validate_only)

        return {each: self._future(lambda a, r=each: ask(a, r)) for each in resources}

    # ── groups ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def list_consumer_groups(self, **_: Any) -> Future[Any]:
        async def ask(admin: AsyncAdmin) -> Any:
            groups = [g for g in await admin.groups.list() if g.type in ("classic", "consumer", "")]
            valid = [
                ConsumerGroupListing(
                    group_id=g.id, is_simple_consumer_group=not g.protocol_type, state=_state(g.state), type=g.type
                )
                for g in groups
            ]
            return ListConsumerGroupsResult(valid=valid, errors=[])

        return self._future(ask)

    def describe_consumer_groups(self, group_ids: list[str], **_: Any) -> dict[str, Future[Any]]:
        async def ask(admin: AsyncAdmin, group: str) -> Any:
            told = await admin.groups.describe(group)
            members = [
                _Fields(
                    member_id=m.id, client_id=m.client_id, host=m.host, group_instance_id=m.instance_id,
                    assignment=_Fields(topic_partitions=[TopicPartition(*key) for key in m.partitions]),
                )
                for m in told.members
            ]  # fmt: skip
            return ConsumerGroupDescription(
                group_id=group, is_simple_consumer_group=False, members=members, partition_assignor=told.assignor,
                state=_state(told.state), coordinator=Node(told.coordinator, "", 0), authorized_operations=None,
            )  # fmt: skip

        return {group: self._future(lambda a, g=group: ask(a, g)) for group in group_ids}

    def delete_consumer_groups(self, group_ids: list[str], **_: Any) -> dict[str, Future[Any]]:
        return {group: self._future(lambda a, g=group: a.groups.delete(g)) for group in group_ids}

    def list_consumer_group_offsets(
        self, requests: list[ConsumerGroupTopicPartitions], **_: Any
    ) -> dict[str, Future[Any]]:  # fmt: skip
        async def ask(admin: AsyncAdmin, group: str, partitions: Any) -> Any:
            keys = None if partitions is None else [p._key for p in partitions]
            found = await admin.groups.offsets(group, keys)
            rows = [TopicPartition(*key, c.offset, c.metadata or None) for key, c in sorted(found.items())]
            return ConsumerGroupTopicPartitions(group, rows)

        asked = [(vars(each)["group_id"], vars(each)["topic_partitions"]) for each in requests]
        return {group: self._future(lambda a, g=group, p=p: ask(a, g, p)) for group, p in asked}

    def alter_consumer_group_offsets(
        self, requests: list[ConsumerGroupTopicPartitions], **_: Any
    ) -> dict[str, Future[Any]]:  # fmt: skip
        async def ask(admin: AsyncAdmin, group: str, partitions: Any) -> Any:
            await admin.groups.set_offsets(group, {p._key: p.offset for p in partitions})
            return ConsumerGroupTopicPartitions(group, partitions)

        asked = [(vars(each)["group_id"], vars(each)["topic_partitions"]) for each in requests]
        return {group: self._future(lambda a, g=group, p=p: ask(a, g, p)) for group, p in asked}


_SOURCES = {"topic": 1, "broker": 2, "default broker": 3, "static": 4, "default": 5, "group": 8}


def _topic_metadata(topic: Any) -> TopicMetadata:
    partitions = {
        p.id: PartitionMetadata(id=p.id, leader=p.leader, replicas=list(p.replicas), isrs=list(p.isr), error=None)
        for p in topic.partitions
    }
    return TopicMetadata(topic=topic.name, partitions=partitions, error=None)


def _topic_description(topic: Any) -> _Fields:
    rows = [_Fields(id=p.id, leader=p.leader, replicas=list(p.replicas), isr=list(p.isr)) for p in topic.partitions]
    return _Fields(name=topic.name, topic_id=topic.id, is_internal=topic.is_internal, partitions=rows)
