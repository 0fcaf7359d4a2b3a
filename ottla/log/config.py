"""What a topic's configuration means to its log: one attribute per Kafka topic config that has an effect here.

The table of configs (names, documentation, validators) is `metadata/configs/topic.py`; the broker resolves it and builds
a LogConfig. The defaults are Kafka's. -1 means "no limit" where Kafka says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from zlib import crc32

from ottla.records.header import TimestampType

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
INT64_MAX = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class LogConfig:
    """The effective configuration of one log. Shared by all logs with equal configuration; replaced, never changed."""

    segment_bytes: int = 1 << 30
    segment_ms: int = 7 * DAY_MS
    segment_jitter_ms: int = 0
    segment_index_bytes: int = 10 << 20
    retention_ms: int = 7 * DAY_MS
    retention_bytes: int = -1
    max_message_bytes: int = 1_048_588
    index_interval_bytes: int = 4096
    message_timestamp_type: TimestampType = TimestampType.CREATE_TIME
    message_timestamp_before_max_ms: int = INT64_MAX
    message_timestamp_after_max_ms: int = HOUR_MS
    cleanup_policy: frozenset[str] = frozenset({"delete"})
    delete_retention_ms: int = DAY_MS
    min_compaction_lag_ms: int = 0
    max_compaction_lag_ms: int = INT64_MAX
    min_cleanable_dirty_ratio: float = 0.5
    file_delete_delay_ms: int = 60_000
    flush_messages: int = INT64_MAX
    flush_ms: int = INT64_MAX
    compression_type: str = "producer"
    compression_gzip_level: int = -1
    compression_lz4_level: int = 9
    compression_zstd_level: int = 3
    min_insync_replicas: int = 1
    unclean_leader_election_enable: bool = False
    preallocate: bool = False
    producer_id_expiration_ms: int = DAY_MS
    #: Whether nothing here changes or restricts an ordinary batch (`records.batch.admit`) of a client; of a coordinator,
    #: whose records all have keys; and how large one may be.
    ordinary: bool = field(init=False)
    ordinary_with_keys: bool = field(init=False)
    batch_bytes_max: int = field(init=False)
    #: At what age the active segment is rolled: a compacted one early enough for max.compaction.lag.ms.
    roll_ms: int = field(init=False)
    #: Whether flush.messages has it synced now and then.
    counts_unsynced: bool = field(init=False)

    def __post_init__(self) -> None:
        ordinary_with_keys = (
            self.compression_type == "producer"
            and self.message_timestamp_type is TimestampType.CREATE_TIME
            and self.message_timestamp_before_max_ms == INT64_MAX
            and self.message_timestamp_after_max_ms <= INT64_MAX // 2
        )
        object.__setattr__(self, "ordinary_with_keys", ordinary_with_keys)
        object.__setattr__(self, "ordinary", ordinary_with_keys and not self.compacted)
        object.__setattr__(self, "batch_bytes_max", min(self.max_message_bytes, self.segment_bytes))
        roll_ms = min(self.segment_ms, self.max_compaction_lag_ms) if self.compacted else self.segment_ms
        object.__setattr__(self, "roll_ms", roll_ms)
        object.__setattr__(self, "counts_unsynced", self.flush_messages < INT64_MAX)

    def jitter_of(self, segment: str) -> int:
        """How much earlier than segment.ms this one is rolled, so that not all logs roll at once."""
        limit = min(self.segment_jitter_ms, self.segment_ms)
        return crc32(segment.encode()) % limit if limit > 0 else 0

    @property
    def compacted(self) -> bool:
        return "compact" in self.cleanup_policy

    @property
    def deletes(self) -> bool:
        return "delete" in self.cleanup_policy


DEFAULT_LOG_CONFIG = LogConfig()
