"""LeaveGroup (key 13): members leave a classic group.

Answered by the group's coordinator.
v3 removes several members at once, static ones too (KIP-345), v4 is flexible, v5 says why (KIP-800).
"""

from ..schema import Request, Response, Struct, f, int16, int32, string


class MemberIdentity(Struct):
    member_id: string = f("3+")
    group_instance_id: string | None = f("3+", default=None)
    reason: string | None = f("5+", default=None, ignorable=True)


class LeaveGroupRequest(Request, api_key=13, versions="0-5", flexible="4+"):
    group_id: string
    member_id: string = f("0-2")
    members: list[MemberIdentity] = f("3+")


class MemberResponse(Struct):
    member_id: string = f("3+")
    group_instance_id: string | None = f("3+")
    error_code: int16 = f("3+")


class LeaveGroupResponse(Response, api_key=13, versions="0-5", flexible="4+"):
    throttle_time_ms: int32 = f("1+", ignorable=True)
    error_code: int16
    members: list[MemberResponse] = f("3+")
