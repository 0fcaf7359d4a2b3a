"""ListPartitionReassignments (key 46): which partitions are being moved, and where to (KIP-455).

Answered by the controller. Null topics ask for all.
"""

from ..schema import Request, Response, Struct, f, int16, int32, string


class ListPartitionReassignmentsTopics(Struct):
    name: string
    partition_indexes: list[int32]


class ListPartitionReassignmentsRequest(Request, api_key=46, versions="0", flexible="0+"):
    timeout_ms: int32 = f(default=60000)
    topics: list[ListPartitionReassignmentsTopics] | None = f(default=None)


class OngoingPartitionReassignment(Struct):
    partition_index: int32
    replicas: list[int32]
    adding_replicas: list[int32]
    removing_replicas: list[int32]


class OngoingTopicReassignment(Struct):
    name: string
    partitions: list[OngoingPartitionReassignment]


class ListPartitionReassignmentsResponse(Response, api_key=46, versions="0", flexible="0+"):
    throttle_time_ms: int32
    error_code: int16
    error_message: string | None
    topics: list[OngoingTopicReassignment]
