"""From a classic group to a consumer group and back, with members live (KIP-848, `group.consumer.migration.policy`).

    classic group ── a member joins with ConsumerGroupHeartbeat ──► consumer group, whose old members stay classic members
    consumer group ── the last member of the new protocol leaves,  ──► classic group, which rebalances
                      or comes back (static) with the old protocol

Either way all records of the one are buried and all of the other written in one batch, and every member keeps what it has:
the generation becomes the group epoch, the assignment the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ....metadata.image import TopicsImage
from ....protocol.apis.join_group import JoinGroupResponse
from ....protocol.apis.sync_group import SyncGroupResponse
from ....protocol.errors import ErrorCode, KafkaError, RemoteProtocolError
from ...decision import Decision, Reply, StoredRecord, Timer
from .. import rebalance
from ..classic_group import CONSUMER_PROTOCOL_TYPE, ClassicGroup, ClassicMember
from ..modern.assignment import NOTHING, Assignment
from ..records import group_metadata_record
from . import classic_side, records
from .group import ConsumerGroup
from .member import ClassicSide, ConsumerMember

if TYPE_CHECKING:
    from .kind import Consumer

__all__ = ["downgrade", "may_downgrade", "may_downgrade_for", "upgrade"]


# -- classic to consumer -------------------------------------------------------------------------------------------


def upgrade(kind: Consumer, classic: ClassicGroup, decision: Decision) -> ConsumerGroup:
    """Make the draft of a consumer group out of a classic group with members; raises GROUP_ID_NOT_FOUND if it may not be.

    The table is not touched: the records of the decision bury the one and make the other.
    """
    group_id = classic.group_id
    why = ""
    if not kind.state.config.consumer.upgrades:
        why = "online upgrade is disabled"
    elif not classic.uses_consumer_protocol():
        why = "the group does not use the consumer embedded protocol"
    elif len(classic.members) > kind.state.config.consumer.max_size:
        why = "the group size exceeds the consumer group maximum size"
    if why:
        raise _cannot(group_id, f"because {why}.")
    group = _draft(kind, classic)
    for member_id, ticket in classic.joins.items():
        response = JoinGroupResponse(error_code=ErrorCode.REBALANCE_IN_PROGRESS, member_id=member_id)
        decision.replies.append(Reply(ticket, response))
    for ticket in classic.syncs.values():
        decision.replies.append(Reply(ticket, SyncGroupResponse(error_code=ErrorCode.REBALANCE_IN_PROGRESS)))
    decision.timers += [Timer(key, None) for key in classic.timers()]
    decision.timers += [kind.session_timer(group_id, member) for member in group.members.values()]
    decision.records += classic.tombstones() + _records_of(group)
    decision.notes.append(f"[GroupId {group_id}] Converted the classic group to a consumer group")
    return group


def _cannot(group_id: str, why: str) -> KafkaError:
    return KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Cannot upgrade classic group {group_id} to consumer group {why}")


def _draft(kind: Consumer, classic: ClassicGroup) -> ConsumerGroup:
    group = ConsumerGroup(classic.group_id)
    group.group_epoch = group.target_epoch = classic.generation_id
    topics = kind.state.image.topics
    # In its first rebalance a group has not chosen a protocol yet.
    protocol_name = classic.protocol_name or classic.select_protocol()
    for old in classic.members.values():
        try:
            subscription = classic_side.read_subscription(old.metadata(protocol_name))
            assigned = _assigned(classic.group_id, old, topics)
        except RemoteProtocolError:
            raise _cannot(classic.group_id, "because the embedded consumer protocol is malformed.") from None
        group.set_target(old.member_id, assigned)
        group.put_member(
            ConsumerMember(
                old.member_id,
                member_epoch=classic.generation_id,
                previous_member_epoch=classic.generation_id,
                instance_id=old.group_instance_id,
                rack_id=subscription.rack_id or None,
                client_id=old.client_id,
                client_host=old.client_host,
                subscribed_topic_names=frozenset(subscription.topics),
                assigned_partitions=assigned,
                rebalance_timeout_ms=old.rebalance_timeout_ms,
                classic=ClassicSide(old.session_timeout_ms, old.protocols),
            )
        )
    group.metadata_hash = kind.state.topic_hashes.of_group(group.name_counts, kind.state.image)
    return group


def _assigned(group_id: str, member: ClassicMember, topics: TopicsImage) -> Assignment:
    if not member.assignment:
        return NOTHING
    stored = classic_side.read_assignment(member.assignment)
    if stored.user_data:
        raise _cannot(
            group_id,
            "because an unsupported custom assignor is in use. "
            "Please refer to the documentation or switch to a default assignor before re-attempting the upgrade.",
        )
    found = ((topics.get(some.topic), some.partitions) for some in stored.assigned_partitions)
    return {topic.id: frozenset(partitions) for topic, partitions in found if topic is not None and partitions}


def _records_of(group: ConsumerGroup) -> list[StoredRecord]:
    group_id, members = group.group_id, group.members.values()
    return [
        *(records.member_metadata(group_id, member) for member in members),
        records.group_epoch(group_id, group.group_epoch, group.metadata_hash),
        *(
            records.target_assignment(group_id, member.member_id, group.target_of(member.member_id))
            for member in members
        ),
        records.target_epoch(group_id, group.group_epoch),
        *(records.current_assignment(group_id, member) for member in members),
    ]


# -- consumer to classic -------------------------------------------------------------------------------------------


def may_downgrade(kind: Consumer, group: ConsumerGroup, leaving: Sequence[ConsumerMember]) -> bool:
    """Whether the group becomes classic when these members leave."""
    remain = len(group.members) - len(leaving)
    return remain > 0 and group.is_classic_without(leaving) and _is_allowed(kind, remain)


def may_downgrade_for(kind: Consumer, group: ConsumerGroup, replaced: ConsumerMember) -> bool:
    """Whether the group becomes classic when this static member comes back with the classic protocol."""
    if replaced.is_classic or group.classic_count != len(group.members) - 1:
        return False
    return _is_allowed(kind, len(group.members))


def _is_allowed(kind: Consumer, size: int) -> bool:
    return kind.state.config.consumer.downgrades and size <= kind.state.config.group_max_size


def downgrade(
    kind: Consumer, group: ConsumerGroup, leaving: Sequence[ConsumerMember], decision: Decision, now_ms: int, *,
    joining: ConsumerMember | None = None, rebalance_follows: bool = True,
) -> None:  # fmt: skip
    """Turn a group into a classic one without `leaving`, of whom one may come back as `joining`.

    The classic group is put into the table at once: what it is waiting for stands in no record.
    """
    group_id, topics = group.group_id, kind.state.image.topics
    gone = {member.member_id for member in leaving}
    staying = {member_id: member for member_id, member in group.members.items() if member_id not in gone}
    targets = {member_id: group.target_of(member_id) for member_id in staying}
    if joining is not None:
        staying[joining.member_id] = joining
        targets[joining.member_id] = group.target_of(leaving[0].member_id)
    members = [_classic_member(member) for member in staying.values()]
    classic = ClassicGroup.stable(group_id, group.group_epoch, CONSUMER_PROTOCOL_TYPE, members, now_ms)
    try:
        for member in members:
            metadata = member.metadata(classic.protocol_name or "")
            member.assignment = classic_side.write_assignment(targets[member.member_id], topics, metadata)
    except RemoteProtocolError as error:
        raise KafkaError(
            ErrorCode.GROUP_ID_NOT_FOUND, f"Cannot downgrade the classic group {group_id}: {error}."
        ) from None
    assignments = {member.member_id: member.assignment for member in members}
    # What the decision was to store of the consumer group is buried with it.
    decision.records = [*group.tombstones(), group_metadata_record(group_id, classic.to_stored(assignments))]
    decision.timers += [Timer(key, None) for key in group.timers()]
    kind.state.groups[group_id] = classic
    for member in members:
        rebalance.restart_heartbeat(group_id, member, decision)
    decision.notes.append(f"[GroupId {group_id}] Converted the consumer group to a classic group")
    if joining is None or rebalance_follows:
        why = "member leaving" if joining is None else "static member replacement with different subscription"
        reason = f"Downgrade group {group_id} from consumer to classic for {why}"
        rebalance.prepare(classic, kind.state.config, decision, reason, now_ms)


def _classic_member(member: ConsumerMember) -> ClassicMember:
    assert member.classic is not None
    return ClassicMember(
        member.member_id, member.instance_id, member.client_id, member.client_host, member.rebalance_timeout_ms,
        member.classic.session_timeout_ms, CONSUMER_PROTOCOL_TYPE, member.classic.protocols,
    )  # fmt: skip
