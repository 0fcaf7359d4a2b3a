"""Real transactional clients in processes on `ottla start`, with kill -9 and pauses of the broker and of clients.

    python -m tests.checker --transactions 100000

    writers, raw ──► in ──► transformers (group g), raw (a group per partition) ──► out        readers read both

Every process writes its own file of events. When enough transactions have ended, the clients are stopped, every transactional id
is taken over once more (which ends what is open), both topics and the groups' positions are read, and `verdicts` judges.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, TopicPartition

from ottla.protocol.apis.create_topics import CreatableTopic, CreateTopicsRequest
from ottla.protocol.apis.find_coordinator import FindCoordinatorRequest
from tests.crash.node import Node
from tests.support.in_process import Client
from tests.support.transactions import Producer, settled

from .history import History, load
from .verdicts import Finding, judge
from .worker import PARTITIONS

SETTINGS = (
    # The producers of raw requests write times of years ago: nothing shall be deleted for its age.
    "ottla.durability=os", "log.retention.ms=-1", "auto.create.topics.enable=false", "group.initial.rebalance.delay.ms=0",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms=500", "offsets.topic.num.partitions=3",
    "transaction.state.log.num.partitions=3",
)  # fmt: skip
CREW = ("writer-1", "writer-2", "raw-1", "transformer-1", "transformer-2", "reader-1", "reader-2")
#: How long everything runs undisturbed between two disturbances, and how long something is paused, at most.
CALM_S = (0.3, 3.0)
PAUSE_S = (0.2, 8.0)
STOP_S = 25.0


@dataclass
class Report:
    """What a campaign did and found."""

    outcomes: Counter[str] = field(default_factory=Counter)
    disturbances: Counter[str] = field(default_factory=Counter)
    polls: int = 0
    records: int = 0
    takes: int = 0
    #: Transactions by the kind of their producer.
    kinds: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)

    @property
    def ended(self) -> int:
        return self.outcomes.total()

    def __str__(self) -> str:
        outcomes = ", ".join(f"{count} {name}" for name, count in sorted(self.outcomes.items()))
        kinds = ", ".join(f"{count} by {name}" for name, count in sorted(self.kinds.items()))
        disturbances = ", ".join(f"{count} x {name}" for name, count in sorted(self.disturbances.items()))
        return (
            f"{self.ended} transactions ({outcomes}; {kinds}) in {self.seconds:.0f} s under "
            f"{disturbances or 'nothing'}; "
            f"{self.records} committed records, {self.takes} inputs transformed, {self.polls} polls: "
            f"{len(self.findings)} findings"
        )


class Crew:
    """The client processes."""

    def __init__(self, node: Node, folder: Path, rng: random.Random) -> None:
        self.node, self.folder, self.rng = node, folder, rng
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.files: dict[str, Path] = {}
        self._read: dict[Path, int] = {}
        self.ended = 0
        #: Who did not end when asked to.
        self.slow: list[str] = []

    def start(self, member: str) -> None:
        kind, _, name = member.partition("-")
        self.files[member] = self.folder / f"{member}.events"
        command = [sys.executable, "-m", "tests.checker.worker", kind, name, self.node.bootstrap]
        with (self.folder / f"{member}.log").open("ab") as log:
            self.processes[member] = subprocess.Popen(
                [*command, str(self.files[member]), str(self.rng.randrange(1 << 30))], stdout=log, stderr=log
            )

    def kill(self, member: str) -> None:
        self.processes[member].kill()
        self.processes[member].wait()
        path = self.files[member]
        if path.exists() and not (data := path.read_bytes()).endswith(b"\n"):
            path.write_bytes(data[: data.rfind(b"\n") + 1])  # the next one writes on

    def count(self) -> int:
        """How many transactions have ended so far."""
        for path in self.files.values():
            if path.exists():
                with path.open("rb") as file:
                    file.seek(self._read.get(path, 0))
                    data = file.read()
                whole = data.rfind(b"\n") + 1
                self._read[path] = self._read.get(path, 0) + whole
                self.ended += data.count(b'"e":"ended"', 0, whole)
        return self.ended

    def stop(self) -> None:
        """Let each end what it has in hand."""
        for process in self.processes.values():
            process.terminate()
        end = time.monotonic() + STOP_S
        for member, process in self.processes.items():
            try:
                code = process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGUSR1)  # its log says what it waits for
                time.sleep(0.2)
                self.kill(member)  # allowed: it is one more kill
                self.slow.append(member)
                code = 0
            if code not in (0, -signal.SIGTERM):  # SIGTERM: it was just started, and had nothing in hand yet
                log = (self.folder / f"{member}.log").read_text(errors="replace")
                raise RuntimeError(f"{member} ended with {code}:\n{log[-3000:]}")


def disturb(node: Node, crew: Crew, rng: random.Random, report: Report, pauses: tuple[float, float]) -> None:
    """One disturbance of the broker or of a client."""
    what = rng.choice(("broker killed", "broker paused", "client killed", "client paused"))
    report.disturbances[what] += 1
    member = rng.choice(CREW)
    if what == "broker killed":
        node.kill()
        node.start()
    elif what == "client killed":
        crew.kill(member)
        crew.start(member)
    else:
        process = node.process if what == "broker paused" else crew.processes[member]
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        time.sleep(rng.uniform(*pauses))
        process.send_signal(signal.SIGCONT)


async def prepare(port: int) -> None:
    """Make the topics and the coordinators' own."""
    async with Client(port) as client:
        topics = [
            CreatableTopic(name=name, num_partitions=PARTITIONS, replication_factor=1, assignments=[], configs=[])
            for name in ("in", "out")
        ]
        await client.call(CreateTopicsRequest(topics=topics, timeout_ms=10_000), 7)
        for kind in (0, 1):
            request = FindCoordinatorRequest(key_type=kind, coordinator_keys=["g"])
            while (await client.call(request, 4)).coordinators[0].error_code:
                await asyncio.sleep(0.05)


