"""DescribeAcls (key 29): list the rules that match a filter.

Answered by any broker.
v1 adds patterns of resource names (KIP-290), v2 is flexible, v3 knows users as resources (KIP-373).
"""

from ..schema import Request, Response, Struct, f, int8, int16, int32, string


class DescribeAclsRequest(Request, api_key=29, versions="0-3", flexible="2+"):
    resource_type_filter: int8
    resource_name_filter: string | None
    pattern_type_filter: int8 = f("1+", default=3)
    principal_filter: string | None
    host_filter: string | None
    operation: int8
    permission_type: int8


class AclDescription(Struct):
    principal: string
    host: string
    operation: int8
    permission_type: int8


class DescribeAclsResource(Struct):
    resource_type: int8
    resource_name: string
    pattern_type: int8 = f("1+", default=3)
    acls: list[AclDescription]


class DescribeAclsResponse(Response, api_key=29, versions="0-3", flexible="2+"):
    throttle_time_ms: int32
    error_code: int16
    error_message: string | None
    resources: list[DescribeAclsResource]
