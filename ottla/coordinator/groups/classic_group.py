"""A classic consumer group: its members, its generation, and who is waiting for what.

The state is in two parts. `stored` is what the last GroupMetadata record said; only `replay` sets it, and a
restart gives exactly it back. Everything else is *live*: a rebalance under way, which Kafka does not persist
either. When the group is Empty or Stable and no write is under way, the live part says the same as `stored`.

                       first member joins                 all have joined
         ┌───────┐ ───────────────────────► ┌───────────────────────┐ ───────► ┌────────────────────────┐
         │ Empty │                          │  PreparingRebalance   │          │  CompletingRebalance   │
         └───────┘ ◄─────────────────────── └───────────────────────┘ ◄─────── └────────────────────────┘
                       nobody has joined        ▲  a member joins, leaves or fails       │ the leader's
                                                │                  ┌────────┐            │ assignment is
                                                └───────────────── │ Stable │ ◄──────────┘ stored
                                                                   └────────┘
Dead is what a group becomes when its partition is unloaded or it is deleted.

This module has the state and the questions one may ask of it; the events that move it are in `classic`
(requests) and `rebalance` (the transitions). Names and rules: Kafka's ClassicGroup and KIP-62, 345, 394.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from ...protocol import codec
from ...protocol.apis.join_group import JoinGroupResponseMember
from ...protocol.consumer_protocol import ConsumerProtocolSubscription
from ...protocol.errors import ErrorCode, KafkaError, RemoteProtocolError
from ...protocol.stored.consumer_offsets import GroupMetadataValue, MemberMetadata
from ..decision import StoredRecord, Ticket, TimerKey
from .kind import CommitCheck, Group
from .records import OffsetAndMetadata, group_tombstone

__all__ = ["CONSUMER_PROTOCOL_TYPE", "ClassicGroup", "ClassicMember", "GroupState", "Protocols"]

#: The protocol type whose member metadata the broker understands, as far as the topics in it.
CONSUMER_PROTOCOL_TYPE = "consumer"
#: What a member can do: (protocol name, metadata), in its order of preference.
Protocols = tuple[tuple[str, bytes], ...]


class GroupState(Enum):
    """States of a classic group, by the names that ListGroups and DescribeGroups show."""

    EMPTY = "Empty"
    PREPARING_REBALANCE = "PreparingRebalance"
    COMPLETING_REBALANCE = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"


@dataclass(slots=True)
class ClassicMember:
    """A member, as it introduced itself when it last joined."""

    member_id: str
    group_instance_id: str | None
    client_id: str
    client_host: str
    rebalance_timeout_ms: int
    session_timeout_ms: int
    protocol_type: str
    protocols: Protocols
    assignment: bytes = b""
    #: Set until its first rebalance is over. A new member can be expired even while it waits.
    is_new: bool = False

    def metadata(self, protocol_name: str) -> bytes:
        """Return what the member sent for a protocol."""
        return next(metadata for name, metadata in self.protocols if name == protocol_name)


class ClassicGroup(Group):
    """One group. Changed through the methods here by `classic`, `rebalance` and `replay`, and by nobody else."""

    __slots__ = (
        "generation_id", "group_id", "initial_delay", "joins", "leader_id", "members", "new_member_added",
        "pending_members", "pending_sync_members", "previous_state", "protocol_name", "protocol_type", "state", "state_timestamp_ms",
        "static_members", "stored", "subscribed_topics", "supported", "syncs",
    )  # fmt: skip

    TYPE = "classic"

    def __init__(self, group_id: str, now_ms: int) -> None:
        self.group_id = group_id
        #: The last replayed record; None as long as there is none (a new group, or one that only has offsets).
        self.stored: GroupMetadataValue | None = None
        self.state = GroupState.EMPTY
        self.previous_state = GroupState.DEAD
        #: When `state` was entered, wall clock; -1 if a record of an old Kafka does not say.
        self.state_timestamp_ms = now_ms
        self.generation_id = 0
        #: "consumer", "connect" or any other; None for a group nobody has ever joined.
        self.protocol_type: str | None = None
        self.protocol_name: str | None = None
        #: Invariant: a key of `members`, or None if there are none.
        self.leader_id: str | None = None
        self.members: dict[str, ClassicMember] = {}
        #: Member id by group instance id. Invariant: the values are keys of `members`.
        self.static_members: dict[str, str] = {}
        #: Ids handed out with MEMBER_ID_REQUIRED and not used yet. Invariant: disjoint from `members`.
        self.pending_members: set[str] = set()
        #: Members that have got their JoinGroup response and not sent SyncGroup in this generation.
        self.pending_sync_members: set[str] = set()
        #: Who waits for a JoinGroup response, by member id. Invariant: keys are keys of `members`.
        self.joins: dict[str, Ticket] = {}
        #: Who waits for a SyncGroup response, by member id.
        self.syncs: dict[str, Ticket] = {}
        #: How many members can do each protocol.
        self.supported: dict[str, int] = {}
        #: Set during the initial rebalance: (the delay that runs now, how much longer it may all take), both ms.
        self.initial_delay: tuple[int, int] | None = None
        #: Whether somebody came during the delay that runs now.
        self.new_member_added = False
        #: Topics the members subscribed to; None if that cannot be known.
        self.subscribed_topics: frozenset[str] | None = None

    # -- replay ------------------------------------------------------------------------------------------------

    @classmethod
    def from_stored(cls, group_id: str, stored: GroupMetadataValue) -> ClassicGroup:
        """Make the group a record describes: Stable, or Empty if it has no members."""
        group = cls(group_id, stored.current_state_timestamp)
        group.stored = stored
        group.generation_id = stored.generation
        group.protocol_type = stored.protocol_type or None
        group.protocol_name = stored.protocol
        group.leader_id = stored.leader
        group.state = GroupState.STABLE if stored.members else GroupState.EMPTY
        for member in stored.members:
            timeout_ms = member.session_timeout if member.rebalance_timeout == -1 else member.rebalance_timeout
            group.members[member.member_id] = ClassicMember(
                member.member_id, member.group_instance_id, member.client_id, member.client_host, timeout_ms,
                member.session_timeout, stored.protocol_type, ((stored.protocol or "", member.subscription),),
                member.assignment,
            )  # fmt: skip
            if member.group_instance_id is not None:
                group.static_members[member.group_instance_id] = member.member_id
            group._count_protocols(group.members[member.member_id], +1)
        if group.leader_id not in group.members:
            group.leader_id = next(iter(group.members), None)
        group.subscribed_topics = group.compute_subscribed_topics()
        return group

    @classmethod
    def stable(
        cls, group_id: str, generation_id: int, protocol_type: str, members: list[ClassicMember], now_ms: int
    ) -> ClassicGroup:
        """Make a Stable group of these members; their assignments are the caller's."""
        group = cls(group_id, now_ms)
        group.state, group.generation_id, group.protocol_type = GroupState.STABLE, generation_id, protocol_type
        for member in members:
            group.members[member.member_id] = member
            if member.group_instance_id is not None:
                group.static_members[member.group_instance_id] = member.member_id
            group._count_protocols(member, +1)
        group.leader_id = next(iter(group.members), None)
        group.protocol_name = group.select_protocol()
        group.subscribed_topics = group.compute_subscribed_topics()
        return group

    def to_stored(self, assignments: dict[str, bytes]) -> GroupMetadataValue:
        """Write the group as it is, with the assignments of all its members."""
        protocol_name = self.protocol_name
        return GroupMetadataValue(
            protocol_type=self.protocol_type or "",
            generation=self.generation_id,
            protocol=protocol_name,
            leader=self.leader_id,
            current_state_timestamp=self.state_timestamp_ms,
            members=[
                MemberMetadata(
                    member_id=member.member_id,
                    group_instance_id=member.group_instance_id,
                    client_id=member.client_id,
                    client_host=member.client_host,
                    rebalance_timeout=member.rebalance_timeout_ms,
                    session_timeout=member.session_timeout_ms,
                    subscription=member.metadata(protocol_name or ""),
                    assignment=assignments[member.member_id],
                )
                for member in self.members.values()
            ],
        )

    # -- changes -----------------------------------------------------------------------------------------------

    def become(self, state: GroupState, now_ms: int) -> None:
        """Enter a state."""
        self.previous_state, self.state, self.state_timestamp_ms = self.state, state, now_ms

    def add(self, member: ClassicMember, ticket: Ticket) -> None:
        """Take a member in; it waits for its JoinGroup response."""
        if not self.members:
            self.protocol_type = member.protocol_type
        assert self.protocol_type == member.protocol_type
        self.members[member.member_id] = member
        if member.group_instance_id is not None:
            assert member.group_instance_id not in self.static_members
            self.static_members[member.group_instance_id] = member.member_id
        if self.leader_id is None:
            self.leader_id = member.member_id
        self._count_protocols(member, +1)
        self.joins[member.member_id] = ticket
        self.pending_members.discard(member.member_id)

    def update(
        self, member: ClassicMember, protocols: Protocols, rebalance_timeout_ms: int, session_timeout_ms: int
    ) -> None:
        """Let a member speak for itself anew."""
        self._count_protocols(member, -1)
        member.protocols = protocols
        self._count_protocols(member, +1)
        member.rebalance_timeout_ms = rebalance_timeout_ms
        member.session_timeout_ms = session_timeout_ms

    def remove(self, member_id: str) -> None:
        """Forget a member, or the id of one that was expected. Its tickets must have been answered."""
        member = self.members.pop(member_id, None)
        if member is not None:
            self._count_protocols(member, -1)
            if member.group_instance_id is not None:
                del self.static_members[member.group_instance_id]
        if self.leader_id == member_id:
            self.leader_id = next(iter(self.members), None)
        self.joins.pop(member_id, None)
        self.syncs.pop(member_id, None)
        self.pending_members.discard(member_id)
        self.pending_sync_members.discard(member_id)

    def replace_static(self, group_instance_id: str, old_member_id: str, new_member_id: str) -> ClassicMember:
        """Give a static member another id; it keeps its place, its leadership and its assignment."""
        member = self.members.pop(old_member_id)
        member.member_id = new_member_id
        self.members[new_member_id] = member
        if self.leader_id == old_member_id:
            self.leader_id = new_member_id
        self.static_members[group_instance_id] = new_member_id
        if old_member_id in self.pending_sync_members:
            self.pending_sync_members.remove(old_member_id)
            self.pending_sync_members.add(new_member_id)
        return member

    def elect_joined_leader(self) -> bool:
        """Make sure that the leader is a member that has joined; False if there is none."""
        if self.leader_id is not None and self.leader_id in self.joins:
            return True
        if self.leader_id is None or not self.joins:
            return False
        self.leader_id = next(member_id for member_id in self.members if member_id in self.joins)
        return True

    def start_generation(self, now_ms: int) -> None:
        """Begin the next generation with the members there are."""
        self.generation_id += 1
        self.protocol_name = self.select_protocol() if self.members else None
        self.subscribed_topics = self.compute_subscribed_topics()
        self.become(GroupState.COMPLETING_REBALANCE if self.members else GroupState.EMPTY, now_ms)
        self.pending_sync_members.clear()
        self.initial_delay = None

    def _count_protocols(self, member: ClassicMember, step: int) -> None:
        for name in {name for name, _ in member.protocols}:
            count = self.supported.get(name, 0) + step
            if count:
                self.supported[name] = count
            else:
                del self.supported[name]

    # -- questions ---------------------------------------------------------------------------------------------

    def all_have_joined(self) -> bool:
        """Whether nobody is missing for the rebalance under way."""
        return len(self.members) == len(self.joins) and not self.pending_members

    def rebalance_timeout_ms(self) -> int:
        """How long to wait for members: as long as the most patient of them."""
        return max((member.rebalance_timeout_ms for member in self.members.values()), default=0)

    def has_satisfied_heartbeat(self, member: ClassicMember) -> bool:
        """Whether the member need not send heartbeats now, because it waits for us."""
        return not member.is_new and (member.member_id in self.joins or member.member_id in self.syncs)

    def supports(self, protocol_type: str, names: Iterable[str]) -> bool:
        """Whether somebody with these protocols could be a member."""
        if self.state is GroupState.EMPTY:
            return bool(protocol_type) and any(True for _ in names)
        if self.protocol_type != protocol_type:
            return False
        return any(self.supported.get(name, 0) == len(self.members) for name in names)

    def select_protocol(self) -> str:
        """Let the members vote: each for its first protocol among those that all can do."""
        candidates = {name for name, count in self.supported.items() if count == len(self.members)}
        votes: dict[str, int] = {}
        for member in self.members.values():
            choice = next(name for name, _ in member.protocols if name in candidates)
            votes[choice] = votes.get(choice, 0) + 1
        return max(votes, key=lambda name: votes[name])

    def validate_member(self, member_id: str, group_instance_id: str | None) -> None:
        """Check that a request comes from a member; raises UNKNOWN_MEMBER_ID or FENCED_INSTANCE_ID."""
        if group_instance_id is not None:
            existing = self.static_members.get(group_instance_id)
            if existing is None:
                raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
            if existing != member_id:
                raise KafkaError(ErrorCode.FENCED_INSTANCE_ID)
        if member_id not in self.members:
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)

    def validate_offset_commit(
        self, member_id: str, group_instance_id: str | None, epoch: int, *, transactional: bool, api_version: int
    ) -> CommitCheck | None:
        """Check that a commit comes from the present generation, or from outside while the group is empty."""
        if self.state is GroupState.DEAD:
            raise KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
        if epoch < 0 and self.state is GroupState.EMPTY:
            return None
        if epoch >= 0 or member_id or group_instance_id is not None:
            self.validate_member(member_id, group_instance_id)
            if epoch != self.generation_id:
                raise KafkaError(ErrorCode.ILLEGAL_GENERATION)
        elif not transactional:
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
        if not transactional and self.state is GroupState.COMPLETING_REBALANCE:
            raise KafkaError(ErrorCode.REBALANCE_IN_PROGRESS)
        return None

    def validate_delete(self) -> None:
        """Check that nobody is in the group."""
        self._validate_no_members(allow_consumers=False)

    def validate_offset_delete(self) -> None:
        """Check that nobody is in the group, or that we can tell what the members read."""
        self._validate_no_members(allow_consumers=True)

    def _validate_no_members(self, *, allow_consumers: bool) -> None:
        if self.state is GroupState.DEAD:
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {self.group_id} is in dead state.")
        if self.state is not GroupState.EMPTY and not (allow_consumers and self.uses_consumer_protocol()):
            raise KafkaError(ErrorCode.NON_EMPTY_GROUP)

    def offset_age_start(self) -> Callable[[OffsetAndMetadata], int] | None:
        """Count from when the group became empty; or from each commit, if nobody joins it or its members read other topics."""
        if self.protocol_type is not None:
            if self.state is GroupState.EMPTY and self.state_timestamp_ms != -1:
                since_ms = self.state_timestamp_ms
                return lambda _: since_ms
            reads_known = self.uses_consumer_protocol() and self.subscribed_topics is not None
            if self.state is not GroupState.EMPTY and not (self.state is GroupState.STABLE and reads_known):
                return None
        return lambda offset: offset.commit_timestamp_ms

    def is_empty(self) -> bool:
        """Whether there is no member and none is expected."""
        return self.state is GroupState.EMPTY and not self.pending_members

    @property
    def state_name(self) -> str:
        """The state by the name that ListGroups shows."""
        return self.state.value

    @property
    def listed_protocol_type(self) -> str:
        """The protocol type that ListGroups shows."""
        return self.protocol_type or ""

    def tombstones(self) -> list[StoredRecord]:
        """Bury the one record there is."""
        return [group_tombstone(self.group_id)]

    def timers(self) -> list[TimerKey]:
        """Name the timers that may be running."""
        keys: list[TimerKey] = [("join", self.group_id), ("sync", self.group_id)]
        return keys + [("heartbeat", self.group_id, member_id) for member_id in (*self.members, *self.pending_members)]

    def uses_consumer_protocol(self) -> bool:
        """Whether the members are ordinary consumers."""
        return self.protocol_type == CONSUMER_PROTOCOL_TYPE

    def is_subscribed(self, topic: str) -> bool:
        """Whether a member may be reading the topic; consumers of unknown subscription are taken to read all."""
        if self.subscribed_topics is None:
            return self.uses_consumer_protocol()
        return topic in self.subscribed_topics

    def compute_subscribed_topics(self) -> frozenset[str] | None:
        """Read the topics out of the members' subscriptions; None if there is one we cannot read."""
        if not self.uses_consumer_protocol():
            return None
        if not self.members:
            return frozenset()
        if self.protocol_name is None:
            return None
        decode = codec.decoder(ConsumerProtocolSubscription, 0)
        topics: set[str] = set()
        for member in self.members.values():
            try:
                # Two bytes of version; version 0 is the beginning of all later ones and has the topics.
                subscription, _ = decode(member.metadata(self.protocol_name), 2)
            except RemoteProtocolError:
                return None  # The bytes are the clients' own affair; we only do not know.
            topics.update(subscription.topics)
        return frozenset(topics)

    def response_members(self) -> list[JoinGroupResponseMember]:
        """List the members as the leader needs them to assign partitions."""
        protocol_name = self.protocol_name or ""
        return [
            JoinGroupResponseMember(
                member_id=member.member_id,
                group_instance_id=member.group_instance_id,
                metadata=member.metadata(protocol_name),
            )
            for member in self.members.values()
        ]
