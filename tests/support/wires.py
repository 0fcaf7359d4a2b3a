"""A connection without a socket: bytes go in by hand, answers come out as they are written, time is a number of sweeps."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from ottla.broker.config import BrokerConfig
from ottla.broker.connection import Connection
from ottla.broker.dispatch import Dispatcher, Entry, Route
from ottla.broker.listener import Listener
from ottla.broker.metrics import Metrics
from ottla.broker.request_memory import RequestMemory, UnreadMemory
from ottla.broker.throttling import Throttling
from ottla.protocol import codec
from ottla.protocol.apis import request_class, response_class
from ottla.protocol.framing import frame_request, request_header_version, response_header_version
from ottla.protocol.schema import Request


class Wire:
    """The transport of a connection: remembers what it was told. `unread_max` is where the client stops reading."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.writes = 0
        self.reading = True
        self.closed = self.aborted = False
        self.unread = 0
        self.unread_max = 1 << 62
        self.connection: Connection | None = None

    def get_extra_info(self, name: str) -> Any:
        return ("10.0.0.7", 5000) if name == "peername" else None

    def set_write_buffer_limits(self, high: int) -> None:
        self.high = high

    def get_write_buffer_size(self) -> int:
        return self.unread

    def write(self, data: Any) -> None:
        assert not self.closed, "written after the end"
        self.writes += 1
        self.written += data
        self.unread = max(0, len(self.written) - self.unread_max)
        if self.unread > self.high and self.connection is not None:
            self.connection.pause_writing()

    def writelines(self, parts: Any) -> None:
        self.write(b"".join(parts))

    def pause_reading(self) -> None:
        assert self.reading, "paused twice"
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading, "resumed twice"
        self.reading = True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True


class Bench:
    """A listener whose handlers the test gives; `connect` makes connections to it."""

    def __init__(self, **sets: str) -> None:
        config = BrokerConfig.load(sets={"listeners": "PLAINTEXT://127.0.0.1:0", **sets})
        self.broker: Any = SimpleNamespace(
            config=config, throttling=Throttling(config),
            metrics=Metrics(), dispatcher=Dispatcher(), unread_memory=UnreadMemory(1 << 30),
            request_memory=RequestMemory(1 << 30),
        )  # fmt: skip
        self.listener = Listener(self.broker, "PLAINTEXT", "127.0.0.1", 0)

    def handle(self, key: int, function: Any, *, pipelined: bool = False) -> None:
        """Answer an API with `function(context, request)`."""
        request = request_class(key)
        entry = Entry(key, request.__name__, request, response_class(key), request.VERSIONS, function, pipelined, None)
        self.broker.dispatcher.entries[key] = entry
        assert not self.broker.dispatcher._routes, "before the first request"

    def route(self, key: int, version: int) -> Route:
        route: Route | None = self.broker.dispatcher.route(key, version)
        assert route is not None
        return route

    def connect(self) -> Peer:
        return Peer(self)


class Peer:
    """A client's end: sends frames, reads what was answered."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.wire = Wire()
        self.connection = Connection(bench.listener)
        self.wire.connection = self.connection
        self.connection.connection_made(self.wire)
        self.sent: dict[int, tuple[int, int]] = {}
        self._read = 0

    def frame(
        self, request: Request, version: int, *, client_id: str | None = "test", tags: bytes | None = None
    ) -> bytes:
        """Make a frame. Its correlation id is its number. `tags` stand in the header of a flexible request."""
        number = len(self.sent)
        self.sent[number] = (request.API_KEY, version)
        parts = codec.encoder(type(request), version)(request)
        if tags is None:
            return b"".join(frame_request(request.API_KEY, version, number, client_id, parts))
        assert request_header_version(request.API_KEY, version) == 2
        name = b"" if client_id is None else client_id.encode()
        head = request.API_KEY.to_bytes(2, "big") + version.to_bytes(2, "big") + number.to_bytes(4, "big")
        body = head + len(name).to_bytes(2, "big") + name + tags + b"".join(parts)
        return len(body).to_bytes(4, "big") + body

    def feed(self, data: bytes, at_once: int = 1 << 30) -> None:
        """Have the connection receive bytes, at most so many at once, as a socket would: into the buffer it offers."""
        view = memoryview(data)
        while view:
            buffer = memoryview(self.connection.get_buffer(-1))
            assert len(buffer) > 0, "a connection that reads must offer room"
            size = min(len(view), at_once, len(buffer))
            buffer[:size] = view[:size]
            self.connection.buffer_updated(size)
            view = view[size:]

    def send(self, *requests: tuple[Request, int]) -> None:
        """Send requests in one piece."""
        self.feed(b"".join(self.frame(request, version) for request, version in requests))

    def answers(self) -> list[tuple[int, Any]]:
        """The (number, response) pairs that came since the last call."""
        found = []
        data = bytes(self.wire.written)
        while self._read < len(data):
            size = int.from_bytes(data[self._read : self._read + 4], "big")
            frame = data[self._read + 4 : self._read + 4 + size]
            assert len(frame) == size
            number = int.from_bytes(frame[:4], "big")
            key, version = self.sent[number]
            start = 4 + response_header_version(key, version)
            found.append((number, codec.decode(response_class(key), frame, version, start)))
            self._read += 4 + size
        return found

    def numbers(self) -> list[int]:
        """Which requests were answered since the last call, in the order of their answers."""
        return [number for number, _ in self.answers()]

    def sweep(self, seconds: float) -> None:
        """Let time pass."""
        for _ in range(int(seconds)):
            self.bench.listener.ticks += 1
            self.connection.sweep(self.bench.listener.ticks)


async def turns(count: int = 3) -> None:
    """Let the loop run what is ready, a few times."""
    for _ in range(count):
        await asyncio.sleep(0)
