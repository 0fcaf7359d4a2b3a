"""A real Apache Kafka in a realm of its own, to hold the conversations of tests/support/kerberos_talk.py with.

python -m tests.differential.gssapi      write tests/golden/gssapi.txt anew from Kafka's answers
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from tests.support import kerberos
from tests.support.kafka_jvm import KafkaJvm, free_port
from tests.support.kerberos_talk import RULES, transcripts
from tests.support.sasl_talk import write_transcripts
from tests.support.token_talk import SECRET

GOLDEN = Path(__file__).parents[1] / "golden" / "gssapi.txt"
#: What Ottla answers otherwise, and why.
KNOWN = {
    "a short choice": "Kafka reads past the end of the message, and closes without an answer",
    "no rule applies": "Kafka says that all is well, and closes when the first request wants to know who asks",
}


def make_keytabs(realm: kerberos.Realm) -> dict[str, Path]:
    realm.keytab("kafka/127.0.0.1")
    return {
        "kafka": realm.keytab("kafka/localhost"), "alice": realm.keytab("alice"),
        "bob": realm.keytab("bob/admin"), "nobody": realm.keytab("nobody"),
    }  # fmt: skip


def settings(keytab: Path) -> dict[str, str]:
    """Settings that both brokers understand."""
    return {
        "listener.name.sasl.sasl.enabled.mechanisms": "GSSAPI",
        "listener.name.sasl.gssapi.sasl.jaas.config": kerberos.jaas(keytab, f"kafka/localhost@{kerberos.REALM}"),
        "sasl.kerberos.service.name": "kafka",
        "sasl.kerberos.principal.to.local.rules": RULES,
        "connection.failed.authentication.delay.ms": "0",
        "delegation.token.secret.key": SECRET,
    }


def main() -> None:
    plaintext, sasl, controller = (free_port() for _ in range(3))
    listeners = f"PLAINTEXT://localhost:{plaintext},SASL://localhost:{sasl}"
    with tempfile.TemporaryDirectory() as folder, kerberos.Realm(Path(folder)) as realm:
        keytabs = make_keytabs(realm)
        os.environ.update(realm.environment(), JAVA_TOOL_OPTIONS=f"-Djava.security.krb5.conf={realm.config}")
        properties = {
            "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": listeners,
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT",
            **settings(keytabs["kafka"]),
        }
        with KafkaJvm(Path(folder) / "kafka", plaintext, properties):
            found = asyncio.run(transcripts(sasl, keytabs))
    GOLDEN.write_text(f"# What Apache Kafka 4.2.1 says: python -m {__spec__.name}\n{write_transcripts(found)}")


if __name__ == "__main__":
    main()
