"""Kafka's own command line tools, pointed at Apache Kafka and at Ottla: what they print must be the same.

    python -m tests.differential.tools [part of a command's name]       starts both, prints what differs

The tools are the 4.2.1 jars' main classes, run one after the other in one JVM (`tests/java/Tools.java`). What a broker
invents (ids, ports, folders, times) is masked, and lines are compared as a set: tools print out of hash maps.
"""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.support.jars import KAFKA, class_path, jars

SOURCE = Path(__file__).resolve().parent.parent / "java" / "Tools.java"
_CLASSES = {
    "kafka-acls": "org.apache.kafka.tools.AclCommand",
    "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "kafka-client-metrics": "org.apache.kafka.tools.ClientMetricsCommand",
    "kafka-cluster": "org.apache.kafka.tools.ClusterTool",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-delegation-tokens": "org.apache.kafka.tools.DelegationTokenCommand",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-features": "org.apache.kafka.tools.FeatureCommand",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-groups": "org.apache.kafka.tools.GroupsCommand",
    "kafka-leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "kafka-metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "kafka-reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "kafka-share-groups": "org.apache.kafka.tools.consumer.group.ShareGroupCommand",
    "kafka-streams-groups": "org.apache.kafka.tools.streams.StreamsGroupCommand",
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-transactions": "org.apache.kafka.tools.TransactionsCommand",
}


@dataclass(frozen=True)
class Command:
    """One command line. `{b}` is the broker, `{json:TEXT}` a file with that text (blanks as ~)."""

    line: str
    stdin: str = ""
    #: Lines that match are not compared, and why: on purpose, or for now.
    except_for: str = ""
    why: str = ""


_B = "--bootstrap-server {b}"
_MOVE = '{{"version":1,"partitions":[{{"topic":"tools-a","partition":0,"replicas":[{0}],"log_dirs":["any"]}}]}}'
_DELETE = '{"partitions":[{"topic":"tools-a","partition":0,"offset":3}],"version":1}'
_DELETE_TOO_FAR = '{"partitions":[{"topic":"tools-a","partition":0,"offset":99}],"version":1}'
_ELECT = '{"partitions":[{"topic":"tools-a","partition":0}]}'
_TOPICS_TO_MOVE = '{"topics":[{"topic":"tools-a"}],"version":1}'


def _file(text: str) -> str:
    return "{json:" + base64.b64encode(text.encode()).decode() + "}"


