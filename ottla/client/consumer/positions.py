"""Where a consumer stands in each partition. Pure.

    assigned ──► RESOLVE   which offset to begin at: committed, or by the reset policy
                    │ found
                    ▼
                 FETCH ◄──► CHECK    a new leader: does its log contain what we read (KIP-320)?
                    │                   no: truncated: reset, or an error that names both offsets
                    └── OFFSET_OUT_OF_RANGE ──► RESOLVE by the reset policy

Three offsets of a partition must not be mixed up:

    processed ──────────── delivered ──────────── fetch
    what is committed      what the next record    what the next Fetch asks for: behind all
    (done with)            that is given has       that lies here and is not given yet
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from .assignors.types import TopicAndPartition

PREFERRED_REPLICA_MS = 300_000  # after so long the leader is asked again (Kafka: metadata.max.age.ms)


class Stage(Enum):
    """What a partition waits for."""

    RESOLVE = "an offset to begin at"
    CHECK = "whether the new leader has what was read"
    FETCH = "records"


@dataclass(slots=True, eq=False)
class Position:
    """One assigned partition."""

    topic: str
    partition: int
    stage: Stage = Stage.RESOLVE
    fetch_offset: int = -1
    #: The leader epoch of the batch before `fetch_offset`, and of the leader that was asked last; -1: not known.
    fetch_epoch: int = -1
    leader_epoch: int = -1
    delivered: int = -1
    delivered_epoch: int = -1
    processed: int = -1
    processed_epoch: int = -1
    #: What was committed last by this consumer.
    committed: int = -1
    paused: bool = False
    #: Given up for a rebalance, or gone: nothing is fetched or given any more.
    revoking: bool = False
    high_watermark: int = -1
    last_stable_offset: int = -1
    log_start_offset: int = -1
    preferred_replica: int = -1
    preferred_until_ms: float = 0.0
    #: Bytes of this partition that lie here.
    buffered_bytes: int = 0
    #: Counts seeks: an answer to a Fetch that was sent before is thrown away.
    turn: int = 0
    in_flight: bool = False
    #: Not before this time (ms), after an error.
    retry_at_ms: float = 0.0
    failures: int = 0
    #: Offset reset was forced by the user (seek_to_beginning ...): a timestamp of ListOffsets.
    seek_to: int | None = None

    def start_at_fault(self, offset: int) -> None:
        """What lies at `offset` cannot be read: fetch it again (it may have been damaged on the way), not at once."""
        self.turn += 1
        self.fetch_offset = offset
        self.fetch_epoch = -1

    def passed(self, offset: int) -> None:
        """All before `offset` had nothing to give: it counts as processed if all before it is."""
        if self.processed == self.delivered:
            self.processed = offset
        self.delivered = offset

    @property
    def key(self) -> TopicAndPartition:
        return (self.topic, self.partition)

    def start_at(self, offset: int, epoch: int = -1) -> None:
        """Begin at this offset; what lies here from before is worth nothing."""
        self.turn += 1
        self.stage = Stage.FETCH
        self.fetch_offset = self.delivered = self.processed = offset
        self.fetch_epoch = self.delivered_epoch = self.processed_epoch = epoch
        self.seek_to = None
        self.failures = 0
        self.retry_at_ms = 0.0

    def restart(self, seek_to: int | None) -> None:
        """The offset must be found anew, from this ListOffsets timestamp, or by the policy."""
        self.turn += 1
        self.stage = Stage.RESOLVE
        self.seek_to = seek_to

    def replica(self, leader: int, now_ms: float) -> int:
        """Which broker to fetch from: the preferred replica while that holds (KIP-392), else the leader."""
        if self.preferred_replica >= 0 and now_ms < self.preferred_until_ms:
            return self.preferred_replica
        self.preferred_replica = -1
        return leader

    def prefer(self, replica: int, now_ms: float) -> None:
        self.preferred_replica = replica
        self.preferred_until_ms = now_ms + PREFERRED_REPLICA_MS

    def lag(self) -> int | None:
        """Records behind the end that may be read; None before the first answer."""
        end = self.last_stable_offset if self.last_stable_offset >= 0 else self.high_watermark
        return None if end < 0 or self.delivered < 0 else max(0, end - self.delivered)


@dataclass(slots=True)
class Positions:
    """All assigned partitions."""

    by_key: dict[TopicAndPartition, Position] = field(default_factory=dict)

    def add(self, partitions: list[TopicAndPartition]) -> list[Position]:
        added = []
        for topic, partition in partitions:
            if (topic, partition) not in self.by_key:
                position = self.by_key[topic, partition] = Position(topic, partition)
                added.append(position)
        return added

    def remove(self, partitions: list[TopicAndPartition]) -> list[Position]:
        removed = []
        for key in partitions:
            position = self.by_key.pop(key, None)
            if position is not None:
                position.revoking = True
                position.turn += 1
                removed.append(position)
        return removed

    def to_commit(self, keys: list[TopicAndPartition] | None = None) -> dict[TopicAndPartition, tuple[int, int]]:
        """(offset, leader epoch) of what was processed and is not committed."""
        found = {}
        for key in self.by_key if keys is None else keys:
            position = self.by_key.get(key)
            if position is not None and position.processed >= 0 and position.processed != position.committed:
                found[key] = (position.processed, position.processed_epoch)
        return found
