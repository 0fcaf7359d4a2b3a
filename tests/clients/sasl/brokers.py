"""One broker with all listeners that the SASL matrix asks: Ottla, or Apache Kafka with the same settings.

ADMIN           plaintext, for the matrix itself
ALL             every mechanism
ONLY_PLAIN, ONLY_256, ONLY_512    one each: what a client meets that asks for another
ENDING          every mechanism, sessions of 2 s
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.kafka_jvm import KafkaJvm, free_port
from tests.support.process import OttlaProcess
from tests.support.sasl_talk import PLAIN_JAAS, SCRAM_256, SCRAM_512, SCRAM_JAAS, Talk, upsertion

SESSION_MS = 2000
MECHANISMS = {"plain": PLAIN_JAAS, "scram-sha-256": SCRAM_JAAS, "scram-sha-512": SCRAM_JAAS}
LISTENERS = {
    "ALL": ("plain", "scram-sha-256", "scram-sha-512"),
    "ONLY_PLAIN": ("plain",),
    "ONLY_256": ("scram-sha-256",),
    "ONLY_512": ("scram-sha-512",),
    "ENDING": ("plain", "scram-sha-256", "scram-sha-512"),
}
#: SCRAM users: name -> mechanisms with their passwords. alice and bob are PLAIN users of the JAAS entry too.
USERS = {
    "alice": {SCRAM_256: "alice-secret", SCRAM_512: "alice-secret"},
    "only256": {SCRAM_256: "secret-256"},
    "only512": {SCRAM_512: "secret-512"},
    "comma,equals=": {SCRAM_256: "odd-secret", SCRAM_512: "odd-secret"},
    "revoked": {SCRAM_256: "revoked-secret", SCRAM_512: "revoked-secret"},
    "changed": {SCRAM_256: "first-secret", SCRAM_512: "first-secret"},
}


class SaslBrokers:
    """A context manager; `ports` by listener."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.ports = {name: free_port() for name in ("ADMIN", *LISTENERS)}
        properties = self._properties()
        self.process: Any
        if kind == "ottla":
            words = [word for key, value in properties.items() for word in ("--set", f"{key}={value}")]
            self.process = OttlaProcess(folder / "ottla", *words, listen=None)
        else:
            controller = free_port()
            properties["listeners"] += f",CONTROLLER://127.0.0.1:{controller}"
            properties["listener.security.protocol.map"] += ",CONTROLLER:PLAINTEXT"
            properties["controller.quorum.voters"] = f"1@127.0.0.1:{controller}"
            properties["inter.broker.listener.name"] = "ADMIN"
            self.process = KafkaJvm(folder / "kafka", self.ports["ADMIN"], properties)

    def _properties(self) -> dict[str, str]:
        listeners = ",".join(f"{name}://127.0.0.1:{port}" for name, port in self.ports.items())
        found = {
            "node.id": "1",
            "listeners": listeners,
            "advertised.listeners": listeners,
            "listener.security.protocol.map": "ADMIN:PLAINTEXT," + ",".join(f"{n}:SASL_PLAINTEXT" for n in LISTENERS),
            "listener.name.ending.connections.max.reauth.ms": str(SESSION_MS),
        }
        for name, mechanisms in LISTENERS.items():
            prefix = f"listener.name.{name.lower()}"
            found[f"{prefix}.sasl.enabled.mechanisms"] = ",".join(mechanism.upper() for mechanism in mechanisms)
            for mechanism in mechanisms:
                found[f"{prefix}.{mechanism}.sasl.jaas.config"] = MECHANISMS[mechanism]
        return found

    def __enter__(self) -> Self:
        self.process.__enter__()
        try:
            if self.kind == "ottla":
                self.process.wait_ready()
            asyncio.run(self._create_users())
        except BaseException:
            self.process.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.__exit__(kind, value, trace)

    async def _create_users(self) -> None:
        async with Talk(self.ports["ADMIN"]) as talk:
            for mechanism in (SCRAM_256, SCRAM_512):
                users = [upsertion(user, p[mechanism], mechanism) for user, p in USERS.items() if mechanism in p]
                answer = await talk.credentials(*users)
                assert not any(result.error_code for result in answer.results), answer

    async def revoke(self) -> None:
        """Delete one user and change another's password."""
        async with Talk(self.ports["ADMIN"]) as talk:
            for mechanism in (SCRAM_256, SCRAM_512):
                changed = upsertion("changed", "second-secret", mechanism)
                answer = await talk.credentials(changed, delete=(("revoked", mechanism),))
                assert not any(result.error_code for result in answer.results), answer
