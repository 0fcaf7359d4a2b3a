"""The records of consumer groups (keys 3 to 8 and 16 of `__consumer_offsets`), in the bytes Apache Kafka 4.2 writes.

3  group: epoch, hash of its topics     5  member                  7  target of a member      16  pattern and the
4  (Kafka before 4.1: topics; buried)   6  target: its epoch       8  what a member has           topics it matches
"""

from __future__ import annotations

from collections.abc import Iterable

from ....protocol.schema import Data
from ....protocol.stored.consumer_offsets import (
    ClassicMemberMetadata,
    ClassicProtocol,
    ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataKey,
    ConsumerGroupMemberMetadataValue,
    ConsumerGroupMetadataKey,
    ConsumerGroupMetadataValue,
    ConsumerGroupPartitionMetadataKey,
    ConsumerGroupRegularExpressionKey,
    ConsumerGroupRegularExpressionValue,
    ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupTargetAssignmentMetadataKey,
    ConsumerGroupTargetAssignmentMetadataValue,
    TopicPartition,
    TopicPartitions,
)
from ....protocol.stored.coordinator_records import encode_key, encode_value
from ...decision import StoredRecord
from ..modern.assignment import Assignment, topic_partitions
from .member import ClassicSide, ConsumerMember

__all__ = [
    "classic_side", "current_assignment", "group_epoch", "group_tombstones", "member_metadata", "member_tombstones",
    "pattern_tombstone", "resolved_pattern", "subscription_metadata_tombstone", "target_assignment", "target_epoch",
]  # fmt: skip


def _record(key: Data, value: Data | None) -> StoredRecord:
    return StoredRecord(encode_key(key), encode_value(value))


def member_metadata(group_id: str, member: ConsumerMember) -> StoredRecord:
    """Write who a member is and what it subscribed to."""
    classic = None
    if member.classic is not None:
        classic = ClassicMemberMetadata(
            session_timeout_ms=member.classic.session_timeout_ms,
            supported_protocols=[ClassicProtocol(name=name, metadata=data) for name, data in member.classic.protocols],
        )
    return _record(
        ConsumerGroupMemberMetadataKey(group_id=group_id, member_id=member.member_id),
        ConsumerGroupMemberMetadataValue(
            instance_id=member.instance_id,
            rack_id=member.rack_id,
            client_id=member.client_id,
            client_host=member.client_host,
            subscribed_topic_names=sorted(member.subscribed_topic_names),
            subscribed_topic_regex=member.subscribed_topic_regex,
            rebalance_timeout_ms=member.rebalance_timeout_ms,
            server_assignor=member.server_assignor,
            classic_member_metadata=classic,
        ),
    )


def classic_side(stored: ClassicMemberMetadata | None) -> ClassicSide | None:
    """Read what a record says of a member's classic side."""
    if stored is None:
        return None
    protocols = tuple((protocol.name, bytes(protocol.metadata)) for protocol in stored.supported_protocols)
    return ClassicSide(stored.session_timeout_ms, protocols)


def group_epoch(group_id: str, epoch: int, metadata_hash: int) -> StoredRecord:
    """Write the epoch of a group and the topics it was raised for."""
    value = ConsumerGroupMetadataValue(epoch=epoch, metadata_hash=metadata_hash)
    return _record(ConsumerGroupMetadataKey(group_id=group_id), value)


def subscription_metadata_tombstone(group_id: str) -> StoredRecord:
    """Bury what Kafka before 4.1 stored of a group's topics."""
    return _record(ConsumerGroupPartitionMetadataKey(group_id=group_id), None)


def target_assignment(group_id: str, member_id: str, assignment: Assignment) -> StoredRecord:
    """Write what a member shall have."""
    value = ConsumerGroupTargetAssignmentMemberValue(topic_partitions=topic_partitions(assignment, TopicPartition))
    return _record(ConsumerGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id), value)


def target_epoch(group_id: str, epoch: int) -> StoredRecord:
    """Write the group epoch a target assignment was made for."""
    value = ConsumerGroupTargetAssignmentMetadataValue(assignment_epoch=epoch)
    return _record(ConsumerGroupTargetAssignmentMetadataKey(group_id=group_id), value)


def current_assignment(group_id: str, member: ConsumerMember) -> StoredRecord:
    """Write what a member has, and its epochs."""
    return _record(
        ConsumerGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member.member_id),
        ConsumerGroupCurrentMemberAssignmentValue(
            member_epoch=member.member_epoch,
            previous_member_epoch=member.previous_member_epoch,
            state=member.state,
            assigned_partitions=topic_partitions(member.assigned_partitions, TopicPartitions),
            partitions_pending_revocation=topic_partitions(member.partitions_pending_revocation, TopicPartitions),
        ),
    )


def resolved_pattern(group_id: str, pattern: str, topics: Iterable[str], version: int, now_ms: int) -> StoredRecord:
    """Write the topics that a pattern matches, as of a version of the metadata."""
    value = ConsumerGroupRegularExpressionValue(topics=sorted(topics), version=version, timestamp=now_ms)
    return _record(ConsumerGroupRegularExpressionKey(group_id=group_id, regular_expression=pattern), value)


def pattern_tombstone(group_id: str, pattern: str) -> StoredRecord:
    """Bury a pattern that nobody subscribes to any more."""
    return _record(ConsumerGroupRegularExpressionKey(group_id=group_id, regular_expression=pattern), None)


def member_tombstones(group_id: str, member_id: str) -> list[StoredRecord]:
    """Bury a member."""
    return [
        _record(ConsumerGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member_id), None),
        _record(ConsumerGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id), None),
        _record(ConsumerGroupMemberMetadataKey(group_id=group_id, member_id=member_id), None),
    ]


def group_tombstones(group_id: str, member_ids: Iterable[str], patterns: Iterable[str]) -> list[StoredRecord]:
    """Bury a group with its members, in Kafka's order: what refers to something goes before it."""
    ids = list(member_ids)
    of_members = [member_tombstones(group_id, member_id) for member_id in ids]
    return [
        *(current for current, _, _ in of_members),
        *(target for _, target, _ in of_members),
        _record(ConsumerGroupTargetAssignmentMetadataKey(group_id=group_id), None),
        *(member for _, _, member in of_members),
        *(pattern_tombstone(group_id, pattern) for pattern in patterns),
        subscription_metadata_tombstone(group_id),
        _record(ConsumerGroupMetadataKey(group_id=group_id), None),
    ]
