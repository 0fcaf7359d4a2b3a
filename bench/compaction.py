"""What compaction costs a producer: `python -m bench.compaction [--mebibytes 1024] [--folder DIR]`.

Fills one partition with records of 1 KB, of which a third is the last of its key, in a broker that does not compact it
yet. Then single produce requests to another topic are timed, one in flight, a pause between two: first alone (the base),
then while the log is compacted. Prints both distributions and the throughput of the compaction, as JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from bench.process import memory_at_hand
from ottla.protocol import codec
from ottla.protocol.apis.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.protocol.framing import frame_request
from ottla.records.batch import build_batch
from ottla.records.header import Record

VALUE_BYTES = 1000
KEYS_SHARE = 0.35
BASE_S = 15.0
PAUSE_S = 0.001
BACKOFF_MS = 100
PATIENCE_S = 600.0
PRODUCE_VERSION = 9


@contextlib.contextmanager
def broker(folder: Path, port: int, settings: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A broker that looks for work all the time."""
    sets = [f"log.cleaner.backoff.ms={BACKOFF_MS}", "log.flush.offset.checkpoint.interval.ms=5000"]
    sets += [f"{key}={value}" for key, value in settings.items()]
    command = [sys.executable, "-m", "ottla", "start", "--listen", f"127.0.0.1:{port}", "--data-dir", str(folder)]
    for one in sets:
        command += ["--set", one]
    with (folder.parent / "broker.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def fill(address: str, mebibytes: int) -> int:
    """Write so much into `dirty`; how many records."""
    count = mebibytes * (1 << 20) // (VALUE_BYTES + 40)
    chance, value = random.Random(1), os.urandom(VALUE_BYTES)
    producer = Producer({"bootstrap.servers": address, "linger.ms": 20, "queue.buffering.max.messages": 50_000})
    for _ in range(count):
        while True:
            try:
                producer.produce("dirty", key=b"key-%012d" % chance.randrange(int(count * KEYS_SHARE)), value=value)
                break
            except BufferError:
                producer.poll(0.05)
    producer.flush()
    return count


class Probe:
    """Times single produce requests over one connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        records = bytes(build_batch([Record(0, int(time.time() * 1000), b"k", os.urandom(VALUE_BYTES))]))
        data = TopicProduceData(name="probe", partition_data=[PartitionProduceData(index=0, records=records)])
        parts = codec.encoder(ProduceRequest, PRODUCE_VERSION)(
            ProduceRequest(acks=1, timeout_ms=5000, topic_data=[data])
        )
        self._frame = b"".join(frame_request(ProduceRequest.API_KEY, PRODUCE_VERSION, 1, "probe", parts))

    def once(self) -> float:
        """Milliseconds from the request to its answer."""
        began = time.perf_counter()
        self._socket.sendall(self._frame)
        wanted = 4 + int.from_bytes(self._read(4), "big")
        self._read(wanted - 4)
        return (time.perf_counter() - began) * 1000

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += self._socket.recv(size - len(data))
        return data


def distribution(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    figure = {name: ordered[min(len(ordered) - 1, int(len(ordered) * part))]
              for name, part in (("p50_ms", 0.5), ("p99_ms", 0.99), ("p999_ms", 0.999), ("max_ms", 1.0))}  # fmt: skip
    return {"requests": len(ordered), **{name: round(value, 3) for name, value in figure.items()}}


def measure(mebibytes: int, folder: Path, base_s: float, settings: Mapping[str, str]) -> dict[str, Any]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"
    data.mkdir(parents=True)
    with broker(data, port, settings) as process:
        address = f"127.0.0.1:{port}"
        admin = AdminClient({"bootstrap.servers": address})
        configs = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "1.0", "file.delete.delay.ms": "1000"}
        topics = [
            NewTopic("dirty", 1, 1, config={**configs, "segment.bytes": str(min(128, max(1, mebibytes // 8)) << 20)}),
            NewTopic("probe", 1, 1),
        ]
        for future in admin.create_topics(topics).values():
            future.result(30)
        fill(address, mebibytes)
        os.sync()
        time.sleep(2)
        size = sum(path.stat().st_size for path in (data / "dirty-0").glob("*.log"))
        probe = Probe(port)
        base: list[float] = []
        began = time.monotonic()
        while time.monotonic() - began < base_s:
            base.append(probe.once())
            time.sleep(PAUSE_S)
        entry = ConfigEntry("min.cleanable.dirty.ratio", "0.01", incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, "dirty", incremental_configs=[entry])
        altering = admin.incremental_alter_configs([resource])  # a small log may be compacted before its answer is here
        with memory_at_hand(process.pid, mebibytes << 20):
            busy, took_s = while_cleaning(probe, data)
        for altered in altering.values():
            altered.result(30)
        after = sum(path.stat().st_size for path in (data / "dirty-0").glob("*.log"))
    return {
        "dirty_bytes": size, "bytes_after": after, "compaction_s": round(took_s, 2),
        "compaction_mb_per_s": round(size / 1e6 / took_s, 1), "produce_alone": distribution(base),
        "produce_while_compacting": distribution(busy),
        "p99_ratio": round(distribution(busy)["p99_ms"] / distribution(base)["p99_ms"], 2),
    }  # fmt: skip


def while_cleaning(probe: Probe, data: Path) -> tuple[list[float], float]:
    """Time requests until the cleaner has written its checkpoint: it looks for work every `BACKOFF_MS`."""
    checkpoint = data / "cleaner-offset-checkpoint"
    times: list[float] = []
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_S:
        for _ in range(20):
            times.append(probe.once())
            time.sleep(PAUSE_S)
        if checkpoint.exists() and "dirty 0" in checkpoint.read_text():
            return times, time.monotonic() - began
    raise TimeoutError("the log was not compacted")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the broker")
    options = parser.parse_args()
    settings = dict(one.split("=", 1) for one in options.set)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="ottla-compaction-"))
    try:
        print(json.dumps(measure(options.mebibytes, folder, BASE_S, settings), indent=2))
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
