"""`ottla cluster`, `txn` and `bench`: what a cluster says of itself."""

from __future__ import annotations

import asyncio

from ottla import Producer
from tests.cli.support import Cli


def test_the_cluster(cli: Cli) -> None:
    about = cli.json("cluster", "describe")
    assert [broker["id"] for broker in about["brokers"]] == [1]
    assert about["id"] in cli("cluster", "describe")
    assert "metadata.version" in cli("cluster", "features")
    assert cli.json("cluster", "quorum")["leader"] == 1
    assert cli.json("cluster", "disks", "--broker", "1")[0]["broker"] == 1
    assert cli.json("cluster", "reassignments") == []


def test_transactions(cli: Cli, name: str) -> None:
    cli("topic", "create", name, "-p", "1")

    async def leave_one_open() -> None:
        async with Producer(cli.bootstrap, transactional_id=name) as producer:
            async with producer.transaction() as tx:
                await tx.send(name, b"committed")
            async with producer.transaction() as tx:
                await tx.send(name, b"open")
                seen.append(await asyncio.to_thread(cli.json, "txn", "describe", name))
                seen.append(await asyncio.to_thread(cli.json, "txn", "producers", name))
                seen.append(await asyncio.to_thread(cli.json, "txn", "hanging", name, "--older-than", "0ms"))
                start = str(seen[1][0]["start_offset"])
                seen.append(
                    await asyncio.to_thread(cli.fails, "txn", "abort", name, "-p", "0", "--start-offset", start)
                )

    seen: list = []
    asyncio.run(leave_one_open())
    described, producers, hanging, refused = seen
    assert (described[0]["state"], described[0]["partitions"]) == ("Ongoing", [f"{name}-0"])
    assert [row["start_offset"] for row in producers] == [2]
    assert hanging == []
    assert "its coordinator knows it" in refused
    assert cli("consume", name, "-e", "--from-beginning") == "committed\nopen\n"
    assert name in [row["id"] for row in cli.json("txn", "list")]
    assert name not in [row["id"] for row in cli.json("txn", "list", "--state", "Ongoing")]
    assert cli.json("txn", "fence", name)["epoch"] > 0
    assert "no open transaction begins" in cli.fails("txn", "abort", name, "-p", "0", "--start-offset", "0")


def test_bench(cli: Cli) -> None:
    assert cli.json("bench", "produce", "-n", "2000", "-s", "1k", "-z", "lz4")["records"] == 2000
    assert cli.json("bench", "produce", "-n", "100", "--one-by-one")["records_per_s"] > 0
    assert cli.json("bench", "consume", "-n", "2000", "-p", "2")["records"] == 2000
    acknowledged, consumed = cli.json("bench", "latency", "-n", "5")
    assert acknowledged["p50"] <= consumed["p50"] < 400
    assert [row["topic"] for row in cli.json("topic", "list") if row["topic"].startswith("ottla-bench-")] == []
    assert "UNKNOWN_TOPIC" in cli.fails("bench", "consume", "not-there", "-n", "5")


def test_features_apis_and_replicas(cli: Cli, name: str) -> None:
    assert "features shows" in cli.fails("cluster", "set-feature", "transaction.version=many", code=2)
    assert "no.such" in cli.fails("cluster", "set-feature", "no.such=1", "--dry-run")
    assert {"key": 3, "api": "Metadata"}.items() <= next(
        row for row in cli.json("cluster", "api-versions") if row["key"] == 3
    ).items()
    cli("topic", "create", name, "-p", "2")
    rows = cli.json("cluster", "disks", "--topic", name)
    assert [(row["topic"], row["partition"], row["offset_lag"]) for row in rows] == [(name, 0, 0), (name, 1, 0)]
    broker = str(rows[0]["broker"])
    cli("cluster", "move", name, "--broker", broker, "--to", rows[0]["path"])
    assert "cluster disks" in cli.fails("cluster", "move", name, "-p", "0", "--broker", broker, "--to", "/nowhere")
    assert "cluster describe" in cli.fails("cluster", "unregister", "77", "--yes")
    shown = cli.json("topic", "reassign", name, "--brokers", broker)
    assert [row["replicas"] for row in shown] == [[int(broker)]] * 2
    cli("topic", "reassign", name, "--brokers", broker, "--execute")


def test_partitions_in_trouble(cli: Cli, name: str) -> None:
    cli("topic", "create", name, "-p", "2")
    assert cli.json("topic", "describe", name, "--under-replicated") == []
    assert cli.json("topic", "describe", name, "--unavailable", "--under-min-isr") == []
    assert len(cli.json("topic", "describe", name, "--at-min-isr")[0]["partitions"]) == 2
    assert {row["topic"] for row in cli.json("topic", "offsets")} >= {name}
    cli("produce", name, "-p", "1", stdin=b"a\nb\n")
    (row,) = cli.json("topic", "offsets", name, "-p", "1", "--time", "max-timestamp")
    assert (row["end"], row["at"] in (0, 1)) == (2, True)
