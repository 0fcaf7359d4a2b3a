"""Rows about consumer groups (KIP-848): conversations of members with their coordinator, and what it refuses.

Every member makes up its own id. Conversations run in one version, for each step changes what the next one meets; refusals are
asked in all.
"""

from __future__ import annotations

from typing import Any

from .rows_groups import (
    PROTOCOLS,
    beat,
    commit,
    delete,
    describe,
    fetched,
    join,
    leave,
    listing,
    offset_delete,
    sync,
)
from .rows_topics import create, topic
from .wire import Row, learned

CONSUMER_HEARTBEAT, CONSUMER_DESCRIBE, INCREMENTAL_ALTER_CONFIGS = 68, 69, 44
GROUP_RESOURCE = 32
SIX = learned("topic:cg-six")
TWO = learned("topic:cg-two")


def heart(name: str, group: str, member: str, epoch: int, **fields: Any) -> Row:
    """A heartbeat of a member that stays, or leaves."""
    versions = fields.pop("versions", "1")
    sent = {"group_id": group, "member_id": member, "member_epoch": epoch, **fields}
    return Row(f"consumer: {name}", CONSUMER_HEARTBEAT, sent, versions=versions)


def enter(name: str, group: str, member: str, topics: list[str] | None = None, **fields: Any) -> Row:
    """A heartbeat that joins."""
    wanted: dict[str, Any] = {
        "rebalance_timeout_ms": 60_000, "topic_partitions": [],
        "subscribed_topic_names": ["cg-six"] if topics is None else topics,
    }  # fmt: skip
    return heart(name, group, member, 0, **{**wanted, **fields})


def owning(*partitions: int, of: Any = SIX) -> list[dict[str, Any]]:
    """What a member says it owns."""
    return [{"topic_id": of, "partitions": list(partitions)}] if partitions else []


def shown(name: str, *groups: str, **options: Any) -> Row:
    fields = {"group_ids": list(groups), "include_authorized_operations": options.pop("operations", False)}
    return Row(f"consumer groups: {name}", CONSUMER_DESCRIBE, fields, **options)


def configured(name: str, group: str, key: str, value: str) -> Row:
    change = {"name": key, "config_operation": 0, "value": value}
    resource = {"resource_type": GROUP_RESOURCE, "resource_name": group, "configs": [change]}
    return Row(
        f"consumer configs: {name}", INCREMENTAL_ALTER_CONFIGS, {"resources": [resource], "validate_only": False}
    )


SETUP = [create("cg-six", topic("cg-six", 6), versions="7"), create("cg-two", topic("cg-two", 2), versions="7")]

REFUSALS = [
    heart("empty member id", "cg-r", "", 1, versions="0+"),
    heart("empty group id", "", "a", 1, versions="0+"),
    heart("blank group id", "  ", "a", 1, versions="0+"),
    enter("empty instance id", "cg-r", "a", instance_id="", versions="0+"),
    enter("empty rack id", "cg-r", "a", rack_id="", versions="0+"),
    enter("no rebalance timeout", "cg-r", "a", rebalance_timeout_ms=-1, versions="0+"),
    enter("owned partitions missing", "cg-r", "a", topic_partitions=None, versions="0+"),
    enter("owned partitions when joining", "cg-r", "a", topic_partitions=owning(0), versions="0+"),
    enter("no subscription", "cg-r", "a", subscribed_topic_names=None, versions="0+"),
    enter("no empty id in v1", "cg-r", "", versions="1"),
    enter("unknown assignor", "cg-r", "a", server_assignor="sticky", versions="0+"),
    enter("bad pattern", "cg-r", "a", subscribed_topic_names=None, subscribed_topic_regex="[a"),
    heart("negative epoch", "cg-r", "a", -3, versions="0+"),
    heart("static leave without instance", "cg-r", "a", -2, versions="0+"),
    heart("unknown group", "cg-never", "a", 5, versions="0+"),
    heart("leave of an unknown group", "cg-never", "a", -1, versions="0+"),
    heart("classic group", "cg-simple", "a", 5),
    shown("unknown", "cg-never", versions="0+"),
    shown("empty id", "", versions="0+"),
    shown("none", versions="0+"),
]

