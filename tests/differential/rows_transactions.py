"""Rows about transactions: what each request of a producer is answered in every state of its transaction.

A *flow* is the life of one transactional id, its rows one after the other; each exists once per combination of versions
that old and new producers send. Epochs are compared as they are, producer ids only as far as a broker may invent them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .batches import TRANSACTIONAL, batch
from .rows_topics import create, topic
from .wire import Computed, Row, learned

PRODUCE, FETCH, LIST_OFFSETS, FIND_COORDINATOR, OFFSET_FETCH, INIT, ADD, ADD_OFFSETS, END, MARKERS, TXN_COMMIT = (
    0, 1, 2, 10, 9, 22, 24, 25, 26, 27, 28,
)  # fmt: skip
DESCRIBE_PRODUCERS, DESCRIBE, LIST = 61, 65, 66
OLD_END, NEW_END = 4, 5  # transactions version 1 and 2
LAST_EPOCH = 32767


class Producer:
    """Writes the rows of one transactional id, with the ids and epochs that it learns as they are run."""

    def __init__(self, flow: str) -> None:
        self.flow = flow
        self.id: Any = -1
        self.epoch: Any = -1

    def knows(self, row: str, version: int) -> None:
        """From here on, be who this row made of the producer."""
        self.id = learned(f"producer_id:txn {self.flow}: {row}/{version}")
        self.epoch = learned(f"producer_epoch:txn {self.flow}: {row}/{version}")

    def row(self, name: str, key: int, fields: dict[str, Any], version: int, **options: Any) -> Row:
        return Row(f"txn {self.flow}: {name}", key, fields, versions=str(version), **options)

    def init(self, name: str, version: int = 5, *, expects: bool = False, timeout: int = 60000, **options: Any) -> Row:
        fields = {
            "transactional_id": self.flow, "transaction_timeout_ms": timeout,
            "producer_id": self.id if expects else -1, "producer_epoch": self.epoch if expects else -1,
        }  # fmt: skip
        return self.row(name, INIT, fields, version, **options)

    def add(self, name: str, version: int, *partitions: int, of: str = "txn") -> Row:
        topics = [{"name": of, "partitions": list(partitions)}]
        if version < 4:
            fields = {
                "v3_and_below_transactional_id": self.flow, "v3_and_below_producer_id": self.id,
                "v3_and_below_producer_epoch": self.epoch, "v3_and_below_topics": topics,
            }  # fmt: skip
        else:
            fields = {"transactions": [self._transaction(topics, verify=False)]}
        return self.row(name, ADD, fields, version)

    def verify(self, name: str, version: int, *partitions: int) -> Row:
        topics = [{"name": "txn", "partitions": list(partitions)}]
        return self.row(name, ADD, {"transactions": [self._transaction(topics, verify=True)]}, version)

    def _transaction(self, topics: list[Any], *, verify: bool) -> dict[str, Any]:
        return {
            "transactional_id": self.flow, "producer_id": self.id, "producer_epoch": self.epoch, "verify_only": verify,
            "topics": topics,
        }  # fmt: skip

    def add_offsets(self, name: str, version: int, group: str) -> Row:
        fields = {
            "transactional_id": self.flow, "producer_id": self.id, "producer_epoch": self.epoch, "group_id": group,
        }  # fmt: skip
        return self.row(name, ADD_OFFSETS, fields, version)

    def commit_offsets(self, name: str, version: int, group: str, **options: Any) -> Row:
        fields = {
            "transactional_id": self.flow, "producer_id": self.id, "producer_epoch": self.epoch, "group_id": group,
            "generation_id": options.pop("generation_id", -1), "member_id": options.pop("member_id", ""),
            "topics": options.pop("topics", [_offset("txn", 0, 7)]),
        }  # fmt: skip
        return self.row(name, TXN_COMMIT, fields, version, **options)

    def produce(self, name: str, version: int, sequence: int, *, partition: int = 0, of: str = "txn") -> Row:
        who = (self.id, self.epoch)

        def records(known: dict[str, Any]) -> bytes:
            number, epoch = (known[x.name] if hasattr(x, "name") else x for x in who)
            return batch(b"v", attributes=TRANSACTIONAL, producer=(number, epoch, sequence))

        data = {"index": partition, "records": Computed(records)}
        fields = {
            "transactional_id": self.flow, "acks": -1, "timeout_ms": 10000,
            "topic_data": [{"name": of, "topic_id": learned(f"topic:{of}"), "partition_data": [data]}],
        }  # fmt: skip
        return self.row(name, PRODUCE, fields, version)

    def end(self, name: str, version: int, commit: bool, **options: Any) -> Row:
        fields = {
            "transactional_id": self.flow, "producer_id": self.id, "producer_epoch": self.epoch, "committed": commit,
        }  # fmt: skip
        return self.row(name, END, fields, version, **options)

    def describe(self, name: str) -> Row:
        return self.row(name, DESCRIBE, {"transactional_ids": [self.flow]}, 0)


def _offset(name: str, index: int, offset: int, metadata: str = "") -> dict[str, Any]:
    partition = {"partition_index": index, "committed_offset": offset, "committed_metadata": metadata}
    return {"name": name, "partitions": [partition]}


def offset_fetch(name: str, group: str, *, stable: bool) -> Row:
    topics = [{"name": "txn", "topic_id": learned("topic:txn"), "partition_indexes": [0]}]
    fields = {"groups": [{"group_id": group, "topics": topics}], "require_stable": stable}
    return Row(f"txn offsets: {name}", OFFSET_FETCH, fields, versions="9")


def fetch(name: str, partition: int, offset: int, isolation_level: int) -> Row:
    at = {"partition": partition, "fetch_offset": offset, "partition_max_bytes": 1 << 20}
    fields = {
        "max_wait_ms": 0, "min_bytes": 0, "max_bytes": 1 << 20, "isolation_level": isolation_level,
        "topics": [{"topic": "txn", "topic_id": learned("topic:txn"), "partitions": [at]}], "session_epoch": -1,
    }  # fmt: skip
    return Row(f"txn fetch: {name}", FETCH, fields, versions="12")


def unknown_producers() -> Iterator[Row]:
    """Requests of producers that the coordinator does not know, in every version."""
    yield create("txn", topic("txn", 4), versions="7")
    yield Row("txn: group coordinator", FIND_COORDINATOR, {"coordinator_keys": ["g"]}, versions="4")
    yield Row(
        "txn: coordinator", FIND_COORDINATOR, {"key": "a", "key_type": 1, "coordinator_keys": ["a", "b"]}, versions="1+"
    )
    who = {"transactional_id": "nobody", "producer_id": 777_000, "producer_epoch": 3}
    anonymous: dict[str, Any] = {"transactional_id": ""}
    for name, changes in (("unknown", {}), ("without an id", anonymous)):
        asks = {**who, **changes}
        old = {f"v3_and_below_{key}": value for key, value in asks.items()}
        for kind, topics in (
            ("", [("txn", [0, 1])]), (", unknown topic", [("never-was", [0]), ("txn", [0])]),
            (", unknown partition", [("txn", [0, 9])]), (", negative partition", [("txn", [-1])]), (", nothing", []),
            (", internal", [("__consumer_offsets", [0]), ("txn", [0])]), (", topic without partitions", [("txn", [])]),
        ):  # fmt: skip
            listed = [{"name": topic_name, "partitions": indexes} for topic_name, indexes in topics]
            yield Row(f"txn add: {name}{kind}", ADD, {**old, "v3_and_below_topics": listed}, versions="0-3")
            for verify in (False, True):
                one = {**asks, "verify_only": verify, "topics": listed}
                yield Row(f"txn add: {name}{kind}, verify {verify}", ADD, {"transactions": [one]}, versions="4+")
        yield Row(f"txn add offsets: {name}", ADD_OFFSETS, {**asks, "group_id": "txn-g"})
        yield Row(f"txn add offsets: {name}, empty group", ADD_OFFSETS, {**asks, "group_id": ""})
        for commit in (True, False):
            yield Row(f"txn end: {name}, commit {commit}", END, {**asks, "committed": commit})
        for kind, fields in (
            ("", {}), (", empty group", {"group_id": ""}), (", unknown topic", {"topics": [_offset("never-was", 0, 1)]}),
            (", unknown partition", {"topics": [_offset("txn", 99, 1)]}), (", nothing", {"topics": []}),
            (", one unknown", {"topics": [_offset("txn", 0, 1), _offset("never-was", 0, 1)]}),
        ):  # fmt: skip
            commits = {**asks, "group_id": "txn-g", "topics": [_offset("txn", 0, 1)], **fields}
            yield Row(f"txn commit offsets: {name}{kind}", TXN_COMMIT, commits)
        data = [{"index": 0, "records": batch(b"v", attributes=TRANSACTIONAL, producer=(777_000, 3, 0))}]
        produces = {
            "transactional_id": asks["transactional_id"], "acks": -1, "timeout_ms": 1000,
            "topic_data": [{"name": "txn", "topic_id": learned("topic:txn"), "partition_data": data}],
        }  # fmt: skip
        yield Row(f"txn produce: {name}", PRODUCE, produces, versions="3+")
    for name, timeout in (("zero", 0), ("negative", -1), ("too large", 900_001), ("largest int", 2**31 - 1)):
        fields = {"transactional_id": "txn-timeout", "transaction_timeout_ms": timeout}
        yield Row(f"txn init: timeout {name}", INIT, fields, versions="0-5")
    for number, epoch in ((5, 0), (5, 32766), (5, -1), (-1, 5), (-1, -1)):
        fields = {
            "transactional_id": f"txn-expects-{number}-{epoch}-{{v}}", "transaction_timeout_ms": 1000,
            "producer_id": number, "producer_epoch": epoch,
        }  # fmt: skip
        yield Row(f"txn init: new id, expects {number}, {epoch}", INIT, fields, versions="3-5")


def administration() -> Iterator[Row]:
    """ListTransactions and DescribeTransactions, before there is much to see."""
    for name, fields, versions in (
        ("nothing matches", {"producer_id_filters": [999_999]}, "0+"),
        ("unknown state", {"state_filters": ["Nonsense"]}, "0+"),
        ("unknown and known state", {"state_filters": ["Nonsense", "Dead", "ongoing"]}, "0+"),
        ("in preparation", {"state_filters": ["PrepareEpochFence", "PrepareCommit", "PrepareAbort"]}, "0+"),
        ("empty ones", {"state_filters": ["Empty"]}, "0+"),
        ("running for long", {"duration_filter": 3_600_000, "state_filters": ["Ongoing"]}, "1+"),
        ("by pattern", {"transactional_id_pattern": "txn-expects-5-.*"}, "2+"),
        ("by a part only", {"transactional_id_pattern": "expects"}, "2+"),
        ("by an empty pattern", {"transactional_id_pattern": "", "state_filters": ["Empty"]}, "2+"),
        ("by a bad pattern", {"transactional_id_pattern": "("}, "2+"),
    ):  # fmt: skip
        yield Row(
            f"txn list: {name}", LIST, {"state_filters": [], "producer_id_filters": [], **fields}, versions=versions
        )
    for name, ids in (("unknown", ["never-was"]), ("empty id", [""]), ("none", []), ("twice", ["never-was"] * 2)):
        yield Row(f"txn describe: {name}", DESCRIBE, {"transactional_ids": ids})
    for version in ("1", "2"):
        for name, topics in (
            ("unknown topic", [("never-was", [0])]), ("unknown partition", [("txn", [0, 99])]), ("nothing", []),
            ("unknown producer", [("txn", [3])]), ("negative partition", [("txn", [-1])]),
        ):  # fmt: skip
            marker = {
                "producer_id": 888_000 + int(version), "producer_epoch": 1, "transaction_result": False,
                "coordinator_epoch": 0, "transaction_version": 2,
                "topics": [{"name": topic_name, "partition_indexes": indexes} for topic_name, indexes in topics],
            }  # fmt: skip
            yield Row(f"txn markers: {name}", MARKERS, {"markers": [marker]}, versions=version)
        older = {
            "producer_id": 888_000 + int(version), "producer_epoch": 0, "transaction_result": True,
            "coordinator_epoch": 0, "transaction_version": 2, "topics": [{"name": "txn", "partition_indexes": [3]}],
        }  # fmt: skip
        yield Row("txn markers: older epoch", MARKERS, {"markers": [older]}, versions=version)
        same = {**older, "producer_epoch": 1}
        yield Row("txn markers: the same again", MARKERS, {"markers": [same]}, versions=version)
        yield Row(
            "txn markers: older coordinator",
            MARKERS,
            {"markers": [{**same, "coordinator_epoch": -1}]},
            versions=version,
        )
    yield Row("txn markers: none", MARKERS, {"markers": []})


def old_flow(flow: str, add: int, end: int, produce: int, commit: int) -> Iterator[Row]:
    """The life of a producer of transactions version 1."""
    p = Producer(flow)
    init = 2 if end < 2 else 4
    yield p.init("init", init)
    p.knows("init", init)
    yield p.end("commit while Empty", end, True)
    yield p.end("abort while Empty", end, False)
    yield p.produce("produce to what was not added", produce, 0)
    yield p.add("add", add, 0, 1)
    yield p.add("add again", add, 0)
    yield p.add("add unknown partition", add, 2, 77)
    yield p.produce("produce", produce, 0)
    yield p.produce("produce again", produce, 0)
    yield p.produce("produce a gap", produce, 5)
    yield p.produce("produce to another that was not added", produce, 0, partition=2)
    yield p.commit_offsets("commit offsets that were not added", commit, f"g-{flow}")
    yield p.add_offsets("add offsets", min(add, 3), f"g-{flow}")
    yield p.commit_offsets("commit offsets", commit, f"g-{flow}")
    yield p.commit_offsets("commit offsets of a generation", commit, f"g-{flow}", generation_id=3, member_id="m")
    yield offset_fetch(f"{flow}, in the transaction", f"g-{flow}", stable=True)
    yield offset_fetch(f"{flow}, in the transaction, unstable", f"g-{flow}", stable=False)
    yield p.verify("verify", 4, 0, 1, 3)
    yield p.verify("verify", 5, 0, 1, 3)
    yield p.end("commit", end, True)
    yield p.end("commit again", end, True)
    yield p.end("abort what is committed", end, False)
    yield offset_fetch(f"{flow}, committed", f"g-{flow}", stable=True)
    yield p.verify("verify after the end", 5, 0, 1)
    yield p.produce("produce after the end", produce, 1)
    yield p.produce("produce the first again after the end", produce, 0)
    yield p.commit_offsets("commit offsets after the end", commit, f"g-{flow}")
    # To another partition: in the one of the late repetition above Kafka takes no batch any more (KAFKA-17754), Ottla does.
    yield p.add("add for the next", add, 3)
    yield p.produce("produce in the next", produce, 0, partition=3)
    yield p.init("init over an open transaction", init, settled=False)
    yield p.init("init once it is aborted", init)
    yield p.end("end with the fenced epoch", end, True)
    yield p.add("add with the fenced epoch", add, 0)
    yield p.add_offsets("add offsets with the fenced epoch", min(add, 3), f"g-{flow}")
    yield p.produce("produce with the fenced epoch", produce, 2)
    yield p.commit_offsets("commit offsets with the fenced epoch", commit, f"g-{flow}")
    if init >= 3:
        yield p.init("init, expecting the fenced epoch", init, expects=True)
    p.knows("init once it is aborted", init)
    if init >= 3:
        yield p.init("init, expecting its own", init, expects=True)
        yield p.init("init, expecting its own again", init, expects=True)
        p.knows("init, expecting its own", init)
    yield p.add("add after init", add, 1)
    yield p.produce("produce after init", produce, 0, partition=1)
    yield p.end("abort", end, False)
    yield p.end("abort again", end, False)
    yield p.end("commit what is aborted", end, True)


def new_flow() -> Iterator[Row]:
    """The life of a producer of transactions version 2."""
    p = Producer("new")
    yield p.init("init")
    p.knows("init", 5)
    yield p.end("commit while Empty", 5, True)
    yield p.end("abort while Empty", 5, False)
    yield p.end("abort while Empty again", 5, False)
    p.knows("abort while Empty", 5)
    yield p.end("abort an aborted one", 5, False)
    p.knows("abort an aborted one", 5)
    yield p.end("commit an aborted one", 5, True)
    yield p.verify("verify before anything", 5, 0)
    yield p.produce("produce, verified only", 11, 0)
    yield p.produce("produce, verified only, of old", 10, 0)
    yield p.produce("produce", 13, 0, partition=2)
    yield p.produce("produce again", 12, 0, partition=2)
    yield p.produce("produce a gap", 12, 9, partition=2)
    yield p.commit_offsets("commit offsets", 5, "g-new")
    yield p.commit_offsets("commit offsets too long", 5, "g-new", topics=[_offset("txn", 1, 1, "x" * 5000)])
    yield p.commit_offsets("commit offsets of a generation", 5, "g-new", generation_id=1, member_id="m")
    yield p.commit_offsets("commit offsets of no such group", 5, "g-none", generation_id=1, member_id="m")
    yield p.verify("verify", 5, 2, 3)
    yield p.end("commit", 5, True)
    yield p.end("commit again", 5, True)
    yield p.end("abort instead, again", 5, False)
    yield p.produce("produce with the epoch before", 12, 1, partition=2)
    yield p.produce("produce with the epoch before elsewhere", 12, 0, partition=3)
    yield p.commit_offsets("commit offsets with the epoch before", 5, "g-new")
    yield p.init("init, expecting the epoch before", expects=True)
    p.knows("commit", 5)
    yield p.end("commit what is committed", 5, True)
    yield p.end("abort what is committed", 5, False)
    p.knows("abort what is committed", 5)
    yield p.produce("produce in the next", 12, 0, partition=2)
    yield p.init("init over an open transaction", settled=False)
    yield p.init("init once it is aborted")
    yield p.end("end with the fenced epoch", 5, False)
    yield p.produce("produce with the fenced epoch", 12, 1, partition=2)
    p.knows("init once it is aborted", 5)
    yield p.produce("produce before a v4 end", 12, 0, partition=2)
    yield p.end("commit as of old", 4, True)
    yield p.end("commit as of old, again", 4, True)
    yield p.add("add as a broker", 5, 0)
    yield p.end("abort as new", 5, False)
    yield offset_fetch("new", "g-new", stable=True)


FETCHES = [
    fetch(f"partition {partition}, isolation {isolation}", partition, 0, isolation)
    for partition in range(4)
    for isolation in (0, 1)
]
ROWS = [
    *unknown_producers(),
    *administration(),
    *old_flow("oldest", add=0, end=0, produce=3, commit=0),
    *old_flow("older", add=1, end=1, produce=7, commit=2),
    *old_flow("old", add=3, end=OLD_END, produce=9, commit=3),
    *old_flow("last-of-old", add=3, end=OLD_END, produce=11, commit=4),
    *new_flow(),
    *FETCHES,
]
