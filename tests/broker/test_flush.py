"""flush.messages and flush.ms: the log is synced after so many records, or when so much time is over."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from ottla.broker.partition import Partition
from ottla.log.memory_files import MemoryFiles, _Inode
from tests.broker.test_partitions import TOPIC, alter
from tests.support.in_process import Client, RunningBroker, batch, produce_request
from tests.support.wires import turns


class GatedFiles(MemoryFiles):
    """Files whose content can only be synced in a thread other than the loop's, and when the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.loop_thread = threading.get_ident()
        self.synced = 0
        self.on_loop = 0

    def sync_inode(self, inode: _Inode) -> None:
        self.on_loop += threading.get_ident() == self.loop_thread
        assert self.gate.wait(10)
        self.synced += 1


async def topic(running: RunningBroker, client: Client, **configs: str) -> Partition:
    partition = await running.topic("t")
    for key, value in configs.items():
        await alter(client, TOPIC, "t", key.replace("_", "."), value)
    return partition


async def until(met: Callable[[], object]) -> None:
    """Wait for what a worker thread does, too."""
    async with asyncio.timeout(20):
        while not met():
            await turns(3)


@pytest.mark.parametrize("durability", ["os", "auto"])
@pytest.mark.parametrize("version", [9, 3])
async def test_the_append_that_makes_it_so_many_is_answered_once_they_are_on_disk(
    durability: str, version: int
) -> None:
    """With acks=1, and where acks alone would not wait; version 3 takes the complete way, 9 the short one."""
    files = GatedFiles()
    async with RunningBroker(files, **{"ottla.durability": durability}) as running, running.connect() as client:
        partition = await topic(running, client, flush_messages="3")
        for number in range(2):
            await client.call(produce_request("t", batch(b"a")), version)
            assert (partition.log.recovery_point, partition.high_watermark) == (0, number + 1)
        before = files.on_loop
        files.gate.clear()
        client.send(produce_request("t", batch(b"b")), version)
        await until(lambda: partition.log.log_end_offset == 3)
        await turns()
        assert partition.high_watermark == 2, "nobody sees it before"
        files.gate.set()
        answer = (await client.receive()).responses[0].partition_responses[0]
        assert (answer.error_code, answer.base_offset) == (0, 2)
        assert (partition.log.recovery_point, partition.high_watermark) == (3, 3)
        await client.call(produce_request("t", batch(b"c")), version)
        assert partition.log.recovery_point == 3
        await alter(client, TOPIC, "t", "flush.messages", "1")
        await client.call(produce_request("t", batch(b"d")), version)
        assert partition.log.recovery_point == 5, "a change reaches the live log"
        assert files.on_loop == before


async def test_without_it_a_log_is_not_synced_and_no_answer_waits() -> None:
    async with RunningBroker(GatedFiles(), **{"ottla.durability": "os"}) as running, running.connect() as client:
        partition = await topic(running, client)
        for acks in (1, -1):
            await client.call(produce_request("t", batch(b"a"), acks=acks), 9)
        assert (partition.log.recovery_point, partition.high_watermark) == (0, 2)


@pytest.mark.parametrize("durability", ["os", "auto"])
async def test_a_closed_segment_is_synced_soon_and_nobody_waits(durability: str) -> None:
    files = GatedFiles()
    async with RunningBroker(files, **{"ottla.durability": durability}) as running, running.connect() as client:
        partition = await topic(running, client)
        await client.call(produce_request("t", batch(b"a")), 9)
        await turns()
        assert partition.log.recovery_point == 0
        partition.log.roll(running.clock.time_ms)
        files.gate.clear()
        answer = await client.call(produce_request("t", batch(b"b")), 9)
        assert answer.responses[0].partition_responses[0].base_offset == 1
        assert (partition.high_watermark, partition.log.recovery_point) == (2, 0)
        files.gate.set()
        await until(lambda: partition.log.recovery_point == 2)
        await client.call(produce_request("t", batch(b"c")), 9)
        await turns()
        assert partition.log.recovery_point == 2


async def test_acks_0_counts_and_a_batch_counts_its_records() -> None:
    async with RunningBroker(GatedFiles()) as running, running.connect() as client:
        partition = await topic(running, client, flush_messages="5")
        client.writer.write(client.frame(produce_request("t", batch(*[b"v"] * 5), acks=0), 9))
        await until(lambda: partition.log.recovery_point == 5)
        assert not len(partition.commits)


async def test_flush_ms_syncs_what_is_unsynced_when_its_time_is_over() -> None:
    async with RunningBroker(GatedFiles()) as running, running.connect() as client:
        partition = await topic(running, client, flush_ms="1000")
        start_ms, log, upkeep = running.clock.time_ms, partition.log, running.broker.upkeep
        await client.call(produce_request("t", batch(b"a"), acks=1), 9)
        await upkeep.flush()
        assert log.recovery_point == 0, "not at the first look"
        running.clock.time_ms = start_ms + 999
        await upkeep.flush()
        assert log.recovery_point == 0
        running.clock.time_ms = start_ms + 1000
        await upkeep.flush()
        assert log.recovery_point == 1
        await client.call(produce_request("t", batch(b"b"), acks=1), 9)
        running.clock.time_ms = start_ms + 1999
        await upkeep.flush()
        assert log.recovery_point == 1
        await alter(client, TOPIC, "t", "flush.ms", "0")
        await upkeep.flush()
        assert log.recovery_point == 2


async def test_a_partition_that_is_deleted_while_others_are_flushed_is_no_failure_of_the_disk() -> None:
    async with RunningBroker(GatedFiles()) as running, running.connect() as client:
        partition = await topic(running, client, flush_ms="0")
        await client.call(produce_request("t", batch(b"a"), acks=1), 9)
        running.broker.logs.due_for_flush = lambda now_ms: [partition.log]  # type: ignore[method-assign]
        running.broker.logs.delete("t", 0, running.clock.time_ms)
        await running.broker.upkeep.flush()
        assert running.broker.logs.directories[0].health.failure is None


async def test_the_schedule_of_flush_ms_runs() -> None:
    sets = {"log.flush.scheduler.interval.ms": "1", "log.initial.task.delay.ms": "0", "log.flush.interval.ms": "0"}
    async with RunningBroker(GatedFiles(), **sets) as running, running.connect() as client:
        partition = await topic(running, client)
        await client.call(produce_request("t", batch(b"a"), acks=1), 9)
        await until(lambda: partition.log.recovery_point == 1)
