"""Rows about groups: the classic group protocol, offsets, and group administration."""

from __future__ import annotations

from typing import Any

from .rows_topics import ABSENT_ID
from .wire import Row, learned

OFFSET_COMMIT, OFFSET_FETCH, FIND_COORDINATOR, JOIN_GROUP, HEARTBEAT, LEAVE_GROUP, SYNC_GROUP = 8, 9, 10, 11, 12, 13, 14
DESCRIBE_GROUPS, LIST_GROUPS, DELETE_GROUPS, OFFSET_DELETE = 15, 16, 42, 47
NOBODY = "nobody-00000000-0000-0000-0000-000000000000"
#: A subscription of version 0 to the topic "three". Kafka reads it, and never answers where it is something else.
SUBSCRIPTION = b"\x00\x00\x00\x00\x00\x01\x00\x05three\xff\xff\xff\xff"
PROTOCOLS = [{"name": "range", "metadata": SUBSCRIPTION}, {"name": "sticky", "metadata": SUBSCRIPTION}]


def coordinator(name: str, key: str, key_type: int = 0, keys: list[str] | None = None, **options: Any) -> Row:
    fields = {"key": key, "key_type": key_type, "coordinator_keys": [key] if keys is None else keys}
    return Row(f"coordinator: {name}", FIND_COORDINATOR, fields, **options)


COORDINATORS = [
    coordinator("group", "a-group"),
    coordinator("empty group", ""),
    coordinator("unknown key type", "a-group", 9, versions="1+"),
    coordinator("negative key type", "a-group", -1, versions="1+"),
    coordinator("many groups", "", keys=["a", "b", "c"], versions="4+"),
    coordinator("no keys", "", keys=[], versions="4+"),
    coordinator("group twice", "", keys=["a", "a"], versions="4+"),
    coordinator("share key before v6", "g:AAAA:0", 2, versions="4-5"),
]


def join(name: str, group: str, member: Any = "", **options: Any) -> Row:
    fields = {
        "group_id": group,
        "session_timeout_ms": options.pop("session_timeout_ms", 30000),
        "rebalance_timeout_ms": options.pop("rebalance_timeout_ms", 30000),
        "member_id": member,
        "group_instance_id": options.pop("instance", None),
        "protocol_type": options.pop("protocol_type", "consumer"),
        "protocols": options.pop("protocols", PROTOCOLS),
    }
    return Row(f"join: {name}", JOIN_GROUP, fields, **options)


def sync(name: str, group: str, generation: Any, member: Any, assigned: Any = None, **options: Any) -> Row:
    fields = {
        "group_id": group,
        "generation_id": generation,
        "member_id": member,
        "group_instance_id": options.pop("instance", None),
        "protocol_type": options.pop("protocol_type", "consumer"),
        "protocol_name": options.pop("protocol_name", "range"),
        "assignments": [] if assigned is None else [{"member_id": member, "assignment": assigned}],
    }
    return Row(f"sync: {name}", SYNC_GROUP, fields, **options)


def beat(name: str, group: str, generation: Any, member: Any, **options: Any) -> Row:
    fields = {
        "group_id": group,
        "generation_id": generation,
        "member_id": member,
        "group_instance_id": options.pop("instance", None),
    }
    return Row(f"heartbeat: {name}", HEARTBEAT, fields, **options)


def leave(name: str, group: str, member: Any, **options: Any) -> Row:
    members = options.pop("members", [{"member_id": member, "group_instance_id": options.pop("instance", None)}])
    return Row(f"leave: {name}", LEAVE_GROUP, {"group_id": group, "member_id": member, "members": members}, **options)


#: A member of the group "member" that stays: every version of the other APIs speaks about it.
MEMBER = learned("member_id:join: to stay/5")
GENERATION = learned("generation_id:join: to stay again/5")

JOINS = [
    join("empty group", ""),
    join("first, without id, before v4", "old-{v}", versions="0-3"),
    join("first, without id, from v4", "new-{v}", versions="4+"),
    join("with the id given", "new-{v}", learned("member_id:join: first, without id, from v4/{v}"), versions="4+"),
    join("unknown member", "unknown-{v}", NOBODY),
    join("session timeout too short", "timeouts-{v}", session_timeout_ms=1),
    join("session timeout too long", "timeouts-{v}", session_timeout_ms=2_000_000_000),
    join("no protocols", "no-protocols-{v}", protocols=[]),
    join("empty protocol type", "no-type-{v}", protocol_type=""),
    join("static", "static-{v}", instance="instance-{v}", versions="5+"),
    join("static again", "static-{v}", instance="instance-{v}", versions="5+"),
    join("static with another member id", "static-{v}", NOBODY, instance="instance-{v}", versions="5+"),
    join("empty instance", "static-empty-{v}", instance="", versions="5+"),
    join("bad instance", "static-bad-{v}", instance="no spaces", versions="5+"),
    join("bad protocol type for the group", "new-{v}", protocol_type="connect", versions="5-5"),
    join(
        "other protocols than the group's",
        "new-{v}",
        protocols=[{"name": "other", "metadata": SUBSCRIPTION}],
        versions="5-5",
    ),
    join("to stay", "member", versions="5-5"),
    join("to stay again", "member", MEMBER, versions="5-5"),
]

