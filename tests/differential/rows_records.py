"""Rows about records: Produce, Fetch, ListOffsets, InitProducerId, OffsetForLeaderEpoch, DeleteRecords, DescribeProducers,
DescribeLogDirs."""

from __future__ import annotations

import time
from typing import Any

from .batches import CONTROL, GZIP, LOG_APPEND_TIME, NOW_MS, TRANSACTIONAL, batch, record
from .rows_topics import ABSENT_ID, configs, create, topic
from .wire import Row, learned

PRODUCE, FETCH, LIST_OFFSETS, INIT_PRODUCER_ID, OFFSET_FOR_LEADER_EPOCH = 0, 1, 2, 22, 23
DELETE_RECORDS, DESCRIBE_PRODUCERS, DESCRIBE_LOG_DIRS = 21, 61, 35


def produce(name: str, of: str, data: bytes | None, *, partition: int = 0, acks: int = -1, **options: Any) -> Row:
    topic_id = options.pop("topic_id", learned(f"topic:{of}"))
    data_of_topic = {"name": of, "topic_id": topic_id, "partition_data": [{"index": partition, "records": data}]}
    fields = {
        "acks": acks,
        "timeout_ms": 5000,
        "topic_data": options.pop("topics", [data_of_topic]),
        "transactional_id": options.pop("transactional_id", None),
    }
    return Row(f"produce: {name}", PRODUCE, fields, **options)


#: Producers are forgotten by the time of their records, so theirs are new.
NEW_MS = int(time.time() * 1000)


def idempotent(*values: bytes, producer: tuple[int, int, int]) -> bytes:
    return batch(*values, producer=producer, timestamp=NEW_MS)


