"""The receiving half of a connection: whole frames out of any pieces, a backlog of those that must wait, room for both.

All connections of a listener receive into one shared buffer, because a frame is handled completely before the loop
reads the next connection. Only a frame that has not arrived whole gets a buffer of its own, which grows with the bytes
that really came, never with those that were claimed.

    socket ──recv──► shared buffer ──whole frames──► _start  (busy: a copy into the backlog ──► _drain_backlog ──► _start)
                          └──a part──► own buffer ──complete──┘

Reading stops while there is no room: for the backlog, for a partial frame, or while the client is throttled.
"""

from __future__ import annotations

import asyncio
import struct
from time import monotonic
from typing import TYPE_CHECKING, Any

from .answering import Answering
from .connection_limits import (
    BACKLOG_BYTES_MAX,
    BACKLOG_MAX,
    PARTIAL_BUFFER_GROWTH,
    PARTIAL_BUFFER_SIZE,
    PARTIAL_BUFFER_STEP,
    TURN_S,
    WRITE_BUFFER_MAX,
)
from .other_protocols import hint

if TYPE_CHECKING:
    from .listener import Listener

_SIZE = struct.Struct(">i")


class Receiving(Answering):
    """The requests of one connection, as bytes. `connection.Connection` says what they mean."""

    __slots__ = (
        "_backlog_bytes", "_blocked", "_deadline", "_draining", "_expected", "_filled", "_frame_started", "_muted", "_partial",
        "_reading", "_yielded", "frame_bytes_max", "frame_bytes_min", "last_active",
    )  # fmt: skip

    def __init__(self, listener: Listener) -> None:
        super().__init__(listener)
        #: The smallest and the largest frame it may send now. No request is empty, a bare token of GSSAPI can be.
        self.frame_bytes_min, self.frame_bytes_max = 1, listener.request_bytes_max
        self.last_active = listener.ticks
        #: A frame of which a part is there. It may not grow while `_stalled`: for want of memory, or because earlier
        #: requests are not done.
        self._partial: bytearray | None = None
        self._filled = self._expected = self._frame_started = 0
        #: False while the transport is told not to read.
        self._reading = True
        #: The loop time at which other connections have their turn; whether that came.
        self._deadline = 0.0
        self._yielded = self._draining = False
        self._backlog_bytes = 0
        #: The client does not read; nothing is started for it.
        self._blocked = False
        #: How many throttles hold (`mute`).
        self._muted = 0

    def _start(self, frame: Any) -> None:
        """Handle one request (`Connection`)."""

    def get_buffer(self, sizehint: int) -> Any:
        partial = self._partial
        if partial is None or self._closing:
            return self._listener.shared
        return memoryview(partial)[self._filled : min(len(partial), self._expected)]

    def buffer_updated(self, nbytes: int) -> None:
        listener = self._listener
        self.last_active = listener.ticks
        listener.metrics.bytes_in += nbytes
        begun = self.broker.throttling.begin() if self.broker.throttling.active else 0.0
        if self._closing:
            return
        if self._partial is None:
            self._take_frames(listener.shared, nbytes)
        else:
            self._filled += nbytes
            if self._filled == self._expected or self._filled == len(self._partial):
                self._grow_or_take()
        if self._out:
            self._flush()
        if begun:
            self.broker.throttling.end(begun)

    # ── frames ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _take_frames(self, buffer: Any, end: int) -> None:
        """Start every whole frame of the shared buffer; keep the rest as the beginning of a partial one."""
        pos = 0
        largest = self.frame_bytes_max
        while end - pos >= 4:
            (size,) = _SIZE.unpack_from(buffer, pos)
            if not self.frame_bytes_min <= size <= largest:
                self._refuse_frame(size, bytes(buffer[pos : min(end, pos + 8)]))
                return
            stop = pos + 4 + size
            if stop > end:
                break
            if not pos and stop < end:
                self._deadline = monotonic() + TURN_S  # what follows the first frame has this long
            if not pos and not self._is_busy():
                self._start(buffer[4:stop])
            else:
                self._frame(buffer[pos + 4 : stop])
            if self._closing:
                return
            pos = stop
        if pos < end:
            self._begin_partial(buffer[pos:end])

    def _begin_partial(self, begun: Any) -> None:
        filled = len(begun)
        expected = 4 + _SIZE.unpack_from(begun)[0] if filled >= 4 else 4
        size = min(max(expected, 64), max(PARTIAL_BUFFER_SIZE, 2 * filled))
        memory = self.memory
        if filled > PARTIAL_BUFFER_SIZE and not memory.may_hold(self, size):
            size = filled
            if memory.is_exhausted():
                self.abort_for("there is no memory for its request")
                return
        partial = self._listener.spare.take(expected)
        if partial is None:
            partial = bytearray(size)
        size = len(partial)
        partial[:filled] = begun
        self._partial, self._filled, self._expected = partial, filled, expected
        self._frame_started = self._listener.ticks
        memory.hold(self, size, self._frame_started)
        if filled == size < expected:
            self._grow()

    def _grow_or_take(self) -> None:
        """The partial buffer is full: learn the size, grow, or start the frame if it is whole."""
        partial = self._partial
        assert partial is not None
        if self._expected == 4:
            (size,) = _SIZE.unpack_from(partial)
            if not self.frame_bytes_min <= size <= self.frame_bytes_max:
                self._refuse_frame(size, bytes(partial[:4]))
                return
            self._expected = 4 + size
        if self._filled < self._expected:
            if self._filled == len(partial):
                self._grow()
            return
        self._partial = None
        self._deadline = monotonic() + TURN_S
        frame = memoryview(partial)[4 : self._expected]
        if self._is_busy():
            self._keep(frame)
        else:
            self._start_and_release(frame)

    def _grow(self) -> None:
        """Take a larger buffer for the partial frame, or stop reading until that is possible."""
        partial = self._partial
        if partial is None or self._closing:
            return
        size = len(partial)
        wanted = min(self._expected, size * (PARTIAL_BUFFER_GROWTH if size < PARTIAL_BUFFER_STEP else 2))
        memory = self.memory
        if wanted > BACKLOG_BYTES_MAX and self._is_busy():
            self._stalled = True  # `_drain_backlog` comes back to it
        elif not memory.may_hold(self, wanted - size):
            self._stalled = True
            memory.wait(self, wanted - size, self._grow)
        else:
            if self._stalled:
                self._stalled = False
                self._frame_started = self._listener.ticks  # it was not the client who was slow
            memory.hold(self, wanted - size, self._listener.ticks)
            grown = bytearray(wanted)
            grown[:size] = partial
            self._partial = grown
        self._read_or_not()

    def _give_up_memory(self) -> None:
        """Let go of everything that was received and not worked on."""
        self._partial, self._backlog_bytes = None, 0
        self._backlog.clear()
        self.memory.release(self)

    def _refuse_frame(self, size: int, start: bytes) -> None:
        """Close a connection whose bytes cannot be a request."""
        limit = self.frame_bytes_max
        self.refuse(f"a request of {size} bytes was announced; the limit is {limit}{hint(start)}")

    # ── the backlog ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _frame(self, frame: Any) -> None:
        """Start a request, or keep it until its turn."""
        if self._is_busy() or monotonic() > self._deadline:
            if self.memory.is_exhausted():
                self.abort_for("there is no memory for its request")
            else:
                self.memory.hold(self, len(frame), self._listener.ticks)
                self._keep(memoryview(bytearray(frame)))
        else:
            self._start(frame)

    def _is_busy(self) -> bool:
        return bool(self._backlog) or not self._may_start()

    def _may_start(self) -> bool:
        """Whether nothing that was started keeps the next request from being started."""
        return self._serial is None and not self._blocked and not self._muted and self._encoded <= WRITE_BUFFER_MAX

    def _keep(self, frame: memoryview) -> None:
        """Put a request behind those that wait already. `frame` has memory of its own, counted by the caller."""
        self._backlog.append(frame)
        self._backlog_bytes += len(frame)
        self._read_or_not()
        if self._may_start():
            self._yield()

    def _start_and_release(self, frame: memoryview) -> None:
        """Start a request that has memory of its own. While it is not answered it may refer to that."""
        self._start(frame)
        buffer: Any = frame.obj
        size = len(buffer)
        if self._serial is None:
            self.memory.release(self, size)
            self._listener.spare.give(buffer)
        else:
            self._serial_bytes = size

    def _yield(self) -> None:
        """Go on with the backlog when other connections have had their turn."""
        if not self._yielded:
            self._yielded = True
            asyncio.get_running_loop().call_soon(self._take_turn)

    def _take_turn(self) -> None:
        self._yielded = False
        self._drain_backlog()

    def _drain_backlog(self) -> None:
        """Start what waited, as far as it may start now."""
        if self._draining:
            return  # a request that was answered at once asks for the next; the loop below takes that
        self._draining = True
        self._deadline = monotonic() + TURN_S
        while self._backlog and self._may_start() and not self._closing:
            frame = self._backlog.popleft()
            self._backlog_bytes -= len(frame)
            self._start_and_release(frame)
            if self._backlog and monotonic() > self._deadline:
                self._yield()
                break
        self._draining = False
        if self._out:
            self._flush()
        if self._stalled and not self._is_busy():
            self._grow()
        self._read_or_not()

    # ── reading or not ───────────────────────────────────────────────────────────────────────────────────────────────

    def _read_or_not(self) -> None:
        """Have the transport read, unless there is no room for what it would bring."""
        room = not (self._stalled or self._muted or len(self._backlog) >= BACKLOG_MAX)
        room = room and self._backlog_bytes < BACKLOG_BYTES_MAX
        if room != self._reading and not self._closing and not self._transport.is_closing():
            self._reading = room
            if room:
                self._frame_started = self._listener.ticks  # that the rest of a frame did not come was our doing
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def mute(self, seconds: float) -> None:
        """Read and start nothing for so long: the client has used up its quota (KIP-219)."""
        self._muted += 1
        self._read_or_not()
        asyncio.get_running_loop().call_later(seconds, self._unmute)

    def _unmute(self) -> None:
        self._muted -= 1
        self.last_active = self._listener.ticks
        self._drain_backlog()
