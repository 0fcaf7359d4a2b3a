"""AlterPartitionReassignments (key 45): move partitions to other replicas, or stop moving them (KIP-455).

Answered by the controller as soon as the move is on record; a null list of replicas cancels.
v1 can forbid a change of the replication factor (KIP-860).
"""

from ..schema import Request, Response, Struct, f, int16, int32, string


class ReassignablePartition(Struct):
    partition_index: int32
    replicas: list[int32] | None = f(default=None)


class ReassignableTopic(Struct):
    name: string
    partitions: list[ReassignablePartition]


class AlterPartitionReassignmentsRequest(Request, api_key=45, versions="0-1", flexible="0+"):
    timeout_ms: int32 = f(default=60000)
    allow_replication_factor_change: bool = f("1+", default=True)
    topics: list[ReassignableTopic]


class ReassignablePartitionResponse(Struct):
    partition_index: int32
    error_code: int16
    error_message: string | None


class ReassignableTopicResponse(Struct):
    name: string
    partitions: list[ReassignablePartitionResponse]


class AlterPartitionReassignmentsResponse(Response, api_key=45, versions="0-1", flexible="0+"):
    throttle_time_ms: int32
    allow_replication_factor_change: bool = f("1+", default=True, ignorable=True)
    error_code: int16
    error_message: string | None
    responses: list[ReassignableTopicResponse]
