"""Rows about topics: CreateTopics, DeleteTopics, CreatePartitions, Metadata, DescribeTopicPartitions."""

from __future__ import annotations

from typing import Any

from .wire import Row, learned

CREATE_TOPICS, DELETE_TOPICS, CREATE_PARTITIONS, METADATA, DESCRIBE_TOPIC_PARTITIONS = 19, 20, 37, 3, 75
ABSENT_ID = bytes(range(100, 116))
MAX_NAME = "n" * 249


def topic(name: str, partitions: int = 1, replication: int = 1, **fields: Any) -> dict[str, Any]:
    return {"name": name, "num_partitions": partitions, "replication_factor": replication, **fields}


def create(name: str, *topics: dict[str, Any], validate_only: bool = False, **options: Any) -> Row:
    return Row(
        f"create: {name}",
        CREATE_TOPICS,
        {"topics": list(topics), "timeout_ms": 10000, "validate_only": validate_only},
        **options,
    )


def configs(**values: str | None) -> list[dict[str, Any]]:
    return [{"name": name.replace("_", "."), "value": value} for name, value in values.items()]


def assignment(*replicas: list[int], start: int = 0) -> dict[str, Any]:
    rows = [{"partition_index": index, "broker_ids": ids} for index, ids in enumerate(replicas, start)]
    return {"num_partitions": -1, "replication_factor": -1, "assignments": rows}


#: What the rows of every file use. Created once, in the newest version.
SETUP = [
    create("one", topic("one"), versions="7"),
    create("three", topic("three", 3), versions="7"),
    create("compacted", topic("compacted", configs=configs(cleanup_policy="compact")), versions="7"),
    create("small", topic("small", configs=configs(max_message_bytes="200")), versions="7"),
    create("stamped", topic("stamped", configs=configs(message_timestamp_type="LogAppendTime")), versions="7"),
    create("group", topic("grouped", 4), versions="7"),
]

CREATES = [
    create("plain", topic("made-{v}", 2)),
    create("defaults by -1", topic("made-default-{v}", -1, -1)),
    create("zero partitions", topic("zero-{v}", 0)),
    create("negative partitions", topic("negative-{v}", -2)),
    create("zero replicas", topic("zero-replicas-{v}", 1, 0)),
    create("negative replicas", topic("negative-replicas-{v}", 1, -2)),
    create("more replicas than brokers", topic("too-many-replicas-{v}", 1, 2)),
    create("too many partitions", topic("too-many-{v}", 2_000_000)),
    create("many partitions, validate only", topic("validated-many-{v}", 500), validate_only=True),
    create("exists", topic("one")),
    create("exists, validate only", topic("one"), validate_only=True),
    create("validate only", topic("validated-{v}"), validate_only=True),
    create("empty name", topic("")),
    create("dot", topic(".")),
    create("two dots", topic("..")),
    create("bad character", topic("no spaces")),
    create("slash", topic("../up")),
    create("NUL", topic("a\0b")),
    create("not ascii", topic("žluť")),
    create("longest name", topic(MAX_NAME), validate_only=True),
    create("name too long", topic(MAX_NAME + "n")),
    create("collision of . and _", topic("colli.de_{v}"), topic("colli_de_{v}")),
    create("collision with one that exists", topic("made.x-{v}")),
    create("collision with one that exists, second", topic("made_x-{v}")),
    create("internal name", topic("__cluster_metadata")),
    create("group's internal topic", topic("__consumer_offsets", 1, 1), validate_only=True),
    create("twice in one request", topic("twice-{v}"), topic("twice-{v}")),
    create("twice and another", topic("twice-{v}"), topic("not-twice-{v}"), topic("twice-{v}", 3)),
    create("three times", topic("thrice-{v}"), topic("thrice-{v}"), topic("thrice-{v}")),
    create("none"),
    create("right and wrong together", topic("right-{v}"), topic("wrong name"), topic("one")),
    create("configs", topic("configured-{v}", configs=configs(retention_ms="1000", cleanup_policy="compact,delete"))),
    create("unknown config", topic("misconfigured-{v}", configs=configs(retention_years="1"))),
    create("bad integer", topic("misconfigured-{v}", configs=configs(retention_ms="soon"))),
    create("integer too small", topic("misconfigured-{v}", configs=configs(segment_bytes="1"))),
    create("bad choice", topic("misconfigured-{v}", configs=configs(cleanup_policy="shred"))),
    create("bad boolean", topic("misconfigured-{v}", configs=configs(preallocate="maybe"))),
    create("bad double", topic("misconfigured-{v}", configs=configs(min_cleanable_dirty_ratio="2.0"))),
    create("null config", topic("misconfigured-{v}", configs=configs(retention_ms=None))),
    create("empty config", topic("misconfigured-{v}", configs=configs(retention_ms=""))),
    create(
        "min above max lag", topic("lag-{v}", configs=configs(min_compaction_lag_ms="10", max_compaction_lag_ms="5"))
    ),
    create("config twice", topic("config-twice-{v}", configs=configs(retention_ms="1") + configs(retention_ms="2"))),
    create("compression", topic("zstd-{v}", configs=configs(compression_type="zstd", compression_zstd_level="4"))),
    create("compression unknown", topic("rar-{v}", configs=configs(compression_type="rar"))),
    create("remote storage", topic("remote-{v}", configs=configs(remote_storage_enable="true"))),
    create("configs, validate only", topic("validated-{v}", configs=configs(segment_ms="12345")), validate_only=True),
    create("assignment", topic("assigned-{v}") | assignment([1], [1])),
    create("assignment and counts", topic("both-{v}", 2, 1) | {"assignments": assignment([1], [1])["assignments"]}),
    create("assignment to an unknown broker", topic("unknown-broker-{v}") | assignment([7])),
    create("assignment to nobody", topic("nobody-{v}") | assignment([])),
    create("assignment with a broker twice", topic("broker-twice-{v}") | assignment([1, 1])),
    create("assignment with a negative broker", topic("negative-broker-{v}") | assignment([-3])),
    create("assignment not from 0", topic("gap-{v}") | assignment([1], [1], start=1)),
    create(
        "assignment of a partition twice",
        topic("partition-twice-{v}", -1, -1, assignments=[{"partition_index": 0, "broker_ids": [1]}] * 2),
    ),
    create("assignment of different sizes", topic("uneven-{v}") | assignment([1], [1, 2])),
]


