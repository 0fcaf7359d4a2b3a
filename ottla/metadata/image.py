"""The cluster's metadata as one immutable value: topics, partitions, configs, brokers, features, ACLs.

Every broker holds one `MetadataImage` and replaces it by `image.apply(records, version)` when the metadata log has
grown; the controller decides against it. Readers keep a reference as long as they like: an image never changes.

How it works
------------
The outer maps (topic by name, topic by id, configs by resource...) are plain dicts that nobody writes to after the
image was made. `apply` copies only the maps that the records touch, once per call, however many records it is given
(a copy of 10,000 entries costs about 0.1 ms), and shares all others with the image before:

    image v7 ── topics ──► {a, b, c}          image v8 ── topics ──► {a, b, c, d}
            └── configs ─► {…} ◄─────────────────────└── configs    (shared)

`records()` is the inverse: the shortest list of records that makes this image out of `MetadataImage.empty()`. Snapshots
of the metadata log are exactly that list.

The records are Kafka's own KRaft records, so an image can be made from a Kafka data folder too (`broker/takeover`).
A record about something unknown (a partition of a topic that does not exist) can only mean that the log and the image
do not belong together and raises `ReplayError`; it is never skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from ..protocol.schema import Data
from ..protocol.stored.metadata import (
    BrokerEndpoint,
    BrokerFeature,
    ClientQuotaRecord,
    ConfigRecord,
    EntityData,
    FeatureLevelRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    TopicRecord,
)

__all__ = [
    "NO_LEADER", "BrokerImage", "ConfigsImage", "EndpointImage", "MetadataImage", "PartitionImage", "ReplayError",
    "ResourceType", "TopicImage", "TopicsImage",
]  # fmt: skip

#: Kafka's leader id of a partition that nobody leads.
NO_LEADER = -1


class ReplayError(Exception):
    """The records do not fit the image: one of the two is not what it claims to be."""


class ResourceType:
    """Kafka's config resource types (`ConfigResource.Type`)."""

    TOPIC = 2
    BROKER = 4
    BROKER_LOGGER = 8
    CLIENT_METRICS = 16
    GROUP = 32


class PartitionImage(NamedTuple):
    """Who holds one partition. `leader` is `NO_LEADER` when none of `replicas` may lead."""

    leader: int
    leader_epoch: int
    partition_epoch: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    elr: tuple[int, ...] = ()
    last_known_elr: tuple[int, ...] = ()
    adding_replicas: tuple[int, ...] = ()
    removing_replicas: tuple[int, ...] = ()
    #: Log directory ids, one per replica; empty when the records carried none.
    directories: tuple[bytes, ...] = ()
    #: 0 recovered, 1 recovering after an unclean election.
    leader_recovery_state: int = 0


class TopicImage(NamedTuple):
    """A topic; partition `i` is `partitions[i]`."""

    name: str
    id: bytes
    partitions: tuple[PartitionImage, ...]


class TopicsImage:
    """All topics, by name and by id. Iterating yields `TopicImage`s in the order of their creation."""

    __slots__ = ("_by_id", "_by_name", "_collisions")

    def __init__(self, by_name: dict[str, TopicImage], by_id: dict[bytes, TopicImage], collisions: dict[str, str]):
        self._by_name = by_name
        self._by_id = by_id
        #: Name with '.' turned into '_' -> a topic of that shape; only names that contain one of the two.
        self._collisions = collisions

    def get(self, name: str) -> TopicImage | None:
        return self._by_name.get(name)

    def by_id(self, topic_id: bytes) -> TopicImage | None:
        return self._by_id.get(topic_id)

    def colliding(self, name: str) -> str | None:
        """Return an existing topic whose metric name would be the same as that of `name`."""
        return self._collisions.get(name.replace(".", "_"))

    def names(self) -> Iterable[str]:
        return self._by_name.keys()

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[TopicImage]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TopicsImage) and self._by_name == other._by_name

    __hash__ = None  # type: ignore[assignment]


_NO_CONFIG: Mapping[str, str] = MappingProxyType({})


class ConfigsImage:
    """Dynamic configs by resource. A resource without any config is not there."""

    __slots__ = ("_resources",)

    def __init__(self, resources: dict[tuple[int, str], Mapping[str, str]]):
        self._resources = resources

    def get(self, resource_type: int, name: str) -> Mapping[str, str]:
        return self._resources.get((resource_type, name), _NO_CONFIG)

    def resources(self, resource_type: int) -> list[str]:
        """List the names of the resources of one type that have configs."""
        return [name for kind, name in self._resources if kind == resource_type]

    def __iter__(self) -> Iterator[tuple[int, str]]:
        return iter(self._resources)

    def __len__(self) -> int:
        return len(self._resources)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConfigsImage) and self._resources == other._resources

    __hash__ = None  # type: ignore[assignment]


class EndpointImage(NamedTuple):
    """Where a listener of a broker is reached. `security_protocol` is Kafka's number (0 PLAINTEXT, 1 SSL, …)."""

    name: str
    host: str
    port: int
    security_protocol: int


