"""Transactions under kill -9: producers go on writing to two topics and a group's offset while the broker is killed.

    python -m tests.crash.transactions --seconds 600        a campaign; prints what it saw, fails at the first finding

Each transaction writes one value to both topics, by either version of transactions, and every second one commits the
value as the group's offset. What the producer heard decides what must be read afterwards:

    commit answered      the value stands in both topics, once
    abort answered       in neither
    nothing heard        in both or in neither: never a torn transaction
    the group's offset   is that of a transaction that is read in the topics, and not older than the last one answered
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from ottla.protocol.errors import ErrorCode
from tests.support.in_process import Client
from tests.support.process import OttlaProcess
from tests.support.transactions import (
    NEW,
    OLD,
    Producer,
    committed_offset,
    read_committed,
    settled,
)

TOPICS = ("a", "b")
#: How long the broker lives at most before it is killed.
LIFE_S = 1.0
SETTINGS = ("--set", "ottla.durability=os")


class Heard:
    """What producers were told, by value."""

    def __init__(self) -> None:
        self.committed: list[int] = []
        self.aborted: list[int] = []
        self.unknown: list[int] = []
        #: Per group: the value of the last answered commit that took the group's offset along.
        self.offsets: dict[str, int] = {}
        self.tried_offsets: dict[str, set[int]] = {}
        self.kills = 0


class BrokenOffError(Exception):
    """The broker went away, or refused to go on with a transaction: what became of it is not known."""


async def write(producer: Producer, number: int, heard: Heard, group: str, values: list[int]) -> None:
    """One transaction."""
    value = b"%d" % number
    values.append(number)
    for topic in TOPICS:
        if producer.version == OLD and await producer.add(topic):
            raise BrokenOffError
        answer = await producer.client.call(producer.request(value, topic=topic), producer.produce_version)
        if answer.responses[0].partition_responses[0].error_code:
            raise BrokenOffError
    takes_offset = number % 2 == 0
    if takes_offset:
        heard.tried_offsets.setdefault(group, set()).add(number)
        while error := await producer.commit_offset(number, group):
            if error != ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
                raise BrokenOffError(error)
    commit = number % 5 != 0
    while error := await producer.end(commit=commit):
        if error != ErrorCode.CONCURRENT_TRANSACTIONS:
            raise BrokenOffError(error)
    values.pop()
    if commit:
        heard.committed.append(number)
        if takes_offset:
            heard.offsets[group] = number
    else:
        heard.aborted.append(number)


async def produce(address: list[int], index: int, heard: Heard, stop: asyncio.Event) -> None:
    """A producer that comes again whenever it is thrown out, as another version of itself."""
    number = index
    while not stop.is_set():
        values: list[int] = []
        try:
            async with Client(address[0]) as client:
                producer = Producer(client, f"T{index}", NEW if number % 3 else OLD)
                if await producer.init():
                    raise BrokenOffError
                while not stop.is_set():
                    number += 101
                    await write(producer, number, heard, f"g{index}", values)
                    if producer.version == OLD:
                        await settled(client, producer.transactional_id)
        except (OSError, EOFError, TimeoutError, BrokenOffError, AssertionError):
            heard.unknown += values
            await asyncio.sleep(0.02)


async def judge(client: Client, heard: Heard) -> list[str]:
    """Read everything and say what is wrong."""
    seen = [Counter(int(value) for value in await read_committed(client, topic)) for topic in TOPICS]
    findings = [f"{value} stands {count} times in {topic}"
                for topic, counter in zip(TOPICS, seen, strict=True) for value, count in counter.items() if count > 1]  # fmt: skip
    findings += [f"{value} is torn" for value in seen[0].keys() ^ seen[1].keys()]
    findings += [f"{value} was committed and is lost" for value in heard.committed if not seen[0][value]]
    findings += [f"{value} was aborted and is read" for value in heard.aborted if seen[0][value]]
    for group, last in heard.offsets.items():
        error, offset = await committed_offset(client, group=group)
        read = {value for value in heard.tried_offsets[group] if seen[0][value]}
        if error or offset != max(read, default=-1):
            findings.append(f"{group} has offset {offset} ({error}), answered {last}, read {max(read, default=-1)}")
    return findings


async def campaign(folder: Path, seconds: float, seed: int, producers: int = 4) -> tuple[Heard, list[str]]:
    """Kill the broker again and again for so long; returns what was heard and what is wrong."""
    rng = random.Random(seed)
    heard, stop = Heard(), asyncio.Event()
    loop = asyncio.get_running_loop()
    broker = await asyncio.to_thread(OttlaProcess(folder, *SETTINGS).wait_ready)
    address = [broker.address[1]]
    try:
        async with Client(address[0]) as client:
            await make_topics(client)
        tasks = [asyncio.create_task(produce(address, index, heard, stop)) for index in range(1, producers + 1)]
        end = loop.time() + seconds
        while loop.time() < end:
            await asyncio.sleep(rng.uniform(0.05, LIFE_S))
            broker.kill()
            heard.kills += 1
            broker = await asyncio.to_thread(OttlaProcess(folder, *SETTINGS).wait_ready)
            address[0] = broker.address[1]
        stop.set()
        await asyncio.gather(*tasks)
        async with Client(address[0]) as client:
            for index in range(1, producers + 1):  # whatever is open is ended by a newer producer
                assert await Producer(client, f"T{index}").init() == 0
            await settled(client, *(f"T{index}" for index in range(1, producers + 1)))
            return heard, await judge(client, heard)
    finally:
        broker.kill()


async def make_topics(client: Client) -> None:
    """Make the two topics, the one that offsets are of, and the coordinators' own."""
    from ottla.protocol.apis.create_topics import CreatableTopic, CreateTopicsRequest
    from ottla.protocol.apis.find_coordinator import FindCoordinatorRequest

    topics = [
        CreatableTopic(name=name, num_partitions=1, replication_factor=1, assignments=[], configs=[])
        for name in (*TOPICS, "t")
    ]
    await client.call(CreateTopicsRequest(topics=topics, timeout_ms=10_000), 7)
    await client.call(FindCoordinatorRequest(coordinator_keys=["g"]), 4)


def main() -> int:
    """Run a campaign."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ottla-transactions-"))
    heard, findings = asyncio.run(campaign(folder, arguments.seconds, arguments.seed))
    print(
        f"seed {arguments.seed}: {heard.kills} kills, {len(heard.committed)} committed, {len(heard.aborted)} aborted, "
        f"{len(heard.unknown)} unknown, {len(findings)} findings"
    )
    for finding in findings[:20]:
        print(finding)
    if not findings:
        shutil.rmtree(folder)
    return min(len(findings), 1)


if __name__ == "__main__":
    sys.exit(main())
