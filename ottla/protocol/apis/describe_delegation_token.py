"""DescribeDelegationToken (key 41): list delegation tokens, all or those of owners (KIP-48).

Answered by any broker, over an authenticated connection. v2 is flexible, v3 says who asked for the token (KIP-373).
"""

from ..schema import Request, Response, Struct, f, int16, int32, int64, string


class DescribeDelegationTokenOwner(Struct):
    principal_type: string
    principal_name: string


class DescribeDelegationTokenRequest(Request, api_key=41, versions="0-3", flexible="2+"):
    owners: list[DescribeDelegationTokenOwner] | None


class DescribedDelegationTokenRenewer(Struct):
    principal_type: string
    principal_name: string


class DescribedDelegationToken(Struct):
    principal_type: string
    principal_name: string
    token_requester_principal_type: string = f("3+")
    token_requester_principal_name: string = f("3+")
    issue_timestamp: int64
    expiry_timestamp: int64
    max_timestamp: int64
    token_id: string
    hmac: bytes
    renewers: list[DescribedDelegationTokenRenewer]


class DescribeDelegationTokenResponse(Response, api_key=41, versions="0-3", flexible="2+"):
    error_code: int16
    tokens: list[DescribedDelegationToken]
    throttle_time_ms: int32
