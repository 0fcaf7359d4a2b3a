"""Tokens that nobody signed (`alg: none`), as Kafka makes and takes them for tests of clients. They prove nothing.

Options are those of the JAAS entry: `unsecuredValidatorPrincipalClaimName`, `...ScopeClaimName`, `...RequiredScope`,
`...AllowableClockSkewMs` on the server, `unsecuredLoginStringClaim_NAME` and the like on the client.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from .base import SaslConfigError

_VALIDATOR, _LOGIN = "unsecuredValidator", "unsecuredLogin"
_TOKEN_MAX = 64 * 1024


class Unsecured(NamedTuple):
    """What an unsigned token must say."""

    user_claim: str
    scope_claim: str
    required_scope: tuple[str, ...]
    skew_ms: int


class InvalidToken(Exception):  # noqa: N818 - a fact, not a bug
    """An unsigned token is not accepted; `missing_scope` names what it would have to hold."""

    def __init__(self, reason: str, missing_scope: str | None = None) -> None:
        super().__init__(reason)
        self.missing_scope = missing_scope


def prepare(jaas: Mapping[str, str]) -> Unsecured:
    """Read the options of the server's JAAS entry."""

    def option(name: str, default: str) -> str:
        return jaas.get(_VALIDATOR + name, "").strip() or default

    skew = option("AllowableClockSkewMs", "0")
    if not skew.isascii() or not skew.isdigit():
        raise SaslConfigError(f"unsecuredValidatorAllowableClockSkewMs is {skew!r}, which is no number of milliseconds")
    scope = tuple(filter(None, option("RequiredScope", "").split(" ")))
    return Unsecured(option("PrincipalClaimName", "sub"), option("ScopeClaimName", "scope"), scope, int(skew))


def validate(token: str, rules: Unsecured, now_ms: int) -> tuple[str, int]:
    """Return the user that a token names and when it ends; raises `InvalidToken`."""
    sections = token.split(".")
    if len(token) > _TOKEN_MAX or len(sections) != 3:
        raise InvalidToken("Unsecured JWS compact serializations must have 3 dot-separated Base64URL-encoded values")
    header, claims = (_section(text) for text in sections[:2])
    if header.get("alg") != "none":
        raise InvalidToken("Unsecured JWS must have 'none' for an algorithm")
    if sections[2]:
        raise InvalidToken("Unsecured JWS must not contain a digital signature")
    user = claims.get(rules.user_claim)
    if not isinstance(user, str) or not user.strip():
        raise InvalidToken(f"No principal name in JWT claim: {rules.user_claim}")
    expires = _seconds(claims, "exp")
    issued = _seconds(claims, "iat") if "iat" in claims else None
    if issued is not None and (issued * 1000 > now_ms + rules.skew_ms or expires <= issued):
        raise InvalidToken("the token is issued later than now, or than it expires")
    if now_ms - rules.skew_ms >= expires * 1000:
        raise InvalidToken("the token has expired")
    scope = claims.get(rules.scope_claim)
    held = {row.strip() for row in ([scope] if isinstance(scope, str) else scope or []) if isinstance(row, str)}
    if not held.issuperset(rules.required_scope):
        raise InvalidToken("the token lacks a required scope", f"[{', '.join(rules.required_scope)}]")
    return user, round(expires * 1000)


def _seconds(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise InvalidToken(f"the claim {name} is missing or no time")
    return float(value)


def _section(text: str) -> dict[str, Any]:
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        raise InvalidToken("malformed JSON or base64") from None
    if not isinstance(found, dict):
        raise InvalidToken("malformed JSON")
    return found


def make(options: Mapping[str, str], now_ms: int) -> str:
    """Make an unsigned token of the options of a client's JAAS entry, or nothing if they name no claim."""
    claims: dict[str, Any] = {}
    for name, value in options.items():
        for kind, convert in (("String", str), ("Number", float), ("List", _list)):
            prefix = f"{_LOGIN}{kind}Claim_"
            if name.startswith(prefix):
                claims[name.removeprefix(prefix)] = convert(value)
    user_claim = options.get(_LOGIN + "PrincipalClaimName", "sub")
    if user_claim not in claims:
        return ""
    issued = now_ms / 1000
    lifetime = float(options.get(_LOGIN + "LifetimeSeconds", "3600"))
    claims = {"iat": issued, "exp": issued + lifetime, **claims}
    header, body = (
        base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode()).rstrip(b"=").decode()
        for part in ({"alg": "none"}, claims)
    )
    return f"{header}.{body}."


def _list(value: str) -> list[str]:
    """Split `|one|two` at its first character, as Kafka's list claims are written."""
    return value[1:].split(value[0]) if value else []
