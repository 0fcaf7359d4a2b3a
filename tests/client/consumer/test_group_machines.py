"""The state machines of group members, step by step: no socket, no clock."""

from __future__ import annotations

from typing import Any

from ottla.client.consumer.assignors.table import choose
from ottla.client.consumer.assignors.types import read_assignment, write_assignment, write_subscription
from ottla.client.consumer.classic_group import ClassicMember
from ottla.client.consumer.fetch_session import FetchSession, Wanted
from ottla.client.consumer.modern_group import ModernMember
from ottla.client.consumer.steps import Ask, Assign, Distribute, Fail, Lost, Revoke, Sleep
from ottla.client.errors import BrokerError
from ottla.protocol.apis.consumer_group_heartbeat import (
    Assignment,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)
from ottla.protocol.apis.fetch import FetchRequest
from ottla.protocol.apis.heartbeat import HeartbeatResponse
from ottla.protocol.apis.join_group import JoinGroupResponse, JoinGroupResponseMember
from ottla.protocol.apis.sync_group import SyncGroupResponse
from ottla.protocol.errors import ErrorCode

T0, T1, T2 = ("t", 0), ("t", 1), ("t", 2)


def member(*assignors: str, **options: Any) -> ClassicMember:
    return ClassicMember(
        "g", ["t"], choose(assignors or ["range"]), session_timeout_ms=45_000, rebalance_timeout_ms=60_000,
        heartbeat_interval_ms=3000, **options,
    )  # fmt: skip


def asked(machine: Any, now: float = 0) -> Any:
    step = machine.next(now)
    assert isinstance(step, Ask), step
    return step.request


def joined(machine: ClassicMember, generation: int, *, leader: str = "other", members: Any = ()) -> None:
    request = asked(machine)
    assert request.group_id == "g"
    name = request.protocols[0].name
    machine.answered(
        JoinGroupResponse(
            generation_id=generation, protocol_name=name, leader=leader, member_id="me", members=list(members)
        ),
        0,
    )  # fmt: skip


def synced(machine: ClassicMember, *partitions: tuple[str, int], now: float = 0) -> None:
    assert type(asked(machine)).__name__ == "SyncGroupRequest"
    machine.answered(SyncGroupResponse(assignment=write_assignment(partitions)), now)


def test_a_member_asks_for_an_id_joins_and_reads() -> None:
    machine = member()
    asked(machine)
    machine.answered(JoinGroupResponse(error_code=ErrorCode.MEMBER_ID_REQUIRED, member_id="me", leader=""), 0)
    assert asked(machine).member_id == "me"
    machine.failed(0)  # nobody answered: the same again
    joined(machine, 1)
    synced(machine, T0, T1)
    assert machine.next(0) == Assign([T0, T1])
    assert machine.next(0) == Sleep(3000)
    assert asked(machine, 3000).generation_id == 1
    machine.answered(HeartbeatResponse(), 3000)
    assert machine.next(3000) == Sleep(6000)


def test_an_eager_member_gives_all_up_before_it_joins_and_its_heart_beats_meanwhile() -> None:
    machine = member()
    joined(machine, 1)
    synced(machine, T0, T1)
    machine.next(0)
    asked(machine, 3000)
    machine.answered(HeartbeatResponse(error_code=ErrorCode.REBALANCE_IN_PROGRESS), 3000)
    assert machine.next(3000) == Revoke([T0, T1])
    assert machine.next(3000) == Sleep(6000)
    assert type(asked(machine, 6000)).__name__ == "HeartbeatRequest"
    machine.answered(HeartbeatResponse(error_code=ErrorCode.REBALANCE_IN_PROGRESS), 6000)
    machine.revoked(6001)
    assert type(asked(machine, 6001)).__name__ == "JoinGroupRequest"


def test_a_cooperative_member_keeps_what_stays_and_joins_again_for_what_went() -> None:
    machine = member("cooperative-sticky")
    joined(machine, 1)
    synced(machine, T0, T1)
    assert machine.next(0) == Assign([T0, T1])
    machine.changed(None, "because")
    joined(machine, 2)
    synced(machine, T0)
    assert machine.next(0) == Revoke([T1])
    assert machine.next(0) == Assign([])
    assert isinstance(machine.next(0), Sleep)
    machine.revoked(0)
    request = asked(machine)
    assert type(request).__name__ == "JoinGroupRequest"
    assert machine.owned == {T0}


def test_the_leader_assigns_for_all() -> None:
    machine = member()
    others = [
        JoinGroupResponseMember(member_id=name, metadata=write_subscription(["t"], [], -1, None, None))
        for name in ("me", "other")
    ]
    joined(machine, 1, leader="me", members=others)
    assert machine.next(0) == Distribute(frozenset({"t"}))
    machine.distributed({"t": 3})
    request = asked(machine)
    given = {row.member_id: read_assignment(row.assignment) for row in request.assignments}
    assert given == {"me": [T0, T1], "other": [T2]}


def test_a_member_that_the_group_forgot_has_lost_all_and_joins_anew() -> None:
    machine = member()
    joined(machine, 1)
    synced(machine, T0)
    machine.next(0)
    asked(machine, 3000)
    machine.answered(HeartbeatResponse(error_code=ErrorCode.UNKNOWN_MEMBER_ID), 3000)
    assert machine.next(3000) == Lost([T0])
    assert asked(machine, 3000).member_id == ""


