"""The streams groups of one shard: their requests, timers and records (`..kind.GroupKind`)."""

from __future__ import annotations

from typing import Any

from ....metadata.image import ResourceType
from ....protocol.apis.streams_group_describe import DescribedGroup
from ....protocol.apis.streams_group_heartbeat import StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse
from ....protocol.errors import ErrorCode, KafkaError
from ....protocol.schema import Data
from ....protocol.stored.consumer_offsets import (
    StreamsGroupCurrentMemberAssignmentKey,
    StreamsGroupMemberMetadataKey,
    StreamsGroupMetadataKey,
    StreamsGroupTargetAssignmentMemberKey,
    StreamsGroupTargetAssignmentMetadataKey,
    StreamsGroupTopologyKey,
)
from ...decision import Decision, RequestContext, Timer, TimerKey
from ...shard import UnreadableRecordError
from ..classic_group import ClassicGroup
from ..kind import GroupKind, ShardState
from ..modern.metadata_hash import TopicHashes
from .config import StreamsConfig
from .group import StreamsGroup, rebalance_key, session_key
from .heartbeat import Heartbeat, HeartbeatResult, compute_target, fence_member
from .member import MemberState
from .requests import JOIN_EPOCH, LEAVE_EPOCH, LEAVE_STATIC_EPOCH

__all__ = ["Streams"]

#: The target epoch of a group whose target was buried.
_BURIED = -1


