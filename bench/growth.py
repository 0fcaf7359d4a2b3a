"""How cost grows: throughput and latency against batch size, connections, partitions and log size; one plot each."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from confluent_kafka.admin import NewTopic

from bench.peers import Peer
from bench.plots import Series
from bench.process import cpu_s, memory_at_hand
from bench.scenarios import RUN_BYTES, Options, Peers, brokers, figures, produce

WARM_S = 0.5
SECONDS = 1.5


@dataclass
class Growth:
    """One axis: what grows, and for each figure a line of every peer."""

    name: str
    title: str
    axis: str
    series: dict[str, list[Series]] = field(default_factory=dict)


def _sweep(
    growth: Growth,
    peers: Peers,
    points: list[int],
    wanted: tuple[str, ...],
    measure: Callable[[Peer, int], dict[str, float]],
) -> Growth:
    growth.series = {figure: [Series(p.name, [], []) for p in brokers(peers)] for figure in wanted}
    for point in points:
        for i, peer in enumerate(brokers(peers)):
            with memory_at_hand(peer.pid, RUN_BYTES):
                found = measure(peer, point)
            for figure in wanted:
                growth.series[figure][i].x.append(point)
                growth.series[figure][i].y.append(found[figure])
    return growth


def _thin(points: list[int], options: Options) -> list[int]:
    """All points; in a quick run the ends and the middle."""
    return points if options.scale >= 1 else [points[0], points[len(points) // 2]]


def batch_size(peers: Peers, options: Options) -> Growth:
    points = _thin([170, 1_000, 4_000, 16_000, 64_000, 256_000, 1_000_000], options)
    short = Options(seconds=SECONDS, warmup=WARM_S)

    def measure(peer: Peer, size: int) -> dict[str, float]:
        records = max(1, size // 1000)
        return produce(peer, short, records=records, size=max(100, size // records - 10), inflight=5, limit=int(1e9))

    return _sweep(
        Growth("batch-size", "Batch size", "bytes of a batch"),
        peers,
        points,
        ("MB/s", "req/s", "CPU µs/req", "p99 ms"),
        measure,
    )


def connections(peers: Peers, options: Options) -> Growth:
    points = _thin([1, 2, 5, 10, 20, 50, 100, 200, 400], options)
    short = Options(seconds=SECONDS, warmup=WARM_S)

    def measure(peer: Peer, count: int) -> dict[str, float]:
        return produce(peer, short, connections=count, partitions=4)

    return _sweep(
        Growth("connections", "Connections", "connections"),
        peers,
        points,
        ("req/s", "CPU µs/req", "p50 ms", "p99 ms"),
        measure,
    )


def partitions(peers: Peers, options: Options) -> Growth:
    points = _thin([1, 4, 16, 64, 256, 1000], options)
    short = Options(seconds=SECONDS, warmup=WARM_S)

    def measure(peer: Peer, count: int) -> dict[str, float]:
        return produce(peer, short, connections=10, partitions=count)

    return _sweep(
        Growth("partitions", "Partitions written to", "partitions"),
        peers,
        points,
        ("req/s", "CPU µs/req", "p50 ms", "p99 ms"),
        measure,
    )


def log_size(peers: Peers, options: Options) -> Growth:
    """The same topic grows; at each size: appending, and reading it from the start."""
    step = int(500e6 * options.scale)
    points = [i * step // 1_000_000 for i in range(1, 5 if options.scale >= 1 else 2)]
    topics: dict[str, str] = {}
    for peer in brokers(peers):
        topics[peer.name] = f"growth-{int(time.time())}"
        for future in peer.admin.create_topics([NewTopic(topics[peer.name], 1, 1)]).values():
            future.result(60)
    time.sleep(1.0)

    def measure(peer: Peer, _: int) -> dict[str, float]:
        topic = topics[peer.name]
        peer.drive("produce", topic=topic, records=60, size=1000, inflight=5, seconds=120, warmup=0, limit=step)
        appended = figures(peer.drive("produce", topic=topic, seconds=SECONDS, warmup=WARM_S))
        before = cpu_s(peer.pid)
        read = figures(peer.drive("fetch", topic=topic, warmup=0, seconds=60))
        return {
            "append p50 ms": appended["p50 ms"],
            "append p99 ms": appended["p99 ms"],
            "read MB/s": read["MB/s"],
            "read CPU s": cpu_s(peer.pid) - before,
        }

    found = _sweep(
        Growth("log-size", "Log size", "MB in the partition"),
        peers,
        points,
        ("append p50 ms", "append p99 ms", "read MB/s"),
        measure,
    )
    for peer in brokers(peers):
        peer.admin.delete_topics([topics[peer.name]])
    return found


GROWTH = (batch_size, connections, partitions, log_size)