COMMANDS: list[Command] = [
    # topics
    Command(f"kafka-topics {_B} --create --topic tools-a --partitions 3 --replication-factor 1"),
    Command(f"kafka-topics {_B} --create --topic tools-b --config cleanup.policy=compact --config segment.bytes=1048576"),
    Command(f"kafka-topics {_B} --create --topic tools-a"),
    Command(f"kafka-topics {_B} --create --topic tools-a --if-not-exists"),
    Command(f"kafka-topics {_B} --create --topic tools-wide --partitions 1 --replication-factor 3"),
    Command(f"kafka-topics {_B} --create --topic tools.bad.name! --partitions 1"),
    Command(f"kafka-topics {_B} --create --topic tools-c --config no.such.config=1"),
    Command(f"kafka-topics {_B} --create --topic tools_d --partitions 1"),
    Command(f"kafka-topics {_B} --list"),
    Command(f"kafka-topics {_B} --list --exclude-internal"),
    Command(f"kafka-topics {_B} --describe"),
    Command(f"kafka-topics {_B} --describe --topic tools-b"),
    Command(f"kafka-topics {_B} --describe --topic no-such-topic"),
    Command(f"kafka-topics {_B} --describe --topics-with-overrides"),
    Command(f"kafka-topics {_B} --describe --under-replicated-partitions"),
    Command(f"kafka-topics {_B} --describe --unavailable-partitions"),
    Command(f"kafka-topics {_B} --alter --topic tools_d --partitions 2"),
    Command(f"kafka-topics {_B} --alter --topic tools_d --partitions 1"),
    Command(f"kafka-topics {_B} --delete --topic tools_d"),
    Command(f"kafka-topics {_B} --delete --topic no-such-topic"),
    # records
    Command(f"kafka-console-producer {_B} --topic tools-a --reader-property parse.key=true --reader-property key.separator=:",
            stdin="".join(f"key:value {i}\n" for i in range(9))),
    Command(f"kafka-console-consumer {_B} --topic tools-a --from-beginning --max-messages 9 --group tools-g "
            "--formatter-property print.key=true --formatter-property print.offset=true"),
    Command(f"kafka-get-offsets {_B} --topic tools-a"),
    Command(f"kafka-get-offsets {_B} --topic-partitions tools-.*:0-1 --time earliest"),
    Command(f"kafka-get-offsets {_B} --topic tools-a --time earliest-local"),
    Command(f"kafka-get-offsets {_B} --topic no-such-topic"),
    Command(f"kafka-delete-records {_B} --offset-json-file {_file(_DELETE)}"),
    Command(f"kafka-delete-records {_B} --offset-json-file {_file(_DELETE_TOO_FAR)}"),
    Command(f"kafka-log-dirs {_B} --describe --topic-list tools-a,tools-b"),
    Command(f"kafka-log-dirs {_B} --describe --topic-list tools-a --broker-list 9"),
    # configs
    Command(f"kafka-configs {_B} --describe --entity-type topics --entity-name tools-b"),
    Command(f"kafka-configs {_B} --describe --entity-type topics --entity-name tools-b --all"),
    Command(f"kafka-configs {_B} --describe --entity-type topics"),
    Command(f"kafka-configs {_B} --describe --entity-type topics --entity-name no-such-topic"),
    Command(f"kafka-configs {_B} --alter --entity-type topics --entity-name tools-a --add-config retention.ms=60000,max.message.bytes=2000"),
    Command(f"kafka-configs {_B} --alter --entity-type topics --entity-name tools-a --delete-config retention.ms"),
    Command(f"kafka-configs {_B} --alter --entity-type topics --entity-name tools-a --add-config retention.ms=soon"),
    Command(f"kafka-configs {_B} --describe --topic tools-a"),
    Command(f"kafka-configs {_B} --alter --entity-type brokers --entity-name 1 --add-config log.cleaner.threads=2"),
    Command(f"kafka-configs {_B} --describe --entity-type brokers --entity-name 1"),
    Command(f"kafka-configs {_B} --alter --entity-type brokers --entity-name 1 --delete-config log.cleaner.threads"),
    Command(f"kafka-configs {_B} --alter --entity-type brokers --entity-default --add-config log.retention.ms=600000000"),
    Command(f"kafka-configs {_B} --describe --entity-type brokers --entity-default"),
    Command(f"kafka-configs {_B} --alter --entity-type brokers --entity-default --delete-config log.retention.ms"),
    Command(f"kafka-configs {_B} --alter --entity-type brokers --entity-name 1 --add-config broker.id=7"),
    Command(f"kafka-configs {_B} --alter --entity-type groups --entity-name tools-g --add-config consumer.session.timeout.ms=50000"),
    Command(f"kafka-configs {_B} --describe --entity-type groups --entity-name tools-g"),
    # quotas
    Command(f"kafka-configs {_B} --alter --entity-type clients --entity-name tools-app --add-config producer_byte_rate=1048576,consumer_byte_rate=2097152"),
    Command(f"kafka-configs {_B} --alter --entity-type users --entity-name alice --add-config request_percentage=150"),
    Command(f"kafka-configs {_B} --alter --entity-type users --entity-name alice --entity-type clients --entity-default "
            "--add-config controller_mutation_rate=100"),
    Command(f"kafka-configs {_B} --alter --entity-type ips --entity-name 10.1.1.1 --add-config connection_creation_rate=50"),
    Command(f"kafka-configs {_B} --alter --entity-type ips --entity-name 10.1.1.1 --add-config producer_byte_rate=50"),
    Command(f"kafka-configs {_B} --describe --entity-type clients"),
    Command(f"kafka-configs {_B} --describe --entity-type users --entity-name alice"),
    Command(f"kafka-configs {_B} --describe --entity-type users --entity-type clients"),
    Command(f"kafka-configs {_B} --describe --entity-type ips"),
    Command(f"kafka-configs {_B} --alter --entity-type clients --entity-name tools-app --delete-config producer_byte_rate,consumer_byte_rate"),
    # users
    Command(f"kafka-configs {_B} --alter --entity-type users --entity-name tools-u --add-config SCRAM-SHA-256=[password=tools-secret]"),
    Command(f"kafka-configs {_B} --alter --entity-type users --entity-name tools-u --add-config SCRAM-SHA-512=[iterations=8192,password=tools-secret]"),
    Command(f"kafka-configs {_B} --alter --entity-type users --entity-name tools-u --add-config SCRAM-SHA-512=[iterations=1,password=tools-secret]"),
    Command(f"kafka-configs {_B} --alter --entity-type users --entity-name tools-u --add-config SCRAM-SHA-512=[iterations=99999,password=tools-secret]"),
    Command(f"kafka-configs {_B} --alter --entity-type users --entity-name tools-u --add-config SCRAM-SHA-1=[password=tools-secret]"),
    Command(f"kafka-configs {_B} --alter --entity-type users --entity-name tools-u --add-config SCRAM-SHA-512=[iterations=8192]"),
    Command(f"kafka-configs {_B} --describe --entity-type users --entity-name tools-u"),
    Command(f"kafka-configs {_B} --describe --entity-type users"),
    Command(f"kafka-configs {_B} --describe --entity-type users --entity-name no-such-user"),
    Command(f"kafka-configs {_B} --alter --entity-type users --entity-name tools-u --delete-config SCRAM-SHA-256,SCRAM-SHA-512"),
    Command(f"kafka-configs {_B} --alter --entity-type users --entity-name tools-u --delete-config SCRAM-SHA-256"),
    Command(f"kafka-configs {_B} --alter --entity-type users --entity-name no-such-user --delete-config SCRAM-SHA-256"),
    Command(f"kafka-configs {_B} --describe --entity-type users --entity-name tools-u"),
    # client metrics
    Command(f"kafka-client-metrics {_B} --alter --name tools-m --metrics org.apache.kafka.consumer. --interval 10000 --match client_id=app.*"),
    Command(f"kafka-client-metrics {_B} --describe --name tools-m"),
    Command(f"kafka-client-metrics {_B} --list"),
    Command(f"kafka-client-metrics {_B} --alter --name tools-m --interval 10"),
    Command(f"kafka-client-metrics {_B} --delete --name tools-m"),
    Command(f"kafka-client-metrics {_B} --describe"),
    # groups
    Command(f"kafka-groups {_B} --list"),
    Command(f"kafka-groups {_B} --list --consumer"),
    Command(f"kafka-consumer-groups {_B} --list --state"),
    Command(f"kafka-consumer-groups {_B} --describe --group tools-g"),
    Command(f"kafka-consumer-groups {_B} --describe --group tools-g --state"),
    Command(f"kafka-consumer-groups {_B} --describe --group tools-g --members --verbose"),
    Command(f"kafka-consumer-groups {_B} --describe --group no-such-group"),
    Command(f"kafka-consumer-groups {_B} --group tools-g --topic tools-a --reset-offsets --to-earliest --execute"),
    Command(f"kafka-consumer-groups {_B} --group tools-g --topic tools-a:0 --reset-offsets --shift-by 2 --dry-run"),
    Command(f"kafka-consumer-groups {_B} --delete-offsets --group tools-g --topic tools-a"),
    Command(f"kafka-consumer-groups {_B} --delete --group tools-g"),
    Command(f"kafka-consumer-groups {_B} --delete --group no-such-group"),
    Command(f"kafka-share-groups {_B} --list"),
    Command(f"kafka-share-groups {_B} --describe --group no-such-share-group"),
    Command(f"kafka-share-groups {_B} --describe --all-groups"),
    Command(f"kafka-streams-groups {_B} --list"),
    Command(f"kafka-streams-groups {_B} --describe --group no-such-streams-group"),
    Command(f"kafka-streams-groups {_B} --describe --all-groups"),
    # transactions
    Command(f"kafka-transactions {_B} list"),
    Command(f"kafka-transactions {_B} describe --transactional-id no-such-transaction"),
    Command(f"kafka-transactions {_B} describe-producers --topic tools-a --partition 0"),
    Command(f"kafka-transactions {_B} find-hanging --broker-id 1"),
    # the cluster
    Command(f"kafka-features {_B} describe"),
    Command(f"kafka-features {_B} upgrade --feature metadata.version=29 --dry-run"),
    Command(f"kafka-features {_B} upgrade --feature no.such.feature=1"),
    Command(f"kafka-features {_B} downgrade --feature metadata.version=10 --dry-run"),
    Command(f"kafka-broker-api-versions {_B}", except_for=r"Telemetry|: 0 to|: 1 to|: 2 to",
            why="what Kafka 4 dropped is served where that is cheap; client metrics need no plug-in"),
    Command(f"kafka-metadata-quorum {_B} describe --status", except_for="CurrentVoters",
            why="the metadata log has no listener of its own, so that of the broker is told"),
    Command(f"kafka-metadata-quorum {_B} describe --replication"),
    Command(f"kafka-cluster cluster-id {_B}"),
    Command(f"kafka-cluster list-endpoints {_B}"),
    Command(f"kafka-cluster unregister {_B} --id 77"),
    Command(f"kafka-leader-election {_B} --election-type preferred --all-topic-partitions"),
    Command(f"kafka-leader-election {_B} --election-type preferred --topic tools-a --partition 0"),
    Command(f"kafka-leader-election {_B} --election-type unclean --path-to-json-file {_file(_ELECT)}"),
    Command(f"kafka-leader-election {_B} --election-type preferred --topic no-such-topic --partition 0"),
    Command(f"kafka-reassign-partitions {_B} --reassignment-json-file {_file(_MOVE.format(1))} --execute"),
    Command(f"kafka-reassign-partitions {_B} --reassignment-json-file {_file(_MOVE.format(1))} --verify"),
    Command(f"kafka-reassign-partitions {_B} --reassignment-json-file {_file(_MOVE.format(9))} --execute"),
    Command(f"kafka-reassign-partitions {_B} --reassignment-json-file {_file(_MOVE.format(1))} --cancel"),
    Command(f"kafka-reassign-partitions {_B} --topics-to-move-json-file {_file(_TOPICS_TO_MOVE)} --broker-list 1 --generate"),
    Command(f"kafka-reassign-partitions {_B} --list"),
    Command(f"kafka-acls {_B} --list"),
    Command(f"kafka-topics {_B} --delete --topic tools-.*"),
]  # fmt: skip

