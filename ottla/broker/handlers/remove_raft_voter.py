"""RemoveRaftVoter (key 81): there is no quorum to leave, and Kafka's own answer for a fixed one says so (KIP-853)."""

from __future__ import annotations

from ...protocol.apis.remove_raft_voter import RemoveRaftVoterRequest, RemoveRaftVoterResponse
from ...protocol.errors import ErrorCode
from ...protocol.schema import ZERO_UUID
from ..dispatch import Context, handler


@handler(RemoveRaftVoterRequest)
def remove_raft_voter(context: Context, request: RemoveRaftVoterRequest) -> RemoveRaftVoterResponse:
    """Refuse."""
    broker = context.broker
    code = ErrorCode.UNSUPPORTED_VERSION
    why = "Cluster doesn't support removing voter because the kraft.version feature is 0"
    if request.cluster_id is not None and request.cluster_id != broker.cluster_id:
        code = ErrorCode.INCONSISTENT_CLUSTER_ID
        why = f'The given id "{request.cluster_id}" doesn\'t match the cluster id "{broker.cluster_id}"'
    elif request.voter_id < 0 or request.voter_directory_id == ZERO_UUID:
        code, why = ErrorCode.INVALID_REQUEST, "Remove voter request didn't include a valid voter"
    return RemoveRaftVoterResponse(error_code=code, error_message=why)
