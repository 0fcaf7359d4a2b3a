"""Our client in a Kerberos realm: a keytab, a ticket cache, and a broker that is not the one it should be."""

from __future__ import annotations

import os

import pytest

from ottla.client.errors import AuthenticationError
from tests.broker.test_gssapi import LISTENERS
from tests.client.test_security import connect
from tests.differential.gssapi import settings
from tests.support import kerberos
from tests.support.in_process import RunningBroker
from tests.support.requires import missing, requires

LOGIN = {
    "security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "GSSAPI", "sasl_kerberos_service_name": "kafka",
}  # fmt: skip


@pytest.fixture
def realm(tmp_path):
    requires("gssapi")
    if lacking := kerberos.missing():
        missing(f"needs {', '.join(lacking)}: apt install krb5-kdc krb5-admin-server krb5-user")
    before = dict(os.environ)
    with kerberos.Realm(tmp_path) as found:
        os.environ.update(found.environment())
        yield found
    os.environ.clear()
    os.environ.update(before)


async def test_a_keytab_and_a_ticket_cache_let_us_in(realm, tmp_path):
    keytabs = {name: realm.keytab(name) for name in ("alice", "nobody")}
    services = realm.keytab("kafka/localhost", "kafka/127.0.0.1")
    jaas = {"listener.name.sasl.gssapi.sasl.jaas.config": kerberos.jaas(services, "*")}
    cache = tmp_path / "cache"
    realm.kinit("alice", keytabs["alice"], cache)
    async with RunningBroker(**LISTENERS, **settings(services) | jaas) as running:
        entry = kerberos.jaas(keytabs["alice"], "alice@OTTLA.TEST")
        await connect(running.port, **LOGIN, sasl_jaas_config=entry)
        os.environ["KRB5CCNAME"] = f"FILE:{cache}"
        await connect(running.port, **LOGIN)
        other = kerberos.jaas(keytabs["nobody"], "nobody@OTTLA.TEST")
        with pytest.raises(AuthenticationError, match="GSSAPI"):
            await connect(running.port, **LOGIN, sasl_jaas_config=other)
        with pytest.raises(AuthenticationError, match="not found in Kerberos database"):
            await connect(running.port, **{**LOGIN, "sasl_kerberos_service_name": "nosuch"})
