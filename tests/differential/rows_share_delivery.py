"""Rows about delivery in share groups (KIP-932): sessions, what is handed out, acknowledgements, and what is refused.

Version 1 and 2 each have a group and a topic of their own; a row goes to both before the next one.
"""

from __future__ import annotations

from typing import Any

from .batches import batch
from .rows_groups import coordinator
from .rows_records import produce
from .rows_topics import ABSENT_ID, create, topic
from .wire import Row, learned

INCREMENTAL_ALTER_CONFIGS, SHARE_HEARTBEAT, SHARE_FETCH, SHARE_ACKNOWLEDGE = 44, 76, 78, 79
GROUP_RESOURCE = 32
ACCEPT, RELEASE, REJECT, RENEW = 1, 2, 3, 4
TOPIC = learned("topic:shd-{v}")
ONE, TWO = "member-one", "member-two"

Said = tuple[int, int, list[int]]


def batches(said: tuple[Said, ...]) -> list[dict[str, Any]]:
    return [
        {"first_offset": first, "last_offset": last, "acknowledge_types": types} for first, last, types in said
    ]  # fmt: skip


def fetch(name: str, epoch: int, *said: Said, of: Any = TOPIC, partition: int = 0, **fields: Any) -> Row:
    """A ShareFetch that names one partition; `topics=[]` names none."""
    versions = fields.pop("versions", "0+")
    named = [{"topic_id": of, "partitions": [{"partition_index": partition, "acknowledgement_batches": batches(said)}]}]
    sent = {
        "group_id": "shd-group-{v}", "member_id": ONE, "share_session_epoch": epoch, "max_wait_ms": 300, "min_bytes": 1,
        "max_bytes": 1 << 20, "max_records": 500, "batch_size": 500, "topics": named, "forgotten_topics_data": [], **fields,
    }  # fmt: skip
    return Row(f"share fetch: {name}", SHARE_FETCH, sent, versions=versions)


def acknowledge(name: str, epoch: int, *said: Said, of: Any = TOPIC, partition: int = 0, **fields: Any) -> Row:
    versions = fields.pop("versions", "0+")
    named = [{"topic_id": of, "partitions": [{"partition_index": partition, "acknowledgement_batches": batches(said)}]}]
    sent = {"group_id": "shd-group-{v}", "member_id": ONE, "share_session_epoch": epoch, "topics": named, **fields}
    return Row(f"share acknowledge: {name}", SHARE_ACKNOWLEDGE, sent, versions=versions)


def _topic(version: int) -> Row:
    return create(f"share delivery {version}", topic(f"shd-{version}"), versions="7")


def _group(version: int) -> list[Row]:
    """Batches of 4, 3 and 3 records, and a group that begins at the first."""
    name, group = f"shd-{version}", f"shd-group-{version}"
    joining = {"group_id": group, "member_id": ONE, "member_epoch": 0, "subscribed_topic_names": [name]}
    values = [[b"x"] * size for size in (4, 3, 3)]
    return [
        *(produce(f"share delivery {version}, {n}", name, batch(*some), versions="9") for n, some in enumerate(values)),
        Row(f"share heartbeat: delivery {version}", SHARE_HEARTBEAT, joining),
    ]


def _earliest(version: int) -> Row:
    earliest = {"name": "share.auto.offset.reset", "config_operation": 0, "value": "earliest"}
    resource = {"resource_type": GROUP_RESOURCE, "resource_name": f"shd-group-{version}", "configs": [earliest]}
    fields = {"resources": [resource]}
    return Row(f"incremental: share group {version}", INCREMENTAL_ALTER_CONFIGS, fields, versions="1")


NOTHING = {"max_wait_ms": 0, "min_bytes": 0, "max_bytes": 0, "max_records": 0}


def _leave(version: int) -> Row:
    leaving = {"group_id": f"shd-group-{version}", "member_id": ONE, "member_epoch": -1}
    return Row(f"share heartbeat: delivery {version} leaves", SHARE_HEARTBEAT, leaving)


#: Asked long before the others: Kafka makes the state of a share group beside its answers, and takes its time.
SETUP: list[Row] = [
    _topic(1),
    _topic(2),
    coordinator("of share groups", "shd-group-1", versions="4"),
    _earliest(1),
    _earliest(2),
    create("settle share delivery", topic("shd-settle"), versions="7"),
    *_group(1),
    *_group(2),
    create("settle share groups", topic("shd-settle-more"), versions="7"),
    _leave(1),
    _leave(2),
]

