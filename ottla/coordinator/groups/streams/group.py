"""A streams group: what is stored of it, changed by `replay…` alone, and a little that a restart may forget.

    EMPTY ──► NOT_READY ──► ASSIGNING ──► RECONCILING ──► STABLE
      nobody    the topology    the target is   a member is    all have
      in it     is not valid    of an older     on its way     their target
                (topics)        group epoch

The group epoch rises with every change that asks for another assignment; the target assignment has the group epoch it was
computed for; a member has the assignment epoch it has reached.

Forgotten by a restart, as in Kafka: the configured topology (computed again by the next heartbeat), who asked for the
application to shut down, and the epoch of the endpoint information.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import Enum
from typing import ClassVar

from ....metadata.image import TopicsImage
from ....protocol.apis.streams_group_heartbeat import EndpointToPartitions
from ....protocol.errors import ErrorCode, KafkaError
from ....protocol.stored.consumer_offsets import (
    StreamsGroupCurrentMemberAssignmentValue,
    StreamsGroupMemberMetadataValue,
    StreamsGroupMetadataValue,
    StreamsGroupTargetAssignmentMemberValue,
    StreamsGroupTopologyValue,
)
from ...decision import StoredRecord, TimerKey
from ..kind import CommitCheck, Group
from ..records import OffsetAndMetadata
from . import records
from .configured import ConfiguredTopology
from .member import StreamsMember
from .tasks import NOTHING_ASSIGNED, AssignedTasks, TaskSets
from .topology import Topology

__all__ = ["GroupState", "StreamsGroup", "initial_rebalance_key", "rebalance_key", "session_key"]

#: From this version of OffsetCommit a member epoch has its place in the request.
_MEMBER_EPOCH_SINCE = 9
#: The epoch of a member whose assignment was buried and whose metadata are about to be.
_LEFT = -1
_NOBODY: frozenset[str] = frozenset()


class GroupState(Enum):
    """What the group is doing, by the names administrators see."""

    EMPTY = "Empty"
    NOT_READY = "NotReady"
    ASSIGNING = "Assigning"
    RECONCILING = "Reconciling"
    STABLE = "Stable"


def session_key(group_id: str, member_id: str) -> TimerKey:
    """Name the timer of a member's session."""
    return ("streams-session", group_id, member_id)


def rebalance_key(group_id: str, member_id: str) -> TimerKey:
    """Name the timer within which a member has to give tasks back."""
    return ("streams-rebalance", group_id, member_id)


def initial_rebalance_key(group_id: str) -> TimerKey:
    """Name the timer that gathers the first members of a group."""
    return ("streams-initial", group_id)


