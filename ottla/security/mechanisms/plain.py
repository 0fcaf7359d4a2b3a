"""SASL PLAIN (RFC 4616): name and password in one message. Only for listeners with TLS.

Users come from the JAAS entry of the listener, as in Kafka (`user_alice="secret"`). Whom it does not name is looked up
among the SCRAM credentials, so that one created user serves all mechanisms and no password lies in a file.
"""

from __future__ import annotations

import hmac

from ..principal import USER, Principal
from . import scram_keys
from .base import (
    Authenticated,
    AuthenticationFailed,
    ClientExchange,
    ClientInputs,
    ScramCredential,
    ServerExchange,
    ServerInputs,
    Work,
)

NAME = "PLAIN"
LOGIN_MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"
_JAAS_USER = "user_"


def server(inputs: ServerInputs) -> ServerExchange:
    """Take the one message and compare. Takes equally long wherever the user stands, and if it does not exist."""
    message: bytes = yield None
    authzid, user, password = _parse(message)
    expected = inputs.jaas.get(_JAAS_USER + user)
    verifiers = _verifiers(inputs, user if expected is None else "")
    matches = (yield Work(lambda: _verify(password, verifiers))) if verifiers else False
    if expected is not None:
        matches = _equal(inputs.pepper, password, expected)
    if not matches:
        raise AuthenticationFailed("Authentication failed: Invalid username or password")
    if authzid and authzid != user:
        raise AuthenticationFailed(
            "Authentication failed: Client requested an authorization id that is different from username"
        )
    return Authenticated(Principal(USER, user))


def _equal(key: bytes, one: str, other: str) -> bool:
    """Compare in a time that says nothing: as HMACs, equally long whatever the lengths."""
    first, second = (hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256") for text in (one, other))
    return hmac.compare_digest(first, second)


def _verifiers(inputs: ServerInputs, user: str) -> list[tuple[str, ScramCredential, bool]]:
    """Find what verifies a user's password: one of each mechanism, made up where there is none (then False).

    A mechanism that no user has hides nobody, so that where all users stand in the JAAS entry nothing is derived.
    """
    found = []
    for mechanism in scram_keys.HASHES:
        if not inputs.decoy(0, mechanism):
            continue
        fake = scram_keys.fake_credential(mechanism, user, inputs.pepper, inputs.likely_iterations)
        known = inputs.credential(user, mechanism)
        found.append((mechanism, known or fake, known is not None))
    return found


def _verify(password: str, verifiers: list[tuple[str, ScramCredential, bool]]) -> bool:
    """Derive with all of them, so that it takes equally long whichever of them a user has."""
    results = [scram_keys.verifies(mechanism, password, kept) and real for mechanism, kept, real in verifiers]
    return any(results)


def _parse(message: bytes) -> tuple[str, str, str]:
    tokens = message.decode("utf-8", "replace").split("\0")
    if len(tokens) != 3:
        found = min(len(tokens), 4)
        raise AuthenticationFailed(f"Invalid SASL/PLAIN response: expected 3 tokens, got {found}")
    authzid, user, password = tokens
    if not user:
        raise AuthenticationFailed("Authentication failed: username not specified")
    if not password:
        raise AuthenticationFailed("Authentication failed: password not specified")
    return authzid, user, password


def client(inputs: ClientInputs) -> ClientExchange:
    """Say name and password; the answer is empty."""
    if "\0" in inputs.username or "\0" in inputs.password:
        raise AuthenticationFailed("a name or password for PLAIN cannot hold the character NUL")
    yield f"\0{inputs.username}\0{inputs.password}".encode()