PRODUCES = [
    create("to produce twice", topic("twice"), versions="7"),
    create("to ask more than there are", topic("asking", configs=configs(min_insync_replicas="2")), versions="7"),
    produce("more in sync wanted than there are replicas", "asking", batch(b"a")),
    produce("three records", "one", batch(b"a", b"b", b"c")),
    produce("acks 1", "one", batch(b"d"), acks=1),
    produce("acks 0", "one", batch(b"e"), acks=0, silent=True, versions="9"),
    produce("acks 2", "one", batch(b"x"), acks=2),
    produce("acks -2", "one", batch(b"x"), acks=-2),
    produce("gzip", "one", batch(b"aaa", b"bbb", attributes=GZIP)),
    produce("unknown topic", "never-was", batch(b"x"), topic_id=ABSENT_ID),
    produce("zero topic id", "never-was", batch(b"x"), topic_id=bytes(16), versions="13+"),
    produce("unknown partition", "one", batch(b"x"), partition=5),
    produce("negative partition", "one", batch(b"x"), partition=-1),
    produce("bad topic name", "no spaces", batch(b"x"), topic_id=ABSENT_ID),
    produce("wrong crc", "one", batch(b"x", crc_off_by=1)),
    produce("magic 1", "one", batch(b"x", magic=1)),
    produce("magic 9", "one", batch(b"x", magic=9)),
    produce("too few records", "one", batch(b"a", b"b", count=3)),
    produce("too many records", "one", batch(b"a", b"b", count=1)),
    produce("no records", "one", batch(records=b"", count=0)),
    produce("negative count", "one", batch(b"a", count=-1, last_delta=0)),
    produce("a billion records", "one", batch(b"a", count=1_000_000_000)),
    produce("last offset delta too large", "one", batch(b"a", last_delta=7)),
    produce(
        "offset deltas not in order",
        "three",
        batch(records=record(0, b"a") + record(1, b"b", offset_delta=5), count=2),
        partition=2,
        versions="13",
    ),
    produce("record longer than the batch", "one", batch(records=b"\xc8\x01" + record(0, b"a")[1:], count=1)),
    produce("record of negative length", "one", batch(records=b"\x01" + record(0, b"a")[1:], count=1)),
    produce("rubbish records", "one", batch(records=b"\xff" * 20, count=1)),
    produce("rubbish gzip", "one", batch(b"a", attributes=0)[:-1] + b"z"),
    produce("codec 7", "one", batch(b"a", attributes=7)),
    produce("control batch", "one", batch(b"a", attributes=CONTROL)),
    produce("transactional without id", "one", batch(b"a", attributes=TRANSACTIONAL, producer=(900_001, 0, 0))),
    produce("two batches", "one", batch(b"a") + batch(b"b")),
    produce("half a batch", "one", batch(b"a")[:-3]),
    produce("only a header", "one", batch(b"a")[:61]),
    produce("less than a header", "one", batch(b"a")[:20]),
    produce("length too small", "one", batch(b"a", length_off_by=-5)),
    produce("length below a header", "one", batch(b"a", length_off_by=-60)),
    produce("empty", "one", b""),
    produce("null", "one", None, silent=True, versions="9"),
    produce("batch and rubbish", "three", batch(b"a") + b"zzz", partition=1, versions="13"),
    produce("no key on compacted", "compacted", batch(b"a")),
    produce("key on compacted", "compacted", batch(b"a", key=b"k")),
    produce("too large", "small", batch(b"x" * 300)),
    produce("LogAppendTime", "stamped", batch(b"a", b"b")),
    produce("timestamp in the far future", "one", batch(b"a", timestamp=NOW_MS * 3)),
    produce("negative timestamp", "one", batch(b"a", timestamp=-1)),
    produce("base offset not 0", "one", batch(b"a", base_offset=77)),
    produce("nothing", "one", b"", topics=[]),
    produce(
        "topic without partitions",
        "one",
        b"",
        topics=[{"name": "one", "topic_id": learned("topic:one"), "partition_data": []}],
    ),
    produce("LogAppendTime bit from a client", "one", batch(b"a", attributes=LOG_APPEND_TIME)),
    produce(
        "partition twice",
        "twice",
        b"",
        ordered=True,
        topics=[
            {
                "name": "twice",
                "topic_id": learned("topic:twice"),
                "partition_data": [{"index": 0, "records": batch(b"p")}, {"index": 0, "records": batch(b"q")}],
            }
        ],
    ),
    produce(
        "topic twice",
        "twice",
        b"",
        ordered=True,
        topics=[
            {
                "name": "twice",
                "topic_id": learned("topic:twice"),
                "partition_data": [{"index": 0, "records": batch(b"p")}],
            },
            {
                "name": "twice",
                "topic_id": learned("topic:twice"),
                "partition_data": [{"index": 0, "records": batch(b"q")}],
            },
        ],
    ),
    produce(
        "two partitions, one unknown",
        "three",
        b"",
        topics=[
            {
                "name": "three",
                "topic_id": learned("topic:three"),
                "partition_data": [{"index": 0, "records": batch(b"p")}, {"index": 9, "records": batch(b"q")}],
            }
        ],
    ),
    create("for idempotence", *(topic(f"idem{version}") for version in range(14)), versions="7"),
    produce("idempotent first", "idem{v}", idempotent(b"a", b"b", producer=(900_000, 0, 0))),
    produce("idempotent duplicate", "idem{v}", idempotent(b"a", b"b", producer=(900_000, 0, 0))),
    produce("idempotent next", "idem{v}", idempotent(b"c", producer=(900_000, 0, 2))),
    produce("idempotent gap", "idem{v}", idempotent(b"d", producer=(900_000, 0, 9))),
    produce("idempotent new epoch, not 0", "idem{v}", idempotent(b"d", producer=(900_000, 1, 5))),
    produce("idempotent new epoch", "idem{v}", idempotent(b"d", producer=(900_000, 1, 0))),
    produce("idempotent old epoch", "idem{v}", idempotent(b"d", producer=(900_000, 0, 3))),
    produce("idempotent, unknown producer, not 0", "idem{v}", idempotent(b"d", producer=(900_555, 0, 4))),
    produce("idempotent without sequence", "idem{v}", idempotent(b"d", producer=(900_556, 0, -1))),
    produce(
        "idempotent two batches",
        "idem{v}",
        batch(b"d", producer=(900_557, 0, 0)) + batch(b"e", producer=(900_557, 0, 1)),
    ),
]


def fetch(name: str, of: str, offset: int = 0, *, partition: int = 0, **options: Any) -> Row:
    topic_id = options.pop("topic_id", learned(f"topic:{of}"))
    at = {
        "partition": partition,
        "fetch_offset": offset,
        "partition_max_bytes": options.pop("partition_max_bytes", 1 << 20),
        "current_leader_epoch": options.pop("leader_epoch", -1),
        "last_fetched_epoch": options.pop("last_fetched_epoch", -1),
    }
    fields = {
        "max_wait_ms": options.pop("max_wait_ms", 0),
        "min_bytes": options.pop("min_bytes", 0),
        "max_bytes": options.pop("max_bytes", 1 << 20),
        "isolation_level": options.pop("isolation_level", 0),
        "session_id": options.pop("session_id", 0),
        "session_epoch": options.pop("session_epoch", -1),
        "topics": options.pop("topics", [{"topic": of, "topic_id": topic_id, "partitions": [at]}]),
        "replica_id": options.pop("replica_id", -1),
        "forgotten_topics_data": options.pop("forgotten", []),
    }
    return Row(f"fetch: {name}", FETCH, fields, **options)


