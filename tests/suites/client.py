"""The judge's own client: what goes in and what came out, by librdkafka (confluent-kafka), which none of the judged programs is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

#: Over a kill -9 and restart of either broker, with room for a busy machine.
PATIENCE_S = 120.0


@dataclass(frozen=True)
class Entry:
    """One record that came out."""

    partition: int
    offset: int
    key: str
    value: str


def create(bootstrap: str, partitions: int, *topics: str, config: Mapping[str, str] | None = None) -> None:
    """Topics with replication factor 1."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    new = [NewTopic(name, partitions, 1, config=dict(config or {})) for name in topics]
    for future in admin.create_topics(new, request_timeout=30).values():
        future.result(60)


class Feeder:
    """An idempotent producer; `flush` raises unless every record is acknowledged."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "linger.ms": 5,
                "log_level": 0,
                "message.timeout.ms": int(PATIENCE_S * 1000),
            }
        )
        self._errors: list[str] = []

    def send(self, topic: str, value: str, key: str | None = None, timestamp_ms: int = 0) -> None:
        extra = {"timestamp": timestamp_ms} if timestamp_ms else {}
        self._producer.produce(
            topic, value.encode(), key.encode() if key else None, on_delivery=self._delivered, **extra
        )
        self._producer.poll(0)

    def _delivered(self, error: KafkaError | None, _message: object) -> None:
        if error is not None:
            self._errors.append(str(error))

    def flush(self) -> None:
        left = self._producer.flush(PATIENCE_S)
        if left or self._errors:
            raise RuntimeError(f"{left} records not sent, {len(self._errors)} failed: {self._errors[:1]}")


def read_until(
    bootstrap: str, topic: str, enough: Callable[[list[Entry]], bool], seconds: float = PATIENCE_S, quiet_s: float = 3.0
) -> list[Entry]:
    """All committed records of a topic from the beginning: until `enough`, then on for `quiet_s`, for what should not come."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "judge",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )
    found: list[Entry] = []
    try:
        partitions = consumer.list_topics(topic, timeout=60).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        end, full = time.monotonic() + seconds, False
        while time.monotonic() < end:
            messages = consumer.consume(500, 0.2)
            for message in messages:
                if error := message.error():
                    if error.fatal():
                        raise KafkaException(error)
                    continue
                found.append(_entry(message))
            if not full and enough(found):
                full, end = True, time.monotonic() + quiet_s
    finally:
        consumer.close()
    return found


def _entry(message: object) -> Entry:
    key, value = message.key(), message.value()  # type: ignore[attr-defined]
    return Entry(message.partition(), message.offset(), (key or b"").decode(), (value or b"").decode())  # type: ignore[attr-defined]


def repeats(values: Iterable[str]) -> list[str]:
    """What occurs more than once."""
    seen: set[str] = set()
    return [value for value in values if value in seen or seen.add(value)]  # type: ignore[func-returns-value]
