"""`python -m ottla.testing`: the broker of the fixture for tests in any language.

Prints one line of JSON, {"bootstrap": "127.0.0.1:40123"}, then reads commands from stdin, one JSON object a line, and
answers each with one: {"ok": …} or {"error": "…"}. It ends when stdin ends, so it cannot outlive the test that started it.

    {"do": "topic", "topic": "t", "partitions": 3}                    {"do": "fail", "api": "Produce", "topic": "t",
    {"do": "put", "topic": "t", "records": [["key", "value"], "v"]}    "times": 2, "error": "NOT_LEADER_OR_FOLLOWER"}
    {"do": "records", "topic": "t"}                                   {"do": "hold", "api": "Produce", "name": "gate"}
    {"do": "requests", "api": "Produce"}                              {"do": "release", "name": "gate"}
    {"do": "disconnect"}  {"do": "kill"}  {"do": "start"}  {"do": "restart"}

Options: --set key=value, as for `ottla start`.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from ..protocol.errors import ErrorCode
from .faults import Gate
from .kafka import Kafka
from .topics import Record

#: Names in a command that are not about the request a rule speaks of.
_OWN = {"do", "api", "times", "nth", "error", "name"}


def main() -> int:
    """Serve one test until stdin ends."""
    parser = argparse.ArgumentParser(prog="python -m ottla.testing", description="A Kafka-compatible broker for tests.")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="a broker setting; repeatable")
    config = dict(setting.split("=", 1) for setting in parser.parse_args().set)
    with Kafka(config) as kafka:
        _say({"bootstrap": kafka.bootstrap})
        commands = Commands(kafka)
        for line in sys.stdin:
            if line.strip():
                _say(commands.run(line))
    return 0


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


class Commands:
    """What can be asked for over stdin."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._gates: dict[str, Gate] = {}

    def run(self, line: str) -> dict[str, Any]:
        """Do what one line says; whatever is wrong with it is the answer."""
        try:
            command = json.loads(line)
            work = getattr(self, f"_do_{command['do']}", None)
            if work is None:
                return {"error": f"nothing is called {command['do']!r}: {', '.join(self.names())}"}
            return {"ok": work(command)}
        except Exception as error:  # noqa: BLE001 - told to whoever asked; the next command may be right
            return {"error": f"{type(error).__name__}: {error}"}

    @classmethod
    def names(cls) -> list[str]:
        """The names of all commands."""
        return sorted(name.removeprefix("_do_") for name in vars(cls) if name.startswith("_do_"))

    def _do_topic(self, command: dict[str, Any]) -> int:
        return self._kafka.topic(command["topic"], command.get("partitions"), **command.get("configs", {})).partitions

    def _do_put(self, command: dict[str, Any]) -> list[dict[str, Any]]:
        records = [tuple(each) if isinstance(each, list) else each for each in command["records"]]
        return [
            _record(each)
            for each in self._kafka.topic(command["topic"]).put(records, partition=command.get("partition"))
        ]

    def _do_records(self, command: dict[str, Any]) -> list[dict[str, Any]]:
        return [_record(each) for each in self._kafka.topic(command["topic"]).records(command.get("partition"))]

    def _do_requests(self, command: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {"api": each.api, "version": each.version, "client_id": each.client_id}
            for each in self._kafka.requests(command.get("api"))
        ]

    def _do_fail(self, command: dict[str, Any]) -> bool:
        trigger = self._kafka.on(command["api"], **_about(command))
        if "nth" in command:
            trigger.nth(command["nth"])
        elif "times" in command:
            trigger.times(command["times"])
        name = command["error"]
        trigger.fail(ErrorCode.__members__.get(name, name))  # `fail` tells what is wrong with a name that is none
        return True

    def _do_hold(self, command: dict[str, Any]) -> bool:
        self._gates[command["name"]] = self._kafka.hold(command["api"], **_about(command))
        return True

    def _do_release(self, command: dict[str, Any]) -> bool:
        self._gates.pop(command["name"]).release()
        return True

    def _do_disconnect(self, command: dict[str, Any]) -> bool:
        self._kafka.disconnect()
        return True

    def _do_kill(self, command: dict[str, Any]) -> bool:
        self._kafka.kill()
        return True

    def _do_start(self, command: dict[str, Any]) -> bool:
        self._kafka.start()
        return True

    def _do_restart(self, command: dict[str, Any]) -> bool:
        self._kafka.restart()
        return True


def _about(command: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in command.items() if name not in _OWN}


def _record(record: Record) -> dict[str, Any]:
    """A record in JSON: bytes that are no UTF-8 have their odd ones as \\udcXX escapes."""
    plain = record._asdict()
    plain["key"], plain["value"] = _text(record.key), _text(record.value)
    plain["headers"] = [[name, _text(value)] for name, value in record.headers]
    return plain


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "surrogateescape")


if __name__ == "__main__":
    sys.exit(main())
