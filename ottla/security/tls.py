"""TLS contexts from Kafka's `ssl.*` settings, and what a failed handshake means.

    settings ─► tls_stores (keys, certificates) ─► ServerTls: one ssl.SSLContext, the files it came from, the mapping rules
                                                        └─ a changed file or setting makes a new one; the old one serves
                                                           the connections it has

Sessions are not resumed under TLS 1.3 (no tickets): Kafka's connections live long, and a handshake always checks the
client's certificate anew. Under TLS 1.2 they are, for OpenSSL's two hours and while the context lives: Python can forbid
tickets only, and OpenSSL would keep a cache instead. A new list of revocations makes a new context, and whether a resumed
session's certificate has expired we look ourselves. Renegotiation is off.

A chain ends at any certificate of the truststore, an intermediate authority's too, as Java has it. With revocation lists each
certificate of it is looked up, as by a JVM with `com.sun.net.ssl.checkRevocation`: an authority without a list lets nobody in.

The name a client asks for (SNI) decides nothing, as in Kafka, whose key manager (SunX509) does not look at it; it is for the log.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from .client_hello import server_name
from .distinguished_names import rfc2253
from .principal_mapping import MappingError, PrincipalMapper
from .tls_stores import KeyStore, ReplacementError, Setting, StoreError, key_store, revoked, trust_store

VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
#: Accepted in `ssl.enabled.protocols`, and never spoken: Java switches them off as well.
OLD_VERSIONS = frozenset({"SSLv2Hello", "SSLv3", "TLSv1", "TLSv1.1"})
_CLIENT_AUTH = {"none": ssl.CERT_NONE, "requested": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
#: Certificates that a client's chain may have between its own and a trusted one.
_CHAIN_MAX = 10
_FILES = ("ssl.keystore.location", "ssl.truststore.location", "ottla.ssl.crl.location")

Stamp = tuple[tuple[str, int, int, int], ...]


class ServerTls(NamedTuple):
    """What a listener serves TLS with, until its files or settings change."""

    context: ssl.SSLContext
    mapper: PrincipalMapper
    keys: KeyStore
    has_truststore: bool
    #: The files it was made from, as they were.
    stamp: Stamp

    def host_names(self) -> str:
        """Return the names by which the certificate is good, for people."""
        return ", ".join(sorted(_alternative_names(self.keys.chain[0]))) or "no name"

    def has_expired(self, certificate: bytes, now: datetime) -> bool:
        """Whether a client's certificate (DER) has expired: of a resumed session nobody else looks."""
        return x509.load_der_x509_certificate(certificate).not_valid_after_utc < now

    def principal_name(self, certificate: bytes) -> str:
        """Return the name of a client by its certificate (DER); raises `MappingError` if no rule applies."""
        return self.mapper.name(rfc2253(x509.load_der_x509_certificate(certificate).subject.public_bytes()))


def server_tls(setting: Setting) -> ServerTls:
    """Make what the settings of a listener say; raises `StoreError` with the reason why that cannot be."""
    stamp = file_stamp(setting)
    keys = key_store(setting)
    if keys is None:
        raise StoreError("there is no key for TLS: set ssl.keystore.location or ssl.keystore.key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_SINGLE_ECDH_USE
    context.num_tickets = 0
    _set_versions(context, _list(setting("ssl.enabled.protocols")), _list(setting("ssl.cipher.suites")))
    with _chain_file(keys) as path:
        try:
            context.load_cert_chain(path)
        except ssl.SSLError as problem:
            raise StoreError(f"OpenSSL refuses the broker's certificate: {problem.reason or problem}") from None
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_mode = _CLIENT_AUTH[(setting("ssl.client.auth") or "none").strip()]
    trusted = trust_store(setting)
    if trusted is not None:
        pem = "".join(each.public_bytes(serialization.Encoding.PEM).decode() for each in trusted)
        context.load_verify_locations(cadata=pem)
    elif context.verify_mode != ssl.CERT_NONE:
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)  # as Java takes its own `cacerts`
    crl = setting("ottla.ssl.crl.location")
    if crl:
        _load_crl(context, revoked(crl))
    try:
        mapper = PrincipalMapper(setting("ssl.principal.mapping.rules"))
    except MappingError as problem:
        raise StoreError(f"ssl.principal.mapping.rules: {problem}") from None
    return ServerTls(context, mapper, keys, trusted is not None, stamp)


