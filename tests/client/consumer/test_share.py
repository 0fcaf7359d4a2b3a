"""The share consumer against Ottla: accept, release, reject, renew; two members share one partition."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from ottla import Admin, ShareConsumer
from ottla.client.admin.configs import ConfigResource
from ottla.client.errors import ConfigError
from ottla.testing.kafka import Kafka


async def prepare(kafka: Kafka, count: int) -> None:
    kafka.topic("jobs", partitions=1).put([b"%d" % i for i in range(count)])
    async with Admin(kafka.bootstrap) as admin:
        await admin.configs.set(ConfigResource.group("workers"), {"share.auto.offset.reset": "earliest"})


async def test_what_is_released_comes_again_and_what_is_rejected_does_not(kafka: Kafka) -> None:
    await prepare(kafka, 4)
    seen: list[bytes] = []
    async with asyncio.timeout(20), ShareConsumer(kafka.bootstrap, "jobs", group="workers") as consumer:
        async for record in consumer:
            seen.append(record.value)
            if record.value == b"1" and seen.count(b"1") == 1:
                consumer.release(record)
            elif record.value == b"2":
                await consumer.renew(record)
                consumer.reject(record)
                with pytest.raises(ConfigError, match="decided about before"):
                    consumer.accept(record)
            if len(seen) == 5:
                consumer.stop()
    assert Counter(seen) == {b"0": 1, b"1": 2, b"2": 1, b"3": 1}
    async with Admin(kafka.bootstrap) as admin:
        assert list(await admin.groups.share_offsets("workers")) == [("jobs", 0)]
        assert (await admin.groups.describe("workers")).type == "share"


async def test_what_a_member_leaves_undecided_goes_to_the_next(kafka: Kafka) -> None:
    await prepare(kafka, 3)
    async with asyncio.timeout(20):
        async with ShareConsumer(kafka.bootstrap, "jobs", group="workers") as consumer:
            async for record in consumer:
                assert record.value == b"0"
                break  # in hand, and two more are here
        async with ShareConsumer(kafka.bootstrap, "jobs", group="workers") as consumer:
            seen = []
            async for record in consumer:
                seen.append(record.value)
                if len(seen) == 3:
                    consumer.stop()
    assert seen == [b"0", b"1", b"2"]


async def test_two_members_work_off_one_partition(kafka: Kafka) -> None:
    await prepare(kafka, 100)
    seen: Counter[bytes] = Counter()
    done = asyncio.Event()

    async def work() -> None:
        async with ShareConsumer(kafka.bootstrap, "jobs", group="workers", max_poll_records=5) as consumer:
            watcher = asyncio.ensure_future(done.wait())
            watcher.add_done_callback(lambda _: consumer.stop())
            async for record in consumer:
                seen[record.value] += 1
                if len(seen) == 100:
                    done.set()
            watcher.cancel()

    async with asyncio.timeout(20):
        await asyncio.gather(work(), work())
    assert set(seen.values()) == {1}
