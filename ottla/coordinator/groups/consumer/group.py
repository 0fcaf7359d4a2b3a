"""A consumer group (KIP-848): members with epochs, patterns they subscribe to, who holds which partition.

What is here is stored, and changes in `replay` alone (`kind`): it is the sum of the records of the group. Everything else
computes what the next records should be.

    subscribed topics = names members give  +  topics that match the patterns members give ("resolved")
    owners            = partition -> member that has it or has yet to give it back; nobody gets a partition that has one
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from ....protocol.errors import ErrorCode, KafkaError
from ...decision import StoredRecord, TimerKey
from ..classic_group import CONSUMER_PROTOCOL_TYPE
from ..kind import CommitCheck
from ..modern.group import ModernGroup, adjust
from ..records import OffsetAndMetadata
from . import records
from .member import ConsumerMember

__all__ = ["ConsumerGroup", "ResolvedPattern", "join_key", "member_timers", "rebalance_key", "session_key", "sync_key"]

#: From this version of OffsetCommit a member epoch has its place in the request.
_MEMBER_EPOCH_SINCE = 9
_NO_EPOCH = -1


def session_key(group_id: str, member_id: str) -> TimerKey:
    """Name the timer of a member's session."""
    return ("consumer-session", group_id, member_id)


def rebalance_key(group_id: str, member_id: str) -> TimerKey:
    """Name the timer within which a member has to give partitions back."""
    return ("consumer-rebalance", group_id, member_id)


def join_key(group_id: str, member_id: str) -> TimerKey:
    """Name the timer within which a classic member has to join again."""
    return ("consumer-join", group_id, member_id)


def sync_key(group_id: str, member_id: str) -> TimerKey:
    """Name the timer within which a classic member has to sync."""
    return ("consumer-sync", group_id, member_id)


class ResolvedPattern(NamedTuple):
    """The topics that match a pattern, in a version of the metadata."""

    topics: frozenset[str]
    version: int
    timestamp_ms: int


