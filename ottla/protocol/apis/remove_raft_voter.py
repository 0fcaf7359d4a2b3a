"""RemoveRaftVoter (key 81): take a controller out of the voters of the metadata quorum (KIP-853).

Answered by the leader of the quorum; brokers pass it on.
"""

from ..schema import Request, Response, f, int16, int32, string, uuid


class RemoveRaftVoterRequest(Request, api_key=81, versions="0", flexible="0+"):
    cluster_id: string | None
    voter_id: int32
    voter_directory_id: uuid


class RemoveRaftVoterResponse(Response, api_key=81, versions="0", flexible="0+"):
    throttle_time_ms: int32
    error_code: int16
    error_message: string | None = f(ignorable=True)
