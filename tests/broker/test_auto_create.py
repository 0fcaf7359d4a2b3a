"""Topics that come into being because somebody asked for them."""

from __future__ import annotations

import asyncio

import pytest

from ottla.broker.auto_create import auto_create
from ottla.metadata.image import ResourceType
from ottla.protocol.errors import ErrorCode
from tests.support.in_process import RunningBroker


async def test_a_topic_gets_the_broker_s_defaults() -> None:
    async with RunningBroker(**{"num.partitions": "3"}) as running:
        assert await auto_create(running.broker, ["t", "t"]) == {}
        topic = running.broker.image.topics.get("t")
        assert topic is not None
        assert [partition.replicas for partition in topic.partitions] == [(1,)] * 3
        assert dict(running.broker.image.configs.get(ResourceType.TOPIC, "t")) == {}


async def test_each_that_cannot_be_created_is_told_and_the_others_are_there(broker: RunningBroker) -> None:
    assert await auto_create(broker.broker, ["good", "bad name"]) == {"bad name": ErrorCode.INVALID_TOPIC_EXCEPTION}
    assert broker.broker.partitions.get("good", 0).is_leader


async def test_two_who_ask_at_once_both_get_it(broker: RunningBroker) -> None:
    results = await asyncio.gather(*(auto_create(broker.broker, ["t"]) for _ in range(5)))
    assert results == [{}] * 5
    assert len(broker.broker.partitions) == 1


@pytest.mark.parametrize(
    ("name", "prefix", "count", "policy"),
    [
        ("__consumer_offsets", "offsets.topic.num.partitions", 50, "compact"),
        ("__transaction_state", "transaction.state.log.num.partitions", 50, "compact"),
        ("__share_group_state", "share.coordinator.state.topic.num.partitions", 50, "delete"),
    ],
)
async def test_internal_topics_have_their_own_counts_and_configs(
    broker: RunningBroker, name: str, prefix: str, count: int, policy: str
) -> None:
    assert await auto_create(broker.broker, [name]) == {}
    topic = broker.broker.image.topics.get(name)
    assert topic is not None
    assert len(topic.partitions) == count == broker.broker.config.integer(prefix)
    assert len(topic.partitions[0].replicas) == 1, "a replication factor of 3 does not keep one broker from working"
    assert broker.broker.image.configs.get(ResourceType.TOPIC, name)["cleanup.policy"] == policy
    log = broker.broker.partitions.get(name, 0).log
    assert (log.config.cleanup_policy, log.config.min_insync_replicas) == ({policy}, 1)


async def test_the_counts_of_internal_topics_are_configs() -> None:
    async with RunningBroker(**{"offsets.topic.num.partitions": "4"}) as running:
        await auto_create(running.broker, ["__consumer_offsets"])
        assert len(running.broker.partitions) == 4
