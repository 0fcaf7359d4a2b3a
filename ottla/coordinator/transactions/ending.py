"""EndTxn: how a transaction comes to its end, asked for by its producer or, with a fence, over its head.

Version 1 of transactions (EndTxn up to v4): the epoch stays, a repetition looks like the first request.
Version 2 (EndTxn v5, KIP-890): each end takes an epoch, so a repetition names the epoch before the present one.

    version 2           abort, repeated   abort, present epoch   commit, repeated   commit, present epoch
    Empty               fenced            ends, with an epoch    fenced             INVALID_TXN_STATE
    Ongoing             fenced            ends                   fenced             ends
    CompleteAbort       already done      ends, with an epoch    INVALID_TXN_STATE  INVALID_TXN_STATE
    CompleteCommit      INVALID_TXN_STATE ends, with an epoch    already done       INVALID_TXN_STATE

An abort that has nothing to abort still takes an epoch: the producer does not know whether its first Produce, which adds
its partitions implicitly, arrived, and after this it never can.
"""

from __future__ import annotations

from ...protocol.errors import ErrorCode, KafkaError
from .producers import NeedsProducerIdError
from .state import (
    EPOCH_PER_TRANSACTION,
    LAST_EPOCH,
    NO_EPOCH,
    NO_PRODUCER_ID,
    PREPARED,
    Transaction,
    TransactionState,
    is_exhausted,
)

__all__ = ["completed", "ended", "fenced"]


def ended(
    known: Transaction, producer_id: int, epoch: int, commit: bool, version: int, new_producer_id: int | None, now_ms: int
) -> Transaction | None:  # fmt: skip
    """Decide an EndTxn of the producer: the prepared transaction, None if it is done already; raises `KafkaError`."""
    if version < EPOCH_PER_TRANSACTION:
        return _ended_v1(known, producer_id, epoch, commit, now_ms)
    if known.state in PREPARED:  # Before id and epoch are looked at: the producer's next end may overtake the markers.
        raise KafkaError(ErrorCode.CONCURRENT_TRANSACTIONS)
    changed_id = known.previous_producer_id == producer_id and epoch == LAST_EPOCH - 1 and known.producer_epoch == 0
    if known.producer_id != producer_id and not changed_id:
        raise KafkaError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
    repeated = changed_id or epoch == known.epoch_before_end != NO_EPOCH
    state = known.state
    if state in (TransactionState.EMPTY, TransactionState.ONGOING):
        valid = epoch == known.producer_epoch
    else:
        valid = repeated or epoch == known.producer_epoch
    if not valid:
        raise KafkaError(ErrorCode.PRODUCER_FENCED)
    if state is TransactionState.ONGOING:
        return _prepared(known, commit, new_producer_id, now_ms)
    if repeated and state is not TransactionState.EMPTY:
        if commit != known.commits:
            raise KafkaError(ErrorCode.INVALID_TXN_STATE)
        return None
    if commit:
        raise KafkaError(ErrorCode.INVALID_TXN_STATE)
    return _prepared(known.with_(start_ms=now_ms), commit, new_producer_id, now_ms)


def _ended_v1(known: Transaction, producer_id: int, epoch: int, commit: bool, now_ms: int) -> Transaction | None:
    if known.producer_id != producer_id:
        raise KafkaError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
    if known.producer_epoch != epoch:
        raise KafkaError(ErrorCode.PRODUCER_FENCED)
    if known.state is TransactionState.ONGOING:
        state = TransactionState.PREPARE_COMMIT if commit else TransactionState.PREPARE_ABORT
        return known.with_(state=state, last_update_ms=now_ms, client_version=0)
    if known.state is TransactionState.EMPTY or commit != known.commits:
        raise KafkaError(ErrorCode.INVALID_TXN_STATE)
    if known.state in PREPARED:
        raise KafkaError(ErrorCode.CONCURRENT_TRANSACTIONS)
    return None


def _prepared(known: Transaction, commit: bool, new_producer_id: int | None, now_ms: int) -> Transaction:
    next_producer_id = NO_PRODUCER_ID
    if is_exhausted(known.producer_epoch):
        if new_producer_id is None:
            raise NeedsProducerIdError
        next_producer_id = new_producer_id
    return known.with_(
        state=TransactionState.PREPARE_COMMIT if commit else TransactionState.PREPARE_ABORT,
        producer_epoch=known.producer_epoch + 1, next_producer_id=next_producer_id, last_update_ms=now_ms,
        client_version=EPOCH_PER_TRANSACTION,
    )  # fmt: skip


def fenced(known: Transaction, server_version: int, now_ms: int) -> Transaction:
    """Abort an open transaction over its producer's head, under the next epoch.

    With version 2 that looks like an abort of its own whose answer got lost: a producer that was only too slow may repeat
    it and go on; one that was replaced is fenced by the epoch that its successor takes next.
    """
    return known.with_(
        state=TransactionState.PREPARE_ABORT,
        producer_epoch=known.producer_epoch + 1,
        next_producer_id=NO_PRODUCER_ID,
        last_update_ms=now_ms,
        client_version=EPOCH_PER_TRANSACTION if server_version >= EPOCH_PER_TRANSACTION else 0,
    )


def completed(known: Transaction, now_ms: int) -> Transaction:
    """All markers of a prepared transaction are written."""
    done = known.with_(
        state=TransactionState.COMPLETE_COMMIT if known.commits else TransactionState.COMPLETE_ABORT,
        partitions=frozenset(), last_update_ms=now_ms, next_producer_id=NO_PRODUCER_ID,
    )  # fmt: skip
    if known.next_producer_id == NO_PRODUCER_ID:
        return done
    return done.with_(producer_id=known.next_producer_id, producer_epoch=0, previous_producer_id=known.producer_id)
