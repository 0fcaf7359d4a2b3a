"""DeleteShareGroupState (key 86): forget the state of share partitions. From the group's coordinator."""

from __future__ import annotations

from ...protocol.apis.delete_share_group_state import (
    DeleteShareGroupStateRequest,
    DeleteShareGroupStateResponse,
    DeleteStateResult,
    PartitionResult,
)
from ..dispatch import Context, handler
from ..share.state_requests import answer_each


@handler(DeleteShareGroupStateRequest)
async def delete_share_group_state(
    context: Context, request: DeleteShareGroupStateRequest
) -> DeleteShareGroupStateResponse:
    """Delete the state of each partition."""
    coordinator = context.broker.share_state
    results = await answer_each(request, DeleteStateResult, PartitionResult, lambda key, _: coordinator.delete(key))
    return DeleteShareGroupStateResponse(results=results)
