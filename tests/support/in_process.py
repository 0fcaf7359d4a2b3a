"""A broker in the running event loop, and an asynchronous client of raw requests, for tests of the broker room."""

from __future__ import annotations

import asyncio
from typing import Any, Self

from ottla.broker.auto_create import auto_create
from ottla.broker.config import BrokerConfig
from ottla.broker.partition import Partition
from ottla.broker.server import Broker
from ottla.log.files import Files
from ottla.log.memory_files import MemoryFiles
from ottla.metadata.log import MetadataLog
from ottla.metadata.sqlite import SqliteMetadataLog
from ottla.protocol import codec
from ottla.protocol.apis import response_class
from ottla.protocol.apis.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.protocol.framing import frame_request, response_header_version
from ottla.protocol.schema import Request
from ottla.records.batch import Record, build_batch

#: Longer than any wait a test asks for; an answer that takes longer is a broker that hangs.
ANSWER_TIMEOUT_S = 10


class FixedClock:
    """Wall time that a test sets."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self.time_ms = now_ms

    def now_ms(self) -> int:
        return self.time_ms


class RunningBroker:
    """A broker on memory and a port of the system's choice. `restart` keeps its files and metadata."""

    def __init__(self, files: Files | None = None, metadata: MetadataLog | None = None, **sets: str) -> None:
        self.files = files or MemoryFiles()
        self.metadata: MetadataLog = metadata or SqliteMetadataLog(":memory:")
        self.clock = FixedClock()
        self.sets = {"group.initial.rebalance.delay.ms": "0", **sets}
        self.broker = self._make()

    def _make(self) -> Broker:
        sets = {"listeners": "PLAINTEXT://127.0.0.1:0", "log.dirs": "/data", **self.sets}
        return Broker(BrokerConfig.load(sets=sets), files=self.files, metadata=self.metadata, clock=self.clock)

    async def __aenter__(self) -> Self:
        await self.broker.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.broker.stop()

    async def restart(self, *, clean: bool = True) -> None:
        """Stop and start again; not `clean` leaves the files as a kill would."""
        await self.broker.stop(clean=clean)
        self.broker = self._make()
        await self.broker.start()

    @property
    def port(self) -> int:
        return self.broker.listeners[0].port

    def connect(self) -> Client:
        return Client(self.port)

    async def topic(self, name: str) -> Partition:
        """Create a topic with one partition and return that."""
        assert await auto_create(self.broker, [name]) == {}
        return self.broker.partitions.get(name, 0)


class SharedMetadata:
    """One metadata log in memory for several brokers of one loop: it stays open until the last of them leaves."""

    def __init__(self) -> None:
        self.log = SqliteMetadataLog(":memory:")
        self._users = 0
        self._cluster_id = ""

    async def open(self, cluster_id: str) -> str:
        if not self._users:
            self._cluster_id = await self.log.open(cluster_id)
        self._users += 1
        return self._cluster_id

    async def close(self) -> None:
        self._users -= 1
        if not self._users:
            await self.log.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.log, name)


class Client:
    """One connection; `call` waits for its answer, `send` and `receive` do one half each."""

    def __init__(self, port: int, client_id: str = "test") -> None:
        self.port = port
        self.client_id = client_id
        self._correlation_id = 0
        self._expected: dict[int, tuple[int, int]] = {}

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    def frame(self, request: Request, version: int) -> bytes:
        """Make the bytes of a request and remember what its answer will look like."""
        self._correlation_id += 1
        self._expected[self._correlation_id] = (request.API_KEY, version)
        parts = codec.encoder(type(request), version)(request)
        return b"".join(frame_request(request.API_KEY, version, self._correlation_id, self.client_id, parts))

    def send(self, request: Request, version: int) -> None:
        self.writer.write(self.frame(request, version))

    async def receive(self) -> Any:
        """Return the next answer."""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            size = int.from_bytes(await self.reader.readexactly(4), "big")
            frame = await self.reader.readexactly(size)
        key, version = self._expected.pop(int.from_bytes(frame[:4], "big"))
        return codec.decode(response_class(key), frame, version, 4 + response_header_version(key, version))

    async def call(self, request: Request, version: int) -> Any:
        self.send(request, version)
        return await self.receive()

    async def closed(self) -> bool:
        """Wait for the broker to end the connection; False if it sends something instead."""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            try:
                return await self.reader.read(1) == b""
            except ConnectionError:
                return True


def batch(*values: bytes, timestamp: int = 1_700_000_000_000, **options: Any) -> bytes:
    """Make a batch of records without keys."""
    return bytes(build_batch([Record(i, timestamp, None, value) for i, value in enumerate(values)], **options))


def produce_request(topic: str, records: bytes | None, *, acks: int = 1, partition: int = 0) -> ProduceRequest:
    """Make a produce request with one batch for one partition."""
    data = TopicProduceData(name=topic, partition_data=[PartitionProduceData(index=partition, records=records)])
    return ProduceRequest(acks=acks, timeout_ms=5000, topic_data=[data])
