"""What share groups count: plain integers, named after Kafka's MBeans (ShareGroupMetrics, SharePartitionMetrics, …)."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...coordinator.share_partition import AcknowledgeType


@dataclass(slots=True)
class ShareMetrics:
    """The counters of one broker since start."""

    #: ShareGroupMetrics, RecordAcknowledgementsPerSec: records by what was said of them.
    record_acknowledgements: dict[AcknowledgeType, int] = field(
        default_factory=lambda: dict.fromkeys(AcknowledgeType, 0)
    )
    #: ShareGroupMetrics, PartitionLoadTimeMs: how many were loaded, and how long that took in all and at most.
    partitions_loaded: int = 0
    partition_load_time_ms: int = 0
    partition_load_time_max_ms: int = 0
    #: SharePartitionMetrics, AcquisitionLockTimeoutPerSec: records whose lock ran out.
    acquisition_lock_timeouts: int = 0
    #: ShareSessionCache, ShareSessionEvictionsPerSec: sessions that ended with their connection.
    share_session_evictions: int = 0
    #: DelayedShareFetchMetrics, ExpiresPerSec.
    delayed_share_fetch_expires: int = 0
    #: BrokerTopicMetrics, {Total,Failed}Share{Fetch,Acknowledgement}RequestsPerSec.
    total_share_fetch_requests: int = 0
    failed_share_fetch_requests: int = 0
    total_share_acknowledgement_requests: int = 0
    failed_share_acknowledgement_requests: int = 0
    #: ShareGroupMetrics, DeadLetterQueue…: by group.
    dead_letter_records: dict[str, int] = field(default_factory=dict)
    dead_letter_produce_requests: dict[str, int] = field(default_factory=dict)
    dead_letter_produce_failures: dict[str, int] = field(default_factory=dict)