async def finish(port: int, names: set[str]) -> None:
    """End what is open, as a newer producer of each transactional id."""
    async with Client(port) as client:
        for name in names:
            assert await Producer(client, name).init() == 0
        await settled(client, *names)


def read_all(bootstrap: str, history: History) -> None:
    """Every committed record, and how far each partition is readable."""
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": "judge", "isolation.level": "read_committed",
        "enable.auto.commit": False, "auto.offset.reset": "earliest", "enable.partition.eof": True,
    })  # fmt: skip
    places = [TopicPartition(topic, p, 0) for topic in ("in", "out") for p in range(PARTITIONS)]
    history.log = {f"{place.topic}/{place.partition}": [] for place in places}
    consumer.assign(places)
    waiting, stable = set(history.log), dict[str, int]()
    while waiting:
        for message in consumer.consume(5000, 1.0):
            name = f"{message.topic()}/{message.partition()}"
            if message.error() is None:
                history.log[name].append((message.offset(), str(message.value(), "ascii")))
            elif message.error().code() == KafkaError._PARTITION_EOF:
                waiting.discard(name)
                stable[name] = message.offset()
    for place in places:
        name = f"{place.topic}/{place.partition}"
        _, end = consumer.get_watermark_offsets(place, cached=False)
        if stable[name] != end:
            history.open[name] = (stable[name], end)
    consumer.close()


def read_positions(bootstrap: str, history: History) -> None:
    """The committed positions of the groups that transactions committed for."""
    groups = {take.group for each in history.transactions.values() for take in each.takes}
    for group in sorted(groups):
        consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
        for place in consumer.committed([TopicPartition("in", p) for p in range(PARTITIONS)], 30):
            if place.offset >= 0:
                history.positions[group, f"in/{place.partition}"] = place.offset
        consumer.close()


def campaign(
    folder: Path, *, transactions: int, seed: int, calm: tuple[float, float] = CALM_S,
    pauses: tuple[float, float] = PAUSE_S, disturbances: int = 0,
    progress: Callable[[int, Report], None] | None = None,
) -> Report:  # fmt: skip
    """Run clients and disturb them until so many transactions have ended, and so many disturbances been; judge."""
    rng = random.Random(seed)
    report = Report()
    node = Node(folder, *SETTINGS)
    crew = Crew(node, folder, rng)
    began = time.monotonic()
    try:
        node.start()
        asyncio.run(prepare(node.port))
        for member in CREW:
            crew.start(member)
        next_at = time.monotonic() + rng.uniform(*calm)
        while crew.count() < transactions or report.disturbances.total() < disturbances:
            if progress is not None:
                progress(crew.ended, report)
            if time.monotonic() >= next_at:
                disturb(node, crew, rng, report, pauses)
                next_at = time.monotonic() + rng.uniform(*calm)
            time.sleep(min(0.25, max(0.0, next_at - time.monotonic())))
        crew.stop()
        report.disturbances.update(f"{member} slow to end" for member in crew.slow)
        history = load(crew.files.values())
        names = {each.transactional_id for each in history.transactions.values()}
        asyncio.run(finish(node.port, names | {name for name, _ in history.inits.values()}))
        read_all(node.bootstrap, history)
        read_positions(node.bootstrap, history)
        assert node.trouble() == [], "\n".join(node.trouble()[:10])
    finally:
        for process in crew.processes.values():
            process.kill()
            process.wait()
        node.kill()
    _sum_up(history, report)
    report.seconds = time.monotonic() - began
    return report


def _sum_up(history: History, report: Report) -> None:
    report.outcomes = Counter(each.outcome for each in history.transactions.values())
    report.kinds = Counter(each.transactional_id.partition("-")[0] for each in history.transactions.values())
    report.polls = len(history.polls)
    report.records = sum(map(len, history.log.values()))
    takes = itertools.chain.from_iterable(each.takes for each in history.transactions.values())
    report.takes = sum(len(take.inputs) for take in takes)
    report.findings = judge(history)
