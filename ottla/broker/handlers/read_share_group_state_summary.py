"""ReadShareGroupStateSummary (key 87): where share partitions begin. From the group's coordinator."""

from __future__ import annotations

from typing import Any

from ...coordinator.share_state.records import SharePartitionKey
from ...coordinator.share_state.state import ShareStateSummary
from ...protocol.apis.read_share_group_state_summary import (
    PartitionData,
    PartitionResult,
    ReadShareGroupStateSummaryRequest,
    ReadShareGroupStateSummaryResponse,
    ReadStateSummaryResult,
)
from ..coordinators.service import mapped
from ..dispatch import Context, handler
from ..share.state_requests import answer_each


@handler(ReadShareGroupStateSummaryRequest)
async def read_share_group_state_summary(
    context: Context, request: ReadShareGroupStateSummaryRequest
) -> ReadShareGroupStateSummaryResponse:
    """Read each partition."""

    def ask(key: SharePartitionKey, asked: PartitionData) -> Any:
        return mapped(context.broker.share_state.summary(key), _fields)

    results = await answer_each(request, ReadStateSummaryResult, PartitionResult, ask)
    return ReadShareGroupStateSummaryResponse(results=results)


def _fields(summary: ShareStateSummary | Exception) -> dict[str, Any] | Exception:
    return summary if isinstance(summary, Exception) else summary._asdict()
