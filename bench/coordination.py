"""Scenarios of the coordinators: transactions, group operations, a fleet of consumers; and what compaction costs producers.

The load generator is `load transactions` and `load members`: real members that have joined before the clock starts, one
connection each, requests made beforehand. Both brokers run with `group.initial.rebalance.delay.ms=0`, so that joining
takes no three seconds; nothing measured here waits for it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from bench import compaction
from bench.peers import EQUAL_DURABILITY, Peer
from bench.scenarios import Figures, Goal, Options, Outcome, Peers, brokers, figures, rounds, some, topic_numbers

#: Members and groups of the fleet, and the seconds between two heartbeats of a member: three to five times as often as a
#: client does by default.
FLEET, FLEET_GROUPS, FLEET_INTERVAL_S = 2_000, 200, 1.0
FLEET_P99_MS = 50.0
COMPACTED_MEBIBYTES = 1024
COMPACTION_BASE_S = 15.0

#: name, title, options of the load generator.
TRANSACTIONS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("transactions-1", "Transactions of 10 records, 1 producer", {"connections": 1}),
    ("transactions-20", "Transactions of 10 records, 20 producers", {"connections": 20}),
    ("transactions-20-100", "Transactions of 100 records, 20 producers", {"connections": 20, "records": 100}),
    ("transactions-old-20", "The same as before transactions v2 (AddPartitionsToTxn), 20 producers, 10 records", {"connections": 20, "old": True}),
)  # fmt: skip
GROUPS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("commits", "OffsetCommit of 4 partitions, 20 members of 20 groups", {"op": "commit"}),
    ("rebalances", "JoinGroup and SyncGroup, 20 groups of 5 members; an operation is one member's round", {"op": "rebalance", "connections": 100}),
    ("heartbeats", "Heartbeat, 20 members of 20 classic groups", {"op": "heartbeat"}),
    ("consumer-heartbeats", "ConsumerGroupHeartbeat (KIP-848), 20 members of 20 groups", {"op": "heartbeat", "protocol": "consumer"}),
)  # fmt: skip


def _drive(peer: Peer, options: Options, mode: str, unit: str, load: dict[str, Any]) -> Figures:
    """One run of the load generator on a fresh topic of four partitions, its requests called by what they are."""
    with peer.topic(f"bench-{next(topic_numbers)}", 4) as topic:
        times = {"seconds": options.seconds, "warmup": options.warmup}
        run = peer.drive(mode, topic=topic, partitions=4, **times, **load)
    found = figures(run)
    return {
        f"{unit}/s": found["req/s"],
        f"CPU µs/{unit}": found["CPU µs/req"],
        "load's own CPU %": run["own_cpu_s"] / run["seconds"] * 100,
        "joining s": run["setup_s"],
        **some(found, "p50 ms", "p99 ms"),
    }


def _scenarios(
    peers: Peers, options: Options, table: tuple[tuple[str, str, dict[str, Any]], ...], mode: str, unit: str,
    common: dict[str, Any],
) -> list[Outcome]:  # fmt: skip
    outcomes = []
    for name, title, own in table:
        one = Outcome(name, title)
        load = common | own
        one.figures = rounds(
            brokers(peers),
            options,
            lambda peer, _, load=load: _drive(peer, options, mode, unit, load),  # type: ignore[misc]
        )
        one.want(f"{unit}/s ÷ Kafka's", f"{unit}/s", 1.0)
        outcomes.append(one)
    return outcomes


def transactions(peers: Peers, options: Options) -> list[Outcome]:
    """A transactional producer on each connection: a batch, then the commit, one after the other."""
    return _scenarios(peers, options, TRANSACTIONS, "transactions", "transaction", {"records": 10})


def group_operations(peers: Peers, options: Options) -> list[Outcome]:
    """Members that do one thing as fast as they are answered."""
    common = {"connections": 20, "groups": 20}
    return _scenarios(peers, options, GROUPS, "members", "operation", common)


def fleet(peers: Peers, options: Options) -> list[Outcome]:
    """Many consumers that only live: every other group classic and KIP-848."""
    one = Outcome(
        "fleet", f"{FLEET:,} consumers in {FLEET_GROUPS} groups, a heartbeat of each every {FLEET_INTERVAL_S:.0f} s"
    )
    load = {
        "op": "heartbeat", "protocol": "mixed", "interval": FLEET_INTERVAL_S, "connections": FLEET,
        "groups": FLEET_GROUPS,
    }  # fmt: skip
    longer = Options(**{**options.__dict__, "seconds": options.seconds * 2})
    one.figures = rounds(brokers(peers), options, lambda peer, _: _drive(peer, longer, "members", "operation", load))
    if "ottla" in one.figures:
        one.goals.append(Goal("p99 of a heartbeat, ms", one.figures["ottla"]["p99 ms"], FLEET_P99_MS, at_least=False))
    return [one]


def compacting(_: Peers, options: Options) -> list[Outcome]:
    """A broker of its own that compacts a large dirty log while single requests are timed."""
    size = max(16, int(COMPACTED_MEBIBYTES * options.scale))
    one = Outcome("compaction", f"Produce while {size} MiB of dirty log are compacted (Ottla alone)")
    base_s = max(2.0, COMPACTION_BASE_S * options.scale)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        found = compaction.measure(size, Path(folder), base_s, EQUAL_DURABILITY)
    alone, busy = found["produce_alone"], found["produce_while_compacting"]
    one.figures["ottla"] = {
        "compaction MB/s": found["compaction_mb_per_s"],
        "p50 ms alone": alone["p50_ms"], "p99 ms alone": alone["p99_ms"],
        "p50 ms": busy["p50_ms"], "p99 ms": busy["p99_ms"], "p99.9 ms": busy["p999_ms"],
    }  # fmt: skip
    one.goals.append(Goal("p99 ÷ that without compaction", busy["p99_ms"] / alone["p99_ms"], 2.0, at_least=False))
    return [one]
