"""A client of a SASL listener: every order of messages has the answers of Apache Kafka (tests/golden/sasl.txt)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from ottla.broker import authentication
from ottla.broker.config import BrokerConfig, ConfigError
from ottla.broker.monitoring.families import FAMILIES
from ottla.broker.server import Broker
from ottla.log.memory_files import MemoryFiles
from ottla.protocol.apis.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from ottla.protocol.errors import ErrorCode
from ottla.security import mechanisms
from ottla.security.mechanisms import AuthenticationFailed, Mechanism
from tests.differential.sasl import GOLDEN, KNOWN, listener_settings
from tests.support import sasl_reauthentication, sasl_talk
from tests.support.in_process import RunningBroker
from tests.support.sasl_talk import PASSWORDS, SCRAM_256, SCRAM_512, Talk, read_transcripts, run

KAFKA = read_transcripts(GOLDEN.read_text())
SESSIONS = sasl_reauthentication.SCRIPTS
LISTENERS = "PLAINTEXT://127.0.0.1:0,SASL://127.0.0.1:0,ENDING://127.0.0.1:0"


def settings(**more: str) -> dict[str, str]:
    return {
        "listeners": LISTENERS,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,ENDING:SASL_PLAINTEXT",
        "connection.failed.authentication.delay.ms": "0",
        **listener_settings("SASL"),
        **listener_settings("ENDING"),
        "listener.name.ending.connections.max.reauth.ms": str(sasl_reauthentication.SESSION_MS),
        **{key.replace("__", "."): value for key, value in more.items()},
    }


class SaslBroker(RunningBroker):
    """A broker with a listener for the administrator, one with SASL, and one whose sessions end."""

    async def __aenter__(self):
        await super().__aenter__()
        async with Talk(self.port) as talk:
            await talk.create_users()
        return self

    @property
    def sasl(self) -> int:
        return self.broker.listeners[1].port

    @property
    def ending(self) -> int:
        return self.broker.listeners[2].port

    def counts(self, name: str):
        return next(x.authentications for x in self.broker.listeners if x.name == name)


@pytest.fixture
async def running() -> AsyncIterator[SaslBroker]:
    async with SaslBroker(**settings()) as broker:
        yield broker


@pytest.fixture
def time(monkeypatch):
    """The clock of sessions; a conversation's pause sets it on."""
    passed = [0.0]

    async def pause(seconds: float) -> None:
        passed[0] += seconds

    monkeypatch.setattr(authentication, "loop_time", lambda: 1000 + passed[0])
    return pause


@pytest.mark.slow
async def test_every_conversation_goes_as_with_kafka(running):
    found = {name: await run(running.sasl, script) for name, script in sasl_talk.SCRIPTS.items()}
    wanted = {name: KAFKA[name] for name in found}
    differing = {name for name in found if found[name] != wanted[name]}
    assert differing == KNOWN.keys(), {name: (found[name], wanted[name]) for name in differing - KNOWN.keys()}
    assert running.broker.metrics.uncaught_exceptions == 0
    assert len(found) > 60


@pytest.mark.parametrize("name", SESSIONS)
async def test_every_session_goes_as_with_kafka(running, time, name):
    assert await run(running.ending, SESSIONS[name], time) == KAFKA[f"session {name}"]


async def test_what_is_counted(running, time):
    for name in ("plain", "scram_256_right", "plain_version_0", "plain_wrong_password", "unknown_mechanism"):
        await run(running.sasl, sasl_talk.SCRIPTS[name])
    counts = running.counts("SASL")
    assert (counts.successes, counts.failures, counts.without_reauthentication) == (3, 2, 1)
    for name in ("again_and_again", "as_somebody_else", "expired"):
        await run(running.ending, SESSIONS[name], time)
    counts = running.counts("ENDING")
    assert (counts.successes, counts.reauthentications, counts.failed_reauthentications, counts.expired) == (3, 3, 1, 1)


async def test_the_counts_are_shown_under_kafkas_names(running):
    await run(running.sasl, sasl_talk.SCRIPTS["plain"])
    shown = {
        f.name: dict(f.read(running.broker)) for f in FAMILIES if "authentication" in f.name or "expired" in f.name
    }
    prefix = "kafka_server_socket_server_metrics_"
    assert shown[f"{prefix}successful_authentication"][("SASL",)] == 1
    assert shown.keys() == {
        prefix + name
        for name in (
            "successful_authentication", "failed_authentication", "successful_reauthentication",
            "failed_reauthentication", "successful_authentication_no_reauth", "expired_connections_killed_count",
            "reauthentication_latency_avg", "reauthentication_latency_max",
        )
    }  # fmt: skip


@pytest.mark.slow
async def test_a_refusal_waits_and_nothing_is_read_meanwhile():
    async with SaslBroker(**settings(connection__failed__authentication__delay__ms="150")) as running:
        for mechanism in ("PLAIN", SCRAM_512):
            began = asyncio.get_running_loop().time()
            async with Talk(running.sasl) as talk:
                await talk.handshake(mechanism)
                await talk.login(mechanism, "alice", "wrong")
                await talk.ended()
            assert asyncio.get_running_loop().time() - began >= 0.15
            assert talk.lines[-1] == "closed"


