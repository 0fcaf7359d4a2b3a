"""IncrementalAlterConfigs: single configs of topics and brokers, and log levels of this process."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from ottla.protocol.apis.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from ottla.protocol.errors import ErrorCode
from tests.support.in_process import Client, RunningBroker

TOPIC, BROKER, LOGGER = 2, 4, 8
SET, DELETE, APPEND, SUBTRACT = range(4)
NAME = "ottla.broker.listener"


def resource(kind: int, name: str, *changes: tuple[str, int, str | None]) -> AlterConfigsResource:
    rows = [AlterableConfig(name=key, config_operation=operation, value=value) for key, operation, value in changes]
    return AlterConfigsResource(resource_type=kind, resource_name=name, configs=rows)


def changing(*resources: AlterConfigsResource, validate_only: bool = False) -> IncrementalAlterConfigsRequest:
    return IncrementalAlterConfigsRequest(resources=list(resources), validate_only=validate_only)


@pytest.fixture(autouse=True)
def levels() -> Iterator[None]:
    before = logging.getLogger(NAME).level
    yield
    logging.getLogger(NAME).setLevel(before)


@pytest.mark.parametrize("version", range(2))
async def test_a_config_is_set_and_deleted_and_others_stay(broker: RunningBroker, client: Client, version: int) -> None:
    partition = await broker.topic("t")
    both = resource(TOPIC, "t", ("retention.ms", SET, "5"), ("cleanup.policy", APPEND, "compact"))
    await client.call(changing(both), version)
    assert partition.log.config.cleanup_policy == {"compact", "delete"}
    (result,) = (await client.call(changing(resource(TOPIC, "t", ("retention.ms", DELETE, None))), version)).responses
    assert result.error_code == 0
    assert partition.log.config.retention_ms == 604_800_000
    assert partition.log.config.cleanup_policy == {"compact", "delete"}


async def test_a_config_of_all_brokers_reaches_topics_that_do_not_set_it(broker: RunningBroker, client: Client) -> None:
    partition = await broker.topic("t")
    await client.call(changing(resource(BROKER, "", ("log.retention.ms", SET, "77777"))), 1)
    assert partition.log.config.retention_ms == 77_777


async def test_a_log_level_is_set_and_taken_back(client: Client) -> None:
    (result,) = (await client.call(changing(resource(LOGGER, "1", (NAME, SET, "DEBUG"))), 1)).responses
    assert (result.error_code, result.error_message) == (0, None)
    assert logging.getLogger(NAME).level == logging.DEBUG
    await client.call(changing(resource(LOGGER, "1", (NAME, DELETE, None))), 1)
    assert logging.getLogger(NAME).level == logging.NOTSET


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("1", ("no.such.logger", SET, "DEBUG"), ErrorCode.INVALID_CONFIG),
        ("1", (NAME, SET, "LOUD"), ErrorCode.INVALID_CONFIG),
        ("1", (NAME, APPEND, "DEBUG"), ErrorCode.INVALID_REQUEST),
        ("1", (NAME, 9, "DEBUG"), ErrorCode.INVALID_REQUEST),
        ("1", ("root", DELETE, None), ErrorCode.INVALID_REQUEST),
        ("7", (NAME, SET, "DEBUG"), ErrorCode.INVALID_REQUEST),
        ("seven", (NAME, SET, "DEBUG"), ErrorCode.INVALID_REQUEST),
    ],
)
async def test_wrong_changes_of_log_levels_are_refused(
    client: Client, name: str, change: tuple[str, int, str | None], code: ErrorCode
) -> None:
    (result,) = (await client.call(changing(resource(LOGGER, name, (NAME, SET, "DEBUG"), change)), 1)).responses
    assert result.error_code == code
    assert logging.getLogger(NAME).level != logging.DEBUG


async def test_validate_only_changes_no_log_level(client: Client) -> None:
    request = changing(resource(LOGGER, "1", (NAME, SET, "DEBUG")), validate_only=True)
    (result,) = (await client.call(request, 1)).responses
    assert result.error_code == 0
    assert logging.getLogger(NAME).level != logging.DEBUG


async def test_answers_come_in_the_order_of_the_request(broker: RunningBroker, client: Client) -> None:
    await broker.topic("t")
    request = changing(resource(LOGGER, "1", (NAME, SET, "INFO")), resource(TOPIC, "t"), resource(TOPIC, "u"))
    answer = await client.call(request, 1)
    assert [(row.resource_name, row.error_code) for row in answer.responses] == [("1", 0), ("t", 0), ("u", 3)]


async def test_a_resource_named_twice_is_refused(client: Client) -> None:
    twice = changing(resource(LOGGER, "1", (NAME, SET, "DEBUG")), resource(LOGGER, "1", (NAME, SET, "INFO")))
    answer = await client.call(twice, 1)
    assert [row.error_code for row in answer.responses] == [ErrorCode.INVALID_REQUEST] * 2
    assert logging.getLogger(NAME).level != logging.DEBUG
