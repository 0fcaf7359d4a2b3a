"""Share consumers and the asynchronous clients of the confluent_kafka shim, and clients that are dropped."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from typing import Any

import pytest

from ottla.compat import confluent_kafka as ck
from ottla.compat import kafka as kp
from ottla.compat.confluent_kafka.aio import AIOConsumer, AIOProducer
from ottla.testing import Kafka


def produced(kafka: Kafka, topic: str, *values: str) -> None:
    producer = ck.Producer({"bootstrap.servers": kafka.bootstrap})
    for value in values:
        producer.produce(topic, value)
    producer.flush()
    producer.close()


def polled(consumer: ck.ShareConsumer, count: int = 1) -> list[Any]:
    for _ in range(40):
        found = list(consumer.poll(0.5))
        if len(found) >= count:
            return found
    raise AssertionError("nothing came")


def test_records_of_a_share_group_are_acknowledged_one_by_one(kafka: Kafka) -> None:
    kafka.topic("jobs", partitions=1)
    settings = {
        "bootstrap.servers": kafka.bootstrap, "group.id": "workers", "share.acknowledgement.mode": "explicit",
    }  # fmt: skip
    told: list[Any] = []
    with ck.ShareConsumer(settings) as consumer:
        with pytest.raises(ck.IllegalStateException, match="not subscribed"):
            consumer.poll(0)
        consumer.set_acknowledgement_commit_callback(lambda offsets, error: told.append((dict(offsets), error)))
        consumer.subscribe(["jobs"])
        assert list(consumer.poll(1.0)) == []  # the group begins at the end, now
        produced(kafka, "jobs", "a", "b")
        first, second = polled(consumer, 2)
        assert (first.value(), first.delivery_count()) == (b"a", 1)
        with pytest.raises(ck.IllegalStateException, match="not acknowledged"):
            consumer.poll(0)
        consumer.acknowledge(first, ck.AcknowledgeType.ACCEPT)
        consumer.acknowledge_offset("jobs", 0, second.offset(), ck.AcknowledgeType.RELEASE)
        with pytest.raises(ck.IllegalStateException, match="not in flight"):
            consumer.acknowledge(first)
        assert consumer.commit_sync() == {ck.TopicPartition("jobs", 0): None}
        assert told == [({ck.TopicPartition("jobs", 0): {0, 1}}, None)]
        (again,) = polled(consumer)
        assert (again.value(), again.delivery_count()) == (b"b", 2)
        consumer.acknowledge(again)
        consumer.commit_async()
    with pytest.raises(ck.IllegalStateException, match="Share consumer closed"):
        consumer.poll(0)


def test_without_acknowledgements_the_next_poll_accepts(kafka: Kafka) -> None:
    kafka.topic("jobs", partitions=1)
    with ck.ShareConsumer({"bootstrap.servers": kafka.bootstrap, "group.id": "workers"}) as consumer:
        consumer.subscribe(["jobs"])
        consumer.poll(1.0)
        produced(kafka, "jobs", "a")
        (message,) = polled(consumer)
        with pytest.raises(ck.IllegalStateException, match="explicit"):
            consumer.acknowledge(message)
        assert consumer.commit_sync() == {ck.TopicPartition("jobs", 0): None}


def test_the_asynchronous_clients(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1)

    async def talk() -> tuple[Any, Any, list[Any]]:
        assigned = []

        async def on_assign(consumer: AIOConsumer, partitions: list[Any]) -> None:
            await consumer.pause(partitions)
            await consumer.resume(partitions)
            assigned.append((consumer, partitions))

        async with AIOProducer({"bootstrap.servers": kafka.bootstrap}) as producer:
            futures = [await producer.produce("t", value=f"v{n}", headers=[("h", b"1")]) for n in range(3)]
            await producer.flush()
            messages = await asyncio.gather(*futures)
            with pytest.raises(ck.KafkaException):
                await (await producer.produce("t", value=b"x" * (5 << 20)))
        settings = {"bootstrap.servers": kafka.bootstrap, "group.id": "g", "auto.offset.reset": "earliest"}
        async with AIOConsumer(settings) as consumer:
            await consumer.subscribe(["t"], on_assign=on_assign)
            read = [await consumer.poll(20) for _ in range(3)]
            assert assigned[0][0] is consumer
        return messages, read, assigned[0][1]

    messages, read, partitions = asyncio.run(talk())
    assert [m.offset() for m in messages] == [0, 1, 2]
    assert [(m.value(), m.headers()) for m in read] == [(f"v{n}".encode(), [("h", b"1")]) for n in range(3)]
    assert partitions == [ck.TopicPartition("t", 0)]


def test_what_is_dropped_without_closing_ends(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1)
    mine = {"ottla-kafka-consumer", "ottla-confluent-consumer"}

    def living() -> set[str]:
        return {thread.name for thread in threading.enumerate()} & mine

    consumer: Any = kp.KafkaConsumer("t", bootstrap_servers=kafka.bootstrap, group_id="g", auto_offset_reset="earliest")
    consumer.poll(timeout_ms=100)
    other: Any = ck.Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "h"})
    other.subscribe(["t"])
    other.poll(0.1)
    assert living() == mine
    del consumer, other
    gc.collect()
    end = time.monotonic() + 30
    while living() and time.monotonic() < end:
        for thread in threading.enumerate():
            if thread.name in mine:
                thread.join(0.1)
    assert not living()


def test_statistics_and_errors_are_called_back(kafka: Kafka) -> None:
    import json

    told: list[Any] = []
    kafka.topic("t", partitions=1)
    producer = ck.Producer(
        {"bootstrap.servers": kafka.bootstrap, "stats_cb": lambda text: told.append(json.loads(text)),
         "statistics.interval.ms": 1}
    )  # fmt: skip
    producer.produce("t", "v")
    producer.flush()
    producer.poll(0.01)
    assert told[-1]["type"] == "producer"
    assert told[-1]["records_delivered"] == 1
    errors: list[Any] = []
    settings = {"bootstrap.servers": "127.0.0.1:1", "error_cb": errors.append, "message.timeout.ms": 1000}
    lost = ck.Producer(settings)
    lost.produce("t", "v", on_delivery=lambda error, message: told.append((error.name(), message.value())))
    assert [error.name() for error in errors] == ["_ALL_BROKERS_DOWN"]
    assert len(lost) == 1
    lost.flush()
    assert told[-1] == ("_MSG_TIMED_OUT", b"v")
    consumer = ck.Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "g", "error_cb": errors.append})
    consumer.subscribe(["t"])
    errors.clear()
    assert consumer.poll(0.1) is None
    assert [error.name() for error in errors] == ["_ALL_BROKERS_DOWN"]
    consumer.close()


def test_records_wait_for_a_broker_that_comes_later() -> None:
    told: list[Any] = []
    with Kafka() as kafka:
        bootstrap = kafka.bootstrap
        kafka.topic("t", partitions=1)
        kafka.stop()
        producer = ck.Producer({"bootstrap.servers": bootstrap})
        for number in range(3):
            producer.produce(
                "t", str(number), on_delivery=lambda error, message: told.append((error, message.offset()))
            )
        assert len(producer) == 3
        kafka.start()
        assert producer.flush(60) == 0
        producer.close()
    assert told == [(None, 0), (None, 1), (None, 2)]


def test_serializers_of_three_arguments_and_partitioner_objects(kafka: Kafka) -> None:
    from ottla.compat.kafka.partitioner import Partitioner

    class ByValue(Partitioner):
        def partition(self, topic: str, key: Any, raw_key: Any, value: Any, raw_value: Any, cluster: Any) -> int:
            assert raw_value == b'{"n": 2}'
            return int(value["n"]) % len(cluster.partitions_for_topic(topic))

    kafka.topic("t", partitions=3)
    with kp.KafkaProducer(
        bootstrap_servers=kafka.bootstrap, value_serializer=kp.JsonSerializer(), partitioner=ByValue()
    ) as producer:
        assert producer.send("t", {"n": 2}).get(10).partition == 2
    with kp.KafkaConsumer(
        "t", bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest", value_deserializer=kp.JsonSerializer()
    ) as consumer:
        assert next(consumer).value == {"n": 2}
