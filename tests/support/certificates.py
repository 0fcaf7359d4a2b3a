"""Certificate authorities and certificates of any condition, made in memory in a moment (elliptic curves)."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PEM = serialization.Encoding.PEM
DAY = datetime.timedelta(days=1)
OIDS = {
    "CN": NameOID.COMMON_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "C": NameOID.COUNTRY_NAME,
}


def subject(text: str) -> x509.Name:
    """A name from `CN=alice,OU=x`, the first part the most special, as RFC 2253 writes it."""
    parts = [part.split("=", 1) for part in text.split(",")]
    return x509.Name([x509.NameAttribute(OIDS[kind], value) for kind, value in reversed(parts)])


class Credential:
    """A key and its certificates in all the forms that settings take."""

    def __init__(self, key: Any, chain: list[x509.Certificate]) -> None:
        self.key, self.chain = key, chain

    @property
    def certificate(self) -> x509.Certificate:
        return self.chain[0]

    @property
    def chain_pem(self) -> str:
        return "".join(each.public_bytes(PEM).decode() for each in self.chain)

    def key_pem(self, password: str | None = None) -> str:
        encryption: Any = (
            serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
        )
        return str(self.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, encryption).decode())

    def write_pem(self, path: Path, password: str | None = None) -> Path:
        path.write_text(self.key_pem(password) + self.chain_pem)
        return path

    def write_pkcs12(self, path: Path, password: str) -> Path:
        encryption = serialization.BestAvailableEncryption(password.encode())
        path.write_bytes(
            pkcs12.serialize_key_and_certificates(b"own", self.key, self.chain[0], self.chain[1:], encryption)
        )
        return path


class Authority:
    """A certificate authority."""

    def __init__(self, name: str = "CN=Test CA", *, above: Authority | None = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.above = above
        #: Where its revocation lists are, as its certificates say; Java reads them there.
        self.list_url = ""
        self.name = subject(name)
        issuer = self if above is None else above
        self.certificate = issuer._sign(self.name, self.key.public_key(), -1, 3650, ca=True)
        self.revoked: list[x509.Certificate] = []

    def _sign(
        self,
        name: x509.Name,
        key: Any,
        begin: float,
        days: float,
        *,
        ca: bool = False,
        names: Any = (),
        usages: Any = None,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder().subject_name(name).issuer_name(self.name).public_key(key)
            .serial_number(x509.random_serial_number()).not_valid_before(now + begin * DAY).not_valid_after(now + days * DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )  # fmt: skip
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_san(each) for each in names]), critical=False)
        if self.list_url:
            place = x509.DistributionPoint([x509.UniformResourceIdentifier(self.list_url)], None, None, None)
            builder = builder.add_extension(x509.CRLDistributionPoints([place]), critical=False)
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(PEM).decode()

    def write(self, path: Path) -> Path:
        path.write_text(self.pem)
        return path

    def issue(
        self,
        name: str = "CN=localhost",
        *names: str,
        begin: float = -1,
        days: float = 30,
        kind: str = "ec",
        usage: str = "both",
    ) -> Credential:
        """Issue a certificate, valid from `begin` to `days` from now."""
        key: Any = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
        usages = {
            "both": None,
            "server": [ExtendedKeyUsageOID.SERVER_AUTH],
            "client": [ExtendedKeyUsageOID.CLIENT_AUTH],
        }[usage]
        own = self._sign(subject(name), key.public_key(), begin, days, names=names, usages=usages)
        chain, authority = [own], self
        while authority.above is not None:  # the root is the peer's to have
            chain.append(authority.certificate)
            authority = authority.above
        return Credential(key, chain)

    def revoke(self, *credentials: Credential, days: float = 1) -> str:
        """A revocation list with these and all before, in PEM; out of date after `days`."""
        self.revoked += [credential.certificate for credential in credentials]
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(now - 2 * DAY)
            .next_update(now + days * DAY)
        )
        for certificate in self.revoked:
            entry = (
                x509.RevokedCertificateBuilder()
                .serial_number(certificate.serial_number)
                .revocation_date(now - DAY)
                .build()
            )
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(PEM).decode()


def _san(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
