"""The command line as a whole: it answers at once, and misuse is told, not thrown."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ottla import __version__
from ottla.cli.main import COMMANDS, listen_address, main, parser, read
from ottla.cli.trouble import Trouble


def test_version_is_printed_by_flag_and_by_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"ottla {__version__}\n"
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"ottla {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert f"usage: ottla {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["strat"], "invalid choice: 'strat'"),
        ([], "required: COMMAND"),
        (["start", "--set", "novalue"], "'novalue' is not KEY=VALUE"),
        (["start", "--listen", "host"], "'host' is not HOST:PORT"),
        (["start", "--listen", "host:99999"], "port from 0 to 65535"),
        (["start", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["start", "--confg", "x"], "unrecognized arguments: --confg x (did you mean '--config'?)"),
        (["log"], "required: ACTION"),
    ],
)
def test_misuse_names_cause_and_next_step(arguments: list[str], cause: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert cause in error
    assert "next: ottla" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("text", "address"),
    [("1.2.3.4:9092", ("1.2.3.4", 9092)), (":9092", ("127.0.0.1", 9092)), ("9092", ("127.0.0.1", 9092)),
     ("[::1]:0", ("::1", 0)), ("localhost:1", ("localhost", 1))],
)  # fmt: skip
def test_listen_address_is_read(text: str, address: tuple[str, int]) -> None:
    assert listen_address(text) == address


def test_help_loads_nothing_of_the_broker() -> None:
    """`ottla --help` in 0.15 s: no room but the command line's own is imported, and no library."""
    code = (
        "import sys, ottla.cli.main as m\n"
        "m.parser().format_help()\n"
        "names = {n.partition('.')[0] if not n.startswith('ottla') else n for n in sys.modules}\n"
        "print(sorted(n for n in names if n in {'asyncio', 'rich', 'msgspec', 'uvloop', 'sqlite3'}\n"
        "    or (n.startswith('ottla.') and not n.startswith(('ottla.cli', 'ottla._')))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_flag_is_without_help() -> None:
    def flags(level: object) -> list[object]:
        found: list[object] = []
        for action in level._actions:  # type: ignore[attr-defined]
            choices = action.choices.values() if isinstance(action.choices, dict) else ()
            found += [action, *(inner for choice in choices for inner in flags(choice))]
        return found

    assert [a.dest for a in flags(parser()) if a.help is None and a.metavar not in {"COMMAND", "ACTION"}] == []  # type: ignore[attr-defined]


def test_a_list_may_be_broken_by_flags() -> None:
    assert read(["produce", "t", "a", "-l", "b", "c"]).files == ["a", "b", "c"]
    assert read(["consume", "t", "-e", "u"]).topics == ["t", "u"]
    for words in (
        ["group", "reset", "g", "--topic", "t", "x"],
        ["produce", "t", "-l", "a", "--nonsense"],
        ["topic", "list", "x"],
    ):
        with pytest.raises(Trouble, match="unrecognized arguments"):
            read(words)