_MASKS = [
    (re.compile(r"(?:localhost|127\.0\.0\.1|[\w.-]+):\d{4,5}\b"), "<address>"),
    (re.compile(r"(TopicId:? ?|Cluster ?I[dD]: +)[\w-]{22}"), r"\1<id>"),
    (re.compile(r"\b1[67]\d{11}\b"), "<time>"),
    (re.compile(r'"logDir":"[^"]*"'), '"logDir":"<dir>"'),
    (re.compile(r'"log_dirs":\["/[^"]*"\]'), '"log_dirs":["<dir>"]'),
    (re.compile(r"(127\.0\.0\.1\s+)\d{4,5}\b"), r"\1<port>"),
    (re.compile(r"(Epoch: *|HighWatermark: *)\d+"), r"\1<number>"),
    (re.compile(r"(\bA{22}\s+)\d+"), r"\1<offset>"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<uuid>"),
    (re.compile(r"^\[\d{4}-\d\d-\d\d [\d:,]+\] ", re.MULTILINE), ""),
    (re.compile(r"Request (?:Request\(.*\)|\w+) needs"), "Request <which> needs"),
    (re.compile(r'"size":[1-9]\d*'), '"size":<some>'),
    (re.compile(r"^Tools\$Ended\n(?:null\n)?|^null\n?(?:Tools\$Ended\n)?", re.MULTILINE), ""),
    (re.compile(r"^\tat .*$\n?|^\t\.\.\. \d+ more$\n?", re.MULTILINE), ""),
]


#: Kafka tells a user's mechanisms in the order of a hash of objects, another one in each run.
_MECHANISMS = re.compile(r" are (SCRAM-SHA-[^\s,]+(?:, SCRAM-SHA-[^\s,]+)*)")


def masked(text: str) -> list[str]:
    """The lines of an output, without what a broker invents, in an order of their own."""
    for pattern, instead in _MASKS:
        text = pattern.sub(instead, text)
    text = _MECHANISMS.sub(lambda found: " are " + ", ".join(sorted(found[1].split(", "))), text)
    return sorted(" ".join(line.split()) for line in text.splitlines() if line.strip())


@dataclass(frozen=True)
class Printed:
    """What a command did."""

    code: int
    out: str
    err: str

    def lines(self) -> list[str]:
        return [f"exit {self.code}", *masked(self.out), *masked(self.err)]


class Tools:
    """The JVM that runs the tools; a context manager."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ottla-tools-")

    def __enter__(self) -> Tools:
        libs = class_path(jars("kafka", KAFKA))
        log4j = Path(self._folder.name) / "log4j2.properties"
        log4j.write_text("rootLogger.level=off\n")
        command = [
            "java", "-XX:TieredStopAtLevel=1", "-Xshare:auto", f"-Dlog4j2.configurationFile={log4j}", "-cp", libs,
            str(SOURCE),
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()

    def run(self, command: Command, bootstrap: str) -> Printed:
        words = [self._word(word, bootstrap) for word in command.line.split()]
        line = [_CLASSES[words[0]], command.stdin, *words[1:]]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(" ".join(base64.b64encode(word.encode()).decode() for word in line) + "\n")
        self._process.stdin.flush()
        code, out, err = self._process.stdout.readline().rstrip("\n").split(" ")
        return Printed(int(code), base64.b64decode(out).decode(), base64.b64decode(err).decode())

    def _word(self, word: str, bootstrap: str) -> str:
        if word.startswith("{json:"):
            path = Path(self._folder.name) / f"{len(word)}-{hash(word)}.json"
            path.write_bytes(base64.b64decode(word[6:-1]))
            return str(path)
        return word.replace("{b}", bootstrap)


@dataclass(frozen=True)
class Outcome:
    """What one command printed for both brokers."""

    command: Command
    kafka: Printed
    ottla: Printed

    def differences(self) -> list[str]:
        """The lines that only one of the two printed."""
        theirs, ours = self.kafka.lines(), self.ottla.lines()
        if self.command.except_for:
            theirs = [line for line in theirs if not re.search(self.command.except_for, line)]
            ours = [line for line in ours if not re.search(self.command.except_for, line)]
        left = [f"- {line}" for line in theirs if line not in ours]
        return left + [f"+ {line}" for line in ours if line not in theirs]


def compare(kafka: str, ottla: str, words: str = "") -> Iterator[Outcome]:
    """Run the commands against both brokers."""
    with Tools() as tools:
        for command in COMMANDS:
            if words in command.line:
                yield Outcome(command, tools.run(command, kafka), tools.run(command, ottla))


def title(command: Command) -> str:
    """The command as a person would write it."""
    words = re.sub(r"\{json:([^}]*)\}", lambda m: base64.b64decode(m[1]).decode(), command.line)
    return words.replace(_B + " ", "").replace(" " + _B, "")


def main(arguments: list[str]) -> int:
    """Print what differs and is not known."""
    from .test_kafka import new_kafka, new_ottla

    with tempfile.TemporaryDirectory(prefix="ottla-tools-") as folder:
        addresses = [word for word in arguments if ":" in word]
        words = " ".join(word for word in arguments if ":" not in word)
        same = other = 0
        with new_ottla(Path(folder) / "ottla") as ottla:
            ottla.wait_ready()
            if addresses:
                outcomes = list(compare(addresses[0], ottla.bootstrap, words))
            else:
                with new_kafka(Path(folder) / "kafka") as kafka:
                    outcomes = list(compare(kafka.bootstrap, ottla.bootstrap, words))
        for outcome in outcomes:
            found = outcome.differences()
            same, other = same + (not found), other + bool(found)
            if found:
                print(title(outcome.command))
                print("\n".join(f"    {line[:300]}" for line in found[:30]))
        print(f"{same} commands print the same, {other} do not")
    return int(other > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
