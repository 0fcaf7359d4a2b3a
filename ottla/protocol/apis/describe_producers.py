"""DescribeProducers (key 61): the producers that a partition remembers (KIP-664).

Answered by the leader: id, epoch, last sequence and timestamp, and the start of an open transaction. For finding
hanging transactions.
"""

from ..schema import Request, Response, Struct, f, int16, int32, int64, string


class TopicRequest(Struct):
    name: string
    partition_indexes: list[int32]


class DescribeProducersRequest(Request, api_key=61, versions="0", flexible="0+"):
    topics: list[TopicRequest]


class ProducerState(Struct):
    producer_id: int64
    producer_epoch: int32
    last_sequence: int32 = f(default=-1)
    last_timestamp: int64 = f(default=-1)
    coordinator_epoch: int32
    current_txn_start_offset: int64 = f(default=-1)


class PartitionResponse(Struct):
    partition_index: int32
    error_code: int16
    error_message: string | None = f(default=None)
    active_producers: list[ProducerState]


class TopicResponse(Struct):
    name: string
    partitions: list[PartitionResponse]


class DescribeProducersResponse(Response, api_key=61, versions="0", flexible="0+"):
    throttle_time_ms: int32
    topics: list[TopicResponse]
