"""The command line's entry: one table of commands, arguments by argparse, trouble on two lines.

    ottla start [--listen HOST:PORT] [--data-dir DIR] [--config FILE] [--set key=value] ...
    ottla doctor [--listen HOST:PORT] [--data-dir DIR] [--json]
    ottla log dump FILE ... [--json] [--records]
    ottla secure init DIR [--host NAME] ... [--port PORT] [--user USER]
    ottla user create NAME [--acl RULE] ... | rotate NAME | revoke NAME | list
    ottla topic | produce | consume | group | config | acl | cluster | txn | bench ...      any Kafka (nouns.py)
    ottla version

Each command names the module that runs it; the module is imported after the arguments are read, which keeps `--help`
under 0.15 s; only the command that is called gets its flags. `run(arguments)` of that module returns the exit code. docs/cli.md describes every flag (a test holds it).
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from .. import __version__
from .nouns import NOUNS
from .spec import CONNECTION, adder, fill
from .trouble import MISUSED, Trouble, explain_reading

DEFAULT_LISTEN = "127.0.0.1:9092"


class _Parser(argparse.ArgumentParser):
    """argparse, whose errors say what to do next as every other error does."""

    def error(self, message: str) -> NoReturn:
        raise Trouble(message.removeprefix("argument "), f"{self.prog} --help", MISUSED)


def listen_address(text: str) -> tuple[str, int]:
    """HOST:PORT, :PORT, PORT or [IPV6]:PORT."""
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT with a port from 0 to 65535")
    return host.strip("[]") or "127.0.0.1", int(port)


def setting(text: str) -> tuple[str, str]:
    """KEY=VALUE of --set."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key.strip(), value


def _start_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--listen",
        metavar="HOST:PORT",
        type=listen_address,
        help=f"where to listen (default {DEFAULT_LISTEN}; port 0: any free one)",
    )
    add(
        "--data-dir",
        metavar="DIR",
        type=Path,
        help="where the data lives (default log.dirs, else ~/.local/share/ottla)",
    )
    add("--config", metavar="FILE", type=Path, help="settings: Kafka's server.properties, or TOML")
    add(
        "--set",
        metavar="KEY=VALUE",
        type=setting,
        action="append",
        default=[],
        help="one setting; wins over the file; repeatable",
    )
    add(
        "--allow-plaintext",
        action="store_true",
        help="listen without TLS and authentication where other machines reach it",
    )


def _doctor_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--listen", metavar="HOST:PORT", type=listen_address, help=f"the address to look at (default {DEFAULT_LISTEN})")
    add("--data-dir", metavar="DIR", type=Path, help="the data folder to look at")
    add("--json", action="store_true", help="for programs")


def _log_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    dump = actions.add_parser("dump", help="print what a file of a data folder holds", description=_DUMP)
    dump.add_argument("files", metavar="FILE", type=Path, nargs="+", help="segment, index, snapshot or checkpoint")
    dump.add_argument("--records", action="store_true", help="each record, not only each batch")
    dump.add_argument("--json", action="store_true", help="one JSON object a line, for programs")


def _rule(text: str) -> object:
    """One `--acl`; what that means is only known where it is needed."""
    from .user import rule

    return rule(text)


def _user_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True, dest="action")
    texts = {
        "create": "make a user: prints name and secret, once",
        "rotate": "give a user a new secret",
        "revoke": "delete a user's secret and rules",
        "list": "list the users",
    }
    for name, text in texts.items():
        action = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        add = action.add_argument
        if name != "list":
            add("name", metavar="NAME", help="the user")
        if name in ("create", "rotate"):
            add(
                "--mechanism",
                choices=["SCRAM-SHA-256", "SCRAM-SHA-512"],
                action="append",
                help="how it logs in (default SCRAM-SHA-512; rotate: as before); repeatable",
            )
        if name == "create":
            add(
                "--acl",
                metavar="OPERATIONS:TYPE:NAME",
                type=_rule,
                action="append",
                default=[],
                help="what it may do, such as read:topic:orders or write:topic:logs-*; repeatable",
            )
        add(
            "--data-dir",
            metavar="DIR",
            type=Path,
            help="ask no broker but this data folder, also before the first start",
        )
        add("--config", metavar="FILE", type=Path, help="the broker's settings, which name its data folder")
        fill(action, CONNECTION)
        add("--json", action="store_true", help="for programs")


