"""The bounds of one broker in the test's own loop, with deadlines that the test brings about by hand."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Self

import pytest

from ottla.broker import receiving
from ottla.broker.connection import Connection
from ottla.broker.connection_limits import BACKLOG_BYTES_MAX, FRAME_DEADLINE_S, PARTIAL_BUFFER_GROWTH
from ottla.broker.fetch_sessions import PARTITIONS_MAX as SESSION_PARTITIONS_MAX
from ottla.broker.handlers.produce import UNPACKING_S
from ottla.broker.listener import REFUSALS_LOGGED_MAX, Listener
from ottla.broker.request_memory import EXHAUSTED, PRESSURE_DEADLINE_S
from ottla.protocol.apis.api_versions import ApiVersionsRequest
from ottla.protocol.apis.fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.protocol.apis.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.protocol.errors import ErrorCode
from tests.support.in_process import Client, RunningBroker, batch, produce_request

from . import bombs

KIB, MIB = 1024, 1024 * 1024


class StillBroker(RunningBroker):
    """A broker for whose connections time passes only by `sweep`."""

    def __init__(self, **sets: str) -> None:
        super().__init__(None, None, **sets)

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        sweeper = listener_of(self)._sweeper
        assert sweeper is not None
        sweeper.cancel()
        return self


def listener_of(running: RunningBroker) -> Listener:
    return running.broker.listeners[0]


def sweep(running: RunningBroker, times: float) -> None:
    for _ in range(int(times)):
        listener_of(running).sweep()


async def until(condition: Callable[[], object], what: str) -> None:
    """Let the loop turn until something holds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)
    assert condition(), what


def connections(running: RunningBroker) -> list[Connection]:
    return list(listener_of(running).connections)


async def test_one_byte_a_second_ends_at_the_deadline() -> None:
    async with StillBroker() as running, running.connect() as slow:
        await until(lambda: connections(running), "it is connected")
        for second, byte in enumerate(struct.pack(">i", 1000) + bytes(1000)):
            slow.writer.write(bytes([byte]))
            await until(lambda: _filled(running) == second + 1, "the byte is there")
            sweep(running, 1)
            if _filled(running) is None:
                break
        assert await slow.closed()
        assert second <= FRAME_DEADLINE_S + 1
        assert running.broker.metrics.invalid_requests == 1


def _filled(running: RunningBroker) -> int | None:
    """Bytes of the partial frame of the only connection."""
    found = connections(running)
    return found[0]._filled if found and not found[0]._closing else None


async def test_idle_connections_are_reaped() -> None:
    async with StillBroker(**{"connections.max.idle.ms": "60000"}) as running, AsyncExitStack() as stack:
        idle = [await stack.enter_async_context(running.connect()) for _ in range(20)]
        async with running.connect() as busy:
            for _ in range(3):
                sweep(running, 30)
                await busy.call(ApiVersionsRequest(), 0)
            assert [await client.closed() for client in idle] == [True] * 20
            assert len(connections(running)) == 1


async def test_who_waits_for_an_answer_is_reaped_too() -> None:
    """As with Kafka: a fetch that waits for weeks must not hold a connection for weeks."""
    async with StillBroker(**{"connections.max.idle.ms": "60000"}) as running, running.connect() as client:
        await running.topic("t")
        client.send(_endless_fetch(), 11)
        await until(lambda: any(c._serial for c in connections(running)), "the fetch waits")
        sweep(running, 62)
        assert await client.closed()


def _endless_fetch() -> FetchRequest:
    topic = FetchTopic(topic="t", partitions=[FetchPartition(partition=0, partition_max_bytes=MIB)])
    return FetchRequest(max_wait_ms=2**31 - 1, min_bytes=MIB, max_bytes=MIB, topics=[topic])


async def test_a_claimed_size_costs_what_was_sent() -> None:
    """100 connections claim 100 MiB; the memory is a small multiple of what they sent."""
    async with StillBroker() as running, AsyncExitStack() as stack:
        sent = 10 * KIB
        for _ in range(100):
            client = await stack.enter_async_context(running.connect())
            client.writer.write(struct.pack(">i", 100 * MIB) + bytes(sent - 4))
        memory = running.broker.request_memory
        await until(lambda: sum(c._filled for c in connections(running)) == 100 * sent, "all is received")
        assert memory.used <= 100 * sent * PARTIAL_BUFFER_GROWTH