ALONE = [
    enter("joins", "cg-1", "a"),
    heart("stays", "cg-1", "a", 1),
    shown("one member", "cg-1", versions="0+"),
    shown("operations", "cg-1", operations=True),
    heart("reports", "cg-1", "a", 1, topic_partitions=owning(0, 1, 2, 3, 4, 5)),
    heart(
        "says everything",
        "cg-1",
        "a",
        1,
        rebalance_timeout_ms=60_000,
        subscribed_topic_names=["cg-six"],
        topic_partitions=owning(0, 1, 2, 3, 4, 5),
    ),
    heart("epoch too high", "cg-1", "a", 2),
    heart("unknown member", "cg-1", "b", 1),
    heart("unknown instance", "cg-1", "a", 1, instance_id="i"),
    heart("reads another topic too", "cg-1", "a", 1, subscribed_topic_names=["cg-six", "cg-two"]),
    heart("missed answer, owning nothing", "cg-1", "a", 1, topic_partitions=[]),
    heart("old epoch, owning what it has not", "cg-1", "a", 1, topic_partitions=[{"topic_id": SIX, "partitions": [7]}]),
    heart("reads less", "cg-1", "a", 2, subscribed_topic_names=["cg-two"], topic_partitions=owning(0, 1, 2, 3, 4, 5)),
    heart("gave back", "cg-1", "a", 2, topic_partitions=owning(0, 1, of=TWO)),
    heart("a topic that is not there", "cg-1", "a", 3, subscribed_topic_names=["cg-none"], topic_partitions=[]),
    heart("changes its rack", "cg-1", "a", 4, rack_id="r"),
    heart("another assignor", "cg-1", "a", 4, server_assignor="range"),
    shown("after changes", "cg-1", versions="0+"),
    enter("joins again", "cg-1", "a"),
    commit("of a member", "cg-1", 5, "a", of="cg-six", versions="9+"),
    commit("of a member, stale", "cg-1", 4, "a", of="cg-six"),
    commit("of a member, unknown", "cg-1", 5, "b", of="cg-six"),
    commit("of nobody", "cg-1", -1, "", of="cg-six"),
    fetched("of a member", "cg-1", [("cg-six", [0])], member="a", epoch=5, versions="9+"),
    fetched("of a member, stale", "cg-1", [("cg-six", [0])], member="a", epoch=4, versions="9+"),
    fetched("of a member, unknown", "cg-1", [("cg-six", [0])], member="b", epoch=5, versions="9+"),
    offset_delete("of a topic that is read", "cg-1", "cg-six", 0),
    offset_delete("of a topic that is not read", "cg-1", "cg-two", 0),
    describe("a consumer group", "cg-1"),
    delete("a consumer group with members", "cg-1"),
    join("an inconsistent type", "cg-1", protocol_type="connect"),
    beat("of a consumer group", "cg-1", 5, "a"),
    sync("of a consumer group", "cg-1", 5, "a"),
    heart("leaves", "cg-1", "a", -1),
    heart("leaves again", "cg-1", "a", -1),
    shown("empty", "cg-1", versions="0+"),
    listing("consumer groups", [], ["Consumer"], versions="5+"),
    listing("empty consumer groups", ["empty"], ["consumer"], versions="5+"),
    beat("of an empty consumer group", "cg-1", 5, "a"),
    delete("a consumer group", "cg-1"),
    shown("deleted", "cg-1"),
]

