"""InitializeShareGroupState (key 83): begin the state of share partitions anew. From the group's coordinator."""

from __future__ import annotations

from ...protocol.apis.initialize_share_group_state import (
    InitializeShareGroupStateRequest,
    InitializeShareGroupStateResponse,
    InitializeStateResult,
    PartitionResult,
)
from ..dispatch import Context, handler
from ..share.state_requests import answer_each


@handler(InitializeShareGroupStateRequest)
async def initialize_share_group_state(
    context: Context, request: InitializeShareGroupStateRequest
) -> InitializeShareGroupStateResponse:
    """Initialize each partition."""
    coordinator = context.broker.share_state
    results = await answer_each(
        request,
        InitializeStateResult,
        PartitionResult,
        lambda key, asked: coordinator.initialize(key, asked.state_epoch, asked.start_offset),
    )
    return InitializeShareGroupStateResponse(results=results)