def _load_crl(context: ssl.SSLContext, pem: bytes) -> None:
    with _private_file(pem) as path:
        context.load_verify_locations(cafile=path)
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN


def file_stamp(setting: Setting) -> Stamp:
    """Return what tells whether a file of these settings was changed."""
    stamp = []
    for name in _FILES:
        path = setting(name)
        if path:
            try:
                found = Path(path).expanduser().stat()
                stamp.append((path, found.st_ino, found.st_size, found.st_mtime_ns))
            except OSError:
                stamp.append((path, 0, 0, 0))
    return tuple(stamp)


def check_replacement(old: ServerTls, new: ServerTls, *, dn_may_change: bool, san_may_change: bool) -> None:
    """Raise `ReplacementError` if clients that trust the old certificate might not know the new one (as Kafka does)."""
    mine, its = old.keys.chain[0], new.keys.chain[0]
    names = rfc2253(mine.subject.public_bytes()), rfc2253(its.subject.public_bytes())
    if not dn_may_change and names[0].lower() != names[1].lower():
        raise ReplacementError(
            f"Keystore DistinguishedName does not match:  existing={{alias=kafka, DN={names[0]}}}, "
            f"new={{alias=kafka, DN={names[1]}}}"
        )
    if not san_may_change and not _alternative_names(mine) <= _alternative_names(its):
        raise ReplacementError(
            f"Keystore SubjectAltNames do not match: existing={sorted(_alternative_names(mine))}, "
            f"new={sorted(_alternative_names(its))}; ssl.allow.san.changes=true allows it"
        )
    if not old.has_truststore and new.has_truststore:
        raise ReplacementError(
            "Cannot add SSL truststore to an existing listener for which no truststore was configured."
        )


def _alternative_names(certificate: x509.Certificate) -> set[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return set()
    return {str(name.value) for name in found.value}


# -- versions and ciphers ------------------------------------------------------------------------------------------


def _set_versions(context: ssl.SSLContext, wanted: list[str], suites: list[str]) -> None:
    unknown = [name for name in wanted if name not in VERSIONS and name not in OLD_VERSIONS]
    if unknown:
        raise StoreError(f"ssl.enabled.protocols names {unknown[0]}; there are TLSv1.2 and TLSv1.3")
    versions = {name for name in (wanted or VERSIONS) if name in VERSIONS}
    if suites:
        newer = {suite for suite in suites if suite in TLS13_SUITES}
        older = [suite for suite in suites if suite not in newer]
        if not newer:
            versions.discard("TLSv1.3")
        if not older:
            versions.discard("TLSv1.2")
        else:
            _set_ciphers(context, older)
    if not versions:
        raise StoreError(
            f"ssl.enabled.protocols={','.join(wanted)} with ssl.cipher.suites={','.join(suites)} leaves no TLS version: "
            "TLSv1.2 and TLSv1.3 are served"
        )
    context.minimum_version = min(VERSIONS[name] for name in versions)
    context.maximum_version = max(VERSIONS[name] for name in versions)


#: OpenSSL offers all of these or none; Python has no way to choose among them.
TLS13_SUITES = frozenset({"TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"})


def openssl_name(suite: str) -> str:
    """Return OpenSSL's name of a suite of TLS 1.2: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 is ECDHE-RSA-AES128-GCM-SHA256."""
    name = (
        suite.removeprefix("TLS_")
        .removeprefix("SSL_")
        .replace("RSA_WITH_", "WITH_", 1 if suite.startswith("TLS_RSA_") else 0)
    )
    name = name.removeprefix("WITH_").replace("_WITH_", "_")
    name = name.replace("AES_128", "AES128").replace("AES_256", "AES256").replace("_CBC_SHA", "_SHA")
    return name.replace("CHACHA20_POLY1305_SHA256", "CHACHA20_POLY1305").replace("_", "-")


def _set_ciphers(context: ssl.SSLContext, suites: list[str]) -> None:
    known = {cipher["name"] for cipher in context.get_ciphers()}
    names = [openssl_name(suite) for suite in suites]
    bad = [suite for suite, name in zip(suites, names, strict=True) if name not in known]
    if bad:
        raise StoreError(f"Unsupported CipherSuite: {bad[0]}")
    context.set_ciphers(":".join(names))


# -- files for OpenSSL ---------------------------------------------------------------------------------------------


@contextmanager
def _chain_file(keys: KeyStore) -> Iterator[str]:
    pem = keys.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem += b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in keys.chain)
    with _private_file(pem) as path:
        yield path


