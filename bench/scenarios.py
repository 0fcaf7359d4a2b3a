"""The scenarios: what is driven, which figures are kept, and the goals they are held against.

A scenario is a function of the peers and the options; it gives an `Outcome`: figures by peer (the median of the rounds) and goals,
each a ratio or a value with a bound. Rounds go A, B, A, B … so that both sides see the same machine.
"""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka.admin import NewTopic

from bench.peers import EQUAL_DURABILITY, Peer, build_load
from bench.process import memory_at_hand, on_one_cpu, open_files, rss_mb
from tests.clients.brokers import OttlaProcess

Figures = dict[str, float]
PRODUCER = "org.apache.kafka.tools.ProducerPerformance"
CONSUMER = "org.apache.kafka.tools.ConsumerPerformance"
#: What a run writes at most: so much memory is kept ready for it.
RUN_BYTES = 5 << 29
RECORD_OVERHEAD = 70  # one record of 100 B makes a batch of 170 B


@dataclass(frozen=True)
class Options:
    """How long and how often."""

    rounds: int = 3
    seconds: float = 4.0
    warmup: float = 2.0
    scale: float = 1.0  # of record counts and data volumes
    partitions: int = 10_000
    folder: Path = Path()


@dataclass
class Goal:
    """A figure and the bound it is held against."""

    text: str
    value: float
    bound: float
    at_least: bool = True

    @property
    def met(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound


@dataclass
class Outcome:
    """What a scenario found."""

    name: str
    title: str
    figures: dict[str, Figures] = field(default_factory=dict)
    goals: list[Goal] = field(default_factory=list)

    def ratio(self, figure: str, of: str = "kafka") -> float | None:
        """Ottla's figure over that of another."""
        if "ottla" not in self.figures or of not in self.figures:
            return None
        below = self.figures[of].get(figure, 0.0)
        return self.figures["ottla"].get(figure, 0.0) / below if below else None

    def want(self, text: str, figure: str, bound: float, *, at_least: bool = True, of: str = "kafka") -> None:
        """A goal on a ratio; left out if the other side was not measured."""
        ratio = self.ratio(figure, of)
        if ratio is not None:
            self.goals.append(Goal(text, ratio, bound, at_least))


Peers = dict[str, Peer]
Scenario = Callable[[Peers, Options], list[Outcome]]


def rounds(peers: list[Peer], options: Options, measure: Callable[[Peer, int], Figures]) -> dict[str, Figures]:
    """Measures every peer in every round; the median of each figure."""
    seen: dict[str, list[Figures]] = {peer.name: [] for peer in peers}
    for number in range(options.rounds):
        for peer in peers if number % 2 == 0 else peers[::-1]:
            with memory_at_hand(peer.pid, int(RUN_BYTES * options.scale)):
                seen[peer.name].append(measure(peer, number))
    return {name: {key: statistics.median(one[key] for one in all_) for key in all_[0]} for name, all_ in seen.items()}


def brokers(peers: Peers) -> list[Peer]:
    return [p for p in peers.values() if p.is_broker]


def figures(run: dict[str, Any]) -> Figures:
    """Rates, CPU and latencies of one run of the load generator."""
    seconds, requests, megabytes = run["seconds"], max(1, run["requests"]), max(1, run["bytes"]) / 1e6
    latency = run["latency_ms"]
    return {
        "req/s": run["requests"] / seconds,
        "MB/s": run["bytes"] / 1e6 / seconds,
        "CPU µs/req": run["broker_cpu_s"] * 1e6 / requests,
        "CPU ms/MB": run["broker_cpu_s"] * 1e3 / megabytes,
        "p50 ms": latency.get("p50", 0.0),
        "p99 ms": latency.get("p99", 0.0),
        "p99.9 ms": latency.get("p999", 0.0),
    }


topic_numbers = iter(range(10**9))


def produce(peer: Peer, options: Options, *, partitions: int = 1, warmup: float | None = None, **load: Any) -> Figures:
    """One produce run into a fresh topic."""
    with peer.topic(f"bench-{next(topic_numbers)}", partitions) as topic:
        times = {"seconds": options.seconds, "warmup": options.warmup if warmup is None else warmup}
        return figures(peer.drive("produce", topic=topic, partitions=partitions, **times, **load))


def some(found: Figures, *names: str) -> Figures:
    return {name: found[name] for name in names}


SMALL = ("req/s", "CPU µs/req", "p50 ms", "p99 ms", "p99.9 ms")
BIG = ("MB/s", "CPU ms/MB", "req/s", "p50 ms", "p99 ms")


def small_requests(peers: Peers, options: Options) -> list[Outcome]:
    """1-record requests."""
    found = []
    everyone = brokers(peers)
    five = Outcome("small-5-in-flight", "1-record requests, one connection, five in flight")
    five.figures = rounds(everyone, options, lambda peer, _: some(produce(peer, options, inflight=5), *SMALL))
    five.want("requests/s ÷ Kafka's", "req/s", 5.0)
    five.want("CPU per request ÷ Kafka's", "CPU µs/req", 0.2, at_least=False)
    found.append(five)
    for connections in (1, 10, 50, 200):
        one = Outcome(
            f"small-{connections}", f"1-record requests, {connections} connections, one in flight each, 4 partitions"
        )
        one.figures = rounds(
            everyone,
            options,
            lambda peer, _, n=connections: some(produce(peer, options, partitions=4, connections=n), *SMALL),
        )
        if connections == 50:
            one.want("requests/s ÷ Kafka's", "req/s", 1.2)
            one.want("CPU per request ÷ Kafka's", "CPU µs/req", 0.6, at_least=False)
        one.want("p99 ÷ Kafka's", "p99 ms", 1.0, at_least=False)
        found.append(one)
    return found


def batches(peers: Peers, options: Options) -> list[Outcome]:
    """16 KiB and 1 MiB batches, beside the physical limit."""
    found = []
    for name, title, records, size in (("16k", "16 KiB", 100, 150), ("1m", "1 MiB", 1000, 1030)):
        one = Outcome(f"batch-{name}", f"{title} batches of {records} records, one connection, five in flight")
        limit = int(2e9 * options.scale)
        load = {"records": records, "size": size, "inflight": 5, "limit": limit, "warmup": min(0.5, options.warmup)}
        one.figures = rounds(
            list(peers.values()), options, lambda peer, _, load=load: some(produce(peer, options, **load), *BIG)
        )
        one.want("throughput ÷ Kafka's", "MB/s", 1.2)
        one.want("CPU per MB ÷ Kafka's", "CPU ms/MB", 0.6, at_least=False)
        if name == "1m":
            one.want("throughput ÷ physical limit", "MB/s", 0.5, of="limit")
        found.append(one)
    return found


def tls(peers: Peers, options: Options) -> list[Outcome]:
    """The same over TLS 1.3 with one cipher suite, the one that all sides choose: TLS_AES_128_GCM_SHA256."""
    found = []
    for name, title, records, size in (
        ("16k", "16 KiB", 100, 150),
        ("1m", "1 MiB", 1000, 1030),
        ("small", "100 B", 1, 100),
    ):
        one = Outcome(f"tls-{name}", f"TLS: {title} batches of {records} records, one connection, five in flight")
        limit = int(2e9 * options.scale)
        load = {"records": records, "size": size, "inflight": 5, "limit": limit, "warmup": min(0.5, options.warmup)}

        def measure(peer: Peer, _: int, load: Any = load) -> Figures:
            return some(produce(peer, options, **load, addr=peer.tls_address, ca=peer.ca), *BIG)

        one.figures = rounds(brokers(peers), options, measure)
        one.want("throughput ÷ Kafka's", "req/s" if name == "small" else "MB/s", 1.0)
        found.append(one)
    return found


def _producer_performance(peer: Peer, count: int, size: int, properties: tuple[str, ...]) -> Figures:
    with peer.topic(f"bench-{next(topic_numbers)}", 1) as topic:
        arguments = ["--topic", topic, "--num-records", str(count), "--record-size", str(size), "--throughput", "-1"]
        said, cpu = peer.tool(
            PRODUCER, *arguments, "--producer-props", f"bootstrap.servers={peer.address}", *properties
        )
    last = said.strip().splitlines()[-1]
    rate = re.search(r"([\d.,]+) records/sec", last)
    p99 = re.search(r"(\d+) ms 99th", last)
    if rate is None or p99 is None:
        raise RuntimeError(f"ProducerPerformance said {last!r}")
    return {"records/s": float(rate[1].replace(",", ".")), "CPU µs/record": cpu * 1e6 / count, "p99 ms": float(p99[1])}


def java_producer(peers: Peers, options: Options) -> list[Outcome]:
    """Java's ProducerPerformance."""
    found = []
    variants = (("defaults", ()), ("acks-all", ("acks=all", "enable.idempotence=false")))
    for size, count in ((100, 2_500_000), (1000, 500_000)):
        for label, properties in variants:
            one = Outcome(
                f"java-producer-{size}-{label}",
                f"Java ProducerPerformance, {size} B records, {' '.join(properties) or 'defaults'}",
            )
            wanted = int(count * options.scale)
            one.figures = rounds(
                brokers(peers),
                options,
                lambda peer, _, n=wanted, s=size, p=properties: _producer_performance(peer, n, s, p),
            )
            one.want("records/s ÷ Kafka's", "records/s", 1.0)
            one.want("CPU per record ÷ Kafka's", "CPU µs/record", 0.5, at_least=False)
            found.append(one)
    return found


def consumers(peers: Peers, options: Options) -> list[Outcome]:
    """Reading what is in the page cache: Java's ConsumerPerformance, and ten readers of one topic."""
    java = Outcome("java-consumer", "Java ConsumerPerformance, 1 KB records")
    ten = Outcome("ten-consumers", "10 consumers of one partition (load generator, 1 MiB fetches)")
    count = int(500_000 * options.scale)
    topics: dict[str, str] = {}
    for peer in brokers(peers):
        topic = topics[peer.name] = f"bench-{next(topic_numbers)}"
        for future in peer.admin.create_topics([NewTopic(topic, 1, 1)]).values():
            future.result(60)
        time.sleep(0.5)
        peer.drive("produce", topic=topic, records=15, size=1000, seconds=600, warmup=0, limit=count * 1000, inflight=5)

    def one_java(peer: Peer, _: int) -> Figures:
        wanted = int(count * 0.95)
        where = ["--bootstrap-server", peer.address, "--topic", topics[peer.name], "--num-records", str(wanted)]
        said, cpu = peer.tool(CONSUMER, *where, "--timeout", "60000", "--hide-header")
        cells = [cell.strip() for cell in said.strip().splitlines()[-1].split(",")]
        return {"records/s": float(cells[9]), "MB/s": float(cells[8]), "CPU ms/MB": cpu * 1e3 / float(cells[2])}

    def ten_readers(peer: Peer, _: int) -> Figures:
        run = peer.drive("fetch", topic=topics[peer.name], connections=10, warmup=0, seconds=120)
        return some(figures(run), "MB/s", "CPU ms/MB", "p50 ms", "p99 ms")

    java.figures = rounds(brokers(peers), options, one_java)
    ten.figures = rounds(brokers(peers), options, ten_readers)
    for peer in brokers(peers):
        peer.admin.delete_topics([topics[peer.name]])
    java.want("records/s ÷ Kafka's", "records/s", 1.0)
    java.want("CPU per MB ÷ Kafka's", "CPU ms/MB", 0.5, at_least=False)
    ten.want("throughput ÷ Kafka's", "MB/s", 1.0)
    ten.want("CPU per MB ÷ Kafka's", "CPU ms/MB", 0.5, at_least=False)
    return [java, ten]


def end_to_end(peers: Peers, options: Options) -> list[Outcome]:
    """1,000 messages a second through the log to a waiting consumer."""
    one = Outcome("end-to-end", "End-to-end latency at 1,000 msg/s, from the intended send time")

    def measure(peer: Peer, _: int) -> Figures:
        with peer.topic(f"bench-{next(topic_numbers)}") as topic:
            run = peer.drive(
                "e2e", topic=topic, seconds=max(2.0, options.seconds * 2), warmup=options.warmup, rate=1000
            )
        return some(figures(run), "p50 ms", "p99 ms", "p99.9 ms", "CPU µs/req")

    one.figures = rounds(brokers(peers), options, measure)
    for figure in ("p50 ms", "p99 ms", "p99.9 ms"):
        one.want(f"{figure[:-3]} ÷ Kafka's", figure, 1.0, at_least=False)
    return [one]


def start(peers: Peers, options: Options) -> list[Outcome]:
    """Start to first answer and idle memory; Kafka's are those of the broker of this run, which has answered little more."""
    one = Outcome("start", "Start to first answer, idle memory")
    seen = []
    for _ in range(max(3, options.rounds)):
        with (
            tempfile.TemporaryDirectory(dir=options.folder) as folder,
            OttlaProcess(Path(folder), settings=EQUAL_DURABILITY) as ottla,
        ):
            time.sleep(1.0)
            seen.append({"start s": ottla.start_s, "idle MB": rss_mb(ottla.pid), "fds": float(open_files(ottla.pid))})
    one.figures["ottla"] = {key: statistics.median(s[key] for s in seen) for key in seen[0]}
    if "kafka" in peers:
        kafka = peers["kafka"]
        one.figures["kafka"] = {
            "start s": kafka.start_s,
            "idle MB": rss_mb(kafka.pid),
            "fds": float(open_files(kafka.pid)),
        }
    one.goals.append(Goal("start to first answer, s", one.figures["ottla"]["start s"], 0.4, at_least=False))
    one.goals.append(Goal("idle memory, MB", one.figures["ottla"]["idle MB"], 60, at_least=False))
    return [one]


def many_partitions(_: Peers, options: Options) -> list[Outcome]:
    """A broker of its own with 10,000 partitions."""
    one = Outcome("partitions", f"{options.partitions:,} partitions (Ottla alone)")
    found: Figures = {}
    load = build_load()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        broker = OttlaProcess(Path(folder), settings=EQUAL_DURABILITY)
        with broker:
            peer = Peer("ottla", broker.bootstrap, broker.pid, load)
            empty_mb = rss_mb(broker.pid)
            with on_one_cpu(broker.pid):
                before = [produce(peer, options) for _ in range(options.rounds)]
            admin = peer.admin
            began = time.monotonic()
            per_topic = options.partitions // 10
            for future in admin.create_topics(
                [NewTopic(f"many-{i}", per_topic, 1) for i in range(10)], operation_timeout=100
            ).values():
                future.result(200)
            found["create s"] = time.monotonic() - began
        with broker:
            peer = Peer("ottla", broker.bootstrap, broker.pid, load)
            peer.admin.list_topics(timeout=60)
            found |= {"start s": broker.start_s, "idle MB": rss_mb(broker.pid), "fds": float(open_files(broker.pid))}
            found["KB each"] = (found["idle MB"] - empty_mb) * 1000 / options.partitions
            with on_one_cpu(broker.pid):
                after = [produce(peer, options) for _ in range(options.rounds)]
            spread = peer.drive(
                "produce", topic="many-0", partitions=per_topic, connections=10, seconds=options.seconds, warmup=0
            )
            found["fds after writing to 1,000"] = float(open_files(broker.pid))
            found["p99 ms over 1,000 partitions"] = spread["latency_ms"].get("p99", 0.0)
    for figure in ("p50 ms", "p99 ms", "CPU µs/req"):
        found[f"{figure} before"] = statistics.median(f[figure] for f in before)
        found[figure] = statistics.median(f[figure] for f in after)
    one.figures["ottla"] = found
    share = options.partitions / 10_000
    one.goals = [
        Goal("start with 10,000 partitions, s", found["start s"], 5.0 * max(share, 0.2), at_least=False),
        Goal("memory each, KB", found["KB each"], 20, at_least=False),
        Goal("file descriptors", found["fds after writing to 1,000"], 2_500, at_least=False),
        Goal(
            "produce p50 ÷ that without them", found["p50 ms"] / max(0.001, found["p50 ms before"]), 1.1, at_least=False
        ),
    ]
    return [one]
