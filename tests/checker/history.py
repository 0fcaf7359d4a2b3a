"""What happened to transactional clients: one line of JSON per event, from many processes, of which some were killed.

A producer writes what it is going to do before it does it, so that a history is right wherever its process was killed:

    began   transaction, who, what it will send and which inputs it has taken
    ending  commit or abort is about to be asked; the offsets that were told until then
    ended   what was told: committed, aborted, or unknown      (nothing at all: unknown)
    init    a producer has taken over its transactional id
    read    what one poll of a consumer of committed records brought

Times are of CLOCK_MONOTONIC, which all processes of a machine share. `History` is what the lines add up to, and what
`verdicts` judges.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

COMMITTED, ABORTED, UNKNOWN = "committed", "aborted", "unknown"
NEVER = 1 << 62


@dataclass
class Send:
    """One value, and the offset the broker told for it, if it did."""

    partition: str
    value: str
    offset: int | None = None


@dataclass
class Take:
    """Inputs of a partition that a transaction has consumed, and the position it commits for the group."""

    group: str
    partition: str
    inputs: list[tuple[int, str]]
    position: int


@dataclass
class Transaction:
    """One transaction as its producer saw it."""

    name: str
    transactional_id: str
    #: Which producer of this transactional id: its number among all that were initialised.
    instance: str
    began: int
    sends: list[Send] = field(default_factory=list)
    takes: list[Take] = field(default_factory=list)
    #: When commit was asked (NEVER: it was not), and what was answered, when.
    asked: int = NEVER
    outcome: str = UNKNOWN
    ended: int = NEVER


@dataclass
class Poll:
    """What one poll of one consumer brought. A session is one life of a consumer: positions start anew in the next."""

    session: str
    at: int
    records: list[tuple[str, int, str]]


@dataclass
class History:
    """All that is known when everything has ended."""

    transactions: dict[str, Transaction] = field(default_factory=dict)
    polls: list[Poll] = field(default_factory=list)
    #: Per producer instance: its transactional id and when its initialisation was answered.
    inits: dict[str, tuple[str, int]] = field(default_factory=dict)
    #: Per partition: every committed record in the end.
    log: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    #: Per (group, partition): the committed position in the end.
    positions: dict[tuple[str, str], int] = field(default_factory=dict)
    #: Partitions whose last stable offset is not their end though every producer has ended: (stable, end).
    open: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, event: dict[str, Any]) -> None:
        """Take in one event."""
        match event["e"]:
            case "began":
                takes = [Take(g, p, [(o, v) for o, v in inputs], n) for g, p, inputs, n in event["takes"]]
                sends = [Send(partition, value) for partition, value in event["sends"]]
                found = Transaction(event["txn"], event["id"], event["instance"], event["at"], sends, takes)
                self.transactions[found.name] = found
            case "ending":
                found = self.transactions[event["txn"]]
                found.asked = event["at"] if event["commit"] else NEVER
                for value, offset in event["offsets"]:
                    for send in found.sends:
                        if send.value == value:
                            send.offset = offset
            case "ended":
                found = self.transactions[event["txn"]]
                found.outcome, found.ended = event["outcome"], event["at"]
            case "init":
                self.inits[event["instance"]] = (event["id"], event["at"])
            case "read":
                self.polls.append(Poll(event["session"], event["at"], [(p, o, v) for p, o, v in event["records"]]))
            case unknown:
                raise ValueError(f"no event is called {unknown!r}")


class Recorder:
    """Appends events to a file, each in one write, so that what was written survives the process."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, event: dict[str, Any]) -> None:
        """Write one event."""
        os.write(self._file, json.dumps(event, separators=(",", ":")).encode() + b"\n")


def load(paths: Iterable[Path]) -> History:
    """Read files of events; what a killed process began to write as its last line is left out."""
    history = History()
    for path in paths:
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    history.add(json.loads(line))
    history.polls.sort(key=lambda poll: poll.at)
    return history
