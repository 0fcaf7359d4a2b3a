"""A member of a consumer group. One that speaks the classic protocol has `classic`, what it said in JoinGroup."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from ..classic_group import Protocols
from ..modern.assignment import NOTHING, Assignment
from ..modern.group import ModernMember

__all__ = ["ClassicSide", "ConsumerMember"]


class ClassicSide(NamedTuple):
    """What a consumer group remembers of a member that uses JoinGroup, SyncGroup and Heartbeat."""

    session_timeout_ms: int
    #: Assignors with the subscription written for each, in the member's order; the first counts.
    protocols: Protocols


@dataclass(frozen=True, slots=True)
class ConsumerMember(ModernMember):
    """A member; replaced, never changed."""

    rebalance_timeout_ms: int = -1
    #: A pattern; "" and None: none. (Kafka stores both, and both come back from its log.)
    subscribed_topic_regex: str | None = ""
    server_assignor: str | None = None
    partitions_pending_revocation: Assignment = field(default_factory=lambda: NOTHING)
    classic: ClassicSide | None = None

    @property
    def pattern(self) -> str | None:
        """The pattern the member subscribed to, or None."""
        return self.subscribed_topic_regex or None

    @property
    def is_classic(self) -> bool:
        """Whether the member speaks the classic protocol."""
        return self.classic is not None
