"""The records of streams groups (keys 17 to 23 of `__consumer_offsets`), in the bytes Apache Kafka 4.2 writes.

    17 group: epoch, metadata hash, validated topology epoch, assignment configs     18 is not used
    19 member                      20 epoch of the target assignment                  21 target of a member
    22 what a member has           23 topology

Lists stand in the order of subtopology ids and partitions, so that equal state gives equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....protocol.errors import ErrorCode, KafkaError
from ....protocol.schema import Data
from ....protocol.stored.consumer_offsets import (
    Endpoint as StoredEndpoint,
)
from ....protocol.stored.consumer_offsets import (
    KeyValue,
    LastAssignmentConfig,
    StreamsGroupCurrentMemberAssignmentKey,
    StreamsGroupCurrentMemberAssignmentValue,
    StreamsGroupMemberMetadataKey,
    StreamsGroupMemberMetadataValue,
    StreamsGroupMetadataKey,
    StreamsGroupMetadataValue,
    StreamsGroupTargetAssignmentMemberKey,
    StreamsGroupTargetAssignmentMemberValue,
    StreamsGroupTargetAssignmentMemberValueTaskIds,
    StreamsGroupTargetAssignmentMetadataKey,
    StreamsGroupTargetAssignmentMetadataValue,
    StreamsGroupTopologyKey,
    StreamsGroupTopologyValue,
    TaskIds,
)
from ....protocol.stored.coordinator_records import encode_key, encode_value
from ...decision import StoredRecord
from .member import Endpoint, MemberState, StreamsMember
from .tasks import AssignedTasks, EpochTasks, Tasks, TaskSets, tasks_of

__all__ = [
    "apply_current_assignment", "apply_member_metadata", "current_assignment_record", "group_record",
    "group_tombstones", "member_record", "member_tombstones", "target_epoch_record", "target_of", "target_record",
    "topology_record",
]  # fmt: skip

#: `MemberState` numbers a record may hold; any other is UNKNOWN.
_STATES = {state.value: state for state in MemberState}


def _record(key: Data, value: Data) -> StoredRecord:
    return StoredRecord(encode_key(key), encode_value(value))


def _tombstone(key: Data) -> StoredRecord:
    return StoredRecord(encode_key(key), None)


# -- writing -----------------------------------------------------------------------------------------------------------


def group_record(
    group_id: str, epoch: int, metadata_hash: int, validated_topology_epoch: int, configs: Mapping[str, str]
) -> StoredRecord:
    """Write the epoch of a group and what it was computed from."""
    value = StreamsGroupMetadataValue(
        epoch=epoch,
        metadata_hash=metadata_hash,
        validated_topology_epoch=validated_topology_epoch,
        last_assignment_configs=[LastAssignmentConfig(key=key, value=value) for key, value in configs.items()],
    )
    return _record(StreamsGroupMetadataKey(group_id=group_id), value)


def topology_record(group_id: str, value: StreamsGroupTopologyValue) -> StoredRecord:
    """Write the topology of a group."""
    return _record(StreamsGroupTopologyKey(group_id=group_id), value)


def member_record(group_id: str, member: StreamsMember) -> StoredRecord:
    """Write who a member is."""
    endpoint = member.user_endpoint
    value = StreamsGroupMemberMetadataValue(
        instance_id=member.instance_id,
        rack_id=member.rack_id,
        client_id=member.client_id,
        client_host=member.client_host,
        rebalance_timeout_ms=member.rebalance_timeout_ms,
        topology_epoch=member.topology_epoch,
        process_id=member.process_id,
        user_endpoint=None if endpoint is None else StoredEndpoint(host=endpoint.host, port=endpoint.port),
        client_tags=[KeyValue(key=key, value=value) for key, value in sorted(member.client_tags.items())],
    )
    return _record(StreamsGroupMemberMetadataKey(group_id=group_id, member_id=member.member_id), value)


def target_epoch_record(group_id: str, epoch: int) -> StoredRecord:
    """Write the group epoch that the target assignment was computed for."""
    key = StreamsGroupTargetAssignmentMetadataKey(group_id=group_id)
    return _record(key, StreamsGroupTargetAssignmentMetadataValue(assignment_epoch=epoch))


def target_record(group_id: str, member_id: str, target: TaskSets) -> StoredRecord:
    """Write what a member shall have."""

    def stored(tasks: Tasks) -> list[StreamsGroupTargetAssignmentMemberValueTaskIds]:
        return [
            StreamsGroupTargetAssignmentMemberValueTaskIds(subtopology_id=key, partitions=sorted(partitions))
            for key, partitions in sorted(tasks.items())
        ]

    value = StreamsGroupTargetAssignmentMemberValue(
        active_tasks=stored(target.active), standby_tasks=stored(target.standby), warmup_tasks=stored(target.warmup)
    )
    return _record(StreamsGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id), value)


def current_assignment_record(group_id: str, member: StreamsMember) -> StoredRecord:
    """Write what a member has, what it must give back, and its epoch."""
    assigned, pending = member.assigned, member.pending_revocation
    value = StreamsGroupCurrentMemberAssignmentValue(
        member_epoch=member.member_epoch,
        previous_member_epoch=member.previous_member_epoch,
        state=member.state.value,
        active_tasks=_stored_active(assigned.active),
        standby_tasks=_stored(assigned.standby),
        warmup_tasks=_stored(assigned.warmup),
        active_tasks_pending_revocation=_stored_active(pending.active),
        standby_tasks_pending_revocation=_stored(pending.standby),
        warmup_tasks_pending_revocation=_stored(pending.warmup),
    )
    return _record(StreamsGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member.member_id), value)


def _stored(tasks: Tasks) -> list[TaskIds]:
    return [TaskIds(subtopology_id=key, partitions=sorted(partitions)) for key, partitions in sorted(tasks.items())]


def _stored_active(tasks: EpochTasks) -> list[TaskIds]:
    return [
        TaskIds(
            subtopology_id=key,
            partitions=sorted(epochs),
            assignment_epochs=[epochs[partition] for partition in sorted(epochs)],
        )
        for key, epochs in sorted(tasks.items())
    ]


def member_tombstones(group_id: str, member_id: str) -> list[StoredRecord]:
    """Bury one member."""
    return [
        _tombstone(StreamsGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member_id)),
        _tombstone(StreamsGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id)),
        _tombstone(StreamsGroupMemberMetadataKey(group_id=group_id, member_id=member_id)),
    ]


def group_tombstones(group_id: str) -> list[StoredRecord]:
    """Bury a group that has no members any more."""
    return [
        _tombstone(StreamsGroupTargetAssignmentMetadataKey(group_id=group_id)),
        _tombstone(StreamsGroupMetadataKey(group_id=group_id)),
        _tombstone(StreamsGroupTopologyKey(group_id=group_id)),
    ]


# -- reading -----------------------------------------------------------------------------------------------------------


def apply_member_metadata(member: StreamsMember, value: StreamsGroupMemberMetadataValue) -> StreamsMember:
    """Take over who the member is."""
    endpoint = value.user_endpoint
    return StreamsMember(
        member_id=member.member_id,
        member_epoch=member.member_epoch,
        previous_member_epoch=member.previous_member_epoch,
        state=member.state,
        assigned=member.assigned,
        pending_revocation=member.pending_revocation,
        instance_id=value.instance_id,
        rack_id=value.rack_id,
        client_id=value.client_id,
        client_host=value.client_host,
        rebalance_timeout_ms=value.rebalance_timeout_ms,
        topology_epoch=value.topology_epoch,
        process_id=value.process_id,
        user_endpoint=None if endpoint is None else Endpoint(endpoint.host, endpoint.port),
        client_tags={each.key: each.value for each in value.client_tags},
    )


def apply_current_assignment(value: StreamsGroupCurrentMemberAssignmentValue) -> dict[str, Any]:
    """Read what the member has, as the fields of `StreamsMember` that change."""
    epoch = value.member_epoch
    return {
        "member_epoch": epoch,
        "previous_member_epoch": value.previous_member_epoch,
        "state": _STATES.get(value.state, MemberState.UNKNOWN),
        "assigned": AssignedTasks(
            _read_active(value.active_tasks, epoch), tasks_of(value.standby_tasks), tasks_of(value.warmup_tasks)
        ),
        "pending_revocation": AssignedTasks(
            _read_active(value.active_tasks_pending_revocation, epoch),
            tasks_of(value.standby_tasks_pending_revocation),
            tasks_of(value.warmup_tasks_pending_revocation),
        ),
    }


def _read_active(task_ids: list[TaskIds], member_epoch: int) -> dict[str, dict[int, int]]:
    tasks = {}
    for each in task_ids:
        # Kafka before 4.2.1 wrote no epochs: those of the member are the best guess.
        epochs = each.assignment_epochs or [member_epoch] * len(each.partitions)
        if len(epochs) != len(each.partitions):
            why = f"subtopology {each.subtopology_id} has {len(each.partitions)} tasks and {len(epochs)} epochs"
            raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, why)
        tasks[each.subtopology_id] = dict(zip(each.partitions, epochs, strict=True))
    return tasks


def target_of(value: StreamsGroupTargetAssignmentMemberValue) -> TaskSets:
    """Read what a member shall have."""
    return TaskSets(tasks_of(value.active_tasks), tasks_of(value.standby_tasks), tasks_of(value.warmup_tasks))
