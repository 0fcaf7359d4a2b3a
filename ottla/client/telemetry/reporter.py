"""Runs one client's telemetry session: sleeps, asks, pushes; and says a last word when the client closes.

    Producer, Consumer ──► Reporter ──► Session (what next?) ──► any broker that has the two APIs

A broker without a receiver of telemetry does not tell of the APIs in ApiVersions: then nothing is asked of it, nothing is collected, and
the parts behind this module are not even loaded; the next look is after the default interval. What goes wrong here is said in the log
and harms nobody.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ..chance import chance
from ..errors import ClientError, ClientTimeoutError, UnsupportedError

if TYPE_CHECKING:
    from ..cluster import Cluster
    from .metrics import Source
    from .session import Session

log = logging.getLogger("ottla.client.telemetry")

GET_KEY, PUSH_KEY = 71, 72
#: When to look again whether the cluster has a receiver now.
LOOK_AGAIN_S = 300.0
#: A client that closes waits no longer than this for its last push.
LAST_PUSH_S = 2.0


class Reporter:
    """One per client; `close` it before its cluster."""

    def __init__(self, cluster: Cluster, source: Callable[[], Source]) -> None:
        self.cluster = cluster
        self._make_source = source
        self._source: Source | None = None
        self._session: Session | None = None
        self._loop = asyncio.get_running_loop()
        #: Since when counters count, for what the cluster gets.
        self._began_ms = int(time.time() * 1000)
        self._known = asyncio.Event()
        self._task = self._loop.create_task(self._run())

    def _now_ms(self) -> float:
        return self._loop.time() * 1000

    async def instance_id(self, timeout_ms: int) -> UUID:
        """The id that the cluster gave this client; `UnsupportedError` where it has no receiver of telemetry."""
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                if not self._known.is_set() and await self._connection() is None:
                    raise UnsupportedError(
                        "no broker of the cluster takes client telemetry", api="GetTelemetrySubscriptions"
                    )
                await self._known.wait()
        except TimeoutError:
            raise ClientTimeoutError(
                f"the cluster gave no id within {timeout_ms} ms", api="GetTelemetrySubscriptions"
            ) from None
        assert self._session is not None
        return UUID(bytes=self._session.instance_id)

    async def close(self) -> None:
        """End it, with a last push if the cluster wants metrics."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        session = self._session
        if session is None or session.step != "push" or not session.is_wanted:
            return
        try:
            async with asyncio.timeout(LAST_PUSH_S):
                await self._push(session, terminating=True)
        except (TimeoutError, ClientError) as problem:
            log.info("the last metrics were not pushed: %s", problem)

    async def _run(self) -> None:
        try:
            while True:
                session = self._session
                if session is not None:
                    await asyncio.sleep(max(0.0, min(session.at_ms - self._now_ms(), 86_400_000.0)) / 1000)
                    if session.at_ms > self._now_ms():
                        continue
                if not await self._step():
                    await asyncio.sleep(LOOK_AGAIN_S)
        except Exception:
            log.exception("telemetry of this client ended")

    async def _step(self) -> bool:
        """Ask or push; False where no broker takes it."""
        try:
            if await self._connection() is None:
                return False
            if self._session is None:
                from .session import Session

                self._session, self._source = Session(self._now_ms()), self._make_source()
            if self._session.step == "get":
                await self._get(self._session)
            else:
                await self._push(self._session)
        except ClientError as problem:
            log.debug("telemetry: %s", problem)
            if self._session is None:
                return False
            self._session.unanswered(self._now_ms())
        return True

    async def _connection(self) -> Any:
        connection = await self.cluster._any()
        return connection if {GET_KEY, PUSH_KEY} <= connection.versions.keys() else None

    async def _get(self, session: Session) -> None:
        from ...protocol.apis.get_telemetry_subscriptions import GetTelemetrySubscriptionsRequest

        answer = await self._ask(GetTelemetrySubscriptionsRequest(client_instance_id=session.instance_id))
        session.subscribed(answer, self._now_ms(), chance.random())
        if not answer.error_code:
            self._known.set()

    async def _push(self, session: Session, *, terminating: bool = False) -> None:
        from ...protocol.apis.push_telemetry import PushTelemetryRequest
        from ...records.compression import Compression, compress
        from .otlp import encode

        assert self._source is not None
        numbers = session.select(self._source.numbers())
        resource = {name: value for name, value in self._source.resource().items() if value}
        now_ms = int(time.time() * 1000)

        def packed() -> bytes:
            plain = encode(numbers, resource, began_ms=self._began_ms, now_ms=now_ms, delta=session.delta)
            return compress(Compression(session.codec), plain)

        data = packed()
        if len(data) > session.size_max > 0:
            numbers = [number for number in numbers if not number.labels]  # one per node and partition
            data = packed()
        request = PushTelemetryRequest(
            client_instance_id=session.instance_id, subscription_id=session.subscription_id, terminating=terminating,
            compression_type=session.codec, metrics=data,
        )  # fmt: skip
        answer = await self._ask(request)
        if answer.error_code:
            log.debug("a push of metrics was refused: %s", answer.error_code)
        elif session.delta:
            self._began_ms = now_ms
        session.pushed(answer.error_code, [number for number in numbers if number.counter], self._now_ms())

    async def _ask(self, request: Any) -> Any:
        connection = await self._connection()
        if connection is None:
            raise UnsupportedError(
                "the broker takes no client telemetry", api=type(request).__name__.removesuffix("Request")
            )
        timeout_s = self.cluster.config.request_timeout_ms / 1000
        return await connection.send(request, connection.version(type(request)), timeout_s)
