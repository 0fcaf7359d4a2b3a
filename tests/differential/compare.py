"""Asks two brokers the same and says where they differ.

    python -m tests.differential.compare KAFKA_HOST:PORT OTTLA_HOST:PORT [part of a row's name]
    python -m tests.differential.compare KAFKA_HOST:PORT             what one broker says

Both brokers must be new: the rows create topics and groups, and compare what is there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ottla.protocol.errors import ErrorCode

from . import (
    rows_admin,
    rows_configs,
    rows_consumer,
    rows_groups,
    rows_protocol,
    rows_records,
    rows_share,
    rows_share_delivery,
    rows_streams,
    rows_topics,
    rows_transactions,
    rows_users,
)
from .known import KNOWN, Known
from .wire import Outcome, Peer, Row, Unsendable, versions_of

#: Topics for the rows after them; these are asked only when both brokers know all of them.
SETUP: list[Row] = [*rows_topics.SETUP, *rows_streams.SETUP]
ROWS: list[Row] = [
    *SETUP,
    *rows_protocol.ROWS,
    *rows_topics.ROWS,
    *rows_configs.ROWS,
    *rows_admin.ROWS,
    *rows_users.ROWS,
    *rows_share_delivery.SETUP,
    *rows_records.ROWS,
    *rows_groups.ROWS,
    *rows_transactions.ROWS,
    *rows_streams.ROWS,
    *rows_consumer.ROWS,
    *rows_share.ROWS,
    *rows_share_delivery.ROWS,
]


@dataclass(frozen=True)
class Difference:
    """A row and version in which two brokers did not do the same."""

    row: str
    version: int
    path: str
    expected: Any
    got: Any

    def __str__(self) -> str:
        return f"{self.row}, v{self.version}: {self.path}: Kafka {self.expected!r}, Ottla {self.got!r}"


def differences(expected: Any, got: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two masked answers differ, one path each."""
    if isinstance(expected, dict) and isinstance(got, dict) and expected.keys() == got.keys():
        for name in expected:
            if name == "error_message" and _same_text(expected, got):
                continue
            yield from differences(expected[name], got[name], f"{path}.{name}" if path else name)
    elif isinstance(expected, list) and isinstance(got, list):
        if expected and isinstance(expected[0], dict) and "api_key" in expected[0]:
            served = {api["api_key"] for api in got}
            expected = [api for api in expected if api["api_key"] in served]
        if len(expected) == len(got):
            for index, pair in enumerate(zip(expected, got, strict=True)):
                yield from differences(*pair, f"{path}[{_label(pair[0], index)}]")
        else:
            yield path, expected, got
    elif expected != got:
        yield path, expected, got


def _label(item: Any, index: int) -> str:
    if isinstance(item, dict):
        for name in ("name", "partition_index", "index", "api_key", "resource_name", "group_id"):
            if name in item:
                return str(item[name])
    return str(index)


def _same_text(expected: dict[str, Any], got: dict[str, Any]) -> bool:
    """Whether both say of an error only what its code says: Kafka in its words, Ottla in its own."""
    code: int = got.get("error_code", 0)
    return bool(code and code == expected["error_code"] and expected["error_message"]) and (
        got["error_message"] == ErrorCode(code).message
    )


def reason(difference: Difference) -> Known | None:
    """The entry of the list of known differences that this one is."""
    for known in KNOWN:
        if fnmatchcase(difference.row, known.row) and fnmatchcase(difference.path, known.path):
            return known
    return None


def outcomes(row: Row, *peers: Peer) -> Iterator[tuple[int, list[Outcome]]]:
    """What each peer does with the row, version by version."""
    for version in versions_of(row, *peers):
        try:
            yield version, [peer.ask(row, version) for peer in peers]
        except Unsendable:
            continue


def compare(kafka: Peer, ottla: Peer, tell: Callable[[Difference], None]) -> tuple[int, int]:
    """Ask every row of both; returns how many rows could be asked, and how often."""
    asked_rows = asked = 0
    for row in ROWS:
        before = asked
        for version, (expected, got) in outcomes(row, kafka, ottla):
            asked += 1
            if expected.kind != got.kind:
                tell(Difference(row.name, version, "outcome", expected.kind, got.kind))
                continue
            for path, one, other in differences(expected.answer, got.answer):
                tell(Difference(row.name, version, path, one, other))
        asked_rows += asked > before
        if row is SETUP[-1]:
            for peer in (kafka, ottla):
                peer.await_topics({topic["name"] for row in SETUP for topic in row.fields["topics"]})
    return asked_rows, asked


def main(arguments: list[str]) -> int:
    """Print what one broker says, or where two differ and that is not known yet (with --all: known ones too)."""
    peers = [Peer(address, address) for address in arguments if ":" in address]
    words = [word for word in arguments if ":" not in word and word != "--all"]
    found: list[Difference] = []
    if len(peers) == 1:
        for row in ROWS:
            for version, (answer,) in outcomes(row, *peers):
                if all(word in row.name for word in words):
                    print(f"{row.name}, v{version}: {answer.kind} {answer.answer}")
    else:
        print("%d rows, asked %d times" % compare(peers[0], peers[1], found.append))
        for difference in found:
            if ("--all" in arguments or reason(difference) is None) and all(word in difference.row for word in words):
                print(difference)
    for peer in peers:
        peer.close()
    return min(len(found), 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
