"""A broker that lies: an error with its cause, soon, and no memory for what is only claimed."""

from __future__ import annotations

import asyncio
import struct
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ottla import Config, Producer
from ottla.client.cluster import ANY, Cluster
from ottla.client.errors import AuthenticationError, BadResponseError, ClientError, ClientTimeoutError, ConnectError
from ottla.protocol import codec
from ottla.protocol.apis.api_versions import ApiVersion, ApiVersionsResponse
from ottla.protocol.apis.list_groups import ListGroupsRequest
from ottla.protocol.apis.metadata import (
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from ottla.protocol.apis.produce import PartitionProduceResponse, ProduceResponse, TopicProduceResponse
from ottla.protocol.apis.sasl_authenticate import SaslAuthenticateResponse
from ottla.protocol.apis.sasl_handshake import SaslHandshakeResponse
from ottla.protocol.errors import ErrorCode

FAST: dict[str, Any] = {
    "retry_backoff_ms": 5, "retry_backoff_max_ms": 20, "reconnect_backoff_ms": 5, "reconnect_backoff_max_ms": 20,
    "default_api_timeout_ms": 1000, "request_timeout_ms": 300, "socket_connection_setup_timeout_ms": 300,
}  # fmt: skip
VERSIONS = {0: 9, 3: 9, 16: 4, 17: 1, 18: 3, 36: 2}
Answer = Callable[[int, int, int], bytes | None]


def frame(correlation_id: int, message: Any, version: int, *, flexible: bool) -> bytes:
    body = struct.pack(">i", correlation_id) + (b"\0" if flexible else b"") + codec.encode(message, version)
    return struct.pack(">i", len(body)) + body


class Liar:
    """Answers ApiVersions and Metadata as it should, and all else as the test says."""

    def __init__(self, answers: dict[int, Answer]) -> None:
        self.answers = answers
        self.requests: list[int] = []
        self.port = 0
        self.tasks: set[asyncio.Task[None] | None] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.add(asyncio.current_task())
        try:
            while True:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                request = await reader.readexactly(size)
                key, version, correlation_id = struct.unpack_from(">hhi", request)
                self.requests.append(key)
                made = self.answers.get(key, self.proper)(key, version, correlation_id)
                if made is None:
                    continue
                writer.write(made)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    def proper(self, key: int, version: int, correlation_id: int) -> bytes | None:
        if key == 18:
            rows = [ApiVersion(api_key=api, min_version=0, max_version=high) for api, high in VERSIONS.items()]
            return frame(correlation_id, ApiVersionsResponse(api_keys=rows), min(version, 3), flexible=False)
        if key == 3:
            part = MetadataResponsePartition(
                partition_index=0, leader_id=1, leader_epoch=1, replica_nodes=[1], isr_nodes=[1]
            )
            answer = MetadataResponse(
                brokers=[MetadataResponseBroker(node_id=1, host="127.0.0.1", port=self.port)],
                controller_id=1,
                topics=[MetadataResponseTopic(name="t", partitions=[part])],
            )
            return frame(correlation_id, answer, version, flexible=True)
        return None


@asynccontextmanager
async def liar(answers: dict[int, Answer]) -> AsyncIterator[Liar]:
    it = Liar(answers)
    server = await asyncio.start_server(it.serve, "127.0.0.1", 0)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        server.close()
        for task in it.tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in it.tasks if task is not None), return_exceptions=True)


async def ask(it: Liar, **settings: Any) -> Any:
    cluster = Cluster(Config(f"127.0.0.1:{it.port}", **{**FAST, **settings}))
    try:
        await cluster.start()
        return await cluster.request(ListGroupsRequest(), ANY, retry=False)
    finally:
        await cluster.close()


@pytest.mark.parametrize("size", [-1, 0, 3, 0x7FFFFFFF])
async def test_an_impossible_size(size: int) -> None:
    async with liar({16: lambda *_: struct.pack(">i", size) + b"xxxx"}) as it:
        with pytest.raises(ClientError, match=f"an answer of {size} bytes was announced"):
            await ask(it)


async def test_memory_is_taken_for_what_came_not_for_what_was_claimed() -> None:
    async with liar({16: lambda *_: struct.pack(">i", 200 << 20) + b"\0" * 100_000}) as it:
        tracemalloc.start()
        try:
            with pytest.raises(ClientTimeoutError):
                await ask(it)
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()


