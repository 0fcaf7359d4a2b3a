"""Decisions about delegation tokens: create, renew, expire, describe, and the sweep of those that ended (KIP-48, KIP-373).

A token is an id and an HMAC-SHA-512 of it under `delegation.token.secret.key`; who holds both logs in by SCRAM as the
token's owner. Only id, owner, requester, renewers and times are stored: the HMAC is computed where it is needed, so that
the metadata log holds nothing that lets anybody in.

    issued ──────── expiry (renewed again and again) ──────── max        after either of the two it is swept

Checks are Kafka's, in its order (`DelegationTokenControlManager`). One thing is counted that Kafka does not count: how
many tokens there are.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ..metadata.image import MetadataImage
from ..protocol.apis import create_delegation_token as creating
from ..protocol.apis import describe_delegation_token as describing
from ..protocol.apis import expire_delegation_token as expiring
from ..protocol.apis import renew_delegation_token as renewing
from ..protocol.errors import ErrorCode
from ..protocol.stored.metadata import DelegationTokenRecord, RemoveDelegationTokenRecord
from ..security.principal import USER, Principal
from .decision import Decision

#: metadata.version from which Kafka's controllers know delegation tokens (3.6-IV2).
METADATA_VERSION_MIN = 14
#: From this version on the two APIs tell, besides the owner, who asked for a token.
TELLS_REQUESTER = 3
#: Tokens of the whole cluster, and renewers of one of them.
TOKENS_MAX, RENEWERS_MAX = 100_000, 1_000
#: The sweep removes so many at a time.
SWEPT_MAX = 1_000
_LONG_MAX = (1 << 63) - 1
#: What an answer says instead of a time.
NO_TIME = -1

#: Finds a token by its HMAC.
Find = Callable[[bytes], DelegationTokenRecord | None]


class TokenSettings(NamedTuple):
    """The `delegation.token.*` settings of the cluster. Without a secret there are no tokens."""

    secret: bytes
    max_lifetime_ms: int
    expiry_ms: int

    def __repr__(self) -> str:
        return f"TokenSettings(max_lifetime_ms={self.max_lifetime_ms}, expiry_ms={self.expiry_ms})"


def hmac_of(secret: bytes, token_id: str) -> bytes:
    """Return what a token's holder knows besides the id."""
    return hmac.digest(secret, token_id.encode(), "sha512")


def unusable(image: MetadataImage, settings: TokenSettings | None) -> ErrorCode | None:
    """Return why there cannot be tokens, if so."""
    if settings is None:
        return ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED
    if image.features.get("metadata.version", 0) < METADATA_VERSION_MIN:
        return ErrorCode.UNSUPPORTED_VERSION
    return None


def owner_of(request: creating.CreateDelegationTokenRequest, requester: Principal) -> Principal:
    """Return for whom a token is asked; type and name of the requester unless the request names another."""
    if not request.owner_principal_name:
        return Principal(requester.type, requester.name)
    return Principal(request.owner_principal_type or "", request.owner_principal_name)


def refusal(
    request: creating.CreateDelegationTokenRequest, requester: Principal, code: ErrorCode, time: int = 0
) -> creating.CreateDelegationTokenResponse:
    """Make the answer that says why there is no token."""
    owner = owner_of(request, requester)
    return creating.CreateDelegationTokenResponse(
        error_code=code, principal_type=owner.type, principal_name=owner.name,
        token_requester_principal_type=requester.type, token_requester_principal_name=requester.name,
        issue_timestamp_ms=time, expiry_timestamp_ms=time, max_timestamp_ms=time, token_id="", hmac=b"",
        throttle_time_ms=0,
    )  # fmt: skip


def create(
    image: MetadataImage,
    settings: TokenSettings | None,
    request: creating.CreateDelegationTokenRequest,
    requester: Principal,
    token_id: str,
    now_ms: int,
) -> Decision[creating.CreateDelegationTokenResponse]:
    """Decide CreateDelegationToken; `token_id` is a new one."""
    code = unusable(image, settings)
    if code is not None or settings is None:
        return Decision(refusal(request, requester, code or ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED))
    if any(renewer.principal_type != USER for renewer in request.renewers):
        return Decision(refusal(request, requester, ErrorCode.INVALID_PRINCIPAL_TYPE))
    if len(image.delegation_tokens) >= TOKENS_MAX or len(request.renewers) > RENEWERS_MAX:
        return Decision(refusal(request, requester, ErrorCode.POLICY_VIOLATION))
    lifetime_ms = settings.max_lifetime_ms
    if request.max_lifetime_ms > 0:
        lifetime_ms = min(lifetime_ms, request.max_lifetime_ms)
    max_ms = _sum(now_ms, lifetime_ms)
    expiry_ms = min(max_ms, _sum(now_ms, settings.expiry_ms))
    owner = owner_of(request, requester)
    record = DelegationTokenRecord(
        owner=str(owner), requester=f"{requester.type}:{requester.name}",
        renewers=[f"{renewer.principal_type}:{renewer.principal_name}" for renewer in request.renewers],
        issue_timestamp=now_ms, max_timestamp=max_ms, expiration_timestamp=expiry_ms, token_id=token_id,
    )  # fmt: skip
    response = refusal(request, requester, ErrorCode.NONE)
    response.issue_timestamp_ms, response.expiry_timestamp_ms, response.max_timestamp_ms = now_ms, expiry_ms, max_ms
    response.token_id, response.hmac = token_id, hmac_of(settings.secret, token_id)
    return Decision(response, [record])


