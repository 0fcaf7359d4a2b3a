"""DescribeTransactions (key 65, KIP-664): state, producer and partitions of transactional ids."""

from __future__ import annotations

from ...protocol.apis.describe_transactions import (
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
    TransactionState,
)
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler


@handler(DescribeTransactionsRequest)
async def describe_transactions(
    context: Context, request: DescribeTransactionsRequest
) -> DescribeTransactionsResponse:  # fmt: skip
    """Describe transactions, in the order asked."""
    return DescribeTransactionsResponse(
        transaction_states=[await _describe(context, name) for name in request.transactional_ids]
    )


async def _describe(context: Context, transactional_id: str) -> TransactionState:
    try:
        if not transactional_id:
            raise KafkaError(ErrorCode.INVALID_REQUEST)
        return await context.broker.transactions.describe(transactional_id)
    except KafkaError as error:
        return TransactionState(error_code=error.code, transactional_id=transactional_id)
