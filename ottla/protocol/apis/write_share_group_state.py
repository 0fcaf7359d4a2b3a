"""WriteShareGroupState (key 85): what changed in share partitions (KIP-932).

Sent between brokers, to the share coordinator, by the leader of the partitions. v1 adds the count of deliveries that are
complete (KIP-1226).
"""

from ..schema import Request, Response, Struct, f, int8, int16, int32, int64, string, uuid


class StateBatch(Struct):
    first_offset: int64
    last_offset: int64
    delivery_state: int8
    delivery_count: int16


class PartitionData(Struct):
    partition: int32
    state_epoch: int32
    leader_epoch: int32
    start_offset: int64
    delivery_complete_count: int32 = f("1+", default=-1, ignorable=True)
    state_batches: list[StateBatch]


class WriteStateData(Struct):
    topic_id: uuid
    partitions: list[PartitionData]


class WriteShareGroupStateRequest(Request, api_key=85, versions="0-1", flexible="0+"):
    group_id: string
    topics: list[WriteStateData]


class PartitionResult(Struct):
    partition: int32
    error_code: int16
    error_message: string | None = f(default=None)


class WriteStateResult(Struct):
    topic_id: uuid
    partitions: list[PartitionResult]


class WriteShareGroupStateResponse(Response, api_key=85, versions="0-1", flexible="0+"):
    results: list[WriteStateResult]
