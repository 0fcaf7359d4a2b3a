"""A real Apache Kafka that makes delegation tokens, to hold the conversations of tests/support/token_talk.py with.

python -m tests.differential.delegation_tokens      write tests/golden/delegation-tokens.txt anew from Kafka's answers
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.differential.sasl import listener_settings
from tests.support import token_talk
from tests.support.kafka_jvm import KafkaJvm, free_port
from tests.support.sasl_talk import Pause, Talk, write_transcripts

GOLDEN = Path(__file__).parents[1] / "golden" / "delegation-tokens.txt"
ON = {"delegation.token.secret.key": token_talk.SECRET}


async def transcripts(
    plaintext: int, sasl: int, conversations: Mapping[str, Any], pause: Pause = asyncio.sleep
) -> dict[str, list[str]]:
    """Hold conversations with a broker, each on two connections."""
    found = {}
    for name, conversation in conversations.items():
        port = plaintext if conversation is token_talk.without_authentication else sasl
        async with Talk(port, pause) as talk, Talk(port, pause) as other:
            await conversation(talk, other)
            found[name] = talk.lines
    return found


def kafka(folder: Path, switched_on: bool) -> dict[str, list[str]]:
    plaintext, sasl, controller = (free_port() for _ in range(3))
    listeners = f"PLAINTEXT://127.0.0.1:{plaintext},SASL://127.0.0.1:{sasl}"
    properties = {
        "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": listeners,
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT",
        "connection.failed.authentication.delay.ms": "0",
        **listener_settings("SASL"),
        **(ON if switched_on else {}),
    }
    conversations = (
        token_talk.CONVERSATIONS | {"without authentication": token_talk.without_authentication}
        if switched_on
        else {"switched off": token_talk.switched_off}
    )
    with KafkaJvm(folder, plaintext, properties):
        return asyncio.run(transcripts(plaintext, sasl, conversations))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = kafka(Path(folder) / "on", True) | kafka(Path(folder) / "off", False)
    GOLDEN.write_text(f"# What Apache Kafka 4.2.1 says: python -m {__spec__.name}\n{write_transcripts(found)}")


if __name__ == "__main__":
    main()
