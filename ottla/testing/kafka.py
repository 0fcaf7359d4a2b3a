"""A broker in the hands of a test: the object behind pytest's `kafka` fixture.

How it works
------------
    test's thread                                  the broker's thread: its own event loop
      Kafka ── Wire (a real TCP connection) ──────►  Broker: production code, files and metadata in memory
        │                                              ▲ asks before each handler
        └── Script: rules, gates, trace ───────────────┘

Seeding and reading go through the front door by `Wire`; only starting, stopping, killing and cutting connections reach
into the broker, always as a call on its loop. What must survive a restart (files, metadata, the port) is kept here; the
broker itself is made anew each time.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..broker.config import BrokerConfig
from ..broker.dispatch import answer
from ..broker.server import Broker
from ..event_loop import new_event_loop
from ..metadata.sqlite import MEMORY, SqliteMetadataLog
from .faults import Call, Failing, Gate, Requests, Script, Trigger, api_key, check_about, concerns
from .files import DurableFiles
from .groups import Group
from .topics import Topic
from .wire import Wire

if TYPE_CHECKING:
    from ..broker.dispatch import Context
    from ..protocol.schema import Request, Response

#: Where a test differs from production, each for its reason; the test's own config wins.
DEFAULTS = {
    "listeners": "PLAINTEXT://127.0.0.1:0",
    "log.dirs": "/memory",
    "group.initial.rebalance.delay.ms": "0",  # a test starts its members itself and shall not wait for more
    "offsets.topic.num.partitions": "1",  # one coordinator's log is enough for the groups of one test
    "max.incremental.fetch.session.cache.slots": "0",  # every Fetch names its topics, so rules and traces can too
}
#: A start takes milliseconds and a clean stop hardly more; whatever takes longer hangs, and says so.
LIFE_TIMEOUT_S = 20.0

_numbers = itertools.count(1)


class Kafka:
    """One broker; fresh, empty, on a port of its own. Also a context manager, for use without pytest."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        self._config = {**DEFAULTS, **{key: _text(value) for key, value in (config or {}).items()}}
        self._files = DurableFiles()
        self._metadata = SqliteMetadataLog(MEMORY)
        self._script = Script()
        self._thread: _BrokerThread | None = None
        self._wire: Wire | None = None
        self.host = ""
        self.port = 0
        self.start()

    # ── where it is ─────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def bootstrap(self) -> str:
        """What clients call `bootstrap.servers`."""
        return f"{self.host}:{self.port}"

    @property
    def running(self) -> bool:
        """Whether the broker is up."""
        return self._thread is not None

    # ── what is in it ───────────────────────────────────────────────────────────────────────────────────────────

    def topic(self, name: str, partitions: int | None = None, **configs: Any) -> Topic:
        """A topic to put records into and to look at. Created at once if `partitions` or configs are given.

        Configs are Kafka's with `_` for `.`: `kafka.topic("t", cleanup_policy="compact")`. Otherwise the topic is
        created when it is first used and does not exist.
        """
        topic = Topic(self._connection(), name)
        if partitions is not None or configs:
            topic.create(
                -1 if partitions is None else partitions,
                {key.replace("_", "."): _text(value) for key, value in configs.items()},
            )
        return topic

    def group(self, group_id: str) -> Group:
        """A consumer group to look at."""
        return Group(self._connection(), group_id)

    def requests(self, api: str | None = None, **about: Any) -> Requests:
        """The requests that clients have sent so far, oldest first: all, or those of one API, about a topic, …"""
        key = None if api is None else api_key(api)
        check_about(api, about)
        return Requests(
            seen
            for seen in tuple(self._script.trace)
            if key in (None, seen.request.API_KEY)
            and concerns(about, seen.request, seen.version, seen.client_id, self._topic_name)
        )

    # ── what shall go wrong ─────────────────────────────────────────────────────────────────────────────────────

    def on(self, api: str | None = None, **about: Any) -> Trigger:
        """Begin a rule about requests to come: `kafka.on("Fetch", topic="t").nth(3).disconnect()`.

        `about` narrows it by topic, partition, group, client_id, any field of the request by its name, or
        `where=` a function of the request.
        """
        return self._script.on(api, about)

    def fail(self, api: str, **about: Any) -> Failing:
        """Refuse requests to come: `kafka.fail("Produce", topic="t").once(Error.NOT_LEADER_OR_FOLLOWER)`."""
        return Failing(self._script.on(api, about))

    def hold(self, api: str, **about: Any) -> Gate:
        """Let requests to come wait at a gate until `gate.release()`."""
        return self._script.hold(api, about)

    def disconnect(self) -> None:
        """Cut every connection now; clients may connect again."""
        if self._thread is not None:
            self._thread.call(self._cut_connections)
        self._forget_connection()

    # ── its life ────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Start, on the port it had if it had one."""
        if self._thread is not None:
            raise RuntimeError("the broker is running")
        config = dict(self._config)
        if self.port:
            name = config["listeners"].partition("://")[0]
            config["listeners"] = f"{name}://{self.host}:{self.port}"
        settings = BrokerConfig.load(sets=config, sets_from="the fixture's config")
        thread = _BrokerThread(lambda: self._make(settings))
        thread.start()
        self._thread = thread
        listener = thread.broker.listeners[0]
        self.host, self.port = listener.host, listener.port

    def stop(self) -> None:
        """Stop cleanly, as SIGTERM does. What was put stays for the next start."""
        self._end(clean=True)

    def kill(self) -> None:
        """End at once, as a power failure does: connections break, and what was not yet durable is lost."""
        if self._thread is None:
            return
        thread = self._thread
        left = thread.call(self._files.after_crash)
        thread.call(self._cut_connections)
        self._end(clean=False)
        self._files = left

    def restart(self) -> None:
        """Stop cleanly if it runs, and start again on the same port with what was kept."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End it for good: open every gate, stop, and leave no thread or socket behind."""
        self._script.release_all()
        self._end(clean=False)

    def __enter__(self) -> Kafka:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Kafka {self.bootstrap}{'' if self.running else ' stopped'}>"

    # ── inside ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _make(self, settings: BrokerConfig) -> Broker:
        broker = Broker(settings, files=self._files, metadata=self._metadata)

        async def intercept(context: Context, request: Request) -> Response | None:
            route = broker.dispatcher.route(request.API_KEY, context.version)
            assert route is not None  # the request came by it
            return await self._script.consult(
                Call(
                    request.API_KEY, context.version, context.client_id, request, self._topic_name,
                    lambda: answer(route, context, request), context.connection.abort,
                )
            )  # fmt: skip

        broker.dispatcher.intercept = intercept
        return broker

    def _topic_name(self, topic_id: bytes) -> str | None:
        if self._thread is None:
            return None
        topic = self._thread.broker.image.topics.by_id(topic_id)
        return None if topic is None else topic.name

    def _connection(self) -> Wire:
        if self._wire is None:
            self._wire = Wire(self.host, self.port)
        return self._wire

    def _forget_connection(self) -> None:
        if self._wire is not None:
            self._wire.close()

    def _cut_connections(self) -> None:
        assert self._thread is not None
        for listener in self._thread.broker.listeners:
            for connection in tuple(listener.connections):
                connection.abort()

    def _end(self, *, clean: bool) -> None:
        thread, self._thread = self._thread, None
        self._forget_connection()
        if thread is not None:
            thread.stop(clean=clean)


