"""CreateAcls (key 30): allow or deny operations of principals on resources.

Answered by the controller; every rule stands or falls alone.
v1 adds patterns of resource names (literal or prefixed, KIP-290), v2 is flexible, v3 knows users as resources
(KIP-373).
"""

from ..schema import Request, Response, Struct, f, int8, int16, int32, string


class AclCreation(Struct):
    resource_type: int8
    resource_name: string
    resource_pattern_type: int8 = f("1+", default=3)
    principal: string
    host: string
    operation: int8
    permission_type: int8


class CreateAclsRequest(Request, api_key=30, versions="0-3", flexible="2+"):
    creations: list[AclCreation]


class AclCreationResult(Struct):
    error_code: int16
    error_message: string | None


class CreateAclsResponse(Response, api_key=30, versions="0-3", flexible="2+"):
    throttle_time_ms: int32
    results: list[AclCreationResult]
