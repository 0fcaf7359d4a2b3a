"""Integration tests of Kafka Streams itself, 3.9: those whose subject is what the broker does, from the project's test jar.

    their test class ──► EmbeddedKafkaCluster (ours, first in the class path) ──► the broker outside

They are written for a broker in the same JVM that `EmbeddedKafkaCluster` starts; tests/java/EmbeddedKafkaCluster.java is a class of
the same name and methods that starts nothing. 3.9 is the last line whose test jar holds them. Left out are tests of stores and
metrics alone, which hardly use a broker, and those that need several, or settings of their own.
"""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as Xml
from pathlib import Path

from .java import libraries, program
from .suite import Outcome, Suite, Trial, call

VERSION = "3.9.1"
JARS = (
    f"org.apache.kafka:kafka-streams:{VERSION}",
    f"org.apache.kafka:kafka-streams:{VERSION}:test",
    f"org.apache.kafka:kafka-clients:{VERSION}:test",
    f"org.apache.kafka:kafka_2.13:{VERSION}",
    f"org.apache.kafka:kafka_2.13:{VERSION}:test",
    f"org.apache.kafka:kafka-tools:{VERSION}",
    f"org.apache.kafka:kafka-server-common:{VERSION}:test",
    "org.junit.platform:junit-platform-console-standalone:1.10.2",
    "org.hamcrest:hamcrest:2.2",
    "org.mockito:mockito-core:5.12.0",
    "org.mockito:mockito-junit-jupiter:5.12.0",
)
PACKAGE = "org.apache.kafka.streams.integration"
SHORT = ("KStreamAggregationDedupIntegrationTest", "GlobalKTableEOSIntegrationTest")
FULL = (
    *SHORT,
    "EosIntegrationTest",
    "EOSUncleanShutdownIntegrationTest",
    "FineGrainedAutoResetIntegrationTest",
    "InternalTopicIntegrationTest",
    "KafkaStreamsCloseOptionsIntegrationTest",
    "KStreamRepartitionIntegrationTest",
    "KTableSourceTopicRestartIntegrationTest",
    "LagFetchIntegrationTest",
    "PauseResumeIntegrationTest",
    "RegexSourceIntegrationTest",
    "ResetIntegrationTest",
    "SuppressionDurabilityIntegrationTest",
    "TaskMetadataIntegrationTest",
)
#: What their own cluster sets.
SETTINGS = {
    "auto.create.topics.enable": "true",
    "group.min.session.timeout.ms": "0",
    "offsets.topic.num.partitions": "5",
    "transaction.state.log.num.partitions": "5",
}
CLASS_S = 900.0
LOG4J = "log4j.rootLogger=ERROR, stdout\nlog4j.appender.stdout=org.apache.log4j.ConsoleAppender\nlog4j.appender.stdout.layout=org.apache.log4j.SimpleLayout\n"


def prepare() -> str:
    return program("EmbeddedKafkaCluster", libraries("streams-integration", JARS))


def run(trial: Trial) -> list[Outcome]:
    """Each class in a JVM of its own: what one leaves running does not disturb the next."""
    found: list[Outcome] = []
    for name in trial.only.split(",") if trial.only else FULL if trial.full else SHORT:
        found += _one(trial, name)
    return found


def _one(trial: Trial, name: str) -> list[Outcome]:
    """One class."""
    reports, temporary = trial.folder / f"{name}-reports", trial.folder / f"{name}-state"
    temporary.mkdir(exist_ok=True)
    logging = trial.folder / "log4j.properties"
    logging.write_text(LOG4J)
    command = [
        "java", "-Xmx768m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", f"-Djava.io.tmpdir={temporary}",
        f"-Dlog4j.configuration=file:{logging}", "-cp", prepare(), "org.junit.platform.console.ConsoleLauncher", "execute",
        "--disable-banner", "--disable-ansi-colors", "--details=none", f"--reports-dir={reports}", "-c", f"{PACKAGE}.{name}",
    ]  # fmt: skip
    _, output = call(command, trial.log(name), CLASS_S, trial.folder, {"OUTSIDE_BOOTSTRAP": trial.bootstrap})
    shutil.rmtree(temporary, ignore_errors=True)
    return outcomes(name, reports / "TEST-junit-jupiter.xml") or [Outcome(name, "fail", output.strip()[-300:])]


def outcomes(name: str, report: Path) -> list[Outcome]:
    """The verdicts in JUnit's report."""
    if not report.exists():
        return []
    found = []
    for case in Xml.parse(report).iter("testcase"):
        failed = case.find("failure") if case.find("failure") is not None else case.find("error")
        test = f"{name.removesuffix('IntegrationTest')}: {case.get('name', '').removesuffix('()')}"
        seconds = float(case.get("time") or 0)
        if failed is not None:
            found.append(Outcome(test, "fail", (failed.get("message") or failed.get("type") or "")[:300], seconds))
        else:
            found.append(Outcome(test, "skip" if case.find("skipped") is not None else "pass", "", seconds))
    return found


SUITES = (
    Suite(
        "streams-integration",
        f"Kafka Streams {VERSION}, integration tests",
        "those of exactly-once, restarts, internal topics, resets, patterns, lag",
        run,
        prepare,
        SETTINGS,
    ),
)
