"""CreateDelegationToken (key 38): give a client a token by which others may act as it, or as an owner it may speak for."""

from __future__ import annotations

from ...controller import delegation_tokens as rules
from ...protocol.apis.create_delegation_token import CreateDelegationTokenRequest, CreateDelegationTokenResponse
from ...protocol.errors import ErrorCode
from ...security import acl
from ...security.principal import USER
from ..delegation_tokens import may_ask, new_token_id
from ..dispatch import Context, handler
from ..guards.asking import asking_of


@handler(CreateDelegationTokenRequest)
async def create_delegation_token(
    context: Context, request: CreateDelegationTokenRequest
) -> CreateDelegationTokenResponse:
    """Make a token for who asks, or for another owner if that is permitted (KIP-373)."""
    response = await _answer(context, request)
    if context.version < rules.TELLS_REQUESTER:
        response.token_requester_principal_type = response.token_requester_principal_name = ""
    return response


async def _answer(context: Context, request: CreateDelegationTokenRequest) -> CreateDelegationTokenResponse:
    broker, requester = context.broker, context.principal
    code = _refused(context, request)
    if code is not None:
        return rules.refusal(request, requester, code, rules.NO_TIME)
    settings, now_ms, token_id = broker.delegation_tokens.settings, broker.clock.now_ms(), new_token_id()
    return await broker.controller.submit(
        lambda image: rules.create(image, settings, request, requester, token_id, now_ms)
    )


def _refused(context: Context, request: CreateDelegationTokenRequest) -> ErrorCode | None:
    if not may_ask(context):
        return ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED
    requester, owner = context.principal, rules.owner_of(request, context.principal)
    if not owner.type:
        return ErrorCode.INVALID_PRINCIPAL_TYPE
    asking = asking_of(context, "CreateDelegationToken")
    foreign = (owner.type, owner.name) != (requester.type, requester.name)
    if foreign and asking is not None and not asking.may(acl.CREATE_TOKENS, acl.USER, str(owner)):
        return ErrorCode.DELEGATION_TOKEN_AUTHORIZATION_FAILED
    if any(renewer.principal_type != USER for renewer in request.renewers):
        return ErrorCode.INVALID_PRINCIPAL_TYPE
    return None