FETCHES = [
    create("to fetch", topic("fetched", 2), versions="7"),
    produce("to fetch 1", "fetched", batch(b"a", b"b", b"c"), versions="13"),
    produce("to fetch 2", "fetched", batch(b"d", b"e"), versions="13"),
    produce("to fetch 3", "fetched", batch(b"f" * 500), versions="13"),
    fetch("from the start", "fetched"),
    fetch("inside a batch", "fetched", 4),
    fetch("at the end", "fetched", 6),
    fetch("past the end", "fetched", 7),
    fetch("negative offset", "fetched", -1),
    fetch("empty partition", "fetched", 0, partition=1),
    fetch("empty partition, wait", "fetched", 0, partition=1, max_wait_ms=100, min_bytes=1),
    fetch("unknown partition", "fetched", 0, partition=9),
    fetch("negative partition", "fetched", 0, partition=-1),
    fetch("unknown topic", "never-was", 0, topic_id=ABSENT_ID),
    fetch("zero topic id", "never-was", 0, topic_id=bytes(16), versions="13+"),
    fetch("bad topic name", "no spaces", 0, versions="4-12"),
    fetch("one batch's bytes", "fetched", 0, partition_max_bytes=80),
    fetch("one byte", "fetched", 0, partition_max_bytes=1),
    fetch("zero bytes", "fetched", 0, partition_max_bytes=0),
    fetch("max bytes of one", "fetched", 0, max_bytes=1),
    fetch("negative max bytes", "fetched", 0, max_bytes=-1),
    fetch("negative max bytes of a partition", "fetched", 0, partition_max_bytes=-1),
    fetch("negative min bytes", "fetched", 0, min_bytes=-1),
    fetch("negative max wait", "fetched", 6, max_wait_ms=-1, min_bytes=1),
    fetch("negative isolation level", "fetched", 0, isolation_level=-1),
    fetch("new session of nothing", "fetched", topics=[], session_epoch=0, versions="7+"),
    fetch("read committed", "fetched", 0, isolation_level=1),
    fetch("unknown isolation level", "fetched", 0, isolation_level=9),
    fetch("current epoch", "fetched", 0, leader_epoch=0),
    fetch("epoch too new", "fetched", 0, leader_epoch=9),
    fetch("last fetched epoch", "fetched", 6, leader_epoch=0, last_fetched_epoch=0, versions="12+"),
    fetch("last fetched epoch too new", "fetched", 6, leader_epoch=0, last_fetched_epoch=9, versions="12+"),
    fetch("nothing", "fetched", topics=[]),
    fetch("unknown session", "fetched", session_id=12345, session_epoch=1, versions="7+"),
    fetch("epoch without session", "fetched", session_id=0, session_epoch=5, versions="7+"),
    fetch("new session", "fetched", session_id=0, session_epoch=0, versions="7+"),
    fetch(
        "session goes on", "fetched", topics=[], session_id=learned("session_id:fetch: new session/{v}"), session_epoch=1, versions="7+"
    ),
    fetch(
        "session with wrong epoch", "fetched", topics=[], session_id=learned("session_id:fetch: new session/{v}"), session_epoch=9,
        versions="7+",
    ),
    fetch(
        "session closed", "fetched", topics=[], session_id=learned("session_id:fetch: new session/{v}"), session_epoch=-1, versions="7+"
    ),
    fetch(
        "closed session goes on", "fetched", topics=[], session_id=learned("session_id:fetch: new session/{v}"), session_epoch=2,
        versions="7+",
    ),
    fetch(
        "session whose full request forgets", "fetched", session_id=0, session_epoch=0, versions="7+",
        forgotten=[{"topic": "fetched", "topic_id": learned("topic:fetched"), "partitions": [0]}],
    ),
    fetch(
        "partition twice", "fetched", ordered=True,
        topics=[
            {
                "topic": "fetched", "topic_id": learned("topic:fetched"),
                "partitions": [{"partition": 0, "fetch_offset": offset, "partition_max_bytes": 1} for offset in (0, 3)],
            }
        ],
    ),
    fetch("as a follower that is none", "fetched", 0, replica_id=9, versions="4-14", settled=False),
]  # fmt: skip


