"""First messages of OAUTHBEARER, well and badly made, with tokens of all kinds: what a broker answers to each, as text.

Asked of Ottla and of Apache Kafka (`tests/differential/oauthbearer.py`), with the keys of `tests/security/oauth_tokens.py`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import jwt

from tests.security.oauth_tokens import AUDIENCE, ISSUER, claims, private, raw_token, section, token
from tests.support.sasl_talk import Pause, Talk

Make = Callable[[int], bytes]


def message(text: str, authzid: str = "", extra: str = "") -> bytes:
    return f"n,{authzid},\x01auth=Bearer {text}\x01{extra}\x01".encode()


def signed(payload: Any, key: str = "rsa", algorithm: str = "RS256", **headers: Any) -> str:
    """Sign anything."""
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return jwt.api_jws.encode(data, private(key), algorithm, headers={"kid": key, **headers})


def _claims(**changes: Any) -> Make:
    """A token that is good but for some claims; times are seconds from now, None takes a claim away."""

    def make(now: int) -> bytes:
        moved = {
            name: value + now if name in ("exp", "iat", "nbf") and type(value) is int else value
            for name, value in {"iat": -10, "exp": 600, **changes}.items()
        }
        return message(signed(claims(**moved)))

    return make


def _key(key: str, algorithm: str, **headers: Any) -> Make:
    return lambda now: message(token(key, algorithm, headers or None, iat=now - 10, exp=now + 600))


def _text(change: Callable[[str], str]) -> Make:
    """A good token, changed as text."""
    return lambda now: message(change(token(iat=now - 10, exp=now + 600)))


def _raw(data: bytes) -> Make:
    return lambda now: data.replace(b"TOKEN", token(iat=now - 10, exp=now + 600).encode())


def _unsigned(algorithm: str, signature: bytes) -> Make:
    return lambda now: message(raw_token({"alg": algorithm}, claims(iat=now - 10, exp=now + 600), signature))


CASES: Mapping[str, Make] = {
    "good": _claims(),
    "expired": _claims(exp=-31, iat=-100),
    "expired within the skew": _claims(exp=-20, iat=-100),
    "no exp": _claims(exp=None),
    "no iat": _claims(iat=None),
    "iat in the future": _claims(iat=300),
    "iat after exp": _claims(iat=700),
    "exp is a text": _claims(exp="soon"),
    "exp is a fraction": lambda now: message(signed({**claims(iat=now - 10), "exp": now + 600.5})),
    "nbf in the future": _claims(nbf=100),
    "nbf within the skew": _claims(nbf=20),
    "nbf after exp": _claims(nbf=700),
    "other issuer": _claims(iss="https://evil.example/"),
    "no issuer": _claims(iss=None),
    "issuer without its slash": _claims(iss=ISSUER.rstrip("/")),
    "other audience": _claims(aud="other"),
    "no audience": _claims(aud=None),
    "several audiences": _claims(aud=["other", AUDIENCE]),
    "several other audiences": _claims(aud=["other", "another"]),
    "no user": _claims(sub=None),
    "blank user": _claims(sub="  "),
    "user with blanks": _claims(sub=" alice "),
    "user is a number": _claims(sub=5),
    "no scope": _claims(scope=None),
    "empty scope": _claims(scope=""),
    "scope with blanks": _claims(scope="a b"),
    "list of scopes": _claims(scope=["a", "b"]),
    "scope twice": _claims(scope=["a", "a"]),
    "empty scope in a list": _claims(scope=["a", ""]),
    "scope is a number": _claims(scope=5),
    "RS512": _key("rsa", "RS512"),
    "PS256": _key("rsa", "PS256"),
    "ES256": _key("ec", "ES256"),
    "another key": _key("rsa-2", "RS256", kid="rsa"),
    "unknown key": _key("rsa-2", "RS256"),
    "no key id": _key("rsa", "RS256", kid=None),
    "other key's algorithm": _key("ec", "ES256", kid="rsa"),
    "unsigned": _unsigned("none", b""),
    "unsigned with a signature": _unsigned("none", b"x"),
    "signature of nothing": _unsigned("RS256", b"x"),
    "critical header": lambda now: message(signed(claims(iat=now - 10, exp=now + 600), crit=["other"], other=1)),
    "claims are a list": lambda now: message(signed([1])),
    "claims are no JSON": lambda now: message(signed(b"{")),
    "two parts": _text(lambda text: text.rpartition(".")[0]),
    "four parts": _text(lambda text: text + ".x"),
    "no signature": _text(lambda text: text.rpartition(".")[0] + "."),
    "other claims under the signature": _text(
        lambda text: f"{text.split('.')[0]}.{section(claims(sub='root'))}.{text.split('.')[2]}"
    ),
    "own authorization id": _raw(b"n,a=alice,\x01auth=Bearer TOKEN\x01\x01"),
    "other authorization id": _raw(b"n,a=root,\x01auth=Bearer TOKEN\x01\x01"),
    "extensions": _raw(b"n,,\x01auth=Bearer TOKEN\x01host=x\x01port=143\x01\x01"),
    "scheme in other letters": _raw(b"n,,\x01auth=bEARER TOKEN\x01\x01"),
    "several blanks": _raw(b"n,,\x01auth=Bearer   TOKEN\x01\x01"),
    "no auth": _raw(b"n,,\x01host=x\x01\x01"),
    "nothing": _raw(b""),
    "only the end": _raw(b"\x01"),
    "no pairs": _raw(b"n,,\x01\x01"),
    "one separator short": _raw(b"n,,\x01auth=Bearer TOKEN\x01"),
    "more behind": _raw(b"n,,\x01auth=Bearer TOKEN\x01\x01x"),
    "channel binding": _raw(b"p=tls-unique,,\x01auth=Bearer TOKEN\x01\x01"),
    "wants channel binding": _raw(b"y,,\x01auth=Bearer TOKEN\x01\x01"),
    "Basic": _raw(b"n,,\x01auth=Basic YWxpY2U6eA==\x01\x01"),
    "no token": _raw(b"n,,\x01auth=Bearer\x01\x01"),
    "blank in the token": _raw(b"n,,\x01auth=Bearer a b\x01\x01"),
    "key with a digit": _raw(b"n,,\x01auth=Bearer TOKEN\x01ho1st=x\x01\x01"),
    "empty value": _raw(b"n,,\x01auth=Bearer TOKEN\x01host=\x01\x01"),
    "PLAIN": _raw(b"\0alice\0secret"),
}


async def talk(port: int, data: bytes, pause: Pause = asyncio.sleep) -> list[str]:
    """Say one first message, and ^A if that is what is left to say."""
    async with Talk(port, pause) as peer:
        await peer.handshake("OAUTHBEARER")
        peer.lines.clear()
        answer = await peer.authenticate(data)
        if answer is not None and not answer.error_code:
            if answer.auth_bytes:
                peer.note(f"challenge: {answer.auth_bytes.decode()}")
                await peer.authenticate(b"\x01")
            else:
                peer.note(f"in for {round(answer.session_lifetime_ms / 60_000)} minutes")
        return peer.lines


async def transcripts(port: int, now_s: int, pause: Pause = asyncio.sleep) -> dict[str, list[str]]:
    return {name: await talk(port, make(now_s), pause) for name, make in CASES.items()}
