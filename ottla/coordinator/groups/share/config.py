"""The settings of share groups: the broker's, and what a group may set for itself (`share.*` group configs)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ShareConfig"]


@dataclass(frozen=True, slots=True)
class ShareConfig:
    """What the coordinator needs: Kafka's keys behind `group.share.` with dots as underscores, and its defaults."""

    session_timeout_ms: int = 45_000
    heartbeat_interval_ms: int = 5_000
    max_size: int = 200
    #: How long an initialization that was begun is waited for, before it is begun again.
    initialize_retry_interval_ms: int = 30_000

    def of_group(self, configs: Mapping[str, str]) -> ShareConfig:
        """Apply what is set for one group; its values were checked when they were set."""
        if not configs:
            return self
        return ShareConfig(
            session_timeout_ms=int(configs.get("share.session.timeout.ms", self.session_timeout_ms)),
            heartbeat_interval_ms=int(configs.get("share.heartbeat.interval.ms", self.heartbeat_interval_ms)),
            max_size=self.max_size,
            initialize_retry_interval_ms=self.initialize_retry_interval_ms,
        )
