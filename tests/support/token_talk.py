"""Conversations about delegation tokens, held with Ottla and with Apache Kafka; what is answered is written down as text.

Times are told as differences, ids and HMACs as whether they are what they must be.
"""

from __future__ import annotations

import base64
from typing import Any

from ottla.protocol.apis.create_delegation_token import CreatableRenewers, CreateDelegationTokenRequest
from ottla.protocol.apis.describe_delegation_token import DescribeDelegationTokenOwner, DescribeDelegationTokenRequest
from ottla.protocol.apis.expire_delegation_token import ExpireDelegationTokenRequest
from ottla.protocol.apis.renew_delegation_token import RenewDelegationTokenRequest
from ottla.protocol.errors import ErrorCode
from tests.support.sasl_talk import SCRAM_256, SCRAM_512, Talk

SECRET = "the cluster's secret"
#: Kafka answers before its brokers have seen what was decided.
SETTLE_S = 0.7
HOUR, DAY = 3_600_000, 86_400_000


async def as_user(talk: Talk, user: str) -> None:
    await talk.handshake("PLAIN")
    await talk.login("PLAIN", user)
    talk.lines.clear()


async def create(
    talk: Talk, owner: tuple[str, str] | None = None, renewers: list[tuple[str, str]] = [],  # noqa: B006
    lifetime: int = -1, version: int = 3,
) -> Any:  # fmt: skip
    none = None if version >= 3 else ""
    request = CreateDelegationTokenRequest(
        owner_principal_type=none if owner is None else owner[0],
        owner_principal_name=none if owner is None else owner[1],
        renewers=[CreatableRenewers(principal_type=kind, principal_name=name) for kind, name in renewers],
        max_lifetime_ms=lifetime,
    )
    answer = await talk.call(request, version)
    await talk.pause(SETTLE_S)
    if answer is None:
        return None
    issued = answer.issue_timestamp_ms
    by = f" by {answer.token_requester_principal_type}:{answer.token_requester_principal_name}" if version >= 3 else ""
    times = (
        f"{answer.expiry_timestamp_ms - issued} {answer.max_timestamp_ms - issued}" if issued > 0
        else f"{issued} {answer.expiry_timestamp_ms} {answer.max_timestamp_ms}"
    )  # fmt: skip
    talk.note(
        f"create: {ErrorCode(answer.error_code).name} for {answer.principal_type}:{answer.principal_name}{by} "
        f"times {times} id of {len(answer.token_id)} hmac of {len(answer.hmac)}"
    )
    talk.issued = issued  # type: ignore[attr-defined]
    return answer


async def renew(talk: Talk, hmac: bytes, period: int = -1, version: int = 2) -> None:
    answer = await talk.call(RenewDelegationTokenRequest(hmac=hmac, renew_period_ms=period), version)
    await talk.pause(SETTLE_S)
    note_time(talk, "renew", answer)


async def expire(talk: Talk, hmac: bytes, period: int = -1, version: int = 2) -> None:
    answer = await talk.call(ExpireDelegationTokenRequest(hmac=hmac, expiry_time_period_ms=period), version)
    await talk.pause(SETTLE_S)
    note_time(talk, "expire", answer)


def note_time(talk: Talk, what: str, answer: Any) -> None:
    """Note an answer with a time: to the minute since the token was made, for conversations take a moment."""
    if answer is None:
        return
    time = answer.expiry_timestamp_ms
    told = time if time <= 0 else f"after {round((time - getattr(talk, 'issued', 0)) / 60_000)} minutes"
    talk.note(f"{what}: {ErrorCode(answer.error_code).name} {told}")


async def describe(talk: Talk, owners: list[str] | None, version: int = 3) -> list[Any]:
    asked = (
        None
        if owners is None
        else [DescribeDelegationTokenOwner(principal_type="User", principal_name=x) for x in owners]
    )
    answer = await talk.call(DescribeDelegationTokenRequest(owners=asked), version)
    if answer is None:
        return []
    rows = sorted(
        f"{row.principal_name} by {row.token_requester_principal_name if version >= 3 else '?'} "
        f"renewers {sorted(r.principal_name for r in row.renewers)} lives {row.max_timestamp - row.issue_timestamp} "
        f"hmac of {len(row.hmac)}"
        for row in answer.tokens
    )
    talk.note(f"describe: {ErrorCode(answer.error_code).name}")
    for row in rows:
        talk.note(row)
    return list(answer.tokens)


def password(hmac: bytes) -> str:
    return base64.b64encode(hmac).decode()


# -- conversations: what each gets is a fresh connection and a way to open another ---------------------------------


