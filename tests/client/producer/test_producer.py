"""What a producer promises: everything arrives once and in order, whatever breaks, and what does not arrive is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ottla import Producer, serde
from ottla.client.errors import (
    BrokerError,
    BufferFullError,
    ClientTimeoutError,
    ClosedError,
    DeliveryError,
    RecordTooLargeError,
    SerializationError,
)
from ottla.testing import Error, Kafka

FAST = {"retry_backoff_ms": 5, "retry_backoff_max_ms": 20, "reconnect_backoff_ms": 5, "reconnect_backoff_max_ms": 20}


def values(kafka: Kafka, topic: str = "t", partition: int | None = None) -> list[bytes | None]:
    return [record.value for record in kafka.topic(topic).records(partition)]


def numbers(kafka: Kafka, topic: str = "t", partition: int | None = None) -> list[int]:
    return [int(value or b"-1") for value in values(kafka, topic, partition)]


async def test_send_returns_where_the_record_lies(kafka: Kafka) -> None:
    kafka.topic("t", partitions=2)
    async with Producer(kafka.bootstrap) as producer:
        first = await producer.send("t", b"v", b"k", headers={"h": "x"}, partition=1, timestamp_ms=1_700_000_000_000)
        second = await producer.send("t", "text", partition=1)
        assert (first[:3], second[:3]) == (("t", 1, 0), ("t", 1, 1))
    record, text = kafka.topic("t").records(1)
    assert (record.key, record.value, record.headers, record.timestamp) == (
        b"k",
        b"v",
        (("h", b"x"),),
        1_700_000_000_000,
    )
    assert text.value == b"text"


async def test_records_without_waiting_arrive_in_order_in_few_batches(kafka: Kafka) -> None:
    async with Producer(kafka.bootstrap) as producer:
        acks = [await producer.enqueue("t", b"%d" % number) for number in range(1000)]
        await producer.flush()
        assert [(await ack).offset for ack in acks] == list(range(1000))
        assert producer.metrics.batches < 20
        assert producer.metrics.records_delivered == 1000
    assert numbers(kafka) == list(range(1000))


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_every_codec(kafka: Kafka, codec: str) -> None:
    async with Producer(kafka.bootstrap, compression_type=codec) as producer:
        await producer.send_many("t", [b"%d" % number * 20 for number in range(5000)])
        assert producer.metrics.bytes_sent < 400_000
    assert values(kafka)[4999] == b"4999" * 20


@pytest.mark.parametrize("acks", ["0", "1"])
async def test_fewer_acks(kafka: Kafka, acks: str) -> None:
    async with Producer(kafka.bootstrap, acks=acks) as producer:
        metadata = await producer.send("t", b"v")
        assert metadata.offset == (-1 if acks == "0" else 0)
    kafka.topic("t").expect(count=1, within="5s")


# ── many ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_many_records_have_one_answer(kafka: Kafka) -> None:
    kafka.topic("t", partitions=3)
    async with Producer(kafka.bootstrap) as producer:
        await producer.send("t", b"before", partition=0)
        report = await producer.send_many("t", ((b"%d" % number, b"%d" % number) for number in range(5000)))
    assert (report.records, report.failed, sum(report.counts.values())) == (5000, 0, 5000)
    assert report.base_offsets == {0: 1, 1: 0, 2: 0}
    found = kafka.topic("t").records()
    assert len(found) == 5001
    for partition in range(3):
        of_partition = [int(record.value or b"") for record in found if record.partition == partition and record.key]
        assert of_partition == sorted(of_partition)


async def test_many_from_an_arrow_table(kafka: Kafka) -> None:
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"key": ["a", None, "c"], "value": [b"1", b"2", None]})
    async with Producer(kafka.bootstrap) as producer:
        assert (await producer.send_many("t", table)).records == 3
    assert [(record.key, record.value) for record in kafka.topic("t").records()] == [
        (b"a", b"1"), (None, b"2"), (b"c", None),
    ]  # fmt: skip


async def test_rows_of_a_table_are_values_for_the_serializer(kafka: Kafka) -> None:
    pa = pytest.importorskip("pyarrow")
    async with Producer(kafka.bootstrap, value=serde.Json()) as producer:
        await producer.send_many("t", pa.table({"id": [1, 2], "name": ["x", None]}))
    assert values(kafka) == [b'{"id":1,"name":"x"}', b'{"id":2,"name":null}']


async def test_many_that_fail_are_told_by_partition(kafka: Kafka) -> None:
    kafka.topic("t", partitions=2)
    kafka.fail("Produce", partition=1).always(Error.TOPIC_AUTHORIZATION_FAILED)
    async with Producer(kafka.bootstrap) as producer:
        with pytest.raises(DeliveryError, match="TOPIC_AUTHORIZATION_FAILED") as caught:
            await producer.send_many("t", [(b"%d" % number, b"v") for number in range(100)])
        failures = caught.value.failures  # the fixture refuses the request as a whole
        assert [failure.partition for failure in failures] == [0, 1]
        assert sum(failure.records for failure in failures) == 100
        assert {failure.error.code for failure in failures} == {Error.TOPIC_AUTHORIZATION_FAILED}


# ── what breaks ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "error",
    [Error.NOT_LEADER_OR_FOLLOWER, Error.NOT_ENOUGH_REPLICAS, Error.REQUEST_TIMED_OUT, Error.UNKNOWN_TOPIC_ID,
     Error.KAFKA_STORAGE_ERROR, Error.CORRUPT_MESSAGE],
)  # fmt: skip
async def test_what_passes_is_tried_again_in_order(kafka: Kafka, error: Error) -> None:
    kafka.topic("t", partitions=1)
    kafka.fail("Produce").times(2, error)
    async with Producer(kafka.bootstrap, batch_size=500, **FAST) as producer:
        for number in range(100):
            await producer.enqueue("t", b"%d" % number)
        await producer.flush()
        assert producer.metrics.retries >= 2
    assert numbers(kafka) == list(range(100))


@pytest.mark.parametrize("fault", ["lose_answer", "disconnect"])
@pytest.mark.parametrize("occurrence", [1, 2, 4])
async def test_no_loss_no_duplicate_no_disorder_over_lost_connections(
    kafka: Kafka, fault: str, occurrence: int
) -> None:
    kafka.topic("t", partitions=1)
    getattr(kafka.on("Produce").nth(occurrence), fault)()
    async with Producer(kafka.bootstrap, batch_size=500, **FAST) as producer:
        for number in range(300):
            await producer.enqueue("t", b"%d" % number)
        await producer.flush()
    assert numbers(kafka) == list(range(300))


async def test_connections_cut_again_and_again(kafka: Kafka) -> None:
    kafka.topic("t", partitions=3)
    async with Producer(kafka.bootstrap, batch_size=2000, **FAST) as producer:
        for turn in range(10):
            for number in range(200):
                await producer.enqueue("t", b"%d" % (turn * 200 + number), partition=number % 3)
            kafka.disconnect()
        await producer.flush()
    for partition in range(3):
        found = numbers(kafka, partition=partition)
        assert found == [number for number in range(2000) if number % 200 % 3 == partition]


async def test_a_broker_that_restarts_loses_nothing_and_repeats_nothing(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1)
    async with Producer(kafka.bootstrap, batch_size=1000, **FAST) as producer:
        for number in range(200):
            await producer.enqueue("t", b"%d" % number)
        await asyncio.to_thread(kafka.restart)
        for number in range(200, 400):
            await producer.enqueue("t", b"%d" % number)
        await producer.flush()
    assert numbers(kafka) == list(range(400))


async def test_a_broker_that_is_killed_loses_nothing_that_was_acknowledged(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1)
    async with Producer(kafka.bootstrap, batch_size=1000, **FAST) as producer:
        for number in range(200):
            await producer.enqueue("t", b"%d" % number)
        await asyncio.to_thread(kafka.kill)
        await asyncio.to_thread(kafka.start)
        await producer.flush()
    assert numbers(kafka) == list(range(200))


async def test_a_gap_in_the_brokers_memory_is_an_error_and_the_producer_goes_on(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1)
    kafka.fail("Produce").once(Error.OUT_OF_ORDER_SEQUENCE_NUMBER)
    async with Producer(kafka.bootstrap, **FAST) as producer:
        with pytest.raises(BrokerError, match="OUT_OF_ORDER_SEQUENCE_NUMBER"):
            await producer.send("t", b"lost")
        assert (await producer.send("t", b"next")).offset == 0
        assert (await producer.send("t", b"and next")).offset == 1


async def test_a_failed_batch_does_not_stop_those_behind_it(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1)
    kafka.fail("Produce").nth(2, Error.TOPIC_AUTHORIZATION_FAILED)
    async with Producer(kafka.bootstrap, batch_size=200, **FAST) as producer:
        acks = [await producer.enqueue("t", b"%d" % number) for number in range(100)]
        with pytest.raises(DeliveryError):
            await producer.flush()
        lost = [number for number, ack in enumerate(acks) if ack.exception() is not None]
    assert lost
    assert numbers(kafka) == [number for number in range(100) if number not in lost]


async def test_an_unknown_producer_id_begins_a_new_epoch_without_loss(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1)
    kafka.fail("Produce").nth(3, Error.UNKNOWN_PRODUCER_ID)
    async with Producer(kafka.bootstrap, batch_size=200, **FAST) as producer:
        for number in range(100):
            await producer.enqueue("t", b"%d" % number)
        await producer.flush()
    assert numbers(kafka) == list(range(100))


async def test_a_batch_too_large_for_the_topic_is_split(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1, max_message_bytes=5000)
    async with Producer(kafka.bootstrap, **FAST) as producer:
        acks = [await producer.enqueue("t", b"%030d" % number) for number in range(1000)]
        assert [(await ack).offset for ack in acks] == list(range(1000))
        assert producer.metrics.splits > 3
        with pytest.raises(BrokerError, match="MESSAGE_TOO_LARGE"):
            await producer.send("t", b"x" * 6000)
    assert numbers(kafka) == list(range(1000))


async def test_single_bad_records_are_named(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1, cleanup_policy="compact")
    async with Producer(kafka.bootstrap) as producer:
        good = await producer.enqueue("t", b"v", b"k")
        bad = await producer.enqueue("t", b"without key")
        with pytest.raises(BrokerError, match="without key"):
            await bad
        with pytest.raises(BrokerError, match="another record of its batch") as caught:
            await good
        assert caught.value.retriable


async def test_a_topic_that_is_made_anew_is_written_to(kafka: Kafka) -> None:
    from tests.client.support import create_topic, delete_topic

    await create_topic(kafka, "t", 1)
    async with Producer(kafka.bootstrap, **FAST) as producer:
        await producer.send("t", b"old")
        await delete_topic(kafka, "t")
        await create_topic(kafka, "t", 1)
        assert (await producer.send("t", b"new")).offset == 0


async def test_new_partitions_are_found(kafka: Kafka) -> None:
    from tests.client.support import add_partitions, create_topic

    await create_topic(kafka, "t", 1)
    async with Producer(kafka.bootstrap, **FAST) as producer:
        await producer.send("t", b"v")
        await add_partitions(kafka, "t", 3)
        assert (await producer.send("t", b"v", partition=2)).partition == 2
        with pytest.raises(BrokerError, match="partitions 0 to 2"):
            await producer.send("t", b"v", partition=-1)


# ── time and memory ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_not_delivered_in_time_fails_and_says_so(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1)
    with kafka.hold("Produce"):
        async with Producer(kafka.bootstrap, request_timeout_ms=100, delivery_timeout_ms=200, **FAST) as producer:
            with pytest.raises(ClientTimeoutError, match=r"t-0.*delivery\.timeout\.ms"):
                await producer.send("t", b"v")


async def test_enqueue_waits_for_room_and_try_enqueue_does_not(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1)
    gate = kafka.hold("Produce")
    async with Producer(kafka.bootstrap, buffer_memory=64 << 10, batch_size=16 << 10, linger_ms=0) as producer:
        await producer.partitions("t")
        count = 0
        with pytest.raises(BufferFullError, match="no room"):
            while True:
                producer.try_enqueue("t", b"%01000d" % count)
                count += 1
        assert count <= 64
        waiting = asyncio.create_task(producer.enqueue("t", b"%d" % count))
        await asyncio.to_thread(gate.wait)
        assert not waiting.done()
        gate.release()
        await waiting
        await producer.flush()
    assert numbers(kafka) == list(range(count + 1))


async def test_waiting_for_room_ends(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1)
    with kafka.hold("Produce"):
        async with Producer(
            kafka.bootstrap, buffer_memory=20 << 10, max_block_ms=50, delivery_timeout_ms=400, request_timeout_ms=300
        ) as producer:
            with pytest.raises(ClientTimeoutError, match="no room"):
                for _ in range(100):
                    await producer.enqueue("t", b"x" * 1000)
            with pytest.raises(DeliveryError):
                await producer.flush()


async def test_a_record_that_is_too_large_is_refused_at_once(kafka: Kafka) -> None:
    async with Producer(kafka.bootstrap) as producer:
        with pytest.raises(RecordTooLargeError, match=r"max\.request\.size"):
            await producer.send("t", b"x" * (2 << 20))


async def test_a_topic_that_is_not_there(kafka: Kafka) -> None:
    with Kafka(config={"auto.create.topics.enable": "false"}) as strict:
        async with Producer(strict.bootstrap, max_block_ms=100, **FAST) as producer:
            with pytest.raises(BrokerError, match=r"UNKNOWN_TOPIC_OR_PARTITION.*'nowhere'"):
                await producer.send("nowhere", b"v")
            with pytest.raises(BrokerError, match="INVALID_TOPIC"):
                await producer.send("no good name!", b"v")


async def test_flush_tells_what_nobody_asked_about_and_close_loses_nothing(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1)
    rule = kafka.fail("Produce").always(Error.TOPIC_AUTHORIZATION_FAILED)
    producer = await Producer(kafka.bootstrap).start()
    await producer.enqueue("t", b"v")
    with pytest.raises(DeliveryError, match="1 records were not delivered"):
        await producer.flush()
    rule.remove()
    await producer.enqueue("t", b"late")
    await producer.close()
    await producer.close()
    assert values(kafka) == [b"late"]
    with pytest.raises(ClosedError):
        await producer.send("t", b"v")


async def test_close_within_a_time_gives_up_the_rest(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1)
    with kafka.hold("Produce"):
        producer = await Producer(kafka.bootstrap).start()
        ack = await producer.enqueue("t", b"v")
        with pytest.raises(ClientTimeoutError):
            await producer.close(timeout_ms=50)
        with pytest.raises(ClosedError):
            await ack


async def test_a_cancelled_send_cancels_only_itself(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1)
    gate = kafka.hold("Produce")
    async with Producer(kafka.bootstrap) as producer:
        sends = [asyncio.create_task(producer.send("t", b"%d" % number)) for number in range(3)]
        await asyncio.to_thread(gate.wait)
        sends[1].cancel()
        gate.release()
        assert [(await sends[0]).offset, (await sends[2]).offset] == [0, 2]
        assert sends[1].cancelled()


# ── serializers, hooks ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_serializers(kafka: Kafka) -> None:
    producer: Producer[str, Any] = Producer(kafka.bootstrap, key=serde.Str, value=serde.Json())
    async with producer:
        await producer.send("t", {"a": 1}, "k")
        await producer.send("t", None, "gone")
        with pytest.raises(SerializationError, match="a object cannot be serialized"):
            await producer.send("t", object())
    assert [(record.key, record.value) for record in kafka.topic("t").records()] == [
        (b"k", b'{"a":1}'),
        (b"gone", None),
    ]


async def test_a_partitioner_of_ones_own(kafka: Kafka) -> None:
    kafka.topic("t", partitions=4)
    async with Producer(kafka.bootstrap, partitioner=lambda topic, key, count: len(key or b"") % count) as producer:
        assert (await producer.send("t", b"v", b"abc")).partition == 3
        assert (await producer.send_many("t", [(b"ab", b"v")])).counts == {2: 1}


async def test_round_robin(kafka: Kafka) -> None:
    kafka.topic("t", partitions=3)
    async with Producer(kafka.bootstrap, partitioner_class="round_robin") as producer:
        assert [(await producer.send("t", b"v", b"same key")).partition for _ in range(4)] == [0, 1, 2, 0]
        assert (await producer.send_many("t", [b"v"] * 9)).counts == {0: 3, 1: 3, 2: 3}


async def test_hooks_see_batches(kafka: Kafka) -> None:
    seen: list[Any] = []

    class Hooks:
        def on_delivered(self, topic: str, partition: int, records: int, base_offset: int, seconds: float) -> None:
            seen.append((topic, partition, records, base_offset))

    async with Producer(kafka.bootstrap, hooks=Hooks()) as producer:
        await producer.send_many("t", [b"1", b"2"])
    assert seen == [("t", 0, 2, 0)]
