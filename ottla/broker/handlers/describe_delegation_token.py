"""DescribeDelegationToken (key 41): list tokens, HMACs included, to those who may see them."""

from __future__ import annotations

from ...controller import delegation_tokens as rules
from ...protocol.apis.describe_delegation_token import (
    DescribedDelegationToken,
    DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse,
)
from ...protocol.errors import ErrorCode
from ...protocol.stored.metadata import DelegationTokenRecord
from ...security import acl
from ...security.principal import Principal
from ..delegation_tokens import may_ask
from ..dispatch import Context, handler
from ..guards.asking import asking_of


@handler(DescribeDelegationTokenRequest)
def describe_delegation_token(
    context: Context, request: DescribeDelegationTokenRequest
) -> DescribeDelegationTokenResponse:
    """List the tokens of the owners that are named, or of all."""
    settings = context.broker.delegation_tokens.settings
    if not may_ask(context):
        return _answer(ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, [])
    if settings is None:
        return _answer(ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED, [])
    asking = asking_of(context, "DescribeDelegationToken")

    def may_describe(token: DelegationTokenRecord) -> bool:
        """Without an authorizer everybody may see everything, as in Kafka."""
        return (
            asking is None
            or asking.may(acl.DESCRIBE, acl.DELEGATION_TOKEN, token.token_id)
            or asking.may(acl.DESCRIBE_TOKENS, acl.USER, token.owner)
        )

    owners = None
    if request.owners is not None:
        owners = [Principal(owner.principal_type, owner.principal_name) for owner in request.owners]
    found = rules.visible(context.broker.image, owners, context.principal, may_describe)
    rows = [rules.described(token, settings.secret) for token in found]
    if context.version < rules.TELLS_REQUESTER:
        for row in rows:
            row.token_requester_principal_type = row.token_requester_principal_name = ""
    return _answer(ErrorCode.NONE, rows)


def _answer(code: ErrorCode, tokens: list[DescribedDelegationToken]) -> DescribeDelegationTokenResponse:
    return DescribeDelegationTokenResponse(error_code=code, tokens=tokens, throttle_time_ms=0)
