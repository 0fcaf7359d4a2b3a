"""Members that speak the classic protocol in a consumer group: how a group of two protocols stays one group.

Such a member gets its assignment from the coordinator like all others; only the words differ. Its generation is its member
epoch. It is told to join again (REBALANCE_IN_PROGRESS to a heartbeat) when there is something to do for it, and each of its
JoinGroups is one step of reconciliation:

    Heartbeat   the group epoch is ahead, or partitions are to be given back, or those it waits for are free ──► rejoin
    JoinGroup   subscription and owned partitions out of its metadata; one step; answered at once, with no members
    SyncGroup   what it has now, written as an assignor of its own would have written it
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

from ....metadata.image import TopicsImage
from ....protocol import codec
from ....protocol.apis.consumer_group_heartbeat import TopicPartitions
from ....protocol.apis.heartbeat import HeartbeatRequest, HeartbeatResponse
from ....protocol.apis.join_group import JoinGroupRequest, JoinGroupResponse
from ....protocol.apis.leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse
from ....protocol.apis.sync_group import SyncGroupRequest, SyncGroupResponse
from ....protocol.consumer_protocol import (
    ConsumerProtocolAssignment,
    ConsumerProtocolAssignmentTopicPartition,
    ConsumerProtocolSubscription,
)
from ....protocol.errors import ErrorCode, KafkaError, RemoteProtocolError
from ...decision import Completion, Decision, Reply, RequestContext, Ticket, Timer
from ...shard import append_error
from ..classic_group import CONSUMER_PROTOCOL_TYPE
from ..modern.assignment import Assignment
from ..modern.group import MemberState
from . import migration
from .group import ConsumerGroup, join_key, sync_key
from .member import ClassicSide, ConsumerMember

if TYPE_CHECKING:
    from .kind import Consumer

__all__ = ["Joined", "heartbeat", "join", "joined", "leave", "read_subscription", "sync", "write_assignment"]

#: From this version of JoinGroup a dynamic member is first given an id and asked to come back with it (KIP-394).
_MEMBER_ID_REQUIRED_SINCE = 4
#: From this version LeaveGroup names several members.
_LEAVE_BATCH_SINCE = 3
_VERSION = struct.Struct(">h")


# -- the bytes of the embedded protocol ----------------------------------------------------------------------------


def read_subscription(metadata: bytes) -> ConsumerProtocolSubscription:
    """Read what a consumer put into JoinGroup; raises `RemoteProtocolError`."""
    subscription: ConsumerProtocolSubscription
    subscription, _ = codec.decoder(ConsumerProtocolSubscription, _version(metadata))(metadata, _VERSION.size)
    return subscription


def read_assignment(data: bytes) -> ConsumerProtocolAssignment:
    """Read what an assignor of a consumer wrote; raises `RemoteProtocolError`."""
    assignment: ConsumerProtocolAssignment
    assignment, _ = codec.decoder(ConsumerProtocolAssignment, _version(data))(data, _VERSION.size)
    return assignment


def write_assignment(assignment: Assignment, topics: TopicsImage, metadata: bytes) -> bytes:
    """Write an assignment as the consumer whose subscription is `metadata` expects it; topics that are gone are not in it."""
    version = _version(metadata)
    found = [(topics.by_id(topic_id), partitions) for topic_id, partitions in assignment.items()]
    assigned = [
        ConsumerProtocolAssignmentTopicPartition(topic=topic.name, partitions=sorted(partitions))
        for topic, partitions in found
        if topic is not None
    ]
    return _VERSION.pack(version) + codec.encode(ConsumerProtocolAssignment(assigned_partitions=assigned), version)


def _version(data: bytes) -> int:
    """Return the version to read or write by: of newer ones, what we know."""
    if len(data) < _VERSION.size:
        raise RemoteProtocolError("no version in the consumer protocol's bytes")
    version: int = _VERSION.unpack_from(data)[0]
    if version < 0:
        raise RemoteProtocolError(f"version {version} of the consumer protocol")
    return min(version, ConsumerProtocolSubscription.VERSIONS.high)


# -- JoinGroup -----------------------------------------------------------------------------------------------------


class Joined(Completion):
    """The records of a classic member's JoinGroup are committed, or could not be."""

    __slots__ = ("downgraded", "group_id", "rebalance_timeout_ms", "response", "session_timeout_ms", "ticket")

    def __init__(
        self, request: JoinGroupRequest, ticket: Ticket, response: JoinGroupResponse, *, downgraded: bool
    ) -> None:
        self.group_id = request.group_id
        self.ticket = ticket
        self.response = response
        self.session_timeout_ms = request.session_timeout_ms
        self.rebalance_timeout_ms = request.rebalance_timeout_ms
        #: Whether the group is a classic one now.
        self.downgraded = downgraded


