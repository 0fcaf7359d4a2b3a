"""Where the state of share partitions is kept: what their leader needs of the share coordinator.

The leader of a partition holds a share group's records in flight; the share coordinator, perhaps another broker, keeps
what must survive. This is the line between them. An error of the coordinator is raised as `KafkaError` with its code:

    NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS    try again later
    FENCED_LEADER_EPOCH    somebody has read with a higher leader epoch: we are not the leader any more
    FENCED_STATE_EPOCH     the state was initialized anew (offsets altered): drop what is in memory, read again
    INVALID_REQUEST        the state was never initialized, or is deleted
    UNKNOWN_TOPIC_OR_PARTITION    the topic is gone

`LocalPersister` asks the share coordinator of this broker; a remote one will send requests 83 to 87.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ...coordinator.share_state.batches import ACKNOWLEDGED, ARCHIVED, StateBatch

__all__ = ["NOT_INITIALIZED", "Persister", "ShareState", "ShareStateSummary", "StateBatch"]

#: The start offset of state that was initialized without one: `share.auto.offset.reset` decides. In a write: unchanged.
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


class Persister(Protocol):
    """The share coordinator, as leaders of partitions and the group coordinator see it."""

    async def initialize(
        self, group_id: str, topic_id: bytes, partition: int, state_epoch: int, start_offset: int
    ) -> None:
        """Begin anew: no batches, the given epoch and start offset."""
        ...

    async def read(self, group_id: str, topic_id: bytes, partition: int, leader_epoch: int) -> ShareState:
        """Return the state. From then on, readers and writers with a lower leader epoch are fenced."""
        ...

    async def write(
        self,
        group_id: str,
        topic_id: bytes,
        partition: int,
        *,
        state_epoch: int,
        leader_epoch: int,
        start_offset: int,
        delivery_complete_count: int,
        batches: Sequence[StateBatch],
    ) -> None:
        """Lay `batches` over the stored ones (`coordinator/share_state/batches`) and move the start offset."""
        ...

    async def delete(self, group_id: str, topic_id: bytes, partition: int) -> None:
        """Forget the state; it is no error if there is none."""
        ...

    async def summary(self, group_id: str, topic_id: bytes, partition: int, leader_epoch: int) -> ShareStateSummary:
        """Return the state without its batches; changes nothing."""
        ...
