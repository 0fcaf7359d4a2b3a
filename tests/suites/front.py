"""A door before a broker that is killed now and then: who knocks while nobody is in waits, and is not turned away.

    client ──► front (this address is advertised) ──► broker       either end closes: the other is reset

A port nobody listens on refuses a connection at once, and franz-go hands that to the application (`isDialNonTimeoutErr` is not
retried), whose tests fail on the first. A machine that is down, and what stands before brokers in production, lets the
client wait instead. So the storm breaks every connection and request, and what is judged is what comes after.
"""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType

from tests.support.kafka_jvm import free_port

HOLD_S = 60.0
POLL_S = 0.02
CHUNK = 1 << 18


class Front:
    """The door, on a thread and loop of its own; a context manager."""

    def __init__(self, broker_port: int) -> None:
        self.port = free_port()
        self._broker_port = broker_port
        self._open = threading.Event()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="front")

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Front:
        self._thread.start()
        self._open.wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    async def _run(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=1024)
        self._loop = asyncio.get_running_loop()
        self._open.set()
        await self._over.wait()
        server.close()

    async def _serve(self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        outs = [client_out]
        try:
            broker_in, broker_out = await self._knock()
            outs.append(broker_out)
            ways = [
                asyncio.create_task(_carry(client_in, broker_out)),
                asyncio.create_task(_carry(broker_in, client_out)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
        except TimeoutError:
            return
        finally:
            for out in outs:
                out.transport.abort()

    async def _knock(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with asyncio.timeout(HOLD_S):
            while True:
                try:
                    return await asyncio.open_connection("127.0.0.1", self._broker_port)
                except OSError:
                    await asyncio.sleep(POLL_S)


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()
    except OSError:
        return