TOGETHER = [
    enter("first", "cg-2", "a", server_assignor="range"),
    heart("first has all", "cg-2", "a", 1, topic_partitions=owning(0, 1, 2, 3, 4, 5)),
    enter("second", "cg-2", "b", server_assignor="range"),
    shown("the first has to give back", "cg-2", versions="0+"),
    heart("first is told to give back", "cg-2", "a", 1),
    heart("second waits", "cg-2", "b", 2),
    heart("first gave back", "cg-2", "a", 1, topic_partitions=owning(0, 1, 2)),
    heart("second gets them", "cg-2", "b", 2),
    heart("second has them", "cg-2", "b", 2, topic_partitions=owning(3, 4, 5)),
    shown("both", "cg-2", versions="0+"),
    enter("third reads another", "cg-2", "c", ["cg-two"]),
    heart("nothing changes for the first", "cg-2", "a", 2),
    heart("the second leaves", "cg-2", "b", -1),
    heart("the first gets all", "cg-2", "a", 3),
    heart("the first follows", "cg-2", "a", 4),
    shown("two", "cg-2", versions="0+"),
]

STATIC = [
    enter("static", "cg-3", "a", instance_id="i"),
    enter("static, taken", "cg-3", "b", instance_id="i"),
    heart("static, another's id", "cg-3", "b", 1, instance_id="i"),
    heart("static, goes for a while", "cg-3", "a", -2, instance_id="i"),
    shown("static, away", "cg-3", versions="0+"),
    enter("static, back", "cg-3", "b", instance_id="i"),
    heart("static, old id", "cg-3", "a", 1, instance_id="i"),
    heart("static, stays", "cg-3", "b", 1, instance_id="i"),
    shown("static, back", "cg-3", versions="0+"),
    heart("static, leaves with another's id", "cg-3", "a", -1, instance_id="i"),
    heart("static, leaves", "cg-3", "b", -1, instance_id="i"),
    shown("static, gone", "cg-3", versions="0+"),
]

CG_SUBSCRIPTION = b"\x00\x01\x00\x00\x00\x01\x00\x06cg-six\xff\xff\xff\xff\x00\x00\x00\x00"
CG_PROTOCOLS = [{"name": "range", "metadata": CG_SUBSCRIPTION}]
OLD = learned("member_id:join: classic, in a consumer group/5")
BETWEEN = [
    enter("consumer, before classic", "cg-4", "a"),
    join("classic, without id", "cg-4", protocols=CG_PROTOCOLS, versions="3-3"),
    join("classic, other protocols", "cg-4", protocols=PROTOCOLS[1:], versions="5-5"),
    join("classic, in a consumer group", "cg-4", protocols=CG_PROTOCOLS, versions="5-5"),
    join("classic, with its id", "cg-4", OLD, protocols=CG_PROTOCOLS, versions="5-5"),
    sync("classic, too early", "cg-4", 1, OLD, versions="5-5"),
    beat("classic, wrong generation", "cg-4", 99, OLD, versions="4-4"),
    heart("consumer, beside classic", "cg-4", "a", 1),
    leave("classic, unknown", "cg-4", "nobody", versions="3+"),
    leave("classic", "cg-4", OLD, versions="5-5"),
    heart("consumer, after classic", "cg-4", "a", -1),
    join("classic, in an empty consumer group", "cg-4", protocols=CG_PROTOCOLS, versions="5-5"),
    shown("classic again", "cg-4"),
    enter("disconnected from an unreadable classic group", "cg-5", "a"),
]

CONFIGS = [
    configured("interval", "cg-6", "consumer.heartbeat.interval.ms", "6000"),
    configured("interval too long", "cg-6", "consumer.heartbeat.interval.ms", "600000"),
    configured("session", "cg-6", "consumer.session.timeout.ms", "50000"),
    configured("session too short", "cg-6", "consumer.session.timeout.ms", "1"),
    enter("with its own interval", "cg-6", "a"),
    heart("with its own interval, leaves", "cg-6", "a", -1),
]

ROWS = [*SETUP, *REFUSALS, *ALONE, *TOGETHER, *STATIC, *BETWEEN, *CONFIGS]
