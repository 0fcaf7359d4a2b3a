"""What a blocking consumer of a shim stands on: an engine on an I/O thread of its own.

    program's thread ── _run(coroutine), _call(function) ──► I/O thread: Engine, our Consumer
                     ◄── their exception for one of ours ──

The I/O thread knows the engine, not the shim's object: a consumer that the program drops without closing is collected, and its
end (leave the group, close the connections) is then done by a thread of its own, because a collector may not wait.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any, Protocol

from ..client.blocking import IoThread
from ..client.errors import ClientError


class Closing(Protocol):
    """What lives on the loop."""

    async def close(self) -> None: ...


class Crossing:
    """Base of the blocking consumers. A subclass says which errors its library raises."""

    def __init__(self, engine: Closing, thread_name: str) -> None:
        self._inner = engine
        self._io = IoThread(thread_name)
        self._closed = False
        self._dropped = weakref.finalize(self, _end_elsewhere, engine, self._io)
        self._dropped.atexit = False  # the process ends, and the thread with it

    def _theirs(self, problem: BaseException) -> BaseException:
        """Their error for one of ours."""
        raise AssertionError("each library has its own")

    def _refusal(self) -> Exception:
        """What a call on a closed consumer raises."""
        raise AssertionError("each library has its own")

    def _run(self, work: Any) -> Any:
        """Run a coroutine on the loop."""
        if self._closed:
            work.close()
            raise self._refusal()
        try:
            return self._io.run(work)
        except (ClientError, ExceptionGroup) as problem:
            raise self._theirs(problem) from problem

    def _call(self, work: Callable[[], Any]) -> Any:
        """Run a function on the loop, or what it awaits."""

        async def call() -> Any:
            result = work()
            return await result if hasattr(result, "__await__") else result

        return self._run(call())

    def _end(self) -> None:
        """Close the engine and end the thread; the consumer is closed even where that fails."""
        self._dropped.detach()
        try:
            self._run(self._inner.close())
        finally:
            self._closed = True
            self._io.stop()


def drop(finish: Callable[[], Any]) -> None:
    """Do the end of something that was dropped, without waiting for it."""

    def work() -> None:
        try:
            finish()
        except (ClientError, ExceptionGroup):
            return  # nobody is left to be told

    threading.Thread(target=work, name="ottla-compat-drop", daemon=True).start()


def _end_elsewhere(engine: Closing, io: IoThread) -> None:
    def finish() -> None:
        try:
            io.run(engine.close())
        finally:
            io.stop()

    drop(finish)
