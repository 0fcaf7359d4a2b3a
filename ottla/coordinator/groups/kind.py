"""What a shard asks of a group whatever its kind, and of a kind of group: the table behind `GroupShard`.

Groups of all kinds of one partition of `__consumer_offsets` stand in one dict, by group id, for an id belongs to one
group at a time. A *kind* (classic, consumer, share, streams) is one object per shard. It owns the record types, timers
and completions it names, and the shard does nothing but look up whose turn it is:

    replay(record) ── record type ──► kind.replay(key, value)       on_timer(key) ── key[0] ──► kind.on_timer
    on_appended(completion) ── its class ──► kind.on_appended       delete, expire, list, commit ──► the group itself

To add a kind: a `Group`, a `GroupKind`, one line in `GroupShard.__init__`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeVar

from ...metadata.image import MetadataImage
from ...protocol.errors import ErrorCode
from ..decision import Completion, Decision, StoredRecord, TimerKey
from .config import GroupCoordinatorConfig
from .modern.metadata_hash import TopicHashes
from .records import OffsetAndMetadata

__all__ = ["CommitCheck", "Group", "GroupKind", "ShardState"]

#: Judges one partition (topic, topic id, index) of an offset commit; raises `KafkaError` to refuse all of the commit.
CommitCheck = Callable[[str, bytes, int], None]


class Group(ABC):
    """One group, of any kind."""

    __slots__ = ()

    #: The name of the kind, as in ListGroups.
    TYPE: ClassVar[str]
    #: Whether a classic member that joins turns the group, if it is empty, into a classic one.
    CONVERTS: ClassVar[bool] = True
    #: Whether it is forgotten when it is empty and has no offsets.
    EXPIRES: ClassVar[bool] = True
    group_id: str
    #: By member id.
    members: Mapping[str, Any]

    # -- what administrators see ---------------------------------------------------------------------------------

    @property
    @abstractmethod
    def state_name(self) -> str:
        """The state by the name that ListGroups shows."""

    @property
    @abstractmethod
    def listed_protocol_type(self) -> str:
        """The protocol type that ListGroups shows."""

    # -- life ----------------------------------------------------------------------------------------------------

    @abstractmethod
    def is_empty(self) -> bool:
        """Whether nobody is in the group, so that another kind may take its id, or its time may be over."""

    @abstractmethod
    def tombstones(self) -> list[StoredRecord]:
        """Bury everything that is stored of the group but its offsets."""

    @abstractmethod
    def timers(self) -> Iterable[TimerKey]:
        """Name the timers that may be running for the group."""

    @abstractmethod
    def validate_delete(self) -> None:
        """Check that DeleteGroups may have the group; raises NON_EMPTY_GROUP."""

    # -- offsets -------------------------------------------------------------------------------------------------

    @abstractmethod
    def validate_offset_commit(
        self, member_id: str, group_instance_id: str | None, epoch: int, *, transactional: bool, api_version: int
    ) -> CommitCheck | None:
        """Check who commits; `epoch` is a generation or a member epoch. What it returns judges each partition."""

    def validate_offset_fetch(self, member_id: str | None, member_epoch: int) -> None:  # noqa: B027
        """Check who fetches offsets; kinds without member epochs let everybody."""

    @abstractmethod
    def validate_offset_delete(self) -> None:
        """Check that offsets of the group may be deleted at all."""

    @abstractmethod
    def is_subscribed(self, topic: str) -> bool:
        """Whether a member may be reading the topic, so that its offsets are neither deleted nor expired."""

    @abstractmethod
    def offset_age_start(self) -> Callable[[OffsetAndMetadata], int] | None:
        """From when on the retention of an offset counts; None: nothing of this group expires now."""


GroupT = TypeVar("GroupT", bound=Group)


class ShardState:
    """What the kinds of one shard share."""

    __slots__ = ("config", "groups", "image", "loading", "topic_hashes", "topics_created_version")

    def __init__(self, config: GroupCoordinatorConfig) -> None:
        self.config = config
        #: Every group, by id. Invariant: changed by `replay`, but for the live part of classic groups (`classic_group`).
        self.groups: dict[str, Group] = {}
        #: The cluster as this broker knows it now: topics for assignments and patterns, configs of groups.
        self.image = MetadataImage.empty()
        #: Version of the metadata when topics were last created.
        self.topics_created_version = 0
        self.topic_hashes = TopicHashes()
        #: Before `finish_loading`, records make groups; after it, they only confirm what events have made.
        self.loading = True

    def follow(self, image: MetadataImage) -> MetadataImage:
        """Take a new image; returns the one before."""
        old, self.image = self.image, image
        before, after = old.topics, image.topics
        if not self.topics_created_version or (
            after is not before and (len(after) > len(before) or any(before.by_id(topic.id) is None for topic in after))
        ):
            self.topics_created_version = image.version
        return old

    def find(self, group_id: str, kind: type[GroupT]) -> GroupT | None:
        """Return the group if it is of this kind."""
        group = self.groups.get(group_id)
        return group if isinstance(group, kind) else None


class GroupKind(ABC):
    """One kind of group in one shard: what it replays, its timers, its completions."""

    __slots__ = ("state",)

    #: Record types of `__consumer_offsets` that are its own.
    RECORD_TYPES: ClassVar[frozenset[int]] = frozenset()
    #: First words of its timer keys; the second is the group id.
    TIMERS: ClassVar[frozenset[str]] = frozenset()
    COMPLETIONS: ClassVar[tuple[type[Completion], ...]] = ()

    def __init__(self, state: ShardState) -> None:
        self.state = state

    @abstractmethod
    def replay(self, key: Any, value: Any | None, now_ms: int) -> None:
        """Apply one of its records (`protocol/stored/consumer_offsets`); None as value is a tombstone."""

    def finish_loading(self, now_ms: int, decision: Decision) -> None:  # noqa: B027
        """The log has been read: start the timers of its groups."""

    def unload(self, decision: Decision) -> None:  # noqa: B027
        """Send everybody who waits away."""

    def on_timer(self, key: TimerKey, now_ms: int) -> Decision:
        """One of its timers has fired; the group may be gone, or of another kind."""
        raise AssertionError(f"{key} is nobody's timer")

    def on_appended(self, completion: Completion, error: ErrorCode, now_ms: int) -> Decision:
        """Records of one of its decisions are committed, or will never be."""
        raise AssertionError(f"{completion} is nobody's completion")

    def image_changed(self, old: MetadataImage, new: MetadataImage, now_ms: int) -> list[Decision]:
        """Follow the metadata (`ShardState.image` is `new` already)."""
        return []
