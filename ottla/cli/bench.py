"""`ottla bench`: what a cluster gives this client: throughput of produce and consume, latency of single records.

A topic that is not named is made and deleted afterwards. Values are random letters, so that compression has something to do but
not everything. CPU is this process's own, user and system.
"""

from __future__ import annotations

import argparse
import random
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from ..client.admin.admin import Admin
from ..client.consumer.consumer import Consumer
from ..client.producer.producer import Producer
from . import asking, connection
from .output import progress, show
from .trouble import FAILED, MISUSED, Trouble
from .values import bytes_text

CHUNK = 10_000
_VARIETY = 1000
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_DEFAULT_RECORDS = {"produce": 1_000_000, "consume": 1_000_000, "latency": 1000}


def run(arguments: argparse.Namespace) -> int:
    """Measure one of the three."""
    if arguments.records is None:
        arguments.records = _DEFAULT_RECORDS[arguments.action]
    if arguments.records < 1 or arguments.size < 1:
        raise Trouble("nothing to measure", "-n and -s take numbers from 1 up", MISUSED)
    return asking.run({"produce": _produce, "consume": _consume, "latency": _latency}[arguments.action](arguments))


def payloads(size: int, seed: int = 1) -> list[bytes]:
    """Values to send in turn."""
    chance = random.Random(seed)  # noqa: S311 - letters to send, no secret
    return ["".join(chance.choices(_LETTERS, k=size)).encode() for _ in range(_VARIETY)]


@asynccontextmanager
async def _topic(arguments: argparse.Namespace) -> AsyncIterator[str]:
    if arguments.topic is not None:
        yield arguments.topic
        return
    name = f"ottla-bench-{uuid.uuid4().hex[:12]}"
    async with Admin(connection.config(arguments)) as admin:
        await admin.topics.create(name, partitions=arguments.partitions)
        try:
            yield name
        finally:
            await admin.topics.delete(name, if_missing="ok")


def _producer(arguments: argparse.Namespace) -> Producer[Any, Any]:
    return Producer(connection.config(arguments, compression_type=arguments.compression))


async def _fill(
    producer: Producer[Any, Any], topic: str, arguments: argparse.Namespace, advance: Callable[[float], None]
) -> None:
    values = payloads(arguments.size)
    left = arguments.records
    while left:
        count = min(CHUNK, left)
        some = [values[number % _VARIETY] for number in range(count)]
        if getattr(arguments, "one_by_one", False):
            for value in some:
                await producer.enqueue(topic, value)
        else:
            await producer.send_many(topic, some)
        left -= count
        advance(count)
    await producer.flush()


class _Watch:
    """Time and CPU of what is measured."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def row(self, what: str, records: int, total_bytes: int) -> dict[str, Any]:
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        return {
            "what": what, "records": records, "seconds": round(wall, 3), "records_per_s": round(records / wall),
            "bytes_per_s": round(total_bytes / wall), "cpu_us_per_record": round(cpu * 1e6 / records, 3),
        }  # fmt: skip


def _told(arguments: argparse.Namespace, row: dict[str, Any]) -> None:
    cells = (
        row["what"], row["records"], f"{row['seconds']:.2f} s", f"{row['records_per_s']:,}",
        f"{bytes_text(row['bytes_per_s'])}/s", f"{row['cpu_us_per_record']:.2f} us",
    )  # fmt: skip
    show(arguments, row, ("what", "records", "time", "records/s", "throughput", "client CPU per record"), [cells])


async def _produce(arguments: argparse.Namespace) -> int:
    async with _topic(arguments) as topic, _producer(arguments) as producer:
        await producer.partitions(topic)
        with progress("producing", arguments.records) as advance:
            watch = _Watch()
            await _fill(producer, topic, arguments, advance)
            row = watch.row("produce", arguments.records, arguments.records * arguments.size)
    _told(arguments, row)
    return 0


async def _consume(arguments: argparse.Namespace) -> int:
    async with _topic(arguments) as topic:
        if arguments.topic is None:
            async with _producer(arguments) as producer:
                with progress("filling the topic", arguments.records) as advance:
                    await _fill(producer, topic, arguments, advance)
        elif not await _there(arguments, topic):
            raise Trouble(f"the topic {topic} is empty", f"ottla bench produce {topic} fills it", FAILED)
        wanted = min(arguments.records, await _there(arguments, topic))
        count = size = 0
        async with Consumer[Any, Any](connection.config(arguments), topic, start="earliest") as consumer:
            with progress("consuming", wanted) as advance:
                watch = _Watch()
                async for batch in consumer.batches(max_records=CHUNK):
                    count += len(batch)
                    size += sum(part.columns.payload_bytes for part in batch.slices if part.row == 0)
                    advance(len(batch))
                    if count >= wanted:
                        break
                row = watch.row("consume", count, size)
    _told(arguments, row)
    return 0


async def _there(arguments: argparse.Namespace, topic: str) -> int:
    """How many records a topic has, markers included."""
    async with Admin(connection.config(arguments)) as admin:
        keys = [(topic, part.id) for part in (await admin.topics.describe(topic))[topic].partitions]
        first, last = await admin.topics.offsets(keys, "earliest"), await admin.topics.offsets(keys, "latest")
    return sum(last[key].offset - first[key].offset for key in keys)


async def _latency(arguments: argparse.Namespace) -> int:
    values = payloads(arguments.size)
    acked, seen = [], []
    config = connection.config(arguments, compression_type=arguments.compression, linger_ms=0)
    async with _topic(arguments) as topic, Producer[Any, Any](config) as producer:
        count = await producer.partitions(topic)
        async with Consumer[Any, Any](connection.config(arguments), start="latest") as consumer:
            consumer.assign(await consumer.end_offsets([(topic, number) for number in range(count)]))
            with progress("round trips", arguments.records) as advance:
                for number in range(arguments.records):
                    began = time.perf_counter()
                    await producer.send(topic, values[number % _VARIETY])
                    acked.append(time.perf_counter() - began)
                    await consumer.getone()
                    seen.append(time.perf_counter() - began)
                    advance(1)
    data = [_percentiles("acknowledged", acked), _percentiles("consumed", seen)]
    rows = [(row["what"], *(f"{row[name]:.3f}" for name in _NAMES)) for row in data]
    show(arguments, data, ("ms until", *_NAMES), rows)
    return 0


_NAMES = ("p50", "p90", "p99", "p999", "max", "mean")


def _percentiles(what: str, times_s: list[float]) -> dict[str, Any]:
    ordered = sorted(1000 * each for each in times_s)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)

    return {
        "what": what, "records": len(ordered), "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p999": at(0.999),
        "max": round(ordered[-1], 3), "mean": round(sum(ordered) / len(ordered), 3),
    }  # fmt: skip
