"""A member of a group whose broker assigns: KIP-848 consumer groups, and share groups (KIP-932). Pure.

One request is all there is, the heartbeat: it says who we are and, when that changed, what we want and what we have; the
answer says how long to wait until the next one and, when it changed, what we shall have.

    epoch 0: join ──► answer: epoch, assignment ──► what is to go: Revoke ──► what is new: Assign ──► heartbeat: "I have .."
                              │                                                                         │
                              └── FENCED_MEMBER_EPOCH, UNKNOWN_MEMBER_ID: Lost, epoch 0 ◄───────────────┘
    epoch -1: leave; -2: a static member that will be back

The broker gives a partition to another member only after we said, by a heartbeat, that we no longer have it; so a member
first gives up, then takes. A share group fences nothing: its members just read what they are assigned.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from ...protocol.apis.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest, TopicPartitions
from ...protocol.apis.share_group_heartbeat import ShareGroupHeartbeatRequest
from ...protocol.errors import ErrorCode
from ...protocol.schema import Request
from ..errors import ClientError, broker_error, error_code
from .assignors.types import TopicAndPartition, by_topic
from .steps import FOREVER_MS, Ask, Assign, Fail, Lost, Revoke, Sleep, Step

JOIN, LEAVE, LEAVE_STATIC = 0, -1, -2
#: The second heartbeat of a member without partitions follows after twice this, the third after four times, ...
IMPATIENCE_MS = 25
_LOST = {ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.FENCED_MEMBER_EPOCH}

#: Topic name <-> id, as far as metadata knows them.
Names = Callable[[bytes], "str | None"]
Ids = Callable[[str], "bytes | None"]


class ModernMember:
    """A member of a consumer group, or with `share` of a share group. `member_id` is made by the member itself."""

    def __init__(
        self,
        group: str,
        member_id: str,
        topics: Sequence[str],
        names: Names,
        ids: Ids,
        *,
        regex: str | None = None,
        rebalance_timeout_ms: int = 300_000,
        instance_id: str | None = None,
        rack: str | None = None,
        server_assignor: str | None = None,
        share: bool = False,
    ) -> None:
        self.group = group
        self.topics = tuple(topics)
        self.regex = regex
        self.instance_id = instance_id
        self.rack = rack
        self.share = share
        self.member_id = member_id
        self.generation = JOIN
        self.owned: set[TopicAndPartition] = set()
        self.rebalances = 0
        #: Topic ids of the assignment that metadata does not know yet; the shell asks for it.
        self.unknown_ids: set[bytes] = set()
        self._names, self._ids = names, ids
        self._rebalance_timeout_ms = rebalance_timeout_ms
        self._server_assignor = server_assignor
        self._target: dict[bytes, list[int]] | None = None
        self._pending: deque[Step] = deque()
        self._asked = self._revoking = self._leaving = self._left = False
        self._whole = True  # whether the next heartbeat says everything
        self._tell_owned = False
        self._heartbeat_at_ms = 0.0
        self._interval_ms = 5000.0
        self._idle_heartbeats = 0

    # ── what to do ──────────────────────────────────────────────────────────────────────────────────────────────

    def next(self, now_ms: float) -> Step:
        """The next step; the shell asks again after it has taken it up."""
        if self._pending:
            return self._pending.popleft()
        if self._asked or self._left:
            return Sleep(FOREVER_MS)
        if self._leaving:
            self._left = self._asked = True
            if self.generation == JOIN:
                self._asked = False
                return Sleep(FOREVER_MS)
            self.generation = LEAVE_STATIC if self.instance_id is not None else LEAVE
            return Ask(self._request(), low=self._low)
        if not self._revoking:
            self._reconcile()
            if self._pending:
                return self._pending.popleft()
        if now_ms < self._heartbeat_at_ms and not (self._tell_owned or (self._whole and self.generation == JOIN)):
            return Sleep(self._heartbeat_at_ms)
        self._asked = True
        return Ask(self._request(), low=self._low)

    @property
    def _low(self) -> int:
        return 1 if self.regex is not None else 0

    def _request(self) -> Request:
        leaving = self.generation < 0
        whole = self._whole and not leaving
        if self.share:
            return ShareGroupHeartbeatRequest(
                group_id=self.group,
                member_id=self.member_id,
                member_epoch=self.generation,
                rack_id=self.rack if whole else None,
                subscribed_topic_names=list(self.topics) if whole else None,
            )
        owned = None
        if not leaving and (whole or self._tell_owned):
            owned = [
                TopicPartitions(topic_id=topic_id, partitions=sorted(partitions))
                for topic, partitions in by_topic(sorted(self.owned)).items()
                if (topic_id := self._ids(topic)) is not None
            ]
        self._tell_owned = False
        return ConsumerGroupHeartbeatRequest(
            group_id=self.group,
            member_id=self.member_id,
            member_epoch=self.generation,
            instance_id=self.instance_id,
            rack_id=self.rack if whole else None,
            rebalance_timeout_ms=self._rebalance_timeout_ms if whole else -1,
            subscribed_topic_names=list(self.topics) if whole and (self.topics or self.regex is None) else None,
            subscribed_topic_regex=self.regex if whole else None,
            server_assignor=self._server_assignor if whole else None,
            topic_partitions=owned,
        )

    def _reconcile(self) -> None:
        """Go towards the target: first give up, then take, then say so."""
        if self._target is None:
            return
        wanted: set[TopicAndPartition] = set()
        self.unknown_ids = set()
        for topic_id, partitions in self._target.items():
            name = self._names(topic_id)
            if name is None:
                self.unknown_ids.add(topic_id)
            else:
                wanted.update((name, partition) for partition in partitions)
        gone, new = sorted(self.owned - wanted), sorted(wanted - self.owned)
        if gone:
            self.owned.difference_update(gone)
            self._revoking = True
            self._pending.append(Revoke(gone))
            return
        if new:
            self.owned.update(new)
            self._pending.append(Assign(new))
        if not self.unknown_ids:
            self._target = None
            self._tell_owned = not self.share
            self.rebalances += 1

    # ── what happened ───────────────────────────────────────────────────────────────────────────────────────────

    def answered(self, answer: Any, now_ms: float) -> None:
        """The answer to the last heartbeat."""
        self._asked = False
        if self._left:
            return
        code = error_code(answer.error_code)
        if code == ErrorCode.NONE:
            self._interval_ms = max(1.0, answer.heartbeat_interval_ms)
            self._heartbeat_at_ms = now_ms + self._pace_ms(
                answer.assignment is not None and bool(answer.assignment.topic_partitions)
            )
            self._whole = False
            self.generation = answer.member_epoch
            self.member_id = answer.member_id or self.member_id
            if answer.assignment is not None:
                self._target = {row.topic_id: list(row.partitions) for row in answer.assignment.topic_partitions}
            return
        if code in _LOST:
            self._lose()
        elif code.retriable or code == ErrorCode.NOT_COORDINATOR:
            self.failed(now_ms)
        else:
            self._fail(broker_error(code, answer.error_message, api="GroupHeartbeat", hint=_HINTS.get(code)))

    def _pace_ms(self, assigned: bool) -> float:
        """Until the next heartbeat: the broker's interval, but sooner while nothing was assigned yet.

        What others must give up first, and a share group's first look at a topic, is told with the next heartbeat only.
        """
        if assigned or self.owned:
            self._idle_heartbeats = 0
            return self._interval_ms
        self._idle_heartbeats += 1
        return float(min(self._interval_ms, IMPATIENCE_MS * 2 ** min(self._idle_heartbeats, 16)))

    def failed(self, now_ms: float) -> None:
        """The last heartbeat has no answer; the next one says everything again."""
        self._asked = False
        self._whole = True
        self._heartbeat_at_ms = now_ms + min(self._interval_ms, 1000.0)

    def revoked(self, now_ms: float) -> None:
        """What `Revoke` named is given up."""
        self._revoking = False
        self._tell_owned = not self.share

    def changed(self, topics: Sequence[str] | None, reason: str) -> None:
        """Other topics: say so with the next heartbeat, which is due now. New partitions the broker sees itself."""
        if topics is not None and tuple(topics) != self.topics:
            self.topics = tuple(topics)
            self._whole = True
            self._heartbeat_at_ms = 0.0

    def fenced(self) -> None:
        """A commit was refused because the group no longer knows this member or its epoch."""
        if not self._left:
            self._lose()

    def leave(self) -> None:
        """The next step leaves the group."""
        self._leaving = True
        self._pending.clear()

    def _lose(self) -> None:
        lost = sorted(self.owned)
        self.owned = set()
        self._target = None
        self._revoking = self._tell_owned = False
        self._whole = True
        self.generation = JOIN
        self._heartbeat_at_ms = 0.0
        self._pending.clear()
        if lost:
            self._pending.append(Lost(lost))

    def _fail(self, error: ClientError) -> None:
        self._left = True
        self._pending.clear()
        if self.owned:
            self._pending.append(Lost(sorted(self.owned)))
        self.owned = set()
        self._pending.append(Fail(error))


_HINTS = {
    ErrorCode.UNRELEASED_INSTANCE_ID: "another consumer with the same group.instance.id is in the group",
    ErrorCode.UNSUPPORTED_ASSIGNOR: "group.remote.assignor names none of the broker's group.consumer.assignors",
    ErrorCode.INVALID_REQUEST: "is the group of another type (classic, share, streams)?",
}
