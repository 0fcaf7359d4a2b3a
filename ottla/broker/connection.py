"""Connections: bytes in, frames out to their handlers, answers back in order.

All connections of a listener receive into one shared buffer, because a frame is handled completely before the loop
reads the next connection. Only a frame that has not arrived whole gets a buffer of its own, which grows with the bytes
that really came, never with those that were claimed. Record bytes stay where the socket put them: handlers see a
`memoryview` of the frame and must not keep it beyond their first `await`.

    socket ──recv──► shared buffer ──whole frames──► _start ──► handler ──► answers, in order ──► one write
                          └──a part──► own buffer ──complete──┘

Kafka handles the requests of one connection one after the other, and clients count on it; so do we, but for handlers
marked `pipelined`. Requests that must wait for an earlier one are copied into a backlog, and when that is long the
connection is not read any more. A client that does not read its answers is not served any more until it does.

Limits (`connection_limits`): frame size, connections in all and per address, a deadline for a frame that has begun, idle
time. Beyond them the connection is closed, which is what Kafka does with bytes it cannot take. At the limits of the
backlog, of its share of the loop and of memory (`request_memory`) it is not read until there is room again.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections import deque
from collections.abc import Callable
from time import monotonic
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from ..protocol.errors import RemoteProtocolError
from ..protocol.framing import API_VERSIONS_KEY, read_request_header
from ..security.principal import ANONYMOUS, Principal
from .connection_limits import (
    BACKLOG_BYTES_MAX,
    BACKLOG_MAX,
    CLOSE_DEADLINE_S,
    FRAME_DEADLINE_S,
    PARTIAL_BUFFER_GROWTH,
    PARTIAL_BUFFER_SIZE,
    PARTIAL_BUFFER_STEP,
    SWEEP_INTERVAL_S,
    TURN_S,
    UNREAD_DEADLINE_S,
    UNSENT_BUFFER_MAX,
    WRITE_BUFFER_MAX,
)
from .dispatch import Context, PendingAnswer, Route, failure_response
from .dispatch import answer as run_handler
from .handlers.api_versions import unsupported_version
from .other_protocols import hint
from .purgatory import Deferred
from .sending import frame_answer, send

if TYPE_CHECKING:
    from .listener import Listener

log = logging.getLogger("ottla.broker.connection")

_SIZE = struct.Struct(">i")
_HEADER = struct.Struct(">hhih")
#: What a handler returns when its answer is not there yet.
_LATER = (Deferred, CoroutineType)


class Connection(asyncio.BufferedProtocol):
    """One client. All methods run on the loop."""

    __slots__ = (
        "_answers", "_backlog", "_backlog_bytes", "_blocked", "_client_id", "_client_id_bytes", "_closing", "_deadline", "_descriptor",
        "_draining", "_encoded", "_expected", "_filled", "_frame_started", "_listener", "_muted", "_out", "_partial", "_reading",
        "_serial", "_serial_bytes", "_stalled", "_transport", "_unread_bytes", "_unread_since", "_yielded", "broker",
        "last_active", "listener_name", "number", "on_close", "peer_host", "peer_port", "principal", "software",
    )  # fmt: skip

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.broker = listener.broker
        self.listener_name = listener.name
        self.peer_host, self.peer_port, self.number = "?", 0, next(listener.numbers)
        #: Name and version of the client's library, as it tells (ApiVersions v3+).
        self.software: tuple[str, str] | None = None
        self.principal: Principal = ANONYMOUS
        #: Called when the connection ends: waiting fetches.
        self.on_close: set[Callable[[], None]] = set()
        self._transport: Any = None
        self._closing, self.last_active = False, listener.ticks
        self._partial: bytearray | None = None
        self._filled = self._expected = self._frame_started = 0
        #: The partial frame may not grow: for want of memory, or because earlier requests are not done.
        self._stalled = False
        #: False while the transport is told not to read.
        self._reading = True
        #: The loop time at which other connections have their turn; whether that came.
        self._deadline, self._descriptor = 0.0, -1
        self._yielded = self._draining = False
        #: Requests started but not sent, in order.
        self._answers: deque[PendingAnswer] = deque()
        self._backlog: deque[Any] = deque()
        self._backlog_bytes = self._serial_bytes = 0
        #: An unanswered request that later ones must not overtake.
        self._serial: PendingAnswer | None = None
        #: The client does not read; nothing is started for it.
        self._blocked = False
        #: How many throttles hold (`mute`).
        self._muted = 0
        #: When it was last seen to read, and how much it had not read then.
        self._unread_since = self._unread_bytes = 0
        self._out: list[Any] = []
        #: Bytes of answers that are made but not given to the transport: in `_out`, or behind an answer that is not there.
        self._encoded = 0
        self._client_id: str | None = None
        self._client_id_bytes: bytes | None = None

    # ── asyncio calls these ─────────────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self.peer_host, self.peer_port = peer[:2] if peer else ("unix", 0)
        if not self._listener.admit(self):
            self._closing = True
            transport.abort()
            return
        transport.set_write_buffer_limits(high=UNSENT_BUFFER_MAX)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._descriptor = sock.fileno()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._closing = True
        self._listener.forget(self)
        self._answers.clear()
        self._give_up_memory()
        self.broker.unread_memory.release(self)
        for callback in tuple(self.on_close):
            callback()

    def pause_writing(self) -> None:
        self._blocked = True
        self._unread_since = self._listener.ticks
        self._unread_bytes = self._transport.get_write_buffer_size()
        self.broker.unread_memory.hold(self, self._unread_bytes)

    def resume_writing(self) -> None:
        self._blocked = False
        self.broker.unread_memory.release(self)
        self._drain_backlog()

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

    # ── frames ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _take_frames(self, buffer: Any, end: int) -> None:
        """Start every whole frame of the shared buffer; keep the rest as the beginning of a partial one."""
        pos = 0
        largest = self._listener.request_bytes_max
        while end - pos >= 4:
            (size,) = _SIZE.unpack_from(buffer, pos)
            if not 0 < size <= largest:
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
        memory = self.broker.request_memory
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
            if not 0 < size <= self._listener.request_bytes_max:
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
        memory = self.broker.request_memory
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
        self.broker.request_memory.release(self)

    def _refuse_frame(self, size: int, start: bytes) -> None:
        """Close a connection whose bytes cannot be a request."""
        limit = self._listener.request_bytes_max
        self._refuse(f"a request of {size} bytes was announced; the limit is {limit}{hint(start)}")

    def _refuse(self, reason: str) -> None:
        self.broker.metrics.invalid_requests += 1
        self._listener.log_closing(self.peer_host, reason)
        self.close()

    def close(self) -> None:
        """Send what is ready and end the connection."""
        if not self._closing:
            self._closing = True
            self._flush()
            self._unread_since = self._listener.ticks
            if self._transport is not None:
                self._transport.close()

    def abort(self) -> None:
        """End the connection at once; what is not sent is lost."""
        self._closing = True
        if self._transport is not None:
            self._transport.abort()

    def abort_for(self, reason: str) -> None:
        """End the connection at once, say why, and give back the memory it holds."""
        self._listener.log_closing(self.peer_host, reason)
        self.abort()
        self._give_up_memory()

    # ── requests ────────────────────────────────────────────────────────────────────────────────────────────────

    def _frame(self, frame: Any) -> None:
        """Start a request, or keep it until its turn."""
        if self._is_busy() or monotonic() > self._deadline:
            if self.broker.request_memory.is_exhausted():
                self.abort_for("there is no memory for its request")
            else:
                self.broker.request_memory.hold(self, len(frame), self._listener.ticks)
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
            self.broker.request_memory.release(self, size)
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

    def _start(self, frame: Any) -> None:
        """Decode one request and hand it to its handler."""
        listener = self._listener
        intercepted = listener.dispatcher.intercept is not None
        if intercepted:
            frame = memoryview(bytearray(frame))  # the request outlives this call
        try:
            key, version, correlation_id, length = _HEADER.unpack_from(frame)
            route = listener.route(key, version)
            if route is None:
                self._unknown_version(frame)
                return
            if self.broker.throttling.active:
                route = self.broker.throttling.metered(route, len(frame))
            pos = 10 + length
            if route.short is not None and not intercepted and self._shortened(route, frame, pos, correlation_id):
                return
            if frame[10:pos] != self._client_id_bytes or length < 0 or (route.request_flexible and frame[pos]):
                pos = self._read_header(frame)
            elif route.request_flexible:
                pos += 1
            request, _ = route.decode(frame, pos)
        except (RemoteProtocolError, IndexError, struct.error) as problem:
            self._refuse(f"the request cannot be read: {problem}")
            return
        listener.metrics.requests_by_key[key] += 1
        context = Context(self.broker, self, version, self._client_id)
        if intercepted:
            answer = PendingAnswer(correlation_id, route)
            answer.pipelined = False  # whoever holds a request back holds its successors back
            self._defer(answer, self._intercepted(context, route, request))
            return
        try:
            result = route.function(context, request)
        except Exception as problem:  # noqa: BLE001 - answered, counted and logged there
            self._answer_exception(PendingAnswer(correlation_id, route), problem)
            return
        if result is not None:
            self._answer(route, correlation_id, result)

    def _shortened(self, route: Route, frame: Any, pos: int, correlation_id: int) -> bool:
        """Have a request answered without decoding it, if it is one for the route's shortcut."""
        assert route.short is not None
        try:
            result = route.short(self, frame, pos, route.version, correlation_id)
        except Exception as problem:  # noqa: BLE001 - answered, counted and logged there
            self._answer_exception(PendingAnswer(correlation_id, route), problem)
            return True
        if result is None:
            return False
        self._listener.metrics.requests_by_key[route.entry.key] += 1
        self._answer(route, correlation_id, result)
        return True

    def _answer(self, route: Route, correlation_id: int, result: Any) -> None:
        """Send what a handler returned, or keep its place until it is there."""
        if type(result) in _LATER:
            self._defer(PendingAnswer(correlation_id, route), result)
        elif self._answers:
            answer = PendingAnswer(correlation_id, route)
            self._answers.append(answer)
            answer.parts = self._encode(route, correlation_id, result)
        else:
            self._out += self._encode(route, correlation_id, result)
            if self._encoded > WRITE_BUFFER_MAX:
                self._flush()

    def _read_header(self, frame: Any) -> int:
        _, _, _, client_id, pos = read_request_header(frame)
        self._client_id = client_id
        self._client_id_bytes = None if client_id is None else client_id.encode()
        return pos

    def _unknown_version(self, frame: Any) -> None:
        """Answer ApiVersions in v0 (KIP-511); close for any other API, as Kafka does."""
        key, version, correlation_id, _ = _HEADER.unpack_from(frame)
        if key != API_VERSIONS_KEY:
            self._refuse(f"API key {key} version {version} is not served here")
            return
        route = self._listener.route(API_VERSIONS_KEY, 0)
        assert route is not None
        self._answer(route, correlation_id, unsupported_version(self.broker))

    async def _intercepted(self, context: Context, route: Route, request: Any) -> Any:
        intercept = self._listener.dispatcher.intercept
        if intercept is not None:
            response = await intercept(context, request)
            if response is not None:
                return response
        return await run_handler(route, context, request)

    # ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _defer(self, answer: PendingAnswer, result: Any) -> None:
        """Keep the place of an answer that comes later."""
        self._answers.append(answer)
        if not answer.pipelined or (type(result) is Deferred and result.serial and not result.done):
            self._serial = answer
        if type(result) is Deferred:
            result.on_result(lambda value: self._on_result(answer, value))
            return
        task = asyncio.ensure_future(result)
        self._listener.tasks.add(task)
        task.add_done_callback(lambda done: self._on_task(answer, done))

    def _on_task(self, answer: PendingAnswer, task: asyncio.Future[Any]) -> None:
        self._listener.tasks.discard(task)
        if task.cancelled():
            self.abort()
            return
        problem = task.exception()
        self._on_result(answer, problem if problem is not None else task.result())

    def _on_result(self, answer: PendingAnswer, result: Any) -> None:
        if self._closing:
            return
        if isinstance(result, Exception):
            self._answer_exception(answer, result)
        elif result is None:
            answer.parts = []
        else:
            answer.parts = self._encode(answer.route, answer.correlation_id, result)
        if self._serial is answer:
            self._serial = None
            if self._serial_bytes:
                self.broker.request_memory.release(self, self._serial_bytes)
                self._serial_bytes = 0
        self._send_ready()
        if self._backlog or self._stalled:
            self._drain_backlog()

    def _answer_exception(self, answer: PendingAnswer, problem: Exception) -> None:
        """Turn an exception of a handler into the error of the whole request; close where there is no such thing."""
        response = failure_response(answer.route, problem, self.broker.metrics)
        if response is None:
            self.close()
            return
        if answer not in self._answers:
            self._answers.append(answer)
        answer.parts = self._encode(answer.route, answer.correlation_id, response)
        self._send_ready()

    def _encode(self, route: Route, correlation_id: int, response: Any) -> list[Any]:
        """Encode and frame an answer.

        One that its version cannot say is our bug, and a closed connection beats a client that waits for ever.
        """
        if type(response) is bytes:  # a shortcut has done it
            self._encoded += len(response)
            return [response]
        try:
            parts = route.encode(response)
        except Exception as problem:
            self.broker.metrics.uncaught_exceptions += 1
            log.error("%s v%d cannot be answered", route.entry.name, route.version, exc_info=problem)
            self.abort()
            return []
        framed, size = frame_answer(parts, correlation_id, route.response_flexible)
        self._encoded += size
        return framed

    def _send_ready(self) -> None:
        """Queue the answers that are next in order, then send."""
        answers = self._answers
        while answers and (parts := answers[0].parts) is not None:
            answers.popleft()
            self._out += parts
        self._flush()

    def _flush(self) -> None:
        out = self._out
        if not out or self._transport is None:
            return
        self._out = []
        size = len(out[0]) if len(out) == 1 else sum(map(len, out))
        self._encoded -= size
        self._listener.metrics.bytes_out += size
        send(self._transport, self._descriptor, out, size)

    # ── deadlines ───────────────────────────────────────────────────────────────────────────────────────────────

    def sweep(self, ticks: int) -> None:
        """Close the connection if it is too slow or idle. Called each `SWEEP_INTERVAL_S`; `ticks` counts them.

        Idle is also who waits for an answer for that long: so it is with Kafka, whose own clients give up before.
        """
        too_slow = ticks - FRAME_DEADLINE_S / SWEEP_INTERVAL_S
        if self._closing:
            if ticks - self._unread_since > CLOSE_DEADLINE_S / SWEEP_INTERVAL_S:
                self.abort()
        elif self._partial is not None and self._reading and self._frame_started < too_slow:
            self._refuse(f"a request of {self._expected} bytes did not arrive within {FRAME_DEADLINE_S:.0f} s")
        elif self._blocked and not self._is_read(ticks):
            self.abort_for("it does not read its answers")
        elif not self._muted and ticks - self.last_active > self._listener.idle_ticks_max:
            self.close()

    def _is_read(self, ticks: int) -> bool:
        """Whether the client took some of what was sent within the deadline, however slowly."""
        unread = self._transport.get_write_buffer_size()
        if unread < self._unread_bytes:
            self._unread_since = ticks
        self._unread_bytes = unread
        return ticks - self._unread_since <= UNREAD_DEADLINE_S / SWEEP_INTERVAL_S