async def test_partial_frames_are_bounded_in_all_and_honest_ones_come_through() -> None:
    """Ten attackers hold what they may; when the deadline has passed an honest large request is served."""
    limit = 2 * MIB
    async with StillBroker(**{"queued.max.request.bytes": str(limit)}) as running, AsyncExitStack() as stack:
        await running.topic("t")
        memory = running.broker.request_memory
        for _ in range(10):
            attacker = await stack.enter_async_context(running.connect())
            attacker.writer.write(struct.pack(">i", 50 * MIB) + bytes(300 * KIB))
        await until(lambda: memory._waiting, "the memory is used up")
        honest = await stack.enter_async_context(running.connect())
        honest.send(produce_request("t", batch(bytes(800 * KIB))), 9)
        for _ in range(200):
            await asyncio.sleep(0)
        # The oldest may always go on, here to twice what it sent; of the others is kept what was read before they waited.
        assert memory.used <= EXHAUSTED * limit + 2 * MIB
        sweep(running, PRESSURE_DEADLINE_S)
        answering = asyncio.ensure_future(honest.receive())
        while not answering.done():
            sweep(running, 1)
            for _ in range(100):
                await asyncio.sleep(0)
        answer = await answering
        assert answer.responses[0].partition_responses[0].error_code == 0
        await until(lambda: not memory._waiting, "nobody waits any more")


async def test_who_comes_when_twice_the_memory_is_gone_is_closed() -> None:
    async with StillBroker(**{"queued.max.request.bytes": str(256 * KIB)}) as running, AsyncExitStack() as stack:
        attackers = [await stack.enter_async_context(running.connect()) for _ in range(20)]
        for attacker in attackers:
            attacker.writer.write(struct.pack(">i", 50 * MIB) + bytes(300 * KIB))
        assert await attackers[-1].closed()
        assert running.broker.request_memory.used <= EXHAUSTED * 256 * KIB + 2 * MIB
        for attacker in attackers:
            attacker.writer.transport.abort()
        await until(lambda: running.broker.request_memory.used == 0, "all is given back")


async def test_honest_requests_larger_than_the_memory_come_through_one_after_the_other() -> None:
    """The oldest always gets more, so that nothing stands still; no connection is lost."""
    async with StillBroker(**{"queued.max.request.bytes": str(MIB)}) as running, AsyncExitStack() as stack:
        await running.topic("t")
        clients = [await stack.enter_async_context(running.connect()) for _ in range(12)]
        for client in clients:
            client.send(produce_request("t", batch(bytes(900 * KIB))), 9)
        answers = [await client.receive() for client in clients]
        assert [answer.responses[0].partition_responses[0].error_code for answer in answers] == [0] * 12
        assert running.broker.request_memory.used == 0


async def test_what_waits_behind_a_request_is_bounded_in_bytes() -> None:
    """A client sends 20 MiB behind a fetch that waits: most of it stays in its own socket."""
    async with StillBroker() as running, running.connect() as client:
        await running.topic("t")
        client.send(_endless_fetch(), 11)
        for _ in range(20):
            client.writer.write(_padded(MIB))
        await until(lambda: any(not c._reading for c in connections(running)), "it is not read any more")
        for _ in range(200):
            await asyncio.sleep(0)
        assert running.broker.request_memory.used <= 4 * BACKLOG_BYTES_MAX
        client.writer.transport.abort()


def _padded(size: int) -> bytes:
    """A Metadata request with bytes behind it, which is allowed."""
    body = struct.pack(">hhih", 3, 1, 9, -1) + struct.pack(">i", 0) + bytes(size)
    return struct.pack(">i", len(body)) + body


async def test_thousands_of_small_requests_behind_one_are_answered_in_order() -> None:
    async with StillBroker() as running, running.connect() as client:
        await running.topic("t")
        topic = FetchTopic(topic="t", partitions=[FetchPartition(partition=0, partition_max_bytes=MIB)])
        client.send(FetchRequest(max_wait_ms=20, min_bytes=MIB, max_bytes=MIB, topics=[topic]), 11)
        client.writer.write(b"".join(client.frame(ApiVersionsRequest(), 0) for _ in range(5000)))
        await client.receive()
        for _ in range(5000):
            assert (await client.receive()).error_code == 0
        assert running.broker.request_memory.used == 0


