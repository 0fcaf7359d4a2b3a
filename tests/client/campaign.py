"""A producer through a bad network to a broker that is killed: no loss, no duplicate, no gap, order kept.

    python -m tests.client.campaign [--records 1000000] [--seed 1] [--kafka] [--size 100]

    producer ──► proxy: cuts all connections (RST), stops forwarding for a while, both at random times
                   └──► broker: kill -9 and started again, at random times

Each partition gets the numbers 0, 1, 2 …; at the end each must hold exactly these. A short run of it is a test
(`test_campaign`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ottla import Producer
from ottla.client.cluster import Cluster, Leader
from ottla.client.config import Config
from ottla.protocol.apis.fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.records import batch
from tests.client.support import ask
from tests.clients.brokers import OttlaProcess
from tests.support.kafka_jvm import KafkaJvm, free_port

PARTITIONS = 4
TOPIC = "campaign"


class Proxy:
    """Forwards bytes, as well as it is allowed to."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.open = asyncio.Event()
        self.open.set()
        self.cuts = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, port: int) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, other_writer}
        for source, sink in ((reader, other_writer), (other_reader, writer)):
            task = asyncio.create_task(self._pump(source, sink, (writer, other_writer)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, both: tuple[asyncio.StreamWriter, ...]
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(1 << 16):
                await self.open.wait()
                sink.write(data)
                await sink.drain()
        for writer in both:
            writer.transport.abort()
            self._writers.discard(writer)

    def cut(self) -> None:
        self.cuts += 1
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def stop(self) -> None:
        self._server.close()
        self.cut()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@dataclass
class Result:
    """What happened."""

    records: int
    seconds: float
    cuts: int
    kills: int
    retries: int
    splits: int


async def trouble(
    proxy: Proxy, broker: Any, chance: random.Random, kills: list[float], kill_share: float, over: asyncio.Event
) -> None:
    """Break something again and again, until it is over. Not cancelled: a broker that is being started must be waited for."""
    while not over.is_set():
        await asyncio.sleep(chance.uniform(0.05, 0.8))
        dice = chance.random()
        if dice < kill_share:
            kills.append(dice)
            await asyncio.to_thread(broker.kill)
            await asyncio.to_thread(broker.start)
        elif dice < 0.6:
            proxy.cut()
        else:
            proxy.open.clear()
            await asyncio.sleep(chance.uniform(0.01, 1.0))
            proxy.open.set()


async def produce(bootstrap: str, records: int, size: int, chance: random.Random) -> Any:
    padding = b" " * max(0, size - 10)
    codec = chance.choice(["none", "lz4", "zstd", "none"])
    settings = {
        "batch_size": chance.choice([2000, 20_000, 512 << 10]), "linger_ms": chance.choice([0, 5]),
        "compression_type": codec, "retry_backoff_ms": 10, "retry_backoff_max_ms": 200,
        "reconnect_backoff_ms": 10, "reconnect_backoff_max_ms": 100, "request_timeout_ms": 5000,
        "buffer_memory": 4 << 20, "max_block_ms": "30m", "delivery_timeout_ms": "30m",
    }  # fmt: skip
    async with Producer(bootstrap, **settings) as producer:
        for number in range(records // PARTITIONS):
            value = b"%d" % number + padding
            for partition in range(PARTITIONS):
                await producer.enqueue(TOPIC, value, partition=partition)
            if number % 100 == 0:
                await asyncio.sleep(0)
        await producer.flush()
        return producer.metrics


async def verify(bootstrap: str, records: int) -> list[str]:
    """What is wrong with the log, partition by partition."""
    cluster = Cluster(Config(bootstrap))
    await cluster.start()
    problems = []
    view = await cluster.topic(TOPIC)
    for partition in range(PARTITIONS):
        expected, position = 0, 0
        while True:
            part = FetchPartition(partition=partition, fetch_offset=position, partition_max_bytes=8 << 20)
            request = FetchRequest(
                max_wait_ms=100, min_bytes=1, max_bytes=8 << 20, session_epoch=-1,
                topics=[FetchTopic(topic=TOPIC, topic_id=view.id, partitions=[part])],
            )  # fmt: skip
            answer = await cluster.request(request, Leader(TOPIC, partition))
            data = answer.responses[0].partitions[0].records or b""
            before = position
            for pos, header in batch.iter_headers(data):
                position = header.next_offset
                for record in batch.read_records(data, pos):
                    found = int(record.value or b"-1")
                    if found != expected:
                        problems.append(
                            f"partition {partition} offset {record.offset}: {found} where {expected} belongs"
                        )
                    expected = found + 1
            if position == before or len(problems) > 10:
                break
        if expected != records // PARTITIONS:
            problems.append(f"partition {partition} ends with {expected - 1}, not {records // PARTITIONS - 1}")
    await cluster.close()
    return problems


async def run(
    records: int, seed: int, size: int, folder: Path, *, kafka: bool = False, kill_share: float = 0.15,
    say: Callable[[str], Any] = print,
) -> tuple[Result, list[str]]:  # fmt: skip
    """One campaign; the result, and what was found wrong."""
    chance = random.Random(seed)
    broker_port, proxy_port = free_port(), free_port()
    address = f"PLAINTEXT://127.0.0.1:{proxy_port}"
    broker: Any
    if kafka:
        broker = KafkaJvm(folder, broker_port)
        write = broker._write_properties

        def with_proxy() -> Path:
            path: Path = write()
            text = path.read_text().replace(
                f"advertised.listeners=PLAINTEXT://127.0.0.1:{broker_port}", f"advertised.listeners={address}"
            )
            path.write_text(text)
            return path

        broker._write_properties = with_proxy
    else:
        settings = {"listeners": f"PLAINTEXT://127.0.0.1:{broker_port}", "advertised.listeners": address}
        broker = OttlaProcess(folder, broker_port, settings)
    await asyncio.to_thread(broker.start)
    proxy = Proxy(broker_port)
    await proxy.start(proxy_port)
    bootstrap = f"127.0.0.1:{proxy_port}"
    kills: list[float] = []
    try:
        from ottla.protocol.apis.create_topics import CreatableTopic, CreateTopicsRequest

        topic = CreatableTopic(name=TOPIC, num_partitions=PARTITIONS, replication_factor=1)
        await ask(bootstrap, CreateTopicsRequest(topics=[topic], timeout_ms=30_000))
        began = time.monotonic()
        over = asyncio.Event()
        breaking = asyncio.create_task(trouble(proxy, broker, chance, kills, kill_share, over))
        try:
            metrics = await produce(bootstrap, records, size, chance)
        finally:
            over.set()
            await breaking
        seconds = time.monotonic() - began
        if broker.process is None or broker.process.poll() is not None:
            await asyncio.to_thread(broker.start)
        result = Result(records, seconds, proxy.cuts, len(kills), metrics.retries, metrics.splits)
        say(str(result))
        return result, await verify(bootstrap, records)
    finally:
        await proxy.stop()
        await asyncio.to_thread(broker.kill)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.client.campaign", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--kills", type=float, default=0.15, help="how many of the troubles are a kill")
    parser.add_argument("--kafka", action="store_true", help="Apache Kafka instead of Ottla")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ottla-campaign-") as folder:
        _, problems = asyncio.run(
            run(asked.records, asked.seed, asked.size, Path(folder), kafka=asked.kafka, kill_share=asked.kills)
        )
    for problem in problems:
        print("WRONG", problem)
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
