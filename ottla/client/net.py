"""One connection to one broker: requests out, answers in, pipelined.

    send(request) ──► encode ──► socket             many requests may be on the way; a broker answers in their order
    future ◄── decode ◄── frame ◄── buffer          and each answer must carry the number of the oldest one

Frames arrive in a small buffer of the connection; one that is larger gets a buffer of its own, which grows with the bytes
that really came, never with those that were claimed. Decoded answers refer to no memory of the connection: what carries
record batches (Fetch) keeps its own frame.

A connection is used up by the first thing that goes wrong (a time-out, bytes that are no answer, an answer out of turn):
what stands in the pipeline can then no longer be told apart. Every request that waits gets the reason.
`connecting` makes connections and says in which stage it failed.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from ..protocol import codec
from ..protocol.apis import API_KEYS, response_class
from ..protocol.errors import ErrorCode, ProtocolError
from ..protocol.framing import API_VERSIONS_KEY, frame_request, response_header_version
from ..protocol.schema import Request
from .errors import BadResponseError, ClientError, ClientTimeoutError, ConnectionLostError, UnsupportedError
from .memory import Pool

if TYPE_CHECKING:
    from .telemetry.windows import Window

_SIZE = struct.Struct(">i")
_SIZE_AND_ID = struct.Struct(">ii")
READ_BUFFER_BYTES = 64 << 10
#: A frame beyond the read buffer starts with this much memory and grows as it fills. A little more than
#: max.partition.fetch.bytes: an ordinary Fetch answer is one allocation of its own size.
LARGE_FRAME_START_BYTES = (4 << 20) + (64 << 10)
#: Answers that refer to their frame after they were decoded: those with record batches.
_KEEPS_FRAME = frozenset({1, 78})
_CORRELATION_IDS = 1 << 31
_UNSUPPORTED = ErrorCode.UNSUPPORTED_VERSION.to_bytes(2, "big")

#: What a pending request does with (answer, None) or (None, error).
OnAnswer = Callable[[Any, "ClientError | None"], None]


class Address(NamedTuple):
    """Where a broker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class _Pending(NamedTuple):
    correlation_id: int
    key: int
    version: int
    began: float
    deadline: float
    on_answer: OnAnswer


