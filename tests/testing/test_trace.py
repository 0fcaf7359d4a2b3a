"""What a failing test shows of its requests is short enough to be read."""

from __future__ import annotations

from ottla.protocol.apis.heartbeat import HeartbeatRequest
from ottla.protocol.apis.list_groups import ListGroupsRequest
from ottla.protocol.apis.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.protocol.schema import Request
from ottla.testing.faults import Seen
from ottla.testing.trace import brief, lines


def seen(request: Request, client_id: str = "app") -> Seen:
    return Seen(type(request).__name__.removesuffix("Request"), 3, client_id, request)


def test_equal_neighbours_are_told_once() -> None:
    beat = [seen(HeartbeatRequest(group_id="g", generation_id=1)) for _ in range(35)]
    other = seen(HeartbeatRequest(group_id="g", generation_id=2))
    assert lines([*beat, other, *beat[:1], seen(ListGroupsRequest())]) == [
        "Heartbeat v3 from app, 35 times: group_id='g', generation_id=1",
        "Heartbeat v3 from app: group_id='g', generation_id=2",
        "Heartbeat v3 from app: group_id='g', generation_id=1",
        "ListGroups v3 from app",
    ]


def test_requests_of_several_clients_are_kept_apart() -> None:
    request = HeartbeatRequest(group_id="g")
    assert len(lines([seen(request, "a"), seen(request, "b")])) == 2


def test_defaults_are_left_out_but_for_the_partition_and_long_bytes_are_counted() -> None:
    data = [PartitionProduceData(index=0, records=memoryview(b"x" * 100))]
    request = ProduceRequest(acks=-1, timeout_ms=1000, topic_data=[TopicProduceData(name="t", partition_data=data)])
    told = brief(request)
    assert told == "acks=-1, timeout_ms=1000, topic_data=[{name='t', partition_data=[{index=0, records=<100 bytes>}]}]"


def test_a_line_has_an_end() -> None:
    (line,) = lines([seen(HeartbeatRequest(group_id="g" * 1000))])
    assert len(line) < 350
