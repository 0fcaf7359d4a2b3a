"""Rows about streams groups (KIP-1071): conversations of members with their coordinator, and what it refuses.

Internal topics are created beside the answer, so a row that changes something else stands before each row that needs
them (rows after changes wait a moment).
"""

from __future__ import annotations

from typing import Any

from .rows_groups import commit, delete, describe, fetched, join, listing, offset_delete
from .rows_topics import create, topic
from .wire import Row

INCREMENTAL_ALTER_CONFIGS, STREAMS_HEARTBEAT, STREAMS_DESCRIBE = 44, 88, 89
OFFSET_FETCH = 9
GROUP_RESOURCE = 32

WORDS = {"subtopology_id": "0", "source_topics": ["st-in"], "repartition_sink_topics": ["st-rep"]}
COUNTS = {
    "subtopology_id": "1",
    "repartition_source_topics": [{"name": "st-rep"}],
    "state_changelog_topics": [
        {
            "name": "st-log",
            "topic_configs": [
                {"key": "cleanup.policy", "value": "compact"},
                {"key": "segment.bytes", "value": "1048576"},
            ],
        }
    ],
}
WORD_COUNT = {"epoch": 3, "subtopologies": [WORDS, COUNTS]}
PLAIN = {"epoch": 0, "subtopologies": [{"subtopology_id": "0", "source_topics": ["st-in"]}]}
ENDPOINT = {"host": "here.example", "port": 4242}
OTHER_ENDPOINT = {"host": "there.example", "port": 4243}


def beat(name: str, group: str, member: str, epoch: int, **fields: Any) -> Row:
    """A heartbeat of a member that stays, or leaves."""
    sent = {"group_id": group, "member_id": member, "member_epoch": epoch, **fields}
    return Row(f"streams: {name}", STREAMS_HEARTBEAT, sent)


def enter(name: str, group: str, member: str, topology: dict[str, Any] | None = PLAIN, **fields: Any) -> Row:
    """A heartbeat that joins."""
    wanted: dict[str, Any] = {
        "rebalance_timeout_ms": 60_000, "topology": topology, "process_id": f"process-of-{member}",
        "active_tasks": [], "standby_tasks": [], "warmup_tasks": [],
    }  # fmt: skip
    return beat(name, group, member, 0, **{**wanted, **fields})


def owning(active: dict[str, list[int]], standby: dict[str, list[int]] | None = None) -> dict[str, Any]:
    """What a member says it owns."""

    def ids(tasks: dict[str, list[int]]) -> list[dict[str, Any]]:
        return [{"subtopology_id": key, "partitions": partitions} for key, partitions in tasks.items()]

    return {"active_tasks": ids(active), "standby_tasks": ids(standby or {}), "warmup_tasks": []}


def shown(name: str, *groups: str, **fields: Any) -> Row:
    return Row(f"streams describe: {name}", STREAMS_DESCRIBE, {"group_ids": list(groups), **fields})


def configure(name: str, group: str, **configs: str) -> Row:
    wanted = [{"name": key.replace("_", "."), "config_operation": 0, "value": value} for key, value in configs.items()]
    resource = {"resource_type": GROUP_RESOURCE, "resource_name": group, "configs": wanted}
    return Row(f"incremental: {name}", INCREMENTAL_ALTER_CONFIGS, {"resources": [resource]}, versions="1")


def settle(name: str) -> Row:
    """A change, after which the next row waits."""
    return create(f"settle {name}", topic(f"st-settle-{name}"), versions="7")


def sub(name: str, **fields: Any) -> dict[str, Any]:
    return {"subtopology_id": name, **fields}


def topology(*subtopologies: dict[str, Any], epoch: int = 0) -> dict[str, Any]:
    return {"epoch": epoch, "subtopologies": list(subtopologies)}


#: Asked long before the other rows: a broker that learns of a source topic late says that it is missing.
SETUP = [
    create("st-in", topic("st-in", 4), versions="7"),
    create("st-two", topic("st-two", 2), versions="7"),
    create("st-three", topic("st-three", 3), versions="7"),
]

