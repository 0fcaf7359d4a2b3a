"""Before the first record of a transaction reaches a partition: the partition must be part of the transaction.

A producer of transactions version 2 (Produce v12) leaves adding it to the broker; an older one has added it already,
which is verified (KIP-890). Either way no partition can come to hold an open transaction that no coordinator knows and
nobody would ever end. What comes late, after the transaction it belongs to, is refused: its epoch is an older one, or
the partition is not part of a transaction any more.

The coordinator's word holds at the moment it is given, so the append follows in the same turn of the loop. A coordinator
on another broker will need more: a guard in the partition that a marker takes away while its answer is under way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...coordinator.transactions.state import EPOCH_PER_TRANSACTION, TopicPartition
from ...protocol.errors import ErrorCode, KafkaError
from ..purgatory import Deferred
from .service import mapped

if TYPE_CHECKING:
    from ..server import Broker

#: Versions of Produce at which Kafka began to say or imply something.
ABORTABLE_SINCE, IMPLIES_ADDING_SINCE = 11, 12
#: Waiting helps. Producers of old repeat the request after the error that stands for these, without looking for leaders.
_TO_BE_REPEATED = frozenset({
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.NOT_COORDINATOR,
    ErrorCode.CONCURRENT_TRANSACTIONS,
})  # fmt: skip


def must_join(broker: Broker, version: int) -> bool:
    """Whether a first write in a transaction needs the coordinator's word."""
    return version >= IMPLIES_ADDING_SINCE or broker.transactions.verifies


def join(
    broker: Broker, version: int, transactional_id: str, producer_id: int, producer_epoch: int,
    partitions: list[TopicPartition],
) -> Mapping[TopicPartition, KafkaError] | Deferred:  # fmt: skip
    """Return which partitions may not be written to, and why; a `Deferred` of it may carry another exception."""
    adds = version >= IMPLIES_ADDING_SINCE

    def judge(result: Any) -> Any:
        if isinstance(result, KafkaError):
            return dict.fromkeys(partitions, _translated(result, adds))
        if isinstance(result, Exception):
            return result
        if adds:
            return {}
        code = ErrorCode.TRANSACTION_ABORTABLE if version >= ABORTABLE_SINCE else ErrorCode.INVALID_TXN_STATE
        return dict.fromkeys(result, KafkaError(code, "The partition was not added to the transaction."))

    producer = (transactional_id, producer_id, producer_epoch)
    result: Any
    try:
        if not transactional_id:
            raise KafkaError(ErrorCode.INVALID_REQUEST)
        if adds:
            result = broker.transactions.add_partitions(*producer, partitions, EPOCH_PER_TRANSACTION)
        else:
            result = broker.transactions.check_partitions(*producer, partitions)
    except KafkaError as error:
        result = error
    return mapped(result, judge)


def _translated(error: KafkaError, adds: bool) -> KafkaError:
    """Say it in the words that producers know from Produce."""
    if error.code is ErrorCode.PRODUCER_FENCED:
        return KafkaError(ErrorCode.INVALID_PRODUCER_EPOCH)
    if error.code in _TO_BE_REPEATED and not (adds and error.code is ErrorCode.CONCURRENT_TRANSACTIONS):
        return KafkaError(
            ErrorCode.NOT_ENOUGH_REPLICAS,
            f"The coordinator cannot say yet that the partition is part of the transaction: {error.code.name}",
        )
    return error
