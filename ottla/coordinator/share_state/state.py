"""What is stored of one share partition, and how a snapshot and an update change it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...protocol.stored.share_group_state import ShareSnapshotValue, ShareUpdateValue
from .batches import ACKNOWLEDGED, ARCHIVED, StateBatch, lay_over, prune
from .records import from_stored, to_stored

__all__ = ["NOT_INITIALIZED", "SharePartitionState", "ShareState", "ShareStateSummary"]

#: A start offset that is not known yet: `share.auto.offset.reset` decides; in a write, that it is unchanged. As a leader
#: epoch or state epoch: none is named.
NOT_INITIALIZED = -1


class ShareState(NamedTuple):
    """The stored state of a share partition."""

    state_epoch: int
    start_offset: int
    #: Sorted, not overlapping, none before the start offset.
    batches: Sequence[StateBatch]

    @property
    def delivery_complete_count(self) -> int:
        """Count the offsets from the start offset on whose delivery has been completed (KIP-1226)."""
        return sum(
            batch.last_offset - batch.first_offset + 1
            for batch in self.batches
            if batch.delivery_state in (ACKNOWLEDGED, ARCHIVED)
        )


class ShareStateSummary(NamedTuple):
    """What an administrator is told; of state that does not exist: epochs of 0, NOT_INITIALIZED, -1."""

    state_epoch: int
    leader_epoch: int
    start_offset: int
    delivery_complete_count: int


class SharePartitionState:
    """The state of one share partition. Changed by `replay` of the shard only."""

    __slots__ = (
        "batches", "create_timestamp_ms", "delivery_complete_count", "highest_leader_epoch", "highest_state_epoch",
        "leader_epoch", "snapshot_epoch", "start_offset", "state_epoch", "update_count", "write_timestamp_ms",
    )  # fmt: skip

    def __init__(self) -> None:
        self.snapshot_epoch = 0
        self.state_epoch = 0
        self.leader_epoch = 0
        #: Whoever names lower ones than these is fenced; an initialization sets the leader epoch back, but not this.
        self.highest_state_epoch = NOT_INITIALIZED
        self.highest_leader_epoch = NOT_INITIALIZED
        self.start_offset = NOT_INITIALIZED
        #: How many offsets from the start offset on are done with; -1 where nobody could count (KIP-1226).
        self.delivery_complete_count = -1
        self.batches: list[StateBatch] = []
        #: Updates since the last snapshot.
        self.update_count = 0
        self.create_timestamp_ms = 0
        self.write_timestamp_ms = 0

    def apply_snapshot(self, value: ShareSnapshotValue) -> None:
        """Become what a snapshot says."""
        self.snapshot_epoch = value.snapshot_epoch
        self.state_epoch = value.state_epoch
        self.highest_state_epoch = max(self.highest_state_epoch, value.state_epoch)
        self._seen_leader(value.leader_epoch)
        self.start_offset = value.start_offset
        self.delivery_complete_count = value.delivery_complete_count
        self.batches = from_stored(value.state_batches)
        self.update_count = 0
        self.create_timestamp_ms = value.create_timestamp
        self.write_timestamp_ms = value.write_timestamp

    def apply_update(self, value: ShareUpdateValue) -> None:
        """Lay an update over what is there."""
        if value.leader_epoch != NOT_INITIALIZED:
            self._seen_leader(value.leader_epoch)
        if value.start_offset != NOT_INITIALIZED:
            self.start_offset = value.start_offset
        self.delivery_complete_count = value.delivery_complete_count
        lay_over(self.batches, from_stored(value.state_batches))
        prune(self.batches, self.start_offset)
        self.update_count += 1

    def _seen_leader(self, leader_epoch: int) -> None:
        self.leader_epoch = leader_epoch
        self.highest_leader_epoch = max(self.highest_leader_epoch, leader_epoch)

    def to_state(self) -> ShareState:
        """Tell a leader; later changes do not show."""
        return ShareState(self.state_epoch, self.start_offset, tuple(self.batches))

    def to_summary(self) -> ShareStateSummary:
        """Tell an administrator."""
        return ShareStateSummary(self.state_epoch, self.leader_epoch, self.start_offset, self.delivery_complete_count)

    def to_snapshot(self, write_timestamp_ms: int) -> ShareSnapshotValue:
        """Write the same state as the next snapshot."""
        return ShareSnapshotValue(
            snapshot_epoch=self.snapshot_epoch + 1,
            state_epoch=self.state_epoch,
            leader_epoch=self.leader_epoch,
            start_offset=self.start_offset,
            delivery_complete_count=self.delivery_complete_count,
            create_timestamp=self.create_timestamp_ms,
            write_timestamp=write_timestamp_ms,
            state_batches=to_stored(self.batches),
        )
