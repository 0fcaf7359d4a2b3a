"""InitProducerId: who may go on as the producer of a transactional id, and under which id and epoch.

nobody had the id                        a new producer id, epoch 0
at rest                                  the next epoch; a new producer id where the epochs are used up
… and the producer names what it has     only the present producer, or a repetition of its own last request (KIP-360)
Ongoing                                  the open transaction is aborted under a fencing epoch: CONCURRENT_TRANSACTIONS
prepared                                 CONCURRENT_TRANSACTIONS until the markers are written
"""

from __future__ import annotations

from typing import NamedTuple

from ...protocol.errors import ErrorCode, KafkaError
from .state import (
    NO_EPOCH,
    NO_PRODUCER_ID,
    NO_TIME,
    PREPARED,
    Transaction,
    TransactionState,
    is_exhausted,
)

__all__ = ["NeedsProducerIdError", "ProducerIdAndEpoch", "continued", "created", "initialized"]


class NeedsProducerIdError(Exception):
    """The decision takes a new producer id, which the shell has to get first."""


class ProducerIdAndEpoch(NamedTuple):
    """What a producer says it has."""

    producer_id: int
    epoch: int


class Initialized(NamedTuple):
    """The new state, and the epoch that a repetition of the request would name (-1: it cannot be repeated)."""

    transaction: Transaction
    last_epoch: int


def created(transactional_id: str, timeout_ms: int, new_producer_id: int | None, now_ms: int) -> Initialized:
    """Begin with a transactional id that nobody has."""
    if new_producer_id is None:
        raise NeedsProducerIdError
    transaction = Transaction(transactional_id, new_producer_id, 0, timeout_ms, last_update_ms=now_ms)
    return Initialized(transaction, NO_EPOCH)


def initialized(
    known: Transaction, last_epoch: int, expected: ProducerIdAndEpoch | None, timeout_ms: int,
    new_producer_id: int | None, now_ms: int,
) -> Initialized:  # fmt: skip
    """Give the id to its next producer; raises `KafkaError`. `known` is not Ongoing."""
    if known.state in PREPARED:
        raise KafkaError(ErrorCode.CONCURRENT_TRANSACTIONS)
    rests = known.with_(
        state=TransactionState.EMPTY, partitions=frozenset(), start_ms=NO_TIME, last_update_ms=now_ms,
        timeout_ms=timeout_ms, next_producer_id=NO_PRODUCER_ID,
    )  # fmt: skip
    epoch = known.producer_epoch
    if is_exhausted(epoch) and (expected is None or expected.epoch == epoch):
        if new_producer_id is None:
            raise NeedsProducerIdError
        rotated = rests.with_(producer_id=new_producer_id, producer_epoch=0, previous_producer_id=known.producer_id)
        return Initialized(rotated, NO_EPOCH if expected is None else epoch)
    if expected is None:
        return Initialized(rests.with_(producer_epoch=epoch + 1), NO_EPOCH)
    if expected.epoch == epoch and not is_exhausted(epoch):
        return Initialized(rests.with_(producer_epoch=epoch + 1), epoch)
    if expected.epoch == last_epoch != NO_EPOCH:
        return Initialized(rests.with_(previous_producer_id=known.previous_producer_id), last_epoch)
    raise KafkaError(ErrorCode.PRODUCER_FENCED)


def continued(known: Transaction, expected: ProducerIdAndEpoch) -> bool:
    """Whether a producer may be the present one, or one that never heard of the id it was given; epochs come later."""
    return known.producer_id == expected.producer_id or (
        known.previous_producer_id == expected.producer_id and is_exhausted(expected.epoch)
    )
