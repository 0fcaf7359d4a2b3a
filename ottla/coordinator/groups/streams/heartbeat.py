"""What a heartbeat of a Streams member leads to.

    1 the member       new or changed ──► its record                                             ┐
    2 the topology     the first one counts; an older epoch ──► STALE_TOPOLOGY; another one is   │ any change:
                       refused                                                                   │ group epoch + 1
    3 its topics       counted again when the topics of the cluster have changed (metadata hash) │
      the configs      the number of standbys of the group                                       ┘
    4 the target       computed anew when it is older than the group epoch; a new group waits a little for more members
                       (ASSIGNMENT_DELAYED), with epoch 1 and nothing to do
    5 reconcile        one step of this member towards its target
    6 the answer       the tasks if they changed, endpoints if they changed, statuses; and which topics to create

Everything stored goes through the records of the decision. A group epoch starts at 2, so that those who join while the
first assignment is delayed have epoch 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from ....metadata.image import MetadataImage
from ....protocol.apis.streams_group_heartbeat import (
    Status,
    StreamsGroupHeartbeatRequest,
    StreamsGroupHeartbeatResponse,
    TaskIds,
)
from ....protocol.apis.streams_group_heartbeat import (
    Topology as SentTopology,
)
from ....protocol.errors import ErrorCode, KafkaError
from ...decision import Decision, RequestContext, Timer
from ..modern.hash_order import by_string
from ..modern.metadata_hash import TopicHashes
from . import records
from .assignor import MemberSpec, SubtopologySpec, assign_tasks
from .config import StreamsConfig
from .configured import ConfiguredTopology, InternalTopic, StatusCode, configure
from .endpoints import endpoints_of
from .group import StreamsGroup, initial_rebalance_key, rebalance_key, session_key
from .member import Endpoint, MemberState, StreamsMember
from .reconcile import reconcile
from .requests import JOIN_EPOCH, validate_owned_tasks
from .tasks import NO_TASKS, AssignedTasks, TaskSets, tasks_of
from .topology import Topology, topology_record_value

__all__ = ["Heartbeat", "HeartbeatResult", "compute_target", "fence_member"]

#: The epoch of those who join while the first assignment is delayed.
_DELAYED_EPOCH = 1
#: The group epoch after the first change, one above `_DELAYED_EPOCH`.
_FIRST_GROUP_EPOCH = 2
_NOT_VALIDATED = -1


class HeartbeatResult(NamedTuple):
    """What the shell gets: the answer, and the internal topics it shall have created."""

    response: StreamsGroupHeartbeatResponse
    to_create: Mapping[str, InternalTopic]


class Heartbeat:
    """One heartbeat of a member that stays or joins, being decided."""

    def __init__(
        self, group: StreamsGroup, request: StreamsGroupHeartbeatRequest, image: MetadataImage, config: StreamsConfig,
        hashes: TopicHashes, *, is_new: bool, is_delayed: bool,
    ) -> None:  # fmt: skip
        """`is_new`: the group is not stored yet; `is_delayed`: its first assignment waits for a timer."""
        self.group = group
        self.request = request
        self.image = image
        self.config = config
        self.hashes = hashes
        self.is_new = is_new
        self.is_delayed = is_delayed
        self.statuses: list[Status] = []
        self.bumped = False

    def decide(self, decision: Decision, context: RequestContext) -> None:
        """Add to `decision` what follows; `decision.response` becomes a `HeartbeatResult`."""
        group, request = self.group, self.request
        member = self._member()
        updated = self._update_member(member, context)
        if updated != member:
            decision.records.append(records.member_record(group.group_id, updated))
            self.bumped = True
        topology = self._topology(decision)
        if group.topology is not None and updated.topology_epoch < group.topology.epoch:
            self._status(
                StatusCode.STALE_TOPOLOGY,
                f"The member's topology epoch {updated.topology_epoch} is behind the group's topology epoch"
                f" {group.topology.epoch}.",
            )
        configured, metadata_hash = self._configure(topology)
        group_epoch = self._group_epoch(decision, topology, configured, metadata_hash)
        if not group.members and self.config.initial_rebalance_delay_ms > 0 and not self.is_delayed:
            self.is_delayed = True
            delay_ms = self.config.initial_rebalance_delay_ms
            decision.timers.append(Timer(initial_rebalance_key(group.group_id), delay_ms))
        target_epoch, target = self._target(decision, updated, configured, group_epoch)
        reconciled = self._reconcile(decision, updated, target_epoch, target)
        decision.timers.append(Timer(session_key(group.group_id, member.member_id), self.config.session_timeout_ms))
        if request.shutdown_application and group.shutdown_by is None:
            group.shutdown_by = member.member_id
        decision.response = self._answer(member, reconciled, configured)

    # -- 1 the member ----------------------------------------------------------------------------------------------

    def _member(self) -> StreamsMember:
        request, group = self.request, self.group
        if request.member_epoch == JOIN_EPOCH:
            return group.members.get(request.member_id) or StreamsMember(request.member_id)
        member = group.member(request.member_id)
        self._check_epoch(member)
        return member

    def _check_epoch(self, member: StreamsMember) -> None:
        received, known = self.request.member_epoch, member.member_epoch
        if received > known:
            raise _fenced("greater", received, known)
        # The answer with the newer epoch may have been lost: fine, if it owns nothing that is not its own.
        if received < known and not (received == member.previous_member_epoch and self._owns_at_most(member.assigned)):
            raise _fenced("smaller", received, known)

    def _owns_at_most(self, assigned: AssignedTasks) -> bool:
        request = self.request
        roles = (request.active_tasks, request.standby_tasks, request.warmup_tasks)
        return all(
            owned is not None
            and all(
                each.subtopology_id in role and all(p in role[each.subtopology_id] for p in each.partitions)
                for each in owned
            )
            for owned, role in zip(roles, assigned, strict=True)
        )

    def _update_member(self, member: StreamsMember, context: RequestContext) -> StreamsMember:
        request = self.request
        endpoint, tags = request.user_endpoint, request.client_tags
        if tags is not None and len({each.key for each in tags}) != len(tags):
            raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, "a client tag stands there twice")
        return replace(
            member,
            rack_id=member.rack_id if request.rack_id is None else request.rack_id,
            rebalance_timeout_ms=(
                member.rebalance_timeout_ms if request.rebalance_timeout_ms == -1 else request.rebalance_timeout_ms
            ),
            topology_epoch=member.topology_epoch if request.topology is None else request.topology.epoch,
            client_id=context.client_id,
            client_host=context.client_host,
            process_id=member.process_id if request.process_id is None else request.process_id,
            client_tags=member.client_tags if tags is None else {each.key: each.value for each in tags},
            user_endpoint=member.user_endpoint if endpoint is None else Endpoint(endpoint.host, endpoint.port),
        )

    # -- 2 the topology, 3 its topics and the configs ------------------------------------------------------------------

    def _topology(self, decision: Decision) -> Topology:
        sent, known = self.request.topology, self.group.topology
        if sent is None:
            if known is None:
                raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, "the group has no topology")
            return known
        return self._take_topology(sent, known, decision)

    def _take_topology(self, sent: SentTopology, known: Topology | None, decision: Decision) -> Topology:
        value = topology_record_value(sent)
        topology = Topology.from_record(value)
        if known is None:
            decision.records.append(records.topology_record(self.group.group_id, value))
            return topology
        if known.epoch > sent.epoch:
            return known
        if known != topology:
            raise KafkaError(ErrorCode.INVALID_REQUEST, "Topology updates are not supported yet.")
        return known

    def _configure(self, topology: Topology) -> tuple[ConfiguredTopology, int]:
        group, topics = self.group, self.image.topics
        configured = group.configured
        if configured is not None and group.topology is not None and group.configured_for is topics:
            return configured, group.metadata_hash
        metadata_hash = self.hashes.of_group(topology.required_topics(), self.image)
        if configured is None or group.topology is None or metadata_hash != group.metadata_hash:
            self.bumped |= metadata_hash != group.metadata_hash

            def partition_count(topic: str) -> int | None:
                image = topics.get(topic)
                return None if image is None else len(image.partitions)

            configured = group.configured = configure(topology, partition_count)
            group.endpoints_cache.clear()
        group.configured_for = topics
        return configured, metadata_hash

    def _group_epoch(
        self, decision: Decision, topology: Topology, configured: ConfiguredTopology, metadata_hash: int
    ) -> int:
        group, request = self.group, self.request
        validated = _NOT_VALIDATED
        if configured.is_ready:
            validated = topology.epoch
            for tasks in (request.active_tasks, request.standby_tasks, request.warmup_tasks):
                validate_owned_tasks(configured.subtopologies or {}, tasks)
        configs = self.config.assignment_configs()
        if not (self.bumped or validated != group.validated_topology_epoch or configs != group.last_configs):
            return group.group_epoch
        epoch = group.group_epoch + 1 if group.group_epoch else _FIRST_GROUP_EPOCH
        decision.records.append(records.group_record(group.group_id, epoch, metadata_hash, validated, configs))
        decision.notes.append(
            f"Streams group {group.group_id} goes to epoch {epoch} by a heartbeat of {request.member_id}"
        )
        return epoch

    # -- 4 the target, 5 the step towards it -----------------------------------------------------------------------------

    def _target(
        self, decision: Decision, updated: StreamsMember, configured: ConfiguredTopology, group_epoch: int
    ) -> tuple[int, TaskSets]:
        group = self.group
        if group_epoch <= group.target_epoch:
            return group.target_epoch, group.targets.get(updated.member_id, NO_TASKS)
        if self.is_delayed:
            self._status(
                StatusCode.ASSIGNMENT_DELAYED, "Assignment delayed due to the configured initial rebalance delay."
            )
            return max(_DELAYED_EPOCH, group.target_epoch), NO_TASKS
        members = {**group.members, updated.member_id: updated}
        targets = compute_target(decision, group, members, configured, group_epoch, self.config.num_standby_replicas)
        return group_epoch, targets[updated.member_id]

    def _reconcile(
        self, decision: Decision, member: StreamsMember, target_epoch: int, target: TaskSets
    ) -> StreamsMember:
        if member.is_reconciled_to(target_epoch):
            return member
        group_id = self.group.group_id
        moved = reconcile(member, target_epoch, target, self._owned(), self.group)
        if moved != member:
            decision.records.append(records.current_assignment_record(group_id, moved))
            waits = moved.state is MemberState.UNREVOKED_TASKS
            timeout_ms = max(moved.rebalance_timeout_ms, 0) if waits else None
            decision.timers.append(Timer(rebalance_key(group_id, moved.member_id), timeout_ms))
        return moved

    def _owned(self) -> TaskSets | None:
        request = self.request
        if request.active_tasks is None or request.standby_tasks is None or request.warmup_tasks is None:
            return None
        roles = (request.active_tasks, request.standby_tasks, request.warmup_tasks)
        sets = TaskSets(*(tasks_of(tasks) for tasks in roles))
        if any(len(tasks) != len(role) for tasks, role in zip(roles, sets, strict=True)):
            raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, "a subtopology stands twice among the owned tasks")
        return sets

    # -- 6 the answer ----------------------------------------------------------------------------------------------------

    def _answer(self, member: StreamsMember, updated: StreamsMember, configured: ConfiguredTopology) -> HeartbeatResult:
        group, request = self.group, self.request
        response = StreamsGroupHeartbeatResponse(
            member_id=updated.member_id,
            member_epoch=updated.member_epoch,
            heartbeat_interval_ms=self.config.heartbeat_interval_ms,
        )
        if request.member_epoch == JOIN_EPOCH or member.assigned != updated.assigned:
            active = {key: frozenset(epochs) for key, epochs in updated.assigned.active.items()}
            response.active_tasks = _task_ids(active)
            response.standby_tasks = _task_ids(updated.assigned.standby)
            response.warmup_tasks = _task_ids(updated.assigned.warmup)
            group.endpoints_cache.pop(updated.member_id, None)
            if updated.user_endpoint is not None:
                group.endpoint_epoch += 1
        if group.endpoint_epoch != request.endpoint_information_epoch:
            response.partitions_by_user_endpoint = endpoints_of(group, updated, self.image.topics)
        if not self.is_new:
            response.endpoint_information_epoch = group.endpoint_epoch
        if configured.problem is not None:
            self._status(*configured.problem)
        if group.shutdown_by is not None:
            self._status(
                StatusCode.SHUTDOWN_APPLICATION,
                f"Streams group member {group.shutdown_by} encountered a fatal error and requested a shutdown for the"
                " entire application.",
            )
        response.status = self.statuses
        return HeartbeatResult(response, configured.to_create)

    def _status(self, code: StatusCode, detail: str) -> None:
        self.statuses.append(Status(status_code=code.value, status_detail=detail))


def _task_ids(tasks: Mapping[str, frozenset[int]]) -> list[TaskIds]:
    return [TaskIds(subtopology_id=key, partitions=sorted(tasks[key])) for key in by_string(tasks)]


def _fenced(which: str, received: int, known: int) -> KafkaError:
    why = (
        f"The streams group member has a {which} member epoch ({received}) than the one known by the group coordinator"
        f" ({known}). The member must abandon all its partitions and rejoin."
    )
    return KafkaError(ErrorCode.FENCED_MEMBER_EPOCH, why)


def compute_target(
    decision: Decision, group: StreamsGroup, members: Mapping[str, StreamsMember], configured: ConfiguredTopology,
    group_epoch: int, num_standby_replicas: int,
) -> dict[str, TaskSets]:  # fmt: skip
    """Assign all tasks to all members, and store what changed; with topics that do not fit, nobody gets anything."""
    targets = dict.fromkeys(members, NO_TASKS)
    if configured.is_ready:
        specs = {}
        for member_id, member in members.items():
            before = group.targets.get(member_id, NO_TASKS)
            specs[member_id] = MemberSpec(member.process_id, before.active, before.standby)
        subtopologies = {
            key: SubtopologySpec(each.tasks, each.stateful) for key, each in (configured.subtopologies or {}).items()
        }
        targets = assign_tasks(specs, subtopologies, num_standby_replicas)
    for member_id in by_string(targets):
        if group.targets.get(member_id) != targets[member_id]:
            decision.records.append(records.target_record(group.group_id, member_id, targets[member_id]))
    decision.records.append(records.target_epoch_record(group.group_id, group_epoch))
    return targets


def fence_member(decision: Decision, group: StreamsGroup, member_id: str) -> None:
    """Take a member out of the group: its tasks are free, and the others get a new target with their next heartbeat."""
    group_id = group.group_id
    decision.records += records.member_tombstones(group_id, member_id)
    decision.records.append(
        records.group_record(
            group_id, group.group_epoch + 1, group.metadata_hash, group.validated_topology_epoch, group.last_configs
        )
    )
    decision.timers += [Timer(session_key(group_id, member_id), None), Timer(rebalance_key(group_id, member_id), None)]
