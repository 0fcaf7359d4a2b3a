"""Clients log in by Kerberos, by tokens of an identity provider and by delegation tokens: right, wrong, expired, elsewhere.

One broker, one KDC, one identity provider. Names and passwords have their own table (`cases`, `matrix`).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from ottla.broker.clock import SystemClock
from ottla.security.mechanisms.oauthbearer import UNSECURED_HANDLER, UNSECURED_SETTING, URL_SETTING
from tests.clients.sasl.probes import Login, Probes
from tests.differential.sasl import listener_settings
from tests.security.oauth_tokens import AUDIENCE, ISSUER, jwks, public_jwk, raw_token, token
from tests.support import kerberos
from tests.support.identity_provider import IdentityProvider
from tests.support.in_process import RunningBroker
from tests.support.requires import missing, requires
from tests.support.sasl_talk import SCRAM_256, SCRAM_512, Talk
from tests.support.token_talk import SECRET, as_user, create, expire, password

pytestmark = [pytest.mark.clients, pytest.mark.java, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

REALM = kerberos.REALM
#: Sessions of the listeners BRIEF... end after this.
SESSION_MS = 2200
KERBEROS_CLIENTS = ("java", "kcat", "franz-go", "kafka-python", "aiokafka")
OAUTH_CLIENTS = ("java", "franz-go", "kafka-python", "aiokafka", "confluent")
TOKEN_CLIENTS = ("java", "franz-go")


class World(NamedTuple):
    """What the tests of this module share."""

    broker: RunningBroker
    realm: kerberos.Realm
    probes: Probes
    folder: Path
    keytabs: dict[str, Path]

    def bootstrap(self, listener: str, host: str = "localhost") -> str:
        return f"{host}:{next(x.port for x in self.broker.broker.listeners if x.name == listener)}"

    def counts(self, listener: str) -> Any:
        return next(x.authentications for x in self.broker.broker.listeners if x.name == listener)

    async def logins(self, clients: Sequence[str], login: Login) -> dict[str, str]:
        """Let clients log in, all at the same time; "ok" or what each says."""
        found = await asyncio.gather(*[asyncio.to_thread(self.probes.login, client, login) for client in clients])
        return dict(zip(clients, found, strict=True))


class RealTime(RunningBroker):
    """A broker whose clock is the clients'."""

    def _make(self) -> Any:
        self.clock = SystemClock()  # type: ignore[assignment]
        return super()._make()


