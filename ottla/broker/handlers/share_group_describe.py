"""ShareGroupDescribe (key 77): members and assignments of share groups (KIP-932)."""

from __future__ import annotations

from ...protocol.apis.share_group_describe import (
    DescribedGroup,
    ShareGroupDescribeRequest,
    ShareGroupDescribeResponse,
)
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler
from ..operations import GROUP_OPERATIONS


@handler(ShareGroupDescribeRequest)
async def share_group_describe(context: Context, request: ShareGroupDescribeRequest) -> ShareGroupDescribeResponse:
    """Describe groups."""
    groups = []
    for group_id in request.group_ids:
        try:
            context.broker.share_groups.check_enabled()
            if not group_id:
                raise KafkaError(ErrorCode.INVALID_GROUP_ID)
            group = await context.broker.share_groups.describe(group_id)
        except KafkaError as error:
            # Kafka has words for an unknown group only.
            message = error.message if error.code is ErrorCode.GROUP_ID_NOT_FOUND else None
            group = DescribedGroup(group_id=group_id, error_code=error.code, error_message=message)
        if request.include_authorized_operations and group.error_code == ErrorCode.NONE:
            group.authorized_operations = GROUP_OPERATIONS
        groups.append(group)
    return ShareGroupDescribeResponse(groups=groups)
