"""The settings of the share coordinator, resolved: Kafka's keys with dots as underscores, and its defaults."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ShareCoordinatorConfig"]


@dataclass(frozen=True, slots=True)
class ShareCoordinatorConfig:
    """What the share coordinator needs of the broker's configuration."""

    #: After so many updates the whole state is written again.
    snapshot_update_records_per_snapshot: int = 500
    #: State nobody wrote for this long is written again, so that the log before it can go.
    cold_partition_snapshot_interval_ms: int = 300_000
