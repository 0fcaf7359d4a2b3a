"""One broker, one KDC, one identity provider, and clients that log in with what those two gave them.

Realm (MIT's KDC) ──keytabs, tickets──► clients ──► KERBEROS, KERBEROS_BRIEF ┐
IdentityProvider ──JWKS──► broker       clients ──► OAUTH, OAUTH_BRIEF       ├ Ottla, or Apache Kafka with the same settings
                                        clients ──► TOKENS, TOKENS_BRIEF     ┘
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ottla.security.mechanisms.oauthbearer import UNSECURED_HANDLER, UNSECURED_SETTING
from tests.clients.brokers import OttlaProcess
from tests.differential.oauthbearer import HANDLER, LOGIN
from tests.differential.sasl import listener_settings
from tests.security.oauth_tokens import AUDIENCE, ISSUER, jwks, public_jwk
from tests.support import kerberos
from tests.support.identity_provider import IdentityProvider
from tests.support.kafka_jvm import KafkaJvm, free_port
from tests.support.kerberos import REALM
from tests.support.sasl_talk import Talk
from tests.support.token_talk import SECRET, as_user, create, expire, password

from .probes import Login, Probes
from .ticket_cases import GSSAPI, OAUTHBEARER, SESSION_MS, Case

LISTENERS = ("KERBEROS", "KERBEROS_BRIEF", "OAUTH", "OAUTH_BRIEF", "OAUTH_UNSIGNED", "TOKENS", "TOKENS_BRIEF")
PRINCIPALS = ("alice", "nobody", "changed", "removed", "expired")
#: How long a client that should get in may take on a busy machine, and how long one that should not goes on trying.
PATIENCE_S, REFUSED_S = 30.0, 2.0
#: The provider is asked for its keys so often.
REFRESH_MS = 1000
NOBODYS_ID = "AAAAAAAAQACAAAAAAAAAAA"


class TicketBrokers:
    """A context manager; `login` lets a client try."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        self.ports = {name: free_port() for name in ("ADMIN", *LISTENERS)}
        self.realm = kerberos.Realm(folder)
        self.provider = IdentityProvider(jwks(*map(public_jwk, ("rsa", "ec", "rsa-2"))))
        self.keytabs: dict[str, Path] = {}
        self.caches: dict[str, Path] = {}
        #: Delegation tokens: id and HMAC.
        self.delegations: dict[str, tuple[str, str]] = {}
        self._removable = b""
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(_set_environment, dict(os.environ))
            stack.enter_context(self.realm)
            stack.enter_context(self.provider)
            os.environ.update(
                self.realm.environment(),
                JAVA_TOOL_OPTIONS=f"-Djava.security.krb5.conf={self.realm.config} "
                f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={self.provider.url}",
            )
            self._principals()
            stack.enter_context(self._broker())
            asyncio.run(self._tokens())
            del os.environ["JAVA_TOOL_OPTIONS"]
            self.probes = stack.enter_context(Probes(self.folder, self.realm.environment()))
            self.realm.wait_until_expired(self.caches["expired"])
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _principals(self) -> None:
        self.keytabs = {name: self.realm.keytab(name) for name in PRINCIPALS}
        self.realm.change_key("changed")
        self.keytabs["broker"] = self.realm.keytab("kafka/localhost")
        self.realm.keytab("kafka/127.0.0.1")
        self.realm.keytab("elsewhere/localhost")
        for name, life in (("alice", "1h"), ("expired", "3s")):
            self.caches[name] = self.folder / f"{name}.ccache"
            self.realm.kinit(name, self.keytabs[name], self.caches[name], life)

    def _properties(self) -> dict[str, str]:
        listeners = ",".join(f"{name}://localhost:{port}" for name, port in self.ports.items())
        found = {
            "node.id": "1",
            "listeners": listeners,
            "advertised.listeners": listeners,
            "inter.broker.listener.name": "ADMIN",
            "listener.security.protocol.map": "ADMIN:PLAINTEXT," + ",".join(f"{n}:SASL_PLAINTEXT" for n in LISTENERS),
            "sasl.kerberos.service.name": "kafka",
            "sasl.kerberos.principal.to.local.rules": r"RULE:[1:$1](alice.*),RULE:[1:$1](removed.*),RULE:[1:$1](expired.*)",
            "sasl.oauthbearer.jwks.endpoint.url": self.provider.url,
            "sasl.oauthbearer.jwks.endpoint.refresh.ms": str(REFRESH_MS),
            "sasl.oauthbearer.expected.issuer": ISSUER,
            "sasl.oauthbearer.expected.audience": AUDIENCE,
            "delegation.token.secret.key": SECRET,
            **listener_settings("TOKENS"),
            **listener_settings("TOKENS_BRIEF"),
        }
        entries = {
            GSSAPI: kerberos.jaas(self.keytabs["broker"], f"kafka/localhost@{REALM}"),
            OAUTHBEARER: f'{LOGIN} required unsecuredLoginStringClaim_sub="broker";',
        }
        for name in LISTENERS:
            prefix = f"listener.name.{name.lower()}"
            if name.endswith("BRIEF"):
                found[f"{prefix}.connections.max.reauth.ms"] = str(SESSION_MS)
            mechanism = GSSAPI if name.startswith("KERBEROS") else OAUTHBEARER if name.startswith("OAUTH") else None
            if mechanism is not None:
                found[f"{prefix}.sasl.enabled.mechanisms"] = mechanism
                found[f"{prefix}.{mechanism.lower()}.sasl.jaas.config"] = entries[mechanism]
            if mechanism == OAUTHBEARER:
                handler = UNSECURED_HANDLER if name.endswith("UNSIGNED") else HANDLER
                found[f"{prefix}.oauthbearer.sasl.server.callback.handler.class"] = handler
        return found

    def _broker(self) -> Any:
        properties = self._properties()
        if self.kind == "ottla":
            self.metrics_port = free_port()
            properties[UNSECURED_SETTING] = "true"
            properties["ottla.metrics.listener"] = f"127.0.0.1:{self.metrics_port}"
            return OttlaProcess(self.folder / "ottla", self.ports["ADMIN"], properties)
        controller = free_port()
        properties["listeners"] += f",CONTROLLER://127.0.0.1:{controller}"
        properties["listener.security.protocol.map"] += ",CONTROLLER:PLAINTEXT"
        properties["controller.quorum.voters"] = f"1@127.0.0.1:{controller}"
        return KafkaJvm(self.folder / "kafka", self.ports["ADMIN"], properties)

    async def _tokens(self) -> None:
        """Have alice make delegation tokens."""
        async with Talk(self.ports["TOKENS"]) as talk:
            await as_user(talk, "alice")
            for name, lifetime in (("right", 3_600_000), ("removed", 3_600_000), ("expired", 1)):
                made = await create(talk, lifetime=lifetime)
                self.delegations[name] = made.token_id, password(made.hmac)
                if name == "removed":
                    self._removable = made.hmac
        right = self.delegations["right"]
        self.delegations |= {"wrong": (right[0], password(bytes(64))), "unknown": (NOBODYS_ID, right[1])}

    def revoke(self) -> None:
        """Take away what some logged in with: a principal, a key of the provider, a delegation token."""
        asyncio.run(self._remove_token())
        self.realm.remove("removed")
        self.provider.body = jwks(*map(public_jwk, ("rsa", "ec")))
        seen, until = self.provider.asked, time.monotonic() + 30
        while self.provider.asked < seen + 2 and time.monotonic() < until:
            time.sleep(0.1)

    async def _remove_token(self) -> None:
        async with Talk(self.ports["TOKENS"]) as talk:
            await as_user(talk, "alice")
            await expire(talk, self._removable)

    def login(self, client: str, case: Case) -> str:
        """Let a client try; returns "ok" or what it says."""
        shows = case.shows()
        if "delegation" in shows:
            shows["user"], shows["password"] = self.delegations[shows.pop("delegation")]
        if "principal" in shows:
            name = shows["principal"]
            shows["principal"] = f"{name}@{REALM}"
            if shows.pop("cache", False):
                shows["cache"] = str(self.caches[name])
            else:
                shows["keytab"] = str(self.keytabs[name])
        if client == "java" and "token" in shows:
            self.probes.token_file.write_text(shows["token"])
            shows["token_file"] = self.probes.token_file
        driver = client
        if client == "librdkafka":  # confluent-kafka's wheels have no Kerberos
            driver = "kcat" if case.mechanism == GSSAPI else "confluent"
        login = Login(
            f"{case.host}:{self.ports[case.listener]}", case.mechanism, hold_ms=case.hold_ms,
            patience_s=PATIENCE_S if case.works else REFUSED_S, **shows,
        )  # fmt: skip
        return self.probes.login(driver, login)


def _set_environment(values: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(values)
