"""AddOffsetsToTxn (key 25): a transaction is going to commit offsets of a consumer group.

It takes the group's partition of `__consumer_offsets` into the transaction. v2 knows PRODUCER_FENCED. Producers of
transactions version 2 do not send it: TxnOffsetCommit v5 implies it.
"""

from __future__ import annotations

from typing import Any

from ...protocol.apis.add_offsets_to_txn import AddOffsetsToTxnRequest, AddOffsetsToTxnResponse
from ...protocol.errors import ErrorCode, KafkaError
from ..coordinators.service import mapped
from ..dispatch import Context, handler
from ..topic_names import GROUP_METADATA

_PRODUCER_FENCED_SINCE = 2


@handler(AddOffsetsToTxnRequest)
def add_offsets_to_txn(context: Context, request: AddOffsetsToTxnRequest) -> Any:
    """Take a group's offsets into a transaction."""
    if not request.transactional_id:
        return AddOffsetsToTxnResponse(error_code=ErrorCode.INVALID_REQUEST)

    def respond(result: Any) -> AddOffsetsToTxnResponse:
        code = result.code if isinstance(result, KafkaError) else result
        if code is ErrorCode.PRODUCER_FENCED and context.version < _PRODUCER_FENCED_SINCE:
            code = ErrorCode.INVALID_PRODUCER_EPOCH
        return AddOffsetsToTxnResponse(error_code=code)

    partition = (GROUP_METADATA, context.broker.groups.partition_of(request.group_id))
    transactions = context.broker.transactions
    try:
        transactions.late.check(context.connection, request.API_KEY, request.producer_id)
        result = transactions.add_partitions(
            request.transactional_id, request.producer_id, request.producer_epoch, [partition], 0
        )
    except KafkaError as error:
        result = error
    return mapped(result, respond)
