"""AddRaftVoter (key 80): make a controller a voter of the metadata quorum (KIP-853).

Answered by the leader of the quorum; brokers pass it on. v1 can ask for the answer before the change is committed.
"""

from ..schema import Request, Response, Struct, f, int16, int32, string, uint16, uuid


class Listener(Struct):
    name: string
    host: string
    port: uint16


class AddRaftVoterRequest(Request, api_key=80, versions="0-1", flexible="0+"):
    cluster_id: string | None
    timeout_ms: int32
    voter_id: int32
    voter_directory_id: uuid
    listeners: list[Listener]
    ack_when_committed: bool = f("1+", default=True)


class AddRaftVoterResponse(Response, api_key=80, versions="0-1", flexible="0+"):
    throttle_time_ms: int32
    error_code: int16
    error_message: string | None = f(ignorable=True)
