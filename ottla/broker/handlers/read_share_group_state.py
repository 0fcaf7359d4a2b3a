"""ReadShareGroupState (key 84): the stored state of share partitions. From the leader of the partitions."""

from __future__ import annotations

from typing import Any

from ...coordinator.share_state.records import SharePartitionKey
from ...coordinator.share_state.state import ShareState
from ...protocol.apis.read_share_group_state import (
    PartitionData,
    PartitionResult,
    ReadShareGroupStateRequest,
    ReadShareGroupStateResponse,
    ReadStateResult,
    StateBatch,
)
from ..coordinators.service import mapped
from ..dispatch import Context, handler
from ..share.state_requests import answer_each


@handler(ReadShareGroupStateRequest)
async def read_share_group_state(context: Context, request: ReadShareGroupStateRequest) -> ReadShareGroupStateResponse:
    """Read each partition."""

    def ask(key: SharePartitionKey, asked: PartitionData) -> Any:
        return mapped(context.broker.share_state.read(key, asked.leader_epoch), _fields)

    return ReadShareGroupStateResponse(results=await answer_each(request, ReadStateResult, PartitionResult, ask))


def _fields(state: ShareState | Exception) -> dict[str, Any] | Exception:
    if isinstance(state, Exception):
        return state
    batches = [
        StateBatch(
            first_offset=one.first_offset,
            last_offset=one.last_offset,
            delivery_state=one.delivery_state,
            delivery_count=one.delivery_count,
        )
        for one in state.batches
    ]
    return {"state_epoch": state.state_epoch, "start_offset": state.start_offset, "state_batches": batches}
