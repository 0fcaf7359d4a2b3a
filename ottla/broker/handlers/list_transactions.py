"""ListTransactions (key 66, KIP-664): the transactional ids this broker coordinates.

Filters: state and producer id, v1 for how long a transaction has been running (KIP-994), v2 a pattern that the whole
transactional id must match (KIP-1152). A state that does not exist is told back and matches nothing. Patterns are
evaluated by RE2, as every pattern of a client is: what needs time without bound (backreferences, lookaround), which
Java's patterns have, is INVALID_REGULAR_EXPRESSION.
"""

from __future__ import annotations

from ...coordinator.transactions.listing import Filters, known_states
from ...protocol.apis.list_transactions import ListTransactionsRequest, ListTransactionsResponse
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler
from ..patterns import compile_pattern


@handler(ListTransactionsRequest)
async def list_transactions(context: Context, request: ListTransactionsRequest) -> ListTransactionsResponse:
    """List transactions."""
    states, unknown = known_states(request.state_filters)
    pattern = request.transactional_id_pattern
    try:
        filters = Filters(
            states, frozenset(request.producer_id_filters), request.duration_filter,
            compile_pattern(pattern) if pattern else None,
        )  # fmt: skip
        found = await context.broker.transactions.list_transactions(filters)
    except KafkaError as error:
        return ListTransactionsResponse(error_code=error.code, unknown_state_filters=[], transaction_states=[])
    return ListTransactionsResponse(error_code=ErrorCode.NONE, unknown_state_filters=unknown, transaction_states=found)