async def test_fetch_sessions_cannot_be_made_to_fill_the_memory() -> None:
    """A session outlives its connection, and a request of 280 KB may name ten thousand partitions that are not there."""
    names = [FetchTopic(topic="nowhere", partitions=[FetchPartition(partition=index) for index in range(10_000)])]
    async with StillBroker() as running:
        sessions = []
        for _ in range(SESSION_PARTITIONS_MAX // 10_000 + 2):
            async with running.connect() as client:
                answer = await client.call(FetchRequest(session_epoch=0, topics=names), 11)
                sessions.append(answer.session_id)
        assert len(running.broker.fetch_sessions) == SESSION_PARTITIONS_MAX // 10_000
        assert all(sessions[:-2])
        assert sessions[-2:] == [0, 0]


async def test_a_connection_dropped_at_every_byte_of_a_produce_request_appends_nothing() -> None:
    async with StillBroker() as running:
        partition = await running.topic("t")
        frame = Client(running.port).frame(produce_request("t", batch(b"one", b"two")), 9)
        for cut in range(len(frame)):
            _, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(frame[:cut])
            if cut % 2:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.close()
        await until(lambda: not connections(running), "all connections are gone")
        assert partition.log.log_end_offset == 0
        assert running.broker.request_memory.used == 0
        assert listener_of(running).tasks == set()
        async with running.connect() as client:
            answer = await client.call(produce_request("t", batch(b"one", b"two")), 9)
            assert answer.responses[0].partition_responses[0].base_offset == 0


async def test_connections_of_one_address_are_limited_exactly() -> None:
    async with StillBroker(**{"max.connections.per.ip": "7"}) as running, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(running.connect()) for _ in range(7)]
        for client in clients:
            await client.call(ApiVersionsRequest(), 0)
        async with running.connect() as one_too_many:
            assert await one_too_many.closed()
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port, local_addr=("127.0.0.9", 0))
        writer.write(Client(running.port).frame(ApiVersionsRequest(), 0))
        assert len(await reader.readexactly(4)) == 4
        writer.close()
        clients[0].writer.close()
        await until(lambda: len(connections(running)) <= 7, "a place is free")
        async with running.connect() as next_one:
            await next_one.call(ApiVersionsRequest(), 0)


async def test_refusals_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with StillBroker() as running:
        with caplog.at_level("INFO"):
            for _ in range(100):
                async with running.connect() as client:
                    client.writer.write(b"GET / HTTP/1.1\r\n\r\n")
                    assert await client.closed()
            sweep(running, 1)
        lines = [record.getMessage() for record in caplog.records if "clos" in record.getMessage()]
        assert len(lines) == REFUSALS_LOGGED_MAX + 1
        assert "HTTP" in lines[0]
        assert lines[-1] == f"closed {100 - REFUSALS_LOGGED_MAX} more connections for such reasons"


async def test_tls_on_the_plaintext_port_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with StillBroker() as running, running.connect() as client:
        with caplog.at_level("INFO"):
            client.writer.write(bytes.fromhex("16030100a5010000a10303") + bytes(160))
            assert await client.closed()
        assert any("TLS" in record.getMessage() for record in caplog.records)


@pytest.mark.slow
async def test_one_request_of_many_bombs_has_its_time_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Partitions beyond it are to come again: REQUEST_TIMED_OUT, at which every producer retries."""
    monkeypatch.setattr(bombs, "UNPACKED_BYTES", 31 * MIB)
    bomb = bombs.bomb(bombs.GZIP)
    async with StillBroker() as running, running.connect() as client:
        await running.topic("t")
        data = [PartitionProduceData(index=0, records=bomb) for _ in range(100)]
        request = ProduceRequest(acks=1, timeout_ms=1000, topic_data=[TopicProduceData(name="t", partition_data=data)])
        loop = asyncio.get_running_loop()
        began = loop.time()
        answer = await client.call(request, 9)
        codes = [item.error_code for item in answer.responses[0].partition_responses]
        assert codes[0] == ErrorCode.NONE
        assert codes[-1] == ErrorCode.REQUEST_TIMED_OUT
        assert loop.time() - began < UNPACKING_S + 5


async def test_a_connection_gives_way_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its share of the loop used up after every request, a burst takes a turn of the loop each."""
    monkeypatch.setattr(receiving, "TURN_S", 0.0)
    async with StillBroker() as running, running.connect() as greedy, running.connect() as other:
        await other.call(ApiVersionsRequest(), 0)
        greedy.writer.write(b"".join(greedy.frame(ApiVersionsRequest(), 0) for _ in range(500)))
        await until(lambda: any(c._backlog for c in connections(running)), "the burst is under way")
        await other.call(ApiVersionsRequest(), 0)
        assert any(c._backlog for c in connections(running)), "the other did not have to wait for all of it"
        for _ in range(500):
            await greedy.receive()