def offsets(
    name: str, of: str, timestamp: int, *, partition: int = 0, epoch: int = -1, isolation: int = 0, **options: Any
) -> Row:
    at = {"partition_index": partition, "timestamp": timestamp, "current_leader_epoch": epoch, "max_num_offsets": 1}
    fields = {
        "replica_id": options.pop("replica_id", -1),
        "isolation_level": isolation,
        "topics": options.pop("topics", [{"name": of, "partitions": [at]}]),
        "timeout_ms": 5000,
    }
    return Row(f"offsets: {name}", LIST_OFFSETS, fields, **options)


LISTS = [
    create("to list", topic("listed"), versions="7"),
    produce("to list 1", "listed", batch(b"a", b"b", timestamp=NOW_MS), versions="13"),
    produce("to list 2", "listed", batch(b"c", timestamp=NOW_MS + 1000), versions="13"),
    produce("to list 3", "listed", batch(b"d", timestamp=NOW_MS + 500), versions="13"),
    offsets("latest", "listed", -1),
    offsets("earliest", "listed", -2),
    offsets("max timestamp", "listed", -3),
    offsets("earliest local", "listed", -4),
    offsets("latest tiered", "listed", -5),
    offsets("earliest pending upload", "listed", -6),
    offsets("unknown special", "listed", -7),
    offsets("by timestamp", "listed", NOW_MS),
    offsets("by timestamp between", "listed", NOW_MS + 1),
    offsets("by timestamp of an earlier record behind", "listed", NOW_MS + 400),
    offsets("by timestamp after all", "listed", NOW_MS + 5000),
    offsets("by timestamp 0", "listed", 0),
    offsets("latest committed", "listed", -1, isolation=1),
    offsets("empty, latest", "small", -1),
    offsets("empty, max timestamp", "small", -3),
    offsets("empty, by timestamp", "small", 5),
    offsets("unknown topic", "never-was", -1),
    offsets("unknown partition", "listed", -1, partition=4),
    offsets("negative partition", "listed", -1, partition=-1),
    offsets("bad topic name", "no spaces", -1),
    offsets("current epoch", "listed", -1, epoch=0),
    offsets("epoch too new", "listed", -1, epoch=3),
    offsets("unknown isolation level", "listed", -1, isolation=9),
    offsets("negative isolation level", "listed", -1, isolation=-1),
    offsets("nothing", "listed", -1, topics=[]),
    offsets(
        "partition twice",
        "listed",
        -1,
        topics=[
            {
                "name": "listed",
                "partitions": [{"partition_index": 0, "timestamp": -1}, {"partition_index": 0, "timestamp": -2}],
            }
        ],
    ),
    offsets("as a debugging consumer", "listed", -1, replica_id=-2),
]


def producer_id(name: str, transactional_id: str | None, timeout: int = 60000, **options: Any) -> Row:
    fields = {
        "transactional_id": transactional_id,
        "transaction_timeout_ms": timeout,
        "producer_id": options.pop("producer_id", -1),
        "producer_epoch": options.pop("producer_epoch", -1),
    }
    return Row(f"producer id: {name}", INIT_PRODUCER_ID, fields, **options)


PRODUCER_IDS = [
    producer_id("idempotent", None),
    producer_id("idempotent, any timeout", None, -5),
    producer_id("empty transactional id", ""),
    producer_id("id without epoch", None, producer_id=5, versions="3+"),
    producer_id("epoch without id", None, producer_epoch=5, versions="3+"),
    producer_id("id and epoch", None, producer_id=5, producer_epoch=1, versions="3+"),
]


def epochs(name: str, of: str, leader_epoch: int, *, current: int = -1, partition: int = 0, **options: Any) -> Row:
    at = {"partition": partition, "current_leader_epoch": current, "leader_epoch": leader_epoch}
    fields = {
        "replica_id": options.pop("replica_id", -2),
        "topics": options.pop("topics", [{"topic": of, "partitions": [at]}]),
    }
    return Row(f"epochs: {name}", OFFSET_FOR_LEADER_EPOCH, fields, **options)


