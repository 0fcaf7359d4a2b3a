"""Heartbeat (key 12): a member of a classic group says that it is alive, and learns of a rebalance.

Answered by the group's coordinator. v3 knows static members (KIP-345), v4 is flexible.
"""

from ..schema import Request, Response, f, int16, int32, string


class HeartbeatRequest(Request, api_key=12, versions="0-4", flexible="4+"):
    group_id: string
    generation_id: int32
    member_id: string
    group_instance_id: string | None = f("3+", default=None)


class HeartbeatResponse(Response, api_key=12, versions="0-4", flexible="4+"):
    throttle_time_ms: int32 = f("1+", ignorable=True)
    error_code: int16
