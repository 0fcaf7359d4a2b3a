"""DescribeConfigs: values with their sources, for every kind of resource."""

from __future__ import annotations

from typing import Any

import pytest

from ottla.metadata.configs.topic import TOPIC as TOPIC_CONFIGS
from ottla.protocol.apis.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from ottla.protocol.apis.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from ottla.protocol.errors import ErrorCode
from tests.support.in_process import Client, RunningBroker

TOPIC, BROKER, LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32
TOPIC_SOURCE, STATIC_SOURCE, DEFAULT_SOURCE = 1, 4, 5


def asking(kind: int, name: str, keys: list[str] | None = None, **options: bool) -> DescribeConfigsRequest:
    resource = DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=keys)
    return DescribeConfigsRequest(resources=[resource], **options)


async def describe(client: Client, request: DescribeConfigsRequest, version: int = 4) -> Any:
    (result,) = (await client.call(request, version)).results
    return result


@pytest.mark.parametrize("version", range(5))
async def test_all_configs_of_a_topic_are_told_in_every_version(
    broker: RunningBroker, client: Client, version: int
) -> None:
    await broker.topic("t")
    result = await describe(client, asking(TOPIC, "t"), version)
    assert {config.name for config in result.configs} == {d.name for d in TOPIC_CONFIGS.values() if not d.internal}


async def test_configs_come_in_the_order_of_kafka(broker: RunningBroker, client: Client) -> None:
    """As Apache Kafka 4.2.1 answers: that of a HashMap. @platformatic/kafka's tests compare whole answers."""
    await broker.topic("t")
    wanted = ["retention.ms", "segment.bytes", "compression.type", "cleanup.policy", "segment.jitter.ms"]
    result = await describe(client, asking(TOPIC, "t", wanted))
    expected = ["compression.type", "segment.jitter.ms", "cleanup.policy", "segment.bytes", "retention.ms"]
    assert [config.name for config in result.configs] == expected
    group = [config.name for config in (await describe(client, asking(GROUP, "g"))).configs]
    assert group[:2] == ["consumer.session.timeout.ms", "streams.heartbeat.interval.ms"]
    assert group[-1].startswith("errors.deadletterqueue.")  # unknown to Kafka 4.2


async def test_a_value_comes_with_its_source_and_synonyms(client: Client) -> None:
    config = CreatableTopicConfig(name="segment.bytes", value="2000000")
    topic = CreatableTopic(name="t", num_partitions=1, replication_factor=1, assignments=[], configs=[config])
    await client.call(CreateTopicsRequest(topics=[topic]), 7)
    (found,) = (await describe(client, asking(TOPIC, "t", ["segment.bytes"], include_synonyms=True))).configs
    assert (found.value, found.config_source, found.read_only) == ("2000000", TOPIC_SOURCE, False)
    assert [(s.name, s.value, s.source) for s in found.synonyms] == [
        ("segment.bytes", "2000000", TOPIC_SOURCE),
        ("log.segment.bytes", "1073741824", DEFAULT_SOURCE),
    ]


async def test_documentation_is_told_where_it_is_wanted(broker: RunningBroker, client: Client) -> None:
    await broker.topic("t")
    for wanted in (False, True):
        (found,) = (await describe(client, asking(TOPIC, "t", ["retention.ms"], include_documentation=wanted))).configs
        assert bool(found.documentation) == wanted


async def test_a_broker_tells_what_its_file_set() -> None:
    async with RunningBroker(**{"num.partitions": "7"}) as broker, broker.connect() as client:
        (found,) = (await describe(client, asking(BROKER, "1", ["num.partitions"]))).configs
        assert (found.value, found.config_source) == ("7", STATIC_SOURCE)


async def test_log_levels_are_told(client: Client) -> None:
    result = await describe(client, asking(LOGGER, "1", ["root"]))
    assert [config.name for config in result.configs] == ["root"]


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [
        (TOPIC, "never-was", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (TOPIC, "no spaces", ErrorCode.INVALID_TOPIC_EXCEPTION),
        (BROKER, "7", ErrorCode.INVALID_REQUEST),
        (BROKER, "seven", ErrorCode.INVALID_REQUEST),
        (LOGGER, "", ErrorCode.INVALID_REQUEST),
        (CLIENT_METRICS, "", ErrorCode.INVALID_REQUEST),
        (GROUP, "", ErrorCode.INVALID_REQUEST),
        (77, "x", ErrorCode.INVALID_REQUEST),
    ],
)
async def test_what_is_not_there_is_refused(client: Client, kind: int, name: str, code: ErrorCode) -> None:
    result = await describe(client, asking(kind, name))
    assert (result.error_code, result.configs) == (code, [])


@pytest.mark.parametrize(("kind", "some"), [(GROUP, "consumer.session.timeout.ms"), (CLIENT_METRICS, "interval.ms")])
async def test_groups_and_client_metrics_have_defaults_before_they_exist(client: Client, kind: int, some: str) -> None:
    (found,) = (await describe(client, asking(kind, "any", [some]))).configs
    assert found.config_source == DEFAULT_SOURCE
