"""Quotas at work: meters requests while quotas are set, tells clients how long to wait, and leaves them alone for so long.

While a quota of users or client ids is set (`ClientQuotas.active`), the connection has each route replaced by one that is
metered. What goes through it is counted when the answer is made; if that was too much, the answer says so
(`throttle_time_ms`) and leaves at once, and the connection is neither read nor served until the time is over (KIP-219).
Nobody is disconnected.

    frame ─► decode ─► handler ─► record ─► throttle_time_ms into the answer, connection mutes itself ─► encode ─► send
             └─────────────── the processor's time counts for request_percentage ───────────────────────────────┘

A Fetch that comes while its client should wait is answered without records (`Meter.fetched`); it asks again when it may.
Without quotas a request costs one look at `active`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable
from time import thread_time
from types import CoroutineType, coroutine
from typing import TYPE_CHECKING, Any

from ..controller.decision import Take, unlimited
from ..metadata.configs.resolve import Levels
from ..metadata.image import MetadataImage
from ..protocol.apis.produce import ProduceRequest
from .dispatch import Context, Route
from .host_names import is_address, resolve
from .purgatory import Deferred
from .quotas.client_quotas import ClientQuotas, Mutation, QuotaKind
from .quotas.connection_rates import ConnectionRates
from .quotas.entities import IP
from .quotas.rates import Windows

if TYPE_CHECKING:
    from ..protocol.apis.fetch import PartitionData
    from .config import BrokerConfig
    from .connection import Connection

#: What no limit looks like in the configs of connections.
_UNLIMITED = (1 << 31) - 1
_CREATION_RATE = "max.connection.creation.rate"
#: What an answer to a Fetch has beside the records of a partition, roughly: it counts as well.
PARTITION_OVERHEAD = 60


class Throttling:
    """The quotas of one broker."""

    def __init__(self, config: BrokerConfig) -> None:
        def windows(prefix: str) -> Windows:
            size_s = config.integer(f"{prefix}quota.window.size.seconds")
            return Windows(config.integer(f"{prefix}quota.window.num"), 1000.0 * size_s)

        self.clients = ClientQuotas(windows(""), windows("controller."))
        self.connections = ConnectionRates(windows(""))
        #: Whether requests must be metered.
        self.active = False
        self._resolving: asyncio.Task[None] | None = None
        #: The request whose answer was made last, and the time that was counted since `begin`.
        self._answered: Meter | None = None
        self._counted_s = 0.0

    def now_ms(self) -> float:
        """Return the time of the event loop, which nobody sets back."""
        return asyncio.get_running_loop().time() * 1000

    # ── what holds ──────────────────────────────────────────────────────────────────────────────────────────────

    def apply(self, old: MetadataImage, new: MetadataImage, levels: Levels, listeners: Iterable[str]) -> None:
        """Take over the quotas of a new image."""
        if old.client_quotas is not new.client_quotas:
            self.clients.update(new.client_quotas)
            self.active = self.clients.active
            self._apply_addresses(new)
        broker = levels.integer(_CREATION_RATE)
        by_listener = {name: _listener_rate(name, levels) for name in listeners}
        self.connections.update_listeners(
            None if broker == _UNLIMITED else broker,
            {name: rate for name, rate in by_listener.items() if rate is not None},
        )

    def _apply_addresses(self, image: MetadataImage) -> None:
        quotas = image.client_quotas
        self.connections.update_addresses(quotas, {})
        names = [name for ((kind, name), *_) in quotas if kind == IP and name is not None and not is_address(name)]
        if names:
            self._resolving = asyncio.ensure_future(self._resolve(image, names))

    async def _resolve(self, image: MetadataImage, names: list[str]) -> None:
        self.connections.update_addresses(image.client_quotas, await resolve(names))

    # ── connections ─────────────────────────────────────────────────────────────────────────────────────────────

    def admit(self, connection: Connection) -> None:
        """Count a new connection; hold it if there are too many, and end it if there are far too many."""
        admission = self.connections.admit(connection.listener_name, connection.peer_host, self.now_ms())
        if admission.hold_ms > 0:
            connection.mute(admission.hold_ms / 1000)
        if admission.refused:
            asyncio.get_running_loop().call_later(admission.hold_ms / 1000, connection.close)

    # ── requests ────────────────────────────────────────────────────────────────────────────────────────────────

    def metered(self, route: Route, size: int) -> Route:
        """Return a route that counts what goes through it, for one request of `size` bytes."""
        meter = Meter(self, route, size)
        return route._replace(
            decode=meter.timed(route.decode),
            function=meter.handle,
            encode=meter.encoding(route.encode),
            short=None,
            pipelined=False,  # as with Kafka: what comes behind a request is not begun before that one is counted
        )

    def answered(self, meter: Meter) -> None:
        """Remember whose answer was made."""
        self._answered = meter

    def begin(self) -> float:
        """Bytes have come: what is done with them until `end` is somebody's time."""
        self._answered = None
        self._counted_s = 0.0
        return thread_time()

    def end(self, begun: float) -> None:
        """Charge what was not counted so far, such as sending large answers, to whom the last of them went."""
        if self._answered is not None:
            self._answered.charge(max(0.0, thread_time() - begun - self._counted_s))


