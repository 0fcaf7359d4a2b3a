"""Every API that is advertised answers in every version it is advertised in; nothing hangs, nothing is uncaught."""

from __future__ import annotations

from typing import Any

import pytest

from ottla.broker.dispatch import load_handlers
from ottla.protocol.apis import request_class
from ottla.protocol.schema import ZERO_UUID, Field, Primitive, Struct
from ottla.records.batch import Record, build_batch
from ottla.testing import Kafka
from ottla.testing.wire import Wire

#: What fields of a plausible request hold, by their names; everything else is its natural value.
PLAUSIBLE: dict[str, Any] = {
    "name": "t", "topic": "t", "topic_name": "t", "topics": "t", "topic_names": "t", "group_id": "g", "groups": "g",
    "groups_names": "g", "key": "g", "coordinator_keys": "g", "transactional_id": None, "acks": -1, "timestamp": -1,
    "partition_max_bytes": 1000, "max_bytes": 1000, "session_epoch": -1, "current_leader_epoch": -1, "replica_id": -1,
    "member_id": "", "protocol_type": "consumer", "session_timeout_ms": 10_000, "rebalance_timeout_ms": 10_000,
    "group_instance_id": None, "resource_type": 2, "resource_name": "t", "count": 1, "response_partition_limit": 10,
    "client_software_name": "test", "client_software_version": "1", "timeout_ms": 1000, "max_num_offsets": 1,
    "producer_id": -1, "producer_epoch": -1, "topic_id": None, "num_partitions": 1, "replication_factor": 1, "leader_epoch": 0,
    "resource_type_filter": 2, "operation": 3, "permission_type": 3, "principal": "User:a", "host": "*",
}  # fmt: skip


def plausible(cls: type[Struct], topic_id: bytes) -> Any:
    """A request with one item in each list, about topic t and group g."""
    message = cls()
    for field in cls.FIELDS:
        if field.name in {
            "assignments",
            "configuration_keys",
            "component_filter",
            "resource_types",
            "states_filter",
            "types_filter",
        }:
            continue
        value = item(field, topic_id)
        setattr(message, field.name, [value] if field.array else value)
    return message


def item(field: Field, topic_id: bytes) -> Any:
    if not isinstance(field.type, Primitive):
        return plausible(field.type, topic_id)
    if field.type.name == "records":
        return build_batch([Record(0, 1_700_000_000_000, b"k", b"v")])
    if field.type.name == "uuid":
        return topic_id if field.name == "topic_id" else ZERO_UUID
    value = PLAUSIBLE.get(field.name, field.default)
    if value is None and field.name == "transactional_id" and 0 not in field.nullable:
        return "T"  # requests about nothing but transactions
    return field.type.default if callable(value) or (field.array and value is None) else value


def without_absent(message: Any, version: int) -> Any:
    """Fields that the version lacks go back to their defaults, so that the request can be encoded."""
    for field in message.FIELDS:
        value = getattr(message, field.name)
        if version not in field.versions:
            setattr(
                message,
                field.name,
                []
                if field.array and callable(field.default)
                else field.default()
                if callable(field.default)
                else field.default,
            )
        else:
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, Struct):
                    without_absent(each, version)
    return message


@pytest.mark.parametrize("api", [entry.name for entry in load_handlers().values()])
def test_every_version_is_answered(kafka: Kafka, api: str) -> None:
    (entry,) = (entry for entry in load_handlers().values() if entry.name == api)
    wire = Wire(kafka.host, kafka.port)
    for version in range(entry.versions.low, entry.versions.high + 1):
        topic = kafka.topic("t", partitions=1)
        topic.put([("k", "v")])
        cls = request_class(entry.key)
        wire.call(without_absent(plausible(cls, topic._id), version), version)
        if api != "Produce":  # an empty one has acks=0: no answer is the right answer
            wire.call(cls(), version)
    wire.close()
    metrics = kafka._thread.broker.metrics  # type: ignore[union-attr]
    assert metrics.uncaught_exceptions == 0
