"""JSON Web Tokens as a broker takes them from strangers: which keys sign, which claims must be there (KIP-768).

    token ─► three parts, small ─► header: algorithm of the list, no "crit" ─► a key of the JWKS that fits ─► signature
          ─► exp, iat, nbf against `now_ms` ─► iss, aud ─► user and scope

What Kafka's BrokerJwtValidator accepts is accepted, with two limits it does not have: only asymmetric algorithms (a key
that verifies must not be able to sign), and sizes. Of PyJWT only the signature check is used: it is called with one
algorithm, the one the key is for, and never with what the token would like. Claims are looked at here, because their clock
comes in as an argument.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jwt
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

TOKEN_MAX = 64 * 1024
KEYS_MAX = 256
#: Keys tried for a token that does not name one.
_CANDIDATES_MAX = 8
RSA_BITS_MIN = 2048
#: Algorithm -> type of key, and curve where it has one.
ALGORITHMS: Mapping[str, tuple[str, str | None]] = {
    "RS256": ("RSA", None), "RS384": ("RSA", None), "RS512": ("RSA", None),
    "PS256": ("RSA", None), "PS384": ("RSA", None), "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"), "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}  # fmt: skip
_PUBLIC_MEMBERS = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y"), "OKP": ("kty", "crv", "x")}
_READERS: Mapping[str, Any] = {
    "RSA": RSAAlgorithm.from_jwk, "EC": ECAlgorithm.from_jwk, "OKP": OKPAlgorithm.from_jwk,
}  # fmt: skip
_JWS = jwt.PyJWS(algorithms=list(ALGORITHMS))


class InvalidToken(Exception):  # noqa: N818 - a fact, not a bug
    """A token is not accepted; the text is for our log, not for who sent it."""


class Key(NamedTuple):
    """A public key of a JWKS."""

    id: str | None
    type: str
    curve: str | None
    #: The one algorithm it is meant for, if the set says so.
    algorithm: str | None
    public: Any

    def fits(self, algorithm: str) -> bool:
        """Whether signatures of `algorithm` may be checked with this key."""
        return self.algorithm in (None, algorithm) and ALGORITHMS[algorithm] in (
            (self.type, self.curve),
            (self.type, None),
        )


class Claims(NamedTuple):
    """What a good token says."""

    user: str
    scope: frozenset[str]
    expires_ms: int


@dataclass(frozen=True)
class Rules:
    """The `sasl.oauthbearer.*` settings of one listener that say which tokens are good."""

    issuer: str | None = None
    audiences: frozenset[str] = frozenset()
    skew_ms: int = 30_000
    scope_claim: str = "scope"
    user_claim: str = "sub"


def read_keys(text: bytes) -> tuple[list[Key], list[str]]:
    """Read a JWKS: its usable public keys, and why others are not. Raises ValueError if it is no JWKS."""
    try:
        rows = json.loads(text)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not a JSON Web Key Set: {error}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError('not a JSON Web Key Set: "keys" is no list of objects')
    keys, refused = [], []
    for row in rows[:KEYS_MAX]:
        try:
            keys.append(_read_key(row))
        except (ValueError, KeyError, TypeError, jwt.InvalidKeyError) as error:
            refused.append(f"key {row.get('kid')!r}: {error}")
    refused += [f"{len(rows) - KEYS_MAX} keys beyond the {KEYS_MAX}th"] if len(rows) > KEYS_MAX else []
    return keys, refused


def _read_key(row: Mapping[str, Any]) -> Key:
    kind, key_id, algorithm, curve = (row.get(name) for name in ("kty", "kid", "alg", "crv"))
    if not isinstance(kind, str) or kind not in _READERS:
        raise ValueError(f"keys of type {kind} are not used: only public keys of RSA, EC and OKP are")
    if row.get("use", "sig") != "sig" or "verify" not in row.get("key_ops", ["verify"]):
        raise ValueError("it is not for signatures")
    if algorithm is not None and algorithm not in ALGORITHMS:
        raise ValueError(f"its algorithm {algorithm} is not accepted")
    if key_id is not None and not isinstance(key_id, str):
        raise ValueError("its id is no text")
    # A set may hold private keys by mistake; the private half is never read.
    public = _READERS[kind]({name: row[name] for name in _PUBLIC_MEMBERS[kind]})
    if kind == "RSA" and public.key_size < RSA_BITS_MIN:
        raise ValueError(f"it has {public.key_size} bits, at least {RSA_BITS_MIN} are wanted")
    return Key(key_id, kind, curve if kind != "RSA" else None, algorithm, public)


def key_id_of(token: str) -> str | None:
    """Return the id of the key that a token says it is signed with. Nothing is verified. Raises `InvalidToken`."""
    return _header(token)[1]


def validate(token: str, keys: Iterable[Key], rules: Rules, now_ms: int) -> Claims:
    """Return what a token says, or raise `InvalidToken`."""
    algorithm, key_id = _header(token)
    fitting = [key for key in keys if key.fits(algorithm) and key_id in (None, key.id)][:_CANDIDATES_MAX]
    if not fitting:
        raise InvalidToken(f"no key of the JWKS has id {key_id!r} and is for {algorithm}")
    reason = ""
    for key in fitting:
        try:
            payload = _JWS.decode_complete(token, key.public, algorithms=[algorithm])["payload"]
        except (jwt.InvalidTokenError, jwt.InvalidKeyError, ValueError, TypeError) as error:
            reason = str(error)
            continue
        return _check_claims(_read_claims(payload), rules, now_ms)
    raise InvalidToken(f"the signature does not fit: {reason}")


def _header(token: str) -> tuple[str, str | None]:
    """Check form and header; returns algorithm and key id."""
    if len(token) > TOKEN_MAX:
        raise InvalidToken(f"the token has {len(token)} bytes, more than {TOKEN_MAX}")
    sections = token.split(".")
    if len(sections) != 3 or not all(sections):
        raise InvalidToken("the token has not the three parts of a signed JWT")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError) as error:
        raise InvalidToken(f"the token's header cannot be read: {error}") from None
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise InvalidToken(f"tokens signed with {algorithm!r} are not accepted")
    if "crit" in header or header.get("b64", True) is not True:
        raise InvalidToken("the token's header demands an extension")
    if key_id is not None and not isinstance(key_id, str):
        raise InvalidToken("the token's key id is no text")
    return algorithm, key_id


def _read_claims(payload: bytes) -> dict[str, Any]:
    try:
        claims = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise InvalidToken(f"the token's claims cannot be read: {error}") from None
    if not isinstance(claims, dict):
        raise InvalidToken("the token's claims are no object")
    return claims


def _check_claims(claims: Mapping[str, Any], rules: Rules, now_ms: int) -> Claims:
    expires_ms = _check_times(claims, rules.skew_ms, now_ms)
    if rules.issuer is not None and claims.get("iss") != rules.issuer:
        raise InvalidToken(f"the issuer is {claims.get('iss')!r}, not {rules.issuer!r}")
    _check_audience(claims, rules.audiences)
    user = claims.get(rules.user_claim)
    if not isinstance(user, str) or not user.strip():
        raise InvalidToken(f"the claim {rules.user_claim} names no user")
    return Claims(user.strip(), _scope(claims.get(rules.scope_claim), rules.scope_claim), expires_ms)


def _check_times(claims: Mapping[str, Any], skew_ms: int, now_ms: int) -> int:
    expires, issued = _time(claims, "exp"), _time(claims, "iat")
    not_before = _time(claims, "nbf") if "nbf" in claims else None
    if now_ms - skew_ms >= expires:
        raise InvalidToken(f"it expired {now_ms - expires} ms ago (clock skew allowed: {skew_ms} ms)")
    if expires < issued:
        raise InvalidToken("it expires before it is issued")
    if not_before is not None and (now_ms + skew_ms < not_before or expires < not_before):
        raise InvalidToken(f"it is valid only in {not_before - now_ms} ms (clock skew allowed: {skew_ms} ms)")
    return expires


def _time(claims: Mapping[str, Any], name: str) -> int:
    """Return a claim of time in milliseconds; whole seconds, as Kafka reads it."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise InvalidToken(f"the claim {name} is {'missing' if value is None else 'no time'}")
    return int(value) * 1000


def _check_audience(claims: Mapping[str, Any], expected: frozenset[str]) -> None:
    audience = claims.get("aud")
    if audience is None:
        if expected:
            raise InvalidToken("it is for no audience")
        return
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or not all(isinstance(name, str) for name in audiences):
        raise InvalidToken("the claim aud is no text and no list of texts")
    # As in Kafka: a token that is for somebody is not for us unless we are told to expect that.
    if not expected.intersection(audiences):
        raise InvalidToken(f"it is for the audience {audiences}; expected: {sorted(expected) or 'none at all'}")


def _scope(claim: Any, name: str) -> frozenset[str]:
    """Return the scopes; a text is one scope, as in Kafka."""
    rows = [claim] if isinstance(claim, str) else claim if isinstance(claim, list) else []
    if not all(isinstance(row, str) and row.strip() for row in rows):
        raise InvalidToken(f"the claim {name} holds an empty scope or one that is no text")
    scope = [row.strip() for row in rows]
    if len(set(scope)) < len(scope):
        raise InvalidToken(f"the claim {name} holds a scope twice")
    return frozenset(scope)
