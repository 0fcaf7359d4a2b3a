"""DescribeTransactions (key 65): state, producer and partitions of transactions (KIP-664).

Answered by the coordinator of each transactional id.
"""

from ..schema import Request, Response, Struct, int16, int32, int64, string


class DescribeTransactionsRequest(Request, api_key=65, versions="0", flexible="0+"):
    transactional_ids: list[string]


class TopicData(Struct):
    topic: string
    partitions: list[int32]


class TransactionState(Struct):
    error_code: int16
    transactional_id: string
    transaction_state: string
    transaction_timeout_ms: int32
    transaction_start_time_ms: int64
    producer_id: int64
    producer_epoch: int16
    topics: list[TopicData]


class DescribeTransactionsResponse(Response, api_key=65, versions="0", flexible="0+"):
    throttle_time_ms: int32
    transaction_states: list[TransactionState]
