"""The worked examples of docs/listeners.md: who comes by which way is told which address, with a real client."""

from __future__ import annotations

import asyncio
from typing import Any, Self

import pytest

from ottla.broker.config import BrokerConfig, ConfigError
from ottla.security.addresses import is_loopback
from tests.support.in_process import RunningBroker
from tests.support.requires import requires


class Forward:
    """A port that leads to another, as a router's does. `led` counts the connections."""

    def __init__(self, port: int) -> None:
        self.target, self.led = port, 0

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(self._lead, "127.0.0.1", self.port if hasattr(self, "port") else 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.led += 1
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        await asyncio.gather(_copy(reader, back), _copy(there, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
    except ConnectionError:
        return
    finally:
        writer.close()


async def produce(port: int) -> str:
    """Send a record with aiokafka; returns the error's name if that fails."""
    requires("aiokafka")
    import aiokafka
    import aiokafka.errors

    producer = aiokafka.AIOKafkaProducer(bootstrap_servers=f"127.0.0.1:{port}", request_timeout_ms=1500)
    try:
        await producer.start()
        await producer.send_and_wait("orders", b"x", timestamp_ms=1_700_000_000_000)
    except aiokafka.errors.KafkaError as problem:
        return type(problem).__name__
    finally:
        await producer.stop()
    return ""


def nat(outside: str) -> dict[str, str]:
    return {
        "listeners": "INSIDE://127.0.0.1:0,OUTSIDE://127.0.0.1:0", "advertised.listeners": f"INSIDE://127.0.0.1:0,OUTSIDE://{outside}",
        "listener.security.protocol.map": "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT",
    }  # fmt: skip


async def test_behind_a_forward_clients_go_through_it_and_those_inside_do_not() -> None:
    async with Forward(0) as forward, RunningBroker(**nat(f"127.0.0.1:{forward.port}")) as running:
        inside, outside = running.broker.listeners
        forward.target = outside.port
        assert await produce(forward.port) == ""
        through = forward.led
        assert through >= 2  # bootstrap, and the address it was told
        assert await produce(inside.port) == ""
        assert forward.led == through


async def test_a_forward_to_the_wrong_listener_leads_past_itself() -> None:
    """The classic hour lost: it bootstraps through the forward and is then told the inside address."""
    async with Forward(0) as forward, RunningBroker(**nat("203.0.113.7:443")) as running:
        inside, outside = running.broker.listeners
        forward.target = inside.port
        assert await produce(forward.port) == ""  # only because here inside can be reached
        assert forward.led == 1
        assert not outside.connections


# ── what is refused ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"listeners": "A://h:1,B://h:1", "listener.security.protocol.map": "A:SSL,B:SSL"}, "Each listener must have a different port"),
        ({"listeners": "A://127.0.0.1:1,A://h:2", "listener.security.protocol.map": "A:SSL"}, "names A twice"),
        ({"listeners": "A://h:1"}, "listener A has no security protocol"),
        ({"listeners": "A://h:1", "listener.security.protocol.map": "A:TLS"}, "has no security protocol"),
        ({"listeners": "SSL://h:1", "inter.broker.listener.name": "PLAINTEXT"}, "inter.broker.listener.name must be a listener name defined in advertised.listeners"),
        ({"listeners": "SSL://h:1", "security.inter.broker.protocol": "PLAINTEXT"}, "valid options based on currently configured listeners are SSL"),
        ({"listeners": "SSL://h:1", "security.inter.broker.protocol": "SSL", "inter.broker.listener.name": "SSL"}, "Only one of inter.broker.listener.name and security.inter.broker.protocol should be set"),
        ({"listeners": "SSL://h:1", "advertised.listeners": "SASL_SSL://h:1"}, "which is not in listeners"),
        ({"listeners": "SSL://0.0.0.0:1", "advertised.listeners": "SSL://0.0.0.0:1"}, "nonroutable meta-address 0.0.0.0"),
        ({"listeners": "SSL://h"}, "is not of the form NAME://host:port"),
    ],
)  # fmt: skip
def test_listeners_that_cannot_be(settings: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError) as raised:
        BrokerConfig.load(sets=settings)
    assert problem in str(raised.value)


def test_an_ipv4_and_an_ipv6_address_may_share_a_port() -> None:
    settings = {"listeners": "A://127.0.0.1:1,B://[::1]:1", "listener.security.protocol.map": "A:SSL,B:SSL"}
    assert len(BrokerConfig.load(sets=settings).listeners) == 2


@pytest.mark.parametrize(
    ("listeners", "exposed"),
    [
        ("PLAINTEXT://127.0.0.1:1", []), ("PLAINTEXT://localhost:1", []), ("PLAINTEXT://[::1]:1", []), ("PLAINTEXT://:1", ["PLAINTEXT"]),
        ("PLAINTEXT://0.0.0.0:1", ["PLAINTEXT"]), ("PLAINTEXT://[::]:1", ["PLAINTEXT"]), ("PLAINTEXT://broker1:1", ["PLAINTEXT"]),
        ("SSL://:1,SASL_SSL://:2,SASL_PLAINTEXT://:3", []),
    ],
)  # fmt: skip
def test_who_is_exposed(listeners: str, exposed: list[str]) -> None:
    config: Any = BrokerConfig.load(sets={"listeners": listeners})
    assert [listener.name for listener in config.exposed_listeners] == exposed
    assert is_loopback("127.8.8.8")


@pytest.mark.parametrize(
    ("settings", "trusting"),
    [
        ({"listeners": "SSL://:1,SASL_SSL://:2"}, ["SSL"]),
        ({"listeners": "SSL://127.0.0.1:1,SASL_PLAINTEXT://[::1]:3"}, []),
        ({"listeners": "SSL://:1", "ssl.client.auth": "required"}, []),
        ({"listeners": "SSL://:1", "listener.name.ssl.ssl.client.auth": "required"}, []),
        ({"listeners": "SSL://:1", "authorizer.class.name": "ottla"}, []),
        ({"listeners": "SASL_PLAINTEXT://:3"}, ["SASL_PLAINTEXT"]),
    ],
)
def test_who_trusts_more_than_it_seems_is_told(settings: dict[str, str], trusting: list[str]) -> None:
    config: Any = BrokerConfig.load(sets=settings)
    assert [listener.name for listener, _ in config.trusting_listeners] == trusting
