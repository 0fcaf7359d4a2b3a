"""The classic group protocol: what JoinGroup, SyncGroup, Heartbeat and LeaveGroup do to a group.

Each function takes the group table and a request and returns a `Decision`; nothing stored is changed here (see
`decision`). JoinGroup and SyncGroup are answered through their ticket, at once or when the group is ready;
Heartbeat and LeaveGroup directly. Behaviour and error codes are those of Kafka 4.2's GroupMetadataManager.
"""

from __future__ import annotations

from ...protocol.apis.heartbeat import HeartbeatRequest, HeartbeatResponse
from ...protocol.apis.join_group import JoinGroupRequest, JoinGroupResponse
from ...protocol.apis.leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse
from ...protocol.apis.sync_group import SyncGroupRequest, SyncGroupResponse
from ...protocol.errors import ErrorCode, KafkaError
from ...protocol.stored.consumer_offsets import GroupMetadataKey, GroupMetadataValue
from ..decision import Completion, Decision, Reply, RequestContext, Ticket, Timer, TimerKey
from ..shard import append_error
from . import rebalance
from .classic_group import ClassicGroup, ClassicMember, GroupState, Protocols
from .config import NEW_MEMBER_JOIN_TIMEOUT_MS, PENDING_MEMBERS_MAX
from .kind import GroupKind, ShardState
from .records import group_metadata_record

__all__ = ["Classic", "GroupCreated", "StaticMemberReplaced"]

#: From this version of JoinGroup a dynamic member is first given an id and asked to come back with it (KIP-394).
_MEMBER_ID_REQUIRED_SINCE = 4
#: From this version a leader that comes back can be told not to assign anew (KIP-814).
_SKIP_ASSIGNMENT_SINCE = 9
#: From this version LeaveGroup names several members.
_LEAVE_BATCH_SINCE = 3


class GroupCreated(Completion):
    """The first, empty record of a group is committed, or could not be."""

    __slots__ = ("group_id",)

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id


class StaticMemberReplaced(Completion):
    """The record with the new id of a static member is committed, or could not be."""

    __slots__ = (
        "group_id", "group_instance_id", "member_id", "old_leader_id", "old_member_id", "old_protocols",
        "old_rebalance_timeout_ms", "old_session_timeout_ms", "skips_assignment",
    )  # fmt: skip

    def __init__(self, group: ClassicGroup, member: ClassicMember, context: RequestContext) -> None:
        self.group_id = group.group_id
        self.group_instance_id = member.group_instance_id or ""
        self.skips_assignment = context.api_version >= _SKIP_ASSIGNMENT_SINCE
        self.old_member_id = self.member_id = member.member_id
        self.old_leader_id = group.leader_id
        self.old_protocols = member.protocols
        self.old_rebalance_timeout_ms = member.rebalance_timeout_ms
        self.old_session_timeout_ms = member.session_timeout_ms


