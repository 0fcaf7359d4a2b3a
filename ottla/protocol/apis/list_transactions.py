"""ListTransactions (key 66): the transactions that this broker coordinates (KIP-664).

Every broker must be asked to see all.
v1 filters by how long they have been running (KIP-994), v2 by a regular expression over transactional ids (KIP-1152).
"""

from ..schema import Request, Response, Struct, f, int16, int32, int64, string


class ListTransactionsRequest(Request, api_key=66, versions="0-2", flexible="0+"):
    state_filters: list[string]
    producer_id_filters: list[int64]
    duration_filter: int64 = f("1+", default=-1)
    transactional_id_pattern: string | None = f("2+", default=None)


class TransactionState(Struct):
    transactional_id: string
    producer_id: int64
    transaction_state: string


class ListTransactionsResponse(Response, api_key=66, versions="0-2", flexible="0+"):
    throttle_time_ms: int32
    error_code: int16
    unknown_state_filters: list[string]
    transaction_states: list[TransactionState]