WORD_COUNTS = [
    enter("the first member of a word count", "st", "one", WORD_COUNT, user_endpoint=ENDPOINT,
          client_tags=[{"key": "zone", "value": "a"}, {"key": "cluster", "value": "k"}], rack_id="r1"),
    settle("internal"),
    shown("before the topics are known", "st"),
    beat("the topics exist now", "st", "one", 2),
    beat("nothing new", "st", "one", 3, endpoint_information_epoch=1),
    shown("a stable group", "st", include_authorized_operations=True),
    enter("a second member", "st", "two", WORD_COUNT, user_endpoint=OTHER_ENDPOINT),
    shown("reconciling", "st"),
    beat("an old epoch without tasks", "st", "one", 2, active_tasks=[], standby_tasks=[], warmup_tasks=[]),
    beat("the first is told to give back", "st", "one", 3, **owning({"0": [0, 1, 2, 3], "1": [0, 1, 2, 3]})),
    beat("it still owns them", "st", "one", 3, **owning({"0": [0, 1, 2, 3], "1": [0, 1, 2, 3]})),
    beat("it says nothing of its tasks", "st", "one", 3),
    commit("of an unrevoked task", "st", 3, "one", of="st-in", partition=3, versions="9+"),
    beat("it gave them back", "st", "one", 3, **owning({"0": [0, 1], "1": [0, 1]})),
    beat("the second gets them", "st", "two", 4),
    beat("the second owns", "st", "two", 4, **owning({"0": [2, 3], "1": [2, 3]})),
    shown("two stable members", "st"),
    commit("with the epoch", "st", 4, "two", of="st-in", partition=2, versions="9+"),
    commit("with an epoch to come", "st", 9, "two", of="st-in", partition=2, versions="9+"),
    commit("with an old epoch, own task", "st", 3, "one", of="st-in", partition=0, versions="9+"),
    commit("with an old epoch, given since", "st", 3, "two", of="st-in", partition=2, versions="9+"),
    commit("with an old epoch, another's task", "st", 3, "one", of="st-in", partition=3, versions="9+"),
    commit("with an old epoch, foreign topic", "st", 3, "one", of="three", versions="9+"),
    commit("of nobody, streams", "st", -1, "", of="st-in", versions="9+"),
    commit("of an unknown member, streams", "st", 4, "nobody", of="st-in", versions="9+"),
    commit("in an old version, streams", "st", 4, "two", of="st-in", versions="8"),
    fetched("of a streams group", "st", [("st-in", [0, 2])], versions="9"),
    Row("fetched: by a member", OFFSET_FETCH, {"groups": [
        {"group_id": "st", "member_id": "two", "member_epoch": 4, "topics": None}]}, versions="9"),
    Row("fetched: with a wrong epoch", OFFSET_FETCH, {"groups": [
        {"group_id": "st", "member_id": "two", "member_epoch": 3, "topics": None}]}, versions="9"),
    Row("fetched: by an unknown member", OFFSET_FETCH, {"groups": [
        {"group_id": "st", "member_id": "nobody", "member_epoch": 3, "topics": None}]}, versions="9"),
    offset_delete("of a topic that is read", "st", "st-in", 0),
    offset_delete("of a topic that is not read", "st", "three", 0),
    enter("a stale topology", "st", "three", {**WORD_COUNT, "epoch": 2}),
    enter("another topology", "st", "three", {**WORD_COUNT, "epoch": 4}),
    enter("another topology of the same epoch", "st", "three", {**PLAIN, "epoch": 3}),
    beat("the application shall shut down", "st", "two", 4, shutdown_application=True),
    beat("the other hears of it", "st", "one", 4),
    beat("a client tag changes", "st", "two", 5, client_tags=[{"key": "zone", "value": "b"}]),
    beat("a member leaves", "st", "one", -1),
    beat("it is gone", "st", "one", 4),
    beat("and cannot leave twice", "st", "one", -1),
    delete("streams group with members", "st"),
    describe("a streams group", "st"),
    listing("streams groups", [], ["streams"], versions="5"),
    listing("streams groups, reconciling", ["reconciling", "assigning"], ["Streams"], versions="5"),
    join("a streams group with members", "st"),
    beat("the second leaves", "st", "two", -1),
    beat("the third leaves", "st", "three", -1),
    shown("an empty group", "st"),
    listing("streams groups, empty", ["empty"], ["streams"], versions="5"),
    offset_delete("of an empty streams group", "st", "st-in", 2),
    enter("a new life of the group", "st", "four", WORD_COUNT),
    beat("its member leaves", "st", "four", -1),
    delete("streams group", "st"),
    shown("a deleted group", "st"),
]  # fmt: skip

