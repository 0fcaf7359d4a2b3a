"""Do quotas hold? Every kind, with real clients, measured at the broker.

    python -m tests.broker.quotas.campaign [--seconds 60] [--java] [kind ...]

For each kind a broker process is started, a quota set, and a client let loose that would go much faster. After a time in which
the client may use up what it is allowed at once, what passes is measured for `--seconds`. A kind holds if that is within 10 %
of the quota, the client was told to wait, and no connection was closed by the broker.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ottla.protocol.apis.alter_client_quotas import AlterClientQuotasRequest, EntityData, EntryData, OpData
from ottla.protocol.apis.api_versions import ApiVersionsRequest
from ottla.protocol.apis.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from ottla.protocol.apis.create_topics import CreatableTopic, CreateTopicsRequest
from ottla.protocol.apis.describe_log_dirs import DescribeLogDirsRequest
from ottla.protocol.apis.metadata import MetadataRequest
from ottla.protocol.errors import ErrorCode
from tests.support.in_process import Client
from tests.support.jars import KAFKA, class_path, jars
from tests.support.process import OttlaProcess

TOLERANCE = 0.10
RECORD_BYTES = 1000
BYTES_PER_S = 1_000_000
PERCENT = 10.0
PARTITIONS_PER_S = 20.0
CONNECTIONS_PER_S = 20.0
#: Requests in flight at once where a client is simulated by raw connections.
CONNECTIONS = 4


@dataclass
class Result:
    """What was measured of one kind."""

    kind: str
    quota: float
    measured: float
    seconds: float
    throttle_ms_max: float = 0.0
    disconnects: int = 0
    unit: str = "bytes/s"

    @property
    def deviation(self) -> float:
        return self.measured / self.quota - 1

    def holds(self, tolerance: float = TOLERANCE) -> bool:
        return abs(self.deviation) <= tolerance and self.throttle_ms_max > 0 and self.disconnects == 0

    def __str__(self) -> str:
        return (
            f"{self.kind:<24} quota {self.quota:>11,.0f} {self.unit:<14} measured {self.measured:>13,.1f} over {self.seconds:.0f} s "
            f"({self.deviation:+.1%}), throttle up to {self.throttle_ms_max:,.0f} ms, {self.disconnects} disconnects"
        )


@dataclass
class Run:
    """A broker with one quota, and for how long to look."""

    broker: OttlaProcess
    warm_up_s: float
    seconds: float
    results: list[Result] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.broker.address[1]

    async def limit(self, key: str, value: float, kind: str, name: str | None) -> None:
        entry = EntryData(
            entity=[EntityData(entity_type=kind, entity_name=name)], ops=[OpData(key=key, value=value, remove=False)]
        )
        async with Client(self.port) as admin:
            answer = await admin.call(AlterClientQuotasRequest(entries=[entry]), 1)
        assert answer.entries[0].error_code == ErrorCode.NONE

    async def measure(self, count: Callable[[], Awaitable[float]]) -> tuple[float, float]:
        """Wait until the client has used up its allowance, then return how much per second passes, and for how long."""
        await asyncio.sleep(self.warm_up_s)
        begun, before = time.monotonic(), await count()
        await asyncio.sleep(self.seconds)
        elapsed = time.monotonic() - begun
        return (await count() - before) / elapsed, elapsed

    async def create(self, topic: str, partitions: int = 1) -> None:
        made = CreatableTopic(name=topic, num_partitions=partitions, replication_factor=1)
        async with Client(self.port) as admin:
            answer = await admin.call(CreateTopicsRequest(topics=[made], timeout_ms=10_000), 7)
        assert answer.topics[0].error_code == ErrorCode.NONE

    async def log_bytes(self) -> float:
        async with Client(self.port) as admin:
            answer = await admin.call(DescribeLogDirsRequest(topics=None), 4)
        return float(sum(p.partition_size for r in answer.results for t in r.topics for p in t.partitions))


class Librdkafka:
    """What librdkafka says about itself: the longest wait it was told, and disconnects."""

    def __init__(self) -> None:
        self.throttle_ms = 0.0
        self.disconnects = 0

    def config(self, run: Run, client_id: str) -> dict[str, Any]:
        return {
            "bootstrap.servers": run.broker.bootstrap,
            "client.id": client_id,
            "statistics.interval.ms": 500,
            "stats_cb": self._on_stats,
            "throttle_cb": self._on_throttle,
        }

    def _on_throttle(self, event: Any) -> None:
        self.throttle_ms = max(self.throttle_ms, event.throttle_time * 1000)

    def _on_stats(self, text: str) -> None:
        self.disconnects = sum(broker.get("disconnects", 0) for broker in json.loads(text)["brokers"].values())


async def produce(run: Run) -> Result:
    """Bytes produced, by librdkafka."""
    from confluent_kafka import Producer

    await run.create("t")
    await run.limit("producer_byte_rate", BYTES_PER_S, "client-id", "p")
    told, stop = Librdkafka(), threading.Event()

    def work() -> None:
        producer = Producer({**told.config(run, "p"), "linger.ms": 5, "queue.buffering.max.messages": 5000})
        value = bytes(RECORD_BYTES)
        while not stop.is_set():
            try:
                producer.produce("t", value)
                producer.poll(0)
            except BufferError:
                producer.poll(0.05)
        producer.purge()
        producer.flush(5)

    worker = asyncio.create_task(asyncio.to_thread(work))
    measured, seconds = await run.measure(run.log_bytes)
    stop.set()
    await worker
    return Result("producer_byte_rate", BYTES_PER_S, measured, seconds, told.throttle_ms, told.disconnects)


async def produce_java(run: Run) -> Result:
    """Bytes produced, by Apache Kafka's ProducerPerformance; a disconnect would make it warn."""
    await run.create("t")
    await run.limit("producer_byte_rate", BYTES_PER_S, "client-id", "java")
    records = int(BYTES_PER_S * (run.warm_up_s + run.seconds + 20) / RECORD_BYTES)
    command = [
        "java", "-cp", class_path(jars("kafka", KAFKA)), "org.apache.kafka.tools.ProducerPerformance", "--topic", "t",
        "--num-records", str(records), "--record-size", str(RECORD_BYTES), "--throughput", "-1", "--print-metrics",
        "--producer-props", f"bootstrap.servers={run.broker.bootstrap}", "client.id=java",
    ]  # fmt: skip
    ended = asyncio.create_task(asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True))
    measured, seconds = await run.measure(run.log_bytes)
    done: Any = await ended
    waits = [float(line.rpartition(":")[2]) for line in done.stdout.splitlines() if "produce-throttle-time-max" in line]
    lost = done.stderr.lower().count("disconnected")
    return Result("producer_byte_rate (Java)", BYTES_PER_S, measured, seconds, max(waits, default=0.0), lost)