ROWS: list[Row] = [
    # sessions
    fetch("no session", 3),
    fetch("final without a session", -1),
    acknowledge("no session", 1, (0, 0, [ACCEPT])),
    acknowledge("final without a session", -1),
    fetch("member id too long", 0, member_id="m" * 37),
    fetch("no member id", 0, member_id=""),
    acknowledge("no member id", 1, member_id=""),
    fetch("begins with acknowledgements", 0, (0, 0, [ACCEPT])),
    # handing out
    fetch("first, four records", 0, max_records=4, max_wait_ms=20_000),
    fetch("one record is a batch", 1, max_records=1),
    fetch("epoch again", 1),
    fetch("epoch of the future", 9),
    acknowledge("epoch of the past", 1, (0, 0, [ACCEPT])),
    acknowledge("epoch 0", 0, (0, 0, [ACCEPT])),
    # acknowledging
    acknowledge("two of four", 2, (0, 1, [ACCEPT])),
    acknowledge("below the start offset", 3, (0, 1, [ACCEPT])),
    acknowledge("past the end of what is held", 4, (2, 9, [ACCEPT])),
    acknowledge("beyond", 5, (20, 22, [ACCEPT])),
    acknowledge("first after last", 6, (3, 2, [ACCEPT])),
    acknowledge("not in order", 7, (4, 5, [ACCEPT]), (2, 3, [ACCEPT])),
    acknowledge("too many types", 8, (2, 3, [ACCEPT, ACCEPT, ACCEPT])),
    acknowledge("no types", 9, (2, 3, [])),
    acknowledge("type 5", 10, (2, 3, [5])),
    acknowledge("type -1", 11, (2, 3, [-1])),
    acknowledge("renewal that is none", 12, (2, 3, [RENEW])),
    acknowledge("nothing", 13),
    acknowledge("unknown topic", 14, (2, 3, [ACCEPT]), of=ABSENT_ID),
    acknowledge("unknown partition", 15, (2, 3, [ACCEPT]), partition=7),
    acknowledge("the same twice", 16, (2, 3, [ACCEPT]), (3, 3, [ACCEPT])),
    acknowledge("no topics", 17, topics=[]),
    acknowledge("each its own", 18, (2, 4, [RELEASE, RELEASE, REJECT])),
    fetch("what was released, with an acknowledgement", 19, (5, 6, [ACCEPT]), max_records=1),
    fetch("an acknowledgement that is refused", 20, (0, 900, [ACCEPT]), max_records=0),
    fetch("a wrong type", 21, (2, 3, [9]), max_records=0),
    fetch("acknowledges with others in the request", 22, (2, 2, [ACCEPT]), max_records=0),
    fetch("unknown partition", 23, partition=9, max_records=1, max_wait_ms=0, batch_size=1),
    fetch("the rest", 24, topics=[]),
    fetch("nothing left", 25, topics=[]),
    fetch("forgets", 26, topics=[], forgotten_topics_data=[{"topic_id": TOPIC, "partitions": [0, 9]}]),
    fetch("with nothing to read", 27, topics=[]),
    fetch("comes back", 28, max_wait_ms=0),
    # renewal (v2)
    acknowledge("renewal", 29, (2, 3, [RENEW]), is_renew_ack=True, versions="2"),
    fetch("renewal that reads", 30, (2, 3, [RENEW]), is_renew_ack=True, versions="2"),
    fetch("renewal", 30, (2, 3, [RENEW]), is_renew_ack=True, versions="2", **NOTHING),
    fetch("renewal with others", 31, (2, 3, [RENEW, ACCEPT]), is_renew_ack=True, versions="2", **NOTHING),
    # another member
    fetch("another member begins, nothing there", 0, member_id=TWO, max_wait_ms=0),
    acknowledge("of another", 1, (2, 2, [ACCEPT]), member_id=TWO),
    acknowledge("of another, a batch", 2, (7, 9, [ACCEPT]), member_id=TWO),
    fetch("ends", -1, (2, 2, [RELEASE]), topics=[]),
    fetch("has ended", -1, topics=[]),
    fetch("another gets what was released", 3, member_id=TWO, max_wait_ms=3000, max_records=1),
    fetch("record limit", 4, member_id=TWO, share_acquire_mode=1, max_records=2, versions="2"),
    fetch("record limit, the rest", 5, member_id=TWO, share_acquire_mode=1, max_records=50, versions="2"),
    acknowledge("final", -1, (7, 7, [ACCEPT]), member_id=TWO),
    acknowledge("final again", -1, (8, 8, [ACCEPT]), member_id=TWO),
    # new sessions
    fetch("begins with nothing", 0, topics=[], max_wait_ms=0),
    fetch("begins with an unknown topic", 0, of=ABSENT_ID, max_wait_ms=0),
    fetch("begins with an unknown partition", 0, partition=5, max_wait_ms=0),
    fetch("a group without state", 0, group_id="shd-nobody", max_wait_ms=300),
    fetch("more bytes than there are", 0, min_bytes=100_000, max_wait_ms=300),
    fetch("no bytes", 1, topics=[], max_bytes=0),
    # what Kafka's broker stumbles over: nothing is asked of these sessions any more
    fetch("adds an unknown topic", 2, of=b"\x07" * 16, max_wait_ms=0),
    fetch("begins with nothing again", 0, topics=[], max_wait_ms=0),
    fetch("acknowledges an unknown topic", 1, (2, 3, [ACCEPT]), of=ABSENT_ID, max_records=0),
]
