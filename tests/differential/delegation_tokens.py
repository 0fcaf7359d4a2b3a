"""A real Apache Kafka that makes delegation tokens: what it says in the conversations of tests/support/token_talk.py, and what
kafka-delegation-tokens prints with it.

python -m tests.differential.delegation_tokens      write tests/golden/delegation-tokens*.txt anew from Kafka's answers
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.differential.sasl import listener_settings
from tests.differential.tools import Command, Tools
from tests.support import token_talk
from tests.support.kafka_jvm import KafkaJvm, free_port
from tests.support.sasl_talk import Pause, Talk, write_transcripts

GOLDEN = Path(__file__).parents[1] / "golden" / "delegation-tokens.txt"
GOLDEN_TOOL = GOLDEN.with_name("delegation-tokens-tool.txt")
#: What no two brokers have in common: ids, HMACs, times.
_MASKS = (
    (re.compile(r"[A-Za-z0-9+/]{80,}={0,2}"), "HMAC"),
    (re.compile(r"\b[A-Za-z0-9_-]{22}\b"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d"), "TIME"),
)
#: What the tool is asked, in this order; {hmac} is the first token's.
_COMMANDS = (
    "--create --max-life-time-period -1 --renewer-principal User:bob --renewer-principal User:carol",
    "--create --max-life-time-period 3600000 --owner-principal User:bob",
    "--describe",
    "--describe --owner-principal User:alice",
    "--describe --owner-principal User:nobody",
    "--renew --renew-time-period 3600000 --hmac {hmac}",
    "--renew --renew-time-period -1 --hmac AAAA",
    "--expire --expiry-time-period 60000 --hmac {hmac}",
    "--create --max-life-time-period -1 --renewer-principal Group:g",
    "--expire --expiry-time-period -1 --hmac {hmac}",
    "--expire --expiry-time-period -1 --hmac {hmac}",
    "--describe --owner-principal User:alice",
)
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


def printed(tools: Tools, bootstrap: str, folder: Path, settle_s: float = 0.0) -> dict[str, list[str]]:
    """Run kafka-delegation-tokens as alice; what it prints, for each command."""
    config = folder / "alice.properties"
    config.write_text(
        "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config="
        'org.apache.kafka.common.security.plain.PlainLoginModule required username="alice" password="alice-secret";\n'
    )
    found: dict[str, list[str]] = {}
    hmac = ""
    for number, words in enumerate(_COMMANDS, 1):
        line = f"kafka-delegation-tokens --bootstrap-server {{b}} --command-config {config} {words.format(hmac=hmac)}"
        done = tools.run(Command(line), bootstrap)
        hmac = hmac or _MASKS[0][0].search(done.out)[0]  # type: ignore[index]
        text = done.out + done.err.partition("\n\tat ")[0]
        for pattern, instead in _MASKS:
            text = pattern.sub(instead, text)
        rows = [" ".join(row.split()) for row in text.splitlines() if row.strip()]
        found[f"{number}. {words}"] = [f"exit {done.code}", *sorted(rows)]
        time.sleep(settle_s)
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
        found = asyncio.run(transcripts(plaintext, sasl, conversations))
        if switched_on:
            with Tools() as tools:
                tool = write_transcripts(printed(tools, f"127.0.0.1:{sasl}", folder, token_talk.SETTLE_S))
            GOLDEN_TOOL.write_text(f"# What kafka-delegation-tokens prints with Apache Kafka 4.2.1\n{tool}")
        return found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = kafka(Path(folder) / "on", True) | kafka(Path(folder) / "off", False)
    GOLDEN.write_text(f"# What Apache Kafka 4.2.1 says: python -m {__spec__.name}\n{write_transcripts(found)}")


if __name__ == "__main__":
    main()