class ConsumerGroup(ModernGroup[ConsumerMember]):
    """One group."""

    __slots__ = (
        "assignors", "classic_count", "has_subscription_metadata", "owners", "pattern_counts", "pattern_topics",
        "protocols", "resolved",
    )  # fmt: skip

    TYPE = "consumer"

    def __init__(self, group_id: str) -> None:
        super().__init__(group_id)
        #: Topic id -> partition -> member that has it, or has to give it back.
        self.owners: dict[bytes, dict[int, str]] = {}
        #: How many members ask for each assignor.
        self.assignors: dict[str, int] = {}
        #: How many members subscribe to each pattern, and what it matches.
        self.pattern_counts: dict[str, int] = {}
        self.resolved: dict[str, ResolvedPattern] = {}
        #: How many of the resolved patterns match each topic.
        self.pattern_topics: dict[str, int] = {}
        #: Members of the classic protocol: how many, and how many of them can do each assignor.
        self.classic_count = 0
        self.protocols: dict[str, int] = {}
        #: Whether there is a record of Kafka before 4.1 to bury.
        self.has_subscription_metadata = False

    # -- changes (replay) ----------------------------------------------------------------------------------------

    def put_member(self, member: ConsumerMember) -> None:
        """Add or replace a member."""
        old = self.members.get(member.member_id)
        super().put_member(member)
        if (
            old is not None
            and old.assigned_partitions is member.assigned_partitions
            and old.partitions_pending_revocation is member.partitions_pending_revocation
        ):
            return
        if old is not None:
            self._disown(old)
        for assignment in (member.assigned_partitions, member.partitions_pending_revocation):
            for topic_id, partitions in assignment.items():
                self.owners.setdefault(topic_id, {}).update(dict.fromkeys(partitions, member.member_id))

    def remove_member(self, member_id: str) -> None:
        """Forget a member."""
        self._disown(self.members[member_id])
        super().remove_member(member_id)

    def _disown(self, member: ConsumerMember) -> None:
        for assignment in (member.assigned_partitions, member.partitions_pending_revocation):
            for topic_id, partitions in assignment.items():
                owners = self.owners.get(topic_id, {})
                for partition in partitions:
                    if owners.get(partition) == member.member_id:
                        del owners[partition]
                if not owners:
                    self.owners.pop(topic_id, None)

    def _count(self, old: ConsumerMember | None, new: ConsumerMember | None) -> None:
        super()._count(old, new)
        for member, step in ((old, -1), (new, +1)):
            if member is None:
                continue
            adjust(self.assignors, [member.server_assignor] if member.server_assignor is not None else [], step)
            adjust(self.pattern_counts, [member.pattern] if member.pattern is not None else [], step)
            if member.classic is not None:
                self.classic_count += step
                adjust(self.protocols, (name for name, _ in member.classic.protocols), step)

    def put_resolved(self, pattern: str, resolved: ResolvedPattern | None) -> None:
        """Set or remove what a pattern matches."""
        old = self.resolved.pop(pattern, None)
        if old is not None:
            adjust(self.pattern_topics, old.topics, -1)
        if resolved is not None:
            self.resolved[pattern] = resolved
            adjust(self.pattern_topics, resolved.topics, +1)

    # -- questions -----------------------------------------------------------------------------------------------

    def subscribed_names(self) -> Mapping[str, object]:
        """The names of all topics somebody subscribed to, by name or by pattern."""
        return self.name_counts if not self.pattern_topics else {**self.name_counts, **self.pattern_topics}

    def is_subscribed(self, topic: str) -> bool:
        """Whether a member may be reading the topic."""
        return topic in self.name_counts or topic in self.pattern_topics

    def topics_of(self, member: ConsumerMember) -> frozenset[str]:
        """The names of the topics a member subscribed to, those its pattern matches included."""
        resolved = None if member.pattern is None else self.resolved.get(member.pattern)
        return member.subscribed_topic_names if resolved is None else member.subscribed_topic_names | resolved.topics

    def waits_for_others(self, member: ConsumerMember) -> bool:
        """Whether partitions that the member shall have are still with others."""
        for topic_id, partitions in self.target.get(member.member_id, {}).items():
            missing = partitions - member.assigned_partitions.get(topic_id, frozenset())
            if not missing.isdisjoint(self.owners.get(topic_id, ())):
                return True
        return False

    def supports_classic(self, protocol_type: str, names: Iterable[str]) -> bool:
        """Whether a classic member with these protocols could be in the group."""
        if protocol_type != CONSUMER_PROTOCOL_TYPE:
            return False
        if not self.members:
            return any(True for _ in names)
        return any(self.protocols.get(name, 0) == self.classic_count for name in names)

    def is_classic_without(self, leaving: Iterable[ConsumerMember]) -> bool:
        """Whether, without some members, all that remain speak the classic protocol."""
        gone = list(leaving)
        return self.classic_count - sum(member.is_classic for member in gone) == len(self.members) - len(gone)

    def preferred_assignor(self, old: ConsumerMember | None, new: ConsumerMember | None) -> str | None:
        """The assignor most members ask for, once `new` has taken the place of `old`."""
        counts = dict(self.assignors)
        for member, step in ((old, -1), (new, +1)):
            if member is not None and member.server_assignor is not None:
                adjust(counts, [member.server_assignor], step)
        return max(counts, key=lambda name: counts[name]) if counts else None

    # -- Group ---------------------------------------------------------------------------------------------------

    @property
    def listed_protocol_type(self) -> str:
        """The protocol type that ListGroups shows."""
        return CONSUMER_PROTOCOL_TYPE

    def tombstones(self) -> list[StoredRecord]:
        """Bury everything that is stored of the group but its offsets."""
        return records.group_tombstones(self.group_id, self.members, self.resolved)

    def timers(self) -> list[TimerKey]:
        """Name the timers that may be running."""
        return [key for member_id in self.members for key in member_timers(self.group_id, member_id)]

    def validate_offset_commit(
        self, member_id: str, group_instance_id: str | None, epoch: int, *, transactional: bool, api_version: int
    ) -> CommitCheck | None:
        """Check that a commit comes from a member in its present epoch, or from outside while there is no member."""
        if epoch < 0 and not self.members:
            return None
        if transactional and epoch == _NO_EPOCH and not member_id and group_instance_id is None:
            return None  # A producer of before KIP-447 does not say for whom it commits.
        member = self.member(member_id)
        if not transactional and not member.is_classic and api_version < _MEMBER_EPOCH_SINCE:
            raise KafkaError(
                ErrorCode.UNSUPPORTED_VERSION,
                "OffsetCommit version 9 or above must be used by members using the modern group protocol",
            )
        _check_epoch(member, epoch)
        return None

    def validate_offset_fetch(self, member_id: str | None, member_epoch: int) -> None:
        """Check that a member that says so is one, in its present epoch."""
        if member_id is None and member_epoch < 0:
            return
        _check_epoch(self.member(member_id or ""), member_epoch)

    def validate_offset_delete(self) -> None:
        """Offsets of topics that nobody reads may always be deleted."""

    def offset_age_start(self) -> Callable[[OffsetAndMetadata], int]:
        """Count from each commit."""
        return lambda offset: offset.commit_timestamp_ms


def member_timers(group_id: str, member_id: str) -> list[TimerKey]:
    """Name the timers that may be running for a member."""
    return [key(group_id, member_id) for key in (session_key, rebalance_key, join_key, sync_key)]


def _check_epoch(member: ConsumerMember, epoch: int) -> None:
    if epoch == member.member_epoch:
        return
    if member.is_classic:
        raise KafkaError(
            ErrorCode.ILLEGAL_GENERATION,
            f"The received generation id {epoch} does not match the expected member epoch {member.member_epoch}.",
        )
    raise KafkaError(
        ErrorCode.STALE_MEMBER_EPOCH,
        f"The received member epoch {epoch} does not match the expected member epoch {member.member_epoch}.",
    )
