"""Where answers wait: for the high watermark, for enough bytes, or for a deadline.

How it works
------------
A handler that cannot answer yet returns a `Deferred`; whoever brings the missing event resolves it, and the
connection sends the answer in its turn. There is no thread and no polling: a partition calls its waiters when its
high watermark moves, a timer of the event loop calls them when time is up, whichever is first.

* `CommitQueue`: answers of acks=all, in offset order, so that moving the watermark pops from the left.
* `DelayedFetch`: one fetch that found fewer than `min_bytes`. Progress of any of its partitions wakes it once per
  turn of the loop, so that a burst of appends costs one read, not one read each.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from ..protocol.errors import ErrorCode


class Watched(Protocol):
    """What a waiting fetch looks at: a partition, or a share group's part in one."""

    fetches_waiting: set[DelayedFetch]


class Deferred:
    """An answer that is not there yet. Resolved exactly once; a second resolution is ignored.

    Lighter than a future: the callback runs at once, in the turn of the loop that brought the event.
    """

    __slots__ = ("_callback", "done", "result", "serial")

    def __init__(self) -> None:
        self.done = False
        #: Whether later requests of the connection wait for this one, also where its API lets them overtake.
        self.serial = False
        self.result: Any = None
        self._callback: Callable[[Any], None] | None = None

    def resolve(self, result: Any) -> None:
        """Set the answer (or the exception that stands for it) and tell who waits."""
        if self.done:
            return
        self.done = True
        self.result = result
        if self._callback is not None:
            self._callback(result)

    def on_result(self, callback: Callable[[Any], None]) -> None:
        """Call `callback(result)` when resolved, at once if it is already. There is one callback."""
        if self.done:
            callback(self.result)
        else:
            self._callback = callback


async def settled(result: Any) -> Any:
    """Wait for a result that may be a `Deferred`; raises the error it carries."""
    if isinstance(result, Deferred):
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        result.on_result(lambda value: None if future.done() else future.set_result(value))
        result = await future
    if isinstance(result, Exception):
        raise result
    return result


class CommitQueue:
    """Who waits for which offset of one partition to be committed, in offset order."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, Callable[[ErrorCode], None]]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, end_offset: int, callback: Callable[[ErrorCode], None]) -> None:
        """Call `callback(ErrorCode.NONE)` once everything below `end_offset` is committed."""
        self._waiting.append((end_offset, callback))

    def advance(self, committed: int) -> None:
        """Answer everyone whose records lie below `committed`."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= committed:
            waiting.popleft()[1](ErrorCode.NONE)

    def fail(self, error: ErrorCode) -> None:
        """Answer everyone with `error`: leadership was lost, the disk died, the topic is gone."""
        waiting, self._waiting = self._waiting, deque()
        for _, callback in waiting:
            callback(error)


class DelayedFetch:
    """A fetch that waits for `min_bytes`, a deadline, or an error on one of its partitions."""

    __slots__ = ("_answer", "_loop", "_on_close", "_partitions", "_ready", "_timer", "_woken", "answer")

    def __init__(
        self,
        partitions: Iterable[Watched],
        wait_s: float,
        ready: Callable[[], bool],
        answer: Callable[[], Any],
        on_close: set[Callable[[], None]],
    ) -> None:
        """Wait on `partitions`; `ready()` says whether enough is there, `answer()` reads and builds the response.

        `on_close` holds what the connection calls when it ends: waiting on for a client that is gone helps nobody.
        """
        self._loop = asyncio.get_running_loop()
        self._partitions = list(partitions)
        self._ready = ready
        self._answer = answer
        self._woken = False
        self.answer = Deferred()
        self._on_close = on_close
        on_close.add(self.cancel)
        self._timer = self._loop.call_later(wait_s, self._complete)
        for partition in self._partitions:
            partition.fetches_waiting.add(self)

    def on_progress(self) -> None:
        """Called by a partition whose high watermark or log start moved, or that is leaving this broker."""
        if not self._woken:
            self._woken = True
            self._loop.call_soon(self.check)

    def check(self) -> None:
        """Look whether there is enough, now."""
        self._woken = False
        if not self.answer.done and self._ready():
            self._complete()

    def cancel(self) -> None:
        """Forget the fetch: its connection is gone."""
        self._timer.cancel()
        self._on_close.discard(self.cancel)
        for partition in self._partitions:
            partition.fetches_waiting.discard(self)

    def _complete(self) -> None:
        self.cancel()
        try:
            result = self._answer()
        except Exception as error:  # noqa: BLE001 - the connection answers, counts and logs it
            result = error
        self.answer.resolve(result)
