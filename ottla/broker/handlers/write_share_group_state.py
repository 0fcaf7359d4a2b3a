"""WriteShareGroupState (key 85): what changed in share partitions. From the leader of the partitions."""

from __future__ import annotations

from typing import Any

from ...coordinator.share_state.batches import StateBatch
from ...coordinator.share_state.records import SharePartitionKey
from ...protocol.apis.write_share_group_state import (
    PartitionData,
    PartitionResult,
    WriteShareGroupStateRequest,
    WriteShareGroupStateResponse,
    WriteStateResult,
)
from ..dispatch import Context, handler
from ..share.state_requests import answer_each


@handler(WriteShareGroupStateRequest)
async def write_share_group_state(
    context: Context, request: WriteShareGroupStateRequest
) -> WriteShareGroupStateResponse:
    """Write each partition."""

    def ask(key: SharePartitionKey, asked: PartitionData) -> Any:
        return context.broker.share_state.write(
            key,
            state_epoch=asked.state_epoch,
            leader_epoch=asked.leader_epoch,
            start_offset=asked.start_offset,
            delivery_complete_count=asked.delivery_complete_count,
            batches=[
                StateBatch(one.first_offset, one.last_offset, one.delivery_state, one.delivery_count)
                for one in asked.state_batches
            ],
        )

    return WriteShareGroupStateResponse(results=await answer_each(request, WriteStateResult, PartitionResult, ask))