STANDBYS = [
    # Kafka forgets the broker's value of a config once a group has any config of its own.
    configure(
        "standbys of a streams group", "st-by", streams_num_standby_replicas="1", streams_initial_rebalance_delay_ms="0"
    ),
    enter("standbys, first member", "st-by", "a", {**WORD_COUNT}, user_endpoint=ENDPOINT),
    enter("standbys, second member", "st-by", "b", {**WORD_COUNT}, user_endpoint=OTHER_ENDPOINT),
    beat("standbys, the first gives back", "st-by", "a", 2, **owning({"0": [2, 3], "1": [2, 3]})),
    beat("standbys, the first again", "st-by", "a", 2, **owning({"0": [0, 1], "1": [0, 1]})),
    beat("standbys, the second", "st-by", "b", 3),
    beat("standbys, the second owns", "st-by", "b", 3, endpoint_information_epoch=1),
    shown("standbys", "st-by"),
    configure("no standbys any more", "st-by", streams_num_standby_replicas="0"),
    settle("standbys"),
    beat("without standbys", "st-by", "b", 3),
    shown("without standbys", "st-by"),
    configure("too many standbys", "st-by", streams_num_standby_replicas="3"),
    configure("session shorter than allowed", "st-by", streams_session_timeout_ms="1000"),
    configure("heartbeat interval", "st-by", streams_heartbeat_interval_ms="6000"),
    settle("interval"),
    beat("another interval", "st-by", "b", 4),
    configure("delay", "st-late", streams_initial_rebalance_delay_ms="600000"),
    settle("delay"),
    enter("delayed, first member", "st-late", "a"),
    enter("delayed, second member", "st-late", "b"),
    beat("delayed, again", "st-late", "a", 1),
    shown("delayed", "st-late"),
]

