"""SaslAuthenticate (key 36): one message of the SASL exchange, there and back (KIP-152).

Follows SaslHandshake v1.
v1 answers with the time after which the client must authenticate again (KIP-368), v2 is flexible.
"""

from ..schema import Request, Response, f, int16, int64, string


class SaslAuthenticateRequest(Request, api_key=36, versions="0-2", flexible="2+"):
    auth_bytes: bytes


class SaslAuthenticateResponse(Response, api_key=36, versions="0-2", flexible="2+"):
    error_code: int16
    error_message: string | None
    auth_bytes: bytes
    session_lifetime_ms: int64 = f("1+", ignorable=True)
