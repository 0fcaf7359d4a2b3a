"""AddRaftVoter (key 80): there is no quorum to join, and Kafka's own answer for a fixed one says so (KIP-853)."""

from __future__ import annotations

from ...protocol.apis.add_raft_voter import AddRaftVoterRequest, AddRaftVoterResponse
from ...protocol.errors import ErrorCode
from ...protocol.schema import ZERO_UUID
from ..dispatch import Context, handler


@handler(AddRaftVoterRequest)
def add_raft_voter(context: Context, request: AddRaftVoterRequest) -> AddRaftVoterResponse:
    """Refuse."""
    broker = context.broker
    code = ErrorCode.UNSUPPORTED_VERSION
    why = "Cluster doesn't support adding voter because the kraft.version feature is 0"
    if request.cluster_id is not None and request.cluster_id != broker.cluster_id:
        code = ErrorCode.INCONSISTENT_CLUSTER_ID
        why = f'The given id "{request.cluster_id}" doesn\'t match the cluster id "{broker.cluster_id}"'
    elif request.voter_id < 0 or request.voter_directory_id == ZERO_UUID:
        code, why = ErrorCode.INVALID_REQUEST, "Add voter request didn't include a valid voter"
    return AddRaftVoterResponse(error_code=code, error_message=why)
