"""A real Apache Kafka whose listeners change while it runs (tests/support/listener_talk.py).

python -m tests.differential.listeners      write tests/golden/listeners.txt anew from Kafka's answers
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from tests.support.kafka_jvm import KafkaJvm, free_port
from tests.support.listener_talk import transcript

GOLDEN = Path(__file__).parents[1] / "golden" / "listeners.txt"


def main() -> None:
    port, controller, extra, other = (free_port() for _ in range(4))
    own = f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}"
    mapping = "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"
    properties = {
        "listeners": own,
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listener.security.protocol.map": mapping,
    }
    with tempfile.TemporaryDirectory() as folder, KafkaJvm(Path(folder) / "kafka", port, properties):
        lines = asyncio.run(transcript(port, own, extra, other, mapping))
    GOLDEN.write_text("\n".join([f"# What Apache Kafka 4.2.1 says: python -m {__spec__.name}", *lines, ""]))


if __name__ == "__main__":
    main()
