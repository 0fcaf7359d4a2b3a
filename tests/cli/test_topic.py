"""`ottla topic`: the life of a topic, and what a person is told who errs."""

from __future__ import annotations

import pytest

from ottla.testing.kafka import Kafka
from tests.cli.support import Cli


def test_the_life_of_a_topic(cli: Cli, name: str) -> None:
    assert cli("topic", "create", name, "-p", "2", "--set", "retention.ms=7d") == f"created {name}\n"
    assert cli("topic", "create", name, "--if-not-exists") == f"created {name}\n"
    assert {"topic": name, "partitions": 2, "replication_factor": 1} in cli.json("topic", "list")
    (about,) = cli.json("topic", "describe", name)
    assert about["configs"] == {"retention.ms": "604800000"}
    assert [part["replicas"] for part in about["partitions"]] == [[1], [1]]
    assert "retention.ms=604800000\nPARTITION  LEADER  REPLICAS" in cli("topic", "describe", name)
    assert "has 3 partitions" in cli("topic", "alter", name, "-p", "3")
    assert cli("topic", "delete", name) == f"deleted {name}\n"
    assert cli("topic", "delete", name, "--if-exists") == f"deleted {name}\n"
    assert "ottla topic list" in cli.fails("topic", "describe", name)


def test_a_topic_that_is_there_and_one_that_is_not(cli: Cli, name: str) -> None:
    cli("topic", "create", name, "--dry-run")
    assert "UNKNOWN_TOPIC" in cli.fails("topic", "delete", name)
    cli("topic", "create", name)
    assert "--if-not-exists" in cli.fails("topic", "create", name)
    assert "INVALID_TOPIC" in cli.fails("topic", "create", "no good name!")
    assert "2 failed:" in cli.fails("topic", "delete", "one-not-there", "two-not-there")
    assert "has no partition 7" in cli.fails("topic", "delete-records", name, "-p", "7", "--before", "1", code=2)


def test_offsets_and_the_oldest_records(cli: Cli, name: str) -> None:
    cli("topic", "create", name, "-p", "1")
    cli("produce", name, stdin=b"a\nb\nc\n")
    row = {"topic": name, "partition": 0, "begin": 0, "end": 3, "records": 3}
    assert cli.json("topic", "offsets", name) == [row]
    assert cli.json("topic", "offsets", name, "--time", "1h") == [{**row, "at": 0}]
    assert cli.json("topic", "delete-records", name, "--before", "2") == [{"topic": name, "partition": 0, "begin": 2}]
    assert cli("consume", name, "-e", "--from-beginning") == "c\n"
    assert cli.json("topic", "delete-records", name, "--older-than", "0s")[0]["begin"] == 3
    assert "give --before" in cli.fails("topic", "delete-records", name, code=2)


def test_replicas_and_leaders(cli: Cli, name: str) -> None:
    cli("topic", "create", name, "--assign", "1,1")
    assert len(cli.json("topic", "describe", name)[0]["partitions"]) == 2
    assert cli("topic", "reassign", name, "--replicas", "1", "--wait") == "2 partitions: done\n"
    assert cli("topic", "reassign", name, "--cancel") == "0 partitions: cancelled\n"
    assert cli("topic", "elect", name) == "every leader is the preferred one\n"
    assert "3 lists of replicas for 2 partitions" in cli.fails("topic", "reassign", name, "--replicas", "1,1,1", code=2)
    assert "which replicas?" in cli.fails("topic", "reassign", name, code=2)


def test_a_topic_that_is_not_there_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not after max.block.ms, a minute; with what was perhaps meant."""
    monkeypatch.setattr("ottla.cli.produce.FIND_MS", 200)
    broker = Kafka({"auto.create.topics.enable": "false"})
    try:
        cli = Cli(broker.bootstrap)
        cli("topic", "create", "orders")
        said = cli.fails("produce", "ordres", stdin=b"a book\n")
        assert "there is no topic ordres: did you mean orders?" in said
        assert "ottla topic create ordres" in said
    finally:
        broker.close()
