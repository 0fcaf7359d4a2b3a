"""Programs of Apache Kafka's own system tests, with the broker killed (-9) under them, judged by themselves.

    StreamsSmokeTest             run: feeds 20,000 numbers, then checks every aggregate ◄──── process: the application, in pairs
    TransactionalMessageCopier   one per input partition, random aborts ─► all of the input, once, in read_committed output

They come in the test jar of kafka-streams and in kafka-tools, and are started as Kafka's ducktape scripts start them; which
topics they want and how often something is killed is what those scripts say, made smaller. The first takes minutes,
whatever it is given, so it has no short form. (StreamsEosTest asks for three replicas, which one node does not have.)
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack

from tests.support.jars import KAFKA, KAFKA_VERSION

from .client import Feeder, create, read_until
from .java import LOG, Java, libraries
from .suite import Outcome, Suite, Trial, until

STREAMS_TESTS = (
    f"org.apache.kafka:kafka-streams:{KAFKA_VERSION}",
    f"org.apache.kafka:kafka-streams:{KAFKA_VERSION}:test",
    f"org.apache.kafka:kafka-clients:{KAFKA_VERSION}:test",
    *LOG,
)
SMOKE = "org.apache.kafka.streams.tests.StreamsSmokeTest"
COPIER = "org.apache.kafka.tools.TransactionalMessageCopier"
SMOKE_TOPICS = (
    "echo", "data", "fk", "min", "min-suppressed", "min-raw", "max", "sum", "sws-raw", "sws-suppressed", "dif", "cnt",
    "avg", "wcnt", "tagg",
)  # fmt: skip
COPIED, COPIED_SHORT, COPIERS = 20_000, 1_500, 2
PROGRAM_S = 600.0


def prepare() -> None:
    """The jars of both."""
    libraries("streams-tests", STREAMS_TESTS)
    libraries("kafka", KAFKA)


def _streams(trial: Trial, command: str, name: str) -> Java:
    """One process of the streams test, with a file of properties as the scripts write it, and state of its own."""
    properties = trial.folder / f"{name}.properties"
    settings = {
        "bootstrap.servers": trial.bootstrap,
        "state.dir": str(trial.folder / f"{name}-state"),
        "processing.guarantee": "exactly_once_v2",
        "session.timeout.ms": "10000",
    }
    properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    return Java(libraries("streams-tests", STREAMS_TESTS), SMOKE, [str(properties), command], trial.log(name))


def _end(program: Java, seconds: float = PROGRAM_S) -> int:
    """Waits for a program to end by itself; its exit code."""
    assert program.process is not None
    return program.process.wait(seconds)


def _judged(test: str, play: Callable[[], str]) -> list[Outcome]:
    """One outcome: failed with what is wrong, or with how the play broke off."""
    began = time.monotonic()
    try:
        problem = play()
    except (AssertionError, RuntimeError, TimeoutError) as error:
        problem = f"{type(error).__name__}: {error}"
    return [Outcome(test, "fail" if problem else "pass", problem[:600], time.monotonic() - began)]


def _only_full(test: str, play: Callable[[Trial], str]) -> Callable[[Trial], list[Outcome]]:
    def run(trial: Trial) -> list[Outcome]:
        if not trial.full:
            return [Outcome(test, "skip", "takes minutes: only in the full form")]
        return _judged(test, lambda: play(trial))

    return run


def smoke(trial: Trial) -> str:
    """The driver feeds for half a minute and more; meanwhile a second application comes, the broker and the first one die."""
    create(trial.bootstrap, 5, *SMOKE_TOPICS)
    with ExitStack() as stack:
        first = stack.enter_context(_streams(trial, "process", "smoke-first"))
        driver = stack.enter_context(_streams(trial, "run", "smoke-driver"))
        driver.wait_for("records produced")
        stack.enter_context(_streams(trial, "process", "smoke-second"))
        driver.wait_for("^.* 4000 records produced")
        trial.kill_and_restart()
        driver.wait_for("^.* 12000 records produced")
        first.kill()
        stack.enter_context(_streams(trial, "process", "smoke-third"))
        code = _end(driver)
        said = "\n".join(driver.said())
    return "" if code == 0 and "SUCCESS" in said else f"exit {code}: {said[-500:]}"


def copier(trial: Trial) -> list[Outcome]:
    """Kafka's transactions_test: what was copied is the input, once, whoever died."""
    count = COPIED if trial.full else COPIED_SHORT

    def play() -> str:
        create(trial.bootstrap, COPIERS, "copier-in", "copier-out")
        feeder = Feeder(trial.bootstrap)
        for number in range(count):
            feeder.send("copier-in", str(number), str(number))
        feeder.flush()
        with ExitStack() as stack:
            copiers = [stack.enter_context(_copier(trial, number)) for number in range(COPIERS)]
            until(lambda: _progress(copiers) > count // 5, PROGRAM_S, "a fifth is copied")
            trial.kill_and_restart()
            until(lambda: _progress(copiers) > count // 2, PROGRAM_S, "half is copied")
            copiers[0].kill()
            copiers[0] = stack.enter_context(_copier(trial, 0, "again"))
            out = read_until(trial.bootstrap, "copier-out", lambda found: len(found) >= count, PROGRAM_S)
        got, expected = Counter(entry.value for entry in out), Counter(str(number) for number in range(count))
        lost, doubled = expected - got, got - expected
        return f"{lost.total()} lost, {doubled.total()} doubled of {count}" if lost or doubled else ""

    return _judged("all of the input, once", play)


def _copier(trial: Trial, number: int, again: str = "") -> Java:
    arguments = [
        "--broker-list", trial.bootstrap, "--transactional-id", f"copier-{number}", "--consumer-group", "copiers",
        "--input-topic", "copier-in", "--input-partition", str(number), "--output-topic", "copier-out",
        "--transaction-size", "50", "--transaction-timeout", "10000", "--enable-random-aborts", "--group-mode",
        "--use-group-metadata", "--max-messages", "-1",
    ]  # fmt: skip
    return Java(libraries("kafka", KAFKA), COPIER, arguments, trial.log(f"copier-{number}{again}"))


def _progress(copiers: list[Java]) -> int:
    """How many records they say they copied."""
    total = 0
    for program in copiers:
        lines = [json.loads(line) for line in program.said() if line.startswith("{") and line.endswith("}")]
        total += max((int(line.get("totalProcessed", 0)) for line in lines), default=0)
    return total


_TITLE = f"Apache Kafka {KAFKA_VERSION}, system tests"
SUITES = (
    Suite(
        "txn-copier",
        f"{_TITLE}: `TransactionalMessageCopier`",
        f"{COPIERS} copiers of one group with random aborts; broker and a copier killed in the middle",
        copier,
        prepare,
    ),
    Suite(
        "streams-smoke",
        f"{_TITLE}: `StreamsSmokeTest`",
        "`exactly_once_v2`, all its aggregates; applications come and die, broker killed in the middle",
        _only_full("every aggregate is right", smoke),
        prepare,
    ),
)