def delete(
    name: str, names: list[str], ids: list[Any] | None = None, both: list[Any] | None = None, **options: Any
) -> Row:
    topics: list[Any] = [{"name": one} for one in names]
    topics += [{"name": None, "topic_id": one} for one in ids or []]
    topics += both or []
    return Row(
        f"delete: {name}", DELETE_TOPICS, {"topic_names": names, "topics": topics, "timeout_ms": 10000}, **options
    )


DELETES = [
    create(
        "to delete", *(topic(f"delete-{letter}{version}") for letter in "abcde" for version in range(8)), versions="7"
    ),
    delete("one", ["delete-a{v}"]),
    delete("again", ["delete-a{v}"]),
    delete("unknown", ["never-was"]),
    delete("none", []),
    delete("bad name", ["no spaces"]),
    delete("empty name", [""]),
    delete("twice in one request", ["delete-b{v}", "delete-b{v}"]),
    delete("three times", ["delete-b{v}"] * 3),
    delete("right and unknown", ["delete-c{v}", "never-was"]),
    delete("by id", [], [learned("topic:delete-d{v}")], versions="6+"),
    delete("by id again", [], [learned("topic:delete-d{v}")], versions="6+"),
    delete("unknown id", [], [ABSENT_ID], versions="6+"),
    delete("zero id", [], [bytes(16)], versions="6+"),
    delete("id twice", [], [ABSENT_ID, ABSENT_ID], versions="6+"),
    delete("name and id in one", [], both=[{"name": "one", "topic_id": learned("topic:one")}], versions="6+"),
    delete("name and its id apart", ["delete-e{v}"], [learned("topic:delete-e{v}")], versions="6+"),
]


def partitions(name: str, *topics: dict[str, Any], validate_only: bool = False, **options: Any) -> Row:
    fields = {"topics": list(topics), "timeout_ms": 10000, "validate_only": validate_only}
    return Row(f"partitions: {name}", CREATE_PARTITIONS, fields, **options)


def grown(name: str, count: int, *replicas: list[int]) -> dict[str, Any]:
    return {
        "name": name,
        "count": count,
        "assignments": [{"broker_ids": ids} for ids in replicas] if replicas else None,
    }


