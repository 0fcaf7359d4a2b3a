"""Ottla's client beside the other Python clients, on the same broker: CPU per record and records per second.

Each measurement is a process of its own (`client_driver`), one after the other, round by round; the machine is shared with
the broker and with whatever else runs, so CPU of the client's process is the figure to judge by, throughput only beside it.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

from bench.client_driver import LIBRARIES
from bench.peers import Peer
from bench.scenarios import Figures, Goal, Options, Outcome, Peers

SIZES = (100, 1000)
TIMEOUT_S = 300


def run(library: str, broker: Peer, topic: str, size: int, seconds: float) -> Figures:
    """One run of one library."""
    command = [sys.executable, "-m", "bench.client_driver", library, broker.address, topic, str(size), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode:
        raise RuntimeError(f"{library} failed: {done.stderr.strip()[-500:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    return {
        "CPU µs/record": found["cpu_s"] * 1e6 / found["records"],
        "records/s": found["records"] / found["seconds"],
        "MB/s": found["records"] * size / 1e6 / found["seconds"],
    }


def produce(peers: Peers, options: Options) -> list[Outcome]:
    """Producers one by one, and all together."""
    broker = peers.get("ottla") or next(peer for peer in peers.values() if peer.is_broker)
    return [_produce(broker, size, options) for size in SIZES]


def _produce(broker: Peer, size: int, options: Options) -> Outcome:
    seen: dict[str, list[Figures]] = {library: [] for library in LIBRARIES}
    for number in range(options.rounds):
        for library in LIBRARIES if number % 2 == 0 else reversed(LIBRARIES):
            with broker.topic(f"client-{size}-{number}-{library.replace(' ', '-')}") as topic:
                seen[library].append(run(library, broker, topic, size, options.seconds))
    outcome = Outcome(f"client-{size}", f"Python clients produce records of {size} B to {broker.name}")
    outcome.figures = {
        library: {key: statistics.median(one[key] for one in runs) for key in runs[0]} for library, runs in seen.items()
    }
    _goal(outcome, "one by one: CPU beside confluent-kafka", "ottla.sync", "confluent-kafka", "CPU µs/record", 0.7)
    _goal(outcome, "send_many: CPU beside confluent-kafka", "ottla send_many", "confluent-kafka", "CPU µs/record", 0.2)
    _goal(outcome, "one by one: records/s beside confluent-kafka", "ottla.sync", "confluent-kafka", "records/s", 1.3)
    _goal(outcome, "asyncio: records/s beside aiokafka", "ottla", "aiokafka", "records/s", 5.0)
    return outcome


def _goal(outcome: Outcome, text: str, ours: str, theirs: str, figure: str, bound: float) -> None:
    ratio = outcome.figures[ours][figure] / outcome.figures[theirs][figure]
    outcome.goals.append(Goal(f"{outcome.name}: {text}", ratio, bound, figure == "records/s"))
