"""DescribeGroups (key 15): state and members of classic groups.

v3 adds the operations the client may do (KIP-430), v4 static members, v6 an error message and GROUP_ID_NOT_FOUND for
groups that do not exist (KIP-1043); before, such a group is shown as Dead without an error.
"""

from __future__ import annotations

from ...protocol.apis.describe_groups import DescribedGroup, DescribeGroupsRequest, DescribeGroupsResponse
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler
from ..operations import GROUP_OPERATIONS


@handler(DescribeGroupsRequest)
async def describe_groups(context: Context, request: DescribeGroupsRequest) -> DescribeGroupsResponse:
    """Describe groups."""
    groups = []
    for group_id in request.groups:
        try:
            group = await context.broker.groups.describe(group_id, context.version)
        except KafkaError as error:
            group = DescribedGroup(group_id=group_id, error_code=error.code)
        if request.include_authorized_operations and group.error_code == ErrorCode.NONE:
            group.authorized_operations = GROUP_OPERATIONS
        groups.append(group)
    return DescribeGroupsResponse(groups=groups)