class _BrokerThread:
    """A broker, its loop and its thread. Started and stopped once."""

    def __init__(self, make: Callable[[], Broker]) -> None:
        self._make = make
        self._thread = threading.Thread(target=self._run, name=f"ottla-testing-{next(_numbers)}", daemon=True)
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._clean = True
        self._loop: asyncio.AbstractEventLoop
        self._end: asyncio.Event
        self.broker: Broker

    def start(self) -> None:
        """Return when the broker serves; raise what kept it from it."""
        self._thread.start()
        if not self._started.wait(LIFE_TIMEOUT_S):
            raise TimeoutError(f"the broker did not start within {LIFE_TIMEOUT_S:.0f} s")
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def call(self, work: Callable[[], Any]) -> Any:
        """Run a function on the broker's loop and return what it returns."""

        async def run() -> Any:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(LIFE_TIMEOUT_S)

    def stop(self, *, clean: bool) -> None:
        """Stop the broker and return when the thread is gone; raise what went wrong on the way."""
        self._clean = clean
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(LIFE_TIMEOUT_S)
        if self._thread.is_alive():
            raise TimeoutError(f"the broker did not stop within {LIFE_TIMEOUT_S:.0f} s")
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(self._live())
        except BaseException as error:  # noqa: BLE001 - handed to the test's thread, which raises it
            self._failure = error
        finally:
            self._started.set()

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        self.broker = self._make()
        await self.broker.start()
        self._started.set()
        await self._end.wait()
        await self.broker.stop(clean=self._clean)


def _text(value: Any) -> str:
    """A config's value as Kafka writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list | tuple | set) else str(value)
