"""What each record of a consumer group does to the table of groups: the only way it changes.

Records come in the order of the log, but compaction may have left of a group only its end: a tombstone of something that is
not there says nothing, and a member or target may come before the record of the group.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ....protocol.schema import Data
from ....protocol.stored import consumer_offsets as stored
from ...shard import UnreadableRecordError
from ..classic_group import ClassicGroup
from ..kind import ShardState
from ..modern.assignment import NOTHING, assignment_of
from ..modern.group import LEFT_EPOCH, MemberState
from .group import ConsumerGroup, ResolvedPattern
from .member import ConsumerMember
from .records import classic_side

__all__ = ["RECORD_TYPES", "apply"]


def apply(state: ShardState, key: Data, value: Data | None) -> None:
    """Apply one record; None as value is a tombstone."""
    group_id: str = key.group_id  # type: ignore[attr-defined]  # every key has it
    group = state.groups.get(group_id)
    if not isinstance(group, ConsumerGroup):
        if value is None:
            return
        if group is not None and not (isinstance(group, ClassicGroup) and group.stored is None and group.is_empty()):
            raise UnreadableRecordError(f"a record of consumer group {group_id}, which is of type {group.TYPE}")
        # What is there, if anything, was made up to hold offsets.
        group = state.groups[group_id] = ConsumerGroup(group_id)
    if key.API_KEY == _GROUP:
        _group(state, group, value)
    else:
        _APPLY[key.API_KEY](group, key, value)


def _group(state: ShardState, group: ConsumerGroup, value: Any | None) -> None:
    if value is None:
        del state.groups[group.group_id]
    else:
        group.group_epoch, group.metadata_hash = value.epoch, value.metadata_hash


def _subscription_metadata(group: ConsumerGroup, key: Any, value: Any | None) -> None:
    group.has_subscription_metadata = value is not None


def _member(group: ConsumerGroup, key: Any, value: Any | None) -> None:
    old = group.members.get(key.member_id)
    if value is None:
        if old is not None:
            group.remove_member(key.member_id)
        return
    group.put_member(
        replace(
            old or ConsumerMember(key.member_id),
            instance_id=value.instance_id,
            rack_id=value.rack_id,
            client_id=value.client_id,
            client_host=value.client_host,
            subscribed_topic_names=frozenset(value.subscribed_topic_names),
            subscribed_topic_regex=value.subscribed_topic_regex,
            rebalance_timeout_ms=value.rebalance_timeout_ms,
            server_assignor=value.server_assignor,
            classic=classic_side(value.classic_member_metadata),
        )
    )


def _target_epoch(group: ConsumerGroup, key: Any, value: Any | None) -> None:
    group.target_epoch = LEFT_EPOCH if value is None else value.assignment_epoch


def _target(group: ConsumerGroup, key: Any, value: Any | None) -> None:
    group.set_target(key.member_id, None if value is None else assignment_of(value.topic_partitions))


def _current(group: ConsumerGroup, key: Any, value: Any | None) -> None:
    old = group.members.get(key.member_id)
    if value is not None:
        group.put_member(
            replace(
                old or ConsumerMember(key.member_id),
                member_epoch=value.member_epoch,
                previous_member_epoch=value.previous_member_epoch,
                state=MemberState.of(value.state),
                assigned_partitions=assignment_of(value.assigned_partitions),
                partitions_pending_revocation=assignment_of(value.partitions_pending_revocation),
            )
        )
    elif old is not None:
        group.put_member(
            replace(
                old,
                member_epoch=LEFT_EPOCH,
                previous_member_epoch=LEFT_EPOCH,
                assigned_partitions=NOTHING,
                partitions_pending_revocation=NOTHING,
            )
        )


def _pattern(group: ConsumerGroup, key: Any, value: Any | None) -> None:
    resolved = None
    if value is not None:
        resolved = ResolvedPattern(frozenset(value.topics), value.version, value.timestamp)
    group.put_resolved(key.regular_expression, resolved)


_GROUP = stored.ConsumerGroupMetadataKey.API_KEY
_APPLY = {
    stored.ConsumerGroupPartitionMetadataKey.API_KEY: _subscription_metadata,
    stored.ConsumerGroupMemberMetadataKey.API_KEY: _member,
    stored.ConsumerGroupTargetAssignmentMetadataKey.API_KEY: _target_epoch,
    stored.ConsumerGroupTargetAssignmentMemberKey.API_KEY: _target,
    stored.ConsumerGroupCurrentMemberAssignmentKey.API_KEY: _current,
    stored.ConsumerGroupRegularExpressionKey.API_KEY: _pattern,
}
RECORD_TYPES = frozenset({_GROUP, *_APPLY})
