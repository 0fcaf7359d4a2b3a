"""What records change in an image: the one place where metadata records are given their meaning.

`MetadataImage.apply` makes a `Delta`, feeds it the records in order and asks it for the next image. A map of the old
image is copied at its first change and not before. Partitions are collected in lists per topic and become tuples once,
at the end, so that replaying a topic of 1,000 partitions costs 1,000 steps and not half a million.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..protocol.schema import Data
from ..protocol.stored import metadata as stored
from .image import (
    BrokerImage,
    ConfigsImage,
    EndpointImage,
    MetadataImage,
    PartitionImage,
    ReplayError,
    ResourceType,
    TopicImage,
    TopicsImage,
)

#: PartitionChangeRecord.leader when the record does not change the leader.
NO_LEADER_CHANGE = -2
#: RegisterBrokerRecord changes fenced and in_controlled_shutdown by -1 (clear), 0 (keep), 1 (set).
_KEEP = 0


class Delta:
    """An image in the making."""

    def __init__(self, base: MetadataImage):
        self._base = base
        self._copied: dict[str, Any] = {}
        self._topics: dict[bytes, tuple[str, list[PartitionImage]]] = {}
        self._removed: set[bytes] = set()
        #: Topics whose partition records did not come in order: all must be there in the end.
        self._gaps: set[bytes] = set()
        self._next_producer_id = base.next_producer_id
        self._tuples: dict[tuple[int, ...], tuple[int, ...]] = {}

    def replay(self, record: Data) -> None:
        """Apply one record. Raises `ReplayError` if it does not fit."""
        handler = _HANDLERS.get(type(record))
        if handler is None:
            raise ReplayError(f"metadata record {type(record).__name__} is not known")
        handler(self, record)

    def image(self, version: int) -> MetadataImage:
        """Close the delta."""
        base, copied = self._base, self._copied
        configs = copied.get("configs")
        return MetadataImage(
            version=version,
            cluster_id=base.cluster_id,
            topics=self._finish_topics(),
            configs=base.configs if configs is None else ConfigsImage(configs),
            brokers=copied.get("brokers", base.brokers),
            features=copied.get("features", base.features),
            next_producer_id=self._next_producer_id,
            acls=copied.get("acls", base.acls),
            scram_credentials=copied.get("scram_credentials", base.scram_credentials),
            client_quotas=copied.get("client_quotas", base.client_quotas),
            delegation_tokens=copied.get("delegation_tokens", base.delegation_tokens),
        )

    # -- maps ------------------------------------------------------------------------------------------------------

    def _own(self, name: str) -> dict[Any, Any]:
        """Return this delta's own copy of one of the image's maps."""
        if name not in self._copied:
            value = getattr(self._base, name)
            self._copied[name] = dict(value._resources if name == "configs" else value)
        copied: dict[Any, Any] = self._copied[name]
        return copied

    def _share(self, members: list[int]) -> tuple[int, ...]:
        """Return one tuple for all equal lists of broker ids: most partitions have the same few."""
        key = tuple(members)
        return self._tuples.setdefault(key, key)

    # -- topics ----------------------------------------------------------------------------------------------------

    def _topic(self, topic_id: bytes) -> tuple[str, list[PartitionImage]]:
        entry = self._topics.get(topic_id)
        if entry is None:
            topic = None if topic_id in self._removed else self._base.topics.by_id(topic_id)
            if topic is None:
                raise ReplayError(f"there is no topic with id {topic_id.hex()}")
            entry = self._topics[topic_id] = (topic.name, list(topic.partitions))
        return entry

    def _finish_topics(self) -> TopicsImage:
        if not self._topics and not self._removed:
            return self._base.topics
        old = self._base.topics
        by_name, by_id, collisions = dict(old._by_name), dict(old._by_id), dict(old._collisions)
        for topic_id in self._removed:
            topic = by_id.pop(topic_id, None)
            if topic is not None and by_name[topic.name].id == topic_id:
                del by_name[topic.name]
                _forget_collision(collisions, by_name, topic.name)
        for topic_id, (name, partitions) in self._topics.items():
            if topic_id in self._gaps and any(p is _MISSING for p in partitions):
                raise ReplayError(f"topic {name} lacks partition {partitions.index(_MISSING)}")
            by_id[topic_id] = by_name[name] = TopicImage(name, topic_id, tuple(partitions))
            if "." in name or "_" in name:
                collisions[name.replace(".", "_")] = name
        return TopicsImage(by_name, by_id, collisions)

    def _topic_record(self, record: stored.TopicRecord) -> None:
        if record.topic_id in self._topics:
            raise ReplayError(f"topic id {record.topic_id.hex()} is used twice")
        self._topics[record.topic_id] = (record.name, [])

    def _remove_topic(self, record: stored.RemoveTopicRecord) -> None:
        name, _ = self._topic(record.topic_id)
        del self._topics[record.topic_id]
        self._removed.add(record.topic_id)

        resource = (ResourceType.TOPIC, name)
        if resource in self._copied.get("configs", self._base.configs._resources):
            del self._own("configs")[resource]

    def _partition(self, record: stored.PartitionRecord) -> None:
        _, partitions = self._topic(record.topic_id)
        partition = PartitionImage(
            record.leader,
            record.leader_epoch,
            record.partition_epoch,
            self._share(record.replicas),
            self._share(record.isr),
            self._share(record.eligible_leader_replicas or []),
            self._share(record.last_known_elr or []),
            self._share(record.adding_replicas),
            self._share(record.removing_replicas),
            tuple(record.directories),
            record.leader_recovery_state,
        )
        index = record.partition_id
        if index < len(partitions):
            partitions[index] = partition
        elif index == len(partitions):
            partitions.append(partition)
        else:
            # Kafka writes the partitions of a topic out of a hash map: ids may come in any order.
            partitions.extend([_MISSING] * (index - len(partitions)))
            partitions.append(partition)
            self._gaps.add(record.topic_id)

    def _partition_change(self, record: stored.PartitionChangeRecord) -> None:
        name, partitions = self._topic(record.topic_id)
        if not 0 <= record.partition_id < len(partitions):
            raise ReplayError(f"there is no partition {name}-{record.partition_id}")
        old = partitions[record.partition_id]
        leader, leader_epoch = old.leader, old.leader_epoch
        if record.leader != NO_LEADER_CHANGE:
            leader, leader_epoch = record.leader, old.leader_epoch + 1

        def changed(value: list[int] | None, before: tuple[int, ...]) -> tuple[int, ...]:
            return before if value is None else self._share(value)

        partitions[record.partition_id] = PartitionImage(
            leader,
            leader_epoch,
            old.partition_epoch + 1,
            changed(record.replicas, old.replicas),
            changed(record.isr, old.isr),
            changed(record.eligible_leader_replicas, old.elr),
            changed(record.last_known_elr, old.last_known_elr),
            changed(record.adding_replicas, old.adding_replicas),
            changed(record.removing_replicas, old.removing_replicas),
            old.directories if record.directories is None else tuple(record.directories),
            old.leader_recovery_state if record.leader_recovery_state == -1 else record.leader_recovery_state,
        )

    def _clear_elr(self, record: stored.ClearElrRecord) -> None:
        base = self._base.topics
        ids = list(dict.fromkeys([*(t.id for t in base if t.id not in self._removed), *self._topics]))
        for topic_id in ids:
            known = self._topics.get(topic_id) or base.by_id(topic_id)
            assert known is not None
            name, partitions = (known.name, known.partitions) if isinstance(known, TopicImage) else known
            if record.topic_name in ("", name) and any(p.elr or p.last_known_elr for p in partitions):
                _, own = self._topic(topic_id)
                own[:] = [
                    p._replace(elr=(), last_known_elr=(), partition_epoch=p.partition_epoch + 1)
                    if p.elr or p.last_known_elr else p
                    for p in own
                ]  # fmt: skip

    # -- configs, features, producer ids ---------------------------------------------------------------------------

    def _config(self, record: stored.ConfigRecord) -> None:
        resources = self._own("configs")
        resource = (record.resource_type, record.resource_name)
        configs = dict(resources.get(resource, ()))
        if record.value is None:
            configs.pop(record.name, None)
        else:
            configs[record.name] = record.value
        if configs:
            resources[resource] = configs
        else:
            resources.pop(resource, None)

    def _feature_level(self, record: stored.FeatureLevelRecord) -> None:
        features = self._own("features")
        if record.feature_level == 0 and record.name != "metadata.version":
            features.pop(record.name, None)
        else:
            features[record.name] = record.feature_level

    def _producer_ids(self, record: stored.ProducerIdsRecord) -> None:
        self._next_producer_id = record.next_producer_id

    # -- brokers ---------------------------------------------------------------------------------------------------

    def _broker(self, broker_id: int, epoch: int) -> BrokerImage:
        broker: BrokerImage | None = self._own("brokers").get(broker_id)
        if broker is None:
            raise ReplayError(f"broker {broker_id} is not registered")
        if broker.epoch != epoch:
            raise ReplayError(f"broker {broker_id} has epoch {broker.epoch}, the record says {epoch}")
        return broker

    def _register_broker(self, record: stored.RegisterBrokerRecord) -> None:
        self._own("brokers")[record.broker_id] = BrokerImage(
            record.broker_id,
            record.broker_epoch,
            record.incarnation_id,
            tuple(EndpointImage(e.name, e.host, e.port, e.security_protocol) for e in record.end_points),
            record.rack,
            record.fenced,
            record.in_controlled_shutdown,
            tuple(record.log_dirs),
            tuple((x.name, x.min_supported_version, x.max_supported_version) for x in record.features),
        )

    def _unregister_broker(self, record: stored.UnregisterBrokerRecord) -> None:
        self._broker(record.broker_id, record.broker_epoch)
        del self._own("brokers")[record.broker_id]

    def _fence_broker(self, record: stored.FenceBrokerRecord) -> None:
        self._own("brokers")[record.id] = self._broker(record.id, record.epoch)._replace(fenced=True)

    def _unfence_broker(self, record: stored.UnfenceBrokerRecord) -> None:
        self._own("brokers")[record.id] = self._broker(record.id, record.epoch)._replace(fenced=False)

    def _change_broker(self, record: stored.BrokerRegistrationChangeRecord) -> None:
        broker = self._broker(record.broker_id, record.broker_epoch)
        if record.fenced != _KEEP:
            broker = broker._replace(fenced=record.fenced > 0)
        if record.in_controlled_shutdown != _KEEP:
            broker = broker._replace(in_controlled_shutdown=record.in_controlled_shutdown > 0)
        if record.log_dirs:
            broker = broker._replace(log_dirs=tuple(record.log_dirs))
        self._own("brokers")[record.broker_id] = broker

    # -- kept as they came -----------------------------------------------------------------------------------------

    def _acl(self, record: stored.AccessControlEntryRecord) -> None:
        self._own("acls")[record.id] = record

    def _remove_acl(self, record: stored.RemoveAccessControlEntryRecord) -> None:
        self._own("acls").pop(record.id, None)

    def _scram(self, record: stored.UserScramCredentialRecord) -> None:
        self._own("scram_credentials")[record.name, record.mechanism] = record

    def _remove_scram(self, record: stored.RemoveUserScramCredentialRecord) -> None:
        self._own("scram_credentials").pop((record.name, record.mechanism), None)

    def _client_quota(self, record: stored.ClientQuotaRecord) -> None:
        entity = tuple(sorted(((e.entity_type, e.entity_name) for e in record.entity), key=lambda pair: pair[0]))
        all_quotas = self._own("client_quotas")
        quotas: dict[str, float] = dict(all_quotas.get(entity, ()))
        if record.remove:
            quotas.pop(record.key, None)
        else:
            quotas[record.key] = record.value
        if quotas:
            all_quotas[entity] = quotas
        else:
            all_quotas.pop(entity, None)

    def _token(self, record: stored.DelegationTokenRecord) -> None:
        self._own("delegation_tokens")[record.token_id] = record

    def _remove_token(self, record: stored.RemoveDelegationTokenRecord) -> None:
        self._own("delegation_tokens").pop(record.token_id, None)

    def _nothing(self, record: Data) -> None:
        """Records of Kafka's quorum and of ZooKeeper migration say nothing about the cluster's metadata."""


#: Stands for a partition whose record has not come yet; an image never shows it after a whole batch.
_MISSING = PartitionImage(-1, -1, -1, (), ())

_HANDLERS: Mapping[type[Data], Callable[[Delta, Any], None]] = {
    stored.AccessControlEntryRecord: Delta._acl,
    stored.BrokerRegistrationChangeRecord: Delta._change_broker,
    stored.ClearElrRecord: Delta._clear_elr,
    stored.ClientQuotaRecord: Delta._client_quota,
    stored.ConfigRecord: Delta._config,
    stored.DelegationTokenRecord: Delta._token,
    stored.FeatureLevelRecord: Delta._feature_level,
    stored.FenceBrokerRecord: Delta._fence_broker,
    stored.NoOpRecord: Delta._nothing,
    stored.PartitionChangeRecord: Delta._partition_change,
    stored.PartitionRecord: Delta._partition,
    stored.ProducerIdsRecord: Delta._producer_ids,
    stored.RegisterBrokerRecord: Delta._register_broker,
    stored.RegisterControllerRecord: Delta._nothing,
    stored.RemoveAccessControlEntryRecord: Delta._remove_acl,
    stored.RemoveDelegationTokenRecord: Delta._remove_token,
    stored.RemoveTopicRecord: Delta._remove_topic,
    stored.RemoveUserScramCredentialRecord: Delta._remove_scram,
    stored.TopicRecord: Delta._topic_record,
    stored.UnfenceBrokerRecord: Delta._unfence_broker,
    stored.UnregisterBrokerRecord: Delta._unregister_broker,
    stored.UserScramCredentialRecord: Delta._scram,
    stored.ZkMigrationStateRecord: Delta._nothing,
}


def _forget_collision(collisions: dict[str, str], names: Mapping[str, TopicImage], name: str) -> None:
    """Forget that `name` has its metric name. (Two topics share one only if an older Kafka let them.)"""
    unified = name.replace(".", "_")
    if collisions.get(unified) == name:
        del collisions[unified]
        if unified in names:
            collisions[unified] = unified