def join(
    kind: Consumer, group: ConsumerGroup, request: JoinGroupRequest, context: RequestContext, ticket: Ticket,
    random_id: str, now_ms: int,
) -> Decision:  # fmt: skip
    """Let a classic member join, or rejoin; answered through the ticket."""
    decision = Decision()
    try:
        return _join(kind, group, request, context, ticket, random_id, decision, now_ms)
    except KafkaError as error:
        return Decision(replies=[Reply(ticket, JoinGroupResponse(error_code=error.code))])


def _join(
    kind: Consumer, group: ConsumerGroup, request: JoinGroupRequest, context: RequestContext, ticket: Ticket,
    random_id: str, decision: Decision, now_ms: int,
) -> Decision:  # fmt: skip
    member_id, instance_id = request.member_id or random_id, request.group_instance_id
    kind.check_room(group, member_id)
    protocols = tuple({protocol.name: bytes(protocol.metadata) for protocol in request.protocols}.items())
    if not group.supports_classic(request.protocol_type, (name for name, _ in protocols)):
        raise KafkaError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, f"Member {member_id}'s protocols are not supported.")
    if not request.member_id and instance_id is None and context.api_version >= _MEMBER_ID_REQUIRED_SINCE:
        response = JoinGroupResponse(error_code=ErrorCode.MEMBER_ID_REQUIRED, member_id=member_id)
        decision.replies.append(Reply(ticket, response))
        return decision
    replaced = group.static_member(instance_id)
    old = _member_for(group, request, member_id, decision)
    downgrades = replaced is not None and migration.may_downgrade_for(kind, group, replaced)
    try:
        subscription = read_subscription(protocols[0][1])
    except RemoteProtocolError as error:
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, f"Malformed embedded consumer protocol: {error}") from None
    new = replace(
        old,
        instance_id=instance_id or old.instance_id,
        rack_id=subscription.rack_id or old.rack_id,
        rebalance_timeout_ms=request.rebalance_timeout_ms,
        subscribed_topic_names=frozenset(subscription.topics),
        subscribed_topic_regex="",
        client_id=context.client_id,
        client_host=context.client_host,
        classic=ClassicSide(request.session_timeout_ms, protocols),
    )
    named = kind.store_member(group, old, new, decision)
    bump = kind.change_pattern(group, old, new, decision, now_ms).changed or named
    topics = kind.state.image.topics
    found = ((topics.get(owned.topic), owned.partitions) for owned in subscription.owned_partitions)
    owned = [TopicPartitions(topic_id=topic.id, partitions=list(some)) for topic, some in found if topic is not None]
    if downgrades:
        assert replaced is not None
        if not bump:
            target = group.target_of(new.member_id, new.instance_id)
            new = kind.reconcile(group, new, group.target_epoch, target, owned, decision, subscription_changed=False)
        migration.downgrade(kind, group, [replaced], decision, now_ms, joining=new, rebalance_follows=bump)
    else:
        epoch, target = kind.retarget(group, old, new, decision, bump=bump)
        new = kind.reconcile(group, new, epoch, target, owned, decision, subscription_changed=bump)
    response = JoinGroupResponse(
        error_code=ErrorCode.NONE, member_id=new.member_id, generation_id=new.member_epoch,
        protocol_type=CONSUMER_PROTOCOL_TYPE, protocol_name=protocols[0][0],
    )  # fmt: skip
    done = Joined(request, ticket, response, downgraded=downgrades)
    if decision.records:
        decision.completion = done
    else:
        _answer(kind, done, decision)
    return decision


def _member_for(group: ConsumerGroup, request: JoinGroupRequest, member_id: str, decision: Decision) -> ConsumerMember:
    from .kind import known_static, replace_static  # here because kind imports this module

    instance_id = request.group_instance_id
    if instance_id is not None and request.member_id:
        return known_static(group, member_id, instance_id)
    existing = group.static_member(instance_id)
    if existing is not None:
        return replace_static(group, existing, member_id, decision)
    member = group.members.get(member_id)
    if member is None:
        decision.notes.append(
            f"[GroupId {group.group_id}] Member {member_id} joins the consumer group using the classic protocol"
        )
        member = ConsumerMember(member_id)
    return member


def joined(kind: Consumer, done: Joined, error: ErrorCode) -> Decision:
    """Answer a member whose JoinGroup is stored now, or could not be."""
    decision = Decision()
    if error:
        decision.replies.append(Reply(done.ticket, JoinGroupResponse(error_code=append_error(error))))
    else:
        _answer(kind, done, decision)
    return decision


def _answer(kind: Consumer, done: Joined, decision: Decision) -> None:
    member_id = done.response.member_id
    decision.timers.append(Timer(join_key(done.group_id, member_id), None))
    group = kind.state.find(done.group_id, ConsumerGroup)
    member = None if group is None else group.members.get(member_id)
    if member is not None:
        decision.timers.append(kind.session_timer(done.group_id, member))
        decision.timers.append(Timer(sync_key(done.group_id, member_id), done.rebalance_timeout_ms))
    decision.replies.append(Reply(done.ticket, done.response))


