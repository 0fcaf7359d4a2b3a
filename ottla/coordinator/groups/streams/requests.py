"""What a StreamsGroupHeartbeat may say. Raises INVALID_REQUEST or STREAMS_INVALID_TOPOLOGY, in Kafka's order and words.

Some fields of the protocol are ahead of every broker: Kafka 4.2 refuses static members, task offsets, warm-up tasks and
patterns for source topics, and so does this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....protocol.apis.streams_group_heartbeat import StreamsGroupHeartbeatRequest, TaskIds, Topology
from ....protocol.errors import ErrorCode, KafkaError
from .configured import ConfiguredSubtopology

__all__ = ["JOIN_EPOCH", "LEAVE_EPOCH", "LEAVE_STATIC_EPOCH", "validate_owned_tasks", "validate_request"]

JOIN_EPOCH = 0
LEAVE_EPOCH = -1
LEAVE_STATIC_EPOCH = -2
#: "Not set" in `rebalance_timeout_ms`.
_UNSET = -1


def _invalid(why: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_REQUEST, why)


def validate_request(request: StreamsGroupHeartbeatRequest) -> None:
    """Check what can be checked without the group."""
    _refuse_unsupported(request)
    for value, name in (
        (request.member_id, "MemberId"),
        (request.group_id, "GroupId"),
        (request.instance_id, "InstanceId"),
        (request.rack_id, "RackId"),
    ):
        if value is not None and not value.strip():
            raise _invalid(f"{name} can't be empty.")
    if request.member_epoch == JOIN_EPOCH:
        _check_joining(request)
    elif request.member_epoch == LEAVE_STATIC_EPOCH:
        if request.instance_id is None:
            raise _invalid("InstanceId can't be null.")
    elif request.member_epoch < LEAVE_STATIC_EPOCH:
        raise _invalid(f"MemberEpoch is {request.member_epoch}, but must be greater than or equal to -2.")
    tasks = (request.active_tasks, request.standby_tasks, request.warmup_tasks)
    if any(each is None for each in tasks) and any(each is not None for each in tasks):
        raise _invalid("If one task-type is non-null, all must be non-null.")
    if request.member_epoch != JOIN_EPOCH and request.topology is not None:
        raise _invalid("Topology can only be provided when (re-)joining.")


def _refuse_unsupported(request: StreamsGroupHeartbeatRequest) -> None:
    if request.instance_id is not None:
        raise _invalid("Static membership is not yet supported.")
    if request.task_offsets is not None:
        raise _invalid("TaskOffsets are not supported yet.")
    if request.task_end_offsets is not None:
        raise _invalid("TaskEndOffsets are not supported yet.")
    if request.warmup_tasks:
        raise _invalid("WarmupTasks are not supported yet.")
    if request.topology is not None and any(each.source_topic_regex for each in request.topology.subtopologies):
        raise _invalid("Regular expressions for source topics are not supported yet.")


def _check_joining(request: StreamsGroupHeartbeatRequest) -> None:
    if request.rebalance_timeout_ms == _UNSET:
        raise _invalid("RebalanceTimeoutMs must be provided in first request.")
    for tasks, name in (
        (request.active_tasks, "ActiveTasks"),
        (request.standby_tasks, "StandbyTasks"),
        (request.warmup_tasks, "WarmupTasks"),
    ):
        _refuse_tasks(tasks, name)
    if request.topology is None:
        raise _invalid("Topology must be non-null when (re-)joining.")
    _check_changelogs(request.topology)


def _refuse_tasks(tasks: Sequence[Any] | None, name: str) -> None:
    # Kafka's check lets an absent list through in one place only: joining, it must be there and empty.
    if tasks is None or tasks:
        raise _invalid(f"{name} must be empty when (re-)joining.")


def _check_changelogs(topology: Topology) -> None:
    for each in topology.subtopologies:
        for info in each.state_changelog_topics:
            if info.partitions:
                why = (
                    f"Changelog topic {info.name} must have an undefined partition count, but it is set to"
                    f" {info.partitions}."
                )
                raise KafkaError(ErrorCode.STREAMS_INVALID_TOPOLOGY, why)


def validate_owned_tasks(subtopologies: dict[str, ConfiguredSubtopology], tasks: list[TaskIds] | None) -> None:
    """Check that the tasks a member says it owns exist."""
    for each in tasks or ():
        key = each.subtopology_id
        subtopology = subtopologies.get(key)
        if subtopology is None:
            raise _invalid(f"Subtopology {key} does not exist in the topology.")
        for partition in each.partitions:
            if not 0 <= partition < subtopology.tasks:
                raise _invalid(
                    f"Task {partition} for subtopology {key} is invalid. Number of tasks for this subtopology:"
                    f" {subtopology.tasks}"
                )
