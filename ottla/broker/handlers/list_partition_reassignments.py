"""ListPartitionReassignments (key 46): which partitions are being moved (KIP-455); on one node, none."""

from __future__ import annotations

from ...controller.reassignments import list_partition_reassignments as find
from ...protocol.apis.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
)
from ..dispatch import Context, handler


@handler(ListPartitionReassignmentsRequest)
def list_partition_reassignments(
    context: Context, request: ListPartitionReassignmentsRequest
) -> ListPartitionReassignmentsResponse:
    """List moves that are not done."""
    return find(context.broker.image, request)
