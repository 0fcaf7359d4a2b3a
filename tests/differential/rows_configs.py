"""Rows about configs: DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources, and DescribeCluster."""

from __future__ import annotations

from typing import Any

from .rows_topics import create, topic
from .wire import Row

DESCRIBE_CONFIGS, ALTER_CONFIGS, INCREMENTAL_ALTER_CONFIGS, LIST_CONFIG_RESOURCES, DESCRIBE_CLUSTER = 32, 33, 44, 74, 60
TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = 0, 1, 2, 3
NODE = "1"
GROUP_KEYS = ("share.session.timeout.ms", "consumer.session.timeout.ms", "streams.session.timeout.ms")


def describe(name: str, *resources: tuple[int, str, list[str] | None], synonyms: bool = False, **options: Any) -> Row:
    fields = {
        "resources": [
            {"resource_type": kind, "resource_name": of, "configuration_keys": keys} for kind, of, keys in resources
        ],
        "include_synonyms": synonyms,
        "include_documentation": options.pop("documentation", False),
    }
    return Row(f"configs: {name}", DESCRIBE_CONFIGS, fields, **options)


DESCRIBES = [
    describe("topic", (TOPIC, "one", None)),
    describe("topic with synonyms", (TOPIC, "one", None), synonyms=True),
    describe("topic with documentation", (TOPIC, "one", None), documentation=True, versions="3+"),
    describe("topic with overrides", (TOPIC, "compacted", ["cleanup.policy", "retention.ms"]), synonyms=True),
    describe("some keys", (TOPIC, "one", ["retention.ms", "segment.bytes"])),
    describe(
        "order of keys",
        (TOPIC, "one", ["retention.ms", "segment.bytes", "compression.type", "cleanup.policy", "segment.jitter.ms"]),
        ordered=True,
    ),
    describe("order in a group", (GROUP, "group-never-set", list(GROUP_KEYS)), ordered=True),
    describe("unknown key", (TOPIC, "one", ["no.such.key"])),
    describe("no keys", (TOPIC, "one", [])),
    describe("key twice", (TOPIC, "one", ["retention.ms", "retention.ms"])),
    describe("unknown topic", (TOPIC, "never-was", None)),
    describe("bad topic name", (TOPIC, "no spaces", None)),
    describe("empty topic name", (TOPIC, "", None)),
    describe("resource twice", (TOPIC, "one", ["retention.ms"]), (TOPIC, "one", ["retention.ms"])),
    describe("right and wrong", (TOPIC, "one", ["retention.ms"]), (TOPIC, "never-was", None)),
    describe("nothing"),
    describe(
        "broker, some keys", (BROKER, NODE, ["log.retention.ms", "num.partitions", "message.max.bytes"]), synonyms=True
    ),
    describe("broker, sensitive key", (BROKER, NODE, ["ssl.keystore.password"]), synonyms=True),
    describe("broker, key set in the file", (BROKER, NODE, ["group.initial.rebalance.delay.ms"]), synonyms=True),
    describe("broker, documentation", (BROKER, NODE, ["num.partitions"]), documentation=True, versions="3+"),
    describe("default of brokers", (BROKER, "", None), synonyms=True),
    describe("another broker", (BROKER, "7", None)),
    describe("broker not a number", (BROKER, "seven", None)),
    describe("logger of another broker", (BROKER_LOGGER, "7", None)),
    describe("logger without broker", (BROKER_LOGGER, "", None)),
    describe("logger not a number", (BROKER_LOGGER, "seven", None)),
    describe("client metrics", (CLIENT_METRICS, "metrics-never-set", None), synonyms=True),
    describe("client metrics without name", (CLIENT_METRICS, "", None)),
    describe("group", (GROUP, "group-never-set", None), synonyms=True),
    describe("group without name", (GROUP, "", None)),
    describe("unknown resource type", (77, "x", None)),
    describe("unknown resource type 0", (0, "x", None)),
    describe("negative resource type", (-1, "x", None)),
    describe("unknown type beside a topic", (TOPIC, "one", ["retention.ms"]), (77, "x", None)),
]


def alter(
    name: str, *resources: tuple[int, str, dict[str, str | None]], validate_only: bool = False, **options: Any
) -> Row:
    rows = [
        {
            "resource_type": kind,
            "resource_name": of,
            "configs": [{"name": key, "value": value} for key, value in values.items()],
        }
        for kind, of, values in resources
    ]
    return Row(f"alter: {name}", ALTER_CONFIGS, {"resources": rows, "validate_only": validate_only}, **options)


