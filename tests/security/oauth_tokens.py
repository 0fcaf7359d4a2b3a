"""Keys and tokens of an identity provider, for tests."""

from __future__ import annotations

import base64
import functools
import hmac
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from ottla.security.json_web_tokens import Rules, read_keys

NOW_MS = 1_800_000_000_000
NOW_S = NOW_MS // 1000
ISSUER, AUDIENCE = "https://idp.example/", "kafka"
STRICT = Rules(issuer=ISSUER, audiences=frozenset({AUDIENCE}))


@functools.cache
def private(name: str) -> Any:
    """Make a private key once: rsa, rsa-2, small (1,024 bits), ec, ed."""
    if name.startswith(("rsa", "small")):
        return rsa.generate_private_key(65537, 1024 if name == "small" else 2048)
    return ec.generate_private_key(ec.SECP256R1()) if name == "ec" else ed25519.Ed25519PrivateKey.generate()


def public_jwk(name: str, **members: Any) -> dict[str, Any]:
    key = private(name)
    kind = RSAAlgorithm if name.startswith(("rsa", "small")) else ECAlgorithm if name == "ec" else OKPAlgorithm
    row: dict[str, Any] = kind.to_jwk(key.public_key(), as_dict=True)
    row.pop("key_ops", None)
    return {**row, "kid": name, **members}


def jwks(*rows: dict[str, Any]) -> bytes:
    return json.dumps({"keys": list(rows)}).encode()


def keys(*names: str) -> list[Any]:
    return read_keys(jwks(*(public_jwk(name) for name in names or ("rsa",))))[0]


def claims(**changes: Any) -> dict[str, Any]:
    """Claims of a good token; a change to None takes a claim away."""
    full = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": NOW_S - 10, "exp": NOW_S + 600, "scope": "kafka.read",
        **changes,
    }  # fmt: skip
    return {name: value for name, value in full.items() if value is not None}


def token(key: str = "rsa", algorithm: str = "RS256", headers: dict[str, Any] | None = None, **changes: Any) -> str:
    named = {name: value for name, value in {"kid": key, **(headers or {})}.items() if value is not None}
    return jwt.encode(claims(**changes), private(key), algorithm, headers=named)


def section(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw_token(header: Any, payload: Any, signature: bytes = b"") -> str:
    return f"{section(header)}.{section(payload)}.{section(signature)}"


def hmac_token(key: str, **changes: Any) -> str:
    """Make a token whose "secret" is a public key that everybody knows."""
    text = private(key).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{section({'alg': 'HS256', 'kid': key})}.{section(claims(**changes))}"
    return f"{signed}.{section(hmac.digest(text, signed.encode(), 'sha256'))}"