def settings(keytab: Path, provider: IdentityProvider) -> dict[str, str]:
    entry = kerberos.jaas(keytab, f"kafka/localhost@{REALM}")
    listeners = ("KERBEROS", "BRIEF", "OAUTH", "UNSIGNED", "TOKENS")
    found = {
        "listeners": ",".join(f"{name}://localhost:0" for name in listeners),
        "inter.broker.listener.name": "TOKENS",
        "listener.security.protocol.map": ",".join(f"{name}:SASL_PLAINTEXT" for name in listeners),
        "connection.failed.authentication.delay.ms": "0",
        "sasl.kerberos.service.name": "kafka",
        "sasl.kerberos.principal.to.local.rules": r"RULE:[1:$1](alice.*),RULE:[1:$1](brief.*)",
        "listener.name.brief.connections.max.reauth.ms": str(SESSION_MS),
        URL_SETTING: provider.url,
        "sasl.oauthbearer.expected.issuer": ISSUER,
        "sasl.oauthbearer.expected.audience": AUDIENCE,
        "listener.name.unsigned.oauthbearer.sasl.server.callback.handler.class": UNSECURED_HANDLER,
        UNSECURED_SETTING: "true",
        "delegation.token.secret.key": SECRET,
        **listener_settings("TOKENS"),
    }
    for name in ("kerberos", "brief"):
        found[f"listener.name.{name}.sasl.enabled.mechanisms"] = "GSSAPI"
        found[f"listener.name.{name}.gssapi.sasl.jaas.config"] = entry
    for name in ("oauth", "unsigned"):
        found[f"listener.name.{name}.sasl.enabled.mechanisms"] = "OAUTHBEARER"
    return found


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    requires("gssapi", "java", "mvn", "kcat", "go")
    if lacking := kerberos.missing():
        missing(f"needs {', '.join(lacking)}: apt install krb5-kdc krb5-admin-server krb5-user")
    before = dict(os.environ)
    with kerberos.Realm(tmp_path_factory.mktemp("realm")) as found:
        os.environ.update(found.environment())
        yield found
    os.environ.clear()
    os.environ.update(before)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(realm, tmp_path_factory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("logins")
    keytabs = {name: realm.keytab(name) for name in ("alice", "brief", "nobody", "changed")}
    realm.change_key("changed")
    services = realm.keytab("kafka/localhost")
    realm.keytab("kafka/127.0.0.1")
    with (
        IdentityProvider(jwks(public_jwk("rsa"), public_jwk("ec"))) as provider,
        Probes(folder, realm.environment()) as probes,
    ):
        async with RealTime(**settings(services, provider)) as broker:
            yield World(broker, realm, probes, folder, keytabs)


def ticket(world: World, who: str = "alice", listener: str = "KERBEROS", host: str = "localhost", **more: Any) -> Login:
    return Login(
        world.bootstrap(listener, host), "GSSAPI", principal=f"{who}@{REALM}", keytab=str(world.keytabs[who]), **more
    )


# -- Kerberos ----------------------------------------------------------------------------------------------------------


async def test_a_ticket(world):
    before = world.counts("KERBEROS").successes
    assert set((await world.logins(KERBEROS_CLIENTS, ticket(world))).values()) == {"ok"}
    assert world.counts("KERBEROS").successes >= before + len(KERBEROS_CLIENTS)


async def test_a_principal_without_a_user_name(world):
    before = world.counts("KERBEROS").failures
    assert refused(await world.logins(KERBEROS_CLIENTS, ticket(world, "nobody")))
    assert world.counts("KERBEROS").failures >= before + len(KERBEROS_CLIENTS)


async def test_a_key_that_was_changed(world):
    assert refused(await world.logins(KERBEROS_CLIENTS, ticket(world, "changed")))


async def test_a_ticket_for_another_host(world):
    """The KDC knows kafka/127.0.0.1, the broker's keytab does not. (Java looks the address' name up, and comes to localhost.)"""
    successes = world.counts("KERBEROS").successes
    clients = [client for client in KERBEROS_CLIENTS if client != "java"]
    assert refused(await world.logins(clients, ticket(world, host="127.0.0.1")))
    assert world.counts("KERBEROS").successes == successes


async def test_a_service_that_is_not_there(world):
    assert refused(await world.logins(KERBEROS_CLIENTS, ticket(world, service="nosuch")))


async def test_kerberos_sessions_begin_anew(world):
    found = await world.logins(("java", "franz-go"), ticket(world, "brief", "BRIEF", hold_ms=3 * SESSION_MS))
    assert set(found.values()) == {"ok"}, found
    assert world.counts("BRIEF").reauthentications >= 4
    assert world.counts("BRIEF").expired == 0


# -- OAUTHBEARER -------------------------------------------------------------------------------------------------------


def times(begins_s: int = -10, ends_s: int = 600) -> dict[str, int]:
    now = int(time.time())
    return {"iat": now + begins_s, "exp": now + ends_s}


TOKENS = {
    "right": lambda: token(**times()),
    "right by EC": lambda: token("ec", "ES256", **times()),
    "expired": lambda: token(**times(-900, -60)),
    "of another issuer": lambda: token(**times(), iss="https://evil.example/"),
    "for another audience": lambda: token(**times(), aud="other"),
    "by another key": lambda: token("rsa-2", headers={"kid": "rsa"}, **times()),
    "unsigned": lambda: raw_token({"alg": "none"}, {"sub": "alice", "iss": ISSUER, "aud": AUDIENCE, **times()}, b"x"),
}


@pytest.mark.parametrize("kind", TOKENS)
async def test_a_token_of_an_identity_provider(world, kind):
    text = TOKENS[kind]()
    world.probes.token_file.write_text(text)
    before = world.counts("OAUTH").successes
    login = Login(world.bootstrap("OAUTH"), "OAUTHBEARER", token=text, token_file=world.probes.token_file)
    found = await world.logins(OAUTH_CLIENTS, login)
    if kind.startswith("right"):
        assert set(found.values()) == {"ok"}, found
    else:
        assert refused(found)
        assert world.counts("OAUTH").successes == before


async def test_an_unsigned_token_where_they_are_wanted(world):
    clients = ("java", "kcat")
    found = await world.logins(clients, Login(world.bootstrap("UNSIGNED"), "OAUTHBEARER", user="alice"))
    assert set(found.values()) == {"ok"}, found
    assert refused(await world.logins(clients, Login(world.bootstrap("OAUTH"), "OAUTHBEARER", user="alice")))


# -- delegation tokens -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", [SCRAM_256, SCRAM_512])
@pytest.mark.parametrize("kind", ["right", "wrong", "removed", "no token", "expired"])
async def test_a_delegation_token(world, mechanism, kind):
    address = world.bootstrap("TOKENS")
    async with Talk(int(address.partition(":")[2])) as talk:
        talk.pause = no_pause
        await as_user(talk, "alice")
        made = await create(talk, lifetime=1 if kind == "expired" else 60_000)
        if kind == "removed":
            await expire(talk, made.hmac)
    secret = password(made.hmac if kind != "wrong" else bytes(64))
    login = Login(address, mechanism, user=made.token_id, password=secret, by_token=kind != "no token")
    found = await world.logins(TOKEN_CLIENTS, login)
    assert refused(found) if kind != "right" else set(found.values()) == {"ok"}, found


async def no_pause(seconds: float) -> None:
    """Decided is decided."""


def refused(outcomes: dict[str, str]) -> bool:
    """Whether every client was; shows those that were not."""
    assert [client for client, outcome in outcomes.items() if outcome == "ok"] == []
    return bool(outcomes)
