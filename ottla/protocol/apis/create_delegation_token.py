"""CreateDelegationToken (key 38): get a token that authenticates in place of the principal (KIP-48).

Answered by the controller over an authenticated connection that does not itself use a token.
v2 is flexible, v3 can ask for a token in the name of another owner (KIP-373).
"""

from ..schema import Request, Response, Struct, f, int16, int32, int64, string


class CreatableRenewers(Struct):
    principal_type: string
    principal_name: string


class CreateDelegationTokenRequest(Request, api_key=38, versions="0-3", flexible="2+"):
    owner_principal_type: string | None = f("3+")
    owner_principal_name: string | None = f("3+")
    renewers: list[CreatableRenewers]
    max_lifetime_ms: int64


class CreateDelegationTokenResponse(Response, api_key=38, versions="0-3", flexible="2+"):
    error_code: int16
    principal_type: string
    principal_name: string
    token_requester_principal_type: string = f("3+")
    token_requester_principal_name: string = f("3+")
    issue_timestamp_ms: int64
    expiry_timestamp_ms: int64
    max_timestamp_ms: int64
    token_id: string
    hmac: bytes
    throttle_time_ms: int32