ALTERS = [
    create(
        "to configure", *(topic(f"conf-{letter}{version}") for letter in "ab" for version in range(4)), versions="7"
    ),
    alter("set", (TOPIC, "conf-a{v}", {"retention.ms": "5000", "segment.bytes": "2000000"})),
    describe("after alter", (TOPIC, "conf-a1", ["retention.ms", "segment.bytes"])),
    alter("replace: the other goes", (TOPIC, "conf-a{v}", {"retention.ms": "6000"})),
    describe("after replace", (TOPIC, "conf-a1", ["retention.ms", "segment.bytes"]), synonyms=True),
    alter("to nothing", (TOPIC, "conf-a{v}", {})),
    alter("validate only", (TOPIC, "conf-a{v}", {"retention.ms": "7000"}), validate_only=True),
    alter("validate only, wrong", (TOPIC, "conf-a{v}", {"retention.ms": "x"}), validate_only=True),
    describe("after validate only", (TOPIC, "conf-a1", ["retention.ms"])),
    alter("unknown key", (TOPIC, "conf-a{v}", {"retention.years": "1"})),
    alter("bad value", (TOPIC, "conf-a{v}", {"segment.bytes": "1"})),
    alter("null value", (TOPIC, "conf-a{v}", {"retention.ms": None})),
    alter("two null values", (TOPIC, "conf-a{v}", {"retention.ms": None, "segment.ms": None})),
    alter("unknown topic", (TOPIC, "never-was", {"retention.ms": "1"})),
    alter("bad topic name", (TOPIC, "no spaces", {"retention.ms": "1"})),
    alter("empty topic name", (TOPIC, "", {"retention.ms": "1"})),
    alter(
        "resource twice",
        (TOPIC, "conf-a{v}", {"retention.ms": "1"}),
        (TOPIC, "conf-a{v}", {"retention.ms": "2"}),
        silent=True,
        versions="1",
    ),
    alter("right and wrong", (TOPIC, "conf-b{v}", {"retention.ms": "1"}), (TOPIC, "never-was", {"retention.ms": "2"})),
    alter("nothing"),
    alter("broker, dynamic", (BROKER, NODE, {"message.max.bytes": "1048588"})),
    describe("after alter of a broker", (BROKER, NODE, ["message.max.bytes"]), synonyms=True),
    alter("broker, read-only key", (BROKER, NODE, {"log.dirs": "/tmp/x"})),
    alter("broker, unknown key", (BROKER, NODE, {"no.such.key": "1"})),
    alter("broker, bad value", (BROKER, NODE, {"message.max.bytes": "big"})),
    alter("another broker", (BROKER, "7", {"message.max.bytes": "1"})),
    alter("broker not a number", (BROKER, "seven", {"message.max.bytes": "1"})),
    alter("broker to nothing", (BROKER, NODE, {})),
    alter("default of brokers", (BROKER, "", {"message.max.bytes": "1048589"})),
    describe(
        "after alter of the default",
        (BROKER, NODE, ["message.max.bytes"]),
        (TOPIC, "one", ["max.message.bytes"]),
        synonyms=True,
    ),
    alter("default of brokers to nothing", (BROKER, "", {})),
    alter("broker logger", (BROKER_LOGGER, NODE, {"root": "INFO"})),
    alter("client metrics", (CLIENT_METRICS, "m{v}", {"interval.ms": "1000"})),
    alter("client metrics, unknown key", (CLIENT_METRICS, "m{v}", {"no.such": "1000"})),
    alter("client metrics, bad interval", (CLIENT_METRICS, "m{v}", {"interval.ms": "1"})),
    alter("client metrics, bad match", (CLIENT_METRICS, "m{v}", {"match": "client_id"})),
    alter("client metrics without name", (CLIENT_METRICS, "", {"interval.ms": "1000"})),
    alter("client metrics to nothing", (CLIENT_METRICS, "m{v}", {})),
    alter("group", (GROUP, "g{v}", {"consumer.session.timeout.ms": "50000"})),
    alter("group, unknown key", (GROUP, "g{v}", {"no.such": "1"})),
    alter("group, out of bounds", (GROUP, "g{v}", {"consumer.session.timeout.ms": "1"})),
    alter("group without name", (GROUP, "", {"consumer.session.timeout.ms": "50000"})),
    alter("group to nothing", (GROUP, "g{v}", {})),
    alter("unknown resource type", (77, "x", {"a": "b"})),
]

Operation = tuple[str, int, str | None]


