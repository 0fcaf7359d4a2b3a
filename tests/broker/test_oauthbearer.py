"""OAUTHBEARER over the wire: tokens and messages of all kinds are answered as Apache Kafka answers them (tests/golden/oauthbearer.txt)."""

from __future__ import annotations

import pytest

from tests.differential.oauthbearer import GOLDEN, KNOWN, settings
from tests.security.oauth_tokens import jwks, public_jwk
from tests.support.identity_provider import IdentityProvider
from tests.support.in_process import RunningBroker
from tests.support.oauth_talk import CASES, transcripts
from tests.support.sasl_talk import read_transcripts

KAFKA = read_transcripts(GOLDEN.read_text())


@pytest.fixture
async def found():
    with IdentityProvider(jwks(public_jwk("rsa"), public_jwk("ec"))) as provider:
        listeners = {
            "listeners": "SASL://127.0.0.1:0",
            "listener.security.protocol.map": "SASL:SASL_PLAINTEXT",
            "inter.broker.listener.name": "SASL",
        }
        async with RunningBroker(**listeners, **settings(provider)) as running:
            yield await transcripts(running.port, running.clock.now_ms() // 1000)


async def test_every_token_and_message_is_answered_as_by_kafka(found):
    different = {name: (lines, KAFKA[name]) for name, lines in found.items() if lines != KAFKA[name]}
    assert {name: pair for name, pair in different.items() if name not in KNOWN} == {}
    assert different.keys() == KNOWN.keys(), "what is known no longer differs"
    assert found.keys() == KAFKA.keys() == CASES.keys()