async def consume(run: Run) -> Result:
    """Bytes fetched, by librdkafka."""
    from confluent_kafka import Consumer, Producer, TopicPartition

    await run.create("t")
    records = int(BYTES_PER_S * (run.warm_up_s + run.seconds + 15) * 1.5 / RECORD_BYTES)

    def fill() -> None:
        producer = Producer({"bootstrap.servers": run.broker.bootstrap})
        for _ in range(records):
            while True:
                try:
                    producer.produce("t", bytes(RECORD_BYTES))
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.flush()

    await asyncio.to_thread(fill)
    bytes_per_record = await run.log_bytes() / records
    await run.limit("consumer_byte_rate", BYTES_PER_S, "client-id", "c")
    told, stop, read = Librdkafka(), threading.Event(), [0]

    def work() -> None:
        consumer = Consumer({
            **told.config(run, "c"), "group.id": "g", "fetch.message.max.bytes": 200_000, "queued.min.messages": 1000,
            "queued.max.messages.kbytes": 1000,
        })  # fmt: skip
        consumer.assign([TopicPartition("t", 0, 0)])
        while not stop.is_set():
            read[0] += len(consumer.consume(1000, 0.1))
        consumer.close()

    async def count() -> float:
        return read[0] * bytes_per_record

    worker = asyncio.create_task(asyncio.to_thread(work))
    measured, seconds = await run.measure(count)
    stop.set()
    await worker
    return Result("consumer_byte_rate", BYTES_PER_S, measured, seconds, told.throttle_ms, told.disconnects)