SYNCS = [
    sync("unknown group", "never-was", 1, NOBODY),
    sync("empty group", "", 1, NOBODY),
    sync("unknown member", "member", GENERATION, NOBODY),
    sync("wrong generation", "member", 99, MEMBER),
    sync("negative generation", "member", -1, MEMBER),
    sync("wrong protocol name", "member", GENERATION, MEMBER, b"\x00\x00", protocol_name="other", versions="5+"),
    sync("wrong protocol type", "member", GENERATION, MEMBER, b"\x00\x00", protocol_type="connect", versions="5+"),
    sync(
        "null protocol",
        "member",
        GENERATION,
        MEMBER,
        b"\x00\x00",
        protocol_type=None,
        protocol_name=None,
        versions="5+",
    ),
    sync("unknown instance", "member", GENERATION, MEMBER, instance="who", versions="3+"),
    sync("leader", "member", GENERATION, MEMBER, b"\x00\x00assigned"),
    sync("again", "member", GENERATION, MEMBER),
]

BEATS = [
    beat("right", "member", GENERATION, MEMBER),
    beat("unknown group", "never-was", 1, NOBODY),
    beat("empty group", "", 1, NOBODY),
    beat("unknown member", "member", GENERATION, NOBODY),
    beat("empty member", "member", GENERATION, ""),
    beat("wrong generation", "member", 99, MEMBER),
    beat("negative generation", "member", -1, MEMBER),
    beat("unknown instance", "member", GENERATION, MEMBER, instance="who", versions="3+"),
    beat("static with another member id", "static-5", 1, NOBODY, instance="instance-5", versions="3+"),
]


def commit(name: str, group: str, generation: Any = -1, member: Any = "", **options: Any) -> Row:
    at = {
        "partition_index": options.pop("partition", 0),
        "committed_offset": options.pop("offset", 5),
        "committed_leader_epoch": options.pop("epoch", -1),
        "committed_metadata": options.pop("metadata", "note"),
    }
    of = options.pop("of", "three")
    topic_id = options.pop("topic_id", learned(f"topic:{of}"))
    default = [{"name": of, "topic_id": topic_id, "partitions": [at]}]
    fields = {
        "group_id": group,
        "generation_id_or_member_epoch": generation,
        "member_id": member,
        "group_instance_id": options.pop("instance", None),
        "topics": options.pop("topics", default),
    }
    return Row(f"commit: {name}", OFFSET_COMMIT, fields, **options)


COMMITS = [
    commit("simple", "simple"),
    commit("with epoch", "simple", epoch=0, versions="6+"),
    commit("null metadata", "simple", partition=1, metadata=None),
    commit("metadata too long", "simple", metadata="m" * 5000),
    commit("negative offset", "simple", offset=-5),
    commit("unknown topic", "simple", of="never-was", topic_id=ABSENT_ID),
    commit("zero topic id", "simple", topic_id=bytes(16), versions="10+"),
    commit("unknown partition", "simple", partition=8),
    commit("negative partition", "simple", partition=-1),
    commit("empty group", ""),
    commit("nothing", "simple", topics=[]),
    commit("of a member", "member", GENERATION, MEMBER),
    commit("unknown member", "member", GENERATION, NOBODY),
    commit("wrong generation", "member", 77, MEMBER),
    commit("without member into an active group", "member"),
    commit("unknown instance", "member", GENERATION, MEMBER, instance="who", versions="7+"),
    commit("generation in a group that is not", "never-was", 3, NOBODY),
    commit(
        "right and wrong",
        "simple",
        topics=[
            {
                "name": "three",
                "topic_id": learned("topic:three"),
                "partitions": [
                    {"partition_index": 2, "committed_offset": 7, "committed_metadata": ""},
                    {"partition_index": 5, "committed_offset": 7, "committed_metadata": ""},
                ],
            }
        ],
    ),
]


def fetched(name: str, group: str, topics: list[tuple[str, list[int]]] | None, **options: Any) -> Row:
    old = None if topics is None else [{"name": of, "partition_indexes": indexes} for of, indexes in topics]
    new = (
        None
        if topics is None
        else [
            {
                "name": of,
                "topic_id": ABSENT_ID if of == "never-was" else learned(f"topic:{of}"),
                "partition_indexes": indexes,
            }
            for of, indexes in topics
        ]
    )
    one = {
        "group_id": group,
        "member_id": options.pop("member", None),
        "member_epoch": options.pop("epoch", -1),
        "topics": new,
    }
    fields = {
        "group_id": group,
        "topics": old,
        "groups": options.pop("groups", [one]),
        "require_stable": options.pop("stable", False),
    }
    return Row(f"offsets of groups: {name}", OFFSET_FETCH, fields, **options)


