"""GSSAPI over the wire: tickets and choices of all kinds are answered as Apache Kafka answers them (tests/golden/gssapi.txt)."""

from __future__ import annotations

import os

import pytest

from ottla.broker.config import ConfigError
from tests.differential.gssapi import GOLDEN, KNOWN, make_keytabs, settings
from tests.support import kerberos
from tests.support.in_process import RunningBroker
from tests.support.kerberos_talk import CASES, transcripts
from tests.support.requires import missing, requires
from tests.support.sasl_talk import read_transcripts

KAFKA = read_transcripts(GOLDEN.read_text())
LISTENERS = {
    "listeners": "SASL://localhost:0",
    "listener.security.protocol.map": "SASL:SASL_PLAINTEXT",
    "inter.broker.listener.name": "SASL",
}


@pytest.fixture
def keytabs(tmp_path):
    requires("gssapi")
    if lacking := kerberos.missing():
        missing(f"needs {', '.join(lacking)}: apt install krb5-kdc krb5-admin-server krb5-user")
    before = dict(os.environ)
    with kerberos.Realm(tmp_path) as realm:
        os.environ.update(realm.environment())
        yield make_keytabs(realm)
    os.environ.clear()
    os.environ.update(before)


async def test_every_ticket_and_choice_is_answered_as_by_kafka(keytabs):
    async with RunningBroker(**LISTENERS, **settings(keytabs["kafka"])) as running:
        found = await transcripts(running.port, keytabs)
    different = {name: (lines, KAFKA[name]) for name, lines in found.items() if lines != KAFKA[name]}
    assert {name: pair for name, pair in different.items() if name not in KNOWN} == {}
    assert different.keys() == KNOWN.keys(), "what is known no longer differs"
    assert found.keys() == KAFKA.keys() == CASES.keys()


async def test_a_broker_without_its_keytab_does_not_start(keytabs, tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        async with RunningBroker(**LISTENERS, **settings(tmp_path / "nowhere.keytab")):
            raise AssertionError("it started")
