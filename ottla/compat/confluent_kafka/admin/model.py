"""What AdminClient takes and gives: topics, configs, groups, offsets, metadata."""

from __future__ import annotations

from typing import Any

from ....client.admin.configs import ConfigResource as OurResource
from ..enums import AclOperation, ConsumerGroupState, ConsumerGroupType, ResourceType
from ..types import Node, TopicPartition, TopicPartitionInfo, Uuid


class Fields:
    """An object of named fields."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.__dict__.items())})"


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

    def __hash__(self) -> int:
        return hash(self.topic)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NewTopic) and self.__dict__ == other.__dict__


class NewPartitions:
    """More partitions for a topic."""

    def __init__(self, topic: str, new_total_count: int, replica_assignment: list[list[int]] | None = None) -> None:
        self.topic, self.new_total_count, self.replica_assignment = topic, new_total_count, replica_assignment


class ConfigEntry(Fields):
    """One config: name, value, source, is_read_only, is_default, is_sensitive, is_synonym, synonyms."""

    def __init__(
        self, name: str, value: Any, source: Any = 0, is_read_only: bool = False, is_default: bool = False,
        is_sensitive: bool = False, is_synonym: bool = False, synonyms: Any = None, incremental_operation: Any = None,
    ) -> None:  # fmt: skip
        self.name, self.value, self.source, self.incremental_operation = name, value, source, incremental_operation
        self.is_read_only, self.is_default, self.is_sensitive = is_read_only, is_default, is_sensitive
        self.is_synonym, self.synonyms = is_synonym, synonyms or {}

    def __str__(self) -> str:
        return f'{self.name}="{self.value}"'


class ConfigResource:
    """A topic, broker or group, and configs of it."""

    Type = ResourceType

    def __init__(
        self, restype: Any, name: str, set_config: dict[str, Any] | None = None, described_configs: Any = None,
        error: Any = None, incremental_configs: list[ConfigEntry] | None = None,
    ) -> None:  # fmt: skip
        if name is None:
            raise ValueError("Expected resource name to be a string")
        try:
            self.restype = ResourceType.of(restype)
        except ValueError as problem:
            raise ValueError(f"Unknown resource type {restype!r}: expected a ResourceType") from problem
        self.restype_int, self.name = int(self.restype.value), name
        self.set_config_dict = dict(set_config or {})
        self.incremental_configs = list(incremental_configs or ())
        self.configs, self.error = described_configs, error

    def set_config(self, name: str, value: Any, overwrite: bool = True) -> None:
        if overwrite or name not in self.set_config_dict:
            self.set_config_dict[name] = value

    def add_incremental_config(self, entry: ConfigEntry) -> None:
        self.incremental_configs.append(entry)

    @property
    def ours(self) -> OurResource:
        if self.restype is ResourceType.GROUP:
            return OurResource.group(self.name)
        return OurResource.topic(self.name) if self.restype is ResourceType.TOPIC else OurResource.broker(self.name)

    def __len__(self) -> int:
        """How many configs there are to set."""
        return len(self.set_config_dict)

    def __bool__(self) -> bool:
        return True

    def __hash__(self) -> int:
        return hash((self.restype, self.name))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConfigResource) and (self.restype, self.name) == (other.restype, other.name)

    def __lt__(self, other: ConfigResource) -> Any:
        return (self.restype, self.name) < (other.restype, other.name)

    def __repr__(self) -> str:
        return f"ConfigResource({self.restype},{self.name})"


class BrokerMetadata(Fields):
    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.id}"  # type: ignore[attr-defined]


class ClusterMetadata(Fields):
    def __str__(self) -> str:
        return str(self.cluster_id)  # type: ignore[attr-defined]


class TopicMetadata(Fields):
    def __str__(self) -> str:
        return str(self.topic)  # type: ignore[attr-defined]


class PartitionMetadata(Fields):
    def __str__(self) -> str:
        return str(self.id)  # type: ignore[attr-defined]


class GroupMember(Fields):
    """id, client_id, client_host, metadata, assignment"""


class GroupMetadata(Fields):
    """id, broker, state, protocol_type, protocol, members, error"""

    def __str__(self) -> str:
        return str(self.id)  # type: ignore[attr-defined]


class ConsumerGroupListing(Fields):
    """group_id, is_simple_consumer_group, state, type"""


class ListConsumerGroupsResult(Fields):
    """valid, errors"""


class MemberAssignment(Fields):
    """topic_partitions"""


class MemberDescription(Fields):
    """member_id, client_id, host, assignment, group_instance_id, target_assignment"""


class ConsumerGroupDescription(Fields):
    """group_id, is_simple_consumer_group, members, partition_assignor, state, type, coordinator, authorized_operations"""


class TopicDescription(Fields):
    """name, topic_id, is_internal, partitions, authorized_operations"""


class DescribeClusterResult(Fields):
    """cluster_id, controller, nodes, authorized_operations"""


class DeletedRecords(Fields):
    """low_watermark"""


class ListOffsetsResultInfo(Fields):
    """offset, timestamp, leader_epoch"""


class OffsetSpec:
    """Where in a partition: earliest, latest, the newest time, or a time."""

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

    def __lt__(self, other: OffsetSpec) -> bool:
        return self._value < other._value


_STATES = {"Stable": 3, "Empty": 5, "Dead": 4, "PreparingRebalance": 1, "CompletingRebalance": 2}
_TYPES = {"consumer": ConsumerGroupType.CONSUMER, "classic": ConsumerGroupType.CLASSIC, "": ConsumerGroupType.CLASSIC}
SOURCES = {"topic": 1, "broker": 2, "default broker": 3, "static": 4, "default": 5, "group": 8}
#: Operations that are allowed, when the broker was not asked for them.
NOT_ASKED = -2147483648


def group_state(name: str) -> ConsumerGroupState:
    return ConsumerGroupState(_STATES.get(name, 0))


def group_type(name: str) -> ConsumerGroupType:
    return _TYPES.get(name, ConsumerGroupType.UNKNOWN)


def operations(bits: int) -> list[AclOperation] | None:
    """The operations of a bit field of the protocol; None where it was not asked for."""
    if bits == NOT_ASKED:
        return None
    return [each for each in AclOperation if each.value > 2 and bits & (1 << each.value)]


def nodes(brokers: Any) -> dict[int, Node]:
    return {b.id: Node(b.id, b.host, b.port, b.rack) for b in brokers}


def topic_metadata(topic: Any) -> TopicMetadata:
    partitions = {
        p.id: PartitionMetadata(id=p.id, leader=p.leader, replicas=list(p.replicas), isrs=list(p.isr), error=None)
        for p in topic.partitions
    }
    return TopicMetadata(topic=topic.name, partitions=partitions, error=None)


def topic_description(topic: Any, brokers: dict[int, Node], allowed: int) -> TopicDescription:
    def of(ids: Any) -> list[Node]:
        return [brokers.get(each) or Node(each, "", -1) for each in ids]

    rows = [TopicPartitionInfo(p.id, brokers.get(p.leader), of(p.replicas), of(p.isr)) for p in topic.partitions]
    return TopicDescription(
        name=topic.name, topic_id=Uuid.of(topic.id), is_internal=topic.is_internal, partitions=rows,
        authorized_operations=operations(allowed),
    )  # fmt: skip


def member(m: Any) -> MemberDescription:
    rows = [TopicPartition(*key) for key in m.partitions]
    return MemberDescription(
        member_id=m.id, client_id=m.client_id, host=m.host, group_instance_id=m.instance_id,
        assignment=MemberAssignment(topic_partitions=rows), target_assignment=None,
    )  # fmt: skip
