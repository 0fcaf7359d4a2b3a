"""ExpireDelegationToken (key 40): change when a token ends; a negative period ends it now (KIP-48).

Answered by the controller. v2 is flexible.
"""

from ..schema import Request, Response, int16, int32, int64


class ExpireDelegationTokenRequest(Request, api_key=40, versions="0-2", flexible="2+"):
    hmac: bytes
    expiry_time_period_ms: int64


class ExpireDelegationTokenResponse(Response, api_key=40, versions="0-2", flexible="2+"):
    error_code: int16
    expiry_timestamp_ms: int64
    throttle_time_ms: int32
