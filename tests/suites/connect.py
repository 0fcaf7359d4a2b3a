"""Kafka Connect distributed and MirrorMaker 2, unmodified from Maven Central, with the broker killed in the middle.

connect   a file that grows ─► FileStreamSource (exactly-once) ─► topic ─► FileStreamSink ─► another file

    In the topic every line must stand once and in order, to a reader of committed records; in the sink's file every line must be
    there (a sink is at least once), and none that nobody wrote.

mirror    broker A ◄──► broker B (always an Apache Kafka), MirrorMaker 2 both ways, exactly-once

    What is written to `left` on A and to `right` on B must stand once and in order in A.left on B and B.right on A, with keys; the
    committed offsets of a group on A must arrive translated on B.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from tests.support.kafka_jvm import KafkaJvm, free_port

from .client import Entry, Feeder, create, read_until
from .java import CONNECT, CONNECT_VERSION, Java, libraries
from .suite import Outcome, Suite, Trial, until

LINES, LINES_SHORT = 20_000, 500
READY_S = 180.0
OUTPUT_S = 300.0
_STRING = "org.apache.kafka.connect.storage.StringConverter"
_LOG4J = """Configuration:
  Appenders: {Console: {name: out, PatternLayout: {pattern: "[%d] %p %m (%c{1})%n"}}}
  Loggers: {Root: {level: WARN, AppenderRef: [{ref: out}]}}
"""


def prepare() -> str:
    return libraries("connect", CONNECT)


def _java(trial: Trial, name: str, main: str, properties: dict[str, object]) -> Java:
    """A Connect process with its properties file."""
    logging = trial.folder / "log4j2.yaml"
    logging.write_text(_LOG4J)
    file = trial.folder / f"{name}.properties"
    file.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
    return Java(prepare(), main, [str(file)], trial.log(name), [f"-Dlog4j2.configurationFile={logging}"])


class Rest:
    """Connect's REST interface."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"

    def ask(self, path: str, body: object = None, method: str = "GET") -> object:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=90) as response:
            return json.loads(response.read() or b"null")

    def answers(self, path: str = "/connectors") -> bool:
        try:
            self.ask(path)
        except (OSError, urllib.error.URLError):
            return False
        return True

    def running(self, *connectors: str) -> bool:
        """Whether the connectors and at least one task of each run."""
        try:
            states = [self.ask(f"/connectors/{name}/status") for name in connectors]
        except (OSError, urllib.error.URLError):
            return False
        return all(
            isinstance(s, dict) and s["tasks"] and all(t["state"] == "RUNNING" for t in s["tasks"]) for s in states
        )


def once_and_in_order(got: Sequence[str], wanted: Sequence[str]) -> str:
    """What is wrong with `got`; empty if it is `wanted`."""
    if list(got) == list(wanted):
        return ""
    lost, doubled = Counter(wanted) - Counter(got), Counter(got) - Counter(wanted)
    if lost or doubled:
        return (
            f"{lost.total()} of {len(wanted)} lost, {doubled.total()} too many, first {next(iter(lost or doubled))!r}"
        )
    return "the order is another"


def _append(file: Path, lines: Sequence[str]) -> None:
    with file.open("a") as out:
        out.writelines(f"{line}\n" for line in lines)


