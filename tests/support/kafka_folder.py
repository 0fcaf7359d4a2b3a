"""A data folder that a real Apache Kafka made and left, and what a client finds in it afterwards (for takeover tests)."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.golden import admin
from tests.support.kafka_jvm import KafkaJvm

#: How long a busy machine's Kafka may take to do what it does when it likes.
PATIENCE_S = 30.0


def _wait(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError("Kafka did not do it in time")
        time.sleep(0.05)


def _commit(consumer: Any, offsets: dict[int, int]) -> None:
    """Commit as soon as the new group has a coordinator, and that has loaded its partition."""
    import confluent_kafka as ck

    not_yet = {ck.KafkaError.NOT_COORDINATOR, ck.KafkaError.COORDINATOR_LOAD_IN_PROGRESS}

    def committed() -> bool:
        try:
            consumer.commit(offsets=[ck.TopicPartition("orders", p, o) for p, o in offsets.items()], asynchronous=False)
        except ck.KafkaException as error:
            if not error.args[0].retriable() and error.args[0].code() not in not_yet:
                raise
            return False
        return True

    _wait(committed)


def made_by_kafka(directory: Path) -> dict[str, bytes]:
    """Let Kafka make topics, configs, records and a committed offset; returns the topic ids. Leaves it stopped."""
    import confluent_kafka as ck

    properties = {"metadata.log.max.record.bytes.between.snapshots": "1000"}
    with KafkaJvm(directory, properties=properties) as kafka:
        with socket.create_connection(("127.0.0.1", kafka.port)) as connection:
            asked = admin.creates(
                admin.topic("orders", 3, configs={"retention.ms": "123456789"}), admin.topic("gone"),
                admin.topic("compact.ed", configs={"cleanup.policy": "compact"}),
            )  # fmt: skip
            answer = admin.ask(connection, asked)
            admin.ask(connection, admin.deletes("gone"))
            admin.ask(connection, admin.sets(admin.BROKER, "", log_retention_ms="99999999"))
            for number in range(60):  # more than a snapshot's worth of records
                admin.ask(connection, admin.sets(admin.TOPIC, "compact.ed", segment_ms=str(1000 + number)))
        producer = ck.Producer({"bootstrap.servers": kafka.bootstrap, "enable.idempotence": True, "log_level": 0})
        for number in range(300):
            producer.produce("orders", key=str(number), value=f"value {number}")
        producer.flush()
        consumer = ck.Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "g", "log_level": 0})
        _commit(consumer, {0: 7, 1: 8, 2: 9})
        consumer.close()
        _wait(lambda: bool(list((directory / "data" / "__cluster_metadata-0").glob("*.checkpoint"))))
    return {result.name: result.topic_id for result in answer.topics}


def consumed(bootstrap: str) -> tuple[list[str], list[int]]:
    """Read all of `orders` and the offsets that group g had committed under Kafka."""
    import confluent_kafka as ck

    values: list[str] = []
    consumer = ck.Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "new",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe(["orders"])
    deadline = time.monotonic() + 30
    while len(values) < 300 and time.monotonic() < deadline:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            values.append((message.value() or b"").decode())
    consumer.close()
    consumer = ck.Consumer({"bootstrap.servers": bootstrap, "group.id": "g"})
    committed = consumer.committed([ck.TopicPartition("orders", p) for p in range(3)], timeout=20)
    consumer.close()
    return sorted(values), [partition.offset for partition in committed]
