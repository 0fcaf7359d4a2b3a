"""DeleteTopics (key 20): delete topics with all their records.

Answered by the controller; every topic stands or falls alone.
From v3 the broker may answer TOPIC_DELETION_DISABLED (before: INVALID_REQUEST). v4 is flexible. v5 adds messages of
errors and may be refused for quota (KIP-599). v6 names topics by name or by id (KIP-516).
"""

from ..schema import Request, Response, Struct, f, int16, int32, string, uuid


class DeleteTopicState(Struct):
    name: string | None = f("6+", default=None)
    topic_id: uuid = f("6+")


class DeleteTopicsRequest(Request, api_key=20, versions="0-6", flexible="4+"):
    topics: list[DeleteTopicState] = f("6+")
    topic_names: list[string] = f("0-5", ignorable=True)
    timeout_ms: int32


class DeletableTopicResult(Struct):
    name: string | None = f(nullable="6+")
    topic_id: uuid = f("6+", ignorable=True)
    error_code: int16
    error_message: string | None = f("5+", default=None, ignorable=True)


class DeleteTopicsResponse(Response, api_key=20, versions="0-6", flexible="4+"):
    throttle_time_ms: int32 = f("1+", ignorable=True)
    responses: list[DeletableTopicResult]