async def life(talk: Talk, other: Talk) -> None:
    await as_user(talk, "alice")
    await as_user(other, "bob")
    made = await create(talk, renewers=[("User", "bob")])
    other.issued = talk.issued  # type: ignore[attr-defined]
    await renew(talk, made.hmac)
    await renew(talk, made.hmac, HOUR)
    await renew(other, made.hmac)
    talk.lines += other.lines
    await expire(talk, made.hmac, 2 * HOUR)
    await describe(talk, ["alice"])
    await describe(talk, None)
    await expire(talk, made.hmac)
    await renew(talk, made.hmac)
    await expire(talk, made.hmac)
    await describe(talk, ["alice"])


async def old_versions(talk: Talk, other: Talk) -> None:
    await as_user(talk, "alice")
    for version in (1, 2, 3):
        made = await create(talk, renewers=[("User", "bob")], lifetime=HOUR, version=version)
        await describe(talk, ["alice"], version)
        await renew(talk, made.hmac, version=min(version, 2))
        await expire(talk, made.hmac, version=min(version, 2))


async def refusals(talk: Talk, other: Talk) -> None:
    await as_user(talk, "alice")
    await as_user(other, "bob")
    await create(talk, renewers=[("Group", "g")])
    await create(talk, renewers=[("User", "bob"), ("", "x")])
    await renew(talk, b"nothing")
    await renew(talk, b"")
    await expire(talk, b"nothing")
    made = await create(talk)
    await renew(other, made.hmac)
    await expire(other, made.hmac)
    await expire(other, made.hmac, HOUR)
    talk.lines += other.lines
    await describe(talk, [])
    await describe(talk, ["nobody"])
    await expire(talk, made.hmac)


async def lifetimes(talk: Talk, other: Talk) -> None:
    await as_user(talk, "alice")
    for lifetime in (-1, 0, -5, HOUR, 30 * DAY, 9223372036854775807):
        made = await create(talk, lifetime=lifetime)
        await renew(talk, made.hmac, 30 * DAY)
        await expire(talk, made.hmac, 30 * DAY)
        await expire(talk, made.hmac)


async def for_another(talk: Talk, other: Talk) -> None:
    await as_user(talk, "alice")
    await as_user(other, "bob")
    made = await create(talk, owner=("User", "bob"))
    other.issued = talk.issued  # type: ignore[attr-defined]
    mine = await create(talk, owner=("User", ""))
    await expire(talk, mine.hmac)
    await renew(talk, made.hmac)
    await renew(other, made.hmac)
    await describe(other, ["bob"])
    await describe(talk, ["bob"])
    await expire(other, made.hmac)
    talk.lines += other.lines


async def login(talk: Talk, other: Talk) -> None:
    """Log in by a token; such a client may not ask for tokens."""
    await as_user(talk, "alice")
    made = await create(talk, lifetime=HOUR)
    await other.handshake(SCRAM_256)
    await other.login(SCRAM_256, made.token_id, password(made.hmac), tokenauth="true")
    other.lines = [line.rsplit(" for ", 1)[0] for line in other.lines]
    await other.metadata()
    await create(other)
    await renew(other, made.hmac)
    await expire(other, made.hmac)
    await describe(other, None)
    talk.lines += other.lines
    await expire(talk, made.hmac)


def _refused_login(mechanism: str, spoil: str) -> Any:
    async def conversation(talk: Talk, other: Talk) -> None:
        await as_user(talk, "alice")
        made = await create(talk)
        secret, extension = password(made.hmac), {"tokenauth": "true"}
        token_id = made.token_id
        if spoil == "password":
            secret = password(b"x" * 64)
        elif spoil == "id":
            token_id = "AAAAAAAAQACAAAAAAAAAAA"
        elif spoil == "extension":
            extension = {}
        elif spoil == "removed":
            await expire(talk, made.hmac)
        await other.handshake(mechanism)
        await other.login(mechanism, token_id, secret, **extension)
        await other.ended()
        talk.lines += other.lines
        await expire(talk, made.hmac)

    return conversation


CONVERSATIONS = {
    "life": life, "old versions": old_versions, "refusals": refusals, "lifetimes": lifetimes, "for another": for_another,
    "login": login,
} | {
    f"login with wrong {spoil} by {mechanism}": _refused_login(mechanism, spoil)
    for spoil in ("password", "id", "extension", "removed")
    for mechanism in (SCRAM_256, SCRAM_512)
}  # fmt: skip


async def without_authentication(talk: Talk, other: Talk) -> None:
    """On a plaintext listener nobody may ask."""
    await create(talk)
    await create(talk, owner=("User", "bob"), version=3)
    await renew(talk, b"x")
    await expire(talk, b"x")
    await describe(talk, None)


async def switched_off(talk: Talk, other: Talk) -> None:
    """Without delegation.token.secret.key."""
    await as_user(talk, "alice")
    await create(talk)
    await create(talk, renewers=[("Group", "g")])
    await renew(talk, b"x")
    await expire(talk, b"x")
    await describe(talk, None)
    await describe(talk, [])