TOPOLOGIES = [
    enter("no subtopologies", "st-none", "a", topology()),
    shown("no subtopologies", "st-none"),
    enter("no sources", "st-t1", "a", topology(sub("0"))),
    enter("missing sources", "st-t2", "a", topology(
        sub("0", source_topics=["st-a", "st-e", "st-c"]), sub("1", source_topics=["st-d", "st-b", "st-in"]))),
    shown("missing sources", "st-t2"),
    enter("a repartition topic nobody writes", "st-t3", "a", topology(
        sub("0", source_topics=["st-in"], repartition_source_topics=[{"name": "st-x"}]))),
    enter("a circle", "st-t4", "a", topology(
        sub("0", repartition_source_topics=[{"name": "st-x"}], repartition_sink_topics=["st-y"]),
        sub("1", repartition_source_topics=[{"name": "st-y"}], repartition_sink_topics=["st-x"]))),
    enter("copartitioned sources", "st-t5", "a", topology(
        sub("0", source_topics=["st-two", "st-three"], copartition_groups=[{"source_topics": [0, 1]}]))),
    enter("a fixed repartition topic beside a source", "st-t6", "a", topology(
        sub("0", source_topics=["st-two"], repartition_sink_topics=["st-fix"]),
        sub("1", source_topics=["st-three"], repartition_source_topics=[{"name": "st-fix", "partitions": 2}],
            copartition_groups=[{"source_topics": [0], "repartition_source_topics": [0]}]))),
    enter("two fixed repartition topics", "st-t7", "a", topology(
        sub("0", source_topics=["st-two"], repartition_sink_topics=["st-fix", "st-fax"]),
        sub("1", repartition_source_topics=[{"name": "st-fix", "partitions": 2}, {"name": "st-fax", "partitions": 3}],
            copartition_groups=[{"repartition_source_topics": [0, 1]}]))),
    enter("an internal topic of other size", "st-t8", "a", topology(
        sub("0", source_topics=["st-in"], state_changelog_topics=[{"name": "st-two"}]))),
    enter("a copartition group out of range", "st-t9", "a", topology(
        sub("0", source_topics=["st-in"], copartition_groups=[{"source_topics": [1]}]))),
    enter("a subtopology twice", "st-t10", "a", topology(
        sub("0", source_topics=["st-in"]), sub("0", source_topics=["st-two"]))),
    enter("a negative number of partitions", "st-t11", "a", topology(
        sub("0", source_topics=["st-in"], repartition_sink_topics=["st-n"]),
        sub("1", repartition_source_topics=[{"name": "st-n", "partitions": -1}]))),
    enter("a negative epoch", "st-t12", "a", topology(sub("0", source_topics=["st-in"]), epoch=-1)),
    enter("a topic the broker keeps", "st-t13", "a", topology(sub("0", source_topics=["__consumer_offsets"]))),
    enter("a bad topic name", "st-t14", "a", topology(sub("0", source_topics=["st in"]))),
    enter("a changelog with partitions", "st-t15", "a", topology(
        sub("0", source_topics=["st-in"], state_changelog_topics=[{"name": "st-c", "partitions": 4}]))),
    enter("a pattern", "st-t16", "a", topology(sub("0", source_topic_regex=["st-.*"]))),
    enter("a repartition chain", "st-t17", "a", topology(
        sub("0", source_topics=["st-two", "st-three"], repartition_sink_topics=["st-c1"]),
        sub("1", repartition_source_topics=[{"name": "st-c1"}], repartition_sink_topics=["st-c2"]),
        sub("2", source_topics=["st-in"], repartition_source_topics=[{"name": "st-c2"}],
            state_changelog_topics=[{"name": "st-c3"}],
            copartition_groups=[{"source_topics": [0], "repartition_source_topics": [0]}]))),
    settle("chain"),
    beat("a repartition chain, created", "st-t17", "a", 2),
    shown("a repartition chain", "st-t17"),
    enter("topics with configs that cannot be", "st-t18", "a", topology(
        sub("0", source_topics=["st-in"], state_changelog_topics=[
            {"name": "st-bad", "topic_configs": [{"key": "cleanup.policy", "value": "sometimes"}]}]))),
    settle("bad"),
    beat("why the topics are not there", "st-t18", "a", 2),
    enter("too many replicas", "st-t19", "a", topology(
        sub("0", source_topics=["st-in"], state_changelog_topics=[{"name": "st-many", "replication_factor": 3}]))),
    settle("many"),
    beat("why replicas are missing", "st-t19", "a", 2),
]  # fmt: skip

