"""CreateTopics: topics come into being one by one, or say why not."""

from __future__ import annotations

from typing import Any

import pytest

from ottla.protocol.apis.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from ottla.protocol.errors import ErrorCode
from tests.support.in_process import Client, RunningBroker


def topic(name: str, partitions: int = 1, **configs: str) -> CreatableTopic:
    rows = [CreatableTopicConfig(name=key.replace("_", "."), value=value) for key, value in configs.items()]
    return CreatableTopic(name=name, num_partitions=partitions, replication_factor=1, assignments=[], configs=rows)


def creating(*topics: CreatableTopic, **options: Any) -> CreateTopicsRequest:
    return CreateTopicsRequest(topics=list(topics), **options)


@pytest.mark.parametrize("version", range(8))
async def test_a_topic_is_there_when_it_has_been_answered(broker: RunningBroker, client: Client, version: int) -> None:
    (result,) = (await client.call(creating(topic("t", 3)), version)).topics
    assert (result.name, result.error_code) == ("t", 0)
    assert [broker.broker.partitions.get("t", index).is_leader for index in range(3)] == [True] * 3


async def test_version_5_tells_the_configs_and_7_the_id(broker: RunningBroker, client: Client) -> None:
    (result,) = (await client.call(creating(topic("t", 2, retention_ms="5")), 7)).topics
    found = broker.broker.image.topics.get("t")
    assert found is not None
    assert (result.topic_id, result.num_partitions, result.replication_factor) == (found.id, 2, 1)
    configs = {config.name: (config.value, config.config_source) for config in result.configs}
    assert configs["retention.ms"] == ("5", 1)
    assert configs["segment.bytes"] == ("1073741824", 5)


async def test_each_topic_has_its_own_error(broker: RunningBroker, client: Client) -> None:
    await broker.topic("old")
    request = creating(topic("new"), topic("old"), topic("no spaces"), topic("bad", retention_ms="soon"))
    results = {row.name: row.error_code for row in (await client.call(request, 7)).topics}
    assert results == {
        "new": ErrorCode.NONE,
        "old": ErrorCode.TOPIC_ALREADY_EXISTS,
        "no spaces": ErrorCode.INVALID_TOPIC_EXCEPTION,
        "bad": ErrorCode.INVALID_CONFIG,
    }


async def test_validate_only_creates_nothing(broker: RunningBroker, client: Client) -> None:
    (result,) = (await client.call(creating(topic("t"), validate_only=True), 7)).topics
    assert result.error_code == 0
    assert "t" not in broker.broker.image.topics


async def test_a_topic_named_twice_is_refused_as_a_whole(broker: RunningBroker, client: Client) -> None:
    (result,) = (await client.call(creating(topic("t"), topic("t", 2)), 7)).topics
    assert (result.error_code, result.error_message) == (ErrorCode.INVALID_REQUEST, "Duplicate topic name.")
    assert "t" not in broker.broker.image.topics


async def test_of_a_config_named_twice_the_last_holds(broker: RunningBroker, client: Client) -> None:
    twice = topic("t", retention_ms="1")
    twice.configs.append(CreatableTopicConfig(name="retention.ms", value="2"))
    (result,) = (await client.call(creating(twice), 7)).topics
    assert {config.name: config.value for config in result.configs}["retention.ms"] == "2"
    assert broker.broker.partitions.get("t", 0).log.config.retention_ms == 2
