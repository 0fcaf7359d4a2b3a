"""DeleteGroups (key 42): remove groups and the offsets they committed (KIP-229).

Answered by each group's coordinator; a group with members is NON_EMPTY_GROUP. v2 is flexible.
"""

from ..schema import Request, Response, Struct, int16, int32, string


class DeleteGroupsRequest(Request, api_key=42, versions="0-2", flexible="2+"):
    groups_names: list[string]


class DeletableGroupResult(Struct):
    group_id: string
    error_code: int16


class DeleteGroupsResponse(Response, api_key=42, versions="0-2", flexible="2+"):
    throttle_time_ms: int32
    results: list[DeletableGroupResult]
