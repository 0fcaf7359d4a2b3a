"""AlterPartitionReassignments (key 45): move partitions to other replicas, or stop moving them (KIP-455)."""

from __future__ import annotations

from ...controller.reassignments import alter_partition_reassignments as decide
from ...protocol.apis.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
)
from ..dispatch import Context, handler


@handler(AlterPartitionReassignmentsRequest)
async def alter_partition_reassignments(
    context: Context, request: AlterPartitionReassignmentsRequest
) -> AlterPartitionReassignmentsResponse:
    """Begin or cancel moves; each partition has its own result."""
    return await context.broker.controller.submit(lambda image: decide(image, request))
