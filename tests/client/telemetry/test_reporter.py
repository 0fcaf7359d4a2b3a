"""Ottla's own clients push their metrics to Ottla when an administrator asks for them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from ottla import Consumer, Producer
from ottla.client.errors import UnsupportedError
from tests.broker.handlers.test_telemetry import subscribe
from tests.support.in_process import RunningBroker

PRODUCER, CONSUMER = "org.apache.kafka.producer.", "org.apache.kafka.consumer."


async def until_pushed(broker: RunningBroker, pushes: int) -> dict[str, float]:
    collected = broker.broker.client_telemetry.collected
    async with asyncio.timeout(20):
        while collected.pushes < pushes:
            broker.clock.time_ms += 100  # the broker's clock, by which it judges who comes too early
            await asyncio.sleep(0)
    return samples(broker)


def samples(broker: RunningBroker) -> dict[str, float]:
    return {each.name: each.value for each in broker.broker.client_telemetry.samples()}


@pytest.mark.slow
async def test_a_producer_and_a_consumer_push_what_the_kip_requires() -> None:
    async with RunningBroker() as broker:
        broker.clock.time_ms = int(time.time() * 1000)
        await broker.topic("t")
        async with broker.connect() as admin:
            await subscribe(admin, metrics="*", interval_ms="100", match="client_id=app")
        where: dict[str, Any] = {"bootstrap_servers": f"127.0.0.1:{broker.port}", "client_id": "app"}
        async with Producer(**where) as producer:
            await producer.send_many("t", [b"v"] * 10)
            assert (await producer.client_instance_id()).int
            found = await until_pushed(broker, 2)
            assert found[PRODUCER + "record.send.total"] == 10
            await producer.send("t", b"last")
            broker.clock.time_ms += 1000
        found = samples(broker)  # closing pushed once more
        assert found[PRODUCER + "record.send.total"] == 11
        assert found[PRODUCER + "request.total"] == producer.metrics.requests
        for name in (
            "connection.creation.total", "connection.creation.rate", "node.request.latency.avg", "node.request.latency.max",
            "produce.throttle.time.avg", "produce.throttle.time.max", "record.queue.time.avg", "record.queue.time.max",
        ):  # fmt: skip
            assert PRODUCER + name in found
        async with Consumer(None, "t", group="g", start="earliest", **where) as consumer:
            await anext(aiter(consumer.batches(100)))
            await consumer.commit()
            pushes = broker.broker.client_telemetry.collected.pushes
            await until_pushed(broker, pushes + 2)
        found = samples(broker)
        for name in (
            "connection.creation.total", "connection.creation.rate", "node.request.latency.avg", "node.request.latency.max",
            "poll.idle.ratio.avg", "coordinator.commit.latency.avg", "coordinator.commit.latency.max",
            "coordinator.assigned.partitions", "coordinator.rebalance.latency.avg", "coordinator.rebalance.latency.max",
            "coordinator.rebalance.latency.total", "fetch.manager.fetch.latency.avg", "fetch.manager.fetch.latency.max",
        ):  # fmt: skip
            assert CONSUMER + name in found, name
        labels = [
            dict(each.labels) for each in broker.broker.client_telemetry.samples() if each.name.startswith(CONSUMER)
        ]
        assert {(each["client_id"], each["group_id"]) for each in labels} == {("app", "g")}
        assert broker.broker.metrics.uncaught_exceptions == 0


async def test_nothing_is_asked_where_nobody_listens_nor_where_it_is_off() -> None:
    async with RunningBroker() as broker:
        await broker.topic("t")
        address = f"127.0.0.1:{broker.port}"
        async with Producer(address) as producer:
            with pytest.raises(UnsupportedError, match="telemetry"):
                await producer.client_instance_id()
        async with broker.connect() as admin:
            await subscribe(admin, metrics="*", interval_ms="100")
        async with Producer(address, enable_metrics_push=False) as producer:
            await producer.partitions("t")
        assert len(broker.broker.client_telemetry.collected) == 0
