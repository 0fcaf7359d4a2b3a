"""One broker with all listeners that the TLS matrix asks: Ottla, or Apache Kafka with the same settings."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.clients.brokers import OttlaProcess
from tests.support.certificates import Authority
from tests.support.kafka_jvm import KafkaJvm, free_port

PASSWORD = "pass-4384d6e7"
#: Listener -> its own settings.
LISTENERS: dict[str, dict[str, str]] = {
    "NONE": {},
    "REQUESTED": {"ssl.client.auth": "requested"},
    "REQUIRED": {"ssl.client.auth": "required"},
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
            self.process = KafkaJvm(folder / "kafka", self.ports["ADMIN"], properties)

    def _certificates(self) -> None:
        ca, other = Authority("CN=Matrix CA"), Authority("CN=Other CA")
        folder = self.folder
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
            "stranger": other.issue("CN=alice"), "below": Authority("CN=Between", above=ca).issue("CN=alice"),
        }.items():  # fmt: skip
            credential.write_pem(folder / f"{name}.pem")

    def __enter__(self) -> Self:
        self.process.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.__exit__(kind, value, trace)
