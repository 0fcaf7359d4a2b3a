"""`ottla config`: what was changed is shown, and changed back."""

from __future__ import annotations

from tests.cli.support import Cli


def test_configs_of_a_topic(cli: Cli, name: str) -> None:
    cli("topic", "create", name)
    assert cli.json("config", "get", "topic", name) == []
    assert cli("config", "set", "topic", name, "retention.ms=1d", "cleanup.policy=compact,delete").startswith(
        "retention.ms=1d"
    )
    found = {row["name"]: row["value"] for row in cli.json("config", "get", "topic", name)}
    assert found == {"retention.ms": "86400000", "cleanup.policy": "compact,delete"}
    cli("config", "unset", "topic", name, "retention.ms")
    assert [row["source"] for row in cli.json("config", "get", "topic", name, "retention.ms")] == ["default"]
    assert len(cli.json("config", "get", "topic", name, "--all", "--docs")) > 20
    assert "there is no config" in cli.fails("config", "get", "topic", name, "retention", code=2)
    assert "INVALID_CONFIG" in cli.fails("config", "set", "topic", name, "retention.ms=-7")
    assert "UNKNOWN_TOPIC" in cli.fails("config", "get", "topic", f"{name}-not")


def test_configs_of_others(cli: Cli, name: str) -> None:
    cli("config", "set", "group", name, "consumer.session.timeout.ms=50000")
    assert [row["name"] for row in cli.json("config", "get", "group", name)] == ["consumer.session.timeout.ms"]
    assert {"type": "group", "name": name} in cli.json("config", "list")
    assert cli.json("config", "get", "broker", "1", "node.id")[0]["value"] == "1"
    assert "is no broker" in cli.fails("config", "get", "broker", "one", code=2)