REFUSED = [
    enter("a group to refuse in", "st-r", "m"),
    enter("no group id", "", "m"),
    enter("no member id", "st-r", ""),
    enter("a blank member id", "st-r", "  "),
    enter("an empty instance id", "st-r", "x", instance_id=""),
    enter("a static member", "st-r", "x", instance_id="i"),
    enter("an empty rack", "st-r", "x", rack_id=""),
    enter("no rebalance timeout", "st-r", "x", rebalance_timeout_ms=-1),
    enter("no topology", "st-r", "x", None),
    enter("joining with tasks", "st-r", "x", **owning({"0": [0]})),
    enter("joining with standbys", "st-r", "x", **owning({}, {"0": [0]})),
    enter("joining with null tasks", "st-r", "x", active_tasks=None, standby_tasks=None, warmup_tasks=None),
    enter("warm-up tasks", "st-r", "x", warmup_tasks=[{"subtopology_id": "0", "partitions": [0]}]),
    enter("task offsets", "st-r", "x", task_offsets=[]),
    enter("task end offsets", "st-r", "x", task_end_offsets=[]),
    enter("a tag twice", "st-r", "x", client_tags=[{"key": "k", "value": "1"}, {"key": "k", "value": "2"}]),
    beat("one kind of task only", "st-r", "m", 2, active_tasks=[]),
    beat("a topology without joining", "st-r", "m", 2, topology=PLAIN),
    beat("an epoch below all", "st-r", "m", -3),
    beat("a static member leaves", "st-r", "m", -2),
    beat("a static member leaves, with its id", "st-r", "m", -2, instance_id="i"),
    beat("a greater epoch", "st-r", "m", 9),
    beat("a smaller epoch", "st-r", "m", 1),
    beat("an unknown member", "st-r", "nobody", 2),
    beat("an unknown group", "st-unknown", "m", 2),
    beat("leaving an unknown group", "st-unknown", "m", -1),
    beat("a task of no subtopology", "st-r", "m", 2, **owning({"7": [0]})),
    beat("a task out of range", "st-r", "m", 2, **owning({"0": [4]})),
    beat("a subtopology twice among tasks", "st-r", "m", 2, active_tasks=[
        {"subtopology_id": "0", "partitions": [0]}, {"subtopology_id": "0", "partitions": [1]}],
        standby_tasks=[], warmup_tasks=[]),
    beat("all is well", "st-r", "m", 2, **owning({"0": [0, 1, 2, 3]})),
    commit("makes a simple group", "st-simple", of="st-in", versions="9+"),
    enter("in place of a simple group", "st-simple", "m"),
    fetched("what the simple group committed", "st-simple", None, versions="8"),
    listing("what became of it", [], ["streams"], versions="5"),
    join("a group of streams", "st-r", "x"),
    shown("unknown and empty", "st-unknown", ""),
    shown("no groups"),
    enter("missing sources and an endpoint", "st-t20", "a", topology(sub("0", source_topics=["st-a"])),
          user_endpoint=ENDPOINT),
]  # fmt: skip

BEAT, SYNC, LEAVE, CONSUMER_BEAT = 12, 14, 13, 68
CLASSIC = [
    enter("to become a classic group", "st-cl", "m"),
    Row("heartbeat: of a streams group", BEAT, {"group_id": "st-cl", "generation_id": 2, "member_id": "m"}),
    Row("sync: of a streams group", SYNC, {"group_id": "st-cl", "generation_id": 2, "member_id": "m"}),
    Row("leave: a streams group", LEAVE, {"group_id": "st-cl", "member_id": "m", "members": [{"member_id": "m"}]}),
    Row("consumer heartbeat: of a streams group", CONSUMER_BEAT, {
        "group_id": "st-cl", "member_id": "m", "member_epoch": 2}),
    Row("consumer heartbeat: joins a streams group", CONSUMER_BEAT, {
        "group_id": "st-cl", "member_id": "consumer", "member_epoch": 0, "rebalance_timeout_ms": 5000,
        "subscribed_topic_names": ["st-in"], "topic_partitions": []}),
    beat("the last one leaves", "st-cl", "m", -1),
    join("an empty streams group", "st-cl", versions="3"),
    shown("what is a classic group now", "st-cl"),
    enter("a classic group with members", "st-cl", "m"),
    beat("a classic group's member", "st-cl", "m", 2),
    beat("leaving a classic group", "st-cl", "m", -1),
]  # fmt: skip

ROWS = [*WORD_COUNTS, *STANDBYS, *TOPOLOGIES, *CLASSIC, *REFUSED]
