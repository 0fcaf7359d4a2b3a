"""EndTxn (key 26): commit or abort the open transaction.

Answered when the decision is as durable as configured; from then on nothing can change it, and the markers follow. v2
knows PRODUCER_FENCED. v5 is transactions version 2 (KIP-890): the answer tells the producer id and epoch of the next
transaction, and an abort is accepted where nothing was added.
"""

from __future__ import annotations

from typing import Any

from ...coordinator.transactions.state import EPOCH_PER_TRANSACTION
from ...protocol.apis.end_txn import EndTxnRequest, EndTxnResponse
from ...protocol.errors import ErrorCode, KafkaError
from ..coordinators.service import mapped
from ..dispatch import Context, handler

_PRODUCER_FENCED_SINCE = 2
_EPOCH_PER_TRANSACTION_SINCE = 5


@handler(EndTxnRequest)
def end_txn(context: Context, request: EndTxnRequest) -> Any:
    """End a transaction."""
    if not request.transactional_id:
        return EndTxnResponse(error_code=ErrorCode.INVALID_REQUEST)
    version = EPOCH_PER_TRANSACTION if context.version >= _EPOCH_PER_TRANSACTION_SINCE else 0

    def respond(result: Any) -> Any:
        if isinstance(result, KafkaError):
            fenced = result.code is ErrorCode.PRODUCER_FENCED and context.version < _PRODUCER_FENCED_SINCE
            return EndTxnResponse(error_code=ErrorCode.INVALID_PRODUCER_EPOCH if fenced else result.code)
        if isinstance(result, Exception):
            return result
        if version < EPOCH_PER_TRANSACTION:
            return EndTxnResponse(error_code=ErrorCode.NONE)
        return EndTxnResponse(
            error_code=ErrorCode.NONE, producer_id=result.producer_id, producer_epoch=result.producer_epoch
        )

    transactions = context.broker.transactions
    try:
        if version < EPOCH_PER_TRANSACTION:
            transactions.late.check(context.connection, request.API_KEY, request.producer_id)
        result = transactions.end(
            request.transactional_id, request.producer_id, request.producer_epoch, request.committed, version
        )
    except KafkaError as error:
        result = error
    return mapped(result, respond)
