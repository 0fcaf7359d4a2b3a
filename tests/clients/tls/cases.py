"""The table of the TLS matrix: who connects how, and whether that must work. The same table holds for Ottla and for Apache Kafka."""

from __future__ import annotations

from typing import NamedTuple

#: Clients that cannot be told a TLS version.
NO_VERSIONS = ("librdkafka",)


class Case(NamedTuple):
    """One client's try. `ca` and `shown` are names of `brokers.Certificates`."""

    name: str
    listener: str
    works: bool
    ca: str = "ca"
    shown: str = ""
    version: str = ""
    protocol: str = "SSL"
    without: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.listener}: {self.name}"


CASES = (
    Case("the authority is trusted", "NONE", True),
    Case("another authority is trusted", "NONE", False, ca="other-ca"),
    Case("a certificate nobody asks for", "NONE", True, shown="alice"),
    Case("the broker's certificate is another host's", "ELSEWHERE", False),
    Case("the broker's certificate has expired", "EXPIRED", False),
    Case("no certificate where one may be shown", "REQUESTED", True),
    Case("a good certificate where one may be shown", "REQUESTED", True, shown="alice"),
    Case("an expired certificate where one may be shown", "REQUESTED", False, shown="expired"),
    Case("a good certificate", "REQUIRED", True, shown="alice"),
    Case("a certificate below an intermediate", "REQUIRED", True, shown="below"),
    Case("no certificate", "REQUIRED", False),
    Case("an expired certificate", "REQUIRED", False, shown="expired"),
    Case("a certificate of another authority", "REQUIRED", False, shown="stranger"),
    Case("a good certificate where lists are looked at", "REVOKING", True, shown="alice"),
    Case("a revoked certificate", "REVOKING", False, shown="revoked"),
    Case("a certificate below an intermediate, neither revoked", "REVOKING", True, shown="below"),
    Case("a certificate below a revoked intermediate", "REVOKING", False, shown="below-gone"),
    Case("a name that no rule maps", "RULES", False, shown="bob"),
    Case("a name that a rule maps", "RULES", True, shown="alice"),
    Case("TLS 1.2 where only that is spoken", "V12", True, version="1.2", without=NO_VERSIONS),
    Case("TLS 1.3 where only 1.2 is spoken", "V12", False, version="1.3", without=NO_VERSIONS),
    Case("TLS 1.2 where only 1.3 is spoken", "V13", False, version="1.2", without=NO_VERSIONS),
    Case("whatever the client speaks, where only 1.3 is spoken", "V13", True),
    Case("no TLS where it is spoken", "NONE", False, protocol="PLAINTEXT"),
    Case("TLS where it is not spoken", "ADMIN", False),
    Case("PKCS12 keystore of the broker", "PKCS12", True),
    Case("an encrypted key of the broker", "ENCRYPTED", True),
)  # fmt: skip
