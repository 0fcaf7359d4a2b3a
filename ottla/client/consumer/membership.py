"""Keeps a member in its group: does what the state machine asks for, in the background, whatever the reader does.

    machine.next() ──► Ask ──► coordinator link ──► machine.answered
                       Revoke ──► on_revoke (drain, commit, drop) in a task of its own ──► machine.revoked
                       Lost, Assign, Distribute, Fail ──► the consumer
                       Sleep ──► until then, or until `poke`

`CoordinatorLink` is a connection of its own to the group's coordinator: a JoinGroup may wait there for minutes, and what
stands behind it on a connection waits too. Commits go over another one, so that they are not held up by it either.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ...protocol.errors import ErrorCode
from ...protocol.schema import Request
from ..cluster import GROUP, Cluster
from ..errors import ClientError, ClientTimeoutError, ConnectError, ConnectionLostError, broker_error
from ..net import Connection
from ..telemetry.windows import Window
from .assignors.types import TopicAndPartition
from .steps import FOREVER_MS, Ask, Assign, Distribute, Fail, Lost, Revoke, Sleep, Step

log = logging.getLogger("ottla.client")

_MISROUTED = {
    ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
}  # fmt: skip


def new_member_id() -> str:
    """An id as Kafka's own clients make them: a share session takes no other form."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


