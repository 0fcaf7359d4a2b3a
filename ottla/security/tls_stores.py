"""Keystores and truststores: PEM, PKCS #12 and JKS, from files or from the settings themselves, with Kafka's rules.

    ssl.keystore.*    ─► KeyStore(key, chain)      the broker's own key, its certificate first, those that signed it after
    ssl.truststore.*  ─► list of certificates      the signers a client's certificate may come from

What cannot be read raises `StoreError`, with Kafka's words where Kafka checks the same.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import pkcs12

from . import jks

#: Returns the text of a setting, None where it is not set.
Setting = Callable[[str], str | None]


class StoreError(ValueError):
    """A store cannot be used; the text says which and why, and holds no secret."""

    #: What Kafka would raise.
    JAVA = "org.apache.kafka.common.errors.InvalidConfigurationException"


class ReplacementError(StoreError):
    """A store is good, and may not take the place of the one that is there."""

    JAVA = "org.apache.kafka.common.config.ConfigException"


class KeyStore(NamedTuple):
    """A private key and the certificates that go with it."""

    key: PrivateKeyTypes
    chain: list[x509.Certificate]


def key_store(setting: Setting) -> KeyStore | None:
    """Read the keystore that the settings name, None where they name none."""
    kind = (setting("ssl.keystore.type") or "JKS").strip()
    path, password = setting("ssl.keystore.location"), setting("ssl.keystore.password")
    key, chain = setting("ssl.keystore.key"), setting("ssl.keystore.certificate.chain")
    key_password = setting("ssl.key.password")
    if key is not None:
        if kind != "PEM":
            raise StoreError(f"SSL private key can be specified only for PEM, but key store type is {kind}.")
        if chain is None:
            raise StoreError("SSL private key is specified, but certificate chain is not specified.")
        if path is not None:
            raise StoreError("Both SSL key store location and separate private key are specified.")
        if password is not None:
            raise StoreError(_NO_PEM_PASSWORD + ".")
        return _checked(_pem_key(key, key_password), _pem_certificates(chain, "ssl.keystore.certificate.chain"))
    if chain is not None:
        raise StoreError("SSL certificate chain is specified, but private key is not specified")
    if path is None:
        if password is not None:
            raise StoreError("SSL key store is not specified, but key store password is specified.")
        return None
    if kind == "PEM":
        if password is not None:
            raise StoreError(_NO_PEM_PASSWORD)
        text = _read(path).decode("utf-8", "replace")
        return _checked(_pem_key(text, key_password, path), _pem_certificates(text, path))
    if password is None:
        raise StoreError("SSL key store is specified, but key store password is not specified.")
    return _checked(*_binary_key_store(kind, path, password, key_password))


_NO_PEM_PASSWORD = "SSL key store password cannot be specified with PEM format, only key password may be specified"


def trust_store(setting: Setting) -> list[x509.Certificate] | None:
    """Read the truststore that the settings name, None where they name none."""
    kind = (setting("ssl.truststore.type") or "JKS").strip()
    path, password = setting("ssl.truststore.location"), setting("ssl.truststore.password")
    certificates = setting("ssl.truststore.certificates")
    if certificates is not None:
        if kind != "PEM":
            raise StoreError(f"SSL trust store certs can be specified only for PEM, but trust store type is {kind}.")
        if path is not None:
            raise StoreError("Both SSL trust store location and separate trust certificates are specified.")
        if password is not None:
            raise StoreError("SSL trust store password cannot be specified for PEM format.")
        return _pem_certificates(certificates, "ssl.truststore.certificates")
    if path is None:
        if password is not None:
            raise StoreError("SSL trust store is not specified, but trust store password is specified.")
        return None
    if kind == "PEM":
        if password is not None:
            raise StoreError("SSL trust store password cannot be specified for PEM format.")
        return _pem_certificates(_read(path).decode("utf-8", "replace"), path)
    data = _read(path)
    if data.startswith(jks.MAGIC) and _is_java(kind):
        try:
            entries = jks.read(data, password)
        except jks.JksError as problem:
            raise StoreError(f"{path}: {problem}") from None
        found = [x509.load_der_x509_certificate(e.certificates[0]) for e in entries if e.protected_key is None]
    else:
        store = _pkcs12(kind, path, data, password)
        found = [entry.certificate for entry in store.additional_certs]
    if not found:
        raise StoreError(f"{path} holds no trusted certificate")
    return found


def revoked(path: str) -> bytes:
    """Read a file of revocation lists (PEM, several, or one in DER); returns PEM."""
    data = _read(path)
    begin, end = b"-----BEGIN X509 CRL-----", b"-----END X509 CRL-----"
    try:
        if begin not in data:
            return x509.load_der_x509_crl(data).public_bytes(serialization.Encoding.PEM)
        texts = [begin + part.partition(end)[0] + end + b"\n" for part in data.split(begin)[1:]]
        for text in texts:
            x509.load_pem_x509_crl(text)
    except ValueError as problem:
        raise StoreError(f"{path} is no certificate revocation list: {problem}") from None
    return b"".join(texts)


def _checked(key: PrivateKeyTypes, chain: list[x509.Certificate]) -> KeyStore:
    """Put the certificate of the key first, and refuse a key without one."""
    own = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    def is_own(certificate: x509.Certificate) -> bool:
        form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return certificate.public_key().public_bytes(*form) == own

    mine = [certificate for certificate in chain if is_own(certificate)]
    if not mine:
        raise StoreError("no certificate of the SSL key store belongs to its private key")
    ordered, rest = [mine[0]], [certificate for certificate in chain if certificate is not mine[0]]
    while rest and ordered[-1].issuer != ordered[-1].subject:
        above = next((certificate for certificate in rest if certificate.subject == ordered[-1].issuer), None)
        if above is None:
            break
        ordered.append(above)
        rest.remove(above)
    return KeyStore(key, ordered)


def _pem_key(text: str, password: str | None, where: str = "ssl.keystore.key") -> PrivateKeyTypes:
    begin = text.find("-----BEGIN")
    while begin >= 0 and "PRIVATE KEY-----" not in text[begin : begin + 48]:
        begin = text.find("-----BEGIN", begin + 1)
    if begin < 0:
        raise StoreError(f"No matching PRIVATE KEY entries in PEM file ({where})")
    end = text.find("-----END", begin)
    block = text[begin : text.find("-----", end + 8) + 5] + "\n"
    encrypted = "ENCRYPTED" in block[:200]
    if not encrypted and password is not None:
        raise StoreError(f"the private key of {where} is not encrypted, and ssl.key.password is set")
    if encrypted and password is None:
        raise StoreError(f"the private key of {where} is encrypted: ssl.key.password is missing")
    try:
        return serialization.load_pem_private_key(
            block.encode(), password.encode() if encrypted and password is not None else None
        )
    except (ValueError, TypeError) as problem:
        why = "is ssl.key.password right?" if encrypted else problem
        raise StoreError(f"the private key of {where} cannot be read: {why}") from None


def _pem_certificates(text: str, where: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        raise StoreError(f"No matching CERTIFICATE entries in PEM file ({where})") from None


def _binary_key_store(
    kind: str, path: str, password: str, key_password: str | None
) -> tuple[PrivateKeyTypes, list[x509.Certificate]]:
    data = _read(path)
    if data.startswith(jks.MAGIC) and _is_java(kind):
        try:
            entry = next((e for e in jks.read(data, password) if e.protected_key is not None), None)
            if entry is None or entry.protected_key is None:
                raise StoreError(f"{path} holds no private key")
            key = serialization.load_der_private_key(jks.uncover(entry.protected_key, key_password or password), None)
        except jks.JksError as problem:
            raise StoreError(f"{path}: {problem}") from None
        return key, [x509.load_der_x509_certificate(certificate) for certificate in entry.certificates]
    store = _pkcs12(kind, path, data, password)
    if store.key is None or store.cert is None:
        raise StoreError(f"{path} holds no private key with its certificate")
    return store.key, [store.cert.certificate, *(entry.certificate for entry in store.additional_certs)]


def _is_java(kind: str) -> bool:
    return kind.upper() in ("JKS", "PKCS12")  # Java reads either under the name of the other


def _pkcs12(kind: str, path: str, data: bytes, password: str | None) -> pkcs12.PKCS12KeyAndCertificates:
    if not _is_java(kind):
        raise StoreError(
            f"stores of type {kind} cannot be read: use PEM, PKCS12 or JKS (keytool -importkeystore -srckeystore {path} "
            f"-srcstoretype {kind} -destkeystore store.p12 -deststoretype PKCS12)"
        )
    try:
        return pkcs12.load_pkcs12(data, None if password is None else password.encode())
    except ValueError as problem:
        raise StoreError(f"{path} cannot be read as {kind}: {problem}") from None


def _read(path: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as problem:
        raise StoreError(f"cannot read {path}: {problem.strerror}") from None
