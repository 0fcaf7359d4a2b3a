"""The consumer against Ottla: what is given, what is committed, where it goes on, what is said when something is wrong."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import weakref
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from ottla import Commit, Consumer, Producer, exactly_once, read, serde
from ottla.client.errors import BrokerError, ClientError, ConfigError
from ottla.client.offsets import Committed
from ottla.testing.kafka import Kafka

PROTOCOLS = ["classic", "consumer"]


def fill(kafka: Kafka, count: int, partitions: int = 3, topic: str = "orders") -> None:
    kafka.topic(topic, partitions=partitions).put([(b"k%d" % i, b'{"n": %d}' % i) for i in range(count)])


async def take(consumer: Consumer[object, object], count: int) -> list[bytes]:
    values = []
    async for record in consumer:
        values.append(record.value)
        if len(values) == count:
            break
    return values


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_group_goes_on_where_it_stopped_and_commits_nothing_that_is_in_hand(
    kafka: Kafka, protocol: str
) -> None:
    fill(kafka, 10, partitions=1)
    options = {"group": "g", "start": "earliest", "group_protocol": protocol}
    async with Consumer(kafka.bootstrap, "orders", **options) as consumer:
        async for record in consumer:
            if record.offset == 4:
                break  # it is in hand: not processed
    async with Consumer(kafka.bootstrap, "orders", **options) as consumer:
        assert (await consumer.committed([("orders", 0)]))["orders", 0].offset == 4
        async for record in consumer:
            assert record.offset == 4
            await consumer.commit()  # by hand: what was given, the one in hand included
            break
        assert (await consumer.committed())["orders", 0].offset == 5


async def test_stop_ends_after_what_is_in_hand_though_more_is_loaded(kafka: Kafka) -> None:
    fill(kafka, 10, partitions=1)
    seen = []
    async with Consumer(kafka.bootstrap, "orders", group="g", start="earliest") as consumer:
        async for record in consumer:
            seen.append(record.offset)
            if record.offset == 2:
                consumer.stop()
                await consumer.commit()
                assert (await consumer.committed())["orders", 0].offset == 3
                assert consumer.position("orders", 0) == 3
    async with Consumer(kafka.bootstrap, "orders", group="g", start="earliest") as consumer:
        async for batch in consumer.batches(max_records=2):
            seen += [record.offset for record in batch]
            consumer.stop()
    async with Consumer(kafka.bootstrap, "orders", group="g", start="earliest") as consumer:
        assert (await consumer.committed([("orders", 0)]))["orders", 0].offset == 5
    assert seen == [0, 1, 2, 3, 4]


@pytest.mark.kafka(config={"group.consumer.min.heartbeat.interval.ms": 20, "group.consumer.heartbeat.interval.ms": 20})
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_members_that_come_and_go_lose_nothing_and_double_nothing(kafka: Kafka, protocol: str) -> None:
    fill(kafka, 600, partitions=6)
    seen: Counter[bytes] = Counter()
    done = asyncio.Event()

    async def member(quota: int | None) -> None:
        options = {"group_protocol": protocol, "heartbeat_interval_ms": 20, "max_poll_records": 20}
        async with Consumer(kafka.bootstrap, "orders", group="g", start="earliest", **options) as consumer:
            taken = 0
            watcher = asyncio.ensure_future(done.wait())
            watcher.add_done_callback(lambda _: consumer.stop())
            async for batch in consumer.batches():
                for record in batch:
                    seen[record.value] += 1
                taken += len(batch)
                await asyncio.sleep(0)
                if len(seen) == 600:
                    done.set()
                if quota is not None and taken >= quota:
                    consumer.stop()
            watcher.cancel()

    async with asyncio.timeout(30):
        await asyncio.gather(*(member(quota) for quota in (60, 100, None, None)))
    assert set(seen.values()) == {1}
    assert len(seen) == 600
    async with Consumer(kafka.bootstrap, group="g") as consumer:
        committed = await consumer.committed([("orders", n) for n in range(6)])
        assert sum(each.offset for each in committed.values()) == 600


async def test_a_handler_that_takes_long_keeps_its_partition_until_it_is_done(kafka: Kafka) -> None:
    """The rebalance waits for the record in hand, commits it, and only then gives the partition away."""
    fill(kafka, 2, partitions=1)
    options = {"group": "g", "start": "earliest", "assignors": ["roundrobin"], "heartbeat_interval_ms": 20}
    first = Consumer(kafka.bootstrap, "orders", group_instance_id=None, **options)
    async with first:
        stream = aiter(first)
        assert (await anext(stream)).offset == 0
        second = Consumer(kafka.bootstrap, "orders", **options)
        async with second:
            waiting = asyncio.ensure_future(anext(aiter(second)))
            following = None
            while first.assignment:  # the rebalance has begun: nothing more is given here
                await asyncio.sleep(0)
            assert not waiting.done()
            following = asyncio.ensure_future(anext(stream))  # the loop comes back: record 0 is processed
            done, _ = await asyncio.wait([waiting, following], return_when=asyncio.FIRST_COMPLETED, timeout=10)
            assert [task.result().offset for task in done] == [1]
            for task in (waiting, following):
                task.cancel()


async def test_a_new_group_must_say_where_it_begins(kafka: Kafka) -> None:
    fill(kafka, 1, partitions=1)
    async with Consumer(kafka.bootstrap, "orders", group="new") as consumer:
        with pytest.raises(BrokerError, match='start="earliest"'):
            await anext(aiter(consumer))


async def test_start_by_time_and_duration(kafka: Kafka) -> None:
    fill(kafka, 3, partitions=1)
    for start, first in [
        (timedelta(hours=1), 0),
        (datetime(2020, 1, 1, tzinfo=UTC), 0),
        (2, 2),
        ("by_duration:PT1H", 0),
    ]:
        async with Consumer(kafka.bootstrap, "orders", start=start) as consumer:
            assert (await anext(aiter(consumer))).offset == first
    with pytest.raises(ConfigError, match="expected earliest"):
        await Consumer(kafka.bootstrap, "orders", start="yesterday").start()


async def test_seek_pause_position_and_lag(kafka: Kafka) -> None:
    fill(kafka, 10, partitions=1)
    async with Consumer(kafka.bootstrap, "orders", start="earliest") as consumer:
        stream = aiter(consumer)
        assert [(await anext(stream)).offset for _ in range(3)] == [0, 1, 2]
        assert consumer.position("orders", 0) == 3
        assert consumer.lag() == {("orders", 0): 7}
        consumer.seek("orders", 0, 8)
        assert [(await anext(stream)).offset for _ in range(2)] == [8, 9]
        consumer.seek_to_beginning()
        assert (await anext(stream)).offset == 0
        consumer.pause()
        waiting = asyncio.ensure_future(anext(stream))
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        assert not done
        consumer.resume()
        assert (await waiting).offset == 1
        consumer.seek_to_time(datetime(2020, 1, 1, tzinfo=UTC))
        assert (await anext(stream)).offset == 0
        assert await consumer.end_offsets([("orders", 0)]) == {("orders", 0): 10}
        assert await consumer.beginning_offsets([("orders", 0)]) == {("orders", 0): 0}


async def test_an_offset_that_is_gone_follows_start_or_says_so(kafka: Kafka) -> None:
    fill(kafka, 3, partitions=1)
    async with Consumer(kafka.bootstrap, "orders", start="earliest") as consumer:
        consumer.seek("orders", 0, 99)
        assert (await anext(aiter(consumer))).offset == 0
    async with Consumer(kafka.bootstrap) as consumer:
        consumer.assign({("orders", 0): 99})
        with pytest.raises(BrokerError, match="offset 99 is not there"):
            await anext(aiter(consumer))
        consumer.seek("orders", 0, 1)
        assert (await anext(aiter(consumer))).offset == 1


async def test_partitions_are_read_side_by_side(kafka: Kafka) -> None:
    fill(kafka, 90, partitions=3)
    counts: Counter[int] = Counter()
    async with (
        Consumer(kafka.bootstrap, "orders", group="g", start="earliest") as consumer,
        asyncio.TaskGroup() as tasks,
    ):

        async def work(part: object) -> None:
            async for record in part:  # type: ignore[attr-defined]
                counts[record.partition] += 1
                if sum(counts.values()) == 90:
                    consumer.stop()

        async for part in consumer.partitions():
            tasks.create_task(work(part))
    assert sum(counts.values()) == 90
    assert len(counts) == 3


async def test_run_ends_on_a_signal_and_commits_what_was_handled(kafka: Kafka) -> None:
    fill(kafka, 5, partitions=1)
    handled = []

    async def handle(record: object) -> None:
        handled.append(record)
        if len(handled) == 3:
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.sleep(0)

    async with Consumer(kafka.bootstrap, "orders", group="g", start="earliest") as consumer:
        await consumer.run(handle, stop_on=[signal.SIGUSR1])
    count = len(handled)
    async with Consumer(kafka.bootstrap, group="g") as consumer:
        assert (await consumer.committed([("orders", 0)]))["orders", 0] == Committed(count, 0)


async def test_commit_policies(kafka: Kafka) -> None:
    fill(kafka, 4, partitions=1)
    options = {"group": "g", "start": "earliest"}
    async with Consumer(kafka.bootstrap, "orders", commit=Commit.MANUAL, **options) as consumer:
        async for batch in consumer.batches(max_records=2):
            await batch.commit()
            break
    async with Consumer(kafka.bootstrap, "orders", commit=Commit.BATCH, **options) as consumer:
        iteration = consumer.batches(max_records=1)
        assert [record.offset for record in await anext(iteration)] == [2]
        await anext(iteration)
        assert (await consumer.committed())["orders", 0].offset == 3
        await iteration.aclose()
    async with Consumer(kafka.bootstrap, "orders", commit=Commit.every("1ms"), **options) as consumer:
        stream = aiter(consumer)
        await anext(stream)
        waiting = asyncio.ensure_future(anext(stream))
        while consumer.metrics["commits"] == 0:
            await asyncio.sleep(0)
        waiting.cancel()


async def test_values_come_through_deserializers(kafka: Kafka) -> None:
    fill(kafka, 1, partitions=1)
    async with Consumer(kafka.bootstrap, "orders", start="earliest", key=serde.Str, value=serde.Json()) as consumer:
        record = await anext(aiter(consumer))
        assert (record.key, record.value) == ("k0", {"n": 0})


async def test_a_broker_that_restarts_and_connections_that_are_cut_do_not_stop_it(kafka: Kafka) -> None:
    fill(kafka, 50, partitions=1)
    async with Consumer(
        kafka.bootstrap, "orders", group="g", start="earliest", max_partition_fetch_bytes=100
    ) as consumer:
        offsets = []
        async for record in consumer:
            offsets.append(record.offset)
            if len(offsets) == 10:
                kafka.disconnect()
            if len(offsets) == 20:
                await asyncio.to_thread(kafka.stop)
                await asyncio.to_thread(kafka.start)
            if len(offsets) == 50:
                break
    assert offsets == list(range(50))


@pytest.mark.parametrize("error", ["NOT_LEADER_OR_FOLLOWER", "UNKNOWN_TOPIC_OR_PARTITION", "OFFSET_OUT_OF_RANGE"])
async def test_errors_of_a_fetch_are_lived_through(kafka: Kafka, error: str) -> None:
    from ottla.protocol.errors import ErrorCode

    fill(kafka, 2, partitions=1)
    kafka.fail("Fetch").once(ErrorCode[error])
    async with Consumer(kafka.bootstrap, "orders", start="earliest") as consumer:
        assert await take(consumer, 2) == [b'{"n": 0}', b'{"n": 1}']


async def test_read_gives_what_is_between_two_moments(kafka: Kafka) -> None:
    fill(kafka, 30, partitions=3)
    batch = await read(kafka.bootstrap, "orders")
    assert sorted(record.value for record in batch) == sorted(b'{"n": %d}' % i for i in range(30))
    assert len(await read(kafka.bootstrap, "orders", start=1, end=3, partitions=[0])) == 2
    assert len(await read(kafka.bootstrap, "orders", start=1, end=10**9, partitions=[0])) > 1  # not waited for
    assert len(await read(kafka.bootstrap, "orders", end=datetime(2020, 1, 1, tzinfo=UTC))) == 0
    with pytest.raises(ClientError, match="more than 10 bytes"):
        await read(kafka.bootstrap, "orders", max_bytes=10)


async def test_aborted_transactions_are_left_out_and_markers_passed_over(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1)
    async with Producer(kafka.bootstrap, transactional_id="tx") as producer:
        for number in range(4):
            async with producer.transaction() as tx:
                await tx.send("t", b"%d" % number)
                if number % 2:
                    await tx.abort()
    assert [record.value for record in await read(kafka.bootstrap, "t")] == [b"0", b"2"]
    every = await read(kafka.bootstrap, "t", isolation_level="read_uncommitted")
    assert [record.value for record in every] == [b"0", b"1", b"2", b"3"]


async def test_exactly_once_aborts_and_reads_again(kafka: Kafka) -> None:
    fill(kafka, 20, partitions=2)
    kafka.topic("out", partitions=1)
    async with (
        Consumer(kafka.bootstrap, "orders", group="g", start="earliest") as consumer,
        Producer(kafka.bootstrap, transactional_id="tx") as producer,
    ):
        with pytest.raises(ValueError, match="on purpose"):
            async with exactly_once(consumer, producer) as eos:
                async for tx, batch in eos.batches(max_records=5):
                    for record in batch:
                        await tx.send("out", record.value)
                    raise ValueError("on purpose")
        assert eos.aborted == 1
        async with exactly_once(consumer, producer) as eos:
            async for tx, batch in eos.batches(max_records=5):
                for record in batch:
                    await tx.send("out", record.value)
                if eos.committed == 3:
                    consumer.stop()
    out = await read(kafka.bootstrap, "out")
    assert sorted(record.value for record in out) == sorted(b'{"n": %d}' % i for i in range(20))


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_pattern_takes_in_topics_that_are_made_later(kafka: Kafka, protocol: str) -> None:
    fill(kafka, 1, partitions=1, topic="orders.eu")
    options = {"group_protocol": protocol, "metadata_max_age_ms": 50, "heartbeat_interval_ms": 20}
    async with (
        asyncio.timeout(20),
        Consumer(kafka.bootstrap, pattern=r"orders\..*", group="g", start="earliest", **options) as consumer,
    ):
        stream = aiter(consumer)
        assert (await anext(stream)).topic == "orders.eu"
        if protocol == "consumer":
            return  # the broker looks again after ten seconds
        await asyncio.to_thread(fill, kafka, 1, 1, "orders.us")
        await asyncio.to_thread(fill, kafka, 1, 1, "other")
        assert (await anext(stream)).topic == "orders.us"
        assert {topic for topic, _ in consumer.assignment} == {"orders.eu", "orders.us"}


@pytest.mark.kafka(config={"group.consumer.min.heartbeat.interval.ms": 20, "group.consumer.heartbeat.interval.ms": 20})
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_static_member_comes_back_to_its_partitions_without_a_rebalance(kafka: Kafka, protocol: str) -> None:
    fill(kafka, 4, partitions=2)
    options = {"group": "g", "start": "earliest", "group_protocol": protocol, "heartbeat_interval_ms": 20}
    async with asyncio.timeout(20):
        async with Consumer(kafka.bootstrap, "orders", group_instance_id="a", **options) as stays:
            reading = asyncio.ensure_future(take(stays, 99))
            async with Consumer(kafka.bootstrap, "orders", group_instance_id="b", **options) as goes:
                while len(goes.assignment) != 1 or len(stays.assignment) != 1:
                    await asyncio.sleep(0)
                had = goes.assignment
            rebalances = stays.metrics["rebalances"]
            async with Consumer(kafka.bootstrap, "orders", group_instance_id="b", **options) as back:
                while not back.assignment:
                    await asyncio.sleep(0)
                assert back.assignment == had
            assert stays.metrics["rebalances"] == rebalances
            reading.cancel()


async def test_closing_does_not_wait_for_a_loop_that_was_left_with_a_record_in_hand(kafka: Kafka) -> None:
    fill(kafka, 2, partitions=1)
    options = {"group": "g", "start": "earliest", "assignors": ["range"], "heartbeat_interval_ms": 20}
    async with asyncio.timeout(20), Consumer(kafka.bootstrap, "orders", **options) as first:
        await anext(aiter(first))
        async with Consumer(kafka.bootstrap, "orders", **options):
            while first.assignment:  # the rebalance waits for the record in hand
                await asyncio.sleep(0)
            await first.close()


async def test_a_second_consumer_of_the_same_instance_fences_the_first(kafka: Kafka) -> None:
    fill(kafka, 1, partitions=1)
    options = {"group": "g", "start": "earliest", "assignors": ["range"], "heartbeat_interval_ms": 20}
    async with asyncio.timeout(20), Consumer(kafka.bootstrap, "orders", group_instance_id="a", **options) as first:
        stream = aiter(first)
        await anext(stream)
        async with Consumer(kafka.bootstrap, "orders", group_instance_id="a", **options):
            with pytest.raises(BrokerError, match="FENCED_INSTANCE_ID"):
                await anext(stream)


async def test_new_partitions_of_a_topic_are_read(kafka: Kafka) -> None:
    from ottla import Admin

    fill(kafka, 1, partitions=1)
    options = {"metadata_max_age_ms": 50, "heartbeat_interval_ms": 20, "assignors": ["range"]}
    async with (
        asyncio.timeout(20),
        Admin(kafka.bootstrap) as admin,
        Consumer(kafka.bootstrap, "orders", group="g", start="earliest", **options) as consumer,
    ):
        stream = aiter(consumer)
        await anext(stream)
        await admin.topics.set_partitions("orders", 2)
        reading = asyncio.ensure_future(anext(stream))
        while len(consumer.assignment) != 2:
            await asyncio.sleep(0)
        reading.cancel()


async def test_prefetching_stops_at_its_bound(kafka: Kafka) -> None:
    kafka.topic("t", partitions=4).put([bytes(10_000) for _ in range(400)])
    options = {"prefetch_bytes": 100_000, "max_partition_fetch_bytes": 20_000, "fetch_max_bytes": 100_000}
    async with Consumer(kafka.bootstrap, "t", start="earliest", **options) as consumer:
        most = 0
        count = 0
        async for _ in consumer:
            most = max(most, consumer.metrics["buffered_bytes"])
            count += 1
            if count == 400:
                break
    assert most < 250_000


async def test_a_batch_is_free_as_soon_as_the_loop_goes_on(kafka: Kafka) -> None:
    """Its memory is needed for the next answer: it must not wait for a garbage collection."""
    fill(kafka, 3, partitions=1)
    gc.disable()
    try:
        async with Consumer(kafka.bootstrap, "orders", start="earliest") as consumer:
            seen = []
            async for batch in consumer.batches(max_records=1):
                assert [ref() for ref in seen] == [None] * len(seen)
                seen.append(weakref.ref(batch))
                if len(seen) == 3:
                    break
    finally:
        gc.enable()


async def test_20_members_share_20_partitions(kafka: Kafka) -> None:
    fill(kafka, 200, partitions=20)
    options = {"heartbeat_interval_ms": 20, "assignors": ["cooperative-sticky"], "group": "g", "start": "earliest"}
    members = [Consumer(kafka.bootstrap, "orders", **options) for _ in range(20)]
    seen: Counter[bytes] = Counter()

    async def work(consumer: Consumer[object, object]) -> None:
        async for record in consumer:
            seen[record.value] += 1

    async with asyncio.timeout(60):
        await asyncio.gather(*(member.start() for member in members))
        tasks = [asyncio.ensure_future(work(member)) for member in members]
        while len(seen) < 200 or any(len(member.assignment) != 1 for member in members):
            await asyncio.sleep(0)
        await asyncio.gather(*(member.close() for member in members))
        await asyncio.gather(*tasks)
    assert set(seen.values()) == {1}
