"""DeleteShareGroupState (key 86): forget the state of share partitions (KIP-932).

Sent between brokers, to the share coordinator, by the group's coordinator.
"""

from ..schema import Request, Response, Struct, f, int16, int32, string, uuid


class PartitionData(Struct):
    partition: int32


class DeleteStateData(Struct):
    topic_id: uuid
    partitions: list[PartitionData]


class DeleteShareGroupStateRequest(Request, api_key=86, versions="0", flexible="0+"):
    group_id: string
    topics: list[DeleteStateData]


class PartitionResult(Struct):
    partition: int32
    error_code: int16
    error_message: string | None = f(default=None)


class DeleteStateResult(Struct):
    topic_id: uuid
    partitions: list[PartitionResult]


class DeleteShareGroupStateResponse(Response, api_key=86, versions="0", flexible="0+"):
    results: list[DeleteStateResult]
