"""AddPartitionsToTxn (key 24): a transaction is going to write to these partitions.

Up to v3 a producer asks for its one transaction; v2 knows PRODUCER_FENCED. From v4 brokers ask for several, also only
to verify that partitions are part of one (KIP-890): what is not is TRANSACTION_ABORTABLE. All partitions of a
transaction are added or none: where one does not exist the others are OPERATION_NOT_ATTEMPTED.
"""

from __future__ import annotations

from typing import Any

from ...coordinator.transactions.state import EPOCH_PER_TRANSACTION
from ...protocol.apis.add_partitions_to_txn import (
    AddPartitionsToTxnPartitionResult,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnResult,
    AddPartitionsToTxnTopicResult,
    AddPartitionsToTxnTransaction,
)
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler
from ..purgatory import settled
from ..topic_names import is_internal

_PRODUCER_FENCED_SINCE = 2
_BROKERS_SINCE = 4


@handler(AddPartitionsToTxnRequest)
async def add_partitions_to_txn(
    context: Context, request: AddPartitionsToTxnRequest
) -> AddPartitionsToTxnResponse:  # fmt: skip
    """Take partitions into transactions, or verify that they are part of them."""
    if context.version < _BROKERS_SINCE:
        transaction = AddPartitionsToTxnTransaction(
            transactional_id=request.v3_and_below_transactional_id,
            producer_id=request.v3_and_below_producer_id,
            producer_epoch=request.v3_and_below_producer_epoch,
            verify_only=False,
            topics=request.v3_and_below_topics,
        )
        results = await _add(context, transaction)
        return AddPartitionsToTxnResponse(results_by_topic_v3_and_below=results)
    return AddPartitionsToTxnResponse(
        error_code=ErrorCode.NONE,
        results_by_transaction=[
            AddPartitionsToTxnResult(
                transactional_id=transaction.transactional_id, topic_results=await _add(context, transaction)
            )
            for transaction in request.transactions
        ],
    )


async def _add(
    context: Context, transaction: AddPartitionsToTxnTransaction
) -> list[AddPartitionsToTxnTopicResult]:  # fmt: skip
    """Handle one transaction; returns the result of each of its partitions."""
    partitions = [(topic.name, index) for topic in transaction.topics for index in topic.partitions]
    errors = {partition: _judge(context, *partition) for partition in partitions}
    if any(errors.values()):
        errors = {partition: code or ErrorCode.OPERATION_NOT_ATTEMPTED for partition, code in errors.items()}
        return _results(transaction, errors)
    if not transaction.transactional_id:
        return _results(transaction, dict.fromkeys(partitions, ErrorCode.INVALID_REQUEST))
    transactions = context.broker.transactions
    producer = (transaction.transactional_id, transaction.producer_id, transaction.producer_epoch)
    result: Any
    try:
        if transaction.verify_only:
            result = await settled(transactions.check_partitions(*producer, partitions))
            return _results(transaction, dict.fromkeys(result, ErrorCode.TRANSACTION_ABORTABLE))
        version = EPOCH_PER_TRANSACTION
        if context.version < _BROKERS_SINCE:
            version = 0
            transactions.late.check(context.connection, AddPartitionsToTxnRequest.API_KEY, transaction.producer_id)
        result = await settled(transactions.add_partitions(*producer, partitions, version))
    except KafkaError as error:
        result = error.code
    if result is ErrorCode.PRODUCER_FENCED and context.version < _PRODUCER_FENCED_SINCE:
        result = ErrorCode.INVALID_PRODUCER_EPOCH
    return _results(transaction, dict.fromkeys(partitions, result))


def _judge(context: Context, topic: str, index: int) -> ErrorCode:
    if context.version < _BROKERS_SINCE and is_internal(topic):
        return ErrorCode.TOPIC_AUTHORIZATION_FAILED
    image = context.broker.image.topics.get(topic)
    if image is None or not 0 <= index < len(image.partitions):
        return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    return ErrorCode.NONE


def _results(
    transaction: AddPartitionsToTxnTransaction, errors: dict[tuple[str, int], ErrorCode]
) -> list[AddPartitionsToTxnTopicResult]:  # fmt: skip
    return [
        AddPartitionsToTxnTopicResult(
            name=topic.name,
            results_by_partition=[
                AddPartitionsToTxnPartitionResult(
                    partition_index=index, partition_error_code=errors.get((topic.name, index), ErrorCode.NONE)
                )
                for index in topic.partitions
            ],
        )
        for topic in transaction.topics
        if topic.partitions or not transaction.verify_only
    ]