def incremental(
    name: str, *resources: tuple[int, str, list[Operation]], validate_only: bool = False, **options: Any
) -> Row:
    rows = [
        {
            "resource_type": kind,
            "resource_name": of,
            "configs": [
                {"name": key, "config_operation": operation, "value": value} for key, operation, value in operations
            ],
        }
        for kind, of, operations in resources
    ]
    return Row(
        f"incremental: {name}",
        INCREMENTAL_ALTER_CONFIGS,
        {"resources": rows, "validate_only": validate_only},
        **options,
    )


INCREMENTALS = [
    create(
        "to configure more", *(topic(f"inc-{letter}{version}") for letter in "ab" for version in range(4)), versions="7"
    ),
    incremental("set", (TOPIC, "inc-a{v}", [("retention.ms", SET, "5000"), ("segment.ms", SET, "6000")])),
    incremental("delete", (TOPIC, "inc-a{v}", [("segment.ms", DELETE, None)])),
    incremental("delete what is not set", (TOPIC, "inc-a{v}", [("segment.ms", DELETE, None)])),
    incremental("delete with a value", (TOPIC, "inc-a{v}", [("segment.ms", DELETE, "x")])),
    incremental("delete an unknown key", (TOPIC, "inc-a{v}", [("no.such", DELETE, None)])),
    incremental("append to a list", (TOPIC, "inc-a{v}", [("cleanup.policy", APPEND, "compact")])),
    describe("after append", (TOPIC, "inc-a1", ["cleanup.policy", "retention.ms", "segment.ms"]), synonyms=True),
    incremental("append again", (TOPIC, "inc-a{v}", [("cleanup.policy", APPEND, "compact")])),
    incremental("subtract from a list", (TOPIC, "inc-a{v}", [("cleanup.policy", SUBTRACT, "delete")])),
    describe("after subtract", (TOPIC, "inc-a1", ["cleanup.policy"])),
    incremental("subtract what is not in it", (TOPIC, "inc-a{v}", [("cleanup.policy", SUBTRACT, "shred")])),
    incremental("subtract the last", (TOPIC, "inc-a{v}", [("cleanup.policy", SUBTRACT, "compact")])),
    describe("after the last is gone", (TOPIC, "inc-a1", ["cleanup.policy"])),
    incremental("append to what is no list", (TOPIC, "inc-a{v}", [("retention.ms", APPEND, "1")])),
    incremental("subtract from what is no list", (TOPIC, "inc-a{v}", [("retention.ms", SUBTRACT, "1")])),
    incremental("append to an unknown key", (TOPIC, "inc-a{v}", [("no.such", APPEND, "1")])),
    incremental("append an invalid member", (TOPIC, "inc-a{v}", [("cleanup.policy", APPEND, "shred")])),
    incremental("unknown operation", (TOPIC, "inc-a{v}", [("retention.ms", 9, "1")])),
    incremental("negative operation", (TOPIC, "inc-a{v}", [("retention.ms", -1, "1")])),
    incremental("key twice", (TOPIC, "inc-a{v}", [("retention.ms", SET, "1"), ("retention.ms", SET, "2")])),
    incremental("null value", (TOPIC, "inc-a{v}", [("retention.ms", SET, None)])),
    incremental("unknown key", (TOPIC, "inc-a{v}", [("retention.years", SET, "1")])),
    incremental("bad value", (TOPIC, "inc-a{v}", [("segment.bytes", SET, "1")])),
    incremental("not a number", (TOPIC, "inc-a{v}", [("segment.bytes", SET, "1x")])),
    incremental("number too large", (TOPIC, "inc-a{v}", [("segment.bytes", SET, "99999999999")])),
    incremental("throttled replicas", (TOPIC, "inc-a{v}", [("leader.replication.throttled.replicas", SET, "0:1,1:1")])),
    incremental(
        "throttled replicas wrong", (TOPIC, "inc-a{v}", [("leader.replication.throttled.replicas", SET, "zero")])
    ),
    incremental("validate only", (TOPIC, "inc-b{v}", [("retention.ms", SET, "5000")]), validate_only=True),
    incremental("unknown topic", (TOPIC, "never-was", [("retention.ms", SET, "1")])),
    incremental("bad topic name", (TOPIC, "no spaces", [("retention.ms", SET, "1")])),
    incremental("empty topic name", (TOPIC, "", [("retention.ms", SET, "1")])),
    incremental("resource twice", (TOPIC, "inc-b{v}", [("retention.ms", SET, "1")]), (TOPIC, "inc-b{v}", [])),
    incremental("no operations", (TOPIC, "inc-b{v}", [])),
    incremental("nothing"),
    incremental("broker, dynamic", (BROKER, NODE, [("log.cleaner.threads", SET, "2")])),
    incremental("broker, back", (BROKER, NODE, [("log.cleaner.threads", DELETE, None)])),
    *(
        incremental(f"broker, {key}={value}", (BROKER, of, [(key, SET, value)]))
        for key, value, of in (
            ("max.connections.per.ip.overrides", "127.0.0.1:a", NODE),
            ("max.connections.per.ip.overrides", "127.0.0.1", NODE),
            ("max.connections.per.ip.overrides", "host#:5", ""),
            ("max.connections.per.ip.overrides", "127.0.0.9:5,", NODE),
            ("max.connections.per.ip.overrides", "", NODE),
            ("max.connections.per.ip", "0", NODE),
            ("max.connections", "0", NODE),
            ("max.connections", "0", ""),
            ("max.connection.creation.rate", "0", ""),
            ("listener.name.plaintext.max.connections", "0", NODE),
            ("listener.name.plaintext.max.connections", "abc", NODE),
            ("listener.name.plaintext.max.connection.creation.rate", "0", NODE),
            ("num.io.threads", "1000", NODE),
            ("num.io.threads", "1", ""),
            ("num.network.threads", "1000", ""),
            ("listener.name.plaintext.num.network.threads", "1000", NODE),
            ("log.cleaner.threads", "99", NODE),
            ("background.threads", "0", NODE),
        )
    ),
    incremental(
        "broker, limits and threads back", (BROKER, NODE, [("max.connections.per.ip.overrides", DELETE, None)])
    ),
    incremental("broker, read-only key", (BROKER, NODE, [("broker.id", SET, "2")])),
    incremental("broker, cluster-wide key", (BROKER, "", [("log.retention.ms", SET, "700000000")])),
    describe(
        "after cluster-wide", (BROKER, NODE, ["log.retention.ms"]), (TOPIC, "one", ["retention.ms"]), synonyms=True
    ),
    incremental("broker, cluster-wide back", (BROKER, "", [("log.retention.ms", DELETE, None)])),
    incremental("broker, unknown operation", (BROKER, NODE, [("log.cleaner.threads", 9, "2")])),
    incremental("another broker", (BROKER, "7", [("log.cleaner.threads", SET, "2")])),
    incremental("broker not a number", (BROKER, "seven", [("log.cleaner.threads", SET, "2")])),
    incremental("logger of another broker", (BROKER_LOGGER, "7", [("root", SET, "INFO")])),
    incremental("logger without broker", (BROKER_LOGGER, "", [("root", SET, "INFO")])),
    incremental("client metrics", (CLIENT_METRICS, "im{v}", [("interval.ms", SET, "1000"), ("metrics", SET, "a.,b.")])),
    describe("after client metrics", (CLIENT_METRICS, "im1", None), synonyms=True),
    incremental("group", (GROUP, "ig{v}", [("consumer.heartbeat.interval.ms", SET, "6000")])),
    describe("after group", (GROUP, "ig1", None), synonyms=True),
    incremental("group, heartbeat above session", (GROUP, "ig{v}", [("consumer.heartbeat.interval.ms", SET, "60000")])),
    incremental("unknown resource type", (77, "x", [("a", SET, "b")])),
    incremental("resource type 0", (0, "x", [("a", SET, "b")])),
]


