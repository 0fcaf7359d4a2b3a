"""Spans from a send to the processing of its record, joined by its headers (`ottla.client.tracing`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from ottla import Consumer, Producer, sync
from ottla.client.errors import DeliveryError, RecordTooLargeError
from ottla.client.tracing import Tracing
from tests.support.in_process import RunningBroker


class Seen:
    """What was exported."""

    def __init__(self) -> None:
        self.spans = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.spans))
        self.provider = provider
        self.meters = MeterProvider([self.reader])
        self.tracing = Tracing(tracer_provider=provider, meter_provider=self.meters)

    def by_name(self) -> dict[str, Any]:
        return {span.name: span for span in self.spans.get_finished_spans()}

    def sums(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for resource in self.reader.get_metrics_data().resource_metrics:  # type: ignore[union-attr]
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points: Any = metric.data.data_points
                    found[metric.name] = sum(getattr(point, "value", None) or point.count for point in points)
        return found


@pytest.fixture
async def running() -> AsyncIterator[RunningBroker]:
    async with RunningBroker(**{"log.message.timestamp.after.max.ms": "9223372036854775807"}) as broker:
        await broker.topic("orders")
        yield broker


async def test_what_processes_a_record_is_the_child_of_what_sent_it(running: RunningBroker) -> None:
    seen, address = Seen(), f"127.0.0.1:{running.port}"
    async with seen.tracing.instrument(Producer(address, client_id="shop")) as producer:
        await producer.send("orders", "a book", key="k", headers={"mine": b"1"})
    async with Consumer(address, "orders", group="g", start="earliest") as consumer:
        async for record in seen.tracing.records(consumer):
            assert dict(record.headers)["mine"] == b"1"
            consumer.stop()
    spans = seen.by_name()
    send, process = spans["send orders"], spans["process orders"]
    assert process.parent.span_id == send.context.span_id
    assert process.context.trace_id == send.context.trace_id
    assert dict(send.attributes) == {
        "messaging.system": "kafka", "messaging.operation.name": "send", "messaging.operation.type": "send",
        "messaging.client.id": "shop", "messaging.destination.name": "orders", "messaging.kafka.message.key": "k",
        "messaging.destination.partition.id": "0", "messaging.kafka.offset": 0,
    }  # fmt: skip
    assert dict(process.attributes) == {
        "messaging.system": "kafka", "messaging.operation.name": "process", "messaging.operation.type": "process",
        "messaging.destination.name": "orders", "messaging.consumer.group.name": "g", "messaging.kafka.message.key": "k",
        "messaging.destination.partition.id": "0", "messaging.kafka.offset": 0,
    }  # fmt: skip
    assert seen.sums() == {
        "messaging.client.sent.messages": 1, "messaging.client.operation.duration": 1,
        "messaging.client.consumed.messages": 1, "messaging.process.duration": 1,
    }  # fmt: skip


async def test_a_batch_links_to_all_its_senders_and_tells_of_errors(running: RunningBroker) -> None:
    seen, address = Seen(), f"127.0.0.1:{running.port}"
    tracer = seen.provider.get_tracer("test")
    async with seen.tracing.instrument(Producer(address)) as producer:
        with tracer.start_as_current_span("checkout") as around:
            acks = [await producer.enqueue("orders", f"{n}") for n in range(3)]
            await producer.flush()
            assert all(ack.done for ack in acks)
        await producer.send_many("orders", [b"4", b"5"])

    async def handle(batch: Any) -> None:
        raise ValueError("no such book")

    async with Consumer(address, "orders", start="earliest") as consumer:
        with pytest.raises(ValueError, match="book"):
            await consumer.run(seen.tracing.handler(handle), batch=True)
    sends = [each for each in seen.spans.get_finished_spans() if each.name == "send orders"]
    assert {each.parent.span_id for each in sends[:3] if each.parent} == {around.get_span_context().span_id}
    assert sends[3].attributes is not None
    assert sends[3].attributes["messaging.batch.message_count"] == 2
    process = seen.by_name()["process orders"]
    assert {link.context.span_id for link in process.links} == {each.context.span_id for each in sends[:3]}
    assert process.status.status_code is StatusCode.ERROR


async def test_a_send_that_fails_says_so(running: RunningBroker) -> None:
    seen = Seen()
    async with seen.tracing.instrument(Producer(f"127.0.0.1:{running.port}", max_request_size=1000)) as producer:
        with pytest.raises(RecordTooLargeError):
            await producer.send("orders", b"x" * 2000)
    span = seen.by_name()["send orders"]
    assert (span.status.status_code, span.attributes["error.type"]) == (StatusCode.ERROR, "RecordTooLargeError")


async def test_flush_still_tells_of_what_nobody_asked_about() -> None:
    seen = Seen()
    async with RunningBroker(**{"message.max.bytes": "1000"}) as broker:
        await broker.topic("orders")
        producer = seen.tracing.instrument(Producer(f"127.0.0.1:{broker.port}"))
        await producer.start()
        await producer.enqueue("orders", b"v" * 2000)
        with pytest.raises(DeliveryError):
            await producer.flush()
        await producer.close()
    assert seen.by_name()["send orders"].status.status_code is StatusCode.ERROR


async def test_the_synchronous_producer_too(running: RunningBroker) -> None:
    seen = Seen()

    def send() -> None:
        with sync.Producer[Any, Any](f"127.0.0.1:{running.port}") as producer:
            seen.tracing.instrument(producer)
            producer.send("orders", b"v")
            producer.send_many("orders", [b"v"])

    await asyncio.to_thread(send)
    assert [span.name for span in seen.spans.get_finished_spans()] == ["send orders"] * 2