async def test_an_answer_to_nobody() -> None:
    async with liar({16: lambda key, version, correlation_id: struct.pack(">ii", 4, correlation_id + 7)}) as it:
        with pytest.raises(ClientError, match=r"an answer to request \d+ came, awaited was that to request"):
            await ask(it)


async def test_bytes_that_are_no_answer() -> None:
    async with liar(
        {16: lambda key, version, correlation_id: struct.pack(">iiiii", 16, correlation_id, -5, -5, -5)}
    ) as it:
        with pytest.raises(ClientError, match="the answer to ListGroups cannot be read"):
            await ask(it)


async def test_a_web_server_is_told_from_a_broker() -> None:
    async with liar({18: lambda *_: b"HTTP/1.1 400 Bad Request\r\n\r\n"}) as it:
        with pytest.raises(ConnectError, match="is this a Kafka broker") as caught:
            await ask(it)
        assert caught.value.stage == "versions"


async def test_silence_ends_with_the_stage_in_which_it_came() -> None:
    async with liar({18: lambda *_: None}) as it:
        with pytest.raises(ConnectError, match=r"versions: no") as caught:
            await ask(it)
        assert caught.value.stage == "versions"


async def test_no_common_version_is_named() -> None:
    def old(key: int, version: int, correlation_id: int) -> bytes:
        rows = [
            ApiVersion(api_key=3, min_version=0, max_version=9),
            ApiVersion(api_key=18, min_version=0, max_version=3),
        ]
        return frame(correlation_id, ApiVersionsResponse(api_keys=rows), 3, flexible=False)

    async with liar({18: old}) as it:
        with pytest.raises(ClientError, match=r"ListGroups.*does not have this API"):
            await ask(it)


async def test_redirects_without_end_end_with_the_delivery_timeout() -> None:
    def moved(key: int, version: int, correlation_id: int) -> bytes:
        row = PartitionProduceResponse(index=0, error_code=ErrorCode.NOT_LEADER_OR_FOLLOWER)
        answer = ProduceResponse(responses=[TopicProduceResponse(name="t", partition_responses=[row])])
        return frame(correlation_id, answer, version, flexible=True)

    async with liar({0: moved}) as it:
        settings = {**FAST, "delivery_timeout_ms": 400, "enable_idempotence": False, "linger_ms": 0}
        async with Producer(f"127.0.0.1:{it.port}", **settings) as producer:
            with pytest.raises(ClientError, match=r"NOT_LEADER_OR_FOLLOWER|delivery\.timeout\.ms"):
                await producer.send("t", b"v")
        assert it.requests.count(0) < 100  # with back-off, not in a busy loop


@pytest.mark.parametrize("iterations", [b"2000000000", b"9" * 5000])
async def test_absurd_iterations_of_scram_are_refused_before_they_are_done(iterations: bytes) -> None:
    def handshake(key: int, version: int, correlation_id: int) -> bytes:
        return frame(correlation_id, SaslHandshakeResponse(mechanisms=["SCRAM-SHA-256"]), version, flexible=False)

    def challenge(key: int, version: int, correlation_id: int) -> bytes:
        answer = SaslAuthenticateResponse(auth_bytes=b"r=nonce,s=c2FsdA==,i=" + iterations)
        return frame(correlation_id, answer, version, flexible=True)

    async with liar({17: handshake, 36: challenge}) as it:
        settings = {
            "socket_connection_setup_timeout_ms": 10_000, "request_timeout_ms": 10_000,
            "security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-256", "sasl_username": "u", "sasl_password": "p",
        }  # fmt: skip
        with pytest.raises(
            AuthenticationError, match=r"SCRAM-SHA-256.*iterations.*sasl\.scram\.iterations\.max"
        ) as caught:
            await ask(it, **settings)
        assert not caught.value.retriable


async def test_an_error_names_every_address_and_its_stage() -> None:
    config = Config("127.0.0.1:1,no-such-host.invalid:9092", **FAST)
    cluster = Cluster(config)
    with pytest.raises(ConnectError) as caught:
        await cluster.start()
    await cluster.close()
    text = str(caught.value)
    assert "127.0.0.1:1: tcp" in text
    assert "no-such-host.invalid:9092: dns" in text


def test_errors_say_what_a_handler_asks() -> None:
    error = BadResponseError("what", api="Produce", broker="1 (a:1)", topic_partition=("t", 3), hint="look there")
    assert str(error) == "Produce, t-3, broker 1 (a:1): what (look there)"
    assert (error.retriable, error.fatal) == (False, False)