def test_a_fenced_instance_is_the_end() -> None:
    machine = member(instance_id="i")
    joined(machine, 1)
    synced(machine, T0)
    machine.next(0)
    asked(machine, 3000)
    machine.answered(HeartbeatResponse(error_code=ErrorCode.FENCED_INSTANCE_ID), 3000)
    assert machine.next(3000) == Lost([T0])
    step = machine.next(3000)
    assert isinstance(step, Fail)
    assert isinstance(step.error, BrokerError)
    assert step.error.code == ErrorCode.FENCED_INSTANCE_ID


def test_a_static_member_does_not_leave() -> None:
    for instance_id, kind in (("i", Sleep), (None, Ask)):
        machine = member(instance_id=instance_id)
        joined(machine, 1)
        synced(machine)
        machine.leave()
        assert isinstance(machine.next(0), kind)


# KIP-848 -------------------------------------------------------------------------------------------------------------

ID = bytes(15) + b"\1"


def modern(**options: Any) -> ModernMember:
    return ModernMember("g", "me", ["t"], {ID: "t"}.get, {"t": ID}.get, **options)


def beat(machine: ModernMember, epoch: int, *partitions: int, now: float = 0, error: int = 0, told: bool = True) -> Any:
    request = asked(machine, now)
    rows = [TopicPartitions(topic_id=ID, partitions=list(partitions))] if partitions else []
    machine.answered(
        ConsumerGroupHeartbeatResponse(
            error_code=error, member_id="me", member_epoch=epoch, heartbeat_interval_ms=5000,
            assignment=Assignment(topic_partitions=rows) if told else None,
        ),
        now,
    )  # fmt: skip
    return request


def test_first_all_is_told_then_only_what_changed() -> None:
    machine = modern(rack="r")
    request = beat(machine, 1, 0, 1)
    assert (request.member_epoch, request.subscribed_topic_names, request.rack_id) == (0, ["t"], "r")
    assert machine.next(0) == Assign([T0, T1])
    request = beat(machine, 1, told=False)  # at once: "I have these now"
    assert request.subscribed_topic_names is None
    assert [row.partitions for row in request.topic_partitions] == [[0, 1]]
    assert machine.next(0) == Sleep(5000)
    assert beat(machine, 1, now=5000, told=False).topic_partitions is None


def test_it_gives_up_before_it_takes_and_says_so() -> None:
    machine = modern()
    beat(machine, 1, 0, 1)
    machine.next(0)
    beat(machine, 1, told=False)
    beat(machine, 1, 1, 2, now=5000)
    assert machine.next(5000) == Revoke([T0])
    assert isinstance(machine.next(5000), Sleep)
    beat(machine, 1, now=10_000, told=False)  # while it is being given up, the heart beats
    machine.revoked(10_001)
    assert machine.next(10_001) == Assign([T2])
    assert [row.partitions for row in beat(machine, 2, now=10_001, told=False).topic_partitions] == [[1, 2]]


def test_a_fenced_member_joins_anew() -> None:
    machine = modern()
    beat(machine, 1, 0)
    machine.next(0)
    beat(machine, 1, error=ErrorCode.FENCED_MEMBER_EPOCH)
    assert machine.next(0) == Lost([T0])
    assert beat(machine, 2, 0).member_epoch == 0


def test_a_topic_that_metadata_does_not_know_waits() -> None:
    machine = ModernMember("g", "me", ["t"], {}.get, {}.get)
    beat(machine, 1, 0)
    assert isinstance(machine.next(0), Sleep)
    assert machine.unknown_ids == {ID}


def test_leaving_says_minus_one_or_two() -> None:
    for instance_id, epoch in ((None, -1), ("i", -2)):
        machine = modern(instance_id=instance_id)
        beat(machine, 1, told=False)
        machine.leave()
        assert asked(machine).member_epoch == epoch


# KIP-227 -------------------------------------------------------------------------------------------------------------


def test_a_session_names_only_what_changed_and_forgets_what_is_gone() -> None:
    session = FetchSession()
    first = {T0: Wanted(ID, 5, 0, -1, 100), T1: Wanted(ID, 7, 0, -1, 100)}
    request = session.build(first, FetchRequest(max_wait_ms=0, min_bytes=0), True)
    assert (request.session_id, request.session_epoch, len(request.topics[0].partitions)) == (0, 0, 2)
    session.accepted(9)
    request = session.build({T0: Wanted(ID, 6, 0, -1, 100)}, FetchRequest(max_wait_ms=0, min_bytes=0), True)
    assert (request.session_id, request.session_epoch) == (9, 1)
    assert [part.fetch_offset for part in request.topics[0].partitions] == [6]
    assert request.forgotten_topics_data[0].partitions == [1]
    session.accepted(9)
    request = session.build({T0: Wanted(ID, 6, 0, -1, 100)}, FetchRequest(max_wait_ms=0, min_bytes=0), True)
    assert (request.session_epoch, request.topics, request.forgotten_topics_data) == (2, [], [])
    session.reset()
    assert session.build(first, FetchRequest(max_wait_ms=0, min_bytes=0), True).session_epoch == 0
