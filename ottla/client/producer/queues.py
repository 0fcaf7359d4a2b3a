"""The batches of each partition in their order, and the sequence numbers that keep it. Pure.

    in flight [batch, batch]      sent, not answered
    retries   [batch, batch]      sent before, to be sent again; oldest first
    pending   [closed, closed, open]

The rule of an idempotent producer: sequence numbers are given when a batch is first sent, in order; a batch that has one
already (a retry) is sent only when nothing else of its partition is in flight. So the broker sees them in order, and knows
a repetition when it sees one.

A broker that knows nothing of a producer takes any number for the first. So the first batch of a partition travels alone: were
it refused (no leader just now) and the second taken, their order would be lost for good.

When a batch fails for good, its numbers leave a gap that the broker would refuse. Then the partition goes on with a higher
epoch and counts from 0 (KIP-360), as soon as nothing is in flight; batches that wait for a retry count anew with it.
Partitions that had no trouble keep the older epoch until nothing of theirs is unanswered, for a repetition under a new
epoch would be no repetition to the broker.
"""

from __future__ import annotations

from bisect import insort
from collections import deque

from .batch import NOBODY, Batch, Identity

SEQUENCE_MASK = 0x7FFFFFFF


class PartitionQueue:
    """All batches of one partition that are not done."""

    __slots__ = (
        "busy",
        "identity",
        "in_flight",
        "known_as",
        "last_acked",
        "needs_reset",
        "next_sequence",
        "partition",
        "pending",
        "retries",
        "topic",
    )  # fmt: skip

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        #: Sent before and to be sent again, oldest first; all of them are older than what is pending.
        self.retries: list[Batch] = []
        self.pending: deque[Batch] = deque()
        self.in_flight: list[Batch] = []
        self.identity = NOBODY
        self.next_sequence = 0
        #: The last sequence number that the broker acknowledged; -1 for none yet.
        self.last_acked = -1
        #: The producer id under which the broker has acknowledged something: it remembers us, and refuses a gap.
        self.known_as = -1
        #: A batch failed for good: go on with a new epoch.
        self.needs_reset = False
        #: The first batch is being compressed in a thread.
        self.busy = False

    @property
    def first(self) -> Batch | None:
        """The batch whose turn it is."""
        if self.retries:
            return self.retries[0]
        return self.pending[0] if self.pending else None

    @property
    def is_empty(self) -> bool:
        return not (self.pending or self.in_flight or self.retries)

    def may_send(self, limit: int) -> bool:
        """Whether the first batch may follow what is in flight."""
        if self.busy:
            return False
        if not self.in_flight:
            return True
        if self.needs_reset or len(self.in_flight) >= limit or self.known_as != self.identity.producer_id:
            return False
        return not self.retries or self.retries[0].sequence < 0

    def adopt(self, current: Identity) -> None:
        """Before a batch is sent with nothing in flight: take the producer's newest identity, if that is safe."""
        if self.identity == current or self.in_flight:
            return
        if not self.needs_reset and any(batch.sequence >= 0 for batch in self.retries):
            return
        self.identity = current
        self.next_sequence = 0
        self.last_acked = -1
        self.needs_reset = False
        for batch in self.retries:
            batch.sequence = -1

    def number(self, batch: Batch) -> int:
        """The sequence number for the batch that is sent now."""
        if batch.sequence >= 0:
            return batch.sequence
        sequence = self.next_sequence
        self.next_sequence = (sequence + batch.records) & SEQUENCE_MASK
        return sequence

    def sent(self, batch: Batch) -> None:
        """The first batch is on its way."""
        if self.retries:
            self.retries.pop(0)
        else:
            self.pending.popleft()
        self.in_flight.append(batch)

    def answered(self, batch: Batch) -> None:
        """The batch is not on its way any more."""
        if batch in self.in_flight:
            self.in_flight.remove(batch)

    def acknowledged(self, batch: Batch) -> None:
        """Remember how far the broker has come."""
        if batch.sequence >= 0 and batch.identity == self.identity:
            self.known_as = self.identity.producer_id
            self.last_acked = (batch.sequence + batch.records - 1) & SEQUENCE_MASK

    def is_next(self, batch: Batch) -> bool:
        """Whether the broker has acknowledged everything before this batch."""
        return batch.sequence == (self.last_acked + 1) & SEQUENCE_MASK

    def again(self, *batches: Batch) -> None:
        """Put batches back in their place by age; they are sent again."""
        for batch in batches:
            insort(self.retries, batch, key=lambda each: each.number)

    def skip(self, batch: Batch) -> None:
        """A batch that had a sequence number failed for good."""
        if batch.sequence >= 0:
            self.needs_reset = True

    def expired(self, before: float) -> list[Batch]:
        """Give up what is older than `before`, waiting or on its way; what is on its way stays until it is answered."""
        late = [batch for batch in self.in_flight if batch.created <= before and not batch.done]
        while (first := self.first) is not None and first.created <= before:
            late.append(first)
            if self.retries:
                self.retries.pop(0)
            else:
                self.pending.popleft()
        for batch in late:
            self.skip(batch)
        return late

    def drop(self) -> list[Batch]:
        """Give up everything that is not on its way."""
        dropped = [*self.retries, *self.pending]
        self.retries.clear()
        self.pending.clear()
        for batch in dropped:
            self.skip(batch)
        return dropped