class StreamsGroup(Group):
    """One group of Kafka Streams instances."""

    __slots__ = (
        "_active", "_standby", "_warmup", "configured", "configured_for", "endpoint_epoch", "endpoints_cache",
        "group_epoch", "group_id", "last_configs", "members", "metadata_hash", "shutdown_by", "target_epoch",
        "targets", "topology", "validated_topology_epoch",
    )  # fmt: skip

    TYPE: ClassVar[str] = "streams"

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.group_epoch = 0
        self.metadata_hash = 0
        self.validated_topology_epoch = 0
        self.last_configs: dict[str, str] = {}
        self.topology: Topology | None = None
        self.target_epoch = 0
        self.targets: dict[str, TaskSets] = {}
        self.members: dict[str, StreamsMember] = {}
        #: By task: the process that has it as active, the processes that have it as standby or warm-up.
        self._active: dict[tuple[str, int], str] = {}
        self._standby: dict[tuple[str, int], set[str]] = {}
        self._warmup: dict[tuple[str, int], set[str]] = {}
        # What a restart may forget.
        self.configured: ConfiguredTopology | None = None
        #: The topics of the cluster that `configured` was last held against.
        self.configured_for: TopicsImage | None = None
        self.shutdown_by: str | None = None
        self.endpoint_epoch = 0
        self.endpoints_cache: dict[str, EndpointToPartitions] = {}

    # -- owners of tasks (`reconcile.TaskOwners`) ----------------------------------------------------------------

    def active_process(self, subtopology_id: str, partition: int) -> str | None:
        """The process that has a task as active."""
        return self._active.get((subtopology_id, partition))

    def standby_processes(self, subtopology_id: str, partition: int) -> frozenset[str] | set[str]:
        """The processes that have it as standby."""
        return self._standby.get((subtopology_id, partition), _NOBODY)

    def warmup_processes(self, subtopology_id: str, partition: int) -> frozenset[str] | set[str]:
        """The processes that have it as warm-up."""
        return self._warmup.get((subtopology_id, partition), _NOBODY)

    def _forget_tasks(self, tasks: AssignedTasks, process_id: str) -> None:
        for key, epochs in tasks.active.items():
            for partition in epochs:
                if self._active.get((key, partition)) == process_id:
                    del self._active[key, partition]
        for role, table in ((tasks.standby, self._standby), (tasks.warmup, self._warmup)):
            for key, partitions in role.items():
                for partition in partitions:
                    processes = table.get((key, partition), set())
                    processes.discard(process_id)
                    if not processes:
                        table.pop((key, partition), None)

    def _note_tasks(self, tasks: AssignedTasks, process_id: str) -> None:
        for key, epochs in tasks.active.items():
            for partition in epochs:
                self._active[key, partition] = process_id
        for role, table in ((tasks.standby, self._standby), (tasks.warmup, self._warmup)):
            for key, partitions in role.items():
                for partition in partitions:
                    table.setdefault((key, partition), set()).add(process_id)

    # -- replay --------------------------------------------------------------------------------------------------

    def replay_group(self, value: StreamsGroupMetadataValue) -> None:
        """Take over the group record."""
        self.group_epoch = value.epoch
        self.metadata_hash = value.metadata_hash
        self.validated_topology_epoch = value.validated_topology_epoch
        self.last_configs = {each.key: each.value for each in value.last_assignment_configs or ()}

    def replay_topology(self, value: StreamsGroupTopologyValue | None) -> None:
        """Take over the topology."""
        self.topology = None if value is None else Topology.from_record(value)

    def replay_target_epoch(self, epoch: int) -> None:
        """Take over which group epoch the target is for; -1: it was buried."""
        self.target_epoch = epoch

    def replay_target(self, member_id: str, value: StreamsGroupTargetAssignmentMemberValue | None) -> None:
        """Take over what a member shall have."""
        if value is None:
            self.targets.pop(member_id, None)
        else:
            self.targets[member_id] = records.target_of(value)

    def replay_member(self, member_id: str, value: StreamsGroupMemberMetadataValue | None) -> None:
        """Take over who a member is, or that it is gone."""
        if value is not None:
            member = self.members.get(member_id) or StreamsMember(member_id)
            self._put(records.apply_member_metadata(member, value))
            return
        gone = self.members.pop(member_id, None)
        if gone is None:
            return
        self._drop(gone)
        self.endpoints_cache.pop(member_id, None)
        if not self.members:
            self.shutdown_by = None

    def replay_current_assignment(self, member_id: str, value: StreamsGroupCurrentMemberAssignmentValue | None) -> None:
        """Take over what a member has."""
        member = self.members.get(member_id)
        if value is not None:
            self._put(replace(member or StreamsMember(member_id), **records.apply_current_assignment(value)))
        elif member is not None:
            self._put(
                replace(
                    member,
                    member_epoch=_LEFT,
                    previous_member_epoch=_LEFT,
                    assigned=NOTHING_ASSIGNED,
                    pending_revocation=NOTHING_ASSIGNED,
                )
            )

    def _put(self, member: StreamsMember) -> None:
        old = self.members.get(member.member_id)
        if old is not None:
            self._drop(old)
        self.members[member.member_id] = member
        self._note_tasks(member.assigned, member.process_id)
        self._note_tasks(member.pending_revocation, member.process_id)
        self.endpoints_cache.pop(member.member_id, None)

    def _drop(self, member: StreamsMember) -> None:
        self._forget_tasks(member.assigned, member.process_id)
        self._forget_tasks(member.pending_revocation, member.process_id)

    # -- members -------------------------------------------------------------------------------------------------

    def member(self, member_id: str) -> StreamsMember:
        """Find a member; raises UNKNOWN_MEMBER_ID."""
        found = self.members.get(member_id)
        if found is None:
            why = f"Member {member_id} is not a member of group {self.group_id}."
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, why)
        return found

    @property
    def state(self) -> GroupState:
        """What the group is doing."""
        if not self.members:
            return GroupState.EMPTY
        if self.topology is None or self.topology.epoch != self.validated_topology_epoch:
            return GroupState.NOT_READY
        if self.group_epoch > self.target_epoch:
            return GroupState.ASSIGNING
        if all(member.is_reconciled_to(self.target_epoch) for member in self.members.values()):
            return GroupState.STABLE
        return GroupState.RECONCILING

    # -- what a shard asks of any group (`kind.Group`) -----------------------------------------------------------

    @property
    def state_name(self) -> str:
        """The state by the name that ListGroups shows."""
        return self.state.value

    @property
    def listed_protocol_type(self) -> str:
        """The protocol type that ListGroups shows."""
        return "streams"

    def is_empty(self) -> bool:
        """Whether nobody is in the group."""
        return not self.members

    def tombstones(self) -> list[StoredRecord]:
        """Bury everything that is stored of the group but its offsets."""
        buried = [
            record for member_id in self.members for record in records.member_tombstones(self.group_id, member_id)
        ]
        return buried + records.group_tombstones(self.group_id)

    def timers(self) -> Iterable[TimerKey]:
        """Name the timers that may be running for the group."""
        yield initial_rebalance_key(self.group_id)
        for member_id in self.members:
            yield session_key(self.group_id, member_id)
            yield rebalance_key(self.group_id, member_id)

    def validate_delete(self) -> None:
        """Check that DeleteGroups may have the group."""
        if self.members:
            raise KafkaError(ErrorCode.NON_EMPTY_GROUP)

    def validate_offset_commit(
        self, member_id: str, group_instance_id: str | None, epoch: int, *, transactional: bool, api_version: int
    ) -> CommitCheck | None:
        """Check who commits. An older epoch may still commit for tasks it was given by then."""
        if epoch < 0 and not self.members:
            return None
        if transactional and epoch == -1 and not member_id and group_instance_id is None:
            return None
        member = self.member(member_id)
        if not transactional and api_version < _MEMBER_EPOCH_SINCE:
            why = "OffsetCommit version 9 or above must be used by members using the streams group protocol"
            raise KafkaError(ErrorCode.UNSUPPORTED_VERSION, why)
        if epoch == member.member_epoch:
            return None
        if epoch > member.member_epoch:
            raise _stale(f"Received member epoch {epoch} is newer than current member epoch {member.member_epoch}.")
        if self.topology is None:
            raise _stale("Topology is not available for offset commit validation.")
        return self._commit_check(self.topology, member, epoch)

    @staticmethod
    def _commit_check(topology: Topology, member: StreamsMember, epoch: int) -> CommitCheck:
        def check(topic: str, topic_id: bytes, partition: int) -> None:
            key = topology.source_topics.get(topic)
            if key is None:
                raise _stale(f"Topic {topic} is not in the topology.")
            given = member.assigned.active.get(key, {}).get(partition)
            if given is None:
                given = member.pending_revocation.active.get(key, {}).get(partition)
            if given is None:
                raise _stale(f"Task {key}-{partition} is not assigned or pending revocation for member.")
            if epoch < given:
                raise _stale(
                    f"Received member epoch {epoch} is older than assignment epoch {given} for task {key}-{partition}."
                )

        return check

    def validate_offset_fetch(self, member_id: str | None, member_epoch: int) -> None:
        """Check who fetches offsets: an administrator, or a member with its epoch."""
        if member_id is None and member_epoch < 0:
            return
        member = self.member(member_id or "")
        if member_epoch != member.member_epoch:
            raise _stale(
                f"The received member epoch {member_epoch} does not match the expected member epoch"
                f" {member.member_epoch}."
            )

    def validate_offset_delete(self) -> None:
        """Offsets of topics that the group does not read may always be deleted."""

    def is_subscribed(self, topic: str) -> bool:
        """Whether the topology reads the topic and there is somebody to read it."""
        return bool(self.members) and self.topology is not None and topic in self.topology.source_topics

    def offset_age_start(self) -> Callable[[OffsetAndMetadata], int] | None:
        """Offsets age from their commit."""
        return lambda offset: offset.commit_timestamp_ms


def _stale(why: str) -> KafkaError:
    return KafkaError(ErrorCode.STALE_MEMBER_EPOCH, why)
