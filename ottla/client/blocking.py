"""The bridge of `ottla.sync`: asynchronous clients on one I/O thread, used by threads that block.

    caller's thread                              I/O thread: its own event loop (uvloop where it is installed)
      run(coroutine) ──── waits ───────────────►   the asynchronous client: sockets, timers, heartbeats
      appends records into batches itself  ───►    is woken once per turn, not once per record

Each client object has a thread of its own, so that what one holds up does not hold up another; it ends with `close`. A wait can be
interrupted (Ctrl-C): the work behind it is then cancelled.

`BlockingClient` is the common part of Producer, Consumer and Admin: starting, stopping, `with`, `_run`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

from ..event_loop import new_event_loop
from .errors import ClosedError

T = TypeVar("T")


class IoThread:
    """A thread that runs an event loop."""

    def __init__(self, name: str) -> None:
        self.loop = new_event_loop()
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)
        self._thread.start()

    def _live(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and return what it returns. Not to be called on the loop's own thread."""
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("a blocking call on the client's own I/O thread (in a hook?) would wait for itself")
        if self.loop.is_closed():
            work.close()
            raise ClosedError("the client is closed")
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # does nothing to one that is done; ends the work where the wait was interrupted
            raise

    def iterate(self, items: AsyncIterator[T]) -> Iterator[T]:
        """The items of an asynchronous iterator, each awaited on the loop. For items that are batches."""

        async def following() -> T:
            return await anext(items)

        while True:
            try:
                item = self.run(following())
            except StopAsyncIteration:
                return
            yield item

    def stop(self) -> None:
        """End the loop and the thread; what still runs on it is cancelled before."""
        if self.loop.is_closed():
            return

        async def cancel_all() -> None:
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.run(cancel_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()


class BlockingClient:
    """A client of `ottla.sync`: owns an I/O thread and the asynchronous client that lives there.

    A subclass says how to make (`_make`), and may override `_started`. It is started by its constructor, so that it can be used
    without `with` too; then `close` must be called.
    """

    def __init__(self) -> None:
        self._io = IoThread(f"ottla-{type(self).__name__.lower()}")
        self._closed = False
        try:
            self._io.run(self._start())
        except BaseException:
            self._closed = True
            self._io.stop()
            raise

    async def _start(self) -> None:
        """Make and start the asynchronous client; runs on the loop."""
        raise AssertionError("each client starts its own")

    async def _stop(self, timeout_ms: int | None) -> None:
        """Close the asynchronous client; runs on the loop."""
        raise AssertionError("each client stops its own")

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._io.run(work)

    def close(self, timeout_ms: int | None = None) -> None:
        """Finish what was begun (at most so long), and end the client and its thread. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            self._io.run(self._stop(timeout_ms))
        finally:
            self._io.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
