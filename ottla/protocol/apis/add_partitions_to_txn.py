"""AddPartitionsToTxn (key 24): a transaction is going to write to these partitions.

Answered by the transaction coordinator, before the first record of the transaction reaches a partition.
v0-3 come from producers, one transaction each. From v4 brokers send it, several transactions at once, also only to
verify that a partition is part of one (KIP-890). v2 knows PRODUCER_FENCED, v3 is flexible, v5 knows
TRANSACTION_ABORTABLE.
"""

from ..schema import Request, Response, Struct, f, int16, int32, int64, string


class AddPartitionsToTxnTopic(Struct):
    name: string
    partitions: list[int32]


class AddPartitionsToTxnTransaction(Struct):
    transactional_id: string = f("4+")
    producer_id: int64 = f("4+")
    producer_epoch: int16 = f("4+")
    verify_only: bool = f("4+")
    topics: list[AddPartitionsToTxnTopic] = f("4+")


class AddPartitionsToTxnRequest(Request, api_key=24, versions="0-5", flexible="3+"):
    transactions: list[AddPartitionsToTxnTransaction] = f("4+")
    v3_and_below_transactional_id: string = f("0-3")
    v3_and_below_producer_id: int64 = f("0-3")
    v3_and_below_producer_epoch: int16 = f("0-3")
    v3_and_below_topics: list[AddPartitionsToTxnTopic] = f("0-3")


class AddPartitionsToTxnPartitionResult(Struct):
    partition_index: int32
    partition_error_code: int16


class AddPartitionsToTxnTopicResult(Struct):
    name: string
    results_by_partition: list[AddPartitionsToTxnPartitionResult]


class AddPartitionsToTxnResult(Struct):
    transactional_id: string = f("4+")
    topic_results: list[AddPartitionsToTxnTopicResult] = f("4+")


class AddPartitionsToTxnResponse(Response, api_key=24, versions="0-5", flexible="3+"):
    throttle_time_ms: int32
    error_code: int16 = f("4+", ignorable=True)
    results_by_transaction: list[AddPartitionsToTxnResult] = f("4+")
    results_by_topic_v3_and_below: list[AddPartitionsToTxnTopicResult] = f("0-3")
