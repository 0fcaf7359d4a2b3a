"""Runs a `GroupShard` in memory: a list for a log, a number for a clock, strings for those who wait.

Appends can be held, released or failed; `restart` replays the log into a fresh shard, as a broker does. Clients are
names: "A" joins, and from then on "A" means the member id it was given. Used by the conversations in
`tests/scripts` and by the property tests.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ottla.coordinator import Decision, GroupCoordinatorConfig, GroupShard, RequestContext, StoredRecord
from ottla.coordinator.deadlines import Deadlines
from ottla.protocol import codec
from ottla.protocol.apis.heartbeat import HeartbeatRequest
from ottla.protocol.apis.join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from ottla.protocol.apis.leave_group import LeaveGroupRequest, MemberIdentity
from ottla.protocol.apis.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from ottla.protocol.apis.sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from ottla.protocol.consumer_protocol import ConsumerProtocolSubscription
from ottla.protocol.errors import ErrorCode, KafkaError

START_MS = 1_700_000_000_000


class Answer(NamedTuple):
    """A response and who got it."""

    who: str
    response: Any


class Ticket(NamedTuple):
    """What the driver gives the shard as ticket: the client's name and a number, so that no two are equal."""

    who: str
    number: int


def subscription(topics: list[str]) -> bytes:
    """Write what a consumer puts into JoinGroup."""
    return (0).to_bytes(2, "big") + codec.encode(ConsumerProtocolSubscription(topics=topics), 0)


