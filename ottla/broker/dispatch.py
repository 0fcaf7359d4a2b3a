"""From a request's bytes to the handler that answers it, and back to bytes.

A handler is a function in `handlers/<api_name>.py`, marked `@handler(RequestClass)`; scanning the package is the only
registration. It takes a `Context` and the decoded request and returns the response, or a `Deferred` or coroutine for
one that comes later, or None where the protocol wants no answer (Produce with acks=0).

A `Route` is what the connection keeps for one (API key, version): decoder, handler, encoder and the two header forms,
made when the first such request arrives. ApiVersions is answered from the same table, so that only what has a handler
is advertised.

`pipelined=True` says that later requests of the connection may start before this one is answered; answers keep their
order all the same. Kafka handles one request per connection at a time; Produce differs here because appends are
ordered when they start, and so that one fsync serves many.
"""

from __future__ import annotations

import logging
import pkgutil
from collections.abc import Awaitable, Callable
from importlib import import_module
from types import CoroutineType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ..protocol import codec
from ..protocol.apis import API_KEYS, response_class
from ..protocol.errors import ErrorCode, KafkaError
from ..protocol.framing import request_header_version, response_header_version
from ..protocol.schema import Request, Response, Versions
from .purgatory import settled

if TYPE_CHECKING:
    from ..security.principal import Principal
    from .connection import Connection
    from .metrics import Metrics
    from .server import Broker
    from .throttling import Meter

log = logging.getLogger("ottla.broker.connection")

Handler = Callable[["Context", Any], Any]
HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])
#: Takes a request as bytes: connection, frame, end of the client id, version, correlation id. Returns None where the
#: request has to be decoded, or an answer with size and header, or a `Deferred`.
Shortcut = Callable[["Connection", Any, int, int, int], Any]
#: Looks at each request before its handler; what it returns, unless None, is the answer (`ottla.testing`).
Interceptor = Callable[["Context", Request], Awaitable[Response | None]]


class Context:
    """Who asks, in which version, and the broker that answers."""

    __slots__ = ("broker", "client_id", "connection", "version")

    def __init__(self, broker: Broker, connection: Connection, version: int, client_id: str | None) -> None:
        self.broker = broker
        self.connection = connection
        self.version = version
        self.client_id = client_id

    @property
    def principal(self) -> Principal:
        """As whom the client acts."""
        return self.connection.principal

    @property
    def host(self) -> str:
        """The address it comes from, as ACLs name it."""
        return self.connection.peer_host

    @property
    def meter(self) -> Meter | None:
        """What counts the request while quotas are set (`throttling`)."""
        return None


class Entry(NamedTuple):
    """One API as its handler declared it."""

    key: int
    name: str
    request: type[Request]
    response: type[Response]
    versions: Versions
    function: Handler
    pipelined: bool
    short: Shortcut | None


class Route(NamedTuple):
    """All that the connection needs for one API key in one version."""

    entry: Entry
    version: int
    decode: Callable[[Any, int], tuple[Any, int]]
    encode: Callable[[Any], list[Any]]
    request_flexible: bool
    response_flexible: bool
    function: Handler
    pipelined: bool
    short: Shortcut | None


class PendingAnswer:
    """The place of one request in the order of answers: empty until its parts are known."""

    __slots__ = ("correlation_id", "parts", "pipelined", "route")

    def __init__(self, correlation_id: int, route: Route) -> None:
        self.correlation_id = correlation_id
        self.route = route
        self.pipelined = route.pipelined
        self.parts: list[Any] | None = None


_ENTRIES: dict[int, Entry] = {}


def handler(
    request: type[Request],
    *,
    versions: str | None = None,
    pipelined: bool = False,
    short: Shortcut | None = None,
) -> Callable[[HandlerT], HandlerT]:
    """Register a function for the API of `request`, and perhaps a shortcut that is tried before the request is decoded.

    `versions` narrows what is served and advertised; by default all declared versions but an unstable last one.
    """

    def register(function: HandlerT) -> HandlerT:
        served = Versions.parse(versions) if versions else _stable(request)
        key = request.API_KEY
        _ENTRIES[key] = Entry(
            key, API_KEYS[key].name, request, response_class(key), served, function, pipelined, short,
        )  # fmt: skip
        return function

    return register


def _stable(request: type[Request]) -> Versions:
    low, high = request.VERSIONS.low, request.VERSIONS.high
    return Versions(low, high - 1 if request.LATEST_VERSION_UNSTABLE else high)


def load_handlers() -> dict[int, Entry]:
    """Import every module of `handlers/` and return the table of APIs by key."""
    from . import handlers

    for module in pkgutil.iter_modules(handlers.__path__):
        import_module(f"{handlers.__name__}.{module.name}")
    return dict(sorted(_ENTRIES.items()))


class Dispatcher:
    """The table of APIs of one broker. `intercept` is None outside of tests, `guard` without an authorizer."""

    __slots__ = ("_routes", "entries", "guard", "intercept")

    def __init__(self) -> None:
        self.entries = load_handlers()
        self.intercept: Interceptor | None = None
        #: Puts before a handler what its API asks (`authorization`).
        self.guard: Callable[[Entry], Handler] | None = None
        self._routes: dict[int, Route] = {}

    def route(self, key: int, version: int) -> Route | None:
        """Return the route of an API key and version, or None if that is not served."""
        number = (key << 16) | (version & 0xFFFF)
        route = self._routes.get(number)
        if route is None:
            entry = self.entries.get(key)
            if entry is None or version not in entry.versions:
                return None
            function = entry.function if self.guard is None else self.guard(entry)
            route = self._routes[number] = Route(
                entry, version, codec.decoder(entry.request, version), codec.encoder(entry.response, version),
                request_header_version(key, version) == 2, response_header_version(key, version) == 1,
                function, entry.pipelined, entry.short,
            )  # fmt: skip
        return route


async def answer(route: Route, context: Context, request: Any) -> Response | None:
    """Run the handler of a route and wait for its response, in whichever of the three ways it comes."""
    result = route.function(context, request)
    if type(result) is CoroutineType:
        result = await result
    response: Response | None = await settled(result)
    return response


def failure_response(route: Route, problem: Exception, metrics: Metrics) -> Response | None:
    """Make the answer to a request whose handler failed; what is no `KafkaError` is our bug, logged and counted."""
    if isinstance(problem, KafkaError):
        return error_response(route, problem.code, problem.message)
    metrics.uncaught_exceptions += 1
    log.error("%s v%d failed", route.entry.name, route.version, exc_info=problem)
    return error_response(route, ErrorCode.UNKNOWN_SERVER_ERROR)


def error_response(route: Route, code: ErrorCode, message: str | None = None) -> Response | None:
    """Make the answer that carries `code` for the whole request, or None where this version has no place for it."""
    names = {field.name for field in route.entry.response.FIELDS if route.version in field.versions}
    if "error_code" not in names:
        return None
    response = route.entry.response()
    response.error_code = code  # type: ignore[attr-defined]
    if "error_message" in names:
        response.error_message = message  # type: ignore[attr-defined]
    return response
