"""SaslHandshake (key 17): choose the SASL mechanism.

Answered by any broker with the mechanisms it offers. After v0 the exchange follows as bare frames without headers,
after v1 as SaslAuthenticate requests (KIP-152). It never became flexible: old clients do not negotiate its version
(KAFKA-9577).
"""

from ..schema import Request, Response, int16, string


class SaslHandshakeRequest(Request, api_key=17, versions="0-1"):
    mechanism: string


class SaslHandshakeResponse(Response, api_key=17, versions="0-1"):
    error_code: int16
    mechanisms: list[string]
