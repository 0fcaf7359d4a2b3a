"""SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, RFC 7677): a password is shown without being sent.

    client                                             server
    n,,n=user,r=<client nonce>            ──►
                                          ◄──          r=<client nonce><server nonce>,s=<salt>,i=<iterations>
    c=biws,r=<both nonces>,p=<proof>      ──►
                                          ◄──          v=<server signature>

Channel binding is not offered, as in Kafka. Both sides sign the messages exactly as they went over the wire. A user that
does not exist is answered like one with a wrong password: salt of its own, same number of messages, same work.

With the extension `tokenauth=true` name and password are id and HMAC of a delegation token (KIP-48).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from ..principal import USER, Principal
from . import scram_keys
from .base import (
    Authenticated,
    AuthenticationFailed,
    ClientExchange,
    ClientInputs,
    ServerExchange,
    ServerInputs,
    TokenCredential,
    Work,
)

LOGIN_MODULE = "org.apache.kafka.common.security.scram.ScramLoginModule"
#: A client does not derive longer than this, whatever a server asks.
CLIENT_ITERATIONS_MAX = 1_000_000
_MESSAGE_MAX = 64 * 1024
_NONCE_BYTES = 24

# The grammar as Kafka reads it: names are ASCII.
_SASLNAME = r"(?:[\x01-\x2b\x2d-\x3c\x3e-\x7f]|=2C|=3D)+"
_PRINTABLE = r"[\x21-\x2b\x2d-\x7e]+"
_EXTENSIONS = r"(?:,[A-Za-z]+=[\x01-\x2b\x2d-\x7f]+)*"
_BASE64 = "[A-Za-z0-9/+]*={0,2}"
_CLIENT_FIRST = re.compile(
    f"(?P<header>n,(?:a=(?P<authzid>{_SASLNAME}))?,)"
    f"(?P<bare>n=(?P<name>{_SASLNAME}),r=(?P<nonce>{_PRINTABLE})(?P<extensions>{_EXTENSIONS}))"
)
_CLIENT_FINAL = re.compile(
    f"(?P<bare>c=(?P<binding>{_BASE64}),r=(?P<nonce>{_PRINTABLE}){_EXTENSIONS}),p=(?P<proof>{_BASE64})"
)
_SERVER_FIRST = re.compile(
    f"r=(?P<nonce>{_PRINTABLE}),s=(?P<salt>{_BASE64}),i=(?P<iterations>[0-9]{{1,9}}){_EXTENSIONS}"
)
_SERVER_FINAL = re.compile(f"(?:e=(?P<error>[^,]*)|v=(?P<signature>{_BASE64})){_EXTENSIONS}")


class _First(NamedTuple):
    header: str
    authzid: str
    bare: str
    user: str
    nonce: str
    by_token: bool


class _Verifier(NamedTuple):
    """What a name is answered with; without a principal nothing that is proved lets it in."""

    principal: Principal | None
    salt: str
    iterations: int
    stored_key: bytes
    server_key: bytes
    expires_ms: int | None


# -- the server ----------------------------------------------------------------------------------------------------


def server(inputs: ServerInputs) -> ServerExchange:
    """Verify a client; its last message is our signature."""
    mechanism = inputs.mechanism
    first = _read_client_first((yield None))
    token = (yield Work(partial(inputs.token, first.user, mechanism))) if first.by_token else None
    verifier = _look_up(inputs, first, token)
    if first.authzid and first.authzid != first.user:
        raise AuthenticationFailed(
            "Authentication failed: Client requested an authorization id that is different from username"
        )
    nonce = first.nonce + _nonce(inputs.random)
    server_first = f"r={nonce},s={verifier.salt},i={verifier.iterations}"
    final = _match(_CLIENT_FINAL, (yield server_first.encode()), "client-final")
    signed = f"{first.bare},{server_first},{final['bare']}".encode()
    proof_fits = _check_proof(mechanism, verifier.stored_key, signed, _decode(final["proof"], "proof"))
    signature = hmac.digest(verifier.server_key, signed, scram_keys.HASHES[mechanism])
    # The end only: librdkafka before 2.6.1 puts its own nonce in front once more, and Kafka takes that. The server's part is
    # what must not be missing (CVE-2024-56128), and the proof signs whatever was sent.
    if not hmac.compare_digest(final["nonce"][-len(nonce) :], nonce):
        raise AuthenticationFailed(reason="the nonce of the client's final message does not end with ours")
    if _decode(final["binding"], "channel binding") != first.header.encode():
        raise AuthenticationFailed(reason="the channel binding is not that of the client's first message")
    if verifier.principal is None or not proof_fits:
        raise AuthenticationFailed(reason="wrong user or password")
    return Authenticated(verifier.principal, f"v={_encode(signature)}".encode(), verifier.expires_ms)


def _look_up(inputs: ServerInputs, first: _First, token: TokenCredential | None) -> _Verifier:
    """Find the credential, or make one up; both cost the same. Who has no principal is refused, whatever he proves."""
    mechanism = inputs.mechanism
    if first.by_token:
        fake = scram_keys.fake_credential(mechanism, first.user, inputs.pepper)  # tokens have the fewest iterations
        if token is not None and token.expires_ms > inputs.now_ms:
            keys, owner = token.credential, token.owner._replace(by_token=True)
            salt = _encode(keys.salt)
            return _Verifier(owner, salt, keys.iterations, keys.stored_key, keys.server_key, token.expires_ms)
        return _Verifier(None, _encode(fake.salt), fake.iterations, fake.stored_key, fake.server_key, None)
    fake = scram_keys.fake_credential(mechanism, first.user, inputs.pepper, inputs.likely_iterations)
    # Step for step the same either way, down to what lies in the processor's cache: one look-up that finds and one that does
    # not, and the keys of somebody who exists.
    somebody = inputs.decoy(int.from_bytes(fake.stored_key[:8], "big"), mechanism)
    nobody = somebody + "\0"
    known = inputs.credential(first.user, mechanism)
    other = inputs.credential((nobody, somebody)[known is None], mechanism)
    keys = (known, other)[known is None] or fake
    exists = (known is not None) & (keys.iterations >= scram_keys.ITERATIONS_MIN)
    salt = (_encode(fake.salt), _encode(keys.salt))[exists]
    iterations = (fake.iterations, keys.iterations)[exists]
    return _Verifier(
        (None, Principal(USER, first.user))[exists], salt, iterations, keys.stored_key, keys.server_key, None
    )


def _read_client_first(message: bytes) -> _First:
    found = _match(_CLIENT_FIRST, message, "client-first")
    extensions = dict(pair.split("=", 1) for pair in found["extensions"].split(",")[1:])
    by_token = extensions.get("tokenauth", "").lower() == "true"
    authzid = _from_saslname(found["authzid"] or "")
    return _First(found["header"], authzid, found["bare"], _from_saslname(found["name"]), found["nonce"], by_token)


def _check_proof(mechanism: str, stored_key: bytes, signed: bytes, proof: bytes) -> bool:
    """Whether the proof comes from who knows the client key: what it hides must hash to the stored key."""
    signature = hmac.digest(stored_key, signed, scram_keys.HASHES[mechanism])
    if len(proof) != len(signature):
        return False
    key = _xor(proof, signature)
    return hmac.compare_digest(scram_keys.stored_key(mechanism, key), stored_key)


# -- the client ----------------------------------------------------------------------------------------------------


def client(inputs: ClientInputs) -> ClientExchange:
    """Show a password, and have the server show that it knows it too."""
    mechanism = inputs.mechanism
    own_nonce = _nonce(inputs.random)
    extension = ",tokenauth=true" if inputs.options.get("tokenauth", "").lower() == "true" else ""
    bare = f"n={_to_saslname(inputs.username)},r={own_nonce}{extension}"
    challenge: bytes = yield f"n,,{bare}".encode()

    answer = _match(_SERVER_FIRST, challenge, "server-first")
    iterations = int(answer["iterations"])
    if not answer["nonce"].startswith(own_nonce) or len(answer["nonce"]) == len(own_nonce):
        raise AuthenticationFailed("the server's nonce does not begin with ours: it is not answering us")
    if not scram_keys.ITERATIONS_MIN <= iterations <= CLIENT_ITERATIONS_MAX:
        raise AuthenticationFailed(
            f"the server asks for {iterations} iterations of {mechanism}; between {scram_keys.ITERATIONS_MIN} and "
            f"{CLIENT_ITERATIONS_MAX} are accepted"
        )
    salt = _decode(answer["salt"], "salt")
    salted: bytes = yield Work(partial(scram_keys.salted_password, mechanism, inputs.password, salt, iterations))

    final = f"c={_encode(b'n,,')},r={answer['nonce']}"
    signed = f"{bare},{answer.string},{final}".encode()
    key = scram_keys.client_key(mechanism, salted)
    hash_name = scram_keys.HASHES[mechanism]
    proof = _xor(key, hmac.digest(scram_keys.stored_key(mechanism, key), signed, hash_name))
    outcome = _match(_SERVER_FINAL, (yield f"{final},p={_encode(proof)}".encode()), "server-final")
    if outcome["error"] is not None:
        raise AuthenticationFailed(f"the server refuses: {outcome['error']}")
    expected = hmac.digest(scram_keys.server_key(mechanism, salted), signed, hash_name)
    if not hmac.compare_digest(_decode(outcome["signature"], "signature"), expected):
        raise AuthenticationFailed("the server does not know the password: it is not the one it claims to be")


# -- pieces of messages --------------------------------------------------------------------------------------------


def _match(pattern: re.Pattern[str], message: bytes, what: str) -> re.Match[str]:
    found = None
    if len(message) <= _MESSAGE_MAX:
        found = pattern.fullmatch(message.decode("ascii", "replace"))
    if found is None:
        raise AuthenticationFailed(reason=f"the {what} message of SCRAM is malformed")
    return found


def _decode(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise AuthenticationFailed(reason=f"the {what} is not base64") from None


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _xor(first: bytes, second: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(first, second, strict=True))


def _nonce(random: Callable[[int], bytes]) -> str:
    return _encode(random(_NONCE_BYTES))


def _to_saslname(name: str) -> str:
    return name.replace("=", "=3D").replace(",", "=2C")


def _from_saslname(name: str) -> str:
    return name.replace("=2C", ",").replace("=3D", "=")
