"""`python -m bench --only client-consume`: consumers beside each other on one broker: CPU per record and throughput.

A topic is filled once for each size of record; then each client reads it, in turn, round by round, in a process of its own
(`consume_driver`). CPU is that of the client's process by getrusage, because the machine is shared; throughput is by the clock
and says less. The figure is the median of the rounds. Beside them stands the physical limit: the same bytes received and
checksummed, and nothing else.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

from confluent_kafka import Producer

from bench.consume_driver import CLIENTS
from bench.peers import Peer
from bench.scenarios import Goal, Options, Outcome, Peers

ROOT = Path(__file__).parent.parent
RECORDS = {100: 1_000_000, 1000: 200_000}
#: The slow ones read a part of the topic.
SHARE = {"kafka-python": 0.1, "aiokafka": 0.2}


def _fill(bootstrap: str, topic: str, size: int, count: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "queue.buffering.max.messages": 2_000_000})
    value = bytes(range(256)) * (size // 256 + 1)
    for number in range(count):
        producer.produce(topic, value[:size], key=b"%08d" % number, partition=0)
        if number % 10_000 == 0:
            producer.poll(0)
    producer.flush()


def _read(client: str, bootstrap: str, topic: str, count: int) -> dict[str, float]:
    run = subprocess.run(
        [sys.executable, "-m", "bench.consume_driver", client, bootstrap, topic, str(count)],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    if run.returncode:
        raise RuntimeError(f"{client}: {run.stderr[-2000:]}")
    found: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return found


def client_consume(peers: Peers, options: Options) -> list[Outcome]:
    """Every consumer on one broker."""
    broker = peers.get("ottla") or next(peer for peer in peers.values() if peer.is_broker)
    return [_consume(broker, size, max(20_000, int(full * options.scale)), options) for size, full in RECORDS.items()]


def _consume(broker: Peer, size: int, count: int, options: Options) -> Outcome:
    runs: dict[str, list[dict[str, float]]] = {client: [] for client in CLIENTS}
    with broker.topic(f"consume-{size}") as topic:
        _fill(broker.address, topic, size, count)
        for number in range(options.rounds):
            for client in CLIENTS if number % 2 == 0 else reversed(CLIENTS):
                runs[client].append(_read(client, broker.address, topic, int(count * SHARE.get(client, 1))))
    outcome = Outcome(f"client-consume-{size}", f"Python clients read records of {size} B from {broker.name}")
    for client, found in runs.items():
        outcome.figures[client] = {
            "CPU µs/record": statistics.median(run["cpu_us"] for run in found),
            "records/s": statistics.median(run["rate"] for run in found),
        }
    _goals(outcome)
    return outcome


def _goals(outcome: Outcome) -> None:
    cpu = {client: figures["CPU µs/record"] for client, figures in outcome.figures.items()}
    outcome.goals.append(Goal("by record: CPU / confluent-kafka", cpu["ottla"] / cpu["confluent"], 0.5, False))
    outcome.goals.append(
        Goal("by Arrow batch: CPU / confluent-kafka", cpu["ottla-arrow"] / cpu["confluent"], 0.1, False)
    )
    for client, figures in outcome.figures.items():
        figures["CPU ÷ physical limit"] = cpu[client] / cpu["limit"]
    outcome.goals.append(Goal("aiokafka's CPU / by record", cpu["aiokafka"] / cpu["ottla"], 5))
