"""Kafka Streams, unmodified, with exactly_once_v2: a word count and a windowed join, with the broker killed in the middle.

    half the input ─► application ─► output begins ─► kill -9, restart ─► the other half ─► read_committed output

The word count has no cache, so each word's counts must come out as 1, 2, 3 ... n in this order: a lost input is a gap, a doubled one
a number too many. The join must give each pair within the window once. Both are computed here from the input and compared.
The same with `group.protocol=streams` (KIP-1071) is a row of its own.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable

from tests.support.jars import KAFKA_VERSION

from .client import Entry, Feeder, create, read_until
from .java import STREAMS, Java, libraries, program
from .suite import Outcome, Suite, Trial

WORDS = ("anchor", "birch", "cobalt", "delta", "ember", "fjord", "granite", "harbour", "iris", "juniper")
WINDOW_MS = 5_000  # as in StreamsApp.java
EPOCH_MS = 1_700_000_000_000
LINES, LINES_SHORT = 20_000, 500
PAIRS, PAIRS_SHORT = 4_000, 300
OUTPUT_S = 240.0


def prepare() -> str:
    return program("StreamsApp", libraries("streams", STREAMS))


def _lines(trial: Trial) -> list[str]:
    chance = random.Random(11)
    count = LINES if trial.full else LINES_SHORT
    return [" ".join(chance.choices(WORDS, k=chance.randint(1, 4))) for _ in range(count)]


def counts_are_right(output: Iterable[Entry], expected: Counter[str]) -> str:
    """What is wrong with a word count; empty if each word counts 1, 2, 3 ... n."""
    seen: dict[str, list[str]] = {}
    for entry in output:
        seen.setdefault(entry.key, []).append(entry.value)
    for word, times in sorted(expected.items()):
        got, wanted = seen.get(word, []), [str(n) for n in range(1, times + 1)]
        if got != wanted:
            at = next(
                (i for i, (a, b) in enumerate(zip(got, wanted, strict=False)) if a != b), min(len(got), len(wanted))
            )
            return f"{word}: {len(got)} counts instead of {times}; number {at + 1} is {got[at : at + 1]}"
    strange = set(seen) - set(expected)
    return f"words nobody sent: {sorted(strange)[:3]}" if strange else ""


def _through_a_restart(
    trial: Trial, topology: str, protocol: str, feed: Callable[[Feeder, int], None], output: str, expected: int
) -> list[Entry]:
    """Feeds half, lets the application begin, kills the broker, feeds the rest; the output."""
    create(trial.bootstrap, 4, output)
    feeder = Feeder(trial.bootstrap)
    feed(feeder, 0)
    feeder.flush()
    settings = [f"group.protocol={protocol}"]
    app = Java(
        prepare(),
        "StreamsApp",
        [trial.bootstrap, str(trial.folder / "state"), topology, *settings],
        trial.log(topology),
    )
    with app:
        app.wait_for("STATE RUNNING")
        read_until(trial.bootstrap, output, lambda found: len(found) >= expected // 8, OUTPUT_S, quiet_s=0)
        trial.kill_and_restart()
        feed(feeder, 1)
        feeder.flush()
        return read_until(trial.bootstrap, output, lambda found: len(found) >= expected, OUTPUT_S)


def word_count(protocol: str) -> Callable[[Trial], list[Outcome]]:
    """The row's `run`."""

    def run(trial: Trial) -> list[Outcome]:
        began, lines = time.monotonic(), _lines(trial)
        create(trial.bootstrap, 4, "words")

        def feed(feeder: Feeder, half: int) -> None:
            middle = len(lines) // 2
            for line in lines[middle:] if half else lines[:middle]:
                feeder.send("words", line)

        expected = Counter(word for line in lines for word in line.split())
        return _judged(
            "word count, each word 1 to n",
            began,
            lambda: counts_are_right(
                _through_a_restart(trial, "wordcount", protocol, feed, "counts", expected.total()), expected
            ),
        )

    return run


def join(trial: Trial) -> list[Outcome]:
    """The windowed join."""
    chance, began = random.Random(12), time.monotonic()
    count = PAIRS if trial.full else PAIRS_SHORT
    sides: dict[str, list[tuple[str, int, str]]] = {
        side: [
            (f"k{chance.randrange(50)}", EPOCH_MS + i * 100 + chance.randrange(2_000), f"{side[0]}{i}")
            for i in range(count)
        ]
        for side in ("left", "right")
    }
    by_key: dict[str, list[tuple[int, str]]] = {}
    for key, at, value in sides["right"]:
        by_key.setdefault(key, []).append((at, value))
    expected = Counter(
        f"{left}+{right}"
        for key, at, left in sides["left"]
        for other, right in by_key.get(key, ())
        if abs(at - other) <= WINDOW_MS
    )
    create(trial.bootstrap, 4, "left", "right")

    def feed(feeder: Feeder, half: int) -> None:
        middle = count // 2
        for number in range(middle, count) if half else range(middle):
            for side in ("left", "right"):
                key, at, value = sides[side][number]
                feeder.send(side, value, key, at)

    def problem() -> str:
        output = _through_a_restart(trial, "join", "classic", feed, "joined", expected.total())
        got = Counter(entry.value for entry in output)
        lost, doubled = expected - got, got - expected
        return f"{lost.total()} pairs lost, {doubled.total()} too many of {expected.total()}" if lost or doubled else ""

    return _judged("windowed join, each pair once", began, problem)


def _judged(name: str, began: float, problem: Callable[[], str]) -> list[Outcome]:
    try:
        said = problem()
    except (AssertionError, TimeoutError, RuntimeError) as error:
        said = f"{type(error).__name__}: {error}"[:400]
    return [Outcome(name, "fail" if said else "pass", said, time.monotonic() - began)]


_TITLE = f"Kafka Streams {KAFKA_VERSION}"
SUITES = (
    Suite("streams-count", _TITLE, "word count with `exactly_once_v2`; broker killed in the middle", word_count("classic"), prepare),
    Suite("streams-join", _TITLE, "windowed join with `exactly_once_v2`; broker killed in the middle", join, prepare),
    Suite("streams-group", _TITLE, "the word count as a streams group (KIP-1071); broker killed in the middle", word_count("streams"), prepare),
)  # fmt: skip