class Classic(GroupKind):
    """The classic groups of one partition of `__consumer_offsets`."""

    __slots__ = ("_config",)

    RECORD_TYPES = frozenset({GroupMetadataKey.API_KEY})
    TIMERS = frozenset({"heartbeat", "join", "sync"})
    COMPLETIONS = (rebalance.AssignmentStored, StaticMemberReplaced, GroupCreated)

    def __init__(self, state: ShardState) -> None:
        super().__init__(state)
        self._config = state.config

    def _find(self, group_id: str) -> ClassicGroup | None:
        return self.state.find(group_id, ClassicGroup)

    # -- the kind ----------------------------------------------------------------------------------------------

    def replay(self, key: GroupMetadataKey, value: GroupMetadataValue | None, now_ms: int) -> None:
        """Apply the record of a group; while it is live, that only confirms what events have made of it."""
        live = self._find(key.group)
        if value is None:
            if live is not None:
                live.state = GroupState.DEAD
                del self.state.groups[key.group]
        elif live is None or self.state.loading:
            self.state.groups[key.group] = ClassicGroup.from_stored(key.group, value)
        else:
            live.stored = value

    def _live(self) -> list[ClassicGroup]:
        return [group for group in self.state.groups.values() if isinstance(group, ClassicGroup)]

    def finish_loading(self, now_ms: int, decision: Decision) -> None:
        """Take up the groups that were read: every member has its session from now on."""
        for group in self._live():
            for member in group.members.values():
                rebalance.restart_heartbeat(group.group_id, member, decision)
            if len(group.members) > self._config.group_max_size:
                reason = f"Freshly-loaded group {group.group_id} is over capacity {self._config.group_max_size}"
                rebalance.prepare(group, self._config, decision, reason, now_ms)

    def unload(self, decision: Decision) -> None:
        """Send everybody who waits to look for the coordinator anew."""
        for group in self._live():
            group.state = GroupState.DEAD
            for member_id, ticket in group.joins.items():
                _refuse_join(decision, ticket, member_id, ErrorCode.NOT_COORDINATOR)
            for ticket in group.syncs.values():
                decision.replies.append(Reply(ticket, SyncGroupResponse(error_code=ErrorCode.NOT_COORDINATOR)))
            group.joins.clear()
            group.syncs.clear()

    def on_timer(self, key: TimerKey, now_ms: int) -> Decision:
        """A session, the joining phase or the syncing phase is over."""
        decision = Decision()
        kind, group = key[0], self._find(key[1])
        if group is None:
            return decision
        if kind == "heartbeat":
            rebalance.session_over(group, self._config, decision, key[2], now_ms)
        elif kind == "join":
            rebalance.join_time_over(group, self._config, decision, now_ms)
        else:
            rebalance.sync_time_over(group, self._config, decision, now_ms)
        return decision

    def on_appended(self, completion: Completion, error: ErrorCode, now_ms: int) -> Decision:
        """What a decision stored is committed, or will never be."""
        if isinstance(completion, rebalance.AssignmentStored):
            group = self._find(completion.group_id)
            if group is None:
                return Decision()
            return rebalance.assignment_stored(group, self._config, completion, error, now_ms)
        if isinstance(completion, StaticMemberReplaced):
            return self.static_member_replaced(completion, error)
        assert isinstance(completion, GroupCreated)
        return self.group_created(completion, error)

    # -- JoinGroup ---------------------------------------------------------------------------------------------

    def join(
        self, request: JoinGroupRequest, context: RequestContext, ticket: Ticket, random_id: str, now_ms: int
    ) -> Decision:
        """Let a member join, or rejoin. `random_id` is what makes a member id new, should one be needed."""
        decision = Decision()
        group_id, member_id = request.group_id, request.member_id
        error = self.check_join(request)
        if error:
            return _refuse_join(decision, ticket, member_id, error)
        group = self._find(group_id)
        if group is None:
            if member_id:
                return _refuse_join(decision, ticket, member_id, ErrorCode.UNKNOWN_MEMBER_ID)
            group = self.state.groups[group_id] = ClassicGroup(group_id, now_ms)
            # Kafka persists a group from its first request on, so that its id is taken.
            empty = GroupMetadataValue(protocol=None, leader=None, current_state_timestamp=now_ms)
            decision.records.append(group_metadata_record(group_id, empty))
            decision.completion = GroupCreated(group_id)
        protocols = tuple({protocol.name: protocol.metadata for protocol in request.protocols}.items())
        if context.api_version == 0:
            request.rebalance_timeout_ms = request.session_timeout_ms
        if not self._has_room(group, member_id):
            rebalance.remove_member(group, member_id, decision)
            return _refuse_join(decision, ticket, "", ErrorCode.GROUP_MAX_SIZE_REACHED)
        if not group.supports(request.protocol_type, (name for name, _ in protocols)):
            return _refuse_join(decision, ticket, member_id, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
        if member_id:
            self._join_known(group, request, protocols, context, ticket, decision, now_ms)
        else:
            self._join_new(group, request, protocols, context, ticket, random_id, decision, now_ms)
        return decision

    def check_join(self, request: JoinGroupRequest) -> ErrorCode:
        """Check what has nothing to do with any group."""
        config = self._config
        if not request.group_id:
            return ErrorCode.INVALID_GROUP_ID
        if not config.group_min_session_timeout_ms <= request.session_timeout_ms <= config.group_max_session_timeout_ms:
            return ErrorCode.INVALID_SESSION_TIMEOUT
        return ErrorCode.NONE

    def _has_room(self, group: ClassicGroup, member_id: str) -> bool:
        size_max = self._config.group_max_size
        if not member_id and len(group.pending_members) >= PENDING_MEMBERS_MAX:
            return False
        if group.state is GroupState.PREPARING_REBALANCE:
            return member_id in group.joins or len(group.joins) < size_max
        if group.state is GroupState.EMPTY:
            return True
        return member_id in group.members or len(group.members) < size_max

    def _join_new(
        self, group: ClassicGroup, request: JoinGroupRequest, protocols: Protocols, context: RequestContext,
        ticket: Ticket, random_id: str, decision: Decision, now_ms: int,
    ) -> None:  # fmt: skip
        instance_id = request.group_instance_id
        member_id = f"{context.client_id if instance_id is None else instance_id}-{random_id}"
        if instance_id is not None and instance_id in group.static_members:
            self._replace_static(group, request, protocols, context, ticket, member_id, decision, now_ms)
        elif instance_id is None and context.api_version >= _MEMBER_ID_REQUIRED_SINCE:
            group.pending_members.add(member_id)
            key = rebalance.heartbeat_key(group.group_id, member_id)
            decision.timers.append(Timer(key, request.session_timeout_ms))
            _refuse_join(decision, ticket, member_id, ErrorCode.MEMBER_ID_REQUIRED)
        else:
            self._add(group, request, protocols, context, ticket, member_id, decision, now_ms)

    def _join_known(
        self, group: ClassicGroup, request: JoinGroupRequest, protocols: Protocols, context: RequestContext,
        ticket: Ticket, decision: Decision, now_ms: int,
    ) -> None:  # fmt: skip
        member_id = request.member_id
        if member_id in group.pending_members and request.group_instance_id is None:
            self._add(group, request, protocols, context, ticket, member_id, decision, now_ms)
            return
        try:
            group.validate_member(member_id, request.group_instance_id)
        except KafkaError as error:
            response = JoinGroupResponse(error_code=error.code, member_id=member_id, protocol_name=None)
            decision.replies.append(Reply(ticket, response))
            return
        member = group.members[member_id]
        is_leader = group.leader_id == member_id
        if group.state is GroupState.PREPARING_REBALANCE:
            reason = f"Member {member_id} is joining group during {group.state.value}"
        elif group.state is GroupState.STABLE and is_leader:
            # The leader may have seen something that members' metadata do not show, such as more partitions.
            reason = f"Leader {member_id} re-joining group during {group.state.value}"
        elif member.protocols != protocols:
            reason = f"Updating metadata for member {member_id} during {group.state.value}"
        else:
            # Nothing has changed; perhaps the first response was lost. Tell the present generation again.
            with_members = is_leader and group.state is GroupState.COMPLETING_REBALANCE
            response = rebalance.join_response(group, member_id, with_members=with_members)
            decision.replies.append(Reply(ticket, response))
            return
        self._wait_for_join(group, member_id, ticket, decision)
        group.update(member, protocols, request.rebalance_timeout_ms, request.session_timeout_ms)
        rebalance.maybe_prepare(group, self._config, decision, reason + _client_reason(request), now_ms)

    def _wait_for_join(self, group: ClassicGroup, member_id: str, ticket: Ticket, decision: Decision) -> None:
        """Keep the ticket; an older one of the same member is of a request that the client has given up."""
        older = group.joins.pop(member_id, None)
        if older is not None:
            _refuse_join(decision, older, member_id, ErrorCode.REBALANCE_IN_PROGRESS)
        group.joins[member_id] = ticket

    def _add(
        self, group: ClassicGroup, request: JoinGroupRequest, protocols: Protocols, context: RequestContext,
        ticket: Ticket, member_id: str, decision: Decision, now_ms: int,
    ) -> None:  # fmt: skip
        member = ClassicMember(
            member_id, request.group_instance_id, context.client_id, context.client_host, request.rebalance_timeout_ms,
            request.session_timeout_ms, request.protocol_type, protocols, is_new=True,
        )  # fmt: skip
        if group.initial_delay is not None:
            group.new_member_added = True
        group.add(member, ticket)
        key = rebalance.heartbeat_key(group.group_id, member_id)
        decision.timers.append(Timer(key, NEW_MEMBER_JOIN_TIMEOUT_MS))
        reason = f"Adding new member {member_id} with group instance id {request.group_instance_id}"
        before = len(decision.records)
        rebalance.maybe_prepare(group, self._config, decision, reason + _client_reason(request), now_ms)
        assert len(decision.records) == before, "a group that a member joins does not become empty"

    def _replace_static(
        self, group: ClassicGroup, request: JoinGroupRequest, protocols: Protocols, context: RequestContext,
        ticket: Ticket, new_member_id: str, decision: Decision, now_ms: int,
    ) -> None:  # fmt: skip
        """A static member came back without its id, most likely after a restart: fence who had it before."""
        instance_id = request.group_instance_id or ""
        old_member_id = group.static_members[instance_id]
        done = StaticMemberReplaced(group, group.members[old_member_id], context)
        done.member_id = new_member_id
        _fence(group, old_member_id, decision)
        member = group.replace_static(instance_id, old_member_id, new_member_id)
        group.update(member, protocols, request.rebalance_timeout_ms, request.session_timeout_ms)
        group.joins[new_member_id] = ticket
        rebalance.restart_heartbeat(group.group_id, member, decision)
        decision.notes.append(
            f"Static member {instance_id} of group {group.group_id} is back: {new_member_id} replaces {old_member_id}"
        )
        if group.state is GroupState.STABLE and group.protocol_name == group.select_protocol():
            # Nobody else need notice: the member gets the assignment it had (KIP-345).
            assignments = {member.member_id: member.assignment for member in group.members.values()}
            decision.records.append(group_metadata_record(group.group_id, group.to_stored(assignments)))
            decision.completion = done
        elif group.state is GroupState.PREPARING_REBALANCE:
            rebalance.maybe_complete_join(group, decision, now_ms)
        else:
            # The leader may be assigning to the old id just now, or the protocol changes.
            reason = f"Static member {new_member_id} with instance id {instance_id} replaced {old_member_id}"
            rebalance.prepare(group, self._config, decision, reason + _client_reason(request), now_ms)

    def static_member_replaced(self, done: StaticMemberReplaced, error: ErrorCode) -> Decision:
        """Answer the static member whose new id is stored now; or take everything back if it could not be."""
        decision = Decision()
        group = self._find(done.group_id)
        member = None if group is None else group.members.get(done.member_id)
        if group is None or member is None:
            return decision
        ticket = group.joins.pop(done.member_id, None)
        is_leader = group.leader_id == done.member_id
        if not error:
            response = rebalance.join_response(group, done.member_id, with_members=False)
            if done.skips_assignment:
                response.skip_assignment = is_leader
                response.members = group.response_members() if is_leader else []
            else:
                # A leader that cannot skip the assignment must not think it is one: it is shown its old id.
                response.leader = done.old_leader_id or ""
        else:
            group.update(member, done.old_protocols, done.old_rebalance_timeout_ms, done.old_session_timeout_ms)
            group.replace_static(done.group_instance_id, done.member_id, done.old_member_id)
            decision.timers.append(Timer(rebalance.heartbeat_key(group.group_id, done.member_id), None))
            rebalance.restart_heartbeat(group.group_id, member, decision)
            response = rebalance.join_response(group, "", with_members=False)
            response.error_code = append_error(error)
        if ticket is not None:
            decision.replies.append(Reply(ticket, response))
        return decision

    def group_created(self, done: GroupCreated, error: ErrorCode) -> Decision:
        """Forget a group whose first record could not be stored."""
        decision = Decision()
        group = self._find(done.group_id)
        if not error or group is None or group.stored is not None:
            return decision
        del self.state.groups[done.group_id]
        group.state = GroupState.DEAD
        for member_id, ticket in group.joins.items():
            _refuse_join(decision, ticket, member_id, append_error(error))
        for member_id in (*group.members, *group.pending_members):
            decision.timers.append(Timer(rebalance.heartbeat_key(group.group_id, member_id), None))
        decision.timers.append(Timer(rebalance.join_key(group.group_id), None))
        return decision

    # -- SyncGroup ---------------------------------------------------------------------------------------------

    def sync(self, request: SyncGroupRequest, ticket: Ticket) -> Decision:
        """Give a member its assignment; take all assignments from the leader."""
        decision = Decision()
        member_id = request.member_id
        group = self._find(request.group_id)
        error = _check_sync(group, request)
        if group is None or error:
            decision.replies.append(Reply(ticket, SyncGroupResponse(error_code=error)))
            return decision
        group.pending_sync_members.discard(member_id)
        if not group.pending_sync_members:
            decision.timers.append(Timer(rebalance.sync_key(group.group_id), None))
        if group.state is GroupState.STABLE:
            response = SyncGroupResponse(
                protocol_type=group.protocol_type,
                protocol_name=group.protocol_name,
                assignment=group.members[member_id].assignment,
            )
            decision.replies.append(Reply(ticket, response))
            return decision
        older = group.syncs.pop(member_id, None)
        if older is not None:
            decision.replies.append(Reply(older, SyncGroupResponse(error_code=ErrorCode.REBALANCE_IN_PROGRESS)))
        group.syncs[member_id] = ticket
        if group.leader_id == member_id:
            self._store_assignment(group, request, decision)
        return decision

    def _store_assignment(self, group: ClassicGroup, request: SyncGroupRequest, decision: Decision) -> None:
        given = {assignment.member_id: assignment.assignment for assignment in request.assignments}
        assignments = {member_id: given.get(member_id, b"") for member_id in group.members}
        forgotten = [member_id for member_id in group.members if member_id not in given]
        decision.notes.append(
            f"Assignment received from leader {request.member_id} for group {group.group_id} for generation"
            f" {group.generation_id}; {len(group.members)} members, {len(group.static_members)} of them static"
            + (f"; nothing for {', '.join(forgotten)}" if forgotten else "")
        )
        decision.records.append(group_metadata_record(group.group_id, group.to_stored(assignments)))
        decision.completion = rebalance.AssignmentStored(
            group.group_id, group.generation_id, request.member_id, assignments
        )

    # -- Heartbeat and LeaveGroup ------------------------------------------------------------------------------

    def heartbeat(self, request: HeartbeatRequest) -> Decision:
        """Note that a member lives; tell it if a rebalance wants it."""
        decision = Decision()
        group = self._find(request.group_id)
        if not request.group_id:
            error = ErrorCode.INVALID_GROUP_ID
        elif group is None:
            error = ErrorCode.UNKNOWN_MEMBER_ID
        else:
            error = _check_member(group, request.member_id, request.group_instance_id, request.generation_id)
        if group is not None and not error:
            rebalance.restart_heartbeat(group.group_id, group.members[request.member_id], decision)
            if group.state is GroupState.PREPARING_REBALANCE:
                error = ErrorCode.REBALANCE_IN_PROGRESS
        decision.response = HeartbeatResponse(error_code=error)
        return decision

    def leave(self, request: LeaveGroupRequest, context: RequestContext, now_ms: int) -> Decision:
        """Remove members at their own wish, or static ones at an administrator's."""
        decision = Decision()
        batch = context.api_version >= _LEAVE_BATCH_SINCE
        members = request.members if batch else [MemberIdentity(member_id=request.member_id)]
        if not request.group_id:
            decision.response = LeaveGroupResponse(error_code=ErrorCode.INVALID_GROUP_ID)
            return decision
        group = self._find(request.group_id)
        results = [
            MemberResponse(
                member_id=member.member_id,
                group_instance_id=member.group_instance_id,
                error_code=ErrorCode.UNKNOWN_MEMBER_ID if group is None else _leave_one(group, member, decision),
            )
            for member in members
        ]
        left = [result.member_id for result in results if not result.error_code]
        if group is not None and left:
            reason = f"explicit `LeaveGroup` request for ({', '.join(left)}) members"
            if group.state in (GroupState.STABLE, GroupState.COMPLETING_REBALANCE):
                rebalance.maybe_prepare(group, self._config, decision, reason, now_ms)
            else:
                rebalance.maybe_complete_join(group, decision, now_ms)
        if batch:
            decision.response = LeaveGroupResponse(members=results)
        else:
            decision.response = LeaveGroupResponse(error_code=results[0].error_code)
        return decision


def _client_reason(request: JoinGroupRequest) -> str:
    return f"; client reason: {request.reason or 'not provided'}"


def _refuse_join(decision: Decision, ticket: Ticket, member_id: str, error: ErrorCode) -> Decision:
    decision.replies.append(Reply(ticket, JoinGroupResponse(error_code=error, member_id=member_id)))
    return decision


def _fence(group: ClassicGroup, member_id: str, decision: Decision) -> None:
    """Tell who still waits under a member id that it is not the bearer of its instance id any more."""
    join, sync = group.joins.pop(member_id, None), group.syncs.pop(member_id, None)
    error = ErrorCode.FENCED_INSTANCE_ID
    if join is not None:
        response = JoinGroupResponse(error_code=error, member_id=member_id, protocol_name=None)
        decision.replies.append(Reply(join, response))
    if sync is not None:
        decision.replies.append(Reply(sync, SyncGroupResponse(error_code=error)))
    decision.timers.append(Timer(rebalance.heartbeat_key(group.group_id, member_id), None))


def _check_member(group: ClassicGroup, member_id: str, group_instance_id: str | None, generation_id: int) -> ErrorCode:
    try:
        group.validate_member(member_id, group_instance_id)
    except KafkaError as error:
        return error.code
    return ErrorCode.NONE if generation_id == group.generation_id else ErrorCode.ILLEGAL_GENERATION


def _check_sync(group: ClassicGroup | None, request: SyncGroupRequest) -> ErrorCode:
    if not request.group_id:
        return ErrorCode.INVALID_GROUP_ID
    if group is None or group.state is GroupState.EMPTY:
        return ErrorCode.UNKNOWN_MEMBER_ID
    error = _check_member(group, request.member_id, request.group_instance_id, request.generation_id)
    if error:
        return error
    for claimed, actual in (
        (request.protocol_type, group.protocol_type),
        (request.protocol_name, group.protocol_name),
    ):
        if claimed is not None and actual is not None and claimed != actual:
            return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    if group.state is GroupState.PREPARING_REBALANCE:
        return ErrorCode.REBALANCE_IN_PROGRESS
    return ErrorCode.NONE


def _leave_one(group: ClassicGroup, member: MemberIdentity, decision: Decision) -> ErrorCode:
    member_id = member.member_id
    if not member_id:
        static_id = group.static_members.get(member.group_instance_id or "")
        if member.group_instance_id is None or static_id is None:
            return ErrorCode.UNKNOWN_MEMBER_ID
        member_id = static_id
    elif member_id not in group.pending_members:
        try:
            group.validate_member(member_id, member.group_instance_id)
        except KafkaError as error:
            return error.code
    decision.notes.append(
        f"Member {member_id} has left group {group.group_id} through explicit `LeaveGroup` request;"
        f" client reason: {member.reason or 'not provided'}"
    )
    rebalance.remove_member(group, member_id, decision)
    return ErrorCode.NONE
