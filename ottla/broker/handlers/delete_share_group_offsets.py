"""DeleteShareGroupOffsets (key 92): forget how far a share group got in topics, while nobody is in it (KIP-932)."""

from __future__ import annotations

from ...protocol.apis.delete_share_group_offsets import (
    DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsResponse,
)
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler


@handler(DeleteShareGroupOffsetsRequest)
async def delete_share_group_offsets(
    context: Context, request: DeleteShareGroupOffsetsRequest
) -> DeleteShareGroupOffsetsResponse:
    """Delete the state of topics."""
    try:
        context.broker.share_groups.check_enabled()
        if not request.group_id:
            raise KafkaError(ErrorCode.INVALID_GROUP_ID)
        return await context.broker.share_groups.delete_offsets(request)
    except KafkaError as error:
        return DeleteShareGroupOffsetsResponse(error_code=error.code, error_message=error.message)
