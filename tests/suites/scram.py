"""A second listener with SCRAM and a user, for suites that test logins; the same for Ottla and Apache Kafka."""

from __future__ import annotations

import asyncio

from tests.support.kafka_jvm import free_port
from tests.support.sasl_talk import SCRAM_256, SCRAM_JAAS, Talk, upsertion

USER, PASSWORD = "suite", "suite-secret"


def settings(broker: str, port: int, scram_port: int) -> dict[str, str]:
    """Settings of a broker that serves plaintext on one port and SCRAM on the other."""
    listeners = f"PLAINTEXT://127.0.0.1:{port},SCRAM://127.0.0.1:{scram_port}"
    found = {
        "listeners": listeners,
        "advertised.listeners": listeners,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SCRAM:SASL_PLAINTEXT",
        "listener.name.scram.sasl.enabled.mechanisms": SCRAM_256,
        "listener.name.scram.scram-sha-256.sasl.jaas.config": SCRAM_JAAS,
    }
    if broker == "kafka":
        controller = free_port()
        found["listeners"] += f",CONTROLLER://127.0.0.1:{controller}"
        found["listener.security.protocol.map"] += ",CONTROLLER:PLAINTEXT"
        found["controller.quorum.voters"] = f"1@127.0.0.1:{controller}"
    return found


def create_user(port: int) -> None:
    """Create the user over the plaintext listener."""

    async def create() -> None:
        async with Talk(port) as talk:
            answer = await talk.credentials(upsertion(USER, PASSWORD, SCRAM_256))
            assert not answer.results[0].error_code, answer

    asyncio.run(create())
