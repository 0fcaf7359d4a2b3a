"""kill -9 at random moments, again and again.

    python -m tests.crash.kills --kills 200 [--seed N]

starts a broker with `ottla.durability=fsync` on a disk, lets the workers of `workload` work, kills and restarts the
broker, sometimes while it still recovers from the kill before, and in the end reads everything back.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from ottla.protocol.apis.find_coordinator import FindCoordinatorRequest

from .node import Client, Node
from .workload import (
    SEGMENT_BYTES,
    Admin,
    Committer,
    IdempotentProducer,
    PlainProducer,
    check_records,
    create_topic,
    read_back,
)

SETTINGS = (
    f"log.segment.bytes={SEGMENT_BYTES}",
    "log.retention.check.interval.ms=300",
    "log.flush.offset.checkpoint.interval.ms=500",
    "log.segment.delete.delay.ms=100",
    "offsets.topic.num.partitions=4",
    "offsets.topic.replication.factor=1",
    "auto.create.topics.enable=false",
)
PARTITIONS = 3
RETENTION_BYTES = 3 * SEGMENT_BYTES


@dataclass
class Report:
    """What a series of kills did."""

    kills: int = 0
    kills_in_recovery: int = 0
    acked: int = 0
    commits: int = 0
    topics: int = 0
    torn: int = 0
    strays: int = 0
    segments: int = 0
    start_s: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        slowest = max(self.start_s, default=0.0)
        return (
            f"{self.kills} kills ({self.kills_in_recovery} while recovering) in {self.seconds:.0f} s: {self.acked} acked "
            f"records, {self.commits} commits, {self.topics} topics of the admin, {self.segments} segments begun, "
            f"{self.torn} torn ends cut, {self.strays} folders set aside; slowest start {slowest:.2f} s"
        )


class Crew:
    """All workers on one node."""

    def __init__(self, node: Node, seed: int) -> None:
        with Client(node.port) as client:
            for name in ("idempotent", "compressed"):
                assert create_topic(client, name, PARTITIONS) == 0
            assert create_topic(client, "plain", 1) == 0
            assert create_topic(client, "short", 1, retention_bytes=str(RETENTION_BYTES)) == 0
            client.ask(FindCoordinatorRequest(coordinator_keys=["group-0"]), 4)  # makes __consumer_offsets
        self.idempotent = [
            IdempotentProducer(node, seed, "idempotent", PARTITIONS, "none"),
            IdempotentProducer(node, seed + 1, "compressed", PARTITIONS, "lz4"),
            IdempotentProducer(node, seed + 2, "short", 1, "none"),
        ]
        self.plain = PlainProducer(node, seed + 3, "plain")
        self.committers = [Committer(node, seed + 4 + i, f"group-{i}", "plain") for i in range(3)]
        self.admin = Admin(node, seed + 9)
        self.workers = [*self.idempotent, self.plain, *self.committers, self.admin]

    def work(self) -> None:
        for worker in self.workers:
            worker.start()

    def stop(self) -> None:
        for worker in self.workers:
            worker.ending.set()
        for worker in self.workers:
            worker.finish()

    def check(self, node: Node) -> None:
        """Everything that was promised is so."""
        with Client(node.port, 30.0) as client:
            for producer in self.idempotent:
                assert not producer.failed, producer.failed[:3]
                for partition, acked in enumerate(producer.acked):
                    found = read_back(client, producer.topic, partition)
                    whole = producer.topic != "short"
                    check_records(f"{producer.topic}-{partition}", found, acked, producer.sent[partition], whole=whole)
                    assert len(acked) == producer.sent[partition]
            found = read_back(client, "plain", 0)
            check_records("plain-0", found, self.plain.acked, self.plain.sent)
            for committer in self.committers:
                committer.check(client)
            self.admin.check(client)


def kill_again_and_again(folder: Path, *, kills: int, seed: int) -> Report:
    """Run the workers through `kills` kills, check what they were promised, kill once more and check again."""
    chance = random.Random(seed)
    node = Node(folder, *SETTINGS)
    report = Report()
    crew: Crew | None = None
    began = time.monotonic()
    try:
        report.start_s.append(node.start())
        crew = Crew(node, seed)
        crew.work()
        while report.kills < kills:
            crew.admin.ending.wait(chance.uniform(0.1, 2.0))
            node.kill()
            report.kills += 1
            while chance.random() < 0.3 and report.kills < kills:
                node.spawn()
                if not node.wait_ready(chance.uniform(0.05, 0.6)):
                    report.kills_in_recovery += 1
                node.kill()
                report.kills += 1
            report.start_s.append(node.start())
        crew.stop()
        crew.check(node)
        node.kill()
        report.start_s.append(node.start())
        crew.check(node)
        assert node.trouble() == [], "\n".join(node.trouble()[:10])
        report.acked = sum(map(len, (a for p in crew.idempotent for a in p.acked))) + len(crew.plain.acked)
        report.commits = sum(committer.acked + 1 for committer in crew.committers)
        report.topics = crew.admin.number
        log = node.log.read_text(errors="replace")
        report.torn, report.strays = log.count(" bytes cut at "), log.count(" set aside as -stray")
        report.segments = len(list(node.folder.glob("data/*/*.log")))
    finally:
        for worker in crew.workers if crew is not None else ():
            worker.ending.set()
        node.kill()
    report.seconds = time.monotonic() - began
    return report


def main() -> int:
    """Run a campaign in a temporary folder, which is kept if something was lost."""
    parser = argparse.ArgumentParser(description="Kill a broker at random moments and read back what it promised.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--round", type=int, default=25, help="kills after which everything is read back")
    options = parser.parse_args()
    done = 0
    while done < options.kills:
        seed = options.seed + done
        count = min(options.round, options.kills - done)
        folder = Path(tempfile.mkdtemp(prefix=f"ottla-kills-{seed}-"))
        try:
            print(f"seed {seed}: {kill_again_and_again(folder, kills=count, seed=seed)}", flush=True)
        except AssertionError:
            print(f"seed {seed}: what the broker wrote is kept in {folder}", flush=True)
            raise
        shutil.rmtree(folder)
        done += count
    return 0


if __name__ == "__main__":
    sys.exit(main())
