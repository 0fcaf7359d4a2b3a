"""SyncGroup (key 14): the leader of a classic group hands in the assignment, each member gets its part.

Answered by the group's coordinator when the leader's has come.
v3 knows static members (KIP-345), v4 is flexible, v5 checks type and name of the protocol (KIP-559).
"""

from ..schema import Request, Response, Struct, f, int16, int32, string


class SyncGroupRequestAssignment(Struct):
    member_id: string
    assignment: bytes


class SyncGroupRequest(Request, api_key=14, versions="0-5", flexible="4+"):
    group_id: string
    generation_id: int32
    member_id: string
    group_instance_id: string | None = f("3+", default=None)
    protocol_type: string | None = f("5+", default=None, ignorable=True)
    protocol_name: string | None = f("5+", default=None, ignorable=True)
    assignments: list[SyncGroupRequestAssignment]


class SyncGroupResponse(Response, api_key=14, versions="0-5", flexible="4+"):
    throttle_time_ms: int32 = f("1+", ignorable=True)
    error_code: int16
    protocol_type: string | None = f("5+", default=None, ignorable=True)
    protocol_name: string | None = f("5+", default=None, ignorable=True)
    assignment: bytes