class BrokerImage(NamedTuple):
    """A registered broker. It may lead partitions when it is neither fenced nor in controlled shutdown."""

    id: int
    epoch: int
    incarnation_id: bytes
    endpoints: tuple[EndpointImage, ...]
    rack: str | None = None
    fenced: bool = False
    in_controlled_shutdown: bool = False
    log_dirs: tuple[bytes, ...] = ()
    features: tuple[tuple[str, int, int], ...] = ()

    @property
    def active(self) -> bool:
        return not self.fenced and not self.in_controlled_shutdown

    def endpoint(self, listener_name: str) -> EndpointImage | None:
        return next((x for x in self.endpoints if x.name == listener_name), None)


_NO_TOPICS = TopicsImage({}, {}, {})
_NO_CONFIGS = ConfigsImage({})


@dataclass(frozen=True, slots=True)
class MetadataImage:
    """Everything the metadata log said up to `version`."""

    version: int = 0
    cluster_id: str = ""
    topics: TopicsImage = field(default_factory=lambda: _NO_TOPICS)
    configs: ConfigsImage = field(default_factory=lambda: _NO_CONFIGS)
    brokers: Mapping[int, BrokerImage] = field(default_factory=dict)
    features: Mapping[str, int] = field(default_factory=dict)
    #: The first producer id that no broker owns yet.
    next_producer_id: int = 0
    #: Records that are kept as they came, keyed so that their removal finds them: ACLs, SCRAM credentials,
    #: client quotas, delegation tokens. Their rooms read them from here.
    acls: Mapping[bytes, Data] = field(default_factory=dict)
    scram_credentials: Mapping[tuple[str, int], Data] = field(default_factory=dict)
    client_quotas: Mapping[tuple[tuple[str, str | None], ...], Mapping[str, float]] = field(default_factory=dict)
    delegation_tokens: Mapping[str, Data] = field(default_factory=dict)

    @classmethod
    def empty(cls, cluster_id: str = "") -> MetadataImage:
        return cls(cluster_id=cluster_id)

    def apply(self, records: Iterable[Data], version: int | None = None) -> MetadataImage:
        """Return the image after `records`; `version` is that of the log behind them (default: one more)."""
        from .delta import Delta  # here because delta imports the classes above

        delta = Delta(self)
        for record in records:
            delta.replay(record)
        return delta.image(self.version + 1 if version is None else version)

    def records(self) -> list[Data]:
        """List the records that make this image out of the empty one."""
        records: list[Data] = [FeatureLevelRecord(name=n, feature_level=v) for n, v in self.features.items()]
        records += [_broker_record(broker) for broker in self.brokers.values()]
        for topic in self.topics:
            records.append(TopicRecord(name=topic.name, topic_id=topic.id))
            records += [partition_record(topic.id, i, p) for i, p in enumerate(topic.partitions)]
        for kind, resource in self.configs:
            for name, value in self.configs.get(kind, resource).items():
                records.append(ConfigRecord(resource_type=kind, resource_name=resource, name=name, value=value))
        if self.next_producer_id:
            records.append(ProducerIdsRecord(broker_id=-1, next_producer_id=self.next_producer_id))
        records += self.acls.values()
        records += self.scram_credentials.values()
        records += _quota_records(self)
        records += self.delegation_tokens.values()
        return records


def partition_record(topic_id: bytes, index: int, partition: PartitionImage) -> PartitionRecord:
    """Make the record that creates `partition` as it is."""
    return PartitionRecord(
        partition_id=index,
        topic_id=topic_id,
        replicas=list(partition.replicas),
        isr=list(partition.isr),
        removing_replicas=list(partition.removing_replicas),
        adding_replicas=list(partition.adding_replicas),
        leader=partition.leader,
        leader_recovery_state=partition.leader_recovery_state,
        leader_epoch=partition.leader_epoch,
        partition_epoch=partition.partition_epoch,
        directories=list(partition.directories),
        eligible_leader_replicas=list(partition.elr) or None,
        last_known_elr=list(partition.last_known_elr) or None,
    )


def _broker_record(broker: BrokerImage) -> RegisterBrokerRecord:
    return RegisterBrokerRecord(
        broker_id=broker.id,
        is_migrating_zk_broker=False,
        incarnation_id=broker.incarnation_id,
        broker_epoch=broker.epoch,
        end_points=[
            BrokerEndpoint(name=e.name, host=e.host, port=e.port, security_protocol=e.security_protocol)
            for e in broker.endpoints
        ],
        features=[
            BrokerFeature(name=name, min_supported_version=low, max_supported_version=high)
            for name, low, high in broker.features
        ],
        rack=broker.rack,
        fenced=broker.fenced,
        in_controlled_shutdown=broker.in_controlled_shutdown,
        log_dirs=list(broker.log_dirs),
    )


def _quota_records(image: MetadataImage) -> list[Data]:
    return [
        ClientQuotaRecord(
            entity=[EntityData(entity_type=kind, entity_name=name) for kind, name in entity],
            key=key,
            value=value,
            remove=False,
        )
        for entity, quotas in image.client_quotas.items()
        for key, value in quotas.items()
    ]
