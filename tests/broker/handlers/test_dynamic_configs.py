"""Configs over a socket: an answer has a limit, and what may change while the broker runs changes at once."""

from __future__ import annotations

import pytest

from ottla.broker.handlers import describe_configs as module
from ottla.metadata.image import ResourceType
from ottla.protocol.apis.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from ottla.protocol.apis.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from ottla.protocol.errors import ErrorCode
from tests.support.in_process import Client, RunningBroker


async def test_an_answer_has_a_limit_and_says_so(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_BYTES_MAX", 100_000)
    brokers = [DescribeConfigsResource(resource_type=ResourceType.BROKER, resource_name="1") for _ in range(50)]
    answer = await client.call(DescribeConfigsRequest(resources=brokers), 4)
    codes = [result.error_code for result in answer.results]
    assert codes[0] == ErrorCode.NONE
    assert codes[-1] == ErrorCode.INVALID_REQUEST
    assert sum(len(result.configs) for result in answer.results) < 3000


async def refused(client: Client, name: str, key: str, value: str) -> str | None:
    """What an alteration is refused with; None if it is not."""
    changes = [AlterableConfig(name=key, value=value)]
    resource = AlterConfigsResource(resource_type=ResourceType.BROKER, resource_name=name, configs=changes)
    (row,) = (await client.call(IncrementalAlterConfigsRequest(resources=[resource]), 1)).responses
    return row.error_message if row.error_code == ErrorCode.INVALID_REQUEST else None


@pytest.mark.parametrize("name", ["", "1"])
async def test_nobody_can_be_locked_out_by_a_config_nor_the_broker_broken(client: Client, name: str) -> None:
    said = [
        await refused(client, name, "max.connections", "0"),
        await refused(client, name, "max.connection.creation.rate", "0"),
        await refused(client, name, "max.connections.per.ip", "0"),
        await refused(client, name, "max.connections.per.ip.overrides", "127.0.0.1:a"),
        await refused(client, name, "max.connections.per.ip.overrides", "host#:5"),
        await refused(client, name, "log.cleaner.threads", "99"),
        await refused(client, name, "num.io.threads", "1000"),
    ]
    assert None not in said, said
    await alter(client, name, **{"log.cleaner.threads": "2", "max.connections.per.ip.overrides": ""})


async def alter(client: Client, name: str, **configs: str) -> None:
    changes = [AlterableConfig(name=key.replace("_", "."), value=value) for key, value in configs.items()]
    resource = AlterConfigsResource(resource_type=ResourceType.BROKER, resource_name=name, configs=changes)
    answer = await client.call(IncrementalAlterConfigsRequest(resources=[resource]), 1)
    assert [row.error_code for row in answer.responses] == [ErrorCode.NONE], answer


async def test_limits_of_connections_change_at_once(broker: RunningBroker, client: Client) -> None:
    await alter(client, "", max_connections="1")
    async with broker.connect() as other:
        assert await other.closed()
    await alter(client, "", max_connections="100", max_connections_per_ip_overrides="127.0.0.1:1")
    async with broker.connect() as other:
        assert await other.closed()
    await alter(client, "", max_connections_per_ip_overrides="127.0.0.1:5")
    async with broker.connect() as other:
        assert (await other.call(DescribeConfigsRequest(resources=[]), 4)).results == []


async def test_the_rate_of_connections_changes_at_once(broker: RunningBroker, client: Client) -> None:
    assert not broker.broker.throttling.connections.active
    await alter(client, "", max_connection_creation_rate="1000")
    assert broker.broker.throttling.connections.active
    await alter(client, "1", **{"listener.name.plaintext.max.connection.creation.rate": "5"})
    async with broker.connect() as other:
        assert (await other.call(DescribeConfigsRequest(resources=[]), 4)).results == []
