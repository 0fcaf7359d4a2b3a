"""Connections: one client, from its first byte to its last.

    receiving.Receiving    bytes in, whole frames, the backlog, when to read
    connection.Connection  what a frame asks: header, route, handler; deadlines; who the client is
    answering.Answering    answers in order, one write for many
    tls_connection         the same behind TLS

Kafka handles the requests of one connection one after the other, and clients count on it; so do we, but for handlers
marked `pipelined`. Requests that must wait for an earlier one are copied into a backlog, and when that is long the
connection is not read any more. A client that does not read its answers is not served any more until it does.
Record bytes stay where the socket put them: handlers see a `memoryview` of the frame and must not keep it beyond their
first `await`.

Limits (`connection_limits`): frame size, connections in all and per address, a deadline for a frame that has begun, idle
time. Beyond them the connection is closed, which is what Kafka does with bytes it cannot take. At the limits of the
backlog, of its share of the loop and of memory (`request_memory`) it is not read until there is room again.
"""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from ..protocol.errors import RemoteProtocolError
from ..protocol.framing import API_VERSIONS_KEY, read_request_header
from ..security.principal import ANONYMOUS, Principal
from .connection_limits import (
    CLOSE_DEADLINE_S,
    FRAME_DEADLINE_S,
    SWEEP_INTERVAL_S,
    UNREAD_DEADLINE_S,
    UNSENT_BUFFER_MAX,
)
from .dispatch import Context, PendingAnswer, Route
from .dispatch import answer as run_handler
from .handlers.api_versions import unsupported_version
from .newcomers import AUTHENTICATION_DEADLINE_S
from .receiving import Receiving

if TYPE_CHECKING:
    from .listener import Listener

log = logging.getLogger("ottla.broker.connection")

_HEADER = struct.Struct(">hhih")
_SIZE = struct.Struct(">i")
#: The config that says how large a frame may be before authentication is complete.
_UNAUTHENTICATED_FRAME = "sasl.server.max.receive.size"


class Authentication(Protocol):
    """What stands between a connection and its requests until the client has shown who it is."""

    def take(self, frame: Any) -> bool:
        """Look at a whole frame before anything of it is read; True if that was all there is to do with it.

        False lets it through as a request like any other. Who refuses it calls `Connection.refuse`.
        """


class Connection(Receiving):
    """One client. All methods run on the loop."""

    __slots__ = (
        "_client_id", "_client_id_bytes", "_new_since", "_unread_bytes", "authentication", "listener_name", "number", "on_close", "peer_port", "principal", "software",
    )  # fmt: skip

    def __init__(self, listener: Listener) -> None:
        super().__init__(listener)
        self.listener_name = listener.name
        self.peer_port, self.number = 0, next(listener.numbers)
        #: Name and version of the client's library, as it tells (ApiVersions v3+).
        self.software: tuple[str, str] | None = None
        self.principal: Principal = ANONYMOUS
        #: On a SASL listener, until the client has shown who it is; it sees each frame first.
        self.authentication: Authentication | None = None
        #: Called when the connection ends: waiting fetches.
        self.on_close: set[Callable[[], None]] = set()
        #: The tick since which it is one of `Newcomers`; -1 when it is none.
        self._new_since = -1
        #: How much it had not read when it was last seen to read.
        self._unread_bytes = 0
        self._client_id: str | None = None
        self._client_id_bytes: bytes | None = None

    # ── asyncio calls these ──────────────────────────────────────────────────────────────────────────────────────────

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
        self.opened()

    def opened(self) -> None:
        """The connection is there and counted in."""
        self.established()

    def established(self) -> None:
        """The client can be talked to: on a TLS listener after the handshake."""
        self.authentication = self._listener.authentication_of(self)
        if self.authentication is not None:
            self.frame_bytes_max = min(self.frame_bytes_max, self._listener.security.integer(_UNAUTHENTICATED_FRAME))
            if self.join_newcomers():
                self.memory = self.broker.newcomers.memory
            else:
                self.abort()

    def authenticated(self, principal: Principal) -> None:
        """The client has shown who it is: what it sends from now on are requests of this principal."""
        self.principal = principal
        self.authentication = None
        self.frame_bytes_min, self.frame_bytes_max = 1, self._listener.request_bytes_max
        if self.memory is not self.broker.request_memory:
            self.memory.move(self, self.broker.request_memory, self._listener.ticks)
            self.memory = self.broker.request_memory
        self.leave_newcomers()

    # ── until it is known who it is ─────────────────────────────────────────────────────────────────────────────

    @property
    def waits_for_peer(self) -> bool:
        """Whether the next step is the client's."""
        return self._serial is None

    def join_newcomers(self) -> bool:
        """Count it among those who have not authenticated; False if there is no place."""
        if self._new_since < 0:
            self._new_since = self._listener.ticks
            return self.broker.newcomers.admit(self)
        return True

    def leave_newcomers(self) -> None:
        """It has authenticated, or is gone."""
        if self._new_since >= 0:
            self._new_since = -1
            self.broker.newcomers.leave(self)

    # ── more that `authentication` does ─────────────────────────────────────────────────────────────────────────

    def answer(self, route: Route, correlation_id: int, result: Any) -> None:
        """Answer a request that `authentication` took."""
        self._answer(route, correlation_id, result)

    def send_token(self, token: bytes) -> None:
        """Send a SASL token behind its size alone, as Kafka did before SaslAuthenticate."""
        self._out += [_SIZE.pack(len(token)), token]
        self._encoded += 4 + len(token)
        self._flush()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._closing = True
        self._listener.forget(self)
        self.leave_newcomers()
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

    # ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _start(self, frame: Any) -> None:
        """Decode one request and hand it to its handler."""
        if self.authentication is not None and self.authentication.take(frame):
            return
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
            self.refuse(f"the request cannot be read: {problem}")
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

    def _read_header(self, frame: Any) -> int:
        _, _, _, client_id, pos = read_request_header(frame)
        self._client_id = client_id
        self._client_id_bytes = None if client_id is None else client_id.encode()
        return pos

    def _unknown_version(self, frame: Any) -> None:
        """Answer ApiVersions in v0 (KIP-511); close for any other API, as Kafka does."""
        key, version, correlation_id, _ = _HEADER.unpack_from(frame)
        if key != API_VERSIONS_KEY:
            self.refuse(f"API key {key} version {version} is not served here")
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

    # ── deadlines ────────────────────────────────────────────────────────────────────────────────────────────────────

    def sweep(self, ticks: int) -> None:
        """Close the connection if it is too slow or idle. Called each `SWEEP_INTERVAL_S`; `ticks` counts them.

        Idle is also who waits for an answer for that long: so it is with Kafka, whose own clients give up before.
        """
        too_slow = ticks - FRAME_DEADLINE_S / SWEEP_INTERVAL_S
        if self._muted and self._new_since >= 0:
            self._new_since = ticks  # it is we who keep it waiting
        if self._closing:
            if ticks - self._unread_since > CLOSE_DEADLINE_S / SWEEP_INTERVAL_S:
                self.abort()
        elif self._partial is not None and self._reading and self._frame_started < too_slow:
            self.refuse(f"a request of {self._expected} bytes did not arrive within {FRAME_DEADLINE_S:.0f} s")
        elif 0 <= self._new_since < ticks - AUTHENTICATION_DEADLINE_S / SWEEP_INTERVAL_S:
            self.refuse(f"it did not authenticate within {AUTHENTICATION_DEADLINE_S:.0f} s")
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
