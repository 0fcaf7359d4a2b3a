"""SaslHandshake (key 17): choose the SASL mechanism.

On a listener with SASL the connection's `authentication` answers it. What comes here comes too late, too soon after the
last one, or where nobody authenticates.
"""

from __future__ import annotations

from ...protocol.apis.sasl_handshake import SaslHandshakeRequest, SaslHandshakeResponse
from ...protocol.errors import ErrorCode
from ..dispatch import Context, handler


@handler(SaslHandshakeRequest)
def sasl_handshake(context: Context, request: SaslHandshakeRequest) -> SaslHandshakeResponse:
    """Refuse: this is no moment to authenticate."""
    return SaslHandshakeResponse(error_code=ErrorCode.ILLEGAL_SASL_STATE)
