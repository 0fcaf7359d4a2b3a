"""`--only client-latency,client-import`: how long one record takes there and back, and what an import costs.

Round trips go round by round in turn, each in a process of its own, and all rounds of a library count together: on a machine
that others use, one bad round is one bad round of both. An import is a new interpreter with compiled modules on the disk; its
CPU is the figure, since nothing else is waited for.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys

from bench.latency_driver import LIBRARIES
from bench.peers import Peer
from bench.scenarios import Figures, Goal, Options, Outcome, Peers

TRIPS = 2000
ROUNDS_MIN = 3
IMPORTS = 7
TIMEOUT_S = 300
IMPORT_MS_MAX = 150.0
STATEMENTS = {
    "ottla": "from ottla import Consumer, Producer",
    "confluent-kafka": "from confluent_kafka import Consumer, Producer",
    "aiokafka": "from aiokafka import AIOKafkaConsumer, AIOKafkaProducer",
    "kafka-python": "from kafka import KafkaConsumer, KafkaProducer",
}
#: As an installed package has it.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _python(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=_ENVIRONMENT
    )
    if done.returncode:
        raise RuntimeError(f"{arguments} failed: {done.stderr.strip()[-500:]}")
    return done.stdout.splitlines()[-1]


def round_trips(peers: Peers, options: Options) -> list[Outcome]:
    """A record there and back, one at a time."""
    broker = peers.get("ottla") or next(peer for peer in peers.values() if peer.is_broker)
    trips = max(100, int(TRIPS * options.scale))
    seen: dict[str, list[float]] = {library: [] for library in LIBRARIES}
    for number in range(max(options.rounds, ROUNDS_MIN)):
        for library in LIBRARIES if number % 2 == 0 else reversed(LIBRARIES):
            seen[library] += _trips(library, broker, trips, number)
    outcome = Outcome("client-latency", f"Python clients: a record there and back, one at a time, on {broker.name}")
    for library, took in seen.items():
        percentiles = statistics.quantiles(took, n=1000, method="inclusive")
        outcome.figures[library] = {
            "p50 ms": percentiles[499],
            "p99 ms": percentiles[989],
            "p99.9 ms": percentiles[998],
        }
    ratio = outcome.figures["ottla"]["p99 ms"] / outcome.figures["confluent-kafka"]["p99 ms"]
    outcome.goals.append(Goal("p99 ÷ confluent-kafka's", ratio, 1.0, False))
    return [outcome]


def _trips(library: str, broker: Peer, trips: int, number: int) -> list[float]:
    with broker.topic(f"latency-{number}-{library}") as topic:
        took: list[float] = json.loads(
            _python("-m", "bench.latency_driver", library, broker.address, topic, str(trips))
        )
        return took


def imports(peers: Peers, options: Options) -> list[Outcome]:
    """What it costs until a producer and a consumer can be made."""
    outcome = Outcome("client-import", "Python clients: import of producer and consumer")
    seen: dict[str, list[Figures]] = {library: [] for library in STATEMENTS}
    for _ in range(IMPORTS):
        for library, statement in STATEMENTS.items():
            clocks = "time.process_time(), time.perf_counter()"
            program = (
                f"import time; a = {clocks}\n{statement}\nb = {clocks}\nprint(*((y - x) * 1000 for x, y in zip(a, b)))"
            )
            cpu, wall = _python("-c", program).split()
            seen[library].append({"CPU ms": float(cpu), "ms": float(wall)})
    outcome.figures = {
        library: {key: statistics.median(one[key] for one in runs) for key in runs[0]} for library, runs in seen.items()
    }
    outcome.goals.append(Goal("import, ms of CPU", outcome.figures["ottla"]["CPU ms"], IMPORT_MS_MAX, False))
    return [outcome]
