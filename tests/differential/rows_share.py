"""Rows about share groups: their members, the share coordinator, offsets, and what other kinds of groups may do to them."""

from __future__ import annotations

from typing import Any

from .rows_groups import SUBSCRIPTION
from .rows_topics import ABSENT_ID
from .wire import Row, learned

OFFSET_COMMIT, OFFSET_FETCH, FIND_COORDINATOR, JOIN_GROUP = 8, 9, 10, 11
DESCRIBE_GROUPS, LIST_GROUPS, DELETE_GROUPS, OFFSET_DELETE = 15, 16, 42, 47
HEARTBEAT, DESCRIBE, CONSUMER_HEARTBEAT = 76, 77, 68
INITIALIZE, READ, WRITE, DELETE, SUMMARY = 83, 84, 85, 86, 87
DESCRIBE_OFFSETS, ALTER_OFFSETS, DELETE_OFFSETS = 90, 91, 92
THREE = learned("topic:three")


def coordinator(name: str, *keys: str) -> Row:
    return Row(f"share: coordinator, {name}", FIND_COORDINATOR, {"key_type": 2, "coordinator_keys": list(keys)}, "6+")


#: The first of them makes __share_group_state.
COORDINATORS = [
    coordinator("of a partition", "g:AAECAwQFBgcICQoLDA0ODw:0"),
    coordinator("a group with colons", "a:b:c:AAECAwQFBgcICQoLDA0ODw:17"),
    coordinator("no partition", "g:AAECAwQFBgcICQoLDA0ODw"),
    coordinator("no group", ":AAECAwQFBgcICQoLDA0ODw:0"),
    coordinator("blank group", " :AAECAwQFBgcICQoLDA0ODw:0"),
    coordinator("no topic id", "g:three:0"),
    coordinator("a partition that is no number", "g:AAECAwQFBgcICQoLDA0ODw:x"),
    coordinator("empty", ""),
]


def state(what: str, key: int, name: str, *partitions: dict[str, Any], **options: Any) -> Row:
    """One of the five requests of the share coordinator, about one topic."""
    fields = {
        "group_id": options.pop("group", "state-{v}"),
        "topics": [{"topic_id": options.pop("topic", THREE), "partitions": list(partitions)}],
    }
    return Row(f"share state: {what}, {name}", key, fields, **options)


def initialize(name: str, partition: int, epoch: int, offset: int, **options: Any) -> Row:
    asked = {"partition": partition, "state_epoch": epoch, "start_offset": offset}
    return state("initialize", INITIALIZE, name, asked, **options)


def read(name: str, partition: int, leader_epoch: int, **options: Any) -> Row:
    return state("read", READ, name, {"partition": partition, "leader_epoch": leader_epoch}, **options)


def summary(name: str, partition: int, **options: Any) -> Row:
    return state("summary", SUMMARY, name, {"partition": partition, "leader_epoch": 0}, **options)


def write(
    name: str, partition: int, epochs: tuple[int, int], start: int, *batches: tuple[int, int, int, int], **options: Any
) -> Row:
    names = ("first_offset", "last_offset", "delivery_state", "delivery_count")
    asked = {
        "partition": partition, "state_epoch": epochs[0], "leader_epoch": epochs[1], "start_offset": start,
        "delivery_complete_count": 3, "state_batches": [dict(zip(names, batch, strict=True)) for batch in batches],
    }  # fmt: skip
    return state("write", WRITE, name, asked, **options)


def remove(name: str, partition: int, **options: Any) -> Row:
    return state("delete", DELETE, name, {"partition": partition}, **options)


