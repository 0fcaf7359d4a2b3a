"""DeleteAcls (key 31): delete the rules that match filters, and say which they were.

Answered by the controller. v1 adds patterns of resource names (KIP-290), v2 is flexible, v3 knows users as resources
(KIP-373).
"""

from ..schema import Request, Response, Struct, f, int8, int16, int32, string


class DeleteAclsFilter(Struct):
    resource_type_filter: int8
    resource_name_filter: string | None
    pattern_type_filter: int8 = f("1+", default=3)
    principal_filter: string | None
    host_filter: string | None
    operation: int8
    permission_type: int8


class DeleteAclsRequest(Request, api_key=31, versions="0-3", flexible="2+"):
    filters: list[DeleteAclsFilter]


class DeleteAclsMatchingAcl(Struct):
    error_code: int16
    error_message: string | None
    resource_type: int8
    resource_name: string
    pattern_type: int8 = f("1+", default=3)
    principal: string
    host: string
    operation: int8
    permission_type: int8


class DeleteAclsFilterResult(Struct):
    error_code: int16
    error_message: string | None
    matching_acls: list[DeleteAclsMatchingAcl]


class DeleteAclsResponse(Response, api_key=31, versions="0-3", flexible="2+"):
    throttle_time_ms: int32
    filter_results: list[DeleteAclsFilterResult]
