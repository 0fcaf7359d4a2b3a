"""Which JSON Web Tokens a broker accepts: one good one, and what is refused if one thing about it changes."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from ottla.security.json_web_tokens import InvalidToken, Rules, read_keys, validate

from .oauth_tokens import (
    AUDIENCE,
    ISSUER,
    NOW_MS,
    NOW_S,
    STRICT,
    claims,
    jwks,
    keys,
    private,
    public_jwk,
    raw_token,
    section,
    token,
)


def check(text, given_keys=None, rules=STRICT, now_ms=NOW_MS):
    return validate(text, keys() if given_keys is None else given_keys, rules, now_ms)


def test_a_good_token():
    found = check(token())
    assert found.user == "alice"
    assert found.scope == {"kafka.read"}
    assert found.expires_ms == (NOW_S + 600) * 1000


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [("rsa", "RS256"), ("rsa", "RS384"), ("rsa", "RS512"), ("rsa", "PS256"), ("ec", "ES256"), ("ed", "EdDSA")],
)
def test_asymmetric_algorithms(key, algorithm):
    assert check(token(key, algorithm), keys("rsa", "ec", "ed")).user == "alice"


def test_a_key_is_found_without_its_id():
    text = token(headers={"kid": None})
    assert check(text, keys("rsa-2", "rsa")).user == "alice"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": NOW_S - 30}, "expired"),
        ({"exp": None}, "exp is missing"),
        ({"exp": "soon"}, "exp is no time"),
        ({"exp": True}, "exp is no time"),
        ({"exp": -5}, "exp is no time"),
        ({"exp": 1e300}, "exp is no time"),
        ({"iat": None}, "iat is missing"),
        ({"iat": NOW_S + 1000}, "expires before it is issued"),
        ({"nbf": NOW_S + 31}, "valid only in"),
        ({"nbf": NOW_S + 601}, "valid only in"),
        ({"iss": None}, "issuer"),
        ({"iss": ISSUER.rstrip("/")}, "issuer"),
        ({"aud": None}, "no audience"),
        ({"aud": "kafka2"}, "for the audience"),
        ({"aud": ["a", "b"]}, "for the audience"),
        ({"aud": ["kafka", 5]}, "aud is no text"),
        ({"sub": None}, "names no user"),
        ({"sub": "  "}, "names no user"),
        ({"scope": ["a", "a"]}, "twice"),
        ({"scope": ["a", ""]}, "empty scope"),
        ({"scope": [5]}, "no text"),
        ({"scope": ""}, "empty scope"),
    ],
)
def test_claims_that_are_refused(changes, reason):
    given_claims = claims(**changes)
    import jwt

    text = jwt.api_jws.encode(json.dumps(given_claims).encode(), private("rsa"), "RS256", headers={"kid": "rsa"})
    with pytest.raises(InvalidToken, match=reason):
        check(text)


def test_clock_skew_goes_both_ways():
    check(token(iat=NOW_S - 600, exp=NOW_S - 29))
    check(token(nbf=NOW_S + 30))
    with pytest.raises(InvalidToken):
        check(token(iat=NOW_S - 600, exp=NOW_S - 29), rules=Rules(ISSUER, frozenset({AUDIENCE}), skew_ms=0))


def test_one_of_several_audiences_is_enough():
    assert check(token(aud=["other", "kafka"])).user == "alice"


def test_a_token_for_somebody_is_not_for_us_by_default():
    """As in Kafka: without expected audiences only tokens without an audience are accepted."""
    with pytest.raises(InvalidToken, match="none at all"):
        check(token(), rules=Rules())
    assert check(token(aud=None, iss="anyone"), rules=Rules()).user == "alice"


def test_user_and_scope_come_from_the_claims_that_are_named():
    rules = Rules(ISSUER, frozenset({AUDIENCE}), scope_claim="scp", user_claim="email")
    found = check(token(email=" a@b ", scp=["x", "y"]), rules=rules)
    assert found.user == "a@b"
    assert found.scope == {"x", "y"}


# -- signatures ----------------------------------------------------------------------------------------------------


def public_pem() -> bytes:
    return (
        private("rsa")
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def hmac_with_public_key() -> str:
    """The classic confusion: a public key, which everybody has, as the secret of HS256 (CVE-2022-29217)."""
    signed = f"{section({'alg': 'HS256', 'kid': 'rsa'})}.{section(claims())}"
    return f"{signed}.{section(hmac.digest(public_pem(), signed.encode(), hashlib.sha256))}"


def tampered() -> str:
    head, _, signature = token().split(".")
    return f"{head}.{section(claims(sub='root'))}.{signature}"


FORGED = {
    "unsigned": lambda: raw_token({"alg": "none"}, claims()),
    "none with a signature": lambda: raw_token({"alg": "none"}, claims(), b"x"),
    "None": lambda: raw_token({"alg": "NONE"}, claims(), b"x"),
    "no algorithm": lambda: raw_token({"kid": "rsa"}, claims(), b"x"),
    "algorithm is a list": lambda: raw_token({"alg": ["RS256"]}, claims(), b"x"),
    "HMAC with the public key": hmac_with_public_key,
    "other claims": tampered,
    "without signature": lambda: token().rsplit(".", 1)[0] + ".",
    "two parts": lambda: token().rsplit(".", 1)[0],
    "four parts": lambda: token() + ".x",
    "another key": lambda: token("rsa-2", headers={"kid": "rsa"}),
    "unknown key id": lambda: token(headers={"kid": "other"}),
    "key id is a number": lambda: raw_token({"alg": "RS256", "kid": 5}, claims(), b"x"),
    "key inside the token": lambda: token("rsa-2", headers={"kid": None, "jwk": public_jwk("rsa-2")}),
    "keys elsewhere": lambda: token("rsa-2", headers={"kid": None, "jku": "http://127.0.0.1/jwks"}),
    "critical extension": lambda: raw_token({"alg": "RS256", "kid": "rsa", "crit": ["exp"]}, claims(), b"x"),
    "detached payload": lambda: raw_token({"alg": "RS256", "kid": "rsa", "b64": False}, b"", b"x"),
    "EC signature for an RSA key": lambda: token("ec", "ES256", headers={"kid": "rsa"}),
    "signature of zeros": lambda: raw_token({"alg": "RS256", "kid": "rsa"}, claims(), bytes(256)),
    "no base64": lambda: "a!.b!.c!",
    "header is a list": lambda: raw_token([1], claims(), b"x"),
    "header is deep": lambda: raw_token(b"[" * 20000, claims(), b"x"),
    "huge": lambda: token(filler="x" * 70_000),
    "empty": lambda: "",
    "encrypted": lambda: "a.b.c.d.e",
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_tokens(name):
    with pytest.raises(InvalidToken):
        check(FORGED[name](), keys("rsa", "ec"), rules=STRICT)


def test_no_keys_means_no_tokens():
    """CVE-2026-110985, CVE-2026-33557: without a key nothing is verified, so nothing is accepted."""
    with pytest.raises(InvalidToken, match="no key"):
        check(token(), given_keys=[])


@pytest.mark.parametrize("payload", [b"[]", b"5", b"{", b"[" * 30_000, b'{"exp":' + b"9" * 5000 + b"}"])
def test_signed_nonsense(payload):
    import jwt

    text = jwt.api_jws.encode(payload, private("rsa"), "RS256", headers={"kid": "rsa"})
    with pytest.raises(InvalidToken):
        check(text)


@given(st.integers(0, 400), st.integers(1, 255))
def test_one_changed_byte_is_noticed(position, change):
    text = bytearray(token().encode())
    position %= len(text)
    text[position] = (text[position] ^ change) & 0x7F
    if bytes(text) == token().encode():
        return
    try:
        found = check(text.decode())
    except InvalidToken:
        return
    # The last letter of base64 has bits that mean nothing.
    assert position == len(text) - 1 and found.user == "alice"


# -- key sets ------------------------------------------------------------------------------------------------------


def test_keys_that_are_not_used_and_why():
    rows = [
        public_jwk("rsa"),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "symmetric"},
        public_jwk("rsa", kid="enc", use="enc"),
        public_jwk("rsa", kid="ops", key_ops=["encrypt"]),
        public_jwk("rsa", kid="alg", alg="HS256"),
        public_jwk("small"),
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        {"kty": "EC", "kid": "half", "crv": "P-256", "x": "AA"},
        public_jwk("rsa", kid=7),
    ]
    found, refused = read_keys(jwks(*rows))
    assert [key.id for key in found] == ["rsa"]
    assert len(refused) == 8


def test_a_private_key_in_a_set_serves_as_a_public_one():
    from jwt.algorithms import RSAAlgorithm

    row = {**RSAAlgorithm.to_jwk(private("rsa"), as_dict=True), "kid": "rsa"}
    row.pop("key_ops", None)
    found, refused = read_keys(jwks(row))
    assert not refused
    assert check(token(), found).user == "alice"


def test_a_key_for_one_algorithm_serves_no_other():
    only = read_keys(jwks(public_jwk("rsa", alg="RS512")))[0]
    with pytest.raises(InvalidToken, match="no key"):
        check(token(), only)
    assert check(token(algorithm="RS512"), only).user == "alice"


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"keys":5}', b'{"keys":[5]}', b"[" * 50_000, b"\xff"])
def test_what_is_no_key_set(text):
    with pytest.raises(ValueError, match="not a JSON Web Key Set"):
        read_keys(text)


def test_a_set_has_an_end():
    found, refused = read_keys(jwks(*(public_jwk("ec", kid=str(i)) for i in range(300))))
    assert len(found) == 256
    assert refused == ["44 keys beyond the 256th"]