EPOCHS = [
    epochs("current", "listed", 0),
    epochs("current, checked", "listed", 0, current=0),
    epochs("checked too new", "listed", 0, current=5),
    epochs("newer than the last", "listed", 5),
    epochs("undefined epoch", "listed", -1),
    epochs("negative epoch", "listed", -5),
    epochs("empty log", "small", 0),
    epochs("unknown topic", "never-was", 0),
    epochs("unknown partition", "listed", 0, partition=3),
    epochs("negative partition", "listed", 0, partition=-1),
    epochs("bad topic name", "no spaces", 0),
    epochs("nothing", "listed", 0, topics=[]),
    epochs("as a replica", "listed", 0, replica_id=1, versions="3+"),
    epochs(
        "partition twice",
        "listed",
        0,
        topics=[
            {
                "topic": "listed",
                "partitions": [{"partition": 0, "leader_epoch": 0}, {"partition": 0, "leader_epoch": 1}],
            }
        ],
    ),
]


def delete_records(name: str, of: str, offset: int, *, partition: int = 0, **options: Any) -> Row:
    default = [{"name": of, "partitions": [{"partition_index": partition, "offset": offset}]}]
    return Row(
        f"delete records: {name}",
        DELETE_RECORDS,
        {"topics": options.pop("topics", default), "timeout_ms": 5000},
        **options,
    )


DELETE_ROWS = [
    create("to delete from", *(topic(f"cut{version}") for version in range(3)), versions="7"),
    *(
        produce(f"to delete from {version}", f"cut{version}", batch(b"a", b"b", b"c", b"d"), versions="13")
        for version in range(3)
    ),
    delete_records("some", "cut{v}", 2),
    fetch("below the start", "cut0", 0),
    fetch("from the new start", "cut0", 2),
    offsets("earliest after deletion", "cut0", -2),
    offsets("max timestamp after deletion", "cut0", -3),
    delete_records("fewer", "cut{v}", 1),
    delete_records("same", "cut{v}", 2),
    delete_records("beyond the end", "cut{v}", 99),
    delete_records("negative offset", "cut{v}", -2),
    delete_records("up to the high watermark", "cut{v}", -1),
    offsets("earliest after all", "cut1", -2),
    delete_records("compacted topic", "compacted", 1),
    delete_records("unknown topic", "never-was", 1),
    delete_records("unknown partition", "cut{v}", 1, partition=6),
    delete_records("negative partition", "cut{v}", 1, partition=-1),
    delete_records("bad topic name", "no spaces", 1),
    delete_records("nothing", "cut{v}", 1, topics=[]),
    delete_records(
        "right and wrong",
        "three",
        0,
        topics=[
            {"name": "three", "partitions": [{"partition_index": 0, "offset": 0}, {"partition_index": 8, "offset": 0}]},
            {"name": "never-was", "partitions": [{"partition_index": 0, "offset": 0}]},
        ],
    ),
]


def producers(name: str, *topics: tuple[str, list[int]]) -> Row:
    fields = {"topics": [{"name": of, "partition_indexes": indexes} for of, indexes in topics]}
    return Row(f"producers: {name}", DESCRIBE_PRODUCERS, fields)


DESCRIBE_PRODUCER_ROWS = [
    producers("active", ("idem9", [0])),
    producers("none active", ("small", [0])),
    producers("unknown topic", ("never-was", [0])),
    producers("unknown partition", ("idem9", [5])),
    producers("negative partition", ("idem9", [-1])),
    producers("bad topic name", ("no spaces", [0])),
    producers("empty topic name", ("", [0])),
    producers("no partitions", ("idem9", [])),
    producers("nothing"),
    producers("topic twice", ("idem9", [0]), ("idem9", [0])),
]


def log_dirs(name: str, topics: list[tuple[str, list[int]]] | None) -> Row:
    rows = None if topics is None else [{"topic": of, "partitions": indexes} for of, indexes in topics]
    return Row(f"log dirs: {name}", DESCRIBE_LOG_DIRS, {"topics": rows})


LOG_DIRS = [
    log_dirs("one partition", [("listed", [0])]),
    log_dirs("partitions of one", [("fetched", [0, 1])]),
    log_dirs("unknown topic", [("never-was", [0])]),
    log_dirs("unknown partition", [("listed", [7])]),
    log_dirs("negative partition", [("listed", [-1])]),
    log_dirs("bad topic name", [("no spaces", [0])]),
    log_dirs("no partitions", [("listed", [])]),
    log_dirs("nothing", []),
    log_dirs("two topics", [("listed", [0]), ("fetched", [0, 1])]),
    log_dirs("topic twice", [("listed", [0]), ("listed", [0])]),
]

ROWS = [*PRODUCES, *FETCHES, *LISTS, *PRODUCER_IDS, *EPOCHS, *DELETE_ROWS, *DESCRIBE_PRODUCER_ROWS, *LOG_DIRS]
