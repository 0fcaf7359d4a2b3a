"""DeleteRecords (key 21): raise the log start offset of partitions, so that what is before it is gone (KIP-107).

Answered by the leader, when all live replicas have moved their start. Offset -1 means the high watermark.
v2 is flexible.
"""

from ..schema import Request, Response, Struct, int16, int32, int64, string


class DeleteRecordsPartition(Struct):
    partition_index: int32
    offset: int64


class DeleteRecordsTopic(Struct):
    name: string
    partitions: list[DeleteRecordsPartition]


class DeleteRecordsRequest(Request, api_key=21, versions="0-2", flexible="2+"):
    topics: list[DeleteRecordsTopic]
    timeout_ms: int32


class DeleteRecordsPartitionResult(Struct):
    partition_index: int32
    low_watermark: int64
    error_code: int16


class DeleteRecordsTopicResult(Struct):
    name: string
    partitions: list[DeleteRecordsPartitionResult]


class DeleteRecordsResponse(Response, api_key=21, versions="0-2", flexible="2+"):
    throttle_time_ms: int32
    topics: list[DeleteRecordsTopicResult]
