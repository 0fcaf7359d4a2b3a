"""ReadShareGroupStateSummary (key 87): where share partitions begin, without their batches (KIP-932).

Sent between brokers, to the share coordinator, by the group's coordinator. v1 adds the count of deliveries that are
complete (KIP-1226).
"""

from ..schema import Request, Response, Struct, f, int16, int32, int64, string, uuid


class PartitionData(Struct):
    partition: int32
    leader_epoch: int32


class ReadStateSummaryData(Struct):
    topic_id: uuid
    partitions: list[PartitionData]


class ReadShareGroupStateSummaryRequest(Request, api_key=87, versions="0-1", flexible="0+"):
    group_id: string
    topics: list[ReadStateSummaryData]


class PartitionResult(Struct):
    partition: int32
    error_code: int16
    error_message: string | None = f(default=None)
    state_epoch: int32
    leader_epoch: int32
    start_offset: int64
    delivery_complete_count: int32 = f("1+", default=-1, ignorable=True)


class ReadStateSummaryResult(Struct):
    topic_id: uuid
    partitions: list[PartitionResult]


class ReadShareGroupStateSummaryResponse(Response, api_key=87, versions="0-1", flexible="0+"):
    results: list[ReadStateSummaryResult]
