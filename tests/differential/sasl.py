"""A real Apache Kafka with SASL listeners, to hold the conversations of tests/support/sasl_talk.py with.

python -m tests.differential.sasl      write tests/golden/sasl.txt anew from Apache Kafka's answers
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from tests.support import sasl_reauthentication, sasl_talk
from tests.support.kafka_jvm import KafkaJvm, free_port
from tests.support.sasl_talk import PLAIN_JAAS, SCRAM_JAAS, Talk, run, write_transcripts

GOLDEN = Path(__file__).parents[1] / "golden" / "sasl.txt"
MECHANISMS = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
#: What Ottla answers otherwise, and why.
KNOWN = {
    "metadata_after_handshake": "Kafka fills an answer of the API that was asked with errors before it closes; we only close "
    "where that answer has no error of its own",
}


def listener_settings(name: str) -> dict[str, str]:
    """Settings of one SASL listener that both brokers understand."""
    prefix = f"listener.name.{name.lower()}"
    return {
        f"{prefix}.sasl.enabled.mechanisms": MECHANISMS,
        f"{prefix}.plain.sasl.jaas.config": PLAIN_JAAS,
        f"{prefix}.scram-sha-256.sasl.jaas.config": SCRAM_JAAS,
        f"{prefix}.scram-sha-512.sasl.jaas.config": SCRAM_JAAS,
    }


class SaslKafka:
    """Apache Kafka with a listener for the administrator, one with SASL, and one whose sessions end."""

    def __init__(self, folder: Path) -> None:
        self.admin, self.sasl, self.ending, controller = (free_port() for _ in range(4))
        listeners = f"PLAINTEXT://127.0.0.1:{self.admin},SASL://127.0.0.1:{self.sasl},ENDING://127.0.0.1:{self.ending}"
        properties = {
            "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": listeners,
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,"
            "SASL:SASL_PLAINTEXT,ENDING:SASL_PLAINTEXT",
            "connection.failed.authentication.delay.ms": "0",
            **listener_settings("SASL"),
            **listener_settings("ENDING"),
            "listener.name.ending.connections.max.reauth.ms": str(sasl_reauthentication.SESSION_MS),
        }
        self.broker = KafkaJvm(folder, self.admin, properties)

    async def transcripts(self) -> dict[str, list[str]]:
        """Hold all conversations, those about time at the same time."""
        async with Talk(self.admin) as talk:
            await talk.create_users()
        found = {name: await run(self.sasl, script) for name, script in sasl_talk.SCRIPTS.items()}
        scripts = sasl_reauthentication.SCRIPTS
        held = await asyncio.gather(*[run(self.ending, script) for script in scripts.values()])
        return found | {f"session {name}": lines for name, lines in zip(scripts, held, strict=True)}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        kafka = SaslKafka(Path(folder) / "kafka")
        with kafka.broker:
            found = asyncio.run(kafka.transcripts())
    GOLDEN.write_text(f"# What Apache Kafka 4.2.1 says: python -m {__spec__.name}\n{write_transcripts(found)}")


if __name__ == "__main__":
    main()
