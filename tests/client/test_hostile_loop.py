"""A broker that would hold up everything else in the program: whatever it sends, no turn of the loop takes 100 ms.

Counted is the time that the loop's thread computes in one callback, by its CPU clock: how long others kept it from
running says nothing about us.
"""

from __future__ import annotations

import asyncio
import itertools
import struct
import time
from asyncio import events
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ottla import Consumer
from ottla.client.errors import AuthenticationError, BrokerError, ClientError, ClientTimeoutError
from ottla.protocol.apis.fetch import FetchableTopicResponse, FetchResponse, PartitionData
from ottla.protocol.apis.sasl_authenticate import SaslAuthenticateResponse
from ottla.protocol.apis.sasl_handshake import SaslHandshakeResponse
from ottla.protocol.errors import ErrorCode
from ottla.records.batch import Compression, Record, build_batch
from tests.client import test_hostile as liars
from tests.client.consumer.test_hostile import answering, first

BLOCKED_S_MAX = 0.1
#: What is looked at here is the loop, not the clock on the wall.
PATIENT: dict[str, Any] = {
    "socket_connection_setup_timeout_ms": 30_000, "request_timeout_ms": 30_000, "default_api_timeout_ms": 30_000,
}  # fmt: skip


@pytest.fixture(autouse=True)
def fetch_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(liars.VERSIONS, 1, 12)


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """How long each callback of the loop computed; none may have taken too long."""
    took: list[float] = []
    run = events.Handle._run

    def timed(self: Any) -> None:
        began = time.thread_time()
        try:
            run(self)
        finally:
            took.append(time.thread_time() - began)

    monkeypatch.setattr(events.Handle, "_run", timed)
    yield took
    assert took
    assert max(took) < BLOCKED_S_MAX


async def test_an_answer_that_drips_ends_with_the_timeout(turns: list[float]) -> None:
    """Each byte comes in time, the answer never does: it is the whole that counts."""

    class Dripping(liars.Liar):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            send = writer.write

            def drip(data: Any) -> None:
                if len(data) < 1000:
                    send(data)
                else:
                    self.tasks.add(asyncio.ensure_future(self.drip(bytes(data), send)))

            writer.write = drip  # type: ignore[method-assign]
            await super().serve(reader, writer)

        async def drip(self, data: bytes, send: Callable[[bytes], None]) -> None:
            for place in itertools.count():
                send(data[place : place + 1] or b"\0")
                await asyncio.sleep(0)

    it = Dripping({16: lambda *_: struct.pack(">i", 50 << 20) + bytes(5000)})
    server = await asyncio.start_server(it.serve, "127.0.0.1", 0)
    it.port = server.sockets[0].getsockname()[1]
    try:
        with pytest.raises(ClientTimeoutError, match="no answer in time"):
            await liars.ask(it)
    finally:
        server.close()
        for task in it.tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in it.tasks if task is not None), return_exceptions=True)


async def test_scram_with_as_many_iterations_as_are_allowed_does_not_hold_up_the_loop(turns: list[float]) -> None:
    seen: list[bytes] = []

    def handshake(key: int, version: int, correlation_id: int) -> bytes:
        return liars.frame(correlation_id, SaslHandshakeResponse(mechanisms=["SCRAM-SHA-256"]), version, flexible=False)

    def challenge(key: int, version: int, correlation_id: int) -> bytes:
        seen.append(b"asked")
        nonce = it.nonce  # type: ignore[attr-defined]
        text = b"r=" + nonce + b"more,s=c2FsdHNhbHQ=,i=1000000" if len(seen) == 1 else b"v=d3Jvbmc="
        return liars.frame(correlation_id, SaslAuthenticateResponse(auth_bytes=text), version, flexible=True)

    async with liars.liar({17: handshake, 36: challenge}) as it:
        listen = it.serve

        async def overhearing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            read = reader.readexactly

            async def exactly(n: int) -> bytes:
                data = await read(n)
                if b",r=" in data:
                    it.nonce = data.split(b",r=")[1].split(b"\0")[0]  # type: ignore[attr-defined]
                return data

            reader.readexactly = exactly  # type: ignore[method-assign]
            await listen(reader, writer)

        server = await asyncio.start_server(overhearing, "127.0.0.1", 0)
        it.port = server.sockets[0].getsockname()[1]
        try:
            with pytest.raises(AuthenticationError):
                await liars.ask(
                    it, **PATIENT, security_protocol="SASL_PLAINTEXT", sasl_mechanism="SCRAM-SHA-256", sasl_username="u", sasl_password="p",
                )  # fmt: skip
            assert len(seen) == 2  # the work was done
        finally:
            server.close()


async def test_redirects_without_end_of_a_reader_are_asked_with_back_off(turns: list[float]) -> None:
    def moved(key: int, version: int, correlation_id: int) -> bytes:
        part = PartitionData(
            partition_index=0, error_code=ErrorCode.NOT_LEADER_OR_FOLLOWER, high_watermark=9, records=None
        )
        response = FetchResponse(responses=[FetchableTopicResponse(topic="t", partitions=[part])])
        return liars.frame(correlation_id, response, version, flexible=True)

    async with liars.liar({1: moved}) as it:
        options = {
            **liars.FAST,
            "isolation_level": "read_uncommitted",
            "retry_backoff_ms": 20,
            "retry_backoff_max_ms": 50,
        }
        reader: Consumer[Any, Any] = Consumer(f"127.0.0.1:{it.port}", **options)
        async with reader as consumer:
            consumer.assign({("t", 0): 0})
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await anext(aiter(consumer))
        assert 1 < it.requests.count(1) < 60


@pytest.fixture(scope="module")
def tiny() -> dict[Compression, bytes]:
    """Records of seven bytes, the smallest there are; made before anybody looks at the clock."""
    return {codec: bytes(build_batch([Record(0, 0, None, None)] * 100_000, compression=codec)) for codec in Compression}


@pytest.fixture(scope="module")
def bombs() -> dict[Compression, bytes]:
    return {
        codec: bytes(build_batch([Record(0, 0, None, bytes(40 << 20))], compression=codec))
        for codec in Compression
        if codec != Compression.NONE
    }


@pytest.mark.parametrize("codec", [Compression.NONE, Compression.GZIP, Compression.ZSTD])
async def test_a_batch_of_nothing_but_records(
    tiny: dict[Compression, bytes], turns: list[float], codec: Compression
) -> None:
    assert len(await first(answering(tiny[codec]), count=1, **PATIENT)) == 1


#: zlib is the slowest: 32 MiB of zeros take it 100 ms, so that one is tried at half the default cap.
CAPS = {Compression.GZIP: "16MiB", Compression.SNAPPY: "32MiB", Compression.LZ4: "32MiB", Compression.ZSTD: "32MiB"}


@pytest.mark.parametrize("codec", CAPS)
async def test_a_bomb_at_its_cap(bombs: dict[Compression, bytes], turns: list[float], codec: Compression) -> None:
    with pytest.raises(BrokerError, match="MESSAGE_TOO_LARGE"):
        await first(answering(bombs[codec]), max_decompressed_bytes=CAPS[codec], **PATIENT)


async def test_an_answer_whose_last_batch_is_damaged(turns: list[float]) -> None:
    data = bytearray().join(build_batch([Record(0, 0, None, bytes(1 << 20))], base_offset=i) for i in range(8))
    data[-1] ^= 1
    with pytest.raises(ClientError, match="offset 7: the checksum"):
        await first(answering(bytes(data)), count=8, **PATIENT)
