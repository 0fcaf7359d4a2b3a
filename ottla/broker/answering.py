"""The sending half of a connection: answers in order, gathered into few writes, and the end of the connection.

    handler's result ─► _answer ──────────────► _out ─► _flush ─► sending.send
                           └─ later: _defer ─► _answers, a place in the order ─► _on_result ─► _send_ready ─┘

An answer that is there at once and has nobody before it goes straight to `_out`; any other keeps its place in `_answers`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from .connection_limits import WRITE_BUFFER_MAX
from .dispatch import PendingAnswer, Route, failure_response
from .purgatory import Deferred
from .sending import frame_answer, send

if TYPE_CHECKING:
    from .listener import Listener
    from .server import Broker

log = logging.getLogger("ottla.broker.connection")

#: What a handler returns when its answer is not there yet.
_LATER = (Deferred, CoroutineType)


class Answering(asyncio.BufferedProtocol):
    """The answers of one connection. `receiving.Receiving` brings the requests."""

    __slots__ = (
        "_answers", "_backlog", "_closing", "_descriptor", "_encoded", "_listener", "_out", "_serial", "_serial_bytes", "_stalled",
        "_transport", "_unread_since", "broker", "memory", "peer_host",
    )  # fmt: skip

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.broker: Broker = listener.broker
        self.peer_host = "?"
        #: What counts the bytes it holds of requests.
        self.memory = listener.broker.request_memory
        self._transport: Any = None
        self._descriptor = -1
        self._closing = self._stalled = False
        #: Requests started but not sent, in order.
        self._answers: deque[PendingAnswer] = deque()
        #: Requests not started.
        self._backlog: deque[Any] = deque()
        #: An unanswered request that later ones must not overtake, and what its frame holds.
        self._serial: PendingAnswer | None = None
        self._serial_bytes = 0
        #: Since when the client was not seen to read.
        self._unread_since = 0
        self._out: list[Any] = []
        #: Bytes of answers that are made but not given to the transport: in `_out`, or behind an answer that is not there.
        self._encoded = 0

    def _drain_backlog(self) -> None:
        """Start what waited (`Receiving`)."""

    def _give_up_memory(self) -> None:
        """Let go of what was received (`Receiving`)."""

    # ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────

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
                self.memory.release(self, self._serial_bytes)
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

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def refuse(self, reason: str) -> None:
        """Close a connection that asks for what it may not have, and say why in the log."""
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