class Connection(asyncio.BufferedProtocol):
    """Made by `connecting.connect`. All methods run on the loop."""

    def __init__(self, address: Address, node_id: int, client_id: str | None, answer_bytes_max: int) -> None:
        self.address = address
        self.node_id = node_id
        self.client_id = client_id
        #: API key -> (lowest, highest) version that the broker speaks; empty until it was asked.
        self.versions: dict[int, tuple[int, int]] = {}
        #: Finalized features of the cluster: name -> level (`transaction.version`).
        self.features: dict[str, int] = {}
        #: Called once when the connection ends.
        self.on_lost: Callable[[Connection, ClientError], None] | None = None
        #: Where the memory of large answers comes from, for a connection that gets many.
        self.pool: Pool | None = None
        #: When the loop last saw it used, and when the broker wants to be shown credentials again (loop time).
        self.last_used = 0.0
        self.retire_at = float("inf")
        self.bytes_out = self.bytes_in = self.requests = 0
        #: Times from request to answer, for telemetry.
        self.latency_ms: Window | None = None
        self._loop = asyncio.get_running_loop()
        self._answer_bytes_max = answer_bytes_max
        self._transport: Any = None
        self._lost: ClientError | None = None
        self._closing = False
        self._pending: deque[_Pending] = deque()
        self._correlation_id = 0
        self._timer: asyncio.TimerHandle | None = None
        self._buffer = bytearray(READ_BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._filled = 0
        self._large: bytearray | None = None
        self._expected = 0
        self._writable: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        return f"<Connection to broker {self.name}{' lost' if self._lost else ''}>"

    @property
    def name(self) -> str:
        """How errors call the broker."""
        return f"{self.node_id} ({self.address})" if self.node_id >= 0 else str(self.address)

    @property
    def is_open(self) -> bool:
        return self._lost is None and self._transport is not None

    @property
    def is_writable(self) -> bool:
        """Whether the socket takes more at the moment."""
        return self._writable is None or self._writable.done()

    @property
    def in_flight(self) -> int:
        """Requests that are not answered."""
        return len(self._pending)

    # ── versions ────────────────────────────────────────────────────────────────────────────────────────────────

    def version(self, kind: type[Request], low: int = 0, high: int = 32767) -> int:
        """The highest version of an API that both sides know, within the caller's own bounds; `UnsupportedError`."""
        ours = kind.VERSIONS
        theirs = self.versions.get(kind.API_KEY)
        api = API_KEYS[kind.API_KEY].name
        if theirs is None:
            raise UnsupportedError("the broker does not have this API", api=api, broker=self.name)
        highest = ours.high - (1 if kind.LATEST_VERSION_UNSTABLE else 0)
        version = min(highest, theirs[1], high)
        if version < max(ours.low, theirs[0], low):
            raise UnsupportedError(
                f"the broker speaks versions {theirs[0]}-{theirs[1]}, needed is one of {max(ours.low, low)}-{min(highest, high)}",
                api=api,
                broker=self.name,
            )
        return version

    # ── requests ────────────────────────────────────────────────────────────────────────────────────────────────

    def send(self, request: Request, version: int, timeout_s: float) -> asyncio.Future[Any]:
        """Send a request; the future is its answer, or the `ClientError` that came instead."""
        future: asyncio.Future[Any] = self._loop.create_future()

        def on_answer(answer: Any, error: ClientError | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(answer)
            else:
                future.set_exception(error)

        self.start(request, version, timeout_s, on_answer)
        return future

    def start(self, request: Request, version: int, timeout_s: float, on_answer: OnAnswer | None) -> int:
        """Send a request and have the answer handed to a function; None where none will come. Bytes sent."""
        if self._lost is not None or self._transport is None:
            raise self._lost or ConnectionLostError("the connection is not open", broker=self.name)
        key = request.API_KEY
        parts = codec.encoder(type(request), version)(request)
        self._correlation_id = (self._correlation_id + 1) % _CORRELATION_IDS
        frame = frame_request(key, version, self._correlation_id, self.client_id, parts)
        now = self.last_used = self._loop.time()
        if on_answer is not None:
            deadline = now + timeout_s
            self._pending.append(_Pending(self._correlation_id, key, version, now, deadline, on_answer))
            if self._timer is None or deadline < self._timer.when():
                self._set_timer(deadline)
        size = sum(map(len, frame))
        self.requests += 1
        self.bytes_out += size
        self._transport.writelines(frame)
        return size

    async def drain(self) -> None:
        """Wait until the socket takes more; a request of acks=0 has no answer to wait for."""
        if self._writable is not None:
            await asyncio.shield(self._writable)

    def _set_timer(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._check_deadlines)

    def _check_deadlines(self) -> None:
        self._timer = None
        if not self._pending:
            return
        now = self._loop.time()
        first = min(pending.deadline for pending in self._pending)
        if first > now:
            self._set_timer(first)
            return
        late = next(pending for pending in self._pending if pending.deadline <= now)
        self.abort(
            ClientTimeoutError(
                "no answer in time",
                api=API_KEYS[late.key].name,
                broker=self.name,
                hint="request.timeout.ms is how long it may take",
            )
        )

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────

    def abort(self, reason: ClientError) -> None:
        """End the connection; everything that waits gets the reason."""
        if self._lost is not None:
            return
        self._lost = reason
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()
        pending, self._pending = self._pending, deque()
        for waiting in pending:
            waiting.on_answer(None, self._as_cause(reason, waiting.key))
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        if self.on_lost is not None:
            on_lost, self.on_lost = self.on_lost, None
            on_lost(self, reason)

    def _as_cause(self, reason: ClientError, key: int) -> ClientError:
        """The error for one waiting request: its own API, the common cause."""
        api = API_KEYS[key].name
        if isinstance(reason, ClientTimeoutError) and reason.api == api:
            return reason
        error = ConnectionLostError(
            f"the connection ended before the answer came: {reason.message}", api=api, broker=self.name
        )
        error.__cause__ = reason
        return error

    def close(self) -> None:
        """End it in order, because it is not needed any more."""
        self.abort(ConnectionLostError("the client closed the connection", broker=self.name, retriable=True))

    def close_when_idle(self) -> None:
        """End it as soon as nothing is on the way any more."""
        self._closing = True
        if not self._pending:
            self.close()

    # ── asyncio calls these ─────────────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self.last_used = self._loop.time()

    def connection_lost(self, exc: BaseException | None) -> None:
        why = f"the broker closed the connection{f' ({exc})' if exc else ''}"
        self.abort(ConnectionLostError(why, broker=self.name))

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        if self._writable is None or self._writable.done():
            self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def get_buffer(self, sizehint: int) -> Any:
        if self._large is None:
            return self._view[self._filled :]
        return memoryview(self._large)[self._filled : self._expected]

    def buffer_updated(self, nbytes: int) -> None:
        self.bytes_in += nbytes
        if self._lost is not None:
            return
        self._filled += nbytes
        if self._large is None:
            self._take_small()
        elif self._filled == self._expected:
            frame, self._large, self._filled = self._large, None, 0
            self._take(memoryview(frame)[4 : self._expected], True)
        elif self._filled == len(self._large):
            grown = self._memory(min(self._expected, 2 * self._filled))
            grown[: self._filled] = self._large
            self._large = grown

    def _memory(self, size: int) -> bytearray:
        return bytearray(size) if self.pool is None else self.pool.take(size)

    def _take_small(self) -> None:
        """Hand over every whole frame of the read buffer, and find a place for the rest."""
        position, end, view = 0, self._filled, self._view
        while end - position >= 4:
            (size,) = _SIZE.unpack_from(view, position)
            if not 4 <= size <= self._answer_bytes_max:
                self._refuse(
                    f"an answer of {size} bytes was announced; receive.message.max.bytes is {self._answer_bytes_max}",
                    "is this a Kafka broker, and the right security.protocol?",
                )
                return
            stop = position + 4 + size
            if stop > end:
                if 4 + size > READ_BUFFER_BYTES:
                    have = end - position
                    self._large = self._memory(min(4 + size, max(LARGE_FRAME_START_BYTES, 2 * have)))
                    self._large[:have] = view[position:end]
                    self._filled, self._expected = have, 4 + size
                    return
                break
            self._take(view[position + 4 : stop], False)
            if self._lost is not None:
                return
            position = stop
        left = end - position
        if position and left:
            view[:left] = bytes(view[position:end])
        self._filled = left

    def _take(self, frame: memoryview, owned: bool) -> None:
        """Give an answer to the request that has waited longest."""
        (correlation_id,) = _SIZE.unpack_from(frame)
        if not self._pending or self._pending[0].correlation_id != correlation_id:
            wanted = f"that to request {self._pending[0].correlation_id}" if self._pending else "none"
            self._refuse(f"an answer to request {correlation_id} came, awaited was {wanted}", None)
            return
        _, key, version, began, _, on_answer = self._pending[0]
        if not owned and key in _KEEPS_FRAME:
            frame = memoryview(bytes(frame))
        if key == API_VERSIONS_KEY and frame[4:6] == _UNSUPPORTED:
            version = 0  # whatever was asked, so that it can be read (KIP-511)
        try:
            answer, _ = codec.decoder(response_class(key), version)(frame, 4 + response_header_version(key, version))
        except ProtocolError as problem:
            self._refuse(f"the answer to {API_KEYS[key].name} cannot be read: {problem}", None)
            return
        self._pending.popleft()
        self.last_used = self._loop.time()
        if self.latency_ms is not None:
            self.latency_ms.add((self.last_used - began) * 1000)
        on_answer(answer, None)
        if self._closing and not self._pending:
            self.close()

    def _refuse(self, what: str, hint: str | None) -> None:
        self.abort(BadResponseError(what, broker=self.name, hint=hint))
