"""Under back-pressure a client takes as much memory as it was given, not as much as it was asked to carry: growth of a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ottla.testing.kafka import Kafka

MIB = 1 << 20
GIVEN = 4 * MIB
#: Beside what the settings bound: frames on their way, allocator's slack, modules that are loaded late.
SLACK = 12 * MIB
_HEAD = """
import asyncio, resource, sys
from ottla import Consumer, Producer
def most(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
"""
_PRODUCE = """
async def main():
    async with Producer(sys.argv[1], buffer_memory=4 << 20, batch_size=256 << 10, max_block_ms=600_000) as producer:
        await producer.send("t", b"x")
        print("ready", flush=True)
        sys.stdin.readline()  # the broker answers no Produce from now on
        before = most()
        value = bytes(10_000)  # one for all: what waits is the program's, not the client's
        async def send(): await producer.enqueue("t", value)
        sends = [asyncio.ensure_future(send()) for _ in range(1_500)]  # four times what there is room for
        while sum(each.done() for each in sends) < 300:
            await asyncio.sleep(0)
        await asyncio.wait(sends, timeout=0.5)
        print(most() - before, sum(each.done() for each in sends), flush=True)
        sys.stdin.readline()
        await asyncio.gather(*sends)
asyncio.run(main())
"""
_CONSUME = """
async def main():
    settings = {"prefetch_bytes": 4 << 20, "fetch_max_bytes": 1 << 20, "max_partition_fetch_bytes": 1 << 20}
    async with Consumer(sys.argv[1], "t", start="earliest", **settings) as consumer:
        before = most()
        await consumer.getone()
        while consumer.metrics["buffered_bytes"] < 2 << 20:  # half for one partition
            await asyncio.sleep(0)
        for _ in range(20_000):  # in which it could fetch more
            await asyncio.sleep(0)
        count = 1
        held = most() - before
        async for _ in consumer:
            count += 1
            if count == 400:
                break
        print(held, most() - before, flush=True)
asyncio.run(main())
"""


def client(kafka: Kafka, script: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _HEAD + script, kafka.bootstrap]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_producer_whose_broker_is_silent(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1)
    with client(kafka, _PRODUCE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        gate = kafka.hold("Produce")
        process.stdin.write("\n")
        process.stdin.flush()
        grown, accepted = map(int, process.stdout.readline().split())
        gate.release()
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait() == 0
    assert accepted * 10_000 <= GIVEN + MIB
    assert grown <= GIVEN + SLACK, f"{grown / MIB:.1f} MiB"
    assert len(kafka.topic("t").records()) == 1_501


@pytest.mark.slow
def test_a_consumer_whose_reader_is_slow(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1).put([bytes(100_000) for _ in range(400)])
    with client(kafka, _CONSUME) as process:
        assert process.stdout is not None
        held, whole = map(int, process.stdout.readline().split())
        assert process.wait() == 0
    assert held <= GIVEN + SLACK, f"{held / MIB:.1f} MiB"
    assert whole <= GIVEN + SLACK, f"{whole / MIB:.1f} MiB of 40"