class Streams(GroupKind):
    """The streams groups of one partition of `__consumer_offsets`."""

    __slots__ = ("_delayed", "_hashes")

    RECORD_TYPES = frozenset(
        key.API_KEY
        for key in (
            StreamsGroupMetadataKey,
            StreamsGroupMemberMetadataKey,
            StreamsGroupTargetAssignmentMetadataKey,
            StreamsGroupTargetAssignmentMemberKey,
            StreamsGroupCurrentMemberAssignmentKey,
            StreamsGroupTopologyKey,
        )
    )
    TIMERS = frozenset({"streams-session", "streams-rebalance", "streams-initial"})

    def __init__(self, state: ShardState) -> None:
        super().__init__(state)
        #: The groups whose first assignment waits for its timer.
        self._delayed: set[str] = set()
        self._hashes = TopicHashes()

    def _find(self, group_id: str) -> StreamsGroup | None:
        return self.state.find(group_id, StreamsGroup)

    def _config(self, group_id: str) -> StreamsConfig:
        return self.state.config.streams.of_group(self.state.image.configs.get(ResourceType.GROUP, group_id))

    # -- replay ------------------------------------------------------------------------------------------------------

    def replay(self, key: Data, value: Any | None, now_ms: int) -> None:
        """Apply one record; a tombstone of what is not there says nothing."""
        group_id: str = key.group_id  # type: ignore[attr-defined]  # all of RECORD_TYPES have it
        group = self._find(group_id)
        if group is None:
            if value is None:
                return
            # An offset may have made a classic group of this name before; it is this one's.
            group = self.state.groups[group_id] = StreamsGroup(group_id)
        if isinstance(key, StreamsGroupMetadataKey):
            self._replay_group(group, value)
        elif isinstance(key, StreamsGroupMemberMetadataKey):
            group.replay_member(key.member_id, value)
        elif isinstance(key, StreamsGroupTargetAssignmentMetadataKey):
            group.replay_target_epoch(_BURIED if value is None else value.assignment_epoch)
        elif isinstance(key, StreamsGroupTargetAssignmentMemberKey):
            group.replay_target(key.member_id, value)
        elif isinstance(key, StreamsGroupCurrentMemberAssignmentKey):
            group.replay_current_assignment(key.member_id, value)
        else:
            try:
                group.replay_topology(value)
            except KafkaError as error:
                raise UnreadableRecordError(f"the topology of streams group {group_id}: {error.message}") from error

    def _replay_group(self, group: StreamsGroup, value: Any | None) -> None:
        if value is not None:
            group.replay_group(value)
        else:
            del self.state.groups[group.group_id]
            self._delayed.discard(group.group_id)

    def finish_loading(self, now_ms: int, decision: Decision) -> None:
        """Give every member its session from now on, and time to give back what it must."""
        for group in self.state.groups.values():
            if not isinstance(group, StreamsGroup):
                continue
            session_ms = self._config(group.group_id).session_timeout_ms
            for member in group.members.values():
                decision.timers.append(Timer(session_key(group.group_id, member.member_id), session_ms))
                if member.state is MemberState.UNREVOKED_TASKS:
                    key = rebalance_key(group.group_id, member.member_id)
                    decision.timers.append(Timer(key, max(member.rebalance_timeout_ms, 0)))

    # -- requests ------------------------------------------------------------------------------------------------------

    def heartbeat(self, request: StreamsGroupHeartbeatRequest, context: RequestContext) -> Decision:
        """StreamsGroupHeartbeat, checked by `requests.validate_request`; the response is a `HeartbeatResult`.

        Raises `KafkaError` if the member is refused.
        """
        if request.member_epoch in (LEAVE_EPOCH, LEAVE_STATIC_EPOCH):
            return self._leave(request)
        decision = Decision()
        group_id = request.group_id
        if request.member_epoch == JOIN_EPOCH:
            group, is_new = self._find_or_make(group_id, decision)
            config = self._config(group_id)
            if len(group.members) >= config.max_size:
                why = f"The streams group has reached its maximum capacity of {config.max_size} members."
                raise KafkaError(ErrorCode.GROUP_MAX_SIZE_REACHED, why)
        else:
            group, is_new = self._must_find(group_id, f"Streams group {group_id} not found."), False
            config = self._config(group_id)
        step = Heartbeat(
            group, request, self.state.image, config, self._hashes, is_new=is_new,
            is_delayed=group_id in self._delayed,
        )  # fmt: skip
        step.decide(decision, context)
        if step.is_delayed:
            self._delayed.add(group_id)
        return decision

    def _must_find(self, group_id: str, unknown: str) -> StreamsGroup:
        group = self.state.groups.get(group_id)
        if isinstance(group, StreamsGroup):
            return group
        why = unknown if group is None else f"Group {group_id} is not a streams group."
        raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, why)

    def _find_or_make(self, group_id: str, decision: Decision) -> tuple[StreamsGroup, bool]:
        """Find a group to join; a new one exists when its records are replayed, and takes an empty classic one's place."""
        group = self.state.groups.get(group_id)
        if group is None:
            return StreamsGroup(group_id), True
        if isinstance(group, ClassicGroup) and group.is_empty():
            decision.records += group.tombstones()
            decision.timers += [Timer(key, None) for key in group.timers()]
            decision.notes.append(f"The empty classic group {group_id} becomes a streams group")
            return StreamsGroup(group_id), False
        return self._must_find(group_id, ""), False

    def _leave(self, request: StreamsGroupHeartbeatRequest) -> Decision:
        group = self._must_find(request.group_id, f"Group {request.group_id} not found.")
        if request.shutdown_application and group.shutdown_by is None:
            group.shutdown_by = request.member_id
        member = group.member(request.member_id)
        decision = Decision()
        decision.notes.append(f"Member {member.member_id} left streams group {group.group_id}")
        fence_member(decision, group, member.member_id)
        response = StreamsGroupHeartbeatResponse(
            member_id=request.member_id, member_epoch=request.member_epoch, status=[]
        )
        decision.response = HeartbeatResult(response, {})
        return decision

    def describe(self, group_id: str) -> DescribedGroup:
        """StreamsGroupDescribe of one group."""
        if not group_id:
            return DescribedGroup(error_code=ErrorCode.INVALID_GROUP_ID)
        try:
            group = self._must_find(group_id, f"Group {group_id} not found.")
        except KafkaError as error:
            return DescribedGroup(group_id=group_id, error_code=error.code, error_message=error.message)
        described = DescribedGroup(
            group_id=group_id,
            group_state=group.state_name,
            group_epoch=group.group_epoch,
            assignment_epoch=group.target_epoch,
            members=[member.describe(group.targets.get(member_id)) for member_id, member in group.members.items()],
        )
        if group.configured is not None and group.configured.is_ready:
            described.topology = group.configured.describe()
        elif group.topology is not None:
            described.topology = group.topology.describe()
        return described

    # -- timers ----------------------------------------------------------------------------------------------------------

    def on_timer(self, key: TimerKey, now_ms: int) -> Decision:
        """A session is over, tasks were not given back in time, or the first members are gathered."""
        decision = Decision()
        kind, group_id = key[0], key[1]
        group = self._find(group_id)
        if kind == "streams-initial":
            self._delayed.discard(group_id)
            if group is not None:
                self._assign_first(group, decision)
            return decision
        member = None if group is None else group.members.get(key[2])
        if group is None or member is None:
            return decision
        if kind == "streams-session":
            decision.notes.append(f"Member {member.member_id} of streams group {group_id} is silent and removed")
        elif member.state is not MemberState.UNREVOKED_TASKS:
            return decision
        else:
            decision.notes.append(
                f"Member {member.member_id} of streams group {group_id} is removed: it did not leave epoch"
                f" {member.member_epoch} within {member.rebalance_timeout_ms} ms"
            )
        fence_member(decision, group, member.member_id)
        return decision

    def _assign_first(self, group: StreamsGroup, decision: Decision) -> None:
        """Give the members gathered so far their target; where the topics are not known yet, the next heartbeat does."""
        if not group.members or group.configured is None or group.group_epoch <= group.target_epoch:
            return
        standbys = int(group.last_configs.get("num.standby.replicas", "0"))
        compute_target(decision, group, group.members, group.configured, group.group_epoch, standbys)
