"""`ottla group`: lag, members, and resets that only show what they would do until they are told to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.support import Cli


@pytest.fixture
def group(cli: Cli, name: str) -> str:
    """A group that has read three of five records of a topic of its name."""
    cli("topic", "create", name, "-p", "1")
    cli("produce", name, stdin=b"0\n1\n2\n3\n4\n")
    assert cli("consume", name, "-g", name, "--from-beginning", "-c", "3") == "0\n1\n2\n"
    return name


def test_list_and_describe(cli: Cli, group: str) -> None:
    assert group in [row["group"] for row in cli.json("group", "list")]
    assert group not in [row["group"] for row in cli.json("group", "list", "--state", "Stable")]
    (about,) = cli.json("group", "describe", group)
    assert (about["state"], about["lag"], about["members"]) == ("Empty", 2, 0)
    assert about["partitions"] == [
        {"topic": group, "partition": 0, "committed": 3, "end": 5, "lag": 2, "member": None, "host": None}
    ]
    assert "lag 2\nTOPIC" in cli("group", "describe", group)
    assert cli.json("group", "members", group) == []
    assert "ottla group list" in cli.fails("group", "describe", "no-such-group")


@pytest.mark.parametrize(
    ("words", "new"),
    [
        (("--to-earliest",), 0), (("--to-latest",), 5), (("--to-offset", "4"), 4), (("--to-offset", "99"), 5),
        (("--shift-by", "-2"), 1), (("--shift-by", "-9"), 0), (("--to-current",), 3), (("--by-duration", "PT1H"), 0),
        (("--to-datetime", "2020-01-01T00:00"), 0), (("--to-datetime", "9999999999999"), 5),
    ],
)  # fmt: skip
def test_where_a_reset_goes(cli: Cli, group: str, words: tuple[str, ...], new: int) -> None:
    """Nothing is changed without --execute."""
    shown = cli.json("group", "reset", group, "--all-topics", *words)
    assert shown == {
        "group": group, "executed": False,
        "partitions": [{"topic": group, "partition": 0, "committed": 3, "new": new}],
    }  # fmt: skip
    assert cli.json("group", "describe", group)[0]["partitions"][0]["committed"] == 3


def test_a_reset_is_done_when_told(cli: Cli, group: str) -> None:
    assert "--execute does it" in cli("group", "reset", group, "--topic", f"{group}:0", "--to-offset", "1")
    assert "done" in cli("group", "reset", group, "--topic", f"{group}:0", "--to-offset", "1", "--execute")
    assert cli("consume", group, "-g", group, "-e") == "1\n2\n3\n4\n"
    assert "where to?" in cli.fails("group", "reset", group, "--all-topics", code=2)
    assert "of which topics?" in cli.fails("group", "reset", group, "--to-latest", code=2)


def test_a_group_is_deleted(cli: Cli, group: str) -> None:
    assert "1 partition(s)" in cli("group", "delete-offsets", group, "--topic", group)
    assert cli("group", "delete", group) == f"deleted {group}\n"
    assert "GROUP_ID_NOT_FOUND" in cli.fails("group", "delete", group)
    assert "which members?" in cli.fails("group", "remove-members", group, code=2)


def test_offsets_are_exported_and_taken_from_a_file(cli: Cli, group: str, tmp_path: Path) -> None:
    """As kafka-consumer-groups --export and --from-file."""
    path = tmp_path / "offsets.csv"
    path.write_text(cli("group", "reset", group, "--all-topics", "--to-offset", "2", "--export"))
    assert path.read_text() == f"{group},0,2\n"
    assert "done" in cli("group", "reset", group, "--from-file", str(path), "--execute")
    assert cli.json("group", "describe", group)[0]["partitions"][0]["committed"] == 2
    path.write_text(f"{group};0;2\n")
    assert "line 1" in cli.fails("group", "reset", group, "--from-file", str(path), code=2)


def test_describe_without_a_name_is_all(cli: Cli, group: str) -> None:
    assert group in [about["group"] for about in cli.json("group", "describe")]
