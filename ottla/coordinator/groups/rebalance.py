"""The transitions of a classic group: how a rebalance begins, collects its members, and ends.

    prepare ──► [initial delay, or until all members have joined, or the rebalance timeout] ──► complete_join
            ──► members get their JoinGroup responses, each must SyncGroup within the rebalance timeout
            ──► the leader's SyncGroup brings the assignment, which is stored ──► assignment_stored ──► Stable

Every function here takes the group, the `Decision` it adds to, and the wall clock. Nothing is stored but by the
records in the decision. The rules are those of Kafka's GroupMetadataManager:

- The first member of an empty group does not rebalance at once but waits `group.initial.rebalance.delay.ms` for
  others (KIP-134), prolonged by each newcomer up to the rebalance timeout.
- Dynamic members that do not rejoin within the rebalance timeout are removed; static ones stay until their
  session ends (KIP-345).
- Members that joined and do not sync within the rebalance timeout are removed.
"""

from __future__ import annotations

from ...protocol.apis.join_group import JoinGroupResponse
from ...protocol.apis.sync_group import SyncGroupResponse
from ...protocol.errors import ErrorCode
from ..decision import Completion, Decision, Reply, Timer, TimerKey
from ..shard import append_error
from .classic_group import ClassicGroup, ClassicMember, GroupState
from .config import GroupCoordinatorConfig
from .records import group_metadata_record

__all__ = [
    "AssignmentStored", "assignment_stored", "complete_join", "heartbeat_key", "join_key",
    "join_response",
    "join_time_over", "maybe_complete_join", "maybe_prepare", "prepare", "remove_member", "restart_heartbeat",
    "session_over", "sync_key", "sync_time_over",
]  # fmt: skip

_REBALANCE_ALLOWED = (GroupState.STABLE, GroupState.COMPLETING_REBALANCE, GroupState.EMPTY)


class AssignmentStored(Completion):
    """The record with the leader's assignment of a generation is committed, or could not be."""

    __slots__ = ("assignments", "generation_id", "group_id", "leader_id")

    def __init__(self, group_id: str, generation_id: int, leader_id: str, assignments: dict[str, bytes]) -> None:
        self.group_id = group_id
        self.generation_id = generation_id
        self.leader_id = leader_id
        self.assignments = assignments


def heartbeat_key(group_id: str, member_id: str) -> TimerKey:
    """Name the timer of a member's session."""
    return ("heartbeat", group_id, member_id)


def join_key(group_id: str) -> TimerKey:
    """Name the timer that ends the joining phase."""
    return ("join", group_id)


def sync_key(group_id: str) -> TimerKey:
    """Name the timer that ends the syncing phase."""
    return ("sync", group_id)


def restart_heartbeat(group_id: str, member: ClassicMember, decision: Decision) -> None:
    """Give the member its full session from now."""
    decision.timers.append(Timer(heartbeat_key(group_id, member.member_id), member.session_timeout_ms))


def join_response(group: ClassicGroup, member_id: str, *, with_members: bool) -> JoinGroupResponse:
    """Write what a member is told of the present generation."""
    return JoinGroupResponse(
        error_code=ErrorCode.NONE,
        generation_id=group.generation_id,
        protocol_type=group.protocol_type,
        protocol_name=group.protocol_name,
        leader=group.leader_id or "",
        member_id=member_id,
        members=group.response_members() if with_members else [],
    )


def remove_member(group: ClassicGroup, member_id: str, decision: Decision) -> None:
    """Take a member out; whatever it still waits for is answered with UNKNOWN_MEMBER_ID."""
    join, sync = group.joins.pop(member_id, None), group.syncs.pop(member_id, None)
    if join is not None:
        decision.replies.append(Reply(join, JoinGroupResponse(error_code=ErrorCode.UNKNOWN_MEMBER_ID)))
    if sync is not None:
        decision.replies.append(Reply(sync, SyncGroupResponse(error_code=ErrorCode.UNKNOWN_MEMBER_ID)))
    group.remove(member_id)
    decision.timers.append(Timer(heartbeat_key(group.group_id, member_id), None))