def cpu_hundredths(pid: int) -> float:
    """How long a process has used a processor: clock ticks, which are hundredths of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return float(int(fields[11]) + int(fields[12]))


async def request_time(run: Run) -> Result:
    """Share of a processor: what the broker's process uses while clients ask for a wide topic's metadata.

    Each request takes some milliseconds: nobody is kept waiting for longer than a second, so that a few clients with requests
    that take a tenth of one would exceed any small quota, here as with Kafka.
    """
    await run.create("wide", 500)
    await run.limit("request_percentage", PERCENT, "user", None)
    waits = [0.0]
    lost = [0]

    async def ask() -> None:
        try:
            async with Client(run.port) as client:
                while True:
                    client.send(MetadataRequest(topics=None), 12)
                    size = int.from_bytes(await client.reader.readexactly(4), "big")
                    answer = await client.reader.readexactly(
                        size
                    )  # not decoded: that would take longer than to make it
                    waits[0] = max(waits[0], int.from_bytes(answer[5:9], "big"))
        except (ConnectionError, asyncio.IncompleteReadError):
            lost[0] += 1

    async def busy() -> float:
        return cpu_hundredths(run.broker.pid)

    await asyncio.sleep(2)
    before = await busy()
    await asyncio.sleep(2)
    idle = (await busy() - before) / 2
    tasks = [asyncio.create_task(ask()) for _ in range(CONNECTIONS)]
    measured, seconds = await run.measure(busy)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return Result("request_percentage", PERCENT, measured - idle, seconds, waits[0], lost[0], "% of a CPU")


async def mutations(run: Run) -> Result:
    """Partitions added: refused ones are asked for again when the broker says."""
    await run.create("grows")
    await run.limit("controller_mutation_rate", PARTITIONS_PER_S, "user", None)
    size, waits, lost = [1], [0.0], [0]

    async def grow() -> None:
        try:
            async with Client(run.port) as client:
                while True:
                    wider = CreatePartitionsTopic(name="grows", count=size[0] + 10, assignments=None)
                    answer = await client.call(CreatePartitionsRequest(topics=[wider], timeout_ms=10_000), 3)
                    if answer.results[0].error_code == ErrorCode.NONE:
                        size[0] += 10
                    else:
                        assert answer.results[0].error_code == ErrorCode.THROTTLING_QUOTA_EXCEEDED, answer.results
                        waits[0] = max(waits[0], answer.throttle_time_ms)
        except (ConnectionError, asyncio.IncompleteReadError):
            lost[0] += 1

    async def count() -> float:
        return size[0]

    task = asyncio.create_task(grow())
    measured, seconds = await run.measure(count)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return Result("controller_mutation_rate", PARTITIONS_PER_S, measured, seconds, waits[0], lost[0], "partitions/s")


async def connections(run: Run) -> Result:
    """Connections from one address, each of which asks one thing. They wait at the door instead of being told."""
    await run.limit("connection_creation_rate", CONNECTIONS_PER_S, "ip", "127.0.0.1")
    served, waits, lost = [0], [0.0], [0]

    async def connect() -> None:
        while True:
            begun = time.monotonic()
            try:
                async with Client(run.port) as client:
                    await client.call(ApiVersionsRequest(), 0)
                    served[0] += 1
            except (ConnectionError, asyncio.IncompleteReadError):
                lost[0] += 1
            waits[0] = max(waits[0], (time.monotonic() - begun) * 1000)

    async def count() -> float:
        return served[0]

    tasks = [asyncio.create_task(connect()) for _ in range(CONNECTIONS)]
    measured, seconds = await run.measure(count)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return Result("connection_creation_rate", CONNECTIONS_PER_S, measured, seconds, waits[0], lost[0], "connections/s")


KINDS: dict[str, Callable[[Run], Awaitable[Result]]] = {
    "produce": produce, "consume": consume, "request": request_time, "mutation": mutations, "connection": connections,
    "produce-java": produce_java,
}  # fmt: skip


def measure(kind: str, seconds: float, *, samples: int = 11) -> Result:
    """Measure one kind on a broker of its own; `samples` is how many seconds its quotas look back."""
    settings = [f"{prefix}quota.window.num={samples}" for prefix in ("", "controller.")]
    words = [word for setting in settings for word in ("--set", setting)]
    with tempfile.TemporaryDirectory(prefix="ottla-quota-") as folder:
        broker = OttlaProcess(Path(folder), *words)
        with broker:
            broker.wait_ready()
            # What may be sent at once is gone after twice the time looked back on; a bucket is empty sooner.
            run = Run(broker, warm_up_s=2.0 * samples, seconds=seconds)
            return asyncio.run(_awaited(KINDS[kind](run)))


async def _awaited(result: Awaitable[Result]) -> Result:
    return await result


def main(arguments: list[str]) -> int:
    """Print a line per kind; the exit code tells whether all hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", choices=[*KINDS, []], default=[])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--java", action="store_true", help="with Apache Kafka's ProducerPerformance too")
    options = parser.parse_args(arguments)
    kinds = options.kinds or [kind for kind in KINDS if options.java or kind != "produce-java"]
    results = []
    for kind in kinds:
        results.append(measure(kind, options.seconds))
        print(results[-1], "" if results[-1].holds() else "  DOES NOT HOLD", flush=True)
    return int(not all(result.holds() for result in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
