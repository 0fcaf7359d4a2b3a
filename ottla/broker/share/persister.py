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

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from ...coordinator.share_state.batches import StateBatch
from ...coordinator.share_state.records import SharePartitionKey
from ...coordinator.share_state.state import NOT_INITIALIZED, ShareState, ShareStateSummary
from ...protocol.errors import KafkaError
from ..purgatory import settled

if TYPE_CHECKING:
    from ..coordinators.share_state import ShareStateService

__all__ = ["NOT_INITIALIZED", "LocalPersister", "Persister", "ShareState", "ShareStateSummary", "StateBatch"]


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


class LocalPersister:
    """The share coordinator of this broker."""

    __slots__ = ("_coordinator", "_creating")

    def __init__(self, coordinator: ShareStateService) -> None:
        self._coordinator = coordinator
        #: Many partitions are initialized at once; the topic is made once.
        self._creating = asyncio.Lock()

    async def initialize(
        self, group_id: str, topic_id: bytes, partition: int, state_epoch: int, start_offset: int
    ) -> None:
        """Begin anew. The topic is made if need be."""
        async with self._creating:
            error = await self._coordinator.ensure_topic()
        if error:
            raise KafkaError(error)
        key = SharePartitionKey(group_id, topic_id, partition)
        await settled(self._coordinator.initialize(key, state_epoch, start_offset))

    async def read(self, group_id: str, topic_id: bytes, partition: int, leader_epoch: int) -> ShareState:
        """Return the state, and fence lower leader epochs."""
        key = SharePartitionKey(group_id, topic_id, partition)
        state: ShareState = await settled(self._coordinator.read(key, leader_epoch))
        return state

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
        """Lay batches over the stored ones, move the start offset."""
        await settled(
            self._coordinator.write(
                SharePartitionKey(group_id, topic_id, partition),
                state_epoch=state_epoch,
                leader_epoch=leader_epoch,
                start_offset=start_offset,
                delivery_complete_count=delivery_complete_count,
                batches=batches,
            )
        )

    async def delete(self, group_id: str, topic_id: bytes, partition: int) -> None:
        """Forget the state."""
        await settled(self._coordinator.delete(SharePartitionKey(group_id, topic_id, partition)))

    async def summary(self, group_id: str, topic_id: bytes, partition: int, leader_epoch: int) -> ShareStateSummary:
        """Return the state without its batches."""
        key = SharePartitionKey(group_id, topic_id, partition)
        found: ShareStateSummary = await settled(self._coordinator.summary(key))
        return found
