"""The records of `__transaction_state`, in the bytes Apache Kafka writes: one per transactional id, the newest counts.

Version 1 of the value (from feature `transaction.version` 1 on) can hold the producer ids before and after a change of id.
Kafka 4.2 reads these but never writes them, so that its coordinator forgets an id it has already promised when it
restarts between commit and markers; here they are written where there are any. All else is as Kafka writes it.
"""

from __future__ import annotations

from ...protocol.errors import RemoteProtocolError
from ...protocol.stored.coordinator_records import UnknownRecordError, encode_key, encode_value
from ...protocol.stored.transaction_state import RECORDS, PartitionsSchema, TransactionLogKey, TransactionLogValue
from ..decision import StoredRecord
from ..shard import UnreadableRecordError
from .state import TopicPartition, Transaction, TransactionState

__all__ = ["parse", "tombstone", "transaction_record"]


def transaction_record(transaction: Transaction, value_version: int) -> StoredRecord:
    """Write the state of a transactional id."""
    value = TransactionLogValue(
        producer_id=transaction.producer_id,
        producer_epoch=transaction.producer_epoch,
        transaction_timeout_ms=transaction.timeout_ms,
        transaction_status=transaction.state,
        transaction_partitions=None
        if transaction.state is TransactionState.EMPTY
        else _by_topic(transaction.partitions),
        transaction_last_update_timestamp_ms=transaction.last_update_ms,
        transaction_start_timestamp_ms=transaction.start_ms,
    )
    if value_version >= 1:
        value.previous_producer_id = transaction.previous_producer_id
        value.next_producer_id = transaction.next_producer_id
        value.client_transaction_version = transaction.client_version
    return StoredRecord(_key(transaction.transactional_id), encode_value(value, value_version))


def tombstone(transactional_id: str) -> StoredRecord:
    """Forget a transactional id."""
    return StoredRecord(_key(transactional_id), None)


def _key(transactional_id: str) -> bytes:
    return encode_key(TransactionLogKey(transactional_id=transactional_id))


def _by_topic(partitions: frozenset[TopicPartition]) -> list[PartitionsSchema]:
    topics: dict[str, list[int]] = {}
    for topic, index in sorted(partitions):
        topics.setdefault(topic, []).append(index)
    return [PartitionsSchema(topic=topic, partition_ids=indexes) for topic, indexes in topics.items()]


def parse(record: StoredRecord) -> tuple[str, Transaction | None] | None:
    """Read a record: (transactional id, state or None if it was deleted); None for a kind no Kafka up to 4.2 knows."""
    try:
        key, value = RECORDS.decode(record.key, record.value)
    except UnknownRecordError as error:
        if "version" in str(error):
            raise UnreadableRecordError(str(error)) from error
        return None
    except RemoteProtocolError as error:
        raise UnreadableRecordError(f"{record.key[:32]!r}: {error}") from error
    assert isinstance(key, TransactionLogKey)
    if value is None:
        return key.transactional_id, None
    assert isinstance(value, TransactionLogValue)
    try:
        state = TransactionState(value.transaction_status)
    except ValueError as error:
        raise UnreadableRecordError(f"transaction state {value.transaction_status} is unknown") from error
    partitions = frozenset(
        (topic.topic, index) for topic in value.transaction_partitions or () for index in topic.partition_ids
    )
    return key.transactional_id, Transaction(
        key.transactional_id, value.producer_id, value.producer_epoch, value.transaction_timeout_ms, state, partitions,
        value.transaction_start_timestamp_ms, value.transaction_last_update_timestamp_ms,
        value.previous_producer_id, value.next_producer_id, value.client_transaction_version,
    )  # fmt: skip
