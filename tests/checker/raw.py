"""Producers of version 2 of transactions (KIP-890: an epoch per transaction), as requests: librdkafka does not speak it.

Writers write to `in`; one transformer per partition reads it for a group of its own that has no members, writes `out` and
commits the offset with TxnOffsetCommit v5.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

from ottla.protocol.apis.fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.protocol.apis.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
)
from ottla.protocol.apis.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from ottla.protocol.errors import ErrorCode
from ottla.records.batch import iter_headers, read_records
from tests.support.in_process import Client
from tests.support.transactions import Producer

from .history import ABORTED, COMMITTED, UNKNOWN, Recorder

PARTITIONS = 3
WRITERS = 3
ABORTED_SHARE = 0.15
INPUTS_MAX = 20
AGAIN = {ErrorCode.CONCURRENT_TRANSACTIONS, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ErrorCode.NOT_COORDINATOR}
GONE = (OSError, EOFError, TimeoutError, AssertionError)


class RefusedError(Exception):
    """The broker refuses to go on with a transaction, or is gone: what became of it is not known."""


async def insist(call: Callable[[], Coroutine[Any, Any, int]]) -> None:
    """Ask until it is done."""
    while error := await call():
        if error not in AGAIN:
            raise RefusedError(ErrorCode(error).name)
        await asyncio.sleep(0.01)


class Recorded:
    """A producer that records what it does."""

    def __init__(self, client: Client, transactional_id: str, recorder: Recorder) -> None:
        self.client, self.recorder = client, recorder
        self.id = transactional_id
        self.instance = f"{transactional_id}@{time.monotonic_ns()}"
        self.number = 0
        self.producer = Producer(client, transactional_id)

    async def init(self) -> None:
        """Take the transactional id over."""
        await insist(lambda: self.producer.init(timeout_ms=6000))
        self.recorder.write({"e": "init", "id": self.id, "instance": self.instance, "at": time.monotonic_ns()})

    async def run(self, sends: dict[tuple[str, int], list[str]], takes: list[Any], *, commit: bool) -> None:
        """One transaction."""
        self.number += 1
        name = f"{self.instance}.{self.number}"
        told = [(f"{topic}/{p}", value) for (topic, p), values in sends.items() for value in values]
        event = {"txn": name, "id": self.id, "instance": self.instance}
        self.recorder.write({"e": "began", **event, "at": time.monotonic_ns(), "sends": told, "takes": takes})
        outcome = UNKNOWN
        try:
            offsets = []
            for (topic, p), values in sends.items():
                offsets += await self._produce(topic, p, values)
            for group, partition, _, position in takes:
                await insist(lambda g=group, p=partition, n=position: self._take(g, int(p.partition("/")[2]), n))
            at = time.monotonic_ns()
            self.recorder.write({"e": "ending", "txn": name, "commit": commit, "offsets": offsets, "at": at})
            await insist(lambda: self.producer.end(commit))
            outcome = COMMITTED if commit else ABORTED
        finally:
            self.recorder.write({"e": "ended", "txn": name, "outcome": outcome, "at": time.monotonic_ns()})

    async def _produce(self, topic: str, partition: int, values: list[str]) -> list[tuple[str, int]]:
        request = self.producer.request(*(value.encode() for value in values), topic=topic, partition=partition)
        while True:
            answer = (await self.client.call(request, 12)).responses[0].partition_responses[0]
            if not answer.error_code:
                return [(value, answer.base_offset + i) for i, value in enumerate(values)]
            if answer.error_code not in AGAIN:
                raise RefusedError(ErrorCode(answer.error_code).name)
            await asyncio.sleep(0.01)

    async def _take(self, group: str, partition: int, position: int) -> int:
        place = TxnOffsetCommitRequestPartition(
            partition_index=partition, committed_offset=position, committed_metadata=""
        )
        request = TxnOffsetCommitRequest(
            transactional_id=self.id, producer_id=self.producer.producer_id, producer_epoch=self.producer.epoch,
            group_id=group, topics=[TxnOffsetCommitRequestTopic(name="in", partitions=[place])],
        )  # fmt: skip
        return int((await self.client.call(request, 5)).topics[0].partitions[0].error_code)


async def position(client: Client, group: str, partition: int) -> int:
    """Where a group goes on; waits for transactions that are being ended."""
    topics = [OffsetFetchRequestTopics(name="in", partition_indexes=[partition])]
    request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=group, topics=topics)], require_stable=True)
    while True:
        answer = (await client.call(request, 8)).groups[0]
        error = answer.error_code or answer.topics[0].partitions[0].error_code
        if not error:
            return max(int(answer.topics[0].partitions[0].committed_offset), 0)
        if error not in AGAIN | {ErrorCode.UNSTABLE_OFFSET_COMMIT}:
            raise RefusedError(ErrorCode(error).name)
        await asyncio.sleep(0.02)


async def committed(
    client: Client, partition: int, offset: int, topic: str = "in", *, max_wait_ms: int = 200
) -> tuple[list[tuple[int, str]], int]:
    """Committed records from an offset on, and where to go on."""
    place = FetchPartition(partition=partition, fetch_offset=offset, partition_max_bytes=1 << 16)
    request = FetchRequest(
        max_wait_ms=max_wait_ms, min_bytes=1, max_bytes=1 << 16, isolation_level=1,
        topics=[FetchTopic(topic=topic, partitions=[place])],
    )  # fmt: skip
    found = (await client.call(request, 11)).responses[0].partitions[0]
    if found.error_code:
        raise RefusedError(ErrorCode(found.error_code).name)
    aborted = sorted((each.first_offset, each.producer_id) for each in found.aborted_transactions or ())
    data, ignored, records = bytes(found.records or b""), set[int](), list[tuple[int, str]]()
    for at, header in iter_headers(data):
        while aborted and aborted[0][0] <= header.last_offset:
            ignored.add(aborted.pop(0)[1])
        if header.is_control:
            ignored.discard(header.producer_id)
        elif header.producer_id not in ignored:
            records += [
                (record.offset, (record.value or b"").decode())
                for record in read_records(data, at)
                if record.offset >= offset
            ]
        if len(records) >= INPUTS_MAX:
            return records[:INPUTS_MAX], records[INPUTS_MAX - 1][0] + 1
        offset = header.next_offset
    return records, offset


async def write(client: Client, name: str, recorder: Recorder, rng: random.Random, stop: threading.Event) -> None:
    """Transactions until the connection ends or the broker refuses."""
    producer = Recorded(client, name, recorder)
    await producer.init()
    while not stop.is_set():
        at = f"{producer.instance}.{producer.number + 1}"
        partitions = rng.sample(range(PARTITIONS), 2)
        sends = {("in", p): [f"{at}.{p}.{i}" for i in range(rng.randint(1, 2))] for p in partitions}
        await producer.run(sends, [], commit=rng.random() >= ABORTED_SHARE)


async def transform(client: Client, name: str, recorder: Recorder, rng: random.Random, stop: threading.Event) -> None:
    """Consume, transform, produce one partition until the connection ends or the broker refuses."""
    partition, group = int(name.rpartition("-")[2]), name
    producer = Recorded(client, name, recorder)
    await producer.init()
    offset = await position(client, group, partition)
    while not stop.is_set():
        inputs, after = await committed(client, partition, offset)
        if inputs:
            at = f"{producer.instance}.{producer.number + 1}"
            sends = {("out", partition): [f"{at}.{i}" for i in range(len(inputs))]}
            commit = rng.random() >= ABORTED_SHARE
            await producer.run(sends, [(group, f"in/{partition}", inputs, inputs[-1][0] + 1)], commit=commit)
            if not commit:
                continue
        offset = after


async def work(port: int, name: str, recorder: Recorder, seed: int, stop: threading.Event) -> None:
    """Writers and transformers, each over a connection of its own, again and again."""

    async def again(job: Any, who: str, rng: random.Random) -> None:
        while not stop.is_set():
            try:
                async with Client(port) as client:
                    await job(client, who, recorder, rng, stop)
            except (*GONE, RefusedError):
                await asyncio.sleep(0.05)

    jobs = [(write, f"raw-{name}-writer-{i}") for i in range(WRITERS)]
    jobs += [(transform, f"raw-{name}-transformer-{i}") for i in range(PARTITIONS)]
    await asyncio.gather(*(again(job, who, random.Random(seed + i)) for i, (job, who) in enumerate(jobs)))
