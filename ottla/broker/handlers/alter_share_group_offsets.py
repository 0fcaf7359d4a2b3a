"""AlterShareGroupOffsets (key 91): set where a share group goes on, while nobody is in it (KIP-932).

A group that does not exist is made, so that its offsets can be set before its first member comes.
"""

from __future__ import annotations

from ...protocol.apis.alter_share_group_offsets import AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler


@handler(AlterShareGroupOffsetsRequest)
async def alter_share_group_offsets(
    context: Context, request: AlterShareGroupOffsetsRequest
) -> AlterShareGroupOffsetsResponse:
    """Set start offsets."""
    try:
        context.broker.share_groups.check_enabled()
        if not request.group_id:
            raise KafkaError(ErrorCode.INVALID_GROUP_ID)
        return await context.broker.share_groups.alter_offsets(request)
    except KafkaError as error:
        return AlterShareGroupOffsetsResponse(error_code=error.code, error_message=error.message)
