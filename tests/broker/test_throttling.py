"""Quotas at work: what a client on a socket sees when it has used up what it may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ottla.broker.quotas.client_quotas import QuotaKind
from ottla.protocol.apis.alter_client_quotas import AlterClientQuotasRequest, EntityData, EntryData, OpData
from ottla.protocol.apis.api_versions import ApiVersionsRequest
from ottla.protocol.apis.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from ottla.protocol.apis.create_topics import CreatableTopic, CreateTopicsRequest
from ottla.protocol.apis.delete_topics import DeleteTopicsRequest
from ottla.protocol.apis.fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.protocol.apis.metadata import MetadataRequest, MetadataRequestTopic
from ottla.protocol.errors import ErrorCode
from tests.support.in_process import Client, RunningBroker, batch, produce_request


@pytest.fixture
async def broker() -> AsyncIterator[RunningBroker]:
    async with RunningBroker(**{"quota.window.num": "2", "controller.quota.window.num": "2"}) as running:
        await running.topic("t")
        yield running


async def limit(client: Client, key: str, value: float, kind: str = "client-id", name: str | None = None) -> None:
    entry = EntryData(
        entity=[EntityData(entity_type=kind, entity_name=name)], ops=[OpData(key=key, value=value, remove=value == 0)]
    )
    answer = await client.call(AlterClientQuotasRequest(entries=[entry], validate_only=False), 1)
    assert [row.error_code for row in answer.entries] == [ErrorCode.NONE]


def fetch_request(offset: int = 0, session_epoch: int = -1) -> FetchRequest:
    wanted = FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=1 << 20)
    topics = [FetchTopic(topic="t", partitions=[wanted])]
    return FetchRequest(max_wait_ms=0, min_bytes=0, max_bytes=1 << 20, session_epoch=session_epoch, topics=topics)


async def test_a_producer_beyond_its_quota_is_answered_at_once_and_then_left_alone(
    broker: RunningBroker, client: Client
) -> None:
    await limit(client, "producer_byte_rate", 20_000)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    answer = await client.call(produce_request("t", batch(b"x" * 22_500)), 9)
    assert answer.responses[0].partition_responses[0].error_code == ErrorCode.NONE
    assert 120 <= answer.throttle_time_ms <= 180
    assert loop.time() - begun < 0.12
    await client.call(ApiVersionsRequest(client_software_name="t", client_software_version="1"), 3)
    assert loop.time() - begun >= 0.12, "no request is served before"
    assert broker.broker.metrics.connections_open == 1


async def test_others_are_served_meanwhile(broker: RunningBroker, client: Client) -> None:
    await limit(client, "producer_byte_rate", 10, name="someone-else")
    answer = await client.call(produce_request("t", batch(b"x" * 22_500)), 9)
    assert answer.throttle_time_ms == 0


async def test_acks_0_is_counted_and_slowed_down(broker: RunningBroker, client: Client) -> None:
    await limit(client, "producer_byte_rate", 20_000)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    client.send(produce_request("t", batch(b"x" * 22_500), acks=0), 9)
    await client.call(MetadataRequest(topics=None), 9)
    assert loop.time() - begun >= 0.12


async def test_a_fetch_beyond_the_quota_waits_afterwards_and_others_that_share_it_get_nothing_meanwhile(
    broker: RunningBroker, client: Client
) -> None:
    await client.call(produce_request("t", batch(b"x" * 3000)), 9)
    await limit(client, "consumer_byte_rate", 4000)
    first = await client.call(fetch_request(), 11)
    assert first.throttle_time_ms == 0
    second = await client.call(fetch_request(), 11)
    assert len(second.responses[0].partitions[0].records) > 3000
    assert second.throttle_time_ms > 400
    async with broker.connect() as other:
        meanwhile = await other.call(fetch_request(session_epoch=0), 11)
    assert meanwhile.throttle_time_ms > 400
    assert meanwhile.responses == []
    assert meanwhile.session_id == 0
    assert len(broker.broker.fetch_sessions) == 0, "a session that nobody was told of is none"
    usage = {use.kind: use for use in broker.broker.throttling.clients.usage(asyncio.get_running_loop().time() * 1000)}
    assert 5000 < usage[QuotaKind.FETCH].rate < 7000, "what was not sent does not count"


async def test_an_answer_is_no_larger_than_what_the_quota_lets_through(broker: RunningBroker, client: Client) -> None:
    for _ in range(10):
        await client.call(produce_request("t", batch(b"x" * 1000)), 9)
    await limit(client, "consumer_byte_rate", 4000)
    answer = await client.call(fetch_request(), 11)
    assert answer.throttle_time_ms == 0
    assert 2500 < len(answer.responses[0].partitions[0].records) < 4000


async def test_a_batch_that_is_larger_than_that_arrives_all_the_same(broker: RunningBroker, client: Client) -> None:
    await client.call(produce_request("t", batch(b"x" * 4300)), 9)
    await limit(client, "consumer_byte_rate", 4000)
    answer = await client.call(fetch_request(), 11)
    assert len(answer.responses[0].partitions[0].records) > 4300
    assert 100 < answer.throttle_time_ms < 200


async def test_time_is_limited_too(broker: RunningBroker, client: Client) -> None:
    await limit(client, "request_percentage", 0.001)
    answer = await client.call(MetadataRequest(topics=None), 9)
    assert 0 < answer.throttle_time_ms <= 1000


async def test_changes_beyond_the_quota_are_refused_topic_by_topic(broker: RunningBroker, client: Client) -> None:
    await limit(client, "controller_mutation_rate", 10)
    made = [CreatableTopic(name=f"n{i}", num_partitions=15, replication_factor=1) for i in range(4)]
    answer = await client.call(CreateTopicsRequest(topics=made, timeout_ms=1000), 6)
    assert [topic.error_code for topic in answer.topics] == [0, 0, ErrorCode.THROTTLING_QUOTA_EXCEEDED] * 1 + [
        ErrorCode.THROTTLING_QUOTA_EXCEEDED
    ]
    assert 900 <= answer.throttle_time_ms <= 1000
    assert "n1" in broker.broker.image.topics
    assert "n2" not in broker.broker.image.topics


async def test_clients_of_before_are_slowed_down_instead(broker: RunningBroker, client: Client) -> None:
    await limit(client, "controller_mutation_rate", 10)
    wider = CreatePartitionsRequest(
        topics=[CreatePartitionsTopic(name="t", count=23, assignments=None)], timeout_ms=1000
    )
    answer = await client.call(wider, 2)
    assert answer.results[0].error_code == ErrorCode.NONE
    assert 150 <= answer.throttle_time_ms <= 200
    deleted = await client.call(DeleteTopicsRequest(topic_names=["t"], timeout_ms=1000), 4)
    assert deleted.responses[0].error_code == ErrorCode.NONE
    assert deleted.throttle_time_ms > 2000


async def test_a_topic_that_is_created_on_first_use_counts(broker: RunningBroker, client: Client) -> None:
    await limit(client, "controller_mutation_rate", 1)
    for number in range(3):
        topics = [MetadataRequestTopic(name=f"first-use-{number}")]
        answer = await client.call(MetadataRequest(topics=topics, allow_auto_topic_creation=True), 9)
        assert answer.topics[0].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION  # ask again
        if answer.throttle_time_ms:
            break
    assert number == 2
    assert 900 <= answer.throttle_time_ms <= 1000


async def test_an_address_that_connects_too_often_waits_and_is_not_cut_off(
    broker: RunningBroker, client: Client
) -> None:
    await limit(client, "connection_creation_rate", 20, kind="ip", name="127.0.0.1")
    loop = asyncio.get_running_loop()
    begun = loop.time()

    async def connect() -> Any:
        async with broker.connect() as other:
            return await other.call(ApiVersionsRequest(), 0)

    answers = await asyncio.gather(*(connect() for _ in range(22)))
    assert [answer.error_code for answer in answers] == [0] * 22
    assert loop.time() - begun >= 0.1


async def test_a_removed_quota_holds_no_longer(broker: RunningBroker, client: Client) -> None:
    await limit(client, "request_percentage", 0.001)
    await limit(client, "request_percentage", 0)
    assert not broker.broker.throttling.active
    answer = await client.call(MetadataRequest(topics=None), 9)
    assert answer.throttle_time_ms == 0


async def test_quotas_are_there_after_a_restart(broker: RunningBroker, client: Client) -> None:
    await limit(client, "producer_byte_rate", 20_000)
    await broker.restart()
    async with broker.connect() as again:
        answer = await again.call(produce_request("t", batch(b"x" * 22_500)), 9)
    assert answer.throttle_time_ms > 0
