"""The settings of the group coordinator, resolved: Kafka's keys with dots as underscores, and its defaults."""

from __future__ import annotations

from dataclasses import dataclass, field

from .consumer.config import ConsumerConfig
from .share.config import ShareConfig
from .streams.config import StreamsConfig

__all__ = ["NEW_MEMBER_JOIN_TIMEOUT_MS", "PENDING_MEMBERS_MAX", "GroupCoordinatorConfig"]

#: How long a member that has just been added may stay silent while its first rebalance is under way. Kafka fixes
#: it at five minutes: longer than any sane rebalance, short enough to forget clients that gave up.
NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60 * 1000
#: Member ids handed out in one group and not yet used. Kafka sets no bound, so that a client which joins in a
#: loop grows the broker for the length of its session timeout; beyond this: GROUP_MAX_SIZE_REACHED.
PENDING_MEMBERS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class GroupCoordinatorConfig:
    """What the coordinator needs of the broker's configuration."""

    group_min_session_timeout_ms: int = 6_000
    group_max_session_timeout_ms: int = 1_800_000
    group_initial_rebalance_delay_ms: int = 3_000
    group_max_size: int = 2**31 - 1
    offset_metadata_max_bytes: int = 4_096
    offsets_retention_ms: int = 7 * 24 * 60 * 60 * 1000
    consumer: ConsumerConfig = field(default_factory=ConsumerConfig)
    share: ShareConfig = field(default_factory=ShareConfig)
    streams: StreamsConfig = field(default_factory=StreamsConfig)
