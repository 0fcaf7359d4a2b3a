"""DeleteAcls (key 31): delete the rules that filters find, and say which they were.

A filter with a code that nobody knows fails the request, for which the protocol has no place: the connection is closed, as
Kafka closes it.
"""

from __future__ import annotations

from ...controller.acls import delete_acls as decide
from ...protocol.apis.delete_acls import DeleteAclsFilterResult, DeleteAclsRequest, DeleteAclsResponse
from ...protocol.errors import ErrorCode
from ..dispatch import Context, handler
from .describe_acls import read_filter


@handler(DeleteAclsRequest)
async def delete_acls(context: Context, request: DeleteAclsRequest) -> DeleteAclsResponse:
    """Delete rules."""
    filters = [read_filter(each, context.version) for each in request.filters]
    if context.broker.authorization is None:
        code, why = ErrorCode.SECURITY_DISABLED, "No Authorizer is configured."
        return DeleteAclsResponse(
            filter_results=[DeleteAclsFilterResult(error_code=code, error_message=why) for _ in filters]
        )
    return await context.broker.controller.submit(lambda image: decide(image, filters))