def maybe_prepare(
    group: ClassicGroup, config: GroupCoordinatorConfig, decision: Decision, reason: str, now_ms: int
) -> None:
    """Begin a rebalance, or see whether the one under way can end."""
    if group.state in _REBALANCE_ALLOWED:
        prepare(group, config, decision, reason, now_ms)
    else:
        maybe_complete_join(group, decision, now_ms)


def prepare(group: ClassicGroup, config: GroupCoordinatorConfig, decision: Decision, reason: str, now_ms: int) -> None:
    """Begin a rebalance."""
    if group.state is GroupState.COMPLETING_REBALANCE:
        _propagate_assignments(group, {}, ErrorCode.REBALANCE_IN_PROGRESS, decision)
    group.pending_sync_members.clear()
    decision.timers.append(Timer(sync_key(group.group_id), None))
    decision.notes.append(
        f"Preparing to rebalance group {group.group_id} in state {group.state.value}"
        f" with old generation {group.generation_id} (reason: {reason})"
    )
    initial = group.state is GroupState.EMPTY
    group.become(GroupState.PREPARING_REBALANCE, now_ms)
    if initial:
        group.new_member_added = False
        delay_ms = config.group_initial_rebalance_delay_ms
        remaining_ms = max(group.rebalance_timeout_ms() - delay_ms, 0)
        group.initial_delay = (delay_ms, remaining_ms)
        decision.timers.append(Timer(join_key(group.group_id), delay_ms))
    elif group.all_have_joined():
        complete_join(group, decision, now_ms)
    else:
        decision.timers.append(Timer(join_key(group.group_id), group.rebalance_timeout_ms()))


def join_time_over(group: ClassicGroup, config: GroupCoordinatorConfig, decision: Decision, now_ms: int) -> None:
    """End the joining phase; but prolong the initial delay if somebody came during it."""
    if group.initial_delay is not None and group.new_member_added and group.initial_delay[1]:
        delay_ms, remaining_ms = group.initial_delay
        group.new_member_added = False
        next_ms = min(config.group_initial_rebalance_delay_ms, remaining_ms)
        group.initial_delay = (next_ms, max(remaining_ms - delay_ms, 0))
        decision.timers.append(Timer(join_key(group.group_id), next_ms))
    else:
        complete_join(group, decision, now_ms)


def maybe_complete_join(group: ClassicGroup, decision: Decision, now_ms: int) -> None:
    """End the joining phase if nobody is missing. The initial rebalance ends only by its timer."""
    if group.state is not GroupState.PREPARING_REBALANCE or group.previous_state is GroupState.EMPTY:
        return
    if group.all_have_joined():
        complete_join(group, decision, now_ms)


def complete_join(group: ClassicGroup, decision: Decision, now_ms: int) -> None:
    """End the joining phase: drop who is missing, start the next generation, answer all who joined."""
    if group.state is not GroupState.PREPARING_REBALANCE:
        return
    decision.timers.append(Timer(join_key(group.group_id), None))
    missing = [
        member.member_id
        for member in group.members.values()
        if member.group_instance_id is None and member.member_id not in group.joins
    ]
    for member_id in missing:
        remove_member(group, member_id, decision)
    if missing:
        decision.notes.append(f"Group {group.group_id} removed members that did not rejoin: {', '.join(missing)}")
    if group.members and not group.elect_joined_leader():
        decision.notes.append(f"Group {group.group_id} could not complete its rebalance: no member rejoined")
        decision.timers.append(Timer(join_key(group.group_id), group.rebalance_timeout_ms()))
        return
    group.start_generation(now_ms)
    if not group.members:
        decision.notes.append(f"Group {group.group_id} with generation {group.generation_id} is now empty")
        decision.records.append(group_metadata_record(group.group_id, group.to_stored({})))
        return
    decision.notes.append(
        f"Stabilized group {group.group_id} generation {group.generation_id} with {len(group.members)} members"
    )
    for member in group.members.values():
        _answer_join(group, member, decision)
    decision.timers.append(Timer(sync_key(group.group_id), group.rebalance_timeout_ms()))


