"""CreatePartitions (key 37): raise the number of partitions of topics.

Answered by the controller. The count is the new total; the assignment, where given, is that of the new partitions.
v2 is flexible, v3 may be refused for quota with THROTTLING_QUOTA_EXCEEDED (KIP-599).
"""

from ..schema import Request, Response, Struct, f, int16, int32, string


class CreatePartitionsAssignment(Struct):
    broker_ids: list[int32]


class CreatePartitionsTopic(Struct):
    name: string
    count: int32
    assignments: list[CreatePartitionsAssignment] | None


class CreatePartitionsRequest(Request, api_key=37, versions="0-3", flexible="2+"):
    topics: list[CreatePartitionsTopic]
    timeout_ms: int32
    validate_only: bool


class CreatePartitionsTopicResult(Struct):
    name: string
    error_code: int16
    error_message: string | None = f(default=None)


class CreatePartitionsResponse(Response, api_key=37, versions="0-3", flexible="2+"):
    throttle_time_ms: int32
    results: list[CreatePartitionsTopicResult]
