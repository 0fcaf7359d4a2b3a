"""How much memory requests may take that cannot be worked on yet: frames that arrive in parts, frames that wait.

For the connections of one broker. Bytes are counted as they are allocated, which follows what was received and never
what a frame claims of itself. Two bounds hold everything:

    per connection   a frame in parts, and a backlog of BACKLOG_BYTES_MAX (connection)
    per broker       `queued.max.request.bytes`, or REQUEST_MEMORY_MAX where that is -1

At the second a connection that needs more is not read until another gives some back. Two rules keep that from standing
still. The connection that has held memory the longest always gets more, so that at least one frame comes to its end;
and while anybody waits, holding on for PRESSURE_DEADLINE_S is too slow: such a connection is closed. So a peer that
sends half a frame from many connections to fill the memory loses them after that time, and keeps nobody out by
claiming a size alone.

Answers have a bound of the same kind: connections that do not read hold at most UNREAD_MEMORY_MAX together. A fetch reads
no more than there is room for (but one batch, so that every consumer gets on), and beyond the bound the connection that
has not read for the longest is closed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

#: Two frames of the largest size (`socket.request.max.bytes`, 100 MiB) and many small ones. Kafka sets no bound here by
#: default, but has its heap.
REQUEST_MEMORY_MAX = 256 * 1024 * 1024
#: Answers of the largest size (`fetch.max.bytes`, 55 MiB) for a few clients on slow lines.
UNREAD_MEMORY_MAX = 256 * 1024 * 1024
#: What was read from a connection before it could be stopped is kept beyond the limit, up to so many times the limit.
EXHAUSTED = 2
#: A frame of the largest size at 20 MB/s. Only while others wait for memory; otherwise `connection_limits.FRAME_DEADLINE_S`.
PRESSURE_DEADLINE_S = 5.0


class Holder(Protocol):
    """A connection, as far as its memory goes."""

    def abort_for(self, reason: str) -> None:
        """End the connection at once and give back what it holds."""


class RequestMemory:
    """What the connections of a broker hold of requests, and who waits for more."""

    __slots__ = ("_holders", "_waiting", "limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        #: Bytes and the tick since when, by connection; who began first stands first.
        self._holders: dict[Holder, list[int]] = {}
        self._waiting: dict[Holder, tuple[int, Callable[[], None]]] = {}

    def hold(self, holder: Holder, bytes_more: int, ticks: int) -> None:
        """Count memory that was taken. Small amounts are taken without asking."""
        self.used += bytes_more
        held = self._holders.get(holder)
        if held is None:
            self._holders[holder] = [bytes_more, ticks]
        else:
            held[0] += bytes_more

    def may_hold(self, holder: Holder, bytes_more: int) -> bool:
        """Tell whether a connection may take so much more now."""
        return self.used + bytes_more <= self.limit or next(iter(self._holders), holder) is holder

    def is_exhausted(self) -> bool:
        """Tell whether so much is held that nobody new may keep even what was read already."""
        return self.used > EXHAUSTED * self.limit

    def wait(self, holder: Holder, bytes_more: int, go_on: Callable[[], None]) -> None:
        """Call `go_on` once so much may be held; first come, first served."""
        self._waiting[holder] = (bytes_more, go_on)

    def release(self, holder: Holder, bytes_less: int | None = None) -> None:
        """Count memory that was given back, all of the connection's by default, and let those go on who waited."""
        held = self._holders.get(holder)
        if held is None:
            self._waiting.pop(holder, None)
            return
        if bytes_less is None or bytes_less >= held[0]:
            self.used -= held[0]
            del self._holders[holder]
            self._waiting.pop(holder, None)
        else:
            self.used -= bytes_less
            held[0] -= bytes_less
        if self._waiting:
            self._wake()

    def move(self, holder: Holder, other: RequestMemory, ticks: int) -> None:
        """Have another count what a connection holds."""
        held = self._holders.get(holder)
        self.release(holder)
        if held is not None:
            other.hold(holder, held[0], ticks)

    def _wake(self) -> None:
        for holder, (bytes_more, go_on) in tuple(self._waiting.items()):
            if holder in self._waiting and self.may_hold(holder, bytes_more):
                del self._waiting[holder]
                go_on()

    def relieve(self, ticks: int, deadline_ticks: float) -> None:
        """While somebody waits, close who has held memory for longer than the deadline, until nobody waits."""
        for holder, (_, since) in tuple(self._holders.items()):
            if not self._waiting or ticks - since <= deadline_ticks:
                return
            if holder in self._holders:
                holder.abort_for(f"it held memory for {deadline_ticks:.0f} s while other requests waited for some")


class UnreadMemory:
    """What the connections of a broker hold of answers that their clients do not read."""

    __slots__ = ("_holders", "_leaving", "limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._holders: dict[Holder, int] = {}
        #: Connections that were told to end: what they hold is given back a moment later.
        self._leaving: dict[Holder, int] = {}

    def hold(self, holder: Holder, unread_bytes: int) -> None:
        """Count what a connection that stopped reading has yet to read; the longest such gives way beyond the limit."""
        self.release(holder)
        self._holders[holder] = unread_bytes
        self.used += unread_bytes
        while self.used > self.limit:
            longest = next(iter(self._holders))
            self._leaving[longest] = self._holders.pop(longest)
            self.used -= self._leaving[longest]
            longest.abort_for("it does not read its answers, and others neither")

    def room(self) -> int:
        """How large an answer may be without driving anybody out."""
        return max(0, self.limit - self.used - sum(self._leaving.values()))

    def release(self, holder: Holder) -> None:
        """The connection reads again, or is gone."""
        self.used -= self._holders.pop(holder, 0)
        self._leaving.pop(holder, None)
