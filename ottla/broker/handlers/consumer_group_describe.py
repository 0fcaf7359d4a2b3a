"""ConsumerGroupDescribe (key 69): members, subscriptions and assignments of consumer groups (KIP-848).

v1 says of each member which protocol it speaks. A classic group is GROUP_ID_NOT_FOUND here.
"""

from __future__ import annotations

from ...protocol.apis.consumer_group_describe import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
    DescribedGroup,
)
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler
from ..operations import GROUP_OPERATIONS


@handler(ConsumerGroupDescribeRequest)
async def consumer_group_describe(
    context: Context, request: ConsumerGroupDescribeRequest
) -> ConsumerGroupDescribeResponse:
    """Describe groups."""
    groups = []
    for group_id in request.group_ids:
        try:
            if not context.broker.groups.consumer_enabled:
                raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)
            if not group_id:
                raise KafkaError(ErrorCode.INVALID_GROUP_ID)
            group = await context.broker.groups.consumer_describe(group_id)
        except KafkaError as error:
            told = error.message if error.code is ErrorCode.GROUP_ID_NOT_FOUND else None
            group = DescribedGroup(group_id=group_id, error_code=error.code, error_message=told)
        if request.include_authorized_operations and group.error_code == ErrorCode.NONE:
            group.authorized_operations = GROUP_OPERATIONS
        groups.append(group)
    return ConsumerGroupDescribeResponse(groups=groups)
