"""DeleteGroups (key 42, KIP-229): remove groups without members, and all their offsets.

A group with members is NON_EMPTY_GROUP, one that does not exist GROUP_ID_NOT_FOUND.
"""

from __future__ import annotations

from ...protocol.apis.delete_groups import DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse
from ...protocol.errors import KafkaError
from ..dispatch import Context, handler


@handler(DeleteGroupsRequest)
async def delete_groups(context: Context, request: DeleteGroupsRequest) -> DeleteGroupsResponse:
    """Delete groups."""
    results = []
    for group_id in dict.fromkeys(request.groups_names):
        try:
            code = await context.broker.groups.delete_group(group_id)
        except KafkaError as error:
            code = error.code
        results.append(DeletableGroupResult(group_id=group_id, error_code=code))
    return DeleteGroupsResponse(throttle_time_ms=0, results=results)
