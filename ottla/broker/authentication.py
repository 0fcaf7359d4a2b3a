"""How a client of a SASL listener shows who it is: the state machine of one connection (KIP-43, KIP-152, KIP-368).

                         ApiVersions                    SaslHandshake            SaslAuthenticate, again and again
    INITIAL ─┬─► HANDSHAKE_OR_VERSIONS ─► HANDSHAKE ─────────────────► EXCHANGE ─────────────────────────► (done)
             └─ SaslHandshake ──────────────────────────────────────────┘ │ ▲                                 │
                                                         mechanism failed ▼ └── SaslHandshake, session ends ──┘
                                                                       FAILED   (re-authentication)

After SaslHandshake v0 the messages of the mechanism come bare, each behind its size; after v1 inside SaslAuthenticate. A
client of Kafka 0.9 begins with a bare GSSAPI token. Every other order closes the connection, with Kafka's error where
Kafka answers. A refusal waits `connection.failed.authentication.delay.ms`, so that guessing is slow.

A session that ends (`connections.max.reauth.ms`, or what was shown expires) keeps this object in front of its requests:
SaslHandshake begins a re-authentication, by the same mechanism as the same principal; anything else after the end closes
the connection. Sessions without end have none, and cost their requests one look at an attribute.

The mechanism is a generator (`security.mechanisms`); what it calls `Work` runs in a thread while the connection waits.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Coroutine
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, NamedTuple

from ..protocol.apis.api_versions import ApiVersionsRequest
from ..protocol.apis.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse
from ..protocol.apis.sasl_handshake import SaslHandshakeRequest, SaslHandshakeResponse
from ..protocol.errors import ErrorCode, RemoteProtocolError
from ..protocol.framing import read_request_header
from ..security.mechanisms import Authenticated, AuthenticationFailed, ServerExchange, Work
from .dispatch import Context, Route, error_response
from .handlers.api_versions import unsupported_version
from .purgatory import Deferred

if TYPE_CHECKING:
    from ..security.principal import Principal
    from .connection import Connection
    from .sasl_listener import Offer, SaslListener

log = logging.getLogger("ottla.broker.connection")

GSSAPI = "GSSAPI"
VERSIONS, HANDSHAKE, AUTHENTICATE = (
    ApiVersionsRequest.API_KEY,
    SaslHandshakeRequest.API_KEY,
    SaslAuthenticateRequest.API_KEY,
)
#: Re-authentications of one connection do not begin closer to each other than this, as in Kafka.
REAUTHENTICATION_INTERVAL_S = 1.0
_SIZE = struct.Struct(">i")
_KEY = struct.Struct(">h")


def loop_time() -> float:
    """Seconds on the clock by which sessions end."""
    return asyncio.get_running_loop().time()


class State(Enum):
    """What may come next."""

    INITIAL = auto()
    HANDSHAKE_OR_VERSIONS = auto()
    HANDSHAKE = auto()
    EXCHANGE = auto()
    #: Any frame of a re-authentication that named another mechanism: refused when it comes.
    BAD_MECHANISM = auto()
    ESTABLISHED = auto()
    FAILED = auto()


class _Request(NamedTuple):
    """A Kafka request whose header was read; `route` is None for a version that is not served."""

    key: int
    version: int
    correlation_id: int
    client_id: str | None
    route: Route | None
    body: Any


class SaslAuthentication:
    """Stands before the requests of one connection (`connection.Authentication`)."""

    __slots__ = (
        "_began", "_connection", "_exchange", "_expires", "_headers", "_last_began", "_listener", "_mechanism",
        "_pending", "_principal", "_reauth_supported", "_state",
    )  # fmt: skip

    def __init__(self, connection: Connection, listener: SaslListener) -> None:
        self._connection = connection
        self._listener = listener
        self._state = State.INITIAL
        self._exchange: ServerExchange | None = None
        #: Name of the mechanism and principal; once set they stay.
        self._mechanism: str | None = None
        self._principal: Principal | None = None
        #: Whether the mechanism's messages come inside SaslAuthenticate.
        self._headers = False
        self._reauth_supported = False
        #: The place of an answer that is worked on.
        self._pending: Deferred | None = None
        #: Loop times: when the session ends, when this and when the last re-authentication began.
        self._expires: float | None = None
        self._began = 0.0
        self._last_began: float | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the client has shown who it is, if only for a time."""
        return self._principal is not None

    def take(self, frame: Any) -> bool:
        """Look at a frame before the connection does; False leaves it to that."""
        state = self._state
        if state is State.ESTABLISHED:
            return self._take_established(frame)
        if state is State.FAILED:
            return True
        try:
            if state is State.BAD_MECHANISM:
                raise AuthenticationFailed(reason=f"re-authentication by another mechanism than {self._mechanism}")
            if state is not State.EXCHANGE:
                self._take_request(frame)
            elif self._headers:
                self._take_authenticate(frame)
            else:
                self._converse(bytes(frame), None)
        except AuthenticationFailed as problem:
            self._fail(problem)
        except (RemoteProtocolError, IndexError, struct.error) as problem:
            self._state = State.FAILED
            self._connection.refuse(f"no request before authentication: {problem}")
        return True

    # ── Kafka's requests ─────────────────────────────────────────────────────────────────────────────────────────────

    def _read(self, frame: Any) -> _Request:
        key, version, correlation_id, client_id, pos = read_request_header(frame)
        route = self._connection.broker.dispatcher.route(key, version)
        return _Request(key, version, correlation_id, client_id, route, frame[pos:])

    def _take_request(self, frame: Any) -> None:
        """A frame before the exchange of messages: ApiVersions, SaslHandshake, or a token of an old GSSAPI client."""
        (key,) = _KEY.unpack_from(frame)
        if self._state is State.INITIAL:
            if key not in self._connection.broker.dispatcher.entries:
                self._take_old_gssapi(frame)
                return
            self._state = State.HANDSHAKE_OR_VERSIONS
        if key == VERSIONS:
            self._take_versions(self._read(frame))
        elif key == HANDSHAKE:
            self._take_handshake(self._read(frame))
        else:
            raise AuthenticationFailed(reason=f"unexpected request of API key {key} during SASL handshake")

    def _take_old_gssapi(self, frame: Any) -> None:
        """Clients before Kafka 0.10 send no handshake: their first frame is the first message of GSSAPI."""
        offer = self._listener.offers.get(GSSAPI)
        if offer is None:
            raise AuthenticationFailed(reason="the first frame is no request, and GSSAPI is not offered")
        self._begin(offer)
        self._converse(bytes(frame), None)

    def _take_versions(self, request: _Request) -> None:
        if self._state is not State.HANDSHAKE_OR_VERSIONS:
            raise RemoteProtocolError("ApiVersions was asked before, SaslHandshake is expected")
        broker = self._connection.broker
        if request.route is None:
            route = broker.dispatcher.route(VERSIONS, 0)
            assert route is not None
            self._answer(request._replace(route=route), unsupported_version(broker))
            return
        context = Context(broker, self._connection, request.version, request.client_id)
        body, _ = request.route.decode(request.body, 0)
        response = request.route.function(context, body)
        self._answer(request, response)
        if not response.error_code:
            self._state = State.HANDSHAKE

    def _take_handshake(self, request: _Request) -> None:
        if request.route is None:
            raise RemoteProtocolError(f"SaslHandshake version {request.version} is not served")
        body, _ = request.route.decode(request.body, 0)
        offers = self._listener.offers
        names = list(offers)
        offer = offers.get(body.mechanism)
        if offer is None:
            answer = SaslHandshakeResponse(error_code=ErrorCode.UNSUPPORTED_SASL_MECHANISM, mechanisms=names)
            refusal = answer if self._principal is None else None  # Kafka says nothing to who authenticates again
            self._fail(AuthenticationFailed(reason="the SASL mechanism it asks for is not offered"), request, refusal)
            return
        self._headers = request.version >= 1
        self._answer(request, SaslHandshakeResponse(error_code=ErrorCode.NONE, mechanisms=names))
        if self._mechanism in (None, body.mechanism):
            self._begin(offer)
        else:
            self._state = State.BAD_MECHANISM

    def _take_authenticate(self, frame: Any) -> None:
        request = self._read(frame)
        if request.route is None:
            raise RemoteProtocolError(f"API key {request.key} version {request.version} is not served")
        if request.key != AUTHENTICATE:
            reason = f"unexpected request of API key {request.key} during SASL authentication"
            refusal = error_response(request.route, ErrorCode.ILLEGAL_SASL_STATE, reason)
            self._fail(AuthenticationFailed(reason=reason), request, refusal)
            return
        self._reauth_supported = self._reauth_supported or request.version > 0
        body, _ = request.route.decode(request.body, 0)
        self._converse(bytes(body.auth_bytes), request)

    # ── the mechanism's messages ─────────────────────────────────────────────────────────────────────────────────────

    def _begin(self, offer: Offer) -> None:
        self._mechanism = offer.mechanism.name
        self._exchange = offer.mechanism.server(self._listener.inputs(offer))
        next(self._exchange)
        self._connection.frame_bytes_min = 1 if self._headers else 0
        self._state = State.EXCHANGE

    def _converse(self, message: bytes, request: _Request | None) -> None:
        """Hand a message to the mechanism and send what it says; `request` carried it, if any did."""
        try:
            outcome = self._advance(message)
            if isinstance(outcome, Work):
                self._wait(request)
                self._start(self._work(outcome, request))
            else:
                self._say(request, self._reply(request, outcome))
        except AuthenticationFailed as problem:
            self._fail(problem, request)

    def _advance(self, value: Any) -> Any:
        """Carry the mechanism on: to a challenge, to work, or to its end. What goes wrong inside lets nobody in."""
        assert self._exchange is not None
        try:
            return self._exchange.send(value)
        except StopIteration as end:
            return end.value
        except AuthenticationFailed:
            raise
        except Exception as problem:  # noqa: BLE001 - a bug, and not one that opens a door
            raise self._bug(problem) from None

    def _bug(self, problem: Exception) -> AuthenticationFailed:
        """Log and count what no mechanism foresaw; without the traceback's values, which may be secrets."""
        self._listener.broker.metrics.uncaught_exceptions += 1
        log.error("SASL mechanism %s failed: %s", self._mechanism, type(problem).__name__)
        return AuthenticationFailed(reason=f"{self._mechanism} failed")

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin what takes a thread; who hangs up leaves nothing of it behind."""
        task = self._listener.start(work)
        on_close = self._connection.on_close

        def cancel() -> None:
            task.cancel()

        on_close.add(cancel)
        task.add_done_callback(lambda _: on_close.discard(cancel))

    async def _work(self, outcome: Any, request: _Request | None) -> None:
        """Work in a thread until there is something to say."""
        try:
            while isinstance(outcome, Work):
                try:
                    result = await self._listener.broker.credentials.run(outcome.function, self._connection.peer_host)
                except Exception as problem:  # noqa: BLE001 - as a bug of the mechanism itself
                    raise self._bug(problem) from None
                if self._state is State.FAILED:
                    return
                outcome = self._advance(result)
            self._say(request, self._reply(request, outcome))
        except AuthenticationFailed as problem:
            self._fail(problem, request)

    def _wait(self, request: _Request | None) -> None:
        """Take the next place in the order of answers; nothing else is started until it is filled."""
        self._pending = Deferred()
        self._pending.serial = True
        route = request.route if request is not None else self._connection.broker.dispatcher.route(AUTHENTICATE, 0)
        assert route is not None
        self._connection.answer(route, request.correlation_id if request is not None else 0, self._pending)

    def _say(self, request: _Request | None, reply: Any) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.resolve(reply)
        elif request is None:
            self._connection.send_token(reply[_SIZE.size :])
        else:
            self._answer(request, reply)

    def _reply(self, request: _Request | None, outcome: Any) -> Any:
        """Make the answer to a message: a response, or a bare token behind its size."""
        lifetime_ms = 0
        token = outcome
        if isinstance(outcome, Authenticated):
            lifetime_ms = self._establish(outcome)
            token = outcome.last_message
        if request is None:
            return _SIZE.pack(len(token)) + token
        return SaslAuthenticateResponse(auth_bytes=token, session_lifetime_ms=lifetime_ms)

    # ── success ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _establish(self, result: Authenticated) -> int:
        """Let the client in; returns for how many milliseconds, 0 if that has no end."""
        before, principal = self._principal, result.principal
        if before is not None and before[:2] != principal[:2]:
            raise AuthenticationFailed(
                f"Cannot change principals during re-authentication from {before.type}.{before.name}: "
                f"{principal.type}.{principal.name}"
            )
        now = loop_time()
        lifetime_ms = self._lifetime_ms(result)
        self._expires = None if lifetime_ms is None else now + lifetime_ms / 1000
        self._count_success(now)
        self._state, self._exchange, self._principal = State.ESTABLISHED, None, principal
        self._connection.authenticated(principal)
        if lifetime_ms is None:
            return 0
        self._connection.authentication = self
        return lifetime_ms

    def _lifetime_ms(self, result: Authenticated) -> int | None:
        """Return for how long what was shown holds, None for ever: the shorter of its own life and the session's."""
        assert self._mechanism is not None
        offer = self._listener.offers.get(self._mechanism)
        limits = [offer.reauth_ms] if offer is not None and offer.reauth_ms > 0 else []
        if result.expires_ms is not None:
            limits.append(result.expires_ms - self._listener.broker.clock.now_ms())
        return max(min(limits), 0) if limits else None

    def _count_success(self, now: float) -> None:
        counts = self._listener.counts
        if self._principal is None:
            counts.successes += 1
            counts.without_reauthentication += not self._reauth_supported
            return
        counts.reauthentications += 1
        counts.reauthentication_seconds += now - self._began
        counts.reauthentication_seconds_max = max(counts.reauthentication_seconds_max, now - self._began)

    def _take_established(self, frame: Any) -> bool:
        """A frame of a session that ends: begin anew, or close, or let it pass."""
        now = loop_time()
        (key,) = _KEY.unpack_from(frame) if len(frame) >= _KEY.size else (-1,)
        if key == HANDSHAKE and (self._last_began is None or now - self._last_began >= REAUTHENTICATION_INTERVAL_S):
            self._began = self._last_began = now
            self._state, self._headers = State.HANDSHAKE, False
            return self.take(frame)
        if self._expires is not None and now > self._expires:
            self._listener.counts.expired += 1
            self._state = State.FAILED
            self._connection.close()
            return True
        return False

    # ── failure ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _fail(self, problem: AuthenticationFailed, request: _Request | None = None, response: Any = None) -> None:
        """Refuse: after the delay, with an answer where there is a place for one, and the end of the connection."""
        counts, again = self._listener.counts, self._principal is not None
        if again:
            counts.failed_reauthentications += 1
        else:
            counts.failures += 1
        text = "re-authentication" if again else "authentication"
        self._listener.log_closing(self._connection.peer_host, f"failed {text}: {problem.reason}")
        if self._state is State.EXCHANGE and response is None and request is not None and request.key == AUTHENTICATE:
            message = problem.message_for_client or (
                f"Authentication failed during {text} due to invalid credentials with SASL mechanism {self._mechanism}"
            )
            response = SaslAuthenticateResponse(error_code=ErrorCode.SASL_AUTHENTICATION_FAILED, error_message=message)
        self._state, self._exchange = State.FAILED, None
        delay_s = self._listener.failure_delay_s
        if delay_s <= 0:
            self._end(request, response)
            return
        self._connection.mute(delay_s + 1)
        timer = asyncio.get_running_loop().call_later(delay_s, self._end, request, response)
        self._connection.on_close.add(timer.cancel)

    def _end(self, request: _Request | None, response: Any) -> None:
        if self._pending is not None:
            self._pending.resolve(response)
        elif request is not None and response is not None:
            self._answer(request, response)
        self._connection.close()

    def _answer(self, request: _Request, response: Any) -> None:
        assert request.route is not None
        self._connection.answer(request.route, request.correlation_id, response)
