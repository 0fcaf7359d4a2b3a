"""Listeners come and go while the broker runs: Kafka's answers, connections that end, clients that are told, secrets of none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ottla.protocol.apis.metadata import MetadataRequest
from tests.differential.listeners import GOLDEN
from tests.support.in_process import RunningBroker
from tests.support.kafka_jvm import free_port
from tests.support.listener_talk import alter, closes, opens, transcript
from tests.support.sasl_talk import PLAIN_JAAS, Talk

#: What Ottla answers otherwise: a new listener is told to clients, and a connection to one that was removed is over at once.
KNOWN = {"it is told of 0 brokers": "it is told of 1 brokers"}


@pytest.fixture
def ports() -> Iterator[list[int]]:
    yield [free_port() for _ in range(4)]


async def test_the_answers_are_apache_kafkas(ports: list[int]) -> None:
    port, controller, extra, other = ports
    own, mapping = (
        f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    )
    settings = {
        "listeners": own, "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}", "process.roles": "broker,controller",
        "controller.listener.names": "CONTROLLER", "listener.security.protocol.map": mapping, "node.id": "1",
    }  # fmt: skip
    wanted = [KNOWN.get(line, line) for line in GOLDEN.read_text().splitlines() if not line.startswith("#")]
    async with RunningBroker(**settings) as broker:
        assert await transcript(broker.port, own, extra, other, mapping) == wanted


def settings(port: int) -> dict[str, str]:
    return {"listeners": f"PLAINTEXT://127.0.0.1:{port}", "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}"}


async def test_a_new_listener_serves_by_settings_that_came_with_it_and_is_there_after_a_restart(
    ports: list[int],
) -> None:
    port, extra, _, _ = ports
    new = f"PLAINTEXT://127.0.0.1:{port},SAFE://127.0.0.1:{extra}"
    changes = [
        ("listeners", new),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,SAFE:SASL_PLAINTEXT"),
        ("listener.name.safe.sasl.enabled.mechanisms", "PLAIN"),
        ("listener.name.safe.plain.sasl.jaas.config", PLAIN_JAAS),
    ]
    async with RunningBroker(**settings(port)) as broker:
        async with Talk(port) as talk:
            assert await alter(talk, *changes) == "NONE"
        for again in (False, True):
            if again:
                await broker.restart()
            assert await opens(extra)
            async with Talk(extra) as there:
                await there.handshake("PLAIN")
                await there.login("PLAIN", "alice")
                told = await there.call(MetadataRequest(topics=[]), 8)
                assert [(each.host, each.port) for each in told.brokers] == [("127.0.0.1", extra)]
        async with Talk(port) as talk:
            back = [("listeners", f"PLAINTEXT://127.0.0.1:{port}")]
            async with Talk(extra) as there:
                await there.versions()
                assert await alter(talk, *back) == "NONE"
                assert await there.read() is None  # connections of a listener end with it
            assert await closes(extra)


@pytest.mark.parametrize(
    ("place", "protocol", "problem"),
    [
        ("0.0.0.0", "PLAINTEXT", "ottla.allow.plaintext.listeners is false"),
        ("127.0.0.1", "SSL", "there is no key for TLS"),
        ("127.0.0.1", "SASL_PLAINTEXT", "sasl.enabled.mechanisms"),
    ],
)
async def test_a_listener_that_could_not_be_opened_or_trusts_everybody_is_refused(
    ports: list[int], place: str, protocol: str, problem: str
) -> None:
    port, extra, _, _ = ports
    changes = [
        ("listeners", f"PLAINTEXT://127.0.0.1:{port},EXTRA://{place}:{extra}"),
        ("listener.security.protocol.map", f"PLAINTEXT:PLAINTEXT,EXTRA:{protocol}"),
        ("listener.name.extra.sasl.enabled.mechanisms", "PLAIN,NOSUCH"),
    ]
    async with RunningBroker(**settings(port)) as broker, Talk(port) as talk:
        answer = await alter(talk, *changes)
        assert answer.startswith("INVALID_REQUEST")
        assert problem in answer
        assert len(broker.broker.listeners) == 1


async def test_a_listener_that_trusts_everybody_needs_its_flag_at_every_start(
    ports: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    port, extra, _, _ = ports
    changes = [
        ("listeners", f"PLAINTEXT://127.0.0.1:{port},EXTRA://:{extra}"),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,EXTRA:PLAINTEXT"),
    ]
    async with RunningBroker(**settings(port), **{"ottla.allow.plaintext.listeners": "true"}) as broker:
        async with Talk(port) as talk:
            assert await alter(talk, *changes) == "NONE"
        assert await opens(extra)
        del broker.sets["ottla.allow.plaintext.listeners"]
        await broker.restart()
        changing = broker.broker.listener_changes._task
        assert changing is not None
        await changing
        assert "listener EXTRA is not opened" in caplog.text
        assert [listener.name for listener in broker.broker.listeners] == ["PLAINTEXT"]


async def test_a_port_that_somebody_has_is_said_in_the_log_and_harms_nobody(
    ports: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    port, extra, _, _ = ports
    changes = [
        ("listeners", f"PLAINTEXT://127.0.0.1:{port},EXTRA://127.0.0.2:{ports[2]},MORE://127.0.0.1:{extra}"),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,EXTRA:PLAINTEXT,MORE:PLAINTEXT"),
    ]
    async with RunningBroker(**settings(port)) as first, RunningBroker(listeners=f"PLAINTEXT://127.0.0.2:{ports[2]}"):
        async with Talk(port) as talk:
            assert await alter(talk, *changes) == "NONE"
        assert await opens(extra)
        assert "listener EXTRA cannot be opened" in caplog.text
        assert {listener.name for listener in first.broker.listeners} == {"PLAINTEXT", "MORE"}
