"""A real Apache Kafka with OAUTHBEARER and an identity provider, to ask what tests/support/oauth_talk.py holds.

python -m tests.differential.oauthbearer      write tests/golden/oauthbearer.txt anew from Kafka's answers
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

from tests.security.oauth_tokens import AUDIENCE, ISSUER, jwks, public_jwk
from tests.support.identity_provider import IdentityProvider
from tests.support.kafka_jvm import KafkaJvm, free_port
from tests.support.oauth_talk import transcripts
from tests.support.sasl_talk import write_transcripts

GOLDEN = Path(__file__).parents[1] / "golden" / "oauthbearer.txt"
HANDLER = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler"
LOGIN = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"
#: What Ottla answers otherwise, and why.
KNOWN = {"Basic": "Kafka closes without an answer: an equals sign in a value is more than its parser of pairs takes"}


def settings(provider: IdentityProvider) -> dict[str, str]:
    """Settings that both brokers understand."""
    return {
        "listener.name.sasl.sasl.enabled.mechanisms": "OAUTHBEARER",
        "listener.name.sasl.oauthbearer.sasl.server.callback.handler.class": HANDLER,
        "listener.name.sasl.oauthbearer.sasl.jaas.config": f'{LOGIN} required unsecuredLoginStringClaim_sub="broker";',
        "connection.failed.authentication.delay.ms": "0",
        "sasl.oauthbearer.jwks.endpoint.url": provider.url,
        "sasl.oauthbearer.expected.issuer": ISSUER,
        "sasl.oauthbearer.expected.audience": AUDIENCE,
    }


def main() -> None:
    plaintext, sasl, controller = (free_port() for _ in range(3))
    listeners = f"PLAINTEXT://127.0.0.1:{plaintext},SASL://127.0.0.1:{sasl}"
    with (
        tempfile.TemporaryDirectory() as folder,
        IdentityProvider(jwks(public_jwk("rsa"), public_jwk("ec"))) as provider,
    ):
        os.environ["JAVA_TOOL_OPTIONS"] = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={provider.url}"
        properties = {
            "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": listeners,
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT",
            **settings(provider),
        }
        with KafkaJvm(Path(folder) / "kafka", plaintext, properties):
            found = asyncio.run(transcripts(sasl, int(time.time())))
    GOLDEN.write_text(f"# What Apache Kafka 4.2.1 says: python -m {__spec__.name}\n{write_transcripts(found)}")


if __name__ == "__main__":
    main()
