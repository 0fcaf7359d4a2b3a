"""Heartbeats of share groups: what joining, staying and leaving do to a group.

    heartbeat ─► who is it? ─► what it subscribed to ─► group epoch ─► target assignment ─► what it has now ─► answer
                                        │ new topics
                                        └─► share partitions to initialize: the shell asks the share coordinator

A member has at once what the target assignment gives it: nobody has to give anything back before, for partitions are
shared. A partition can be assigned when its state is initialized, so the first heartbeat of a group gets nothing, and the
one after it a higher epoch and its partitions. Errors and epochs are those of Kafka 4.2's GroupMetadataManager.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from ....metadata.image import MetadataImage
from ....protocol.apis.share_group_heartbeat import Assignment as HeartbeatAssignment
from ....protocol.apis.share_group_heartbeat import (
    ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
    TopicPartitions,
)
from ....protocol.errors import ErrorCode, KafkaError
from ...decision import Decision, RequestContext, Timer
from ..modern.assignment import NOTHING, Assignment, topic_partitions
from ..modern.group import MemberState, ModernMember, adjust
from ..modern.metadata_hash import TopicHashes
from . import records, states
from .assignor import ShareMemberSpec, assign
from .config import ShareConfig
from .group import ShareGroup, session_key
from .states import InitializeStates

__all__ = ["JOIN_EPOCH", "LEAVE_EPOCH", "HeartbeatResult", "check_request", "fence", "heartbeat"]

JOIN_EPOCH, LEAVE_EPOCH = 0, -1
_NOBODY: Mapping[int, int] = {}


class HeartbeatResult(NamedTuple):
    """The answer to a heartbeat, and what the shell shall have initialized after it."""

    response: ShareGroupHeartbeatResponse
    initialize: InitializeStates | None = None


def check_request(request: ShareGroupHeartbeatRequest) -> None:
    """Refuse what no client should send; raises INVALID_REQUEST."""
    for value, why in (
        (request.member_id, "MemberId can't be empty."),
        (request.group_id, "GroupId can't be empty."),
        (request.rack_id, "RackId can't be empty."),
    ):
        if value is not None and not value.strip():
            raise KafkaError(ErrorCode.INVALID_REQUEST, why)
    if request.member_epoch == JOIN_EPOCH and not request.subscribed_topic_names:
        raise KafkaError(ErrorCode.INVALID_REQUEST, "SubscribedTopicNames must be set in first request.")
    if request.member_epoch < LEAVE_EPOCH:
        raise KafkaError(ErrorCode.INVALID_REQUEST, "MemberEpoch is invalid.")


def heartbeat(
    group: ShareGroup, request: ShareGroupHeartbeatRequest, context: RequestContext, config: ShareConfig,
    image: MetadataImage, hashes: TopicHashes, now_ms: int,
) -> Decision:  # fmt: skip
    """Answer a member that joins or stays; `group` may be new, and is stored with the first record then."""
    decision = Decision()
    known = group.members.get(request.member_id)
    if known is None and len(group.members) >= config.max_size:
        why = f"The share group has reached its maximum capacity of {config.max_size} members."
        raise KafkaError(ErrorCode.GROUP_MAX_SIZE_REACHED, why)
    joins = request.member_epoch == JOIN_EPOCH
    if known is None and joins:
        known = ModernMember(request.member_id, previous_member_epoch=-1)
        decision.notes.append(f"Member {request.member_id} joins the share group {group.group_id}")
    member = group.member(request.member_id) if known is None else known
    _check_epoch(member, request.member_epoch)
    updated = _updated(member, request, context)
    if updated != member:
        decision.records.append(records.member_record(group.group_id, updated))
    epoch, name_counts, bumped = _group_epoch(group, member, updated, image, hashes, decision)
    target_epoch, target = group.target_epoch, group.target_of(updated.member_id)
    if epoch > target_epoch:
        target_epoch, target = epoch, _assign(group, updated, name_counts, epoch, image, decision)
    reconciled = _reconcile(updated, target_epoch, target, image, changed=bumped)
    if reconciled != updated:
        decision.records.append(records.current_assignment_record(group.group_id, reconciled))
    decision.timers.append(Timer(session_key(group.group_id, member.member_id), config.session_timeout_ms))
    full = joins or request.subscribed_topic_names is not None
    response = ShareGroupHeartbeatResponse(
        member_id=reconciled.member_id,
        member_epoch=reconciled.member_epoch,
        heartbeat_interval_ms=config.heartbeat_interval_ms,
        assignment=_assignment(reconciled)
        if full or reconciled.assigned_partitions != member.assigned_partitions
        else None,
    )
    initialize = _begin_initializing(group, epoch, name_counts, config, image, decision, now_ms)
    decision.response = HeartbeatResult(response, initialize)
    return decision


def _check_epoch(member: ModernMember, received: int) -> None:
    if received in (JOIN_EPOCH, member.member_epoch):
        return
    if received > member.member_epoch:
        raise KafkaError(
            ErrorCode.FENCED_MEMBER_EPOCH,
            f"The share group member has a greater member epoch ({received}) than the one known by the group coordinator "
            f"({member.member_epoch}). The member must abandon all its partitions and rejoin.",
        )
    if received != member.previous_member_epoch:
        raise KafkaError(
            ErrorCode.FENCED_MEMBER_EPOCH,
            f"The share group member has a smaller member epoch ({received}) than the one known by the group coordinator "
            f"({member.member_epoch}), and it does not match the previous member epoch ({member.previous_member_epoch}). "
            "The member must abandon all its partitions and rejoin.",
        )


def _updated(member: ModernMember, request: ShareGroupHeartbeatRequest, context: RequestContext) -> ModernMember:
    names = request.subscribed_topic_names
    same_names = names is None or member.subscribed_topic_names == frozenset(names)
    return replace(
        member,
        rack_id=member.rack_id if request.rack_id is None else request.rack_id,
        client_id=context.client_id,
        client_host=context.client_host,
        subscribed_topic_names=member.subscribed_topic_names if same_names else frozenset(names or ()),
    )


def _group_epoch(
    group: ShareGroup, member: ModernMember, updated: ModernMember, image: MetadataImage, hashes: TopicHashes,
    decision: Decision,
) -> tuple[int, Mapping[str, int], bool]:  # fmt: skip
    """Return the group epoch after this heartbeat, how many members name each topic, and whether the epoch was raised."""
    bump = updated.subscribed_topic_names != member.subscribed_topic_names or _has_unassigned(group)
    if not bump and group.metadata_checked:
        return group.group_epoch, group.name_counts, False
    counts = dict(group.name_counts)
    adjust(counts, member.subscribed_topic_names - updated.subscribed_topic_names, -1)
    adjust(counts, updated.subscribed_topic_names - member.subscribed_topic_names, +1)
    metadata_hash = hashes.of_group(counts, image)
    bump = bump or metadata_hash != group.metadata_hash
    group.metadata_checked = True
    if not bump:
        return group.group_epoch, counts, False
    epoch = group.group_epoch + 1
    decision.records.append(records.group_epoch_record(group.group_id, epoch, metadata_hash))
    decision.notes.append(f"Share group {group.group_id} has epoch {epoch} now")
    return epoch, counts, True


def _has_unassigned(group: ShareGroup) -> bool:
    """Whether partitions of a subscribed topic have been initialized and are not assigned to anybody, or the reverse."""
    if not group.members:
        return False
    return any(
        topic.name in group.name_counts and topic.partitions != group.sharers.get(topic_id, _NOBODY).keys()
        for topic_id, topic in group.states.initialized.items()
    )


def _assign(
    group: ShareGroup, updated: ModernMember, name_counts: Mapping[str, int], epoch: int, image: MetadataImage,
    decision: Decision,
) -> Assignment:  # fmt: skip
    """Make a new target assignment; returns the part of the member that asks."""
    members = {**group.members, updated.member_id: updated}
    specs = [
        ShareMemberSpec(
            member.member_id,
            {name: topic.id for name in sorted(member.subscribed_topic_names) if (topic := image.topics.get(name))},
            group.target.get(member.member_id, NOTHING),
        )
        for member in members.values()
    ]
    assignable = {topic_id: topic.partitions for topic_id, topic in group.states.initialized.items()}
    homogeneous = all(count == len(members) for count in name_counts.values())
    target = assign(specs, assignable, homogeneous=homogeneous)
    for member_id, assignment in target.items():
        if assignment != group.target.get(member_id):
            decision.records.append(records.target_assignment_record(group.group_id, member_id, assignment))
    decision.records.append(records.target_epoch_record(group.group_id, epoch))
    return target[updated.member_id]


def _reconcile(
    member: ModernMember, target_epoch: int, target: Assignment, image: MetadataImage, *, changed: bool
) -> ModernMember:
    """Give the member what it shall have, of topics it is subscribed to."""
    if not changed and member.is_reconciled_to(target_epoch):
        return member
    subscribed = {topic.id for name in member.subscribed_topic_names if (topic := image.topics.get(name))}
    assigned = {topic_id: partitions for topic_id, partitions in target.items() if topic_id in subscribed}
    if target_epoch == member.member_epoch:
        return replace(member, assigned_partitions=assigned)
    return replace(
        member,
        state=MemberState.STABLE,
        assigned_partitions=assigned,
        member_epoch=target_epoch,
        previous_member_epoch=member.member_epoch,
    )


def _assignment(member: ModernMember) -> HeartbeatAssignment:
    return HeartbeatAssignment(topic_partitions=topic_partitions(member.assigned_partitions, TopicPartitions))


def _begin_initializing(
    group: ShareGroup, epoch: int, names: Mapping[str, int], config: ShareConfig, image: MetadataImage,
    decision: Decision, now_ms: int,
) -> InitializeStates | None:  # fmt: skip
    topics = states.missing(group.states, names, image, now_ms, config.initialize_retry_interval_ms)
    if not topics:
        return None
    decision.records.append(records.states_record(group.group_id, states.begin_initializing(group.states, topics)))
    start_offsets = {topic_id: dict.fromkeys(topic.partitions, -1) for topic_id, topic in topics.items()}
    return InitializeStates(group.group_id, epoch, start_offsets)


def fence(group: ShareGroup, member: ModernMember, image: MetadataImage, hashes: TopicHashes) -> Decision:
    """Remove a member that leaves or is silent: what it had is assigned anew with the next heartbeat of another one."""
    group_id, member_id = group.group_id, member.member_id
    counts = dict(group.name_counts)
    adjust(counts, member.subscribed_topic_names, -1)
    return Decision(
        timers=[Timer(session_key(group_id, member_id), None)],
        records=[
            records.current_assignment_tombstone(group_id, member_id),
            records.target_assignment_tombstone(group_id, member_id),
            records.member_tombstone(group_id, member_id),
            records.group_epoch_record(group_id, group.group_epoch + 1, hashes.of_group(counts, image)),
        ],
    )