def _listener_rate(name: str, levels: Levels) -> int | None:
    text = levels.for_listener(name, _CREATION_RATE)
    return None if text is None or int(text) == _UNLIMITED else int(text)


def taking_from(context: Context, strict_since: int) -> Callable[[], Take]:
    """Return what begins to count the partitions a request changes; begun again, it gives back what was counted.

    A decision is made again when another process was faster, and must not be paid twice.
    """
    meter = context.meter
    if meter is None:
        return lambda: unlimited
    mutation = meter.begin_mutation(context.version >= strict_since)

    def begin() -> Take:
        mutation.give_back(meter.now_ms())
        return lambda partitions: mutation.take(partitions, meter.now_ms())

    return begin


class Meter:
    """One request under quotas."""

    __slots__ = (
        "_busy_s",
        "_client_id",
        "_connection",
        "_counted",
        "_mutation",
        "_route",
        "_size",
        "_throttling",
        "_user",
    )

    def __init__(self, throttling: Throttling, route: Route, size: int) -> None:
        self._throttling = throttling
        self._route = route
        self._size = size
        self._busy_s = 0.0
        self._counted = False
        self._mutation: Mutation | None = None

    # what counts as the client's use of the processor

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return `function`, with its time counted."""

        def call(*arguments: Any) -> Any:
            begun = thread_time()
            try:
                return function(*arguments)
            finally:
                self._busy_s += thread_time() - begun

        return call

    def encoding(self, encode: Callable[[Any], list[Any]]) -> Callable[[Any], list[Any]]:
        """Return `encode`; its time comes too late for this answer and counts for the next."""

        def call(response: Any) -> list[Any]:
            begun = thread_time()
            parts = encode(response)
            self.charge(thread_time() - begun)
            self._throttling.answered(self)
            return parts

        return call

    @coroutine
    def _stepping(self, running: CoroutineType[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Run a coroutine, counting its steps and not its waiting."""
        step: Callable[[Any], Any] = running.send
        value: Any = None
        while True:
            begun = thread_time()
            try:
                waiting = step(value)
            except StopIteration as ended:
                return ended.value
            finally:
                self._busy_s += thread_time() - begun
            try:
                value = yield waiting
                step = running.send
            except BaseException as thrown:  # noqa: BLE001 - it is the coroutine's to handle
                value, step = thrown, running.throw

    # the request

    def now_ms(self) -> float:
        return self._throttling.now_ms()

    def handle(self, context: Context, request: Any) -> Any:
        """Answer the request, and count it when the answer is there."""
        self._connection = context.connection
        self._client_id = context.client_id or ""
        self._user = context.connection.principal.name
        metered = MeteredContext(context, self)
        try:
            result = self.timed(self._route.function)(metered, request)
        except Exception:
            self._count(None)
            raise
        if type(result) is CoroutineType:
            return self._wait(result)
        if type(result) is Deferred:
            answer = Deferred()
            result.on_result(lambda value: answer.resolve(self._count(value)))
            return answer
        return self._count(result)

    async def _wait(self, running: CoroutineType[Any, Any, Any]) -> Any:
        try:
            return self._count(await self._stepping(running))
        except Exception:
            self._count(None)
            raise

    def begin_mutation(self, strict: bool) -> Mutation:
        self._mutation = self._throttling.clients.mutation(self._user, self._client_id, strict=strict)
        return self._mutation

    def most_fetched(self, wanted: int) -> int:
        """Return the most bytes a Fetch may be answered with; more would be too much at any time."""
        most = self._throttling.clients.most_at_once(QuotaKind.FETCH, self._user, self._client_id)
        return wanted if most is None else min(wanted, int(most))

    def fetched(self, data: list[PartitionData]) -> tuple[int, bool]:
        """Count an answer to Fetch: returns how long the client has to wait, and whether it gets the records now.

        Who kept to its waits gets them and waits afterwards; who comes on another connection meanwhile gets none. Kafka
        answers without records in both cases, so that what passes stays below the quota by an answer, and a batch that
        is larger than all the quota lets through is never delivered.
        """
        if self._counted:
            return 0, True
        self._counted = True
        size = sum(len(item.records or b"") + PARTITION_OVERHEAD for item in data)
        clients, now_ms = self._throttling.clients, self._throttling.now_ms()
        busy_ms = self._record(QuotaKind.REQUEST, self._busy_s * 100)
        waiting = clients.record(QuotaKind.FETCH, self._user, self._client_id, 0, now_ms) > 0
        throttle_ms = max(busy_ms, clients.record(QuotaKind.FETCH, self._user, self._client_id, size, now_ms))
        if throttle_ms <= 0:
            return 0, True
        self._mute(throttle_ms)
        if not waiting:
            return throttle_ms, True
        clients.unrecord(QuotaKind.FETCH, self._user, self._client_id, size, now_ms)
        return throttle_ms, False

    def _count(self, response: Any) -> Any:
        """Record a request whose answer is there, None where there is none; returns the answer."""
        if self._counted:
            return response
        self._counted = True
        produces = self._route.entry.request is ProduceRequest
        throttle_ms = 0
        if produces:
            throttle_ms = self._record(QuotaKind.PRODUCE, self._size)
        if not produces or response is not None:  # the time of acks=0 is not limited, as with Kafka
            throttle_ms = max(throttle_ms, self._record(QuotaKind.REQUEST, self._busy_s * 100))
        if self._mutation is not None:
            throttle_ms = max(throttle_ms, self._mutation.throttle_ms)
        if throttle_ms > 0:
            self._mute(throttle_ms)
            if hasattr(response, "throttle_time_ms"):
                response.throttle_time_ms = throttle_ms
        return response

    def _record(self, kind: QuotaKind, value: float) -> int:
        throttling = self._throttling
        if kind is QuotaKind.REQUEST:
            throttling._counted_s += value / 100
        return throttling.clients.record(kind, self._user, self._client_id, value, throttling.now_ms())

    def charge(self, seconds: float) -> None:
        """Count time that was spent after the answer was counted: it holds the next request back, not this one."""
        self._record(QuotaKind.REQUEST, seconds * 100)

    def _mute(self, throttle_ms: int) -> None:
        self._connection.mute(throttle_ms / 1000)


class MeteredContext(Context):
    """The context of a request under quotas: handlers find its meter here."""

    __slots__ = ("_meter",)

    def __init__(self, context: Context, meter: Meter) -> None:
        super().__init__(context.broker, context.connection, context.version, context.client_id)
        self._meter = meter

    @property
    def meter(self) -> Meter:
        return self._meter
