"""RenewDelegationToken (key 39): put off the end of a token, up to its longest life (KIP-48).

Answered by the controller, asked by the owner or a named renewer. v2 is flexible.
"""

from ..schema import Request, Response, int16, int32, int64


class RenewDelegationTokenRequest(Request, api_key=39, versions="0-2", flexible="2+"):
    hmac: bytes
    renew_period_ms: int64


class RenewDelegationTokenResponse(Response, api_key=39, versions="0-2", flexible="2+"):
    error_code: int16
    expiry_timestamp_ms: int64
    throttle_time_ms: int32
