"""KafkaAdminClient: the calls that programs use most; results are plain dicts and lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any

from ....client.admin.blocking import Admin
from ....client.admin.configs import ConfigResource as OurResource
from ....client.errors import ClientError
from ...errors import KafkaConfigurationError, for_error
from ...settings import translate
from ..structs import TopicPartition
from .offsets import OffsetCalls
from .security import SecurityCalls


class NewTopic:
    """A topic to create."""

    def __init__(
        self, name: str, num_partitions: int = -1, replication_factor: int = -1,
        replica_assignments: Mapping[int, list[int]] | None = None, topic_configs: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.name, self.num_partitions, self.replication_factor = name, num_partitions, replication_factor
        self.replica_assignments, self.topic_configs = dict(replica_assignments or {}), dict(topic_configs or {})


class NewPartitions:
    """More partitions for a topic."""

    def __init__(self, total_count: int, new_assignments: list[list[int]] | None = None) -> None:
        self.total_count, self.new_assignments = total_count, new_assignments


class ConfigResourceType(IntEnum):
    UNKNOWN = 0
    TOPIC = 2
    BROKER = 4
    BROKER_LOGGER = 8
    CLIENT_METRICS = 16
    GROUP = 32


class ConfigResource:
    """A topic or broker, and configs to set."""

    def __init__(self, resource_type: Any, name: str, configs: Any = None) -> None:
        if isinstance(resource_type, str):
            resource_type = ConfigResourceType[resource_type.upper()]
        self.resource_type, self.name, self.configs = ConfigResourceType(resource_type), name, configs

    @property
    def _ours(self) -> OurResource:
        made = {ConfigResourceType.TOPIC: OurResource.topic, ConfigResourceType.GROUP: OurResource.group}
        return made.get(self.resource_type, OurResource.broker)(self.name)


class KafkaAdminClient(SecurityCalls, OffsetCalls):
    """Settings are kafka-python's keywords."""

    def __init__(self, **configs: Any) -> None:
        defaults = {"bootstrap_servers": "localhost:9092", "client_id": "kafka-python-admin"}
        self.config = configs
        try:
            self._admin = Admin(translate(configs, unknown=KafkaConfigurationError, defaults=defaults))
        except ClientError as problem:
            raise for_error(problem) from problem

    def _try(self, work: Any) -> Any:
        try:
            return work()
        except (ClientError, ExceptionGroup) as problem:
            raise for_error(problem) from problem

    def close(self) -> None:
        self._admin.close()

    def __enter__(self) -> KafkaAdminClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create_topics(
        self, new_topics: Iterable[NewTopic] | Mapping[str, Any], timeout_ms: float | None = None,
        validate_only: bool = False, **_: Any,
    ) -> dict[str, Any]:  # fmt: skip
        topics = list(new_topics) if not isinstance(new_topics, Mapping) else [
            NewTopic(name, **({} if more is None else more)) for name, more in new_topics.items()
        ]  # fmt: skip
        rows = []
        for each in topics:
            placed = [each.replica_assignments[n] for n in sorted(each.replica_assignments)] or None
            self._try(
                lambda each=each, placed=placed: self._admin.topics.create(
                    each.name, partitions=each.num_partitions, replication_factor=each.replication_factor,
                    assignments=placed, config=each.topic_configs, validate_only=validate_only,
                )
            )  # fmt: skip
            rows.append({"name": each.name, "error_code": 0, "error_message": None})
        return {"topics": rows}

    def delete_topics(self, topics: Iterable[str], timeout_ms: float | None = None, **_: Any) -> dict[str, Any]:
        names = list(topics)
        self._try(lambda: self._admin.topics.delete(names))
        return {"responses": [{"name": name, "error_code": 0, "error_message": None} for name in names]}

    def list_topics(self) -> list[str]:
        names: list[str] = self._try(lambda: self._admin.topics.list(internal=True))
        return names

    def describe_topics(self, topics: Iterable[str] | None = None) -> list[dict[str, Any]]:
        found = self._try(lambda: self._admin.topics.describe(None if topics is None else list(topics)))
        return [
            {
                "error_code": 0, "name": t.name, "is_internal": t.is_internal,
                "partitions": [
                    {
                        "error_code": 0, "partition_index": p.id, "leader_id": p.leader, "leader_epoch": p.leader_epoch,
                        "replica_nodes": list(p.replicas), "isr_nodes": list(p.isr), "offline_replicas": list(p.offline),
                    }
                    for p in t.partitions
                ],
            }
            for t in found.values()
        ]  # fmt: skip

    def create_partitions(self, topic_partitions: Mapping[str, Any], validate_only: bool = False, **_: Any) -> Any:
        for name, more in topic_partitions.items():
            count = more.total_count if isinstance(more, NewPartitions) else int(more)
            placed = more.new_assignments if isinstance(more, NewPartitions) else None
            self._try(
                lambda n=name, c=count, a=placed: self._admin.topics.set_partitions(
                    n, c, assignments=a, validate_only=validate_only
                )
            )
        return {"results": [{"name": n, "error_code": 0, "error_message": None} for n in topic_partitions]}

    def describe_configs(self, config_resources: Iterable[ConfigResource], **_: Any) -> dict[str, Any]:
        """{"topic": {name: {config: {...}}}}"""
        found: dict[str, Any] = {}
        for each in config_resources:
            entries = self._try(lambda each=each: self._admin.configs.get(each._ours))
            found.setdefault(each.resource_type.name.lower(), {})[each.name] = {
                name: {"value": e.value, "is_sensitive": e.sensitive, "read_only": e.read_only}
                for name, e in entries.items()
            }
        return found

    def alter_configs(self, config_resources: Iterable[ConfigResource], validate_only: bool = False, **_: Any) -> None:
        for each in config_resources:
            self._try(lambda each=each: self._admin.configs.set(each._ours, each.configs, validate_only=validate_only))

    def reset_configs(self, config_resources: Iterable[ConfigResource], validate_only: bool = False, **_: Any) -> None:
        """Give these configs their defaults again."""
        for each in config_resources:
            names = list(each.configs or ())
            self._try(lambda e=each, n=names: self._admin.configs.delete(e._ours, n, validate_only=validate_only))

    def delete_records(self, records_to_delete: Mapping[Any, int], **_: Any) -> dict[Any, int]:
        before = {tuple(key): offset for key, offset in records_to_delete.items()}
        found = self._try(lambda: self._admin.topics.delete_records(before))
        return {TopicPartition(*key): low for key, low in found.items()}

    def list_groups(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        return [
            {"group_id": g.id, "protocol_type": g.protocol_type, "group_state": g.state, "group_type": g.type}
            for g in self._try(self._admin.groups.list)
        ]

    def list_consumer_groups(self, *_: Any, **__: Any) -> list[tuple[str, str]]:
        return [(g["group_id"], g["protocol_type"]) for g in self.list_groups()]

    def describe_groups(self, group_ids: Iterable[str], *_: Any, **__: Any) -> dict[str, Any]:
        told = {group: self._try(lambda g=group: self._admin.groups.describe(g)) for group in group_ids}
        return {
            group: {
                "group_id": group, "group_state": t.state, "protocol_data": t.assignor,
                "members": [{"member_id": m.id, "client_id": m.client_id, "client_host": m.host} for m in t.members],
            }
            for group, t in told.items()
        }  # fmt: skip

    def delete_groups(self, group_ids: Iterable[str], *_: Any, **__: Any) -> dict[str, str]:
        names = list(group_ids)
        self._try(lambda: self._admin.groups.delete(names))
        return dict.fromkeys(names, "OK")

    delete_consumer_groups = delete_groups

    def coordinator_of(self, group_id: str) -> int:
        """The id of the broker that coordinates a group."""
        return int(self._try(lambda: self._admin.groups.describe(group_id)).coordinator)

    def describe_cluster(self) -> dict[str, Any]:
        told = self._try(self._admin.cluster.describe)
        return {
            "cluster_id": told.id, "authorized_operations": None, "controller_id": told.controller_id,
            "brokers": [{"broker_id": b.id, "host": b.host, "port": b.port, "rack": b.rack} for b in told.brokers],
        }  # fmt: skip
