"""What a share partition needs of the configuration."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SharePartitionSettings"]


@dataclass(frozen=True, slots=True)
class SharePartitionSettings:
    """The broker's limits and the group's own settings; the shell replaces them when they change."""

    #: `group.share.delivery.count.limit`: after so many deliveries a record is given up.
    delivery_count_limit: int = 5
    #: `share.record.lock.duration.ms`: how long a consumer may hold a record without saying anything.
    record_lock_duration_ms: int = 30_000
    #: `group.share.partition.max.record.locks`: records between the start offset and the last that was handed out.
    max_record_locks: int = 2000
    #: Whether records that are given up go to a dead-letter topic first.
    dead_letters: bool = False

    @property
    def throttle_count(self) -> int:
        """From how many deliveries on fewer records are handed out at once, so that a bad one harms few others."""
        return max(2, (self.delivery_count_limit + 1) // 2)