FETCHED = [
    fetched("committed", "simple", [("three", [0, 1, 2])]),
    fetched("all", "simple", None, versions="2+"),
    fetched("stable", "simple", [("three", [0])], stable=True, versions="7+"),
    fetched("uncommitted partition", "simple", [("one", [0])]),
    fetched("unknown partition", "simple", [("three", [8])]),
    fetched("unknown topic", "simple", [("never-was", [0])]),
    fetched("unknown group", "never-was", [("three", [0])]),
    fetched("unknown group, all", "never-was", None, versions="2+"),
    fetched("empty group", "", [("three", [0])]),
    fetched("no topics", "simple", []),
    fetched("active group", "member", None, versions="2+"),
    fetched(
        "several groups",
        "",
        None,
        groups=[{"group_id": one, "topics": None} for one in ("simple", "member", "x")],
        versions="8+",
    ),
    fetched("no groups", "", None, groups=[], versions="8+"),
    fetched("group twice", "", None, groups=[{"group_id": "simple", "topics": None}] * 2, versions="8+"),
    fetched("member of a classic group", "member", None, member=NOBODY, epoch=3, versions="9+"),
]


def describe(name: str, *groups: str, operations: bool = False, **options: Any) -> Row:
    return Row(
        f"groups: {name}",
        DESCRIBE_GROUPS,
        {"groups": list(groups), "include_authorized_operations": operations},
        **options,
    )


DESCRIBES = [
    describe("active", "member"),
    describe("empty with offsets", "simple"),
    describe("unknown", "never-was"),
    describe("empty name", ""),
    describe("none"),
    describe("twice", "simple", "simple"),
    describe("operations", "simple", operations=True, versions="3+"),
]


def listing(name: str, states: list[str], types: list[str], **options: Any) -> Row:
    return Row(f"list groups: {name}", LIST_GROUPS, {"states_filter": states, "types_filter": types}, **options)


LISTINGS = [
    listing("stable", ["Stable"], [], versions="4+"),
    listing("states in lower case", ["stable"], [], versions="4+"),
    listing("unknown state", ["Asleep"], [], versions="4+"),
    listing("classic", [], ["classic"], versions="5+"),
    listing("type in upper case", [], ["CLASSIC"], versions="5+"),
    listing("consumer", [], ["consumer"], versions="5+"),
    listing("unknown type", [], ["quorum"], versions="5+"),
    listing("state and type", ["Stable"], ["classic"], versions="5+"),
]


def offset_delete(name: str, group: str, of: str, *indexes: int, topics: list[Any] | None = None) -> Row:
    default = [{"name": of, "partitions": [{"partition_index": index} for index in indexes]}]
    return Row(
        f"offset delete: {name}", OFFSET_DELETE, {"group_id": group, "topics": default if topics is None else topics}
    )


OFFSET_DELETES = [
    offset_delete("committed", "simple", "three", 1),
    offset_delete("again", "simple", "three", 1),
    offset_delete("unknown partition", "simple", "three", 9),
    offset_delete("unknown topic", "simple", "never-was", 0),
    offset_delete("unknown group", "never-was", "three", 0),
    offset_delete("empty group", "", "three", 0),
    offset_delete("active group", "member", "three", 0),
    offset_delete("nothing", "simple", "three", topics=[]),
    offset_delete("no partitions", "simple", "three"),
]


def delete(name: str, *groups: str) -> Row:
    return Row(f"delete groups: {name}", DELETE_GROUPS, {"groups_names": list(groups)})


LEAVES_AND_DELETES = [
    delete("active", "member"),
    delete("unknown", "never-was"),
    delete("empty name", ""),
    delete("none"),
    leave("unknown member", "member", NOBODY),
    leave("unknown group", "never-was", NOBODY),
    leave("empty group", "", NOBODY),
    leave("unknown instance", "member", "", instance="who", versions="3+"),
    leave("nobody", "member", "", members=[], versions="3+"),
    leave("static, by instance", "static-{v}", "", instance="instance-{v}", versions="5+"),
    leave("static, wrong member id", "static-{v}", NOBODY, instance="instance-6", versions="3+"),
    leave("two, one unknown", "member", "", members=[{"member_id": NOBODY}, {"member_id": NOBODY}], versions="3+"),
    leave("the member", "member", MEMBER, versions="2-2"),
    leave("the member again", "member", MEMBER),
    beat("after leaving", "member", GENERATION, MEMBER),
    describe("after leaving", "member"),
    commit("to delete", "gone-{v}"),
    delete("two of many versions", "gone-2", "gone-3"),
    delete("right, again and unknown", "gone-4", "gone-2", "never-was"),
    delete("twice in one request", "gone-5", "gone-5"),
    fetched("deleted group", "gone-2", None, versions="2+"),
]

ROWS = [
    *COORDINATORS, *JOINS, *SYNCS, *BEATS, *COMMITS, *FETCHED, *DESCRIBES, *LISTINGS, *OFFSET_DELETES, *LEAVES_AND_DELETES,
]  # fmt: skip
