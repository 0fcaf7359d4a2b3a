"""A member of a group that speaks the classic protocol: join, sync, heartbeat, leave. Pure.

              rejoin: a heartbeat says so, topics changed, told to
             ┌───────────────────────────────────────────────────────────┐
             ▼                        leader                             │
    UNJOINED ──► JOINING ──────────► DISTRIBUTING ──► SYNCING ──► STABLE ┤
       ▲  eager: Revoke first │ follower                ▲  cooperative:  │
       │                      └─────────────────────────┘  Revoke what went, then rejoin
       └──── UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION: Lost, a new member

Eager assignors give everything up before they join; cooperative ones (KIP-429) keep reading, give up what the new
assignment takes away, and join once more so that others may have it. A member id is asked for first (KIP-394); a static
member (KIP-345) keeps its partitions over a restart and does not leave. Sources: KIP-62, 345, 394, 429, 814.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from ...protocol.apis.heartbeat import HeartbeatRequest
from ...protocol.apis.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from ...protocol.apis.leave_group import LeaveGroupRequest, MemberIdentity
from ...protocol.apis.sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from ...protocol.errors import ErrorCode, RemoteProtocolError
from ...protocol.schema import Request
from ..errors import BadResponseError, ClientError, broker_error, error_code
from .assignors.racks import Racks
from .assignors.table import cooperative
from .assignors.types import (
    NO_GENERATION,
    Assignor,
    Member,
    TopicAndPartition,
    read_assignment,
    read_subscription,
    write_assignment,
    write_subscription,
)
from .steps import FOREVER_MS, Ask, Assign, Distribute, Fail, Lost, Revoke, Sleep, Step

PROTOCOL_TYPE = "consumer"
UNJOINED, JOINING, DISTRIBUTING, SYNCING, STABLE, LEFT = (
    "unjoined",
    "joining",
    "distributing",
    "syncing",
    "stable",
    "left",
)

#: Answers after which this member is unknown to the group: what it had is lost and it joins anew.
_LOST = {ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.ILLEGAL_GENERATION}


class ClassicMember:
    """One member. `next` says what to do; what came of it goes into `answered`, `failed`, `revoked`, `distributed`."""

    def __init__(
        self,
        group: str,
        topics: Sequence[str],
        assignors: Sequence[Assignor],
        *,
        session_timeout_ms: int,
        rebalance_timeout_ms: int,
        heartbeat_interval_ms: int,
        instance_id: str | None = None,
        rack: str | None = None,
    ) -> None:
        self.group = group
        self.topics = tuple(topics)
        self.assignors = {assignor.name: assignor for assignor in assignors}
        self.cooperative = cooperative(assignors)
        self.instance_id = instance_id
        self.rack = rack
        self.state = UNJOINED
        self.member_id = ""
        self.generation = NO_GENERATION
        self.owned: set[TopicAndPartition] = set()
        self.is_leader = False
        #: Partition counts that the leader distributed: a change means that the group must rebalance.
        self.distributed_counts: dict[str, int] | None = None
        #: The topics of all members, which their leader watches.
        self.watched: frozenset[str] = frozenset()
        self.rebalances = 0
        self._session_timeout_ms = session_timeout_ms
        self._rebalance_timeout_ms = rebalance_timeout_ms
        self._heartbeat_interval_ms = heartbeat_interval_ms
        self._members: list[Member] = []
        self._assignor: Assignor | None = None
        self._pending: deque[Step] = deque()
        self._asked = False
        self._revoking = False
        self._rejoin: str | None = None
        self._leaving = False
        self._heartbeat_at_ms = 0.0
        self._last_generation = NO_GENERATION

    # ── what to do ──────────────────────────────────────────────────────────────────────────────────────────────

    def next(self, now_ms: float) -> Step:
        """The next step; the shell asks again after it has taken it up."""
        if self._pending:
            return self._pending.popleft()
        if self._asked or self.state == LEFT:
            return Sleep(FOREVER_MS)
        if self._leaving:
            return self._leave()
        if self._revoking:
            return self._heartbeat(now_ms)
        if self.state == STABLE:
            if self._rejoin is None:
                return self._heartbeat(now_ms)
            return self._begin_join()
        if self.state == UNJOINED:
            return self._begin_join()
        return Sleep(FOREVER_MS)

    def _begin_join(self) -> Step:
        if self.owned and not self.cooperative:
            return self._revoke(sorted(self.owned))
        gone = [each for each in sorted(self.owned) if each[0] not in self.topics]
        if gone:  # topics that are no longer subscribed to go before the others hear of it
            return self._revoke(gone)
        reason, self._rejoin = self._rejoin, None
        self.state = JOINING
        self._asked = True
        return Ask(self._join_request(reason), long=True)

    def _revoke(self, partitions: list[TopicAndPartition]) -> Step:
        self._revoking = True
        self.owned.difference_update(partitions)
        return Revoke(partitions)

    def _join_request(self, reason: str | None) -> Request:
        owned = sorted(self.owned)
        protocols = [
            JoinGroupRequestProtocol(
                name=name,
                metadata=write_subscription(
                    self.topics,
                    owned,
                    self._last_generation,
                    self.rack,
                    assignor.user_data(owned if assignor.cooperative else self._previous, self._last_generation),
                ),
            )
            for name, assignor in self.assignors.items()
        ]
        return JoinGroupRequest(
            group_id=self.group,
            session_timeout_ms=self._session_timeout_ms,
            rebalance_timeout_ms=self._rebalance_timeout_ms,
            member_id=self.member_id,
            group_instance_id=self.instance_id,
            protocol_type=PROTOCOL_TYPE,
            protocols=protocols,
            reason=reason,
        )

    #: What an eager member read before it gave everything up, for the stickiness of `sticky`.
    _previous: Sequence[TopicAndPartition] = ()

    def _heartbeat(self, now_ms: float) -> Step:
        if self.generation == NO_GENERATION or now_ms < self._heartbeat_at_ms:
            return Sleep(self._heartbeat_at_ms if self.generation != NO_GENERATION else FOREVER_MS)
        self._asked = True
        return Ask(
            HeartbeatRequest(
                group_id=self.group,
                generation_id=self.generation,
                member_id=self.member_id,
                group_instance_id=self.instance_id,
            )
        )

    def _leave(self) -> Step:
        self.state = LEFT
        if not self.member_id or self.instance_id is not None:
            return Sleep(FOREVER_MS)
        self._asked = True
        return Ask(
            LeaveGroupRequest(
                group_id=self.group,
                members=[MemberIdentity(member_id=self.member_id, reason="the consumer is being closed")],
            ),
            low=3,
        )

    # ── what happened ───────────────────────────────────────────────────────────────────────────────────────────

    def answered(self, answer: Any, now_ms: float) -> None:
        """The answer to the last `Ask`."""
        self._asked = False
        kind = type(answer).__name__
        if self.state == LEFT:
            return
        if kind == "HeartbeatResponse":
            self._after_heartbeat(error_code(answer.error_code), now_ms)
        elif kind == "JoinGroupResponse":
            self._after_join(answer)
        elif kind == "SyncGroupResponse":
            self._after_sync(answer, now_ms)

    def failed(self, now_ms: float) -> None:
        """The last `Ask` has no answer: the coordinator was not reached. The same again, a little later."""
        self._asked = False
        if self.state in (JOINING, SYNCING, DISTRIBUTING):
            self.state = UNJOINED
        self._heartbeat_at_ms = now_ms + self._heartbeat_interval_ms

    def revoked(self, now_ms: float) -> None:
        """What `Revoke` named is given up."""
        self._revoking = False
        if self.state == STABLE and self._rejoin is None:
            self._rejoin = "it gave up partitions that others were assigned"

    def distributed(self, counts: Mapping[str, int], racks: Racks | None = None) -> None:
        """The partition counts that `Distribute` asked for, and in which racks partitions have replicas, if brokers have racks."""
        self.distributed_counts = dict(counts)
        assert self._assignor is not None
        near = getattr(self._assignor, "assign_near", None) if racks else None
        given = near(counts, self._members, racks) if near else self._assignor.assign(counts, self._members)
        self._sync([SyncGroupRequestAssignment(member_id=m, assignment=write_assignment(p)) for m, p in given.items()])

    def changed(self, topics: Sequence[str] | None, reason: str) -> None:
        """Other topics, or other partitions of them: join again."""
        if topics is not None:
            self.topics = tuple(topics)
        if self.state != LEFT:
            self._rejoin = reason

    def fenced(self) -> None:
        """A commit was refused because the group no longer knows this member or its generation."""
        if self.state != LEFT:
            self._lose(keep_member_id=False)

    def leave(self) -> None:
        """The next steps leave the group. What was owned has been given up by then."""
        self._leaving = True
        self._pending.clear()

    # ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _after_heartbeat(self, code: ErrorCode, now_ms: float) -> None:
        self._heartbeat_at_ms = now_ms + self._heartbeat_interval_ms
        if code == ErrorCode.NONE:
            return
        if code == ErrorCode.REBALANCE_IN_PROGRESS:
            if self.state == STABLE and not self._revoking and self._rejoin is None:
                self._rejoin = "the group rebalances"
        elif code in _LOST:
            self._lose(keep_member_id=code == ErrorCode.ILLEGAL_GENERATION)
        elif not code.retriable:
            self._fail(broker_error(code, api="Heartbeat"))

    def _after_join(self, answer: Any) -> None:
        code = error_code(answer.error_code)
        if code == ErrorCode.NONE:
            self.member_id, self.generation = answer.member_id, answer.generation_id
            self.is_leader = answer.leader == answer.member_id
            self._assignor = self.assignors.get(answer.protocol_name or "")
            if self._assignor is None:
                self._fail(BadResponseError(f"the group chose {answer.protocol_name!r}, which was not offered"))
            elif self.is_leader:
                self._lead(answer)
            else:
                self._sync([])
            return
        self.state = UNJOINED
        if code == ErrorCode.MEMBER_ID_REQUIRED:
            self.member_id = answer.member_id
        elif code in _LOST:
            self._lose(keep_member_id=False)
        elif not code.retriable and code != ErrorCode.REBALANCE_IN_PROGRESS:
            self._fail(broker_error(code, api="JoinGroup", hint=_HINTS.get(code)))

    def _lead(self, answer: Any) -> None:
        self.state = DISTRIBUTING
        try:
            self._members = [read_subscription(m.member_id, m.group_instance_id, m.metadata) for m in answer.members]
        except RemoteProtocolError as problem:
            self._fail(BadResponseError(f"the subscription of a member cannot be read: {problem}", api="JoinGroup"))
            return
        if answer.skip_assignment:
            self._sync([])
            return
        topics: frozenset[str] = frozenset().union(*(member.topics for member in self._members))
        self.watched = topics
        self._pending.append(Distribute(topics))

    def _sync(self, assignments: list[Any]) -> None:
        self.state = SYNCING
        self._asked = True
        request = SyncGroupRequest(
            group_id=self.group,
            generation_id=self.generation,
            member_id=self.member_id,
            group_instance_id=self.instance_id,
            protocol_type=PROTOCOL_TYPE,
            protocol_name=self._assignor.name if self._assignor else None,
            assignments=assignments,
        )
        self._pending.append(Ask(request, long=True))

    def _after_sync(self, answer: Any, now_ms: float) -> None:
        code = error_code(answer.error_code)
        if code == ErrorCode.NONE:
            try:
                assigned = set(read_assignment(answer.assignment))
            except RemoteProtocolError as problem:
                self._fail(BadResponseError(f"the assignment cannot be read: {problem}", api="SyncGroup"))
                return
            self._reconcile(assigned, now_ms)
            return
        self.state = UNJOINED
        if code in _LOST:
            self._lose(keep_member_id=code == ErrorCode.ILLEGAL_GENERATION)
        elif not code.retriable and code != ErrorCode.REBALANCE_IN_PROGRESS:
            self._fail(broker_error(code, api="SyncGroup"))

    def _reconcile(self, assigned: set[TopicAndPartition], now_ms: float) -> None:
        self.state = STABLE
        self.rebalances += 1
        self._last_generation = self.generation
        self._heartbeat_at_ms = now_ms + self._heartbeat_interval_ms
        gone, new = sorted(self.owned - assigned), sorted(assigned - self.owned)
        self.owned = assigned
        self._previous = sorted(assigned)
        if gone:
            self._revoking = True
            self._pending.append(Revoke(gone))
        self._pending.append(Assign(new))

    def _lose(self, *, keep_member_id: bool) -> None:
        lost = sorted(self.owned)
        self.owned = set()
        self._previous = ()
        self._revoking = False
        self._rejoin = None
        self.state = UNJOINED
        self.generation = self._last_generation = NO_GENERATION
        if not keep_member_id:
            self.member_id = ""
        self._pending.clear()
        if lost:
            self._pending.append(Lost(lost))

    def _fail(self, error: ClientError) -> None:
        self.state = LEFT
        self._pending.clear()
        if self.owned:
            self._pending.append(Lost(sorted(self.owned)))
        self.owned = set()
        self._pending.append(Fail(error))


_HINTS = {
    ErrorCode.INCONSISTENT_GROUP_PROTOCOL: "the members of the group have no assignor in common, or the group is of another type",
    ErrorCode.INVALID_SESSION_TIMEOUT: "session.timeout.ms must lie between the broker's group.min.session.timeout.ms and group.max.session.timeout.ms",
    ErrorCode.FENCED_INSTANCE_ID: "another consumer has the same group.instance.id",
}
