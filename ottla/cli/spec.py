"""The language of the command table: a noun has actions, an action has flags; help, completion and docs/cli.md come from it.

    Noun("topics", "topic", {"create": Action("make topics", (flag("names", metavar="TOPIC"), ...))})

It becomes an argparse parser (`add`), whose tree is what completion walks and what the reference is written from. Nothing
here or in the table imports a room of Ottla: `--help` and completion answer before any of them is loaded.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple


class Flag(NamedTuple):
    """One argument, as argparse takes it."""

    names: tuple[str, ...]
    options: dict[str, Any]


def flag(*names: str, **options: Any) -> Flag:
    """`flag("-p", "--partitions", type=int, help=...)`."""
    return Flag(names, options)


class Action(NamedTuple):
    """What can be done with a noun."""

    help: str
    flags: tuple[Flag, ...] = ()
    #: More than one line of help.
    text: str = ""


class Noun(NamedTuple):
    """A command. One that has no actions of its own has a single one named ""."""

    help: str
    module: str
    actions: dict[str, Action]


def pair(text: str) -> tuple[str, str]:
    """KEY=VALUE."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key.strip(), value


#: How to reach the cluster: every command that talks to one takes these.
CONNECTION = (
    flag("-b", "--bootstrap", metavar="HOST:PORT", default=argparse.SUPPRESS,
         help="brokers to ask, several with commas (default 127.0.0.1:9092)"),
    flag("--profile", metavar="PROFILE", default=argparse.SUPPRESS,
         help="a cluster of the profiles file (default $OTTLA_PROFILE)"),
    flag("--command-config", metavar="FILE", default=argparse.SUPPRESS,
         help="client properties, in Kafka's syntax; --config does as well"),
    flag("-X", dest="settings", metavar="KEY=VALUE", type=pair, action="append", default=argparse.SUPPRESS,
         help="one client setting by Kafka's name; wins over files; repeatable"),
)  # fmt: skip
JSON = flag("--json", action="store_true", help="for programs")
CONFIG = flag("--config", dest="command_config", metavar="FILE", default=argparse.SUPPRESS, help="as --command-config")
YES = flag("--yes", action="store_true", help="do not ask")


def action(text: str, *flags: Flag, more: str = "", json: bool = True) -> Action:
    """An action that talks to a cluster."""
    return Action(text, (*flags, *CONNECTION, CONFIG, *((JSON,) if json else ())), more)


def fill(parser: argparse.ArgumentParser, flags: tuple[Flag, ...]) -> None:
    """Give a parser its arguments."""
    for names, options in flags:
        parser.add_argument(*names, **options)


def adder(noun: Noun) -> Callable[[argparse.ArgumentParser], None]:
    """What gives the parser of a noun its actions and arguments."""

    def add(parser: argparse.ArgumentParser) -> None:
        if "" in noun.actions:
            only = noun.actions[""]
            parser.description = f"{only.text or parser.description}"
            fill(parser, only.flags)
            return
        actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True, dest="action")
        for name, each in noun.actions.items():
            text = each.text or f"{each.help[0].upper()}{each.help[1:]}."
            fill(actions.add_parser(name, help=each.help, description=text), each.flags)

    return add
