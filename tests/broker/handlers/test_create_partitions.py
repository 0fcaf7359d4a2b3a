"""CreatePartitions: topics only ever become wider."""

from __future__ import annotations

import pytest

from ottla.protocol.apis.create_partitions import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from ottla.protocol.errors import ErrorCode
from tests.support.in_process import Client, RunningBroker


def widening(
    name: str, count: int, *, validate_only: bool = False, assigned: list[int] | None = None
) -> CreatePartitionsRequest:
    assignments = None if assigned is None else [CreatePartitionsAssignment(broker_ids=assigned)]
    topic = CreatePartitionsTopic(name=name, count=count, assignments=assignments)
    return CreatePartitionsRequest(topics=[topic], validate_only=validate_only)


@pytest.mark.parametrize("version", range(4))
async def test_new_partitions_are_led_when_it_has_been_answered(
    broker: RunningBroker, client: Client, version: int
) -> None:
    await broker.topic("t")
    (result,) = (await client.call(widening("t", 3), version)).results
    assert (result.name, result.error_code) == ("t", 0)
    assert [broker.broker.partitions.get("t", index).is_leader for index in range(3)] == [True] * 3


@pytest.mark.parametrize("count", [1, 0, -1])
async def test_a_topic_does_not_shrink_or_stay(broker: RunningBroker, client: Client, count: int) -> None:
    await broker.topic("t")
    (result,) = (await client.call(widening("t", count), 3)).results
    assert result.error_code == ErrorCode.INVALID_PARTITIONS


async def test_an_unknown_topic_and_an_unknown_broker_are_refused(broker: RunningBroker, client: Client) -> None:
    await broker.topic("t")
    (result,) = (await client.call(widening("never-was", 3), 3)).results
    assert (result.error_code, result.error_message) == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, None)
    (result,) = (await client.call(widening("t", 2, assigned=[9]), 3)).results
    assert result.error_code == ErrorCode.INVALID_REPLICA_ASSIGNMENT


async def test_validate_only_widens_nothing(broker: RunningBroker, client: Client) -> None:
    await broker.topic("t")
    (result,) = (await client.call(widening("t", 2, validate_only=True), 3)).results
    assert result.error_code == 0
    found = broker.broker.image.topics.get("t")
    assert found is not None
    assert len(found.partitions) == 1
