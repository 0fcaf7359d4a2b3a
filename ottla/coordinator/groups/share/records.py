"""The records of share groups in `__consumer_offsets`: types 10 to 15, in the bytes Apache Kafka 4.2 writes.

10 member       what it subscribed to          13 target assignment of a member
11 group epoch, hash of the topics             14 current assignment of a member, its epoch
12 epoch of the target assignment              15 share partitions: initializing, initialized, deleting
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ....protocol.schema import Data
from ....protocol.stored.consumer_offsets import (
    ShareGroupCurrentMemberAssignmentKey,
    ShareGroupCurrentMemberAssignmentValue,
    ShareGroupMemberMetadataKey,
    ShareGroupMemberMetadataValue,
    ShareGroupMetadataKey,
    ShareGroupMetadataValue,
    ShareGroupStatePartitionMetadataKey,
    ShareGroupStatePartitionMetadataValue,
    ShareGroupTargetAssignmentMemberKey,
    ShareGroupTargetAssignmentMemberValue,
    ShareGroupTargetAssignmentMetadataKey,
    ShareGroupTargetAssignmentMetadataValue,
    TopicInfo,
    TopicPartition,
    TopicPartitions,
    TopicPartitionsInfo,
)
from ....protocol.stored.coordinator_records import encode_key, encode_value
from ...decision import StoredRecord
from ..modern.assignment import Assignment, topic_partitions
from ..modern.group import ModernMember

if TYPE_CHECKING:
    from .group import States, StateTopic


def _record(key: Data, value: Data | None) -> StoredRecord:
    return StoredRecord(encode_key(key), encode_value(value))


def member_record(group_id: str, member: ModernMember) -> StoredRecord:
    """Write what a member subscribed to."""
    value = ShareGroupMemberMetadataValue(
        rack_id=member.rack_id,
        client_id=member.client_id,
        client_host=member.client_host,
        subscribed_topic_names=sorted(member.subscribed_topic_names),
    )
    return _record(ShareGroupMemberMetadataKey(group_id=group_id, member_id=member.member_id), value)


def member_tombstone(group_id: str, member_id: str) -> StoredRecord:
    """Remove a member."""
    return _record(ShareGroupMemberMetadataKey(group_id=group_id, member_id=member_id), None)


def group_epoch_record(group_id: str, epoch: int, metadata_hash: int) -> StoredRecord:
    """Write the group epoch."""
    value = ShareGroupMetadataValue(epoch=epoch, metadata_hash=metadata_hash)
    return _record(ShareGroupMetadataKey(group_id=group_id), value)


def group_epoch_tombstone(group_id: str) -> StoredRecord:
    """Remove the group."""
    return _record(ShareGroupMetadataKey(group_id=group_id), None)


def target_assignment_record(group_id: str, member_id: str, assignment: Assignment) -> StoredRecord:
    """Write what a member shall have."""
    value = ShareGroupTargetAssignmentMemberValue(topic_partitions=topic_partitions(assignment, TopicPartition))
    return _record(ShareGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id), value)


def target_assignment_tombstone(group_id: str, member_id: str) -> StoredRecord:
    """Remove a member from the target assignment."""
    return _record(ShareGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id), None)


def target_epoch_record(group_id: str, epoch: int) -> StoredRecord:
    """Write for which group epoch the target assignment was made."""
    value = ShareGroupTargetAssignmentMetadataValue(assignment_epoch=epoch)
    return _record(ShareGroupTargetAssignmentMetadataKey(group_id=group_id), value)


def target_epoch_tombstone(group_id: str) -> StoredRecord:
    """Remove the target assignment."""
    return _record(ShareGroupTargetAssignmentMetadataKey(group_id=group_id), None)


def current_assignment_record(group_id: str, member: ModernMember) -> StoredRecord:
    """Write what a member has."""
    value = ShareGroupCurrentMemberAssignmentValue(
        member_epoch=member.member_epoch,
        previous_member_epoch=member.previous_member_epoch,
        state=member.state,
        assigned_partitions=topic_partitions(member.assigned_partitions, TopicPartitions),
    )
    return _record(ShareGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member.member_id), value)


def current_assignment_tombstone(group_id: str, member_id: str) -> StoredRecord:
    """Take everything from a member."""
    return _record(ShareGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member_id), None)


def states_record(group_id: str, states: States) -> StoredRecord:
    """Write which share partitions have state."""
    value = ShareGroupStatePartitionMetadataValue(
        initializing_topics=_topic_partitions_info(states.initializing),
        initialized_topics=_topic_partitions_info(states.initialized),
        deleting_topics=[TopicInfo(topic_id=key, topic_name=name) for key, name in states.deleting.items()],
    )
    return _record(ShareGroupStatePartitionMetadataKey(group_id=group_id), value)


def _topic_partitions_info(topics: Mapping[bytes, StateTopic]) -> list[TopicPartitionsInfo]:
    return [
        TopicPartitionsInfo(topic_id=topic_id, topic_name=topic.name, partitions=sorted(topic.partitions))
        for topic_id, topic in topics.items()
    ]


def states_tombstone(group_id: str) -> StoredRecord:
    """Forget the share partitions."""
    return _record(ShareGroupStatePartitionMetadataKey(group_id=group_id), None)