STATE = [
    read("uninitialized", 0, 0),
    write("uninitialized", 0, (0, 0), 0),
    summary("uninitialized", 0),
    remove("uninitialized", 0),
    initialize("unknown topic", 0, 0, 0, topic=ABSENT_ID),
    initialize("unknown partition", 99, 0, 0),
    initialize("negative partition", -1, 0, 0),
    initialize("no group", 0, 0, 0, group=""),
    summary("unknown topic", 0, topic=ABSENT_ID),
    remove("unknown topic", 0, topic=ABSENT_ID),
    read("negative partition", -1, 0),
    Row("share state: read, no topics", READ, {"group_id": "g", "topics": []}),
    Row("share state: write, no topics", WRITE, {"group_id": "g", "topics": []}),
    Row("share state: initialize, no topics", INITIALIZE, {"group_id": "g", "topics": []}),
    state("read", READ, "no partitions"),
    state("summary", SUMMARY, "no partitions"),
    initialize("from somewhere", 0, 2, 7, group="state"),
    summary("from somewhere", 0, group="state"),
    read("from somewhere", 0, 0, group="state"),
    initialize("lower epoch", 0, 1, 9, group="state"),
    initialize("same epoch", 0, 2, 9, group="state"),
    initialize("no epoch", 1, -1, -1, group="state"),
    summary("no epoch", 1, group="state"),
    write("batches", 0, (2, 0), 10, (10, 19, 0, 1), (12, 14, 2, 1), group="state", versions="1"),
    read("batches", 0, 0, group="state"),
    summary("batches", 0, group="state"),
    read("higher leader epoch", 0, 5, group="state"),
    summary("higher leader epoch", 0, group="state"),
    read("lower leader epoch", 0, 4, group="state"),
    read("no leader epoch", 0, -1, group="state"),
    write("lower leader epoch", 0, (2, 4), -1, group="state"),
    write("lower state epoch", 0, (1, 5), -1, group="state"),
    write("no epochs", 0, (-1, -1), -1, (30, 30, 4, 2), group="state", versions="1"),
    write("higher epochs", 0, (9, 9), -1, (31, 31, 4, 2), group="state", versions="1"),
    read("after all", 0, 5, group="state"),
    summary("after all", 0, group="state"),
    write("the start moves", 0, (2, 5), 31, group="state", versions="1"),
    read("the start has moved", 0, 5, group="state"),
    remove("what there is", 0, group="state"),
    read("deleted", 0, 5, group="state"),
    initialize("after deletion", 0, 0, 0, group="state"),
    summary("after deletion", 0, group="state"),
]


def beat(name: str, group: str, member: str, epoch: int, names: Any = None, **options: Any) -> Row:
    fields = {
        "group_id": group, "member_id": member, "member_epoch": epoch, "rack_id": options.pop("rack", None),
        "subscribed_topic_names": names,
    }  # fmt: skip
    return Row(f"share heartbeat: {name}", HEARTBEAT, fields, **options)


def alter(name: str, group: str, topic: str, *offsets: tuple[int, int]) -> Row:
    partitions = [{"partition_index": index, "start_offset": offset} for index, offset in offsets]
    topics = [{"topic_name": topic, "partitions": partitions}]
    return Row(f"share offsets: alter, {name}", ALTER_OFFSETS, {"group_id": group, "topics": topics})


def offsets(name: str, group: str, *topics: tuple[str, list[int]], everything: bool = False) -> Row:
    asked = None if everything else [{"topic_name": topic, "partitions": some} for topic, some in topics]
    fields = {"groups": [{"group_id": group, "topics": asked}]}
    return Row(f"share offsets: describe, {name}", DESCRIBE_OFFSETS, fields)


def forget(name: str, group: str, *topics: str) -> Row:
    fields = {"group_id": group, "topics": [{"topic_name": topic} for topic in topics]}
    return Row(f"share offsets: delete, {name}", DELETE_OFFSETS, fields)


def describe(name: str, *groups: str) -> Row:
    fields = {"group_ids": list(groups), "include_authorized_operations": True}
    return Row(f"share describe: {name}", DESCRIBE, fields)


REFUSED = [
    beat("empty group", "", "m", 0, ["three"]),
    beat("blank group", " ", "m", 0, ["three"]),
    beat("empty member", "share-refused", "", 0, ["three"]),
    beat("blank member", "share-refused", " ", 0, ["three"]),
    beat("long member", "share-refused", "m" * 37, 0, ["three"]),
    beat("empty rack", "share-refused", "m", 0, ["three"], rack=""),
    beat("no subscription", "share-refused", "m", 0),
    beat("empty subscription", "share-refused", "m", 0, []),
    beat("wrong epoch", "share-refused", "m", -2, ["three"]),
    beat("unknown group", "share-refused", "m", 1),
    beat("leaving an unknown group", "share-refused", "m", -1),
    beat("a consumer group", "member", "m", 0, ["three"]),
    describe("unknown, empty, classic", "share-refused", "", "member"),
    alter("no group", "", "three", (0, 1)),
    alter("a consumer group", "member", "three", (0, 1)),
    forget("no group", "", "three"),
    forget("unknown group", "share-refused", "three"),
    forget("a consumer group", "member", "three"),
    offsets("unknown group", "share-refused", ("three", [0, 1])),
    offsets("unknown group, everything", "share-refused", everything=True),
    offsets("no topics", "share-refused"),
    Row("share offsets: describe, no groups", DESCRIBE_OFFSETS, {"groups": []}),
    Row("share offsets: delete, no topics", DELETE_OFFSETS, {"group_id": "share-refused", "topics": []}),
    Row("share offsets: alter, no topics", ALTER_OFFSETS, {"group_id": "share-refused", "topics": []}),
]