async def test_who_leaves_before_the_refusal_leaves_nothing_behind():
    running = SaslBroker(**settings(connection__failed__authentication__delay__ms="60000"))
    async with running, Talk(running.sasl) as talk:
        await talk.handshake("PLAIN")
        talk.send(sasl_talk.SaslAuthenticateRequest(auth_bytes=b"\0alice\0wrong"), 2)
        async with asyncio.timeout(10):
            while not running.counts("SASL").failures:
                await asyncio.sleep(0)
    assert running.broker.metrics.connections_open == 0


async def test_a_changed_password_holds_at_once_and_a_deleted_user_stays_until_he_authenticates_again(running, time):
    async with Talk(running.ending, time) as alice, Talk(running.port) as admin:
        await sasl_reauthentication.log_in(alice, SCRAM_512)
        await admin.credentials(delete=(("alice", SCRAM_512),))
        await alice.metadata()
        assert alice.lines[-1] == "Metadata: ok"
        await sasl_reauthentication.log_in(alice, SCRAM_512)
        assert "SASL_AUTHENTICATION_FAILED" in alice.lines[-1]
        await admin.credentials(sasl_talk.upsertion("alice", "another", SCRAM_512))
        async with Talk(running.sasl) as again:
            await sasl_reauthentication.log_in(again, SCRAM_512, password="another")
            assert again.lines[-1] == "authenticated for 0 ms"


async def test_a_user_of_the_cluster_can_log_in_by_plain(running):
    async with Talk(running.port) as admin:
        await admin.credentials(sasl_talk.upsertion("carol", "carol-secret", SCRAM_256))
    async with Talk(running.sasl) as talk:
        await sasl_reauthentication.log_in(talk, "PLAIN", "carol", "carol-secret")
        assert talk.lines[-1] == "authenticated for 0 ms"


async def test_the_principal_is_who_authenticated(running):
    async with Talk(running.sasl) as talk:
        await sasl_reauthentication.log_in(talk, SCRAM_256, "bob")
        (connection,) = running.broker.listeners[1].connections
        assert str(connection.principal) == "User:bob"
        assert connection.authentication is None
        assert connection.frame_bytes_max == running.broker.listeners[1].request_bytes_max


async def test_many_requests_at_once_wait_for_the_login_before_them(running):
    async with Talk(running.sasl) as talk:
        await talk.handshake("PLAIN")
        secret = PASSWORDS["alice"].encode()
        talk.send(sasl_talk.SaslAuthenticateRequest(auth_bytes=b"\0alice\0" + secret), 2)
        for _ in range(20):
            talk.send(sasl_talk.MetadataRequest(topics=[]), 9)
        assert all([await talk.read() is not None for _ in range(21)])


async def test_a_bug_in_a_mechanism_lets_nobody_in_and_shows_nothing(running, monkeypatch, caplog):
    def broken(inputs):
        yield None
        raise ValueError(f"{inputs.jaas} hunter2")

    row = mechanisms.MECHANISMS["PLAIN"]
    listener = running.broker.listeners[1].sasl
    listener.offers["PLAIN"] = listener.offers["PLAIN"]._replace(mechanism=Mechanism("PLAIN", (), broken, row.client))
    with caplog.at_level(logging.DEBUG):
        assert await run(running.sasl, sasl_talk.SCRIPTS["plain"]) != KAFKA["plain"]
    assert running.broker.metrics.uncaught_exceptions == 1
    assert "hunter2" not in caplog.text
    assert "ValueError" in caplog.text


async def test_who_hangs_up_leaves_no_work_behind_for_the_threads(running, monkeypatch):
    """Logins that are sent and not waited for would keep the threads from those who do wait."""
    begun: list[asyncio.Future[None]] = []

    async def work(function, peer):
        begun.append(asyncio.get_running_loop().create_future())
        await begun[-1]

    monkeypatch.setattr(running.broker.credentials, "run", work)
    async with Talk(running.port) as admin:
        await admin.credentials(sasl_talk.upsertion("carol", "carol-secret", SCRAM_256))
    async with asyncio.timeout(10):
        async with Talk(running.sasl) as talk:
            await talk.handshake("PLAIN")
            talk.send(sasl_talk.SaslAuthenticateRequest(auth_bytes=b"\0carol\0guess"), 2)
            while not begun:
                await asyncio.sleep(0)
        while not begun[0].cancelled():
            await asyncio.sleep(0)
    assert running.counts("SASL").failures == 0


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_bare_token_may_be_empty(running, at_once):
    """GSSAPI has such a token; after SaslHandshake v0 it is a frame of size 0. No request is one."""
    listener = running.broker.listeners[1].sasl
    said: list[bytes] = []

    def asking(inputs):
        said.append((yield None))
        said.append((yield b"challenge"))
        raise AuthenticationFailed("no")

    row = mechanisms.MECHANISMS["PLAIN"]
    listener.offers["PLAIN"] = listener.offers["PLAIN"]._replace(mechanism=Mechanism("PLAIN", (), asking, row.client))
    async with Talk(running.sasl) as talk:
        await talk.handshake("PLAIN", 0)
        talk.write(b"ticket")
        if not at_once:
            assert await talk.read() == b"challenge"
        talk.write(b"")
        if at_once:
            assert await talk.read() == b"challenge"
        await talk.ended()
    assert said == [b"ticket", b""]


