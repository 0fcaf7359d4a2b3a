"""Programs written for aiokafka see the same with the shim as with the library."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ottla.compat import aiokafka as shim
from ottla.compat.aiokafka import errors as shim_errors
from ottla.testing import Kafka
from tests.compat import aiokafka_scripts as scripts
from tests.support.requires import requires


@pytest.fixture
def real() -> Any:
    requires("aiokafka")
    import aiokafka

    return aiokafka


def test_producing_and_consuming(kafka: Kafka, real: Any) -> None:
    for topic in ("t", "u"):
        kafka.topic(topic, partitions=1)
    expected = asyncio.run(scripts.produced(real, kafka.bootstrap, "t"))
    told = asyncio.run(scripts.produced(shim, kafka.bootstrap, "u"))
    assert [("t", *told[0][1:]), *told[1:]] == expected
    expected = asyncio.run(scripts.consumed(real, kafka.bootstrap, "t", "a"))
    assert asyncio.run(scripts.consumed(shim, kafka.bootstrap, "t", "b")) == expected


def test_transactions(kafka: Kafka, real: Any) -> None:
    from aiokafka import errors as real_errors

    for topic in ("t", "u"):
        kafka.topic(topic, partitions=1)
    expected = asyncio.run(scripts.transactions(real, real_errors, kafka.bootstrap, "t"))
    assert asyncio.run(scripts.transactions(shim, shim_errors, kafka.bootstrap, "u")) == expected


def test_stopping_ends_the_iteration_of_another_task(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1)

    async def run() -> list[Any]:
        consumer = shim.AIOKafkaConsumer("t", bootstrap_servers=kafka.bootstrap, group_id="g")
        await consumer.start()
        task = asyncio.create_task(_all(consumer))
        await asyncio.sleep(0)
        await consumer.stop()
        async with asyncio.timeout(5):
            return await task

    assert asyncio.run(run()) == []


async def _all(consumer: Any) -> list[Any]:
    return [message async for message in consumer]
