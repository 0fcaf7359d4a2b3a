"""`ottla acl`: rules are written as people say them."""

from __future__ import annotations

from tests.cli.support import Cli


def test_the_life_of_rules(cli: Cli, name: str) -> None:
    words = (
        "acl",
        "create",
        name,
        "--allow",
        "read,describe:topic:logs-*",
        "--deny",
        "write:topic:*",
        "--host",
        "10.0.0.1",
    )
    assert len(cli.json(*words)) == 3
    found = cli.json("acl", "list", "--principal", name)
    assert {(a["permission"], a["operation"], a["name"], a["pattern"], a["host"]) for a in found} == {
        ("allow", "read", "logs-", "prefixed", "10.0.0.1"),
        ("allow", "describe", "logs-", "prefixed", "10.0.0.1"),
        ("deny", "write", "*", "literal", "10.0.0.1"),
    }
    assert {a["principal"] for a in found} == {f"User:{name}"}
    match = cli.json("acl", "list", "--principal", name, "--type", "topic", "--name", "logs-x")
    assert len(match) == 3
    assert len(cli.json("acl", "delete", name, "--deny", "write:topic:*", "--host", "10.0.0.1")) == 1
    assert len(cli.json("acl", "delete", name)) == 2
    assert cli.json("acl", "list", "--principal", name) == []


def test_what_is_no_rule(cli: Cli, name: str) -> None:
    assert "is not OPERATION" in cli.fails("acl", "create", name, "--allow", "fly:topic:x", code=2)
    assert "no rule" in cli.fails("acl", "create", name, code=2)
