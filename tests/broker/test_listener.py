"""A listener: who is let in, how a port is taken, and that nothing is left when it stops."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ottla.broker.listener import REFUSALS_LOGGED_MAX
from ottla.protocol.apis.api_versions import ApiVersionsRequest
from ottla.protocol.apis.heartbeat import HeartbeatRequest
from ottla.protocol.errors import ErrorCode
from tests.support.in_process import Client
from tests.support.wires import Bench, Peer, turns


def serial() -> tuple[HeartbeatRequest, int]:
    return HeartbeatRequest(group_id="g", generation_id=1, member_id="m"), 4


# ── who is let in ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("limit", ["max.connections", "max.connections.per.ip"])
def test_one_connection_too_many_is_cut_and_counted(limit: str) -> None:
    bench = Bench(**{limit: "2"})
    first, _, third = bench.connect(), bench.connect(), bench.connect()
    assert (first.wire.aborted, third.wire.aborted) == (False, True)
    metrics = bench.broker.metrics
    assert (metrics.connections_accepted, metrics.connections_open, metrics.connections_refused) == (3, 2, 1)
    third.connection.connection_lost(None)
    assert metrics.connections_open == 2
    first.connection.connection_lost(None)
    assert not bench.connect().wire.aborted


def test_a_connection_is_counted_out_once() -> None:
    bench = Bench()
    peer = bench.connect()
    peer.connection.connection_lost(None)
    bench.listener.forget(peer.connection)
    assert bench.broker.metrics.connections_open == 0


# ── what it tells of those it closes ────────────────────────────────────────────────────────────────────────────────


async def test_many_closed_connections_are_a_number_in_the_log_and_no_flood(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    with caplog.at_level("INFO"):
        for _ in range(REFUSALS_LOGGED_MAX + 90):
            bench.connect().feed(b"GET / HTTP/1.1\r\n")
        bench.listener.sweep()
    assert len(caplog.messages) == REFUSALS_LOGGED_MAX + 1
    assert caplog.messages[-1] == "closed 90 more connections for such reasons"
    await bench.listener.stop()


def test_what_a_peer_said_is_one_short_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A token whose algorithm is 60 KiB, a name with a line of its own: nobody fills or forges the log."""
    bench = Bench()
    with caplog.at_level("INFO"):
        bench.listener.log_closing("10.0.0.7", "algorithm " + "x" * 60_000)
        bench.listener.log_closing("10.0.0.7", "no rule for CN=a\n2026-01-01 INFO admin logged in")
    assert all(len(each) < 600 and "\n" not in each for each in caplog.messages)


async def test_a_sweep_looks_at_every_connection() -> None:
    bench = Bench(**{"connections.max.idle.ms": "2000"})
    peers = [bench.connect() for _ in range(3)]
    for _ in range(3):
        bench.listener.sweep()
    assert all(peer.wire.closed for peer in peers)


async def test_sweeps_go_on_until_the_listener_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ottla.broker.listener.SWEEP_INTERVAL_S", 1e-6)
    bench = Bench()
    await bench.listener.bind()
    await bench.listener.start()
    async with asyncio.timeout(10):
        while bench.listener.ticks < 3:
            await asyncio.sleep(0)
    await bench.listener.stop()
    before = bench.listener.ticks
    await turns()
    assert bench.listener.ticks == before


# ── ports ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_port_on_which_somebody_serves_is_refused_at_bind() -> None:
    one, two = Bench(), Bench()
    await one.listener.bind()
    await one.listener.start()
    assert one.listener.port > 0
    two.listener.port = one.listener.port
    with pytest.raises(OSError, match="in use"):
        await two.listener.bind()
    await one.listener.stop()
    await two.listener.stop()


async def test_of_two_who_bind_at_once_one_starts() -> None:
    """The system lets both bind a port on which nobody listens yet."""
    one, two = Bench(), Bench()
    await one.listener.bind()
    two.listener.port = one.listener.port
    await two.listener.bind()
    await one.listener.start()
    with pytest.raises(OSError, match="in use"):
        await two.listener.start()
    await one.listener.stop()
    await two.listener.stop()


async def test_nobody_is_let_in_before_start() -> None:
    bench = Bench()
    await bench.listener.bind()
    with pytest.raises(ConnectionRefusedError):
        await Client(bench.listener.port).__aenter__()
    await bench.listener.start()
    async with Client(bench.listener.port) as client:
        bad_name = ApiVersionsRequest(client_software_name="", client_software_version="")
        assert (await client.call(bad_name, 3)).error_code == ErrorCode.INVALID_REQUEST
    await bench.listener.stop()


# ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Stubborn(Peer):
    """A connection with a transport that says that it is gone only later, as real ones do."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        loop = asyncio.get_running_loop()
        self.wire.abort = lambda: loop.call_soon(self.connection.connection_lost, None)  # type: ignore[method-assign]


async def test_stop_leaves_no_task_and_no_connection() -> None:
    bench = Bench()
    cancelled = []

    async def wait(context: Any, request: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(True)

    bench.handle(12, wait)
    peers = [Stubborn(bench) for _ in range(3)]
    told = []
    for peer in peers:
        peer.send(serial())
        peer.connection.on_close.add(lambda: told.append(True))
    await turns()
    assert len(bench.listener.tasks) == 3
    await bench.listener.stop()
    assert (bench.listener.tasks, bench.listener.connections) == (set(), set())
    assert (len(cancelled), len(told)) == (3, 3)


async def test_who_comes_after_stop_is_not_let_in() -> None:
    bench = Bench()
    await bench.listener.stop()
    assert bench.connect().wire.aborted


async def test_stop_before_start_is_no_error() -> None:
    await Bench().listener.stop()
