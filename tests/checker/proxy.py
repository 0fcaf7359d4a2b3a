"""A proxy between clients and a broker that knows where Kafka's frames begin: it notes requests, and holds chosen ones back.

    client ──1──► proxy ──1──► broker        connection 1: a request that `holds` names is kept, the client is cut off;
    client ──2──► proxy ──2──► broker        it comes again as connection 2, repeats the request, goes on;
                  proxy ──1──► broker        `release`: the first one arrives, over the connection it was sent over

The broker has to advertise the proxy's address.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Self


class Seen(NamedTuple):
    """One request: over which connection, which API, in which version."""

    connection: int
    api_key: int
    version: int
    frame: bytes


@dataclass
class Held:
    """A request that is kept, and the connection to the broker over which it goes on."""

    seen: Seen
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    #: How much of what was sent before is still to be answered.
    unanswered: int


@dataclass
class Proxy:
    """One listening port in front of one broker."""

    broker_port: int = 0
    #: Decides about each request of a client whether it is held back.
    holds: Callable[[Seen], bool] = lambda _: False
    requests: list[Seen] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    port: int = 0
    _count: int = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        self._tasks: set[asyncio.Task[None]] = set()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for held in self.held:
            held.writer.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._count += 1
        number = self._count
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self.broker_port)
        except OSError:
            writer.close()
            self._tasks.discard(task)
            return
        back = asyncio.create_task(_pipe(to_reader, writer))
        kept = False
        try:
            while True:
                frame = await _frame(reader)
                seen = Seen(number, *struct.unpack_from(">hh", frame, 4), frame)
                self.requests.append(seen)
                if self.holds(seen):
                    back.cancel()
                    await asyncio.gather(back, return_exceptions=True)
                    self.held.append(Held(seen, to_reader, to_writer, 0))
                    kept = True
                    return
                to_writer.write(frame)
        except (OSError, EOFError):
            return
        finally:
            back.cancel()
            writer.close()
            if not kept:
                to_writer.close()
            self._tasks.discard(task)

    async def release(self, held: Held) -> bytes:
        """Let a held request arrive; returns what the broker answers: b"" if it ends the connection."""
        self.held.remove(held)
        held.writer.write(held.seen.frame)
        correlation = held.seen.frame[8:12]
        try:
            async with asyncio.timeout(10):
                while (answer := await _frame(held.reader))[4:8] != correlation:
                    held.unanswered += 1
                return answer
        except (OSError, EOFError):
            return b""
        finally:
            held.writer.close()


async def _frame(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(4)
    return head + await reader.readexactly(int.from_bytes(head, "big"))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
    except OSError:
        return
    finally:
        writer.close()
