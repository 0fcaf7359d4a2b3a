"""A group whose members have epochs: what consumer and share groups have in common.

    group epoch    rises when members, subscriptions or topics change       ─┐
    target epoch   the group epoch that the target assignment was made for  ─┤ equal: nothing to do
    member epoch   the target epoch that a member has reached               ─┘

    Empty (nobody) · Assigning (group epoch > target epoch) · Reconciling (a member is behind) · Stable

All of it but `metadata_checked` is stored, and changes by `replay` alone.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Generic, TypeVar

from ....protocol.errors import ErrorCode, KafkaError
from ..kind import Group
from .assignment import NOTHING, Assignment

__all__ = ["MemberState", "MemberT", "ModernGroup", "ModernMember"]

#: The epoch of a member that has left, and of a target assignment that is gone.
LEFT_EPOCH = -1


class MemberState(IntEnum):
    """How far a member is on its way to the target assignment, by the numbers in records."""

    STABLE = 0
    #: It has to give partitions back before it may have others.
    UNREVOKED_PARTITIONS = 1
    #: Partitions it shall have are still with others.
    UNRELEASED_PARTITIONS = 2
    #: Written by a newer version of the coordinator.
    UNKNOWN = 127

    @classmethod
    def of(cls, number: int) -> MemberState:
        """Return the state of a number in a record."""
        return cls(number) if number in (0, 1, 2) else cls.UNKNOWN


@dataclass(frozen=True, slots=True)
class ModernMember:
    """A member; replaced, never changed."""

    member_id: str
    member_epoch: int = 0
    previous_member_epoch: int = 0
    state: MemberState = MemberState.STABLE
    instance_id: str | None = None
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    subscribed_topic_names: frozenset[str] = frozenset()
    assigned_partitions: Assignment = field(default_factory=lambda: NOTHING)

    def is_reconciled_to(self, target_epoch: int) -> bool:
        """Whether the member has what the target assignment of this epoch gives it."""
        return self.state is MemberState.STABLE and self.member_epoch == target_epoch


MemberT = TypeVar("MemberT", bound=ModernMember)


class ModernGroup(Group, Generic[MemberT]):
    """One group. The kinds derive from it."""

    __slots__ = (
        "group_epoch", "group_id", "members", "metadata_checked", "metadata_hash", "name_counts", "static_members",
        "target", "target_epoch", "target_owners",
    )  # fmt: skip

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.group_epoch = 0
        self.metadata_hash = 0
        self.members: dict[str, MemberT] = {}
        #: Member id by group instance id.
        self.static_members: dict[str, str] = {}
        #: How many members name each topic.
        self.name_counts: dict[str, int] = {}
        self.target_epoch = 0
        self.target: dict[str, Assignment] = {}
        #: The target assignment the other way round: topic id -> partition -> member.
        self.target_owners: dict[bytes, dict[int, str]] = {}
        #: Whether topics are known not to have changed since the last look. Forgotten by a restart.
        self.metadata_checked = False

    # -- members -------------------------------------------------------------------------------------------------

    def member(self, member_id: str) -> MemberT:
        """Find a member; raises UNKNOWN_MEMBER_ID."""
        member = self.members.get(member_id)
        if member is None:
            raise KafkaError(
                ErrorCode.UNKNOWN_MEMBER_ID, f"Member {member_id} is not a member of group {self.group_id}."
            )
        return member

    def static_member(self, instance_id: str | None) -> MemberT | None:
        """Find the member that bears an instance id now."""
        member_id = None if instance_id is None else self.static_members.get(instance_id)
        return None if member_id is None else self.members[member_id]

    def put_member(self, member: MemberT) -> None:
        """Add or replace a member (replay)."""
        old = self.members.get(member.member_id)
        self.members[member.member_id] = member
        if member.instance_id is not None:
            self.static_members[member.instance_id] = member.member_id
        self._count(old, member)

    def remove_member(self, member_id: str) -> None:
        """Forget a member (replay)."""
        old = self.members.pop(member_id)
        if old.instance_id is not None and self.static_members.get(old.instance_id) == member_id:
            del self.static_members[old.instance_id]
        self._count(old, None)

    def _count(self, old: MemberT | None, new: MemberT | None) -> None:
        """Keep what is counted over members up to date."""
        before = frozenset() if old is None else old.subscribed_topic_names
        after = frozenset() if new is None else new.subscribed_topic_names
        if before is not after:
            adjust(self.name_counts, before - after, -1)
            adjust(self.name_counts, after - before, +1)

    # -- target assignment ---------------------------------------------------------------------------------------

    def set_target(self, member_id: str, assignment: Assignment | None) -> None:
        """Set or remove what a member shall have (replay)."""
        old = self.target.get(member_id, NOTHING)
        for topic_id, partitions in old.items():
            owners = self.target_owners.get(topic_id, {})
            for partition in partitions:
                if owners.get(partition) == member_id:
                    del owners[partition]
            if not owners:
                self.target_owners.pop(topic_id, None)
        if assignment is None:
            self.target.pop(member_id, None)
            return
        self.target[member_id] = assignment
        for topic_id, partitions in assignment.items():
            self.target_owners.setdefault(topic_id, {}).update(dict.fromkeys(partitions, member_id))

    def target_of(self, member_id: str, instance_id: str | None = None) -> Assignment:
        """What a member shall have; a static member that comes back has what it had under its old id."""
        if instance_id is not None:
            member_id = self.static_members.get(instance_id, "")
        return self.target.get(member_id, NOTHING)

    # -- Group ---------------------------------------------------------------------------------------------------

    @property
    def state_name(self) -> str:
        """The state by the name that ListGroups shows."""
        if not self.members:
            return "Empty"
        if self.group_epoch > self.target_epoch:
            return "Assigning"
        epoch = self.target_epoch
        return "Stable" if all(member.is_reconciled_to(epoch) for member in self.members.values()) else "Reconciling"

    def is_empty(self) -> bool:
        """Whether there is no member."""
        return not self.members

    def validate_delete(self) -> None:
        """Check that nobody is in the group."""
        if self.members:
            raise KafkaError(ErrorCode.NON_EMPTY_GROUP)

    def is_subscribed(self, topic: str) -> bool:
        """Whether a member may be reading the topic."""
        return topic in self.subscribed_names()

    @abstractmethod
    def subscribed_names(self) -> Mapping[str, object]:
        """The names of all topics somebody subscribed to, in whatever way."""


def adjust(counts: dict[str, int], names: Iterable[str], step: int) -> None:
    """Count names up or down; what comes to nothing is not kept."""
    for name in names:
        count = counts.get(name, 0) + step
        if count > 0:
            counts[name] = count
        else:
            counts.pop(name, None)
