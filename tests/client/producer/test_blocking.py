"""The synchronous producer: the same promises, to several threads."""

from __future__ import annotations

import threading

import pytest

from ottla import serde
from ottla.client.errors import ClosedError, NoBrokerError, RecordTooLargeError
from ottla.sync import Producer
from ottla.testing import Error, Kafka


def test_the_verbs(kafka: Kafka) -> None:
    with Producer(kafka.bootstrap) as producer:
        assert producer.send("t", b"1", "k", headers={"a": "b"}).offset == 0
        ack = producer.enqueue("t", b"2")
        assert producer.partitions("t") == 1
        other = producer.try_enqueue("t", b"3")
        producer.flush()
        assert (ack.result().offset, other.result(5).offset, ack.done) == (1, 2, True)
        assert producer.send_many("t", iter([b"4", ("k", b"5")])).counts == {0: 2}
        with pytest.raises(RecordTooLargeError):
            producer.send("t", b"x" * (2 << 20))
    assert [record.value for record in kafka.topic("t").records()] == [b"1", b"2", b"3", b"4", b"5"]
    with pytest.raises(ClosedError):
        producer.send("t", b"v")
    producer.close()


def test_transactions(kafka: Kafka) -> None:
    with Producer(kafka.bootstrap, transactional_id="x") as producer:
        with producer.transaction() as tx:
            tx.send("t", b"1")
        with pytest.raises(ZeroDivisionError), producer.transaction() as tx:
            tx.enqueue("t", b"2")
            _ = 1 / 0
    with Producer(kafka.bootstrap, transactional_id="x"):  # does not start before all markers are written
        pass
    assert [record.value for record in kafka.topic("t").records(committed=True)] == [b"1"]


def test_many_threads_with_little_room_and_cut_connections(kafka: Kafka) -> None:
    kafka.topic("t", partitions=4)
    threads, each = 4, 3000
    kafka.on("Produce").nth(5).lose_answer()
    kafka.on("Produce").nth(11).disconnect()
    with Producer(
        kafka.bootstrap, buffer_memory=64 << 10, batch_size=4 << 10, value=serde.Str, retry_backoff_ms=5
    ) as producer:

        def work(name: int) -> None:
            for number in range(each):
                producer.enqueue("t", f"{name} {number}", partition=name)

        workers = [threading.Thread(target=work, args=(name,)) for name in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    for name in range(threads):
        found = [record.value for record in kafka.topic("t").records(name)]
        assert found == [f"{name} {number}".encode() for number in range(each)]


def test_threads_that_share_a_partition_each_keep_their_order(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1)
    with Producer(kafka.bootstrap, batch_size=1 << 10, linger_ms=0) as producer:

        def work(name: int) -> None:
            for number in range(2000):
                producer.enqueue("t", b"%d %d" % (name, number))

        workers = [threading.Thread(target=work, args=(name,)) for name in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    found = [tuple(map(int, (record.value or b"").split())) for record in kafka.topic("t").records()]
    assert len(found) == 6000
    for name in range(3):
        assert [number for who, number in found if who == name] == list(range(2000))


def test_an_error_comes_to_the_thread_that_asks(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1)
    kafka.fail("Produce").once(Error.TOPIC_AUTHORIZATION_FAILED)
    with Producer(kafka.bootstrap) as producer:
        ack = producer.enqueue("t", b"v")
        with pytest.raises(Exception, match="TOPIC_AUTHORIZATION_FAILED"):
            ack.result()
        done = threading.Event()
        producer.enqueue("t", b"v").add_done_callback(lambda _: done.set())
        assert done.wait(10)


def test_no_broker_is_told_and_leaves_no_thread() -> None:
    before = threading.active_count()
    with pytest.raises(NoBrokerError, match=r"127\.0\.0\.1:1: tcp"):
        Producer("127.0.0.1:1")
    assert threading.active_count() == before
