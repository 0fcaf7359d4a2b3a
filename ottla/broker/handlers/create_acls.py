"""CreateAcls (key 30): allow or deny operations of principals on resources. Each rule stands or falls alone.

A rule with a code that nobody knows fails the request, for which the protocol has no place: the connection is closed, as
Kafka closes it.
"""

from __future__ import annotations

from ...controller.acls import create_acls as decide
from ...protocol.apis.create_acls import AclCreationResult, CreateAclsRequest, CreateAclsResponse
from ...protocol.errors import ErrorCode, KafkaError
from ...security import acl
from ..chance import RANDOM
from ..dispatch import Context, handler

_PATTERNS_SINCE = 1


@handler(CreateAclsRequest)
async def create_acls(context: Context, request: CreateAclsRequest) -> CreateAclsResponse:
    """Create rules."""
    for each in request.creations:
        if context.version < _PATTERNS_SINCE:
            each.resource_pattern_type = acl.LITERAL
        codes = (each.resource_type, each.resource_pattern_type, each.operation, each.permission_type)
        if acl.UNKNOWN in codes:
            raise KafkaError(ErrorCode.INVALID_REQUEST, "CreatableAcls contain unknown elements")
    if context.broker.authorization is None:
        code, why = ErrorCode.SECURITY_DISABLED, "No Authorizer is configured."
        return CreateAclsResponse(
            results=[AclCreationResult(error_code=code, error_message=why) for _ in request.creations]
        )
    return await context.broker.controller.submit(lambda image: decide(image, request, random=RANDOM))
