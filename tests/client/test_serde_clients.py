"""Producers and consumers with serdes over a registry: the loop never waits for it, headers carry GUIDs, values become columns."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ottla import Consumer, Producer, read, serde, sync
from ottla.client.errors import BufferFullError, SerializationError
from ottla.client.registry.blocking import Registry
from ottla.testing import Kafka
from tests.support.registry import SchemaRegistry

ORDER = '{"type":"record","name":"Order","fields":[{"name":"id","type":"int"},{"name":"note","type":"string"}]}'


@pytest.fixture
def server() -> Iterator[SchemaRegistry]:
    with SchemaRegistry() as server:
        yield server


@pytest.mark.parametrize("schema_id_in", ["prefix", "header"])
async def test_through_a_topic(kafka: Kafka, server: SchemaRegistry, schema_id_in: str) -> None:
    kafka.topic("orders", partitions=2)
    orders: Any = serde.Avro(server.url, ORDER, schema_id_in=schema_id_in)
    keys: Any = serde.Avro(server.url, '"string"', schema_id_in=schema_id_in)
    async with Producer(kafka.bootstrap, key=keys, value=orders) as producer:
        await producer.send("orders", {"id": 0, "note": "n"}, key="k", headers={"mine": b"1"})
        await producer.send_many("orders", [("k", {"id": n, "note": "n"}) for n in range(1, 50)])
        ack = await producer.enqueue("orders", {"id": 50, "note": "n"}, key="k")
        await ack
        producer.try_enqueue("orders", {"id": 51, "note": "n"}, key="k")
        await producer.send("orders", None, key="k")
    assert server.asked == ["POST /subjects/orders-key/versions", "POST /subjects/orders-value/versions"]

    fresh: Any = serde.Avro(server.url)
    async with Consumer(
        kafka.bootstrap, "orders", start="earliest", key=serde.Avro(server.url), value=fresh
    ) as consumer:
        seen = []
        async for record in consumer:
            seen.append((record.key, record.value))
            if record.value is None:
                consumer.stop()
    assert seen == [("k", {"id": n, "note": "n"}) for n in range(52)] + [("k", None)]
    assert len(server.asked) == 4, "each schema once"


def test_in_threads(kafka: Kafka, server: SchemaRegistry) -> None:
    kafka.topic("orders", partitions=1)
    with Registry(server.url) as registry:
        orders: Any = serde.Avro(registry, ORDER)
        with sync.Producer(kafka.bootstrap, value=orders) as producer:
            producer.send("orders", {"id": 1, "note": "n"})
            producer.send_many("orders", [{"id": 2, "note": "n"}])
        with sync.Consumer(kafka.bootstrap, "orders", start="earliest", value=orders) as consumer:
            found = []
            for record in consumer:
                found.append(record.value["id"])
                if len(found) == 2:
                    break
    assert found == [1, 2]


async def test_a_slow_registry_holds_up_nobody_else(kafka: Kafka, server: SchemaRegistry) -> None:
    """Values of another topic are given while one waits for its schema; the loop goes on."""
    kafka.topic("orders", partitions=1)
    kafka.topic("plain", partitions=1)
    number = server.add("orders-value", ORDER)
    gate = threading.Event()
    server.answers.append(lambda handler: not gate.wait(20))
    async with Producer(kafka.bootstrap) as producer:
        await producer.send("orders", number.to_bytes(5, "big") + b"\x02\x02n")
        await producer.send("plain", b"\0\0\0\0\x63\x02")

    async with Consumer(kafka.bootstrap, "orders", "plain", start="earliest", value=serde.Avro(server.url)) as consumer:
        seen: list[Any] = []
        async for record in consumer:
            if record.topic == "plain":
                seen.append("plain")
                with pytest.raises(SerializationError, match="99"):
                    _ = record.value
                gate.set()
            else:
                seen.append(record.value)
            if len(seen) == 2:
                consumer.stop()
    assert {"id": 1, "note": "n"} in seen
    assert "plain" in seen


async def test_try_enqueue_says_that_the_schema_is_not_here(kafka: Kafka, server: SchemaRegistry) -> None:
    kafka.topic("orders", partitions=1)
    orders: Any = serde.Avro(server.url, ORDER)
    async with Producer(kafka.bootstrap, value=orders) as producer:
        await producer.partitions("orders")
        with pytest.raises(BufferFullError, match="not here yet"):
            producer.try_enqueue("orders", {"id": 1, "note": "n"})
        await orders.prepare("orders")
        await producer.try_enqueue("orders", {"id": 1, "note": "n"})


async def test_a_value_that_does_not_fit_is_the_senders_error(kafka: Kafka, server: SchemaRegistry) -> None:
    kafka.topic("orders", partitions=1)
    async with Producer(kafka.bootstrap, value=serde.Avro(server.url, ORDER)) as producer:
        with pytest.raises(SerializationError, match="cannot be serialized"):
            await producer.send("orders", {"id": "x"})
        await producer.send("orders", {"id": 1, "note": "n"})
    assert len(await read(kafka.bootstrap, "orders")) == 1