async def test_users_survive_a_restart(running):
    await running.restart()
    assert await run(running.sasl, sasl_talk.SCRIPTS["scram_256_right"]) == KAFKA["scram_256_right"]


async def test_the_salt_of_a_user_that_does_not_exist_survives_a_restart(running):
    async def salt() -> bytes:
        async with Talk(running.sasl) as talk:
            await talk.handshake(SCRAM_256)
            answer = await talk.authenticate(b"n,,n=nobody,r=abc")
            return answer.auth_bytes.split(b",")[1]

    before = await salt()
    await running.restart()
    assert await salt() == before


# -- settings ------------------------------------------------------------------------------------------------------


def start_with(**more: str) -> None:
    config = BrokerConfig.load(sets={**settings(**more), "log.dirs": "/data"})
    asyncio.run(_start(config))


async def _start(config: BrokerConfig) -> None:
    broker = Broker(config, files=MemoryFiles())
    await broker.start()
    await broker.stop()


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("sasl.enabled.mechanisms", "PLAIN,NOTHING", "names 'NOTHING', which is none of"),
        ("sasl.enabled.mechanisms", "", "is empty, so that nobody could log in"),
        ("plain.sasl.jaas.config", 'x.JndiLoginModule required a="hunter2";', "is not allowed"),
        ("plain.sasl.jaas.config", sasl_talk.SCRAM_JAAS, "is not one for PLAIN"),
        ("plain.sasl.jaas.config", 'x.PlainLoginModule required password="hunter2"', "not terminated"),
    ],
)
def test_settings_that_cannot_be_used_stop_the_start(tmp_path, key, value, says):
    with pytest.raises(ConfigError) as raised:
        start_with(**{f"listener.name.sasl.{key}": value})
    assert says in str(raised.value)
    assert "hunter2" not in str(raised.value)


# -- settings that change while the broker runs --------------------------------------------------------------------


async def set_config(talk: Talk, key: str, value: str) -> str:
    """Set one dynamic config of the broker; returns the error's name and text."""
    change = AlterableConfig(name=key, config_operation=0, value=value)
    resource = AlterConfigsResource(resource_type=4, resource_name="1", configs=[change])
    answer = await talk.call(IncrementalAlterConfigsRequest(resources=[resource]), 1)
    (result,) = answer.responses
    return f"{ErrorCode(result.error_code).name} {result.error_message}"


async def test_users_of_the_jaas_entry_change_while_the_broker_runs(running):
    """Apache Kafka stores the change and uses it from its next start on."""
    text = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_zoe="zoe-secret";'
    async with Talk(running.port) as admin:
        assert (await set_config(admin, "listener.name.sasl.plain.sasl.jaas.config", text)).startswith("NONE")
    async with Talk(running.sasl) as talk:
        await sasl_reauthentication.log_in(talk, "PLAIN", "zoe", "zoe-secret")
        assert talk.lines[-1] == "authenticated for 0 ms"
    await running.restart()
    async with Talk(running.sasl) as talk:
        await sasl_reauthentication.log_in(talk, "PLAIN", "zoe", "zoe-secret")
        assert talk.lines[-1] == "authenticated for 0 ms"


async def test_settings_that_cannot_be_used_leave_those_before(running, caplog):
    async with Talk(running.port) as admin:
        outcome = await set_config(admin, "listener.name.sasl.sasl.enabled.mechanisms", "NOTHING")
    assert outcome.startswith("NONE")
    assert await run(running.sasl, sasl_talk.SCRIPTS["plain"]) == KAFKA["plain"]
    assert "the SASL settings of listener SASL stay as they were" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        'com.sun.security.auth.module.JndiLoginModule required user.provider.url="ldap://hunter2/x";',
        'com.sun.security.auth.module.LdapLoginModule required userProvider="ldap://hunter2/x";',
        'org.apache.kafka.common.security.scram.ScramLoginModule required password="hunter2";',
        'org.apache.kafka.common.security.plain.PlainLoginModule required password="hunter2"',
    ],
)
async def test_no_login_module_comes_in_through_an_api(running, caplog, text):
    """CVE-2023-25194, CVE-2025-27818, CVE-2025-27819: names of classes from outside are refused, never loaded."""
    async with Talk(running.port) as admin:
        outcome = await set_config(admin, "listener.name.sasl.plain.sasl.jaas.config", text)
    assert outcome.startswith(
        "INVALID_REQUEST Invalid value for configuration listener.name.sasl.plain.sasl.jaas.config"
    )
    assert "hunter2" not in outcome + caplog.text
    assert await run(running.sasl, sasl_talk.SCRIPTS["plain"]) == KAFKA["plain"]
