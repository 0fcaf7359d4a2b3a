"""One broker with all listeners that the TLS matrix asks: Ottla, or Apache Kafka with the same settings.

Revocation is a setting of a listener with Ottla, and one of the JVM with Kafka, which reads the lists where the certificates say.
"""

from __future__ import annotations

import os
import subprocess
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.clients.brokers import OttlaProcess
from tests.support.certificates import Authority
from tests.support.identity_provider import IdentityProvider
from tests.support.kafka_jvm import KafkaJvm, free_port

PASSWORD = "pass-4384d6e7"
#: Listener -> its own settings.
LISTENERS: dict[str, dict[str, str]] = {
    "NONE": {},
    "REQUESTED": {"ssl.client.auth": "requested"},
    "REQUIRED": {"ssl.client.auth": "required"},
    "REVOKING": {"ssl.client.auth": "required", "ottla.ssl.crl.location": "revoked.crl"},
    "RULES": {"ssl.client.auth": "required", "ssl.principal.mapping.rules": "RULE:^CN=alice$/alice/"},
    "V12": {"ssl.enabled.protocols": "TLSv1.2"},
    "V13": {"ssl.enabled.protocols": "TLSv1.3"},
    "ELSEWHERE": {"ssl.keystore.location": "elsewhere.pem"},
    "EXPIRED": {"ssl.keystore.location": "old.pem"},
    "PKCS12": {"ssl.keystore.type": "PKCS12", "ssl.keystore.location": "broker.p12", "ssl.keystore.password": PASSWORD},
    "ENCRYPTED": {"ssl.keystore.location": "encrypted.pem", "ssl.key.password": PASSWORD},
}


class TlsBrokers:
    """A context manager; `ports` by listener, certificates in `folder`."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        self.lists = IdentityProvider()
        self.ports = {name: free_port() for name in ("ADMIN", *LISTENERS)}
        self._certificates()
        listeners = ",".join(f"{name}://127.0.0.1:{port}" for name, port in self.ports.items())
        properties = {
            "node.id": "1", "listeners": listeners, "advertised.listeners": listeners,
            "listener.security.protocol.map": "ADMIN:PLAINTEXT," + ",".join(f"{name}:SSL" for name in LISTENERS),
        }  # fmt: skip
        shared = {
            "ssl.keystore.type": "PEM", "ssl.keystore.location": "broker.pem", "ssl.truststore.type": "PEM", "ssl.truststore.location": "ca.pem",
        }  # fmt: skip
        for name, own in LISTENERS.items():
            for key, value in {**shared, **own}.items():
                text = str(folder / value) if key.endswith(".location") else value
                properties[f"listener.name.{name.lower()}.{key}"] = text
        self.process: Any
        if kind == "ottla":
            self.process = OttlaProcess(folder / "ottla", self.ports["ADMIN"], properties)
        else:
            controller = free_port()
            properties["listeners"] += f",CONTROLLER://127.0.0.1:{controller}"
            properties["listener.security.protocol.map"] += ",CONTROLLER:PLAINTEXT"
            properties["controller.quorum.voters"] = f"1@127.0.0.1:{controller}"
            properties["inter.broker.listener.name"] = "ADMIN"
            self.process = _Revoking(folder / "kafka", self.ports["ADMIN"], properties)

    def _certificates(self) -> None:
        ca, other = Authority("CN=Matrix CA"), Authority("CN=Other CA")
        folder = self.folder
        ca.list_url = f"{self.lists.url}/ca"
        between, gone = Authority("CN=Between", above=ca), Authority("CN=Gone", above=ca)
        between.list_url, gone.list_url = f"{self.lists.url}/between", f"{self.lists.url}/gone"
        ca.write(folder / "ca.pem")
        other.write(folder / "other-ca.pem")
        own = ca.issue("CN=broker", "127.0.0.1", "localhost")
        own.write_pem(folder / "broker.pem")
        own.write_pem(folder / "encrypted.pem", PASSWORD)
        if self.kind == "kafka":  # Java 17 cannot read what is encrypted as everybody does it today (PBES2)
            words = (
                "-topk8",
                "-v1",
                "PBE-SHA1-3DES",
                "-in",
                str(folder / "broker.pem"),
                "-passout",
                f"pass:{PASSWORD}",
            )
            key = subprocess.run(["openssl", "pkcs8", *words], check=True, capture_output=True, text=True).stdout
            (folder / "encrypted.pem").write_text(key + own.chain_pem)
        own.write_pkcs12(folder / "broker.p12", PASSWORD)
        ca.issue("CN=broker", "elsewhere.example").write_pem(folder / "elsewhere.pem")
        ca.issue("CN=broker", "127.0.0.1", begin=-9, days=-1).write_pem(folder / "old.pem")
        for name, credential in {
            "alice": ca.issue("CN=alice"), "bob": ca.issue("CN=bob"), "expired": ca.issue("CN=alice", begin=-9, days=-1),
            "stranger": other.issue("CN=alice"), "below": between.issue("CN=alice"), "below-gone": gone.issue("CN=alice"),
            "revoked": (revoked := ca.issue("CN=alice")),
        }.items():  # fmt: skip
            credential.write_pem(folder / f"{name}.pem")
        texts = {"ca": ca.revoke(revoked, gone), "between": between.revoke(), "gone": gone.revoke()}
        (folder / "revoked.crl").write_text("".join(texts.values()))
        lists = {f"/jwks/{name}": x509.load_pem_x509_crl(text.encode()) for name, text in texts.items()}

        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(200)
            request.end_headers()
            request.wfile.write(lists[request.path].public_bytes(serialization.Encoding.DER))

        self.lists.answer = answer

    def __enter__(self) -> Self:
        self.lists.__enter__()
        try:
            self.process.__enter__()
        except BaseException:
            self.lists.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.__exit__(kind, value, trace)
        self.lists.__exit__(kind, value, trace)


class _Revoking(KafkaJvm):
    """Apache Kafka in a JVM that looks certificates up."""

    def start(self) -> KafkaJvm:
        before = os.environ.get("JAVA_TOOL_OPTIONS")
        os.environ["JAVA_TOOL_OPTIONS"] = "-Dcom.sun.net.ssl.checkRevocation=true -Dcom.sun.security.enableCRLDP=true"
        try:
            return super().start()
        finally:
            del os.environ["JAVA_TOOL_OPTIONS"]
            if before is not None:
                os.environ["JAVA_TOOL_OPTIONS"] = before
