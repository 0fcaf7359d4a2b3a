"""The keys of SCRAM (RFC 5802, RFC 7677): what is derived from a password, and what a server keeps of it.

    password, salt, iterations ──PBKDF2──► salted password ─┬─HMAC "Client Key"─► client key ──hash──► stored key
                                                            └─HMAC "Server Key"─► server key

The server keeps salt, iterations, stored key and server key. Deriving takes milliseconds by intent: never on the loop.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from .base import ScramCredential, few_iterations

#: Mechanism -> name of its hash, the weaker first.
HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
#: Kafka's limits for credentials.
ITERATIONS_MIN = 4096
ITERATIONS_MAX = 16384


def salted_password(mechanism: str, password: str, salt: bytes, iterations: int) -> bytes:
    """Derive the salted password; slow."""
    return hashlib.pbkdf2_hmac(HASHES[mechanism], password.encode("utf-8", "surrogatepass"), salt, iterations)


def client_key(mechanism: str, salted: bytes) -> bytes:
    """Return what only the client can compute."""
    return hmac.digest(salted, b"Client Key", HASHES[mechanism])


def stored_key(mechanism: str, key: bytes) -> bytes:
    """Return what the server keeps of a client key."""
    return hashlib.new(HASHES[mechanism], key).digest()


def server_key(mechanism: str, salted: bytes) -> bytes:
    """Return the key by which the server shows that it knows the user."""
    return hmac.digest(salted, b"Server Key", HASHES[mechanism])


def credential_of(mechanism: str, salted: bytes, salt: bytes, iterations: int) -> ScramCredential:
    """Make what the server keeps of a salted password."""
    kept = stored_key(mechanism, client_key(mechanism, salted))
    return ScramCredential(salt, kept, server_key(mechanism, salted), iterations)


def verifies(mechanism: str, password: str, credential: ScramCredential) -> bool:
    """Whether a password is the one that a credential was made of; slow."""
    salted = salted_password(mechanism, password, credential.salt, credential.iterations)
    return hmac.compare_digest(stored_key(mechanism, client_key(mechanism, salted)), credential.stored_key)


def new_salt(random: Callable[[int], bytes]) -> bytes:
    """Make a salt that looks like those of Kafka's own tools: 130 bits as digits of base 36."""
    return _base36(int.from_bytes(random(17), "big") >> 6)


def fake_credential(
    mechanism: str, user: str, pepper: bytes, likely_iterations: Callable[[int, str], int] = few_iterations
) -> ScramCredential:
    """Make a credential for a user that does not exist: the same for a name as long as users do not change, and no password fits.

    Without it salt, iterations or time would tell who exists. `pepper` is a secret, or anybody could compute them. With other
    iterations comes another salt, as when a user gets a new password.
    """
    name = user.encode("utf-8", "surrogatepass")
    chance = hmac.digest(pepper, b"iterations:" + name, "sha256")
    iterations = likely_iterations(int.from_bytes(chance[:8], "big"), mechanism)
    salt = hmac.digest(pepper, b"salt:%d:" % iterations + name, "sha256")
    key = hmac.digest(pepper, b"key:" + name, HASHES[mechanism])
    return ScramCredential(_base36(int.from_bytes(salt[:17], "big") >> 6), key, key, iterations)


#: Digits of the largest number of 130 bits.
_DIGITS = 26


def _base36(number: int) -> bytes:
    """Write a number of up to 130 bits; with as many steps for a small one, whose name would take less time otherwise."""
    digits = bytearray(_DIGITS)
    for at in range(_DIGITS - 1, -1, -1):
        number, digit = divmod(number, 36)
        digits[at] = b"0123456789abcdefghijklmnopqrstuvwxyz"[digit]
    return bytes(digits.lstrip(b"0"))
