"""InitializeShareGroupState (key 83): begin the state of share partitions anew (KIP-932).

Sent between brokers, to the share coordinator, by the group's coordinator.
"""

from ..schema import Request, Response, Struct, f, int16, int32, int64, string, uuid


class PartitionData(Struct):
    partition: int32
    state_epoch: int32
    start_offset: int64


class InitializeStateData(Struct):
    topic_id: uuid
    partitions: list[PartitionData]


class InitializeShareGroupStateRequest(Request, api_key=83, versions="0", flexible="0+"):
    group_id: string
    topics: list[InitializeStateData]


class PartitionResult(Struct):
    partition: int32
    error_code: int16
    error_message: string | None = f(default=None)


class InitializeStateResult(Struct):
    topic_id: uuid
    partitions: list[PartitionResult]


class InitializeShareGroupStateResponse(Response, api_key=83, versions="0", flexible="0+"):
    results: list[InitializeStateResult]