def files(trial: Trial) -> list[Outcome]:
    """File source with exactly-once to file sink."""
    began, port = time.monotonic(), free_port()
    lines = [f"line {n}" for n in range(LINES if trial.full else LINES_SHORT)]
    middle = len(lines) // 2
    source, sink = trial.folder / "source.txt", trial.folder / "sink.txt"
    _append(source, lines[:middle])
    create(trial.bootstrap, 1, "lines")
    worker = {
        "bootstrap.servers": trial.bootstrap,
        "listeners": f"http://127.0.0.1:{port}",
        "rest.advertised.host.name": "127.0.0.1",
        "group.id": "connect",
        "key.converter": _STRING,
        "value.converter": _STRING,
        "offset.flush.interval.ms": 1000,
        "exactly.once.source.support": "enabled",
        "plugin.discovery": "hybrid_warn",
        **{f"{what}.storage.topic": f"connect-{what}s" for what in ("config", "offset")},
        "status.storage.topic": "connect-status",
        **{f"{what}.storage.replication.factor": 1 for what in ("config", "offset", "status")},
    }
    reader = {"name": "reader", "connector.class": "FileStreamSource", "tasks.max": "1", "file": str(source), "topic": "lines",
              "exactly.once.support": "required", "transaction.boundary": "poll", "batch.size": "200"}  # fmt: skip
    writer = {
        "name": "writer",
        "connector.class": "FileStreamSink",
        "tasks.max": "1",
        "file": str(sink),
        "topics": "lines",
    }
    with _java(trial, "worker", "org.apache.kafka.connect.cli.ConnectDistributed", worker):
        rest = Rest(port)

        def play() -> list[str]:
            until(rest.answers, READY_S, "Connect's REST interface")
            for config in (reader, writer):
                until(lambda c=config: _created(rest, c), READY_S, f"connector {config['name']}")
            until(lambda: rest.running("reader", "writer"), READY_S, "both connectors running")
            read_until(trial.bootstrap, "lines", lambda found: len(found) >= middle // 2, OUTPUT_S, quiet_s=0)
            trial.kill_and_restart()
            _append(source, lines[middle:])
            found = read_until(trial.bootstrap, "lines", lambda found: len(found) >= len(lines), OUTPUT_S)
            in_topic = once_and_in_order([entry.value for entry in found], lines)
            until(
                lambda: sink.exists() and set(lines) <= set(sink.read_text().splitlines()),
                OUTPUT_S,
                "every line in the sink",
            )
            strange = set(sink.read_text().splitlines()) - set(lines)
            return [in_topic, f"{len(strange)} lines nobody wrote" if strange else ""]

        return _verdicts(
            ["exactly-once file source, each line once and in order", "file sink, every line"], began, play
        )


def _created(rest: Rest, config: dict[str, str]) -> bool:
    """Asks for the connector; False while the worker rebalances (409)."""
    try:
        rest.ask("/connectors", {"name": config["name"], "config": config}, "POST")
    except urllib.error.HTTPError as error:
        if error.code == 409:
            return rest.answers(f"/connectors/{config['name']}")
        if error.code < 500:
            raise AssertionError(f"connector refused: {error.read().decode(errors='replace')[:300]}") from error
        return False
    except OSError:
        return False
    return True


def _verdicts(tests: Sequence[str], began: float, play: Callable[[], list[str]]) -> list[Outcome]:
    """One outcome per test; if the play itself broke, all failed for that."""
    try:
        problems = play()
    except (AssertionError, TimeoutError, RuntimeError) as error:
        problems = [f"{type(error).__name__}: {error}"[:400]] * len(tests)
    seconds = time.monotonic() - began
    return [
        Outcome(test, "fail" if said else "pass", said, seconds) for test, said in zip(tests, problems, strict=True)
    ]


def mirror(trial: Trial) -> list[Outcome]:
    """Both ways between the broker and another Apache Kafka."""
    began = time.monotonic()
    tests = [
        "A to B, each record once and in order",
        "B to A, each record once and in order",
        "a group's offset, translated",
    ]
    with KafkaJvm(trial.folder / "other", 0, {"group.initial.rebalance.delay.ms": "0"}) as other:
        properties = _mirror_properties(trial.bootstrap, other.bootstrap)
        with _java(trial, "mirror", "org.apache.kafka.connect.mirror.MirrorMaker", properties):
            return _verdicts(tests, began, lambda: _mirrored(trial, other.bootstrap))


def _mirror_properties(a: str, b: str) -> dict[str, object]:
    return {
        "clusters": "A,B",
        "A.bootstrap.servers": a,
        "B.bootstrap.servers": b,
        "A->B.enabled": "true",
        "B->A.enabled": "true",
        "A->B.topics": "left",
        "B->A.topics": "right",
        "groups": "workers",
        "dedicated.mode.enable.internal.rest": "true",
        "listeners": f"http://127.0.0.1:{free_port()}",
        "A.exactly.once.source.support": "enabled",
        "B.exactly.once.source.support": "enabled",
        "sync.group.offsets.enabled": "true",
        "sync.group.offsets.interval.seconds": 2,
        "emit.checkpoints.interval.seconds": 2,
        "refresh.topics.interval.seconds": 5,
        "refresh.groups.interval.seconds": 5,
        "offset.lag.max": 0,
        "replication.factor": 1,
        **{f"{what}.replication.factor": 1 for what in ("checkpoints.topic", "heartbeats.topic", "offset-syncs.topic")},
        **{f"{what}.storage.replication.factor": 1 for what in ("config", "offset", "status")},
    }  # fmt: skip


def _mirrored(trial: Trial, other: str) -> list[str]:
    count = LINES if trial.full else LINES_SHORT
    sides = {"left": (trial.bootstrap, other, "A.left"), "right": (other, trial.bootstrap, "B.right")}
    for topic, (origin, _, _) in sides.items():
        create(origin, 1, topic)

    def feed(numbers: range) -> None:
        for topic, (origin, _, _) in sides.items():
            feeder = Feeder(origin)
            for number in numbers:
                feeder.send(topic, f"{topic} {number}", f"k{number % 10}")
            feeder.flush()

    feed(range(count // 2))
    for _, target, copy in sides.values():
        until(lambda t=target, c=copy: _exists(t, c), READY_S, f"topic {copy}")
        read_until(target, copy, lambda found: len(found) >= count // 4, OUTPUT_S, quiet_s=0)
    trial.kill_and_restart()
    feed(range(count // 2, count))
    problems, behind_last = [], 0
    for topic, (_, target, copy) in sides.items():
        found = read_until(target, copy, lambda found: len(found) >= count, OUTPUT_S)
        problems.append(_same([f"k{n % 10}={topic} {n}" for n in range(count)], found))
        if topic == "left" and found:
            behind_last = found[-1].offset + 1
    _commit(trial.bootstrap, "left", count)
    try:
        until(lambda: _committed(other, "A.left") >= behind_last, OUTPUT_S, "the group's offset on B", 1.0)
        problems.append("")
    except TimeoutError as error:
        problems.append(f"{error}: {_committed(other, 'A.left')} of {behind_last}")
    return problems


def _same(wanted: Sequence[str], found: Sequence[Entry]) -> str:
    return once_and_in_order([f"{entry.key}={entry.value}" for entry in found], wanted)


def _consumer(bootstrap: str) -> Consumer:
    return Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "workers", "enable.auto.commit": False, "log_level": 0}
    )


def _exists(bootstrap: str, topic: str) -> bool:
    consumer = _consumer(bootstrap)
    try:
        return topic in consumer.list_topics(timeout=60).topics
    finally:
        consumer.close()


def _commit(bootstrap: str, topic: str, offset: int) -> None:
    consumer = _consumer(bootstrap)
    try:
        consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
    finally:
        consumer.close()


def _committed(bootstrap: str, topic: str) -> int:
    consumer = _consumer(bootstrap)
    try:
        offset: int = consumer.committed([TopicPartition(topic, 0)], timeout=60)[0].offset
        return offset
    finally:
        consumer.close()


SUITES = (
    Suite("connect", f"Kafka Connect {CONNECT_VERSION}", "distributed, exactly-once file source to file sink; broker killed in the middle", files, prepare),
    Suite("mirror", f"MirrorMaker 2 {CONNECT_VERSION}", "both ways with an Apache Kafka, exactly-once; broker killed in the middle", mirror, prepare),
)  # fmt: skip
