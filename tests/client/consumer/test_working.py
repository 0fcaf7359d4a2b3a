"""`Consumer.run`: how much at a time, in which order, tried how often, committed how far, and where it goes for good."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ottla import By, Commit, Consumer, Retry, read
from ottla.client.errors import ConfigError
from ottla.testing.kafka import Kafka

FAST = {"retry_backoff_ms": 20, "group_protocol": "classic"}


def fill(kafka: Kafka, count: int, partitions: int) -> None:
    kafka.topic("orders", partitions=partitions).put([(b"k%d" % (i % 7), b"%d" % i) for i in range(count)])


async def run(
    kafka: Kafka, handler: Callable[[Any, Any], Awaitable[Any]], *, count: int = 0, **options: Any
) -> dict[int, int]:
    """Run until `count` records are handled; what is committed then."""
    async with Consumer(kafka.bootstrap, "orders", group="g", start="earliest", **FAST) as consumer:
        left = [count]

        async def handle(record: Any) -> None:
            await handler(consumer, record)
            left[0] -= 1
            if left[0] == 0:
                consumer.stop()

        await consumer.run(handle, **options)
    async with Consumer(kafka.bootstrap, group="g", start="earliest", **FAST) as reader:
        reader.assign([("orders", n) for n in range(kafka.topic("orders").partitions)])
        return {key[1]: each.offset for key, each in (await reader.committed()).items()}


@pytest.mark.parametrize("by", [By.ONE, By.PARTITION, By.KEY(4), By.RECORD(4)], ids=str)
async def test_each_record_is_handled_once_and_in_the_order_that_was_asked_for(kafka: Kafka, by: By) -> None:
    fill(kafka, 300, 3)
    seen: list[tuple[int, bytes, int]] = []
    at_once = Counter[str]()

    async def handle(consumer: Any, record: Any) -> None:
        at_once["now"] += 1
        at_once["most"] = max(at_once["most"], at_once["now"])
        for _ in range(record.offset % 3):
            await asyncio.sleep(0)
        seen.append((record.partition, record.key, record.offset))
        at_once["now"] -= 1

    committed = await run(kafka, handle, count=300, concurrency=by, retry=1)
    assert len(seen) == len(set(seen)) == 300
    assert sum(committed.values()) == 300
    assert at_once["most"] in {"one": [1], "partition": [3]}.get(by.kind, [2, 3, 4])
    if by.kind == "key":
        for key in {key for _, key, _ in seen}:
            offsets = [(partition, offset) for partition, each, offset in seen if each == key]
            assert offsets == sorted(offsets)
    elif by.kind != "record":
        for number in range(3):
            offsets_there = [offset for partition, _, offset in seen if partition == number]
            assert offsets_there == sorted(offsets_there)


async def test_nothing_is_committed_past_a_record_that_is_not_done(kafka: Kafka) -> None:
    fill(kafka, 20, 1)
    gate = asyncio.Event()

    async def handle(consumer: Any, record: Any) -> None:
        if record.offset == 5:
            await gate.wait()
        elif record.offset == 19:
            consumer._settle()
            (offset, *_) = consumer.positions.to_commit()["orders", 0]
            assert offset == 5
            gate.set()

    assert await run(kafka, handle, count=20, concurrency=By.RECORD(20)) == {0: 20}


async def test_a_record_is_tried_again_and_others_of_its_key_wait(kafka: Kafka) -> None:
    fill(kafka, 14, 1)
    tries = Counter[int]()
    order: list[int] = []

    async def handle(consumer: Any, record: Any) -> None:
        tries[record.offset] += 1
        if record.offset == 3 and tries[3] < 3:
            raise ValueError("not yet")
        order.append(record.offset)

    committed = await run(kafka, handle, count=14, concurrency=By.KEY(64), retry=Retry(5, first="1ms"))
    assert (committed, tries[3], sum(tries.values())) == ({0: 14}, 3, 16)
    assert order.index(3) < order.index(10)  # both of key k3


async def test_what_fails_for_good_ends_run_and_is_not_committed(kafka: Kafka) -> None:
    fill(kafka, 10, 1)
    tries = Counter[int]()

    async def handle(consumer: Any, record: Any) -> None:
        tries[record.offset] += 1
        if record.offset == 4:
            raise ValueError("never") if tries[4] < 2 else KeyError("not worth a try")

    with pytest.raises(KeyError, match="not worth"):
        await run(kafka, handle, retry=Retry(5, first="1ms", on=(ValueError,)))
    assert (tries[4], tries[5]) == (2, 0)
    async with Consumer(kafka.bootstrap, "orders", group="g", start="earliest", **FAST) as consumer:
        assert (await consumer.getone()).offset == 4


async def test_a_dead_letter_tells_where_it_comes_from_and_what_went_wrong(kafka: Kafka) -> None:
    fill(kafka, 10, 1)
    kafka.topic("dead")

    async def handle(consumer: Any, record: Any) -> None:
        if record.offset == 4:
            raise ValueError("no such book")

    async with Consumer(kafka.bootstrap, "orders", group="g", start="earliest", **FAST) as consumer:

        async def until_the_end(record: Any) -> None:
            await handle(consumer, record)
            if record.offset == 9:
                consumer.stop()

        await consumer.run(until_the_end, retry=Retry(1, first=0), dead_letters="dead")
        assert consumer.metrics["dead_letters"] == 1
    (letter,) = await read(kafka.bootstrap, "dead", start="earliest", end="latest")
    assert (letter.key, letter.value) == (b"k4", b"4")
    headers = {name: value.decode() for name, value in letter.headers}
    assert headers.pop("dlq.timestamp").isdecimal()
    assert headers == {
        "dlq.topic": "orders", "dlq.partition": "0", "dlq.offset": "4", "dlq.group": "g", "dlq.attempts": "2",
        "dlq.error.type": "ValueError", "dlq.error.message": "no such book",
    }  # fmt: skip


async def test_a_signal_lets_what_is_in_hand_finish_and_takes_back_the_rest(kafka: Kafka) -> None:
    fill(kafka, 100, 2)
    begun: list[int] = []
    ended: list[int] = []

    async def handle(consumer: Any, record: Any) -> None:
        begun.append(record.offset)
        if len(begun) == 2:
            os.kill(os.getpid(), signal.SIGUSR1)
        while not consumer._stopping:
            await asyncio.sleep(0)
        ended.append(record.offset)

    committed = await run(kafka, handle, concurrency=By.PARTITION, stop_on=[signal.SIGUSR1])
    assert (sorted(begun), sorted(ended), committed) == ([0, 0], [0, 0], {0: 1, 1: 1})


async def test_a_stop_does_not_wait_for_a_retry(kafka: Kafka) -> None:
    fill(kafka, 3, 1)

    async def handle(consumer: Any, record: Any) -> None:
        if record.offset == 1:
            asyncio.get_running_loop().call_soon(consumer.stop)
            raise ValueError("try me tomorrow")

    async with asyncio.timeout(30):
        assert await run(kafka, handle, retry=Retry(3, first="1d", longest="1d")) == {0: 1}


async def test_a_rebalance_waits_for_what_is_in_hand_only(kafka: Kafka) -> None:
    fill(kafka, 40, 2)
    seen = Counter[tuple[int, int]]()
    settings: dict[str, Any] = {**FAST, "heartbeat_interval_ms": 50}
    first = Consumer[Any, Any](kafka.bootstrap, "orders", group="g", start="earliest", **settings)
    second = Consumer[Any, Any](kafka.bootstrap, "orders", group="g", start="earliest", **settings)

    def handler(me: Consumer[Any, Any]) -> Callable[[Any], Awaitable[None]]:
        async def handle(record: Any) -> None:
            seen[record.partition, record.offset] += 1
            if me is first:  # slow until the other one has its part
                while len(second.assignment) < 1 and not second.metrics.get("rebalances"):
                    await asyncio.sleep(0)
                    if seen.total() == 1 or me.positions.by_key[record.topic, record.partition].revoking:
                        break
            if len(seen) == 40:
                first.stop()
                second.stop()

        return handle

    async with asyncio.timeout(60), first:
        one = asyncio.create_task(first.run(handler(first), concurrency=By.PARTITION))
        async with second:
            await asyncio.gather(one, second.run(handler(second), concurrency=By.PARTITION))
    assert len(seen) == 40
    assert set(seen.values()) == {1}


async def test_batches_have_their_own_way(kafka: Kafka) -> None:
    fill(kafka, 1, 1)
    async with Consumer(kafka.bootstrap, "orders", start="earliest", commit=Commit.MANUAL) as consumer:
        with pytest.raises(ConfigError, match="of records"):
            await consumer.run(lambda batch: asyncio.sleep(0), batch=True, retry=3)
