"""What is known of one transactional id: who its producer is, and how far its transaction has come.

                       AddPartitions                    EndTxn                     all markers written
    Empty ───────────────────────────► Ongoing ───────────────────► PrepareCommit ───────────────────► CompleteCommit ─┐
      ▲  ▲                              ▲   │ EndTxn, a timeout,                                                       │
      │  │                              │   │ InitProducerId of      PrepareAbort ────────────────────► CompleteAbort ─┤
      │  │                              │   └ a newer producer ─────►   ▲                                              │
      │  │                              └───────────── AddPartitions ───┼──────────────────────────────────────────────┤
      │  └───────────────────────────────────────── InitProducerId ─────┼──────────────────────────────────────────────┤
      └ InitProducerId                        EndTxn(abort) with nothing added: transactions version 2 ────────────────┘

What is decided is decided in Prepare…: from then on nothing but the markers can follow, whatever happens to this broker.
Dead and PrepareEpochFence are states Kafka has in memory only: an expired id is deleted, and fencing is one step here.

A producer is (producer id, epoch). A newer epoch fences all older ones, in the coordinator and in every partition that
has seen it. With transactions version 2 (KIP-890) each end of a transaction takes an epoch, so that nothing sent for one
transaction can count in a later one. Epochs end at 32767, which is never given out, so that there is always one left to
fence with; then the producer gets a new id.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

__all__ = [
    "LAST_EPOCH", "NO_EPOCH", "NO_PRODUCER_ID", "TopicPartition", "Transaction", "TransactionState", "is_exhausted",
]  # fmt: skip

NO_PRODUCER_ID = -1
NO_EPOCH = -1
#: No producer is ever given this epoch; it fences the one before it.
LAST_EPOCH = 32767
#: The start of a transaction that has none.
NO_TIME = -1
#: The version of transactions from which on each has an epoch of its own.
EPOCH_PER_TRANSACTION = 2

TopicPartition = tuple[str, int]


class TransactionState(IntEnum):
    """The states, with the numbers they are stored under."""

    EMPTY = 0
    ONGOING = 1
    PREPARE_COMMIT = 2
    PREPARE_ABORT = 3
    COMPLETE_COMMIT = 4
    COMPLETE_ABORT = 5
    DEAD = 6
    PREPARE_EPOCH_FENCE = 7

    @property
    def title(self) -> str:
        """The name that ListTransactions and DescribeTransactions show."""
        return _TITLES[self]


_TITLES = {state: "".join(word.capitalize() for word in state.name.split("_")) for state in TransactionState}

PREPARED = frozenset({TransactionState.PREPARE_COMMIT, TransactionState.PREPARE_ABORT})
COMPLETE = frozenset({TransactionState.COMPLETE_COMMIT, TransactionState.COMPLETE_ABORT})
#: Nothing is open: the id may expire, or begin again.
AT_REST = COMPLETE | {TransactionState.EMPTY}


def is_exhausted(epoch: int) -> bool:
    """Whether the producer id has no further epoch to give out."""
    return epoch >= LAST_EPOCH - 1


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transactional id as its last record says; never changed, only replaced (`with_`)."""

    transactional_id: str
    producer_id: int
    producer_epoch: int
    timeout_ms: int
    state: TransactionState = TransactionState.EMPTY
    partitions: frozenset[TopicPartition] = frozenset()
    start_ms: int = NO_TIME
    last_update_ms: int = NO_TIME
    #: The producer id before this one, where the last change took a new one.
    previous_producer_id: int = NO_PRODUCER_ID
    #: The producer id that follows when the markers are written, where the epochs of this one are used up.
    next_producer_id: int = NO_PRODUCER_ID
    #: The version of transactions that the producer spoke when it last changed this.
    client_version: int = 0

    def with_(self, **changes: object) -> Transaction:
        """Make the successor; what is not named stays, but for the previous producer id."""
        changes.setdefault("previous_producer_id", NO_PRODUCER_ID)
        return replace(self, **changes)  # type: ignore[arg-type]

    @property
    def has_epoch_of_its_own(self) -> bool:
        """Whether the producer's last transaction took an epoch (KIP-890)."""
        return self.client_version >= EPOCH_PER_TRANSACTION

    @property
    def commits(self) -> bool:
        """Whether a prepared or complete transaction was committed."""
        return self.state in (TransactionState.PREPARE_COMMIT, TransactionState.COMPLETE_COMMIT)

    @property
    def epoch_before_end(self) -> int:
        """The epoch with which the producer ended its transaction, if that took a new one; else -1."""
        if not self.has_epoch_of_its_own or self.state not in PREPARED | COMPLETE:
            return NO_EPOCH
        if self.producer_epoch == LAST_EPOCH and self.state in COMPLETE:
            return NO_EPOCH  # fenced with the one epoch that nobody is given
        if self.producer_epoch == 0:  # the epochs of the previous id were used up
            return LAST_EPOCH - 1 if self.previous_producer_id != NO_PRODUCER_ID else NO_EPOCH
        return self.producer_epoch - 1