#: Altering initializes the state before the answer, so that members are given partitions with their first heartbeat.
LIFE = [
    alter("a new group", "share", "three", (0, 5), (1, 0), (2, -1), (99, 1)),
    alter("unknown topic", "share", "absent", (0, 1)),
    offsets("altered", "share", ("three", [0, 1, 2, 99]), ("absent", [0])),
    offsets("everything", "share", everything=True),
    describe("without members", "share"),
    beat("joins", "share", "one", 0, ["three"]),
    beat("stays", "share", "one", 1),
    beat("stays, with its subscription", "share", "one", 1, ["three"]),
    beat("epoch too high", "share", "one", 7),
    beat("unknown member", "share", "nobody", 1),
    beat("unknown member leaves", "share", "nobody", -1),
    beat("another joins", "share", "two", 0, ["three", "absent"], rack="r"),
    beat("goes on with its last epoch", "share", "one", 1),
    beat("joins again", "share", "one", 0, ["three"]),
    describe("two members", "share"),
    alter("with members", "share", "three", (0, 1)),
    forget("with members", "share", "three"),
    Row("share: delete a group with members", DELETE_GROUPS, {"groups_names": ["share"]}, "2+"),
    Row("share: list share groups", LIST_GROUPS, {"types_filter": ["Share"], "states_filter": []}, "5+"),
    Row("share: list stable groups", LIST_GROUPS, {"states_filter": ["stable"], "types_filter": ["share"]}, "5+"),
    Row("share: describe as a classic group", DESCRIBE_GROUPS, {"groups": ["share"]}),
    Row(
        "share: join as a classic member",
        JOIN_GROUP,
        {
            "group_id": "share", "session_timeout_ms": 30000, "rebalance_timeout_ms": 30000, "member_id": "",
            "protocol_type": "consumer", "protocols": [{"name": "range", "metadata": SUBSCRIPTION}],
        },
    ),
    Row(
        "share: join as a consumer",
        CONSUMER_HEARTBEAT,
        {
            "group_id": "share", "member_id": "m", "member_epoch": 0, "rebalance_timeout_ms": 1000,
            "subscribed_topic_names": ["three"], "topic_partitions": [],
        },
    ),
    Row(
        "share: commit offsets",
        OFFSET_COMMIT,
        {
            "group_id": "share", "generation_id_or_member_epoch": -1, "member_id": "",
            "topics": [{"name": "three", "partitions": [{"partition_index": 0, "committed_offset": 1}]}],
        },
        "2-9",
    ),
    Row(
        "share: fetch offsets",
        OFFSET_FETCH,
        {"groups": [{"group_id": "share", "topics": [{"name": "three", "partition_indexes": [0]}]}]},
        "8-9",
    ),
    Row(
        "share: delete committed offsets",
        OFFSET_DELETE,
        {"group_id": "share", "topics": [{"name": "three", "partitions": [{"partition_index": 0}]}]},
    ),
    beat("leaves", "share", "two", -1),
    beat("the other notices", "share", "one", 3),
    beat("changes what it reads", "share", "one", 5, ["absent"]),
    beat("leaves, too", "share", "one", -1),
    describe("empty again", "share"),
    forget("what is there", "share", "three", "absent", "share-topic"),
    offsets("deleted", "share", everything=True),
    forget("again", "share", "three"),
    Row("share: delete the group", DELETE_GROUPS, {"groups_names": ["share"]}, "2"),
    describe("deleted", "share"),
]  # fmt: skip

ROWS = [*COORDINATORS, *STATE, *REFUSED, *LIFE]
