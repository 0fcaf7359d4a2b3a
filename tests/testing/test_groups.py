"""A test can look at a consumer group: state, members, assignments, committed offsets."""

from __future__ import annotations

import threading

import pytest

from ottla.testing import Error, Kafka
from tests.support.requires import requires


def test_a_group_that_is_not_there_is_dead(kafka: Kafka) -> None:
    group = kafka.group("nobody")
    assert (group.state, group.members, group.offsets()) == ("Dead", [], {})


def test_a_group_that_does_not_come_says_so(kafka: Kafka) -> None:
    with pytest.raises(AssertionError, match="'g' is not Stable with 1 members within 20ms: Dead with 0 members"):
        kafka.group("g").wait_stable(members=1, within="20ms")


@pytest.mark.clients
@pytest.mark.slow
def test_members_assignments_and_commits_are_seen(kafka: Kafka) -> None:
    requires("confluent_kafka")
    from confluent_kafka import Consumer

    kafka.topic("t", partitions=4).put([(str(i), str(i)) for i in range(100)])
    settings = {"bootstrap.servers": kafka.bootstrap, "group.id": "g", "auto.offset.reset": "earliest"}
    over, read, lock = threading.Event(), [], threading.Lock()

    def consume(number: int) -> None:
        consumer = Consumer({**settings, "client.id": f"c{number}"})
        consumer.subscribe(["t"])
        while not over.is_set():
            message = consumer.poll(0.05)
            if message is not None and message.error() is None:
                with lock:
                    read.append(message.value())
                    if len(read) == 100:
                        all_read.set()
        consumer.close()

    all_read = threading.Event()
    threads = [threading.Thread(target=consume, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        members = kafka.group("g").wait_stable(members=2, within="20s")
        assert sorted(member.client_id for member in members) == ["c0", "c1"]
        assert sorted(place for member in members for place in member.partitions) == [("t", i) for i in range(4)]
        assert all_read.wait(20)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert sum(kafka.group("g").offsets().values()) == 100
    assert kafka.group("g").state == "Empty"


@pytest.mark.clients
@pytest.mark.slow
def test_a_consumer_asks_again_for_offsets_that_were_refused(kafka: Kafka) -> None:
    """Its group's coordinator is loading. (At NOT_COORDINATOR librdkafka 2.16 stops for good: its issue 5586.)"""
    requires("confluent_kafka")
    from confluent_kafka import Consumer

    kafka.topic("t", partitions=1).put(["a"])
    rule = kafka.fail("OffsetFetch", group="g").times(2, Error.COORDINATOR_LOAD_IN_PROGRESS)
    settings = {"group.id": "g", "auto.offset.reset": "earliest", "retry.backoff.ms": 10}
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, **settings})
    consumer.subscribe(["t"])
    message = consumer.poll(10)
    consumer.close()
    assert message is not None
    assert (message.error(), message.value()) == (None, b"a")
    assert rule.done == 2
