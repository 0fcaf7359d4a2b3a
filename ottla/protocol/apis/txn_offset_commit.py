"""TxnOffsetCommit (key 28): commit a group's offsets as part of a transaction (KIP-98).

Answered by the group's coordinator; the offsets count when the transaction is committed.
v2 adds the leader epoch (KIP-320), v3 is flexible and fences members and generations (KIP-447), v4 knows
TRANSACTION_ABORTABLE, v5 takes the partition of __consumer_offsets into the transaction by itself (KIP-890).
"""

from ..schema import Request, Response, Struct, f, int16, int32, int64, string


class TxnOffsetCommitRequestPartition(Struct):
    partition_index: int32
    committed_offset: int64
    committed_leader_epoch: int32 = f("2+", default=-1, ignorable=True)
    committed_metadata: string | None


class TxnOffsetCommitRequestTopic(Struct):
    name: string
    partitions: list[TxnOffsetCommitRequestPartition]


class TxnOffsetCommitRequest(Request, api_key=28, versions="0-5", flexible="3+"):
    transactional_id: string
    group_id: string
    producer_id: int64
    producer_epoch: int16
    generation_id: int32 = f("3+", default=-1)
    member_id: string = f("3+")
    group_instance_id: string | None = f("3+", default=None)
    topics: list[TxnOffsetCommitRequestTopic]


class TxnOffsetCommitResponsePartition(Struct):
    partition_index: int32
    error_code: int16


class TxnOffsetCommitResponseTopic(Struct):
    name: string
    partitions: list[TxnOffsetCommitResponsePartition]


class TxnOffsetCommitResponse(Response, api_key=28, versions="0-5", flexible="3+"):
    throttle_time_ms: int32
    topics: list[TxnOffsetCommitResponseTopic]
