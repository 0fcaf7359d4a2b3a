"""librdkafka pushes its metrics of its own accord when a subscription asks for them."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.broker.handlers.test_telemetry import subscribe
from tests.support.in_process import Client, RunningBroker
from tests.support.requires import requires

PATIENCE_S = 20.0


@pytest.mark.slow
@pytest.mark.clients
async def test_a_producer_pushes_its_metrics(broker: RunningBroker, client: Client) -> None:
    requires("confluent_kafka")
    from confluent_kafka import Producer

    await broker.topic("t")
    await subscribe(client, metrics="*", interval_ms="200", match="client_id=app")
    telemetry = broker.broker.client_telemetry

    def produce() -> None:
        settings = {"bootstrap.servers": f"127.0.0.1:{broker.port}", "client.id": "app", "log_level": 0}
        producer = Producer(settings)
        give_up = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up and telemetry.collected.pushes < 2:
            producer.produce("t", b"x")
            producer.poll(0.05)
        producer.flush(PATIENCE_S)

    await asyncio.to_thread(produce)
    samples = list(telemetry.samples())
    names = {sample.name for sample in samples}
    assert "org.apache.kafka.producer.connection.creation.total" in names, names
    assert {dict(sample.labels)["client_id"] for sample in samples} == {"app"}
    assert {dict(sample.labels)["client_software_name"] for sample in samples} <= {
        "confluent-kafka-python",
        "librdkafka",
    }
    assert broker.broker.metrics.uncaught_exceptions == 0
