"""ListConfigResources: the names of what has configs."""

from __future__ import annotations

import pytest

from ottla.protocol.apis.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from ottla.protocol.apis.list_config_resources import ListConfigResourcesRequest
from ottla.protocol.errors import ErrorCode
from tests.support.in_process import Client, RunningBroker

TOPIC, BROKER, LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32


async def give_configs(client: Client) -> None:
    for kind, name, key, value in (
        (GROUP, "g", "consumer.session.timeout.ms", "46000"),
        (CLIENT_METRICS, "m", "interval.ms", "1000"),
    ):
        config = AlterableConfig(name=key, config_operation=0, value=value)
        resource = AlterConfigsResource(resource_type=kind, resource_name=name, configs=[config])
        await client.call(IncrementalAlterConfigsRequest(resources=[resource]), 1)


async def test_version_0_lists_client_metrics(broker: RunningBroker, client: Client) -> None:
    await broker.topic("t")
    await give_configs(client)
    answer = await client.call(ListConfigResourcesRequest(), 0)
    assert [row.resource_name for row in answer.config_resources] == ["m"]


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ([], {(TOPIC, "t"), (BROKER, "1"), (LOGGER, "1"), (GROUP, "g"), (CLIENT_METRICS, "m")}),
        ([TOPIC, GROUP], {(TOPIC, "t"), (GROUP, "g")}),
    ],
)
async def test_version_1_lists_the_types_that_are_wanted(
    broker: RunningBroker, client: Client, types: list[int], expected: set[tuple[int, str]]
) -> None:
    await broker.topic("t")
    await give_configs(client)
    answer = await client.call(ListConfigResourcesRequest(resource_types=types), 1)
    assert {(row.resource_type, row.resource_name) for row in answer.config_resources} == expected


async def test_a_type_that_does_not_exist_fails_the_request(client: Client) -> None:
    answer = await client.call(ListConfigResourcesRequest(resource_types=[TOPIC, 77]), 1)
    assert (answer.error_code, answer.config_resources) == (ErrorCode.UNSUPPORTED_VERSION, [])
