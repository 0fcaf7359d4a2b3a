"""Connections that have not shown who they are: in a TLS handshake, or before the end of SASL.

Anybody can open them, so that they have bounds of their own, for the whole broker:

    NEWCOMERS_MAX          so many; one more ends the one that has waited longest for its peer
    NEWCOMER_MEMORY_MAX    what they hold of frames and sent for handshakes, together
    HANDSHAKE_DEADLINE_S   for TLS, from the first byte the system accepted
    AUTHENTICATION_DEADLINE_S   for all of it, with TLS

An honest client is through within a few round trips, so that in a storm it is the slow and the silent who give way.

A handshake costs a millisecond or more of keys and certificates, and clients that are in should not wait behind a thousand of
them. So a step of one is done in a thread (`Handshaking.shake`; OpenSSL works without the interpreter's lock), on at most half of
the processors, and the loop only takes over what came of it (`shaken`), for `TURN_S` in each turn:

    buffer_updated ─► handshake() ─► queue ─► thread: shake() ─► done ─► loop: shaken()
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from queue import SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from .request_memory import RequestMemory

if TYPE_CHECKING:
    from .connection import Connection

#: A TLS handshake under way is some 40 KiB of OpenSSL.
NEWCOMERS_MAX = 1_000
#: Sixty-four of the largest frames before authentication.
NEWCOMER_MEMORY_MAX = 32 * 1024 * 1024
HANDSHAKE_DEADLINE_S = 10.0
#: With the sweep that comes each second, everything is gone within 30 s.
AUTHENTICATION_DEADLINE_S = 28.0
#: What came of handshakes is taken over for so long in one turn of the loop.
TURN_S = 0.001
#: Threads for handshakes, where there are as many processors twice.
THREADS_MAX = 4
#: So many of the oldest are looked at for one that can give way; those behind them are younger.
_LOOKED_AT_MAX = 64


class Handshaking(Protocol):
    """A connection in a handshake."""

    def shake(self) -> None:
        """Go on as far as what was received allows. In a thread: nothing of the broker may be touched."""

    def shaken(self) -> None:
        """Take over on the loop what came of it."""


class Newcomers:
    """The connections of one broker that have not authenticated."""

    def __init__(self, threads: int = 0) -> None:
        """Without `threads` handshakes are done on the loop, which is for tests."""
        self.memory = RequestMemory(NEWCOMER_MEMORY_MAX)
        self._threads_max = threads
        self._threads: list[threading.Thread] = []
        self._queue: SimpleQueue[Handshaking | None] = SimpleQueue()
        #: Oldest first.
        self._connections: dict[Connection, None] = {}
        #: Whose step is done, and not taken over yet.
        self._done: deque[Handshaking] = deque()
        self._scheduled = False
        #: How many gave way to others.
        self.driven_out = 0

    def __len__(self) -> int:
        return len(self._connections)

    def admit(self, connection: Connection) -> bool:
        """Count one in; somebody may have to go. False if nobody can: all of the oldest wait for us."""
        if len(self._connections) >= NEWCOMERS_MAX and not self._drive_one_out(connection):
            return False
        self._connections[connection] = None
        return True

    def hold(self, connection: Connection, bytes_more: int, ticks: int) -> None:
        """Count what it sent of a handshake; where that is too much of all, the slowest gives way."""
        self.memory.hold(connection, bytes_more, ticks)
        while self.memory.used > self.memory.limit:
            if not self._drive_one_out(connection):
                connection.abort_for("there is no memory for its handshake")
                return

    def _drive_one_out(self, stays: Connection) -> bool:
        """End the one that has waited longest for its peer; False if none of the oldest does."""
        oldest = zip(self._connections, range(_LOOKED_AT_MAX), strict=False)
        leaving = next((each for each, _ in oldest if each.waits_for_peer and each is not stays), None)
        if leaving is None:
            return False
        self.driven_out += 1
        self.leave(leaving)
        leaving.abort_for("too many connections have not authenticated, and it was the slowest")
        return True

    def leave(self, connection: Connection) -> None:
        """Count one out: it has authenticated, or is gone."""
        self._connections.pop(connection, None)

    # ── handshakes ──────────────────────────────────────────────────────────────────────────────────────────────

    def handshake(self, connection: Handshaking) -> None:
        """Have a step done, when it is its turn."""
        if self._threads_max == 0:
            connection.shake()
            self._done.append(connection)
            self._schedule()
            return
        if not self._threads:
            loop = asyncio.get_running_loop()
            self._threads = [
                threading.Thread(target=self._work, args=(loop,), name=f"handshakes-{number}", daemon=True)
                for number in range(self._threads_max)
            ]
            for thread in self._threads:
                thread.start()
        self._queue.put(connection)

    def stop(self) -> None:
        """End the threads, after the step they are at."""
        for _ in self._threads:
            self._queue.put(None)
        self._threads = []

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while (connection := self._queue.get()) is not None:
            connection.shake()
            self._done.append(connection)
            if not self._scheduled:  # or the loop is about to look
                try:
                    loop.call_soon_threadsafe(self._schedule)
                except RuntimeError:  # the loop is closed: nobody waits any more
                    return

    def _schedule(self) -> None:
        if not self._scheduled and self._done:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._take_turn)

    def _take_turn(self) -> None:
        deadline = monotonic() + TURN_S
        try:
            while self._done:
                self._done.popleft().shaken()
                if monotonic() > deadline:
                    break
        finally:  # whatever becomes of one, the others have their turn
            self._scheduled = False
            self._schedule()


def handshake_threads() -> int:
    """Return how many threads this machine should have for handshakes."""
    return min(spare_processors(), THREADS_MAX)


def spare_processors() -> int:
    """Return how many processors those may use who have not shown who they are: half of them."""
    try:
        processors = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        processors = os.cpu_count() or 1
    return max(1, processors // 2)
