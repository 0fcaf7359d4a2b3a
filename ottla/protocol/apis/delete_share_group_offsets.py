"""DeleteShareGroupOffsets (key 92): forget how far a share group got in topics (KIP-932).

Answered by the group's coordinator, only while the group has no members.
"""

from ..schema import Request, Response, Struct, f, int16, int32, string, uuid


class DeleteShareGroupOffsetsRequestTopic(Struct):
    topic_name: string


class DeleteShareGroupOffsetsRequest(Request, api_key=92, versions="0", flexible="0+"):
    group_id: string
    topics: list[DeleteShareGroupOffsetsRequestTopic]


class DeleteShareGroupOffsetsResponseTopic(Struct):
    topic_name: string
    topic_id: uuid
    error_code: int16
    error_message: string | None = f(default=None)


class DeleteShareGroupOffsetsResponse(Response, api_key=92, versions="0", flexible="0+"):
    throttle_time_ms: int32
    error_code: int16
    error_message: string | None = f(default=None)
    responses: list[DeleteShareGroupOffsetsResponseTopic]
