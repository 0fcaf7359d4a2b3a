"""RenewDelegationToken (key 39): put off the end of a token; its owner and renewers may."""

from __future__ import annotations

from ...controller import delegation_tokens as rules
from ...protocol.apis.renew_delegation_token import RenewDelegationTokenRequest, RenewDelegationTokenResponse
from ...protocol.errors import ErrorCode
from ..delegation_tokens import may_ask
from ..dispatch import Context, handler


@handler(RenewDelegationTokenRequest)
async def renew_delegation_token(
    context: Context, request: RenewDelegationTokenRequest
) -> RenewDelegationTokenResponse:
    """Renew the token with this HMAC."""
    broker, requester = context.broker, context.principal
    if not may_ask(context):
        return RenewDelegationTokenResponse(
            error_code=ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
            expiry_timestamp_ms=rules.NO_TIME,
            throttle_time_ms=0,
        )
    tokens, now_ms = broker.delegation_tokens, broker.clock.now_ms()
    return await broker.controller.submit(
        lambda image: rules.renew(image, tokens.settings, request, requester, tokens.find, now_ms)
    )