class CoordinatorLink:
    """A connection of its own to the coordinator of a group."""

    def __init__(self, cluster: Cluster, group: str) -> None:
        self.cluster = cluster
        self.group = group
        self._connection: Connection | None = None
        self._node = -1

    async def send(
        self, request: Request | Callable[[int], Request], *, kind: type[Request] | None = None,
        timeout_ms: int | None = None, low: int = 0, high: int = 32767,
    ) -> Any:  # fmt: skip
        """One try; a code that says "not me" or "not yet" is raised as an error that can be retried."""
        cls = kind or type(request)
        assert issubclass(cls, Request)
        connection = await self._connect()
        version = connection.version(cls, low, high)
        message = request if isinstance(request, Request) else request(version)
        try:
            answer = await connection.send(
                message, version, (timeout_ms or self.cluster.config.request_timeout_ms) / 1000
            )
        except ClientError:
            self.doubt()
            raise
        code = getattr(answer, "error_code", 0)
        if code in _MISROUTED:
            self.doubt()
            raise broker_error(code, broker=connection.name)
        return answer

    def doubt(self) -> None:
        """The coordinator may be another one now."""
        self.cluster.forget_coordinator(GROUP, self.group)
        self._node = -1

    async def retried(self, request: Any, *, timeout_ms: int | None = None, **more: Any) -> Any:
        """`send`, again and again while that may help."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (timeout_ms or self.cluster.config.default_api_timeout_ms) / 1000
        attempt = 0
        while True:
            try:
                return await self.send(request, **more)
            except ClientError as problem:
                attempt += 1
                if not problem.retriable or loop.time() + self.cluster.backoff_s(attempt) > deadline:
                    raise
            await asyncio.sleep(self.cluster.backoff_s(attempt))

    async def _connect(self) -> Connection:
        if self._node < 0:
            self._node = await self.cluster.coordinator(GROUP, self.group)
        connection = self._connection
        now = asyncio.get_running_loop().time()
        if (
            connection is not None
            and connection.is_open
            and connection.node_id == self._node
            and connection.retire_at > now
        ):
            return connection
        if connection is not None:
            connection.close_when_idle()
        known = self.cluster.metadata.nodes.get(self._node)
        if known is None:
            self.doubt()
            raise ConnectError("metadata does not know the coordinator", stage="dns")
        try:
            self._connection = await self.cluster.connector.connect(known.address, self._node)
        except ConnectError:
            self.doubt()
            raise
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class Machine(Protocol):
    """What `classic_group` and `modern_group` have in common."""

    member_id: str
    generation: int
    owned: set[TopicAndPartition]
    rebalances: int

    def next(self, now_ms: float) -> Step: ...
    def answered(self, answer: Any, now_ms: float) -> None: ...
    def failed(self, now_ms: float) -> None: ...
    def revoked(self, now_ms: float) -> None: ...
    def fenced(self) -> None: ...
    def leave(self) -> None: ...
    def changed(self, topics: Any, reason: str) -> None: ...


class Membership:
    """Runs one member until `leave`."""

    def __init__(
        self,
        cluster: Cluster,
        group: str,
        machine: Machine,
        *,
        rebalance_timeout_ms: int,
        on_assign: Callable[[list[TopicAndPartition]], None],
        on_revoke: Callable[[list[TopicAndPartition]], Awaitable[None]],
        on_lost: Callable[[list[TopicAndPartition]], None],
        on_fail: Callable[[BaseException], None],
    ) -> None:
        self.cluster = cluster
        self.machine = machine
        self.link = CoordinatorLink(cluster, group)
        self._long_ms = rebalance_timeout_ms + 5_000
        self._on_assign, self._on_revoke, self._on_lost, self._on_fail = on_assign, on_revoke, on_lost, on_fail
        self._poked = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._drains: set[asyncio.Task[None]] = set()
        self._leaving = False
        self._failures = 0
        #: For telemetry: from the first sign of a rebalance to the new assignment.
        self.rebalance_ms = Window()
        self._rebalance_began_ms: float | None = None

    def start(self) -> None:
        self._task = self._loop.create_task(self._run(), name="ottla group member")
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._on_fail(task.exception())  # type: ignore[arg-type]

    def poke(self) -> None:
        """Something changed: ask the machine again."""
        self._poked.set()

    def now_ms(self) -> float:
        return self._loop.time() * 1000

    async def leave(self) -> None:
        """Leave the group; what was owned has been given up. Waits at most a request's time."""
        self._leaving = True
        if self._task is not None:
            # A drain may wait for a loop body that will never come back; the consumer has committed what was processed.
            for task in (self._task, *self._drains):
                task.cancel()
            await asyncio.gather(self._task, *self._drains, return_exceptions=True)
        self.machine.failed(self.now_ms())  # an Ask that was on the way has no answer any more
        self.machine.leave()
        step = self.machine.next(self.now_ms())
        if isinstance(step, Ask):
            try:
                # Over a fresh connection: a JoinGroup may still wait on the old one.
                self.link.close()
                await self.link.send(step.request, low=step.low)
            except ClientError as problem:
                log.info("the group was not told that a member left: %s", problem)
        self.link.close()

    async def _run(self) -> None:
        while True:
            self._poked.clear()
            step = self.machine.next(self.now_ms())
            self._clock_rebalance(step)
            if isinstance(step, Sleep):
                await self._sleep(step.until_ms)
            elif isinstance(step, Ask):
                await self._ask(step)
            elif isinstance(step, Assign):
                self._on_assign(step.partitions)
            elif isinstance(step, Revoke):
                drain = self._loop.create_task(self._drain(step.partitions))
                self._drains.add(drain)
                drain.add_done_callback(self._drains.discard)
            elif isinstance(step, Lost):
                self._on_lost(step.partitions)
            elif isinstance(step, Distribute):
                await self._distribute(step.topics)
            elif isinstance(step, Fail):
                self._on_fail(step.error)
                return

    def _clock_rebalance(self, step: Step) -> None:
        begins = isinstance(step, Revoke | Lost | Assign) or (isinstance(step, Ask) and step.long)
        if begins and self._rebalance_began_ms is None:
            self._rebalance_began_ms = self.now_ms()
        if isinstance(step, Assign) and self._rebalance_began_ms is not None:
            self.rebalance_ms.add(self.now_ms() - self._rebalance_began_ms)
            self._rebalance_began_ms = None

    async def _sleep(self, until_ms: float) -> None:
        wait_s = None if until_ms == FOREVER_MS else max(0.0, (until_ms - self.now_ms()) / 1000)
        try:
            async with asyncio.timeout(wait_s):
                await self._poked.wait()
        except TimeoutError:
            return

    async def _ask(self, step: Ask) -> None:
        try:
            answer = await self.link.send(
                step.request, low=step.low, timeout_ms=self._long_ms + 30_000 if step.long else None
            )
        except (ConnectError, ConnectionLostError, ClientTimeoutError, ClientError) as problem:
            if not problem.retriable:
                raise
            log.debug("group member: %s", problem)
            self.machine.failed(self.now_ms())
            self._failures += 1
            await asyncio.sleep(self.cluster.backoff_s(self._failures))
            return
        self._failures = 0
        self.machine.answered(answer, self.now_ms())
        code = getattr(answer, "error_code", 0)
        if code:
            log.debug("group member: %s answered %s", type(step.request).__name__, code)

    async def _drain(self, partitions: list[TopicAndPartition]) -> None:
        await self._on_revoke(partitions)
        self.machine.revoked(self.now_ms())
        self.poke()

    async def _distribute(self, topics: frozenset[str]) -> None:
        """The leader assigns: which partitions do these topics have now?"""
        for topic in topics:
            self.cluster.tracked.setdefault(topic, False)
        try:
            await self.cluster.refresh()
        except ClientError as problem:
            log.warning("the leader of the group assigns from old metadata: %s", problem)
        known = self.cluster.metadata.topics
        counts = {topic: len(known[topic].partitions) for topic in topics if topic in known}
        rack_of = {node.id: node.rack for node in self.cluster.metadata.nodes.values() if node.rack}
        racks = {
            (topic, number): frozenset(rack_of[each] for each in part.replicas if each in rack_of)
            for topic in counts if rack_of for number, part in enumerate(known[topic].partitions)
        }  # fmt: skip
        self.machine.distributed(counts, racks)  # type: ignore[attr-defined]
