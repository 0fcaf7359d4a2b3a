"""ListGroups (key 16): the groups this broker coordinates.

v4 filters by state, v5 by type (KIP-848); names are compared in any case, an empty filter lets everything through.
"""

from __future__ import annotations

from ...protocol.apis.list_groups import ListGroupsRequest, ListGroupsResponse
from ...protocol.errors import ErrorCode
from ..dispatch import Context, handler


@handler(ListGroupsRequest)
async def list_groups(context: Context, request: ListGroupsRequest) -> ListGroupsResponse:
    """List groups."""
    groups = await context.broker.groups.list_groups(request.states_filter, request.types_filter)
    return ListGroupsResponse(error_code=ErrorCode.NONE, groups=groups)