# -- SyncGroup, Heartbeat, LeaveGroup ------------------------------------------------------------------------------


def _classic_member(
    group: ConsumerGroup, member_id: str, instance_id: str | None, generation_id: int
) -> tuple[ConsumerMember, ClassicSide]:
    """Find a classic member in its present generation."""
    if instance_id is None:
        member = group.member(member_id)
    else:
        found = group.static_member(instance_id)
        if found is None:
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
        if found.member_id != member_id:
            raise KafkaError(ErrorCode.FENCED_INSTANCE_ID)
        member = found
    if member.classic is None:
        raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, f"Member {member_id} does not use the classic protocol.")
    if generation_id != member.member_epoch:
        raise KafkaError(ErrorCode.ILLEGAL_GENERATION)
    return member, member.classic


def sync(kind: Consumer, group: ConsumerGroup, request: SyncGroupRequest, ticket: Ticket) -> Decision:
    """Give a classic member what it has; answered through the ticket."""
    decision = Decision()
    try:
        response = _sync(kind, group, request, decision)
    except KafkaError as error:
        response = SyncGroupResponse(error_code=error.code)
    decision.replies.append(Reply(ticket, response))
    return decision


def _sync(kind: Consumer, group: ConsumerGroup, request: SyncGroupRequest, decision: Decision) -> SyncGroupResponse:
    group_id, member_id = request.group_id, request.member_id
    member, classic = _classic_member(group, member_id, request.group_instance_id, request.generation_id)
    protocol_name, metadata = classic.protocols[0]
    if request.protocol_type not in (None, CONSUMER_PROTOCOL_TYPE) or request.protocol_name not in (
        None,
        protocol_name,
    ):
        raise KafkaError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    if group.group_epoch > member.member_epoch and member.state is not MemberState.UNREVOKED_PARTITIONS:
        _await_join(group_id, member, decision)
        raise KafkaError(ErrorCode.REBALANCE_IN_PROGRESS)
    decision.timers.append(Timer(sync_key(group_id, member_id), None))
    decision.timers.append(kind.session_timer(group_id, member))
    return SyncGroupResponse(
        error_code=ErrorCode.NONE,
        protocol_type=request.protocol_type,
        protocol_name=request.protocol_name,
        assignment=write_assignment(member.assigned_partitions, kind.state.image.topics, metadata),
    )


def _await_join(group_id: str, member: ConsumerMember, decision: Decision) -> None:
    """The member has its rebalance timeout to join again, from when it was first told so."""
    decision.timers.append(Timer(join_key(group_id, member.member_id), member.rebalance_timeout_ms, if_absent=True))


def heartbeat(kind: Consumer, group: ConsumerGroup, request: HeartbeatRequest) -> Decision:
    """Note that a classic member lives; tell it to rejoin if there is something to do for it."""
    decision = Decision()
    try:
        member, _ = _classic_member(group, request.member_id, request.group_instance_id, request.generation_id)
    except KafkaError as error:
        decision.response = HeartbeatResponse(error_code=error.code)
        return decision
    decision.timers.append(kind.session_timer(group.group_id, member))
    error_code = ErrorCode.NONE
    if (
        member.member_epoch < group.group_epoch
        or member.state is MemberState.UNREVOKED_PARTITIONS
        or (member.state is MemberState.UNRELEASED_PARTITIONS and not group.waits_for_others(member))
    ):
        error_code = ErrorCode.REBALANCE_IN_PROGRESS
        _await_join(group.group_id, member, decision)
    decision.response = HeartbeatResponse(error_code=error_code)
    return decision


def leave(
    kind: Consumer, group: ConsumerGroup, request: LeaveGroupRequest, context: RequestContext, now_ms: int
) -> Decision:
    """Remove members at their own wish, or static ones at an administrator's."""
    decision = Decision()
    batch = context.api_version >= _LEAVE_BATCH_SINCE
    results = []
    leaving: dict[str, ConsumerMember] = {}
    for identity in request.members if batch else [MemberIdentity(member_id=request.member_id)]:
        code = ErrorCode.NONE
        try:
            member = _leaving(group, identity)
            leaving[member.member_id] = member
        except KafkaError as error:
            code = error.code
        results.append(
            MemberResponse(member_id=identity.member_id, group_instance_id=identity.group_instance_id, error_code=code)
        )
    kind.remove(group, list(leaving.values()), decision, now_ms)
    if batch:
        decision.response = LeaveGroupResponse(members=results)
    else:
        decision.response = LeaveGroupResponse(error_code=results[0].error_code)
    return decision


def _leaving(group: ConsumerGroup, identity: MemberIdentity) -> ConsumerMember:
    if identity.group_instance_id is None:
        return group.member(identity.member_id)
    member = group.static_member(identity.group_instance_id)
    if member is None:
        raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
    if identity.member_id and identity.member_id != member.member_id:
        raise KafkaError(ErrorCode.FENCED_INSTANCE_ID)
    return member