def renew(
    image: MetadataImage,
    settings: TokenSettings | None,
    request: renewing.RenewDelegationTokenRequest,
    requester: Principal,
    find: Find,
    now_ms: int,
) -> Decision[renewing.RenewDelegationTokenResponse]:
    """Decide RenewDelegationToken."""

    def answer(code: ErrorCode, time: int = 0) -> renewing.RenewDelegationTokenResponse:
        return renewing.RenewDelegationTokenResponse(error_code=code, expiry_timestamp_ms=time, throttle_time_ms=0)

    code = unusable(image, settings)
    if code is not None or settings is None:
        return Decision(answer(code or ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED))
    token = find(request.hmac)
    if token is None:
        return Decision(answer(ErrorCode.DELEGATION_TOKEN_NOT_FOUND))
    if has_ended(token, now_ms):
        return Decision(answer(ErrorCode.DELEGATION_TOKEN_EXPIRED))
    if not _may_renew(token, requester):
        return Decision(answer(ErrorCode.DELEGATION_TOKEN_OWNER_MISMATCH))
    period_ms = settings.expiry_ms
    if request.renew_period_ms > 0:
        period_ms = min(period_ms, request.renew_period_ms)
    expiry_ms = min(token.max_timestamp, _sum(now_ms, period_ms))
    return Decision(answer(ErrorCode.NONE, expiry_ms), [_until(token, expiry_ms)])


def expire(
    image: MetadataImage,
    settings: TokenSettings | None,
    request: expiring.ExpireDelegationTokenRequest,
    requester: Principal,
    find: Find,
    now_ms: int,
) -> Decision[expiring.ExpireDelegationTokenResponse]:
    """Decide ExpireDelegationToken: a negative period ends the token at once, others set its end."""

    def answer(code: ErrorCode, time: int = 0) -> expiring.ExpireDelegationTokenResponse:
        return expiring.ExpireDelegationTokenResponse(error_code=code, expiry_timestamp_ms=time, throttle_time_ms=0)

    code = unusable(image, settings)
    if code is not None or settings is None:
        return Decision(answer(code or ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED))
    token = find(request.hmac)
    if token is None:
        return Decision(answer(ErrorCode.DELEGATION_TOKEN_NOT_FOUND))
    if not _may_renew(token, requester):
        return Decision(answer(ErrorCode.DELEGATION_TOKEN_OWNER_MISMATCH))
    if request.expiry_time_period_ms < 0:
        return Decision(answer(ErrorCode.NONE, now_ms), [RemoveDelegationTokenRecord(token_id=token.token_id)])
    if has_ended(token, now_ms):
        return Decision(answer(ErrorCode.DELEGATION_TOKEN_EXPIRED))
    expiry_ms = min(token.max_timestamp, _sum(now_ms, request.expiry_time_period_ms))
    return Decision(answer(ErrorCode.NONE, expiry_ms), [_until(token, expiry_ms)])


def sweep(image: MetadataImage, now_ms: int) -> Decision[int]:
    """Remove tokens that have ended, some at a time; the response is how many."""
    ended = [token.token_id for token in tokens(image) if has_ended(token, now_ms)][:SWEPT_MAX]
    return Decision(len(ended), [RemoveDelegationTokenRecord(token_id=token_id) for token_id in ended])


def visible(
    image: MetadataImage,
    owners: Iterable[Principal] | None,
    asker: Principal,
    may_describe: Callable[[DelegationTokenRecord], bool],
) -> list[DelegationTokenRecord]:
    """List tokens of `owners` (None: of all) that `asker` may see: as owner, requester or renewer, or because it may."""
    wanted = None if owners is None else {str(owner) for owner in owners}
    found = []
    for token in tokens(image):
        parties = {token.owner, token.requester, *token.renewers}
        if wanted is not None and not wanted & parties:
            continue
        if _name(asker) in parties or may_describe(token):
            found.append(token)
    return found


def described(token: DelegationTokenRecord, secret: bytes) -> describing.DescribedDelegationToken:
    """Make a row of DescribeDelegationToken's answer."""
    owner, requester = Principal.parse(token.owner), Principal.parse(token.requester)
    return describing.DescribedDelegationToken(
        principal_type=owner.type, principal_name=owner.name,
        token_requester_principal_type=requester.type, token_requester_principal_name=requester.name,
        issue_timestamp=token.issue_timestamp, expiry_timestamp=token.expiration_timestamp,
        max_timestamp=token.max_timestamp, token_id=token.token_id, hmac=hmac_of(secret, token.token_id),
        renewers=[
            describing.DescribedDelegationTokenRenewer(principal_type=renewer.type, principal_name=renewer.name)
            for renewer in map(Principal.parse, token.renewers)
        ],
    )  # fmt: skip


def tokens(image: MetadataImage) -> Iterable[Any]:
    """Iterate over the records of all tokens."""
    return image.delegation_tokens.values()


def has_ended(token: DelegationTokenRecord, now_ms: int) -> bool:
    """Whether a token lets nobody in any more, though it was not yet swept."""
    return token.max_timestamp < now_ms or token.expiration_timestamp < now_ms


def _name(principal: Principal) -> str:
    return f"{principal.type}:{principal.name}"


def _may_renew(token: DelegationTokenRecord, principal: Principal) -> bool:
    return _name(principal) in (token.owner, *token.renewers)


def _until(token: DelegationTokenRecord, expiry_ms: int) -> DelegationTokenRecord:
    return DelegationTokenRecord(
        owner=token.owner, requester=token.requester, renewers=list(token.renewers),
        issue_timestamp=token.issue_timestamp, max_timestamp=token.max_timestamp, expiration_timestamp=expiry_ms,
        token_id=token.token_id,
    )  # fmt: skip


def _sum(now_ms: int, duration_ms: int) -> int:
    return min(now_ms + duration_ms, _LONG_MAX)