class GroupDriver:
    """A shard, its log, its clock, and what its clients know."""

    def __init__(self, config: GroupCoordinatorConfig | None = None, group_id: str = "g") -> None:
        self.config = config or GroupCoordinatorConfig()
        self.group_id = group_id
        self.now_ms = START_MS
        self.log: list[StoredRecord] = []
        self.answers: list[Answer] = []
        self.notes: list[str] = []
        #: What each client was last told: its member id and generation.
        self.member_ids: dict[str, str] = {}
        self.generations: dict[str, int] = {}
        self.holding = False
        self._held: list[tuple[str, Decision]] = []
        self._next_id = 0
        self._tickets = 0
        self.restart()

    # -- the shell's part ----------------------------------------------------------------------------------------

    def restart(self) -> None:
        """Forget everything but the log."""
        self.shard = GroupShard(self.config)
        self.deadlines = Deadlines()
        self._held = []
        for offset, record in enumerate(self.log):
            self.shard.replay(record, offset, self.now_ms)
        self.carry_out("", self.shard.finish_loading(self.now_ms))

    def carry_out(self, who: str, decision: Decision) -> None:
        """Do what a decision says, in the order that `decision` draws."""
        self.notes += decision.notes
        for ticket, response in decision.replies:
            assert isinstance(ticket, Ticket)
            self._answer(ticket.who, response)
        self.deadlines.apply(decision.timers, self.now_ms)
        for record in decision.records:
            self.shard.replay(record, len(self.log), self.now_ms)
            self.log.append(record)
        if decision.records and self.holding:
            self._held.append((who, decision))
        else:
            self._finish(who, decision, ErrorCode.NONE)

    def _finish(self, who: str, decision: Decision, error: ErrorCode) -> None:
        if decision.response is not None:
            self._answer(who, error if error else decision.response)
        if decision.completion is not None:
            self.carry_out(who, self.shard.on_appended(decision.completion, error, self.now_ms))

    def release(self, error: ErrorCode = ErrorCode.NONE) -> None:
        """Let the held appends succeed, or fail."""
        held, self._held, self.holding = self._held, [], False
        for who, decision in held:
            self._finish(who, decision, error)

    def tick(self, ms: int) -> None:
        """Let time pass; timers fire at their moment."""
        end_ms = self.now_ms + ms
        while True:
            next_ms = self.deadlines.next_ms()
            if next_ms is None or next_ms > end_ms:
                break
            self.now_ms = max(self.now_ms, next_ms)
            key = self.deadlines.pop_due(self.now_ms)
            if key is not None:
                self.carry_out("", self.shard.on_timer(key, self.now_ms))
        self.now_ms = end_ms

    def _answer(self, who: str, response: Any) -> None:
        if isinstance(response, JoinGroupResponse):
            if response.member_id and response.error_code in (ErrorCode.NONE, ErrorCode.MEMBER_ID_REQUIRED):
                self.member_ids[who] = response.member_id
            if not response.error_code:
                self.generations[who] = response.generation_id
        self.answers.append(Answer(who, response))

    def take_answers(self) -> list[Answer]:
        """Return the answers since the last call."""
        answers, self.answers = self.answers, []
        return answers

    # -- what clients send ---------------------------------------------------------------------------------------

    def context(self, who: str, version: int) -> RequestContext:
        return RequestContext(version, who, "/127.0.0.1")

    def ticket(self, who: str) -> Ticket:
        self._tickets += 1
        return Ticket(who, self._tickets)

    def join(
        self, who: str, *, version: int = 9, member_id: str | None = None, instance: str | None = None,
        protocols: dict[str, bytes] | None = None, topics: list[str] | None = None, protocol_type: str = "consumer",
        session_ms: int = 10_000, rebalance_ms: int = 60_000, reason: str | None = None,
    ) -> None:  # fmt: skip
        self._next_id += 1
        chosen = protocols if protocols is not None else {"range": subscription(topics or ["t"])}
        request = JoinGroupRequest(
            group_id=self.group_id,
            session_timeout_ms=session_ms,
            rebalance_timeout_ms=rebalance_ms,
            member_id=self.member_ids.get(who, "") if member_id is None else member_id,
            group_instance_id=instance,
            protocol_type=protocol_type,
            protocols=[JoinGroupRequestProtocol(name=name, metadata=data) for name, data in chosen.items()],
            reason=reason,
        )
        decision = self.shard.join(
            request, self.context(who, version), self.ticket(who), str(self._next_id), self.now_ms
        )
        self.carry_out(who, decision)

    def sync(
        self, who: str, assignments: dict[str, bytes] | None = None, *, generation: int | None = None,
        member_id: str | None = None, instance: str | None = None, protocol_type: str | None = None,
        protocol_name: str | None = None,
    ) -> None:  # fmt: skip
        request = SyncGroupRequest(
            group_id=self.group_id,
            generation_id=self.generations.get(who, -1) if generation is None else generation,
            member_id=self.member_ids.get(who, "") if member_id is None else member_id,
            group_instance_id=instance,
            protocol_type=protocol_type,
            protocol_name=protocol_name,
            assignments=[
                SyncGroupRequestAssignment(member_id=self.member_ids.get(name, name), assignment=data)
                for name, data in (assignments or {}).items()
            ],
        )
        self.carry_out(who, self.shard.sync(request, self.ticket(who)))

    def heartbeat(self, who: str, *, generation: int | None = None, instance: str | None = None) -> None:
        request = HeartbeatRequest(
            group_id=self.group_id,
            generation_id=self.generations.get(who, -1) if generation is None else generation,
            member_id=self.member_ids.get(who, ""),
            group_instance_id=instance,
        )
        self.carry_out(who, self.shard.heartbeat(request))

    def leave(self, *whos: str, instances: list[str] | None = None, version: int = 5) -> None:
        members = [MemberIdentity(member_id=self.member_ids.get(who, who)) for who in whos]
        members += [MemberIdentity(member_id="", group_instance_id=instance) for instance in instances or []]
        request = LeaveGroupRequest(group_id=self.group_id, members=members, member_id=members[0].member_id)
        who = ",".join(whos) or "admin"
        self.carry_out(who, self.shard.leave(request, self.context(who, version), self.now_ms))

    def commit(
        self, who: str, offsets: dict[tuple[str, int], int], *, metadata: str = "", generation: int | None = None,
        member_id: str | None = None, version: int = 9, retention_ms: int = -1,
    ) -> None:  # fmt: skip
        topics: dict[str, list[OffsetCommitRequestPartition]] = {}
        for (topic, partition), offset in offsets.items():
            topics.setdefault(topic, []).append(
                OffsetCommitRequestPartition(
                    partition_index=partition, committed_offset=offset, committed_metadata=metadata
                )
            )
        request = OffsetCommitRequest(
            group_id=self.group_id,
            generation_id_or_member_epoch=self.generations.get(who, -1) if generation is None else generation,
            member_id=self.member_ids.get(who, "") if member_id is None else member_id,
            retention_time_ms=retention_ms,
            topics=[OffsetCommitRequestTopic(name=name, partitions=parts) for name, parts in topics.items()],
        )
        try:
            decision = self.shard.commit_offsets(request, self.context(who, version), self.now_ms)
        except KafkaError as error:
            self._answer(who, error.code)
            return
        self.carry_out(who, decision)

    def offsets(self) -> dict[tuple[str, int], int]:
        """Everything the group has committed."""
        from ottla.protocol.apis.offset_fetch import OffsetFetchRequestGroup

        found = self.shard.fetch_offsets(
            OffsetFetchRequestGroup(group_id=self.group_id, topics=None), require_stable=True
        )
        return {
            (topic.name, partition.partition_index): partition.committed_offset
            for topic in found.topics
            for partition in topic.partitions
        }
