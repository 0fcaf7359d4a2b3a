"""Java's own keystore format (JKS), read only: what `keytool` wrote before Java 9, and what many brokers still have.

    FEEDFEED | version | count | entries … | SHA-1 of (password, "Mighty Aphrodite", all before)
    entry 1: alias, time, EncryptedPrivateKeyInfo, chain of certificates        entry 2: alias, time, certificate

A key is hidden by XOR with a chain of SHA-1 digests of password and salt: no protection worth the name, so keep the file
to its user. SHA-1 stands here because the format has it, not to protect anything.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import NamedTuple

MAGIC = b"\xfe\xed\xfe\xed"
_SALT = _DIGEST = 20
#: The algorithm of EncryptedPrivateKeyInfo, in DER: 1.3.6.1.4.1.42.2.17.1.1.
_SUN_KEY_PROTECTOR = bytes.fromhex("060a2b060104012a02110101")
_WHITENER = b"Mighty Aphrodite"


class JksError(ValueError):
    """The file cannot be read: damaged, or the password is another."""


class JksEntry(NamedTuple):
    """A key with its chain, or a trusted certificate alone; all in DER."""

    alias: str
    protected_key: bytes | None
    certificates: list[bytes]


def read(data: bytes, password: str | None) -> list[JksEntry]:
    """Read all entries; with a password, check that nobody changed the file."""
    if password is not None:
        found = hashlib.sha1(password.encode("utf-16-be") + _WHITENER + data[:-_DIGEST], usedforsecurity=False).digest()
        if not hmac.compare_digest(found, data[-_DIGEST:]):
            raise JksError("keystore was tampered with, or password was incorrect")
    reader = _Reader(data, 4)
    version, count = reader.take(">II")
    if version not in (1, 2):
        raise JksError(f"version {version} of JKS is unknown")
    return [_entry(reader, version) for _ in range(count)]


def _entry(reader: _Reader, version: int) -> JksEntry:
    (tag,) = reader.take(">I")
    alias = reader.text()
    reader.take(">q")
    key, count = None, 1
    if tag == 1:
        key = reader.block()
        (count,) = reader.take(">I")
    elif tag != 2:
        raise JksError(f"entry {alias} is of the unknown type {tag}")
    certificates = []
    for _ in range(count):
        if version == 2:
            reader.text()
        certificates.append(reader.block())
    return JksEntry(alias, key, certificates)


def uncover(protected_key: bytes, password: str) -> bytes:
    """Return a private key as PKCS #8 in DER."""
    at = protected_key.find(_SUN_KEY_PROTECTOR)
    if not 0 <= at < 24:
        raise JksError("the key is protected in a way that is not JKS's own")
    at += len(_SUN_KEY_PROTECTOR)
    at += 2 if protected_key[at : at + 1] == b"\x05" else 0
    size_byte = protected_key[at + 1]
    at += 2 + (size_byte & 0x7F if size_byte >= 0x80 else 0)
    hidden = protected_key[at:]
    word, secret = hidden[:_SALT], password.encode("utf-16-be")
    key = bytearray()
    body = hidden[_SALT:-_DIGEST]
    for begin in range(0, len(body), _DIGEST):
        word = hashlib.sha1(secret + word, usedforsecurity=False).digest()
        key += bytes(a ^ b for a, b in zip(body[begin : begin + _DIGEST], word, strict=False))
    check = hashlib.sha1(secret + bytes(key), usedforsecurity=False).digest()
    if not hmac.compare_digest(check, hidden[-_DIGEST:]):
        raise JksError("the password of the key is incorrect")
    return bytes(key)


class _Reader:
    def __init__(self, data: bytes, pos: int) -> None:
        self.data, self.pos = data, pos

    def take(self, form: str) -> tuple[int, ...]:
        try:
            found = struct.unpack_from(form, self.data, self.pos)
        except struct.error:
            raise JksError("the file is cut off") from None
        self.pos += struct.calcsize(form)
        return found

    def _bytes(self, size: int) -> bytes:
        end = self.pos + size
        if end > len(self.data):
            raise JksError("the file is cut off")
        found, self.pos = self.data[self.pos : end], end
        return found

    def block(self) -> bytes:
        return self._bytes(self.take(">I")[0])

    def text(self) -> str:
        return self._bytes(self.take(">H")[0]).decode("utf-8", "replace")
