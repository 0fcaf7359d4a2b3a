"""Partitions move between members of the shims while they poll; nothing is lost, nothing is read twice."""

from __future__ import annotations

from typing import Any

from ottla.compat import confluent_kafka as ck
from ottla.testing import Kafka


def test_a_second_member_takes_over_what_was_not_given(kafka: Kafka) -> None:
    kafka.topic("t", partitions=2)
    producer = ck.Producer({"bootstrap.servers": kafka.bootstrap})
    for number in range(40):
        producer.produce("t", str(number), partition=number % 2)
    producer.flush()
    settings = {
        "bootstrap.servers": kafka.bootstrap, "group.id": "g", "auto.offset.reset": "earliest",
        "heartbeat.interval.ms": 100,
    }  # fmt: skip
    told: list[Any] = []
    first, second = ck.Consumer(settings), ck.Consumer(settings)
    first.subscribe(
        ["t"],
        on_assign=lambda _, parts: told.append(("assign", len(parts))),
        on_revoke=lambda _, parts: told.append(("revoke", len(parts))),
    )
    seen = [first.poll(10).value() for _ in range(5)]
    second.subscribe(["t"])
    for _ in range(400):
        for consumer in (first, second):
            message = consumer.poll(0.02)
            if message is not None:
                assert message.error() is None
                seen.append(message.value())
        if len(seen) >= 40 and len(second.assignment()) == 1:
            break
    first.close()
    second.close()
    assert told[0] == ("assign", 2)
    assert ("revoke", 2) in told
    assert sorted(map(int, seen)) == list(range(40))
