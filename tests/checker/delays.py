"""The matrix of delays: a request of one transaction arrives when its producer is in a later one.

    python -m tests.checker.delays [--on kafka] [--clients java-3.9 ...]

    connection A   … transaction 1, of which one request is held up ─────────────────► it arrives: nothing may come of it
    connection B                  the producer repeats it (or gives the transaction up)   transaction 2 …

The producer gives connection A up when it repeats the request, as clients do after a time-out or a disconnect; `shapes`
says which requests share a connection. A case is a client, what is held up, whether it was repeated or given up (then the
transaction is aborted), whether A had carried anything before, the moment of transaction 2 or 3 at which it arrives, and how
that one ends. Afterwards what is read, the group's positions, the partitions of the transaction and its state must be
what they are without the late request.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from .late_case import Broken, LateCase, prepare
from .raw import RefusedError
from .shapes import SHAPES, Shape

REQUESTS = ("produce", "add-partitions", "add-offsets", "commit-offsets", "both-offsets", "end-commit", "end-abort")
ONLY_OLD = ("add-partitions", "add-offsets", "both-offsets")
MOMENTS = ("begun", "added", "produced", "offsets-added", "offsets", "third")
ONLY_OLD_MOMENTS = ("added", "offsets-added")


class Case(NamedTuple):
    """One delay."""

    shape: Shape
    request: str
    given_up: bool
    fresh: bool
    moment: str
    commit: bool

    def __str__(self) -> str:
        return (
            f"{self.shape.name}: {self.request} {'given up' if self.given_up else 'repeated'}, over a "
            f"{'fresh' if self.fresh else 'used'} connection, arrives at {self.moment} of a transaction that is "
            f"{'committed' if self.commit else 'aborted'}"
        )


def cases(clients: Sequence[str] = ()) -> Iterator[Case]:
    """The whole matrix, or that of some clients."""
    for shape in SHAPES:
        if clients and shape.name not in clients:
            continue
        for request, given_up, fresh, moment, commit in itertools.product(
            REQUESTS, (False, True), (False, True), MOMENTS, (True, False)
        ):
            if request.startswith("end") and given_up:
                continue  # an end is repeated until it is answered
            if shape.is_new and (request in ONLY_OLD or moment in ONLY_OLD_MOMENTS):
                continue  # is not sent in version 2 of transactions
            yield Case(shape, request, given_up, fresh, moment, commit)


@dataclass
class Result:
    """What came of a case: what is wrong, and how the late request was answered."""

    case: Case
    wrong: list[str]
    answer: str


async def run(port: int, chosen: Sequence[Case], now_ms: int) -> list[Result]:
    """Run cases one after the other on the broker at `port`."""
    results = []
    place = await prepare(port, 0, now_ms)
    for number, case in enumerate(chosen):
        late = LateCase(port, case, place, number)
        try:
            await late.run()
        except (Broken, RefusedError, TimeoutError) as problem:
            late.wrong.append(str(problem) or type(problem).__name__)
        finally:
            await late.close()
        results.append(Result(case, late.wrong, late.answer))
        if late.wrong:  # it may have left something open
            place = await prepare(port, number + 1, now_ms)
    return results


def show(results: Sequence[Result]) -> str:
    """A line per kind of request and client, and each thing that is wrong."""
    lines = [f"{len(results)} delays, {sum(bool(each.wrong) for each in results)} took effect in a later transaction"]
    for (name, request), group in itertools.groupby(results, lambda each: (each.case.shape.name, each.case.request)):
        those = list(group)
        answers = ", ".join(
            f"{answer} {count}" for answer, count in Counter(each.answer for each in those).most_common()
        )
        lines.append(
            f"{name:13} {request:15} {len(those):4} delays {sum(bool(e.wrong) for e in those):4} wrong   {answers}"
        )
    lines += [f"{each.case}: {'; '.join(each.wrong)}" for each in results if each.wrong]
    return "\n".join(lines)


def main() -> int:
    """Run the matrix on a broker of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--on", choices=("ottla", "kafka"), default="ottla")
    parser.add_argument("--clients", nargs="*", default=[], choices=[shape.name for shape in SHAPES])
    options = parser.parse_args()
    chosen, now_ms = list(cases(options.clients)), time.time_ns() // 1_000_000
    with tempfile.TemporaryDirectory(prefix="ottla-delays-") as name:
        if options.on == "kafka":
            from tests.support.kafka_jvm import KafkaJvm

            with KafkaJvm(Path(name), properties={"offsets.topic.num.partitions": "5"}) as kafka:
                results = asyncio.run(run(kafka.port, chosen, now_ms))
        else:
            from tests.crash.node import Node

            node = Node(Path(name))
            node.start()
            try:
                results = asyncio.run(run(node.port, chosen, now_ms))
                assert node.trouble() == []
            finally:
                node.kill()
    print(f"{options.on}: {show(results)}")
    return min(1, sum(bool(each.wrong) for each in results))


if __name__ == "__main__":
    sys.exit(main())