def _answer_join(group: ClassicGroup, member: ClassicMember, decision: Decision) -> None:
    member_id = member.member_id
    ticket = group.joins.pop(member_id, None)
    if ticket is not None:
        response = join_response(group, member_id, with_members=group.leader_id == member_id)
        decision.replies.append(Reply(ticket, response))
    restart_heartbeat(group.group_id, member, decision)
    member.is_new = False
    group.pending_sync_members.add(member_id)


def assignment_stored(
    group: ClassicGroup,
    config: GroupCoordinatorConfig,
    done: AssignmentStored,
    error: ErrorCode,
    now_ms: int,
) -> Decision:
    """End the rebalance: hand out the assignments that are stored now, or begin anew if they could not be."""
    decision = Decision()
    if group.state is not GroupState.COMPLETING_REBALANCE or group.generation_id != done.generation_id:
        return decision  # Another rebalance began meanwhile, and has answered everybody.
    if error:
        told = append_error(error)
        _propagate_assignments(group, {}, told, decision)
        reason = f"Error {told.name} when storing group assignment during SyncGroup (member: {done.leader_id})"
        maybe_prepare(group, config, decision, reason, now_ms)
    else:
        _propagate_assignments(group, done.assignments, ErrorCode.NONE, decision)
        group.become(GroupState.STABLE, now_ms)
    return decision


def _propagate_assignments(
    group: ClassicGroup, assignments: dict[str, bytes], error: ErrorCode, decision: Decision
) -> None:
    for member in group.members.values():
        member.assignment = assignments.get(member.member_id, b"")
        ticket = group.syncs.pop(member.member_id, None)
        if ticket is None:
            continue
        response = SyncGroupResponse(error_code=error, assignment=member.assignment)
        if not error:
            response.protocol_type, response.protocol_name = group.protocol_type, group.protocol_name
        decision.replies.append(Reply(ticket, response))
        restart_heartbeat(group.group_id, member, decision)


def session_over(
    group: ClassicGroup, config: GroupCoordinatorConfig, decision: Decision, member_id: str, now_ms: int
) -> None:
    """Remove a member that was not heard of for its session timeout."""
    member = group.members.get(member_id)
    if member_id in group.pending_members:
        decision.notes.append(f"Pending member {member_id} of group {group.group_id} never joined")
        group.remove(member_id)
        # Kafka ends even the initial rebalance here, and the group is none the worse for it.
        if group.state is GroupState.PREPARING_REBALANCE and group.all_have_joined():
            complete_join(group, decision, now_ms)
    elif member is not None and not group.has_satisfied_heartbeat(member):
        decision.notes.append(f"Member {member_id} of group {group.group_id} has failed, removing it")
        remove_member(group, member_id, decision)
        if group.state in (GroupState.STABLE, GroupState.COMPLETING_REBALANCE):
            maybe_prepare(group, config, decision, f"removing member {member_id} on heartbeat expiration", now_ms)
        elif group.state is GroupState.PREPARING_REBALANCE and group.all_have_joined():
            complete_join(group, decision, now_ms)


def sync_time_over(group: ClassicGroup, config: GroupCoordinatorConfig, decision: Decision, now_ms: int) -> None:
    """Remove the members that joined the generation and never asked for their assignment."""
    if group.state not in (GroupState.COMPLETING_REBALANCE, GroupState.STABLE) or not group.pending_sync_members:
        return
    late = [member_id for member_id in group.members if member_id in group.pending_sync_members]
    for member_id in late:
        remove_member(group, member_id, decision)
    prepare(group, config, decision, f"Removing {', '.join(late)} on pending sync request expiration", now_ms)
