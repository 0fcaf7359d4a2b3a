"""A client's way to its cluster: which brokers there are, a connection to each, and a request to the right one.

    await cluster.request(request, ANY)                        any broker
    await cluster.request(request, Node(2))                    this broker
    await cluster.request(request, Leader("orders", 3))        who leads the partition
    await cluster.request(request, Coordinator(GROUP, "g"))    who coordinates the group (or transactional id)
    await cluster.request(lambda version: …, CONTROLLER)       a request that looks different in each version

`request` picks the highest version both sides know, and tries again with back-off, after new metadata or a new search for
the coordinator, until `timeout_ms` (default.api.timeout.ms) is over: when connections fail, and when the answer's own
top-level error code says that this was the wrong broker. All other codes are the caller's business.

Metadata is asked for at first use, when something was wrong with it, and after metadata.max.age.ms. One refresh at a time;
who needs it waits for the next one that begins after the wish. The tracked topics are what it asks about.

    bootstrap ──► connection ──► Metadata ──► nodes ──► a connection per node, on demand
        ▲                                        │ none answers (KIP-899)
        └────────────────────────────────────────┘
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ..protocol.apis import API_KEYS
from ..protocol.apis.find_coordinator import FindCoordinatorRequest
from ..protocol.apis.metadata import MetadataRequest, MetadataRequestTopic
from ..protocol.errors import ErrorCode
from ..protocol.schema import Request
from .addresses import parse_addresses
from .backoff import backoff_ms
from .chance import chance
from .config import Config
from .connecting import Connector
from .errors import (
    AuthenticationError,
    ClientError,
    ClientTimeoutError,
    ClosedError,
    ConfigError,
    ConnectError,
    ConnectionLostError,
    NoBrokerError,
    broker_error,
)
from .metadata import Metadata, TopicView
from .net import Address, Connection

log = logging.getLogger("ottla.client")

GROUP, TRANSACTION, SHARE = 0, 1, 2


class Node(NamedTuple):
    """To the broker with this id."""

    id: int


class Leader(NamedTuple):
    """To the leader of a partition."""

    topic: str
    partition: int


class Coordinator(NamedTuple):
    """To the coordinator of a group, transactional id or share partition."""

    kind: int
    key: str


class _Anyone(NamedTuple):
    name: str


#: To whoever answers; to the controller.
ANY, CONTROLLER = _Anyone("any"), _Anyone("controller")
Target = Node | Leader | Coordinator | _Anyone
RequestOrMaker = Request | Callable[[int], Request]

#: Codes in an answer's own `error_code` that mean: another broker, or a little later.
_COORDINATOR_MOVED = {ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_NOT_AVAILABLE}
_TRY_AGAIN = {ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, *_COORDINATOR_MOVED}


class Cluster:
    """One per client object. Everything runs on the loop on which `start` was called."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.metadata = Metadata()
        self.closed = False
        #: Called with the topics of each new metadata: `listener(views)`.
        self.listeners: list[Callable[[list[TopicView]], None]] = []
        #: Topics whose metadata is kept fresh -> whether asking may create them.
        self.tracked: dict[str, bool] = {}
        #: Keep all topics fresh (pattern subscriptions).
        self.track_all = False
        self.connector = Connector(config)
        self._bootstrap = parse_addresses(config.bootstrap_servers)
        self._connections: dict[int, Connection] = {}
        self._connecting: dict[int, asyncio.Task[Connection]] = {}
        self._failures: dict[int, tuple[int, float, ClientError]] = {}
        self._coordinators: dict[tuple[int, str], int] = {}
        self._searches: dict[tuple[int, str], asyncio.Task[int]] = {}
        self._refresh: asyncio.Task[None] | None = None
        self._refresh_again = False
        self._refresh_failures = 0
        self._age: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Find the cluster; `NoBrokerError` tells why each address failed."""
        self._loop = asyncio.get_running_loop()
        if not self._bootstrap:
            raise ConfigError("bootstrap.servers is not set: where is the cluster?")
        await self.refresh(timeout_ms=self.config.default_api_timeout_ms, give_up_at_once=True)

    async def close(self) -> None:
        """End every connection and task."""
        self.closed = True
        if self._age is not None:
            self._age.cancel()
        tasks: set[asyncio.Task[Any]] = {*self._connecting.values(), *self._searches.values()}
        if self._refresh is not None:
            tasks.add(self._refresh)
        tasks.discard(asyncio.current_task())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in tuple(self._connections.values()):
            connection.close()
        self._connections.clear()

    # ── requests ────────────────────────────────────────────────────────────────────────────────────────────────

    async def request(
        self,
        request: RequestOrMaker,
        to: Target = ANY,
        *,
        kind: type[Request] | None = None,
        timeout_ms: int | None = None,
        request_timeout_ms: int | None = None,
        low: int = 0,
        high: int = 32767,
        retry: bool = True,
    ) -> Any:
        """Send a request to the right broker and return its answer.

        A function `request(version)` needs the class as `kind`. `low` and `high` bound the version. Without `retry` the
        first failure is raised. A single request waits `request_timeout_ms` (request.timeout.ms) for its answer.
        """
        cls = kind or type(request)
        if not issubclass(cls, Request):
            raise TypeError("a function that makes the request needs its class as `kind`")
        api = API_KEYS[cls.API_KEY].name
        budget_ms = self.config.default_api_timeout_ms if timeout_ms is None else timeout_ms
        deadline = self._loop.time() + budget_ms / 1000
        each_s = (request_timeout_ms or self.config.request_timeout_ms) / 1000
        attempt = 0
        problem: ClientError
        while True:
            try:
                connection = await self._route(to, deadline)
                version = connection.version(cls, low, high)
                message = request if isinstance(request, Request) else request(version)
                answer = await connection.send(message, version, each_s)
                code = getattr(answer, "error_code", 0)
                if not self._is_misrouted(code, to):
                    return answer
                problem = broker_error(code, getattr(answer, "error_message", None), api=api, broker=connection.name)
                if not retry:
                    return answer
            except (ConnectError, ConnectionLostError, ClientTimeoutError) as error:
                problem = error
                if not retry or not error.retriable:
                    raise
            self._doubt(to, problem)
            attempt += 1
            wait_s = self.backoff_s(attempt)
            if self._loop.time() + wait_s >= deadline:
                raise _too_late(api, budget_ms, problem) from problem
            await asyncio.sleep(wait_s)

    def backoff_s(self, attempt: int) -> float:
        """The wait before the next try, in seconds, after `attempt` failures."""
        config = self.config
        return backoff_ms(attempt, config.retry_backoff_ms, config.retry_backoff_max_ms, chance.random()) / 1000

    def _is_misrouted(self, code: int, to: Target) -> bool:
        if isinstance(to, Coordinator):
            return code in _TRY_AGAIN
        return to is CONTROLLER and code == ErrorCode.NOT_CONTROLLER

    def _doubt(self, to: Target, problem: ClientError) -> None:
        """Forget what led a request to the wrong broker."""
        if isinstance(to, Coordinator):
            code = getattr(problem, "code", None)
            if code != ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
                self._coordinators.pop((to.kind, to.key), None)
        elif to is not ANY:
            self.want_metadata()

    async def _route(self, to: Target, deadline: float) -> Connection:
        if isinstance(to, Node):
            return await self.connection(to.id)
        if isinstance(to, Coordinator):
            return await self.connection(await self.coordinator(to.kind, to.key))
        if isinstance(to, Leader):
            return await self.connection(await self._leader(to, deadline))
        if to is CONTROLLER and self.metadata.controller_id in self.metadata.nodes:
            return await self.connection(self.metadata.controller_id)
        return await self._any()

    async def _leader(self, to: Leader, deadline: float) -> int:
        attempt = 0
        while True:
            node = self.metadata.leader(to.topic, to.partition)
            if node >= 0:
                return node
            attempt += 1
            self.tracked.setdefault(to.topic, False)
            if self._loop.time() + self.backoff_s(attempt) > deadline:
                topic_partition = (to.topic, to.partition)
                raise ClientTimeoutError("no leader is known in time", topic_partition=topic_partition)
            await self.refresh()
            if self.metadata.leader(to.topic, to.partition) < 0:
                await asyncio.sleep(self.backoff_s(attempt))

    # ── connections ─────────────────────────────────────────────────────────────────────────────────────────────

    def open_connection(self, node_id: int) -> Connection | None:
        """The connection to a broker, if there is one that is usable now."""
        connection = self._connections.get(node_id)
        if connection is None or not connection.is_open or connection.retire_at <= self._loop.time():
            return None
        return connection

    async def connection(self, node_id: int) -> Connection:
        """The connection to a broker, made if need be; waits out the back-off after a failure."""
        if self.closed:
            raise ClosedError("the client is closed")
        connection = self._connections.get(node_id)
        if connection is not None and connection.is_open:
            if connection.retire_at > self._loop.time():
                return connection
            self._retire(connection)
        task = self._connecting.get(node_id)
        if task is None:
            task = self._loop.create_task(self._connect(node_id))
            self._connecting[node_id] = task
            task.add_done_callback(lambda done: self._connected(node_id, done))
        return await asyncio.shield(task)

    async def _connect(self, node_id: int) -> Connection:
        address = self._bootstrap[-1 - node_id] if node_id < 0 else self._address(node_id)
        failures, until, _ = self._failures.get(node_id, (0, 0.0, None))
        wait_s = until - self._loop.time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        try:
            connection = await self.connector.connect(address, node_id)
        except ClientError as problem:
            failures += 1
            wait_ms = backoff_ms(
                failures, self.config.reconnect_backoff_ms, self.config.reconnect_backoff_max_ms, chance.random()
            )
            self._failures[node_id] = (failures, self._loop.time() + wait_ms / 1000, problem)
            log.debug("%s", problem)
            raise
        self._failures.pop(node_id, None)
        return connection

    def _connected(self, node_id: int, task: asyncio.Task[Connection]) -> None:
        self._connecting.pop(node_id, None)
        if task.cancelled() or task.exception() is not None:
            return
        connection = task.result()
        if self.closed:
            connection.close()
            return
        connection.on_lost = self._lost
        self._connections[node_id] = connection

    def _address(self, node_id: int) -> Address:
        node = self.metadata.nodes.get(node_id)
        if node is None:
            raise ConnectError(f"metadata knows no broker {node_id}", stage="dns", broker=str(node_id))
        return node.address

    def _lost(self, connection: Connection, reason: ClientError) -> None:
        if self._connections.get(connection.node_id) is connection:
            del self._connections[connection.node_id]
        if not self.closed:
            log.debug("connection to broker %s lost: %s", connection.name, reason)
            if connection.node_id >= 0:
                self.want_metadata()

    def _retire(self, connection: Connection) -> None:
        """Let a connection whose login expires finish what is on the way; a new one takes its place."""
        del self._connections[connection.node_id]
        connection.on_lost = None

        connection.close_when_idle()

    async def _any(self) -> Connection:
        """A connection to any broker: one that is open, else the one whose failure is the longest ago."""
        idle = [c for c in self._connections.values() if c.is_open and c.retire_at > self._loop.time()]
        known = [c for c in idle if c.node_id >= 0] or idle
        if known:
            return min(known, key=lambda connection: connection.in_flight)
        causes: list[ClientError] = []
        ids = list(self.metadata.nodes) or self._bootstrap_ids()
        chance.shuffle(ids)
        ids.sort(key=lambda node_id: self._failures.get(node_id, (0, 0.0, None))[1])
        if self.metadata.nodes and self.config.metadata_recovery_strategy == "rebootstrap":
            ids += self._bootstrap_ids()
        for node_id in ids:
            try:
                return await self.connection(node_id)
            except AuthenticationError:
                raise
            except ConnectError as problem:
                causes.append(problem)
        text = "; ".join(str(cause) for cause in causes)
        raise NoBrokerError(f"no broker of the cluster can be reached: {text}", causes)

    def _bootstrap_ids(self) -> list[int]:
        return [-1 - index for index in range(len(self._bootstrap))]

    # ── coordinators ────────────────────────────────────────────────────────────────────────────────────────────

    async def coordinator(self, kind: int, key: str) -> int:
        """The id of the broker that coordinates a group (GROUP) or transactional id (TRANSACTION)."""
        found = self._coordinators.get((kind, key))
        if found is not None and found in self.metadata.nodes:
            return found
        task = self._searches.get((kind, key))
        if task is None:
            task = self._loop.create_task(self._search(kind, key))
            self._searches[kind, key] = task
            task.add_done_callback(lambda _: self._searches.pop((kind, key), None))
        return await asyncio.shield(task)

    def forget_coordinator(self, kind: int, key: str) -> None:
        """Search again at the next request: this one was not it."""
        self._coordinators.pop((kind, key), None)

    async def _search(self, kind: int, key: str) -> int:
        def ask(version: int) -> Request:
            if version >= 4:
                return FindCoordinatorRequest(key_type=kind, coordinator_keys=[key])
            return FindCoordinatorRequest(key_type=kind, key=key)

        attempt = 0
        deadline = self._loop.time() + self.config.default_api_timeout_ms / 1000
        while True:
            answer = await self.request(ask, ANY, kind=FindCoordinatorRequest, low=1 if kind else 0)
            found = answer.coordinators[0] if answer.coordinators else answer
            if not found.error_code:
                self.metadata.learn_leader(
                    "", -1, found.node_id, -1, [_Endpoint(found.node_id, found.host, found.port)]
                )
                self._coordinators[kind, key] = found.node_id
                node: int = found.node_id
                return node
            problem = broker_error(found.error_code, found.error_message, api="FindCoordinator")
            attempt += 1
            if not problem.retriable or self._loop.time() + self.backoff_s(attempt) > deadline:
                raise problem
            await asyncio.sleep(self.backoff_s(attempt))

    # ── metadata ────────────────────────────────────────────────────────────────────────────────────────────────

    async def topic(self, name: str, *, may_create: bool = False, timeout_ms: int | None = None) -> TopicView:
        """What is known of a topic, asked for if need be; waits until it exists. The topic is tracked from then on."""
        budget_ms = self.config.default_api_timeout_ms if timeout_ms is None else timeout_ms
        deadline = self._loop.time() + budget_ms / 1000
        self.tracked[name] = self.tracked.get(name, False) or may_create
        attempt = 0
        while True:
            view = self.metadata.topics.get(name)
            if view is not None and view.partitions:
                return view
            told = next((view for view in await self.refresh(deadline=deadline) if view.name == name), None)
            if told is not None and told.partitions:
                return told
            code = told.error if told is not None else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            if not code.retriable and code != ErrorCode.NONE:
                self.tracked.pop(name, None)
                raise broker_error(code, api="Metadata", topic_partition=(name, -1))
            attempt += 1
            wait_s = self.backoff_s(attempt)
            if self._loop.time() + wait_s > deadline:
                self.tracked.pop(name, None)
                raise broker_error(
                    code if code else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
                    f"topic {name!r} is not there after {budget_ms} ms",
                    api="Metadata",
                    hint="create it first, or see whether auto.create.topics.enable is true",
                )
            await asyncio.sleep(wait_s)

    def want_metadata(self) -> None:
        """Ask for new metadata soon; returns at once."""
        if self.closed:
            return
        if self._refresh is None:
            self._begin_refresh(self._refresh_failures)
        else:
            self._refresh_again = True

    async def refresh(
        self, *, timeout_ms: int | None = None, deadline: float | None = None, give_up_at_once: bool = False
    ) -> list[TopicView]:
        """Ask for metadata now and wait for it; returns the topics that the answer told of."""
        if self.closed:
            raise ClosedError("the client is closed")
        if deadline is None:
            deadline = self._loop.time() + (timeout_ms or self.config.default_api_timeout_ms) / 1000
        attempt = 0
        while True:
            try:
                return await self._ask_metadata(deadline)
            except (ConnectError, ConnectionLostError, ClientTimeoutError) as problem:
                attempt += 1
                late = self._loop.time() + self.backoff_s(attempt) >= deadline
                if late or not problem.retriable or (give_up_at_once and isinstance(problem, NoBrokerError)):
                    raise
                await asyncio.sleep(self.backoff_s(attempt))

    def _begin_refresh(self, failures: int) -> None:
        async def run() -> None:
            if failures:
                await asyncio.sleep(self.backoff_s(failures))
            try:
                await self._ask_metadata(self._loop.time() + self.config.request_timeout_ms / 1000)
                self._refresh_failures = 0
            except ClientError as problem:
                self._refresh_failures += 1
                self._refresh_again = True
                level = logging.WARNING if self._refresh_failures == 1 else logging.DEBUG  # once for each outage
                log.log(level, "metadata could not be refreshed: %s", problem)

        self._refresh = self._loop.create_task(run())
        self._refresh.add_done_callback(self._end_refresh)

    def _end_refresh(self, task: asyncio.Task[None]) -> None:
        self._refresh = None
        again, self._refresh_again = self._refresh_again, False
        if again and not self.closed and not task.cancelled():
            self._begin_refresh(max(1, self._refresh_failures))

    async def _ask_metadata(self, deadline: float) -> list[TopicView]:
        names: Iterable[str] | None = None if self.track_all else tuple(self.tracked)
        may_create = any(self.tracked.values())

        def ask(version: int) -> Request:
            topics = None if names is None else [MetadataRequestTopic(name=name) for name in names]
            return MetadataRequest(topics=topics, allow_auto_topic_creation=may_create)

        connection = await self._any()
        version = connection.version(MetadataRequest, 1)
        left_s = max(0.001, min(deadline - self._loop.time(), self.config.request_timeout_ms / 1000))
        answer = await connection.send(ask(version), version, left_s)
        if answer.error_code:
            self.metadata.nodes.clear()  # REBOOTSTRAP_REQUIRED: begin again (KIP-1102)
            raise ConnectError(str(broker_error(answer.error_code)), stage="versions", api="Metadata")
        told = self.metadata.update(answer)
        for listener in tuple(self.listeners):
            listener(told)
        self._schedule_age()
        return told

    def _schedule_age(self) -> None:
        if self._age is not None:
            self._age.cancel()
        self._age = self._loop.call_later(self.config.metadata_max_age_ms / 1000, self.want_metadata)


class _Endpoint(NamedTuple):
    node_id: int
    host: str
    port: int
    rack: str | None = None


def _too_late(api: str, budget_ms: int, problem: ClientError) -> ClientError:
    if isinstance(problem, ConnectError):
        return problem
    return ClientTimeoutError(f"not done after {budget_ms} ms: {problem}", api=api, broker=problem.broker)
