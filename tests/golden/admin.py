"""A conversation about topics and configs, and Apache Kafka's answers to it (`admin-kafka-4.2.1.json`).

    python -m tests.golden.admin        asks a real Apache Kafka 4.2.1 and writes the file anew (needs java and mvn)

Every step is one request; the answers are stored as plain data. What Kafka invents (topic ids) is masked, and lists whose
order Kafka leaves to a hash map are sorted. `tests/controller/test_like_kafka.py` puts the same requests to our decisions.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ottla.protocol import apis, codec, framing
from ottla.protocol.apis import alter_configs as alter
from ottla.protocol.apis import create_partitions as partitions
from ottla.protocol.apis import create_topics as create
from ottla.protocol.apis import delete_topics as delete
from ottla.protocol.apis import describe_configs as describe
from ottla.protocol.apis import incremental_alter_configs as incremental
from ottla.protocol.schema import Request, Struct

FILE = Path(__file__).with_name("admin-kafka-4.2.1.json")
NODE = "1"
TOPIC, BROKER, CLIENT_METRICS, GROUP = 2, 4, 16, 32
SET, DELETE, APPEND, SUBTRACT = range(4)

#: What stands in server.properties beside what a node needs.
STATIC = {
    "log.retention.hours": "48",
    "log.roll.hours": "24",
    "log.segment.bytes": "2097152",
    "compression.type": "lz4",
    "message.max.bytes": "2000000",
    "log.cleanup.policy": "compact, delete",
    "num.partitions": "2",
    "log.message.timestamp.type": "LogAppendTime",
    "group.consumer.session.timeout.ms": "50000",
}


def topic(name: str, count: int = 1, factor: int = 1, **more: Any) -> create.CreatableTopic:
    configs = more.get("configs", {})
    return create.CreatableTopic(
        name=name,
        num_partitions=count,
        replication_factor=factor,
        assignments=[
            create.CreatableReplicaAssignment(partition_index=index, broker_ids=ids)
            for index, ids in more.get("assignments", [])
        ],
        configs=[create.CreatableTopicConfig(name=k, value=v) for k, v in configs.items()],
    )


def creates(*topics: create.CreatableTopic, validate_only: bool = False) -> Request:
    return create.CreateTopicsRequest(topics=list(topics), timeout_ms=20000, validate_only=validate_only)


def deletes(*names: str) -> Request:
    states = [delete.DeleteTopicState(name=name, topic_id=bytes(16)) for name in names]
    return delete.DeleteTopicsRequest(topics=states, topic_names=[], timeout_ms=20000)


def grows(name: str, count: int, assignments: list[list[int]] | None = None, **more: bool) -> Request:
    rows = None
    if assignments is not None:
        rows = [partitions.CreatePartitionsAssignment(broker_ids=ids) for ids in assignments]
    asked = partitions.CreatePartitionsTopic(name=name, count=count, assignments=rows)
    return partitions.CreatePartitionsRequest(
        topics=[asked], timeout_ms=20000, validate_only=more.get("validate_only", False)
    )


def changes(kind: int, name: str, *operations: tuple[str, int, str | None], validate_only: bool = False) -> Request:
    configs = [incremental.AlterableConfig(name=k, config_operation=o, value=v) for k, o, v in operations]
    resource = incremental.AlterConfigsResource(resource_type=kind, resource_name=name, configs=configs)
    return incremental.IncrementalAlterConfigsRequest(resources=[resource], validate_only=validate_only)


def replaces(kind: int, name: str, configs: dict[str, str | None], *, validate_only: bool = False) -> Request:
    rows = [alter.AlterableConfig(name=k, value=v) for k, v in configs.items()]
    resource = alter.AlterConfigsResource(resource_type=kind, resource_name=name, configs=rows)
    return alter.AlterConfigsRequest(resources=[resource], validate_only=validate_only)


def describes(kind: int, name: str) -> Request:
    resource = describe.DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=None)
    return describe.DescribeConfigsRequest(resources=[resource], include_synonyms=True, include_documentation=False)


def sets(kind: int, name: str, **configs: str) -> Request:
    return changes(kind, name, *((k.replace("_", "."), SET, v) for k, v in configs.items()))


def many_replicas(first: int, end: int) -> str:
    return ",".join(f"{number}:1" for number in range(first, end))


BAD_VALUES = {
    "retention.ms": ["-2", "x", "", "1.5", "9223372036854775808", " 12 ", "+5"],
    "segment.bytes": ["1", "2147483648", "1048576"],
    "min.cleanable.dirty.ratio": ["-0.1", "1.5", "1", "0.50", "1e-7", "x", "NaN"],
    "cleanup.policy": ["foo", "delete,foo", "compact, delete", "delete,delete", "", ",", "compact,"],
    "compression.type": ["zip", "ZSTD", " lz4 ", ""],
    "compression.gzip.level": ["0", "10", "-1", "9"],
    "compression.zstd.level": ["23"],
    "preallocate": ["yes", "TRUE", " false ", "1"],
    "message.timestamp.type": ["createtime", "CreateTime"],
    "leader.replication.throttled.replicas": ["*", "0:1,1:1", "0", "0:1, 1:2", "x:y", ""],
    "min.insync.replicas": ["0"],
    "max.compaction.lag.ms": ["0"],
    "remote.storage.enable": ["true"],
    "no.such.config": ["1"],
    "internal.segment.bytes": ["100"],
    "retention.bytes": ["-5"],
    "local.retention.ms": ["-3"],
}

BROKER_VALUES = {
    "log.retention.ms": ["1000", "x"],
    "log.retention.hours": ["1"],
    "num.partitions": ["3"],
    "node.id": ["2"],
    "no.such.config": ["1"],
    "message.max.bytes": ["-1", "x", "1500000"],
    "log.cleanup.policy": ["foo", "compact", "delete,delete", ","],
    "ssl.keystore.location": ["/tmp/x"],
    "min.insync.replicas": ["2"],
    "unclean.leader.election.enable": ["maybe"],
    "log.cleaner.min.compaction.lag.ms": ["-1"],
    "compression.type": ["none"],
    "max.connections.per.ip": ["-1"],
    "leader.replication.throttled.rate": ["100", "-1"],
    "log.segment.bytes": ["10"],
}

GROUP_VALUES = {
    "consumer.session.timeout.ms": ["1", "45001", "61000", "x"],
    "consumer.heartbeat.interval.ms": ["1", "16000"],
    "share.auto.offset.reset": ["earliest", "by_duration:PT1H", "never", "by_duration:x"],
    "share.isolation.level": ["read_committed", "dirty"],
    "share.record.lock.duration.ms": ["10000", "70000", "20000"],
    "streams.num.standby.replicas": ["2", "3", "-1"],
    "no.such.config": ["1"],
}

METRICS_VALUES = {
    "interval.ms": ["10", "1000", "x"],
    "match": ["client_id=a.*", "foo=1", "client_id", "client_id=[", "client_id=a=b"],
    "metrics": ["org.apache.kafka.", "*,a", "a,a"],
    "no.such.config": ["1"],
}


def validations(kind: int, name: str, values: dict[str, list[str]]) -> list[tuple[str, Request]]:
    return [
        (f"validate {kind} {name!r} {key}={value!r}", changes(kind, name, (key, SET, value), validate_only=True))
        for key, texts in values.items()
        for value in texts
    ]


BAD_TOPICS = [
    topic(""), topic("."), topic(".."), topic("a" * 249), topic("a" * 250), topic("a b"), topic("ä"), topic("a/b"), topic("plain"),
    topic("with_dot"), topic("with.dot"), topic("__cluster_metadata"), topic("p0", 0), topic("p-2", -2), topic("r0", 1, 0),
    topic("r-2", 1, -2), topic("r2", 1, 2), topic("r-1", -1, -1), topic("many", 10001), topic("defaults", -1, -1),
    topic("assigned", -1, -1, assignments=[(0, [1]), (1, [1])]), topic("a-count", 2, -1, assignments=[(0, [1])]),
    topic("a-factor", -1, 1, assignments=[(0, [1])]), topic("a-twice", -1, -1, assignments=[(0, [1]), (0, [1])]),
    topic("a-gap", -1, -1, assignments=[(0, [1]), (2, [1])]), topic("a-unknown", -1, -1, assignments=[(0, [7])]),
    topic("a-same", -1, -1, assignments=[(0, [1, 1])]), topic("a-empty", -1, -1, assignments=[(0, [])]),
    topic("c-null", configs={"retention.ms": None}), topic("c-unknown", configs={"foo": "1"}),
    topic("c-bad", configs={"retention.ms": "x"}), topic("c-lags", configs={"min.compaction.lag.ms": "9", "max.compaction.lag.ms": "5"}),
    topic("c-good", configs={"retention.ms": " 9 ", "cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.10"}),
]  # fmt: skip

#: (name, request); each is sent in the newest version.
STEPS: list[tuple[str, Request]] = [
    ("create plain", creates(topic("plain"))),
    ("create with configs", creates(topic("with.dot", 3, configs={
        "retention.ms": "1000", "cleanup.policy": "compact,delete", "min.cleanable.dirty.ratio": "0.3",
        "flush.messages": "10", "message.timestamp.type": "CreateTime", "internal.segment.bytes": "4096"}))),
    ("describe plain", describes(TOPIC, "plain")),
    ("describe with configs", describes(TOPIC, "with.dot")),
    *[(f"create {t.name[:20]} {len(t.name)}", creates(t, validate_only=True)) for t in BAD_TOPICS],
    ("create twice in a request", creates(topic("x"), topic("x"), topic("y"), validate_only=True)),
    ("create too many at once", creates(topic("x", 6000), topic("y", 5000), validate_only=True)),
    ("describe unknown", describes(TOPIC, "unknown")),
    ("describe bad name", describes(TOPIC, "a b")),
    *validations(TOPIC, "plain", BAD_VALUES),
    ("change unknown topic", sets(TOPIC, "unknown", retention_ms="1")),
    ("change bad topic", sets(TOPIC, "a b", retention_ms="1")),
    ("change no topic", sets(TOPIC, "", retention_ms="1")),
    ("change two keys alike", changes(TOPIC, "plain", ("retention.ms", SET, "1"), ("retention.ms", SET, "2"))),
    ("change to null", changes(TOPIC, "plain", ("retention.ms", SET, None), ("flush.ms", APPEND, None))),
    ("change unknown type", sets(3, "plain", retention_ms="1")),
    ("append to a number", changes(TOPIC, "plain", ("retention.ms", APPEND, "1"))),
    ("subtract from unknown", changes(TOPIC, "plain", ("foo", SUBTRACT, "1"))),
    ("delete unknown", changes(TOPIC, "plain", ("foo", DELETE, None))),
    ("long value", changes(TOPIC, "plain", ("leader.replication.throttled.replicas", APPEND, many_replicas(0, 3000)))),
    ("value too long", changes(TOPIC, "plain", ("leader.replication.throttled.replicas", APPEND, many_replicas(3000, 6000)))),
    ("no long value", changes(TOPIC, "plain", ("leader.replication.throttled.replicas", DELETE, None))),
    ("append to default", changes(TOPIC, "plain", ("cleanup.policy", APPEND, "compact"))),
    ("describe appended", describes(TOPIC, "plain")),
    ("append again", changes(TOPIC, "plain", ("cleanup.policy", APPEND, "compact,delete"), ("retention.ms", SET, "5"))),
    ("subtract", changes(TOPIC, "plain", ("cleanup.policy", SUBTRACT, "delete,foo"))),
    ("describe subtracted", describes(TOPIC, "plain")),
    ("subtract all", changes(TOPIC, "plain", ("cleanup.policy", SUBTRACT, "compact"))),
    ("describe empty list", describes(TOPIC, "plain")),
    ("replace all", replaces(TOPIC, "plain", {"segment.bytes": "5000000", "preallocate": " TRUE "})),
    ("describe replaced", describes(TOPIC, "plain")),
    ("replace with bad", replaces(TOPIC, "plain", {"segment.bytes": "5"})),
    ("replace with null", replaces(TOPIC, "plain", {"segment.bytes": None})),
    ("replace unknown topic", replaces(TOPIC, "unknown", {"segment.bytes": "5000000"})),
    ("replace unknown type", replaces(3, "plain", {"segment.bytes": "5000000"})),
    *validations(BROKER, NODE, BROKER_VALUES),
    *validations(BROKER, "", {**BROKER_VALUES, "min.insync.replicas": ["1", "x", "0"]}),
    ("another broker", sets(BROKER, "7", log_retention_ms="1")),
    ("broker no number", sets(BROKER, "seven", log_retention_ms="1")),
    ("broker append to number", changes(BROKER, NODE, ("log.retention.ms", APPEND, "1"))),
    ("broker append", changes(BROKER, NODE, ("log.cleanup.policy", SUBTRACT, "compact"))),
    ("remove cluster min isr", changes(BROKER, "", ("min.insync.replicas", DELETE, None))),
    ("cluster default", sets(BROKER, "", log_retention_ms="70000", log_flush_interval_messages="77")),
    ("broker config", sets(BROKER, NODE, log_roll_ms="80000", compression_type="zstd")),
    ("describe plain after broker changes", describes(TOPIC, "plain")),
    ("describe with configs after broker changes", describes(TOPIC, "with.dot")),
    ("describe default", describes(BROKER, "")),
    ("describe broker", describes(BROKER, NODE)),
    ("broker quota and unknown keys", changes(BROKER, NODE, ("leader.replication.throttled.rate", SET, "5"), ("foo.bar", SET, "1"),
        ("listener.name.plaintext.max.connections", SET, "9"), ("log.cleanup.policy", SET, "delete,delete"))),
    ("unknown key for all", sets(BROKER, "", foo_bar="2")),
    ("append to unknown key", changes(BROKER, NODE, ("foo.bar", APPEND, "1"))),
    ("describe default with unknown", describes(BROKER, "")),
    ("describe broker with unknown", describes(BROKER, NODE)),
    ("replace broker config", replaces(BROKER, NODE, {"log.roll.ms": "90000"})),
    ("describe plain after replacing", describes(TOPIC, "plain")),
    ("create after broker changes", creates(topic("late", -1, -1))),
    *validations(GROUP, "g", GROUP_VALUES),
    ("group without name", sets(GROUP, "", consumer_session_timeout_ms="46000")),
    ("group config", sets(GROUP, "g", consumer_session_timeout_ms="46000")),
    ("describe group", describes(GROUP, "g")),
    ("describe other group", describes(GROUP, "other")),
    *validations(CLIENT_METRICS, "m", METRICS_VALUES),
    ("metrics without name", sets(CLIENT_METRICS, "", interval_ms="1000")),
    ("metrics", sets(CLIENT_METRICS, "m", interval_ms="1000", match="client_id=a.*")),
    ("describe metrics", describes(CLIENT_METRICS, "m")),
    ("describe other metrics", describes(CLIENT_METRICS, "other")),
    ("grow", grows("plain", 3)),
    ("grow not", grows("plain", 3)),
    ("shrink", grows("plain", 2)),
    ("grow unknown", grows("unknown", 2)),
    ("grow by assignment", grows("plain", 4, [[1]])),
    ("grow by too few", grows("plain", 9, [[1]])),
    ("grow by unknown broker", grows("plain", 5, [[7]])),
    ("grow by two replicas", grows("plain", 5, [[1, 1]])),
    ("grow by none", grows("plain", 5, [[]])),
    ("grow only to see", grows("plain", 5, validate_only=True)),
    ("delete", deletes("late")),
    ("delete again", deletes("late")),
    ("delete twice", deletes("plain", "plain")),
]  # fmt: skip

#: Lists whose order is that of a hash map in Kafka: field -> the field to sort by.
UNORDERED = {"configs": "name", "topics": "name", "responses": "name"}
MASKED = {"topic_id", "throttle_time_ms"}


def plain(value: Any) -> Any:
    """Turn an answer into plain data."""
    if isinstance(value, Struct):
        found = {}
        for field in value.FIELDS:
            item = plain(getattr(value, field.name))
            if field.name in UNORDERED and isinstance(item, list):
                key = UNORDERED[field.name]
                item.sort(key=lambda row: str(row.get(key)))
            if field.name not in MASKED:
                found[field.name] = item
        return found
    if isinstance(value, list):
        return [plain(item) for item in value]
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value


def ask(connection: socket.socket, request: Request, correlation_id: int = 1) -> Any:
    """Send a request in its newest version and decode the answer."""
    key, version = request.API_KEY, request.VERSIONS.high
    flexible = version in request.FLEXIBLE
    head = struct.pack(">hhih", key, version, correlation_id, -1) + (b"\0" if flexible else b"")
    body = head + codec.encode(request, version)
    connection.sendall(struct.pack(">i", len(body)) + body)
    frame = _receive(connection, struct.unpack(">i", _receive(connection, 4))[0])
    pos = 4 + (framing.response_header_version(key, version) > 0)
    return codec.decode(apis.response_class(key), frame, version, pos)


def _receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError("the broker hung up")
        data += part
    return data


def record() -> None:
    """Put the conversation to a real Apache Kafka and write its answers down."""
    from tests.support.kafka_jvm import KafkaJvm

    answers = {}
    with tempfile.TemporaryDirectory() as folder, KafkaJvm(Path(folder), properties=STATIC) as kafka:
        with socket.create_connection(("127.0.0.1", kafka.port)) as connection:
            for name, request in STEPS:
                if name in answers:
                    raise ValueError(f"two steps are called {name!r}")
                answers[name] = plain(ask(connection, request))
                time.sleep(0.1)  # the broker hears of changes a moment after the controller answered
        static = read(Path(folder) / "server.properties")
    write(static, answers)


def write(static: dict[str, str], answers: dict[str, Any]) -> None:
    """Write one line per answer, so that a change shows as what it is."""
    rows = ",\n".join(
        f"  {json.dumps(name)}: {json.dumps(answer, separators=(',', ':'))}" for name, answer in answers.items()
    )
    head = f'{{\n "command": "python -m tests.golden.admin",\n "static": {json.dumps(static)},\n "answers": {{\n'
    FILE.write_text(f"{head}{rows}\n }}\n}}\n")


def read(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


if __name__ == "__main__":
    record()
    sys.stdout.write(f"{FILE}: {FILE.stat().st_size} bytes\n")
