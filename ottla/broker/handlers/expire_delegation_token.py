"""ExpireDelegationToken (key 40): set the end of a token, or end it now; its owner and renewers may."""

from __future__ import annotations

from ...controller import delegation_tokens as rules
from ...protocol.apis.expire_delegation_token import ExpireDelegationTokenRequest, ExpireDelegationTokenResponse
from ...protocol.errors import ErrorCode
from ..delegation_tokens import may_ask
from ..dispatch import Context, handler


@handler(ExpireDelegationTokenRequest)
async def expire_delegation_token(
    context: Context, request: ExpireDelegationTokenRequest
) -> ExpireDelegationTokenResponse:
    """Expire the token with this HMAC."""
    broker, requester = context.broker, context.principal
    if not may_ask(context):
        return ExpireDelegationTokenResponse(
            error_code=ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
            expiry_timestamp_ms=rules.NO_TIME,
            throttle_time_ms=0,
        )
    tokens, now_ms = broker.delegation_tokens, broker.clock.now_ms()
    return await broker.controller.submit(
        lambda image: rules.expire(image, tokens.settings, request, requester, tokens.find, now_ms)
    )
