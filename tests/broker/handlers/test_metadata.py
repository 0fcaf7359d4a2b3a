"""Metadata: what a client learns of brokers and topics, and topics that come into being by being asked for."""

from __future__ import annotations

import pytest

from ottla.protocol.apis.metadata import MetadataRequest, MetadataRequestTopic
from ottla.protocol.errors import ErrorCode
from tests.support.in_process import Client, RunningBroker


def asking(*names: str, **options: bool) -> MetadataRequest:
    return MetadataRequest(topics=[MetadataRequestTopic(name=name) for name in names], **options)


@pytest.mark.parametrize("version", range(14))
async def test_the_broker_and_a_topic_are_described_in_every_version(
    broker: RunningBroker, client: Client, version: int
) -> None:
    await broker.topic("t")
    answer = await client.call(asking("t"), version)
    assert [(b.host, b.port) for b in answer.brokers] == [("127.0.0.1", broker.port)]
    (topic,) = answer.topics
    assert (topic.name, topic.error_code, topic.partitions[0].leader_id) == ("t", 0, 1)


@pytest.mark.parametrize(("version", "request_topics", "count"), [(0, [], 2), (1, None, 2), (1, [], 0), (12, None, 2)])
async def test_all_topics_are_asked_for_by_null_and_in_version_0_by_nothing(
    broker: RunningBroker, client: Client, version: int, request_topics: list[MetadataRequestTopic] | None, count: int
) -> None:
    await broker.topic("t")
    await broker.topic("u")
    assert len((await client.call(MetadataRequest(topics=request_topics), version)).topics) == count


async def test_an_unknown_topic_is_created_and_ready_when_the_client_asks_again(client: Client) -> None:
    """segmentio/kafka-go deletes topics, asks for them in a way that creates them, and wants to see no partition."""
    (topic,) = (await client.call(asking("new"), 9)).topics
    assert (topic.error_code, topic.partitions) == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, [])
    (topic,) = (await client.call(asking("new"), 9)).topics
    assert (topic.error_code, len(topic.partitions), topic.partitions[0].leader_id) == (0, 1, 1)


async def test_nothing_is_created_for_a_client_that_does_not_want_it(broker: RunningBroker, client: Client) -> None:
    (topic,) = (await client.call(asking("new", allow_auto_topic_creation=False), 9)).topics
    assert topic.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert "new" not in broker.broker.image.topics


async def test_a_name_that_no_topic_may_have_is_refused(client: Client) -> None:
    (topic,) = (await client.call(asking("no/slash"), 9)).topics
    assert topic.error_code == ErrorCode.INVALID_TOPIC_EXCEPTION


async def test_a_topic_is_found_by_its_id(broker: RunningBroker, client: Client) -> None:
    topic_id = (await broker.topic("t")).topic_id
    wanted = [MetadataRequestTopic(topic_id=x, name=None) for x in (topic_id, bytes(15) + b"\1")]
    found, unknown = (await client.call(MetadataRequest(topics=wanted), 12)).topics
    assert (found.name, found.error_code) == ("t", 0)
    assert (unknown.name, unknown.error_code) == (None, ErrorCode.UNKNOWN_TOPIC_ID)


async def test_the_internal_topic_is_created_as_kafka_does(broker: RunningBroker, client: Client) -> None:
    await client.call(asking("__consumer_offsets"), 9)
    (topic,) = (await client.call(asking("__consumer_offsets"), 9)).topics
    assert (topic.error_code, topic.is_internal, len(topic.partitions)) == (0, True, 50)
    assert broker.broker.partitions.get("__consumer_offsets", 0).log.config.compacted


async def test_operations_are_told_only_to_who_asks(broker: RunningBroker, client: Client) -> None:
    await broker.topic("t")
    silent = await client.call(asking("t"), 8)
    assert (silent.cluster_authorized_operations, silent.topics[0].topic_authorized_operations) == (-(2**31), -(2**31))
    asked = asking("t", include_cluster_authorized_operations=True, include_topic_authorized_operations=True)
    told = await client.call(asked, 8)
    assert (told.cluster_authorized_operations, told.topics[0].topic_authorized_operations) == (8096, 3576)