def listed(name: str, types: list[int], **options: Any) -> Row:
    return Row(f"resources: {name}", LIST_CONFIG_RESOURCES, {"resource_types": types}, **options)


LISTS = [
    listed("groups and client metrics", [GROUP, CLIENT_METRICS]),
    listed("client metrics", [CLIENT_METRICS]),
    listed("brokers", [BROKER], versions="1"),
    listed("loggers", [BROKER_LOGGER], versions="1"),
    listed("topics", [TOPIC], versions="1"),
    listed("all", [], versions="1"),
    listed("unknown type", [77], versions="1"),
    listed("unknown type beside a known", [TOPIC, 77], versions="1"),
    listed("twice", [BROKER, BROKER], versions="1"),
]


def cluster(name: str, **options: Any) -> Row:
    versions = options.pop("versions", "0+")
    return Row(f"cluster: {name}", DESCRIBE_CLUSTER, options, versions=versions)


CLUSTERS = [
    cluster("plain"),
    cluster("authorized operations", include_cluster_authorized_operations=True),
    cluster("controllers", endpoint_type=2, versions="1+"),
    cluster("unknown endpoint", endpoint_type=5, versions="1+"),
    cluster("endpoint 0", endpoint_type=0, versions="1+"),
    cluster("fenced", include_fenced_brokers=True, versions="2+"),
]

ROWS = [*DESCRIBES, *ALTERS, *INCREMENTALS, *LISTS, *CLUSTERS]
