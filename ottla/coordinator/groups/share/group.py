"""A share group: its members, and which share partitions have state.

Before a partition is assigned, the share coordinator must have begun its state; when it is not read any more, that state
has to go. Where the two coordinators stand with each other is stored with the group (record 15):

    (subscribed) ──► initializing ──► initialized ──► deleting ──► (gone)
                          │  failed: taken out, or begun again after a while
                          └──► (subscribed)

Only initialized partitions are assigned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, NoReturn

from ....protocol.errors import ErrorCode, KafkaError
from ...decision import StoredRecord, TimerKey
from ..kind import CommitCheck
from ..modern.assignment import NOTHING, Assignment
from ..modern.group import ModernGroup, ModernMember
from ..records import OffsetAndMetadata
from . import records

__all__ = ["NO_STATES", "ShareGroup", "StateTopic", "States", "session_key"]

#: What ListGroups shows as protocol type.
PROTOCOL_TYPE = "share"


class StateTopic(NamedTuple):
    """Partitions of one topic."""

    name: str
    partitions: frozenset[int]


class States(NamedTuple):
    """The share partitions of a group by topic id. Nobody writes to the maps."""

    initializing: Mapping[bytes, StateTopic] = {}
    initialized: Mapping[bytes, StateTopic] = {}
    #: Topic id -> name.
    deleting: Mapping[bytes, str] = {}
    #: When that was written; an initialization that began too long ago is begun again.
    written_ms: int = 0

    def topic_ids(self) -> set[bytes]:
        """Return the topics of all three."""
        return {*self.initializing, *self.initialized, *self.deleting}


NO_STATES = States()


def session_key(group_id: str, member_id: str) -> TimerKey:
    """Name the timer that removes a silent member."""
    return ("share-session", group_id, member_id)


class ShareGroup(ModernGroup[ModernMember]):
    """One share group."""

    __slots__ = ("sharers", "states")

    TYPE = "share"
    #: It keeps its share partitions when nobody is in it, until it is deleted.
    EXPIRES = False

    def __init__(self, group_id: str) -> None:
        super().__init__(group_id)
        self.states = NO_STATES
        #: How many members each partition of the target assignment is shared by: topic id -> partition -> count.
        self.sharers: dict[bytes, dict[int, int]] = {}

    def set_target(self, member_id: str, assignment: Assignment | None) -> None:
        """Set or remove what a member shall have (replay)."""
        self._count_sharers(self.target.pop(member_id, NOTHING), -1)
        if assignment is not None:
            self.target[member_id] = assignment
            self._count_sharers(assignment, +1)

    def _count_sharers(self, assignment: Assignment, step: int) -> None:
        for topic_id, partitions in assignment.items():
            counts = self.sharers.setdefault(topic_id, {})
            for partition in partitions:
                counts[partition] = counts.get(partition, 0) + step
                if not counts[partition]:
                    del counts[partition]
            if not counts:
                del self.sharers[topic_id]

    @property
    def state_name(self) -> str:
        """The state by the name that ListGroups shows: members need not wait for each other."""
        return "Stable" if self.members else "Empty"

    @property
    def listed_protocol_type(self) -> str:
        """The protocol type that ListGroups shows."""
        return PROTOCOL_TYPE

    def subscribed_names(self) -> Mapping[str, object]:
        """The names of all topics somebody subscribed to."""
        return self.name_counts

    def tombstones(self) -> list[StoredRecord]:
        """Bury everything that is stored of the group."""
        group_id = self.group_id
        return [
            *(records.current_assignment_tombstone(group_id, member_id) for member_id in self.members),
            *(records.target_assignment_tombstone(group_id, member_id) for member_id in self.members),
            records.target_epoch_tombstone(group_id),
            *(records.member_tombstone(group_id, member_id) for member_id in self.members),
            records.states_tombstone(group_id),
            records.group_epoch_tombstone(group_id),
        ]

    def timers(self) -> Iterable[TimerKey]:
        """Name the timers that may be running."""
        return [session_key(self.group_id, member_id) for member_id in self.members]

    # -- a share group has no committed offsets ------------------------------------------------------------------

    def validate_offset_commit(
        self, member_id: str, group_instance_id: str | None, epoch: int, *, transactional: bool, api_version: int
    ) -> CommitCheck | None:
        """Refuse: offsets are committed by consumer groups."""
        self._refuse_offsets()

    def validate_offset_delete(self) -> None:
        """Refuse."""
        self._refuse_offsets()

    def _refuse_offsets(self) -> NoReturn:
        raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {self.group_id} is not a consumer group.")

    def offset_age_start(self) -> Callable[[OffsetAndMetadata], int] | None:
        """Nothing expires."""
        return None
