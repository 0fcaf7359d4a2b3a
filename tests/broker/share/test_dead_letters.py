"""Dead-letter topics of share groups: what is given up can be read there, with where it came from (KIP-1191)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from ottla.broker.partition import Partition
from ottla.broker.share.settings import DLQ_COPY_RECORD, DLQ_TOPIC_NAME
from ottla.coordinator.share_partition import RecordState
from ottla.metadata.image import ResourceType
from ottla.records.batch import Record, build_batch, iter_headers, read_records
from tests.support.in_process import RunningBroker, batch, produce_request
from tests.support.share_configs import set_config, set_group_config
from tests.support.share_member import ACCEPT, REJECT, RELEASE, ShareMember

AUTO_CREATE = "errors.deadletterqueue.auto.create.topics.enable"


@pytest.fixture
async def running() -> AsyncIterator[RunningBroker]:
    sets = {
        "share.coordinator.state.topic.num.partitions": "1", AUTO_CREATE: "true", "num.partitions": "1",
        "group.share.delivery.count.limit": "2",
    }  # fmt: skip
    async with RunningBroker(**sets) as broker:
        yield broker


async def topic(running: RunningBroker) -> Partition:
    partition = await running.topic("t")
    await running.broker.persister.initialize("g", partition.topic_id, 0, 1, 0)
    records = bytes(build_batch([Record(i, 1_700_000_000_000, b"k%d" % i, b"v%d" % i) for i in range(3)]))
    async with running.connect() as client:
        await client.call(produce_request("t", records), 9)
    return partition


async def dead_letters(running: RunningBroker, count: int, name: str = "dlq.g") -> list[Record]:
    """Wait for so many dead letters."""
    async with asyncio.timeout(10):
        while True:
            try:
                partition = running.broker.partitions.get(name, 0)
                data = partition.log.read(0, 1 << 20, partition.high_watermark)
            except Exception:  # noqa: BLE001 - the topic is not there yet
                data = b""
            found = [record for at, _ in iter_headers(data) for record in read_records(data, at)]
            if len(found) >= count:
                return found
            await asyncio.sleep(0)


async def test_a_rejected_record_becomes_a_dead_letter_with_headers(running: RunningBroker) -> None:
    partition = await topic(running)
    await set_group_config(running, "g", {DLQ_TOPIC_NAME: "dlq.g"})
    async with ShareMember(running, partition.topic_id) as one:
        await one.fetch(max_wait_ms=5000)
        await one.acknowledge((0, 2, [ACCEPT, REJECT, ACCEPT]))
        (letter,) = await dead_letters(running, 1)
    assert (letter.key, letter.value) == (None, None)
    assert dict(letter.headers) == {
        "__dlq.errors.topic": b"t", "__dlq.errors.partition": b"0", "__dlq.errors.offset": b"1",
        "__dlq.errors.group": b"g", "__dlq.errors.delivery.count": b"1",
        "__dlq.errors.message": b"Offset rejected by client.",
    }  # fmt: skip
    own = running.broker.image.configs.get(ResourceType.TOPIC, "dlq.g")
    assert own["errors.deadletterqueue.group.enable"] == "true"


async def test_the_delivery_limit_makes_dead_letters_with_key_and_value_where_asked(running: RunningBroker) -> None:
    partition = await topic(running)
    await set_group_config(running, "g", {DLQ_TOPIC_NAME: "dlq.g", DLQ_COPY_RECORD: "true"})
    async with ShareMember(running, partition.topic_id) as one:
        for _ in range(2):
            got = await one.fetch(max_wait_ms=5000)
            await one.acknowledge((got[0].offset, got[-1].offset, [RELEASE]))
        letters = await dead_letters(running, 3)
        assert [(letter.key, letter.value) for letter in letters] == [(b"k%d" % i, b"v%d" % i) for i in range(3)]
        assert {dict(letter.headers)["__dlq.errors.delivery.count"] for letter in letters} == {b"2"}
        host = next(iter(running.broker.share_partitions))
        async with asyncio.timeout(10):
            while host.machine.start_offset != 3:
                await asyncio.sleep(0)


async def test_a_topic_that_may_not_be_used_does_not_stop_the_group(running: RunningBroker) -> None:
    partition = await topic(running)
    await running.topic("dlq.forbidden")
    await set_group_config(running, "g", {DLQ_TOPIC_NAME: "dlq.forbidden"})
    async with ShareMember(running, partition.topic_id) as one:
        await one.fetch(max_wait_ms=5000)
        await one.acknowledge((0, 2, [REJECT]))
        host = next(iter(running.broker.share_partitions))
        async with asyncio.timeout(10):
            while host.machine.start_offset != 3:
                await asyncio.sleep(0)
        failures = running.broker.share_partitions.metrics.dead_letter_produce_failures
        assert failures == {"g": 1}
    await set_config(running, ResourceType.TOPIC, "dlq.forbidden", {"errors.deadletterqueue.group.enable": "true"})
    async with running.connect() as client:
        await client.call(produce_request("t", batch(b"again")), 9)
    async with ShareMember(running, partition.topic_id) as one:
        await one.fetch(max_wait_ms=5000)
        await one.acknowledge((3, 3, [REJECT]))
        assert len(await dead_letters(running, 1, "dlq.forbidden")) == 1


async def test_letters_that_were_under_way_in_a_crash_are_sent_again(running: RunningBroker) -> None:
    partition = await topic(running)
    await set_group_config(running, "g", {DLQ_TOPIC_NAME: "dlq.g"})
    stored = running.broker.persister
    from ottla.broker.share.persister import StateBatch

    await stored.write(
        "g", partition.topic_id, 0, state_epoch=1, leader_epoch=partition.leader_epoch, start_offset=0,
        delivery_complete_count=0, batches=[StateBatch(0, 0, RecordState.ARCHIVING, 1)],
    )  # fmt: skip
    async with ShareMember(running, partition.topic_id) as one:
        assert [record.offset for record in await one.fetch(max_wait_ms=5000)] == [1, 2]
        (letter,) = await dead_letters(running, 1)
    assert dict(letter.headers)["__dlq.errors.offset"] == b"0"
