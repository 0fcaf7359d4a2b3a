"""JoinGroup (key 11): enter a classic group, or enter again because it rebalances.

Answered by the group's coordinator when all members have joined or the rebalance timeout is over; the leader among
them gets everyone's metadata, to compute the assignment.
v1 separates the rebalance timeout from the session timeout. From v4 a member without an id is sent away with one and
MEMBER_ID_REQUIRED (KIP-394). v5 knows static members (KIP-345), v6 is flexible, v7 answers with the protocol type
(KIP-559), v8 says why a member joins (KIP-800), v9 can tell the leader to leave the assignment as it is (KIP-814).
"""

from ..schema import Request, Response, Struct, f, int16, int32, string


class JoinGroupRequestProtocol(Struct):
    name: string
    metadata: bytes


class JoinGroupRequest(Request, api_key=11, versions="0-9", flexible="6+"):
    group_id: string
    session_timeout_ms: int32
    rebalance_timeout_ms: int32 = f("1+", default=-1, ignorable=True)
    member_id: string
    group_instance_id: string | None = f("5+", default=None)
    protocol_type: string
    protocols: list[JoinGroupRequestProtocol]
    reason: string | None = f("8+", default=None, ignorable=True)


class JoinGroupResponseMember(Struct):
    member_id: string
    group_instance_id: string | None = f("5+", default=None, ignorable=True)
    metadata: bytes


class JoinGroupResponse(Response, api_key=11, versions="0-9", flexible="6+"):
    throttle_time_ms: int32 = f("2+", ignorable=True)
    error_code: int16
    generation_id: int32 = f(default=-1)
    protocol_type: string | None = f("7+", default=None, ignorable=True)
    protocol_name: string | None = f(nullable="7+")
    leader: string
    skip_assignment: bool = f("9+")
    member_id: string
    members: list[JoinGroupResponseMember]