def _secure_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    init = actions.add_parser("init", help="make certificates, a config and client files", description=_SECURE)
    init.add_argument("folder", metavar="DIR", type=Path, help="where to write; nothing is overwritten")
    init.add_argument(
        "--host",
        metavar="NAME",
        action="append",
        help="a name or address by which clients reach the broker; repeatable, the first is told to them (default localhost)",
    )
    init.add_argument(
        "--port", metavar="PORT", type=int, default=9093, help="of SASL_SSL; SSL is one above (default 9093)"
    )
    init.add_argument("--user", metavar="USER", default="admin", help="who may do everything (default admin)")


def _no_arguments(parser: argparse.ArgumentParser) -> None:
    """The command takes none."""


_DUMP = (
    "Prints a file of a data folder, Kafka's or Ottla's: .log and .checkpoint (record batches), .index, .timeindex, "
    ".txnindex, .snapshot, leader-epoch-checkpoint and the other checkpoints, partition.metadata, meta.properties. "
    "Each batch is checked as on its way in; what is damaged is named, and the exit code is 1."
)
_SECURE = (
    "Makes a certificate authority, certificates for a broker and a client, a user with a password, a broker's config with TLS, "
    "SCRAM and ACLs, and ready files for Java, librdkafka and Python clients."
)
#: Arguments that take any number of words.
_LISTS = ("files", "names", "groups", "keys", "ids", "topics")
#: Command -> (one line of help, its arguments, the module that runs it).
COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None], str]] = {
    "start": ("start a broker", _start_arguments, "start"),
    "doctor": ("look at this machine: versions, extensions, limits, port, disk", _doctor_arguments, "doctor"),
    "log": ("look into the files of a data folder", _log_arguments, "log_dump"),
    "user": ("make, change and delete users: API keys for people and programs", _user_arguments, "user"),
    "secure": ("make certificates, a config and client files for TLS and passwords", _secure_arguments, "secure"),
    **{name: (noun.help, adder(noun), noun.module) for name, noun in NOUNS.items()},
    "version": ("print the version", _no_arguments, "version"),
}


def parser(words: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """The whole command line (docs and tests read it too); with `words`, only the commands among them have their flags."""
    root = _Parser(prog="ottla", description="An event-streaming broker that speaks Apache Kafka's protocol.")
    root.add_argument("--version", action="version", version=f"ottla {__version__}")
    for names, options in CONNECTION:  # before the command, too, as kcat's users write them
        own = {"dest": "root_settings"} if options.get("dest") == "settings" else {}
        root.add_argument(*names, **{**options, **own})
    commands = root.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (text, add_arguments, module) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if words is None or name in words:
            add_arguments(command)
        command.set_defaults(module=module)
    return root


def read(words: Sequence[str]) -> argparse.Namespace:
    """Read the words of a call. argparse takes the words of a list only where the first of them stands: `produce orders -l FILE`
    has its list broken by a flag, and what is left over belongs to it."""
    root = parser(words)
    arguments, rest = root.parse_known_args(list(words))
    if rest:
        lists = [value for name in _LISTS if isinstance(value := getattr(arguments, name, None), list)]
        if len(lists) != 1 or any(word.startswith("-") for word in rest):
            from ..metadata.configs.values import did_you_mean  # only for people who mistyped

            command = _command_of(root, words)
            flag = next((word.partition("=")[0] for word in rest if word.startswith("-")), "")
            hint = did_you_mean(flag, command._option_string_actions)
            command.error(f"unrecognized arguments: {' '.join(rest)}{hint}")
        lists[0] += rest
    return arguments


def _command_of(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of the command among these words."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            named = next((word for word in words if word in action.choices), None)
            return parser if named is None else _command_of(action.choices[named], words)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    try:
        words = sys.argv[1:] if argv is None else list(argv)
        arguments = read(words)
        command = importlib.import_module(f"{__package__}.{arguments.module}")
        code: int = command.run(arguments)
        sys.stdout.flush()
    except Trouble as trouble:
        print(f"ottla: {trouble}", file=sys.stderr)
        return trouble.exit_code
    except BrokenPipeError:  # `ottla consume … | head`: the reader has seen enough
        _forget_stdout()
        return 0
    except OSError as error:  # a file or folder that a command looked at; what `start` meets is explained there
        found = explain_reading(error)
        if found is None:
            raise
        print(f"ottla: {found}", file=sys.stderr)
        return found.exit_code
    except KeyboardInterrupt:
        return 130
    return code


def _forget_stdout() -> None:
    """Let what is still buffered for a reader that has gone go nowhere, silently."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        return


if __name__ == "__main__":
    sys.exit(main())
