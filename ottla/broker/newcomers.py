"""Connections that have not shown who they are: in a TLS handshake, or before the end of SASL.

Anybody can open them, so that they have bounds of their own, for the whole broker:

    NEWCOMERS_MAX          so many; one more ends the one that has waited longest for its peer
    NEWCOMER_MEMORY_MAX    what they hold of frames and sent for handshakes, together
    HANDSHAKE_DEADLINE_S   for TLS, from the first byte the system accepted
    AUTHENTICATION_DEADLINE_S   for all of it, with TLS

An honest client is through within a few round trips, so that in a storm it is the slow and the silent who give way. Work
on handshakes is done a few ms at a time between two turns of the loop: asymmetric keys cost up to a millisecond each, and
clients that are in should not wait behind a thousand of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING

from .request_memory import RequestMemory

if TYPE_CHECKING:
    from .connection import Connection
    from .tls_connection import TlsConnection

#: A TLS handshake under way is some 40 KiB of OpenSSL.
NEWCOMERS_MAX = 1_000
#: Sixty-four of the largest frames before authentication.
NEWCOMER_MEMORY_MAX = 32 * 1024 * 1024
HANDSHAKE_DEADLINE_S = 10.0
#: With the sweep that comes each second, everything is gone within 30 s.
AUTHENTICATION_DEADLINE_S = 28.0
#: Handshakes are worked on for so long in one turn of the loop.
HANDSHAKE_TURN_S = 0.002
#: So many of the oldest are looked at for one that can give way; those behind them are younger.
_LOOKED_AT_MAX = 64


class Newcomers:
    """The connections of one broker that have not authenticated."""

    def __init__(self) -> None:
        self.memory = RequestMemory(NEWCOMER_MEMORY_MAX)
        #: Oldest first.
        self._connections: dict[Connection, None] = {}
        self._waiting: deque[TlsConnection] = deque()
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

    def handshake(self, connection: TlsConnection) -> None:
        """Have `connection.step` called when it is its turn."""
        self._waiting.append(connection)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._take_turn)

    def _take_turn(self) -> None:
        deadline = monotonic() + HANDSHAKE_TURN_S
        try:
            while self._waiting:
                self._waiting.popleft().step()
                if monotonic() > deadline:
                    break
        finally:  # whatever becomes of one, the others have their turn
            self._scheduled = bool(self._waiting)
            if self._scheduled:
                asyncio.get_running_loop().call_soon(self._take_turn)