PARTITIONS = [
    create("to grow", *(topic(f"grow-{letter}{version}") for letter in "abc" for version in range(8)), versions="7"),
    partitions("grow", grown("grow-a{v}", 3)),
    partitions("same count", grown("grow-a{v}", 3)),
    partitions("shrink", grown("grow-a{v}", 2)),
    partitions("to zero", grown("grow-a{v}", 0)),
    partitions("negative", grown("grow-a{v}", -1)),
    partitions("too many", grown("grow-a{v}", 20_000), validate_only=True),
    partitions("unknown topic", grown("never-was", 3)),
    partitions("bad name", grown("no spaces", 3)),
    partitions("empty name", grown("", 3)),
    partitions("none"),
    partitions("validate only", grown("grow-b{v}", 5), validate_only=True),
    partitions("validate only, wrong", grown("grow-b{v}", 1), validate_only=True),
    partitions("twice in one request", grown("grow-b{v}", 3), grown("grow-b{v}", 4)),
    partitions("assignment", grown("grow-c{v}", 3, [1], [1])),
    partitions("assignment of wrong length", grown("grow-c{v}", 5, [1])),
    partitions("assignment too long", grown("grow-c{v}", 4, [1], [1])),
    partitions("assignment to an unknown broker", grown("grow-c{v}", 4, [9])),
    partitions("assignment to nobody", grown("grow-c{v}", 4, [])),
    partitions("assignment with a broker twice", grown("grow-c{v}", 4, [1, 1])),
    partitions("assignment of another replication factor", grown("grow-c{v}", 4, [1, 2])),
    partitions("right and wrong", grown("grow-b{v}", 2), grown("never-was", 2)),
]


def metadata(name: str, topics: list[Any] | None, auto: bool = False, **options: Any) -> Row:
    rows = None if topics is None else [one if isinstance(one, dict) else {"name": one} for one in topics]
    fields = {
        "topics": rows,
        "allow_auto_topic_creation": auto,
        "include_topic_authorized_operations": options.pop("operations", False),
    }
    return Row(f"metadata: {name}", METADATA, fields, **options)


METADATAS = [
    metadata("one", ["one"]),
    metadata("two", ["three", "one"]),
    metadata("one twice", ["one", "one"]),
    metadata("unknown, no creation", ["never-was"], versions="4+"),
    metadata("none", [], versions="1+"),
    metadata("bad name", ["no spaces"], versions="4+"),
    metadata("bad name, creation", ["no spaces"], auto=True),
    metadata("empty name", [""], auto=True),
    metadata("dots", [".."], auto=True),
    metadata("name too long", [MAX_NAME + "n"], auto=True),
    metadata("internal", ["__consumer_offsets_x"], versions="4+"),
    metadata("by id", [{"topic_id": learned("topic:one"), "name": None}], versions="10+"),
    metadata("unknown id", [{"topic_id": ABSENT_ID, "name": None}], versions="10+"),
    metadata("zero id and null name", [{"topic_id": bytes(16), "name": None}], versions="10+"),
    metadata("id and name", [{"topic_id": learned("topic:one"), "name": "one"}], versions="10+"),
    metadata("topic operations", ["one"], operations=True, versions="8+"),
    Row(
        "metadata: cluster operations",
        METADATA,
        {"topics": [], "include_cluster_authorized_operations": True},
        versions="8-10",
    ),
]


def described(name: str, names: list[str], limit: int = 2000, cursor: tuple[str, int] | None = None) -> Row:
    at = None if cursor is None else {"topic_name": cursor[0], "partition_index": cursor[1]}
    fields = {"topics": [{"name": one} for one in names], "response_partition_limit": limit, "cursor": at}
    return Row(f"describe: {name}", DESCRIBE_TOPIC_PARTITIONS, fields, ordered=True)


DESCRIBES = [
    described("one", ["one"]),
    described("two, sorted", ["three", "one"]),
    described("twice", ["one", "one"]),
    described("unknown", ["never-was"]),
    described("bad name", ["no spaces"]),
    described("empty name", [""]),
    described("limit reached inside a topic", ["three"], 2),
    described("limit reached between topics", ["one", "three"], 1),
    described("limit of zero", ["three"], 0),
    described("negative limit", ["three"], -5),
    described("limit above the broker's", ["three"], 100_000),
    described("cursor", ["three"], 2000, ("three", 1)),
    described("cursor past the end", ["three"], 2000, ("three", 9)),
    described("cursor skips earlier topics", ["one", "three"], 2000, ("three", 0)),
    described("cursor not in the list", ["one"], 2000, ("three", 0)),
    described("negative cursor", ["three"], 2000, ("three", -1)),
    described("cursor at an unknown topic", ["zzz"], 2000, ("zzz", 0)),
    described("all from the last", [], 2000, ("zstd-7", 0)),
    described("all, first", [], 1),
]

ROWS = [*CREATES, *DELETES, *PARTITIONS, *METADATAS, *DESCRIBES]
