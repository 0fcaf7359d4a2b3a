"""AlterConfigs: all configs of a resource are replaced."""

from __future__ import annotations

import pytest

from ottla.protocol.apis.alter_configs import AlterableConfig, AlterConfigsRequest, AlterConfigsResource
from ottla.protocol.errors import ErrorCode
from tests.support.in_process import Client, RunningBroker

TOPIC = 2


def replacing(name: str, *, validate_only: bool = False, **configs: str) -> AlterConfigsRequest:
    rows = [AlterableConfig(name=key.replace("_", "."), value=value) for key, value in configs.items()]
    resource = AlterConfigsResource(resource_type=TOPIC, resource_name=name, configs=rows)
    return AlterConfigsRequest(resources=[resource], validate_only=validate_only)


@pytest.mark.parametrize("version", range(3))
async def test_what_is_not_named_goes_back_to_its_default(broker: RunningBroker, client: Client, version: int) -> None:
    partition = await broker.topic("t")
    await client.call(replacing("t", retention_ms="5", segment_bytes="2000000"), version)
    assert (partition.log.config.retention_ms, partition.log.config.segment_bytes) == (5, 2_000_000)
    (result,) = (await client.call(replacing("t", retention_ms="6"), version)).responses
    assert (result.resource_name, result.error_code) == ("t", 0)
    assert (partition.log.config.retention_ms, partition.log.config.segment_bytes) == (6, 1 << 30)


async def test_a_wrong_value_changes_nothing(broker: RunningBroker, client: Client) -> None:
    partition = await broker.topic("t")
    (result,) = (await client.call(replacing("t", retention_ms="5", segment_bytes="1"), 2)).responses
    assert result.error_code == ErrorCode.INVALID_CONFIG
    assert partition.log.config.retention_ms != 5


async def test_validate_only_changes_nothing(broker: RunningBroker, client: Client) -> None:
    partition = await broker.topic("t")
    (result,) = (await client.call(replacing("t", retention_ms="5", validate_only=True), 2)).responses
    assert result.error_code == 0
    assert partition.log.config.retention_ms != 5
