"""SaslAuthenticate (key 36): one message of a SASL exchange; outside of one, refused (`sasl_handshake` says when)."""

from __future__ import annotations

from ...protocol.apis.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse
from ...protocol.errors import ErrorCode
from ..dispatch import Context, handler


@handler(SaslAuthenticateRequest)
def sasl_authenticate(context: Context, request: SaslAuthenticateRequest) -> SaslAuthenticateResponse:
    """Refuse: this is no moment to authenticate."""
    return SaslAuthenticateResponse(
        error_code=ErrorCode.ILLEGAL_SASL_STATE,
        error_message="SaslAuthenticate request received after successful authentication",
    )
