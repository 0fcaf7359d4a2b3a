"""Requests 83 to 87 through a running broker: what other brokers ask the share coordinator; and the upkeep of its topic."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ottla.broker.auto_create import auto_create
from ottla.broker.coordinators.share_state import coordinator_key
from ottla.coordinator.share_state.records import SharePartitionKey
from ottla.protocol.apis import (
    delete_share_group_state as deleting,
)
from ottla.protocol.apis import (
    initialize_share_group_state as initializing,
)
from ottla.protocol.apis import (
    read_share_group_state as reading,
)
from ottla.protocol.apis import (
    read_share_group_state_summary as summing,
)
from ottla.protocol.apis import (
    write_share_group_state as writing,
)
from ottla.protocol.errors import ErrorCode
from ottla.protocol.schema import Request
from tests.support.in_process import Client, RunningBroker

CLEAN_UP_MS = 300_000


@pytest.fixture
async def broker() -> AsyncIterator[RunningBroker]:
    sets = {
        "share.coordinator.state.topic.num.partitions": "1",
        "share.coordinator.snapshot.update.records.per.snapshot": "2",
    }
    async with RunningBroker(**sets) as running:
        assert await auto_create(running.broker, ["t"]) == {}
        await running.broker.share_state.ensure_topic()
        yield running


def topic_id(running: RunningBroker) -> bytes:
    topic = running.broker.image.topics.get("t")
    assert topic is not None
    return topic.id


async def one(client: Client, request: Request, version: int = 0) -> Any:
    """The only partition of the only topic of the answer."""
    response = await client.call(request, version)
    ((result,),) = (topic.partitions for topic in response.results)
    return result


def initialize(id_: bytes, state_epoch: int = 1, start_offset: int = 3, partition: int = 0) -> Request:
    data = initializing.PartitionData(partition=partition, state_epoch=state_epoch, start_offset=start_offset)
    topic = initializing.InitializeStateData(topic_id=id_, partitions=[data])
    return initializing.InitializeShareGroupStateRequest(group_id="g", topics=[topic])


def read(id_: bytes, leader_epoch: int = 0) -> Request:
    data = reading.PartitionData(partition=0, leader_epoch=leader_epoch)
    topic = reading.ReadStateData(topic_id=id_, partitions=[data])
    return reading.ReadShareGroupStateRequest(group_id="g", topics=[topic])


def write(id_: bytes, first: int, last: int, count: int = -1) -> Request:
    batch = writing.StateBatch(first_offset=first, last_offset=last, delivery_state=2, delivery_count=1)
    data = writing.PartitionData(
        partition=0,
        state_epoch=1,
        leader_epoch=0,
        start_offset=-1,
        delivery_complete_count=count,
        state_batches=[batch],
    )
    topic = writing.WriteStateData(topic_id=id_, partitions=[data])
    return writing.WriteShareGroupStateRequest(group_id="g", topics=[topic])


def summary(id_: bytes) -> Request:
    data = summing.PartitionData(partition=0, leader_epoch=0)
    topic = summing.ReadStateSummaryData(topic_id=id_, partitions=[data])
    return summing.ReadShareGroupStateSummaryRequest(group_id="g", topics=[topic])


def delete(id_: bytes) -> Request:
    topic = deleting.DeleteStateData(topic_id=id_, partitions=[deleting.PartitionData(partition=0)])
    return deleting.DeleteShareGroupStateRequest(group_id="g", topics=[topic])


async def test_state_is_kept_over_a_restart_and_deleted(broker: RunningBroker) -> None:
    id_ = topic_id(broker)
    async with broker.connect() as client:
        for request, version in ((initialize(id_), 0), (write(id_, 3, 5, count=3), 1), (write(id_, 6, 8, count=6), 1)):
            result = await one(client, request, version)
            assert (result.error_code, result.error_message) == (0, None)
    await broker.restart(clean=False)
    async with broker.connect() as client:
        result = await one(client, read(id_))
        batches = [(b.first_offset, b.last_offset, b.delivery_state, b.delivery_count) for b in result.state_batches]
        assert (result.state_epoch, result.start_offset, batches) == (1, 3, [(3, 8, 2, 1)])
        result = await one(client, summary(id_), 1)
        assert (result.state_epoch, result.leader_epoch, result.start_offset) == (1, 0, 3)
        assert result.delivery_complete_count == 6
        assert (await one(client, delete(id_))).error_code == 0
        assert (await one(client, read(id_))).error_code == ErrorCode.INVALID_REQUEST


async def test_each_partition_has_its_own_error_with_kafkas_words(broker: RunningBroker) -> None:
    id_ = topic_id(broker)
    async with broker.connect() as client:
        result = await one(client, write(id_, 0, 1))
        assert result.error_code == ErrorCode.INVALID_REQUEST
        assert result.error_message == "Write operation on uninitialized share partition not allowed."
        result = await one(client, initialize(id_, partition=7))
        assert result.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        await one(client, initialize(id_, state_epoch=4))
        assert (await one(client, initialize(id_, state_epoch=3))).error_code == ErrorCode.FENCED_STATE_EPOCH
        await one(client, read(id_, leader_epoch=5))
        assert (await one(client, read(id_, leader_epoch=4))).error_code == ErrorCode.FENCED_LEADER_EPOCH


async def test_a_request_without_group_or_partitions_has_an_empty_answer(broker: RunningBroker) -> None:
    async with broker.connect() as client:
        for request in (
            deleting.DeleteShareGroupStateRequest(group_id="g", topics=[]),
            deleting.DeleteShareGroupStateRequest(group_id="", topics=delete(bytes(16)).topics),  # type: ignore[attr-defined]
            reading.ReadShareGroupStateRequest(group_id="g", topics=[reading.ReadStateData(topic_id=topic_id(broker))]),
        ):
            assert (await client.call(request, 0)).results == []


async def test_the_log_loses_what_snapshots_made_superfluous(broker: RunningBroker) -> None:
    id_ = topic_id(broker)
    service = broker.broker.share_state
    log = broker.broker.partitions.get(service.TOPIC, 0).log
    async with broker.connect() as client:
        await one(client, initialize(id_))
        for offset in range(3, 9):
            await one(client, write(id_, offset, offset))
        assert (log.log_start_offset, log.log_end_offset) == (0, 7)
        service._clean_up()
        assert log.log_start_offset == 6, "snapshot, 2 updates, snapshot, 2 updates, snapshot"
        broker.clock.time_ms += CLEAN_UP_MS
        await one(client, write(id_, 9, 9))
        service._clean_up()
        await one(client, summary(id_), 1)  # is told when everything before is committed
        assert log.log_start_offset == 8, "a cold partition is written again and does not hold the log back"
    await broker.restart()
    async with broker.connect() as client:
        result = await one(client, read(id_))
        assert [(b.first_offset, b.last_offset) for b in result.state_batches] == [(3, 9)]


async def test_a_share_partition_has_kafkas_name() -> None:
    """Its hash, that of the Java string, finds the partition of the topic."""
    key = SharePartitionKey("my-group", bytes(range(16)), 3)
    assert coordinator_key(key) == "my-group:AAECAwQFBgcICQoLDA0ODw:3"