@contextmanager
def _private_file(data: bytes) -> Iterator[str]:
    """A file that only this process sees, because Python's `ssl` takes keys from nowhere else: in memory on Linux."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("ottla-tls", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, data)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.NamedTemporaryFile() as file:  # mode 0600
        file.write(data)
        file.flush()
        yield file.name


def _list(text: str | None) -> list[str]:
    return [item for part in (text or "").split(",") if (item := part.strip())]


# -- failures ------------------------------------------------------------------------------------------------------

_REASONS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the client showed no certificate, and ssl.client.auth=required",
    "UNSUPPORTED_PROTOCOL": "the client offers only TLS versions that are not enabled (ssl.enabled.protocols)",
    "VERSION_TOO_LOW": "the client offers only TLS versions that are not enabled (ssl.enabled.protocols)",
    "NO_SHARED_CIPHER": "client and broker have no cipher suite in common (ssl.cipher.suites)",
    "NO_SUITABLE_SIGNATURE_ALGORITHM": "the client accepts no signature that the broker's key can make",
    "HTTP_REQUEST": "this looks like HTTP: the listener speaks TLS",
    "HTTPS_PROXY_REQUEST": "this looks like HTTP: the listener speaks TLS",
    "WRONG_VERSION_NUMBER": "its bytes are not TLS: the listener speaks TLS",
    "TLSV1_ALERT_UNKNOWN_CA": "the client does not trust the broker's certificate: its signer is unknown to it",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the client does not accept the broker's certificate (unknown signer, another host name)",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the client does not accept the broker's certificate (another host name, damaged)",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the client says that the broker's certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "the client says that the broker's certificate was revoked",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "the client cannot use the broker's certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the client broke the handshake off",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the client does not speak the TLS version of the broker",
    "TLSV1_ALERT_INTERNAL_ERROR": "the client broke the handshake off (an error of its own)",
    "TLSV1_UNRECOGNIZED_NAME": "the client does not accept the broker's name",
    "CERT_LENGTH_MISMATCH": "the client's certificate is damaged",
}  # fmt: skip


#: Alerts of a client that does not like our certificate; one of them is all that a wrong host name says.
_ABOUT_OURS = frozenset({"SSLV3_ALERT_CERTIFICATE_UNKNOWN", "SSLV3_ALERT_BAD_CERTIFICATE", "TLSV1_UNRECOGNIZED_NAME"})


def explain(error: ssl.SSLError, begin: bytes = b"", own_names: str = "") -> str:
    """Say which check of a handshake failed. `begin` are the first bytes that came, `own_names` what the certificate is for."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the client's certificate is refused: {error.verify_message or error.reason}"
    if (
        begin
        and begin[:1] not in (b"\x16", b"\x80")
        and error.reason in ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", None)
    ):
        if begin[:4] < b"\x00\x10\x00\x00" and len(begin) >= 4:
            return "this looks like Kafka's protocol without TLS: the listener speaks TLS (security.protocol=SSL or SASL_SSL)"
        return _REASONS["WRONG_VERSION_NUMBER"]
    reason = error.reason or str(error)
    text = _REASONS.get(reason, reason.lower().replace("_", " "))
    asked = server_name(begin) if reason in _ABOUT_OURS else None
    if asked is not None and own_names:
        return f"{text}; it asked for {asked}, the certificate is for {own_names}"
    return text
