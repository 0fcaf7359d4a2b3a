"""WriteTxnMarkers (key 27): end transactions in partitions by writing their markers (KIP-98).

Sent by a transaction coordinator to leaders; an administrator sends it to end a hanging transaction (KIP-664).
v1 is flexible, v2 says which version of transactions the producer spoke (KIP-1228).
"""

from ..schema import Request, Response, Struct, f, int8, int16, int32, int64, string


class WritableTxnMarkerTopic(Struct):
    name: string
    partition_indexes: list[int32]


class WritableTxnMarker(Struct):
    producer_id: int64
    producer_epoch: int16
    transaction_result: bool
    topics: list[WritableTxnMarkerTopic]
    coordinator_epoch: int32
    transaction_version: int8 = f("2+", ignorable=True)


class WriteTxnMarkersRequest(Request, api_key=27, versions="1-2", flexible="1+"):
    markers: list[WritableTxnMarker]


class WritableTxnMarkerPartitionResult(Struct):
    partition_index: int32
    error_code: int16


class WritableTxnMarkerTopicResult(Struct):
    name: string
    partitions: list[WritableTxnMarkerPartitionResult]


class WritableTxnMarkerResult(Struct):
    producer_id: int64
    topics: list[WritableTxnMarkerTopicResult]


class WriteTxnMarkersResponse(Response, api_key=27, versions="1-2", flexible="1+"):
    markers: list[WritableTxnMarkerResult]
