"""StreamsGroupDescribe (key 89): topology, members and tasks of streams groups (KIP-1071)."""

from __future__ import annotations

from ...protocol.apis.streams_group_describe import (
    DescribedGroup,
    StreamsGroupDescribeRequest,
    StreamsGroupDescribeResponse,
)
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler
from ..operations import GROUP_OPERATIONS


@handler(StreamsGroupDescribeRequest)
async def streams_group_describe(
    context: Context, request: StreamsGroupDescribeRequest
) -> StreamsGroupDescribeResponse:
    """Describe groups."""
    groups = []
    for group_id in request.group_ids:
        try:
            if not context.broker.groups.streams_enabled:
                raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)
            group = await context.broker.groups.streams_describe(group_id)
        except KafkaError as error:
            group = DescribedGroup(group_id=group_id, error_code=error.code)
        if request.include_authorized_operations and group.error_code == ErrorCode.NONE:
            group.authorized_operations = GROUP_OPERATIONS
        groups.append(group)
    return StreamsGroupDescribeResponse(groups=groups)
