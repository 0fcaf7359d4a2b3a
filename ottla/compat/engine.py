"""What the three consumers share: a consumer whose subscription may change, and whose callbacks run where the program polls.

    event loop                                        the program's thread (or task)
      Watched (our Consumer) ── assigned, revoked ──►  events ──► the program's callbacks, then `event.finish()`
      BatchLane ── a batch ─────────────────────────►  buffer ──► one record per poll

The other clients hand partitions over only while the program polls. Here too: a revocation waits (at most max.poll.interval.ms)
for the next poll, which counts what was given as processed, throws the buffer away (`release`: it is fetched again where it is
still ours), runs the program's callback, and so lets the group go on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..client.admin.admin import Admin
from ..client.config import Config
from ..client.consumer._columns_cy import Record
from ..client.consumer.batch import Batch
from ..client.consumer.committing import Commit
from ..client.consumer.consumer import Consumer
from ..client.consumer.lanes import BatchLane
from ..client.consumer.positions import Stage
from ..client.errors import AuthenticationError, BrokerError, ClientError, ConnectError
from ..protocol.errors import ErrorCode

Key = tuple[str, int]
_RETRY_S = 0.5


class Event:
    """Something that the program is told when it polls. `kind`: assign, revoke, lost, error, down, eof."""

    def __init__(self, kind: str, partitions: Iterable[Key] = (), error: Exception | None = None) -> None:
        self.kind, self.partitions, self.error = kind, list(partitions), error
        self.offset = -1
        self._done = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def finish(self) -> None:
        """The callback has run; from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(self._done.set)

    async def finished(self, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._done.wait()


class Watched(Consumer[Any, Any]):
    """Our consumer with its inner doors: it tells the engine before a revocation waits for what is in hand."""

    engine: Engine

    async def _revoked(self, partitions: list[Key]) -> None:
        self.engine.interrupted = True
        await super()._revoked(partitions)

    @property
    def lane(self) -> BatchLane:
        return self._batches

    @property
    def is_reading(self) -> bool:
        """It was started: there is a lane."""
        return hasattr(self, "_batches")

    @property
    def in_group(self) -> bool:
        return self._membership is not None

    def wake(self) -> None:
        self._fetcher.wake()

    def arrival(self) -> asyncio.Future[Any]:
        """Done when something has come, or `wake` was called."""
        return self._fetcher.arrival()

    def check(self) -> None:
        """Raise what has failed in the background."""
        self._check()

    def fetch_again(self, first: Mapping[Key, int]) -> None:
        """Read on from these offsets, of partitions that are still ours; what was processed stays so."""
        for key, offset in first.items():
            position = self.positions.by_key.get(key)
            if position is not None and not position.revoking:
                processed = position.processed
                position.start_at(offset)
                position.processed = processed if processed >= 0 else offset
                self._fetcher.drop(position)
        self._fetcher.pump()


class Engine:
    """See the head of the module. All coroutines run on one loop; `local` is for the program's thread."""

    def __init__(self, config: Config, *, wants_eof: bool = False, stores: bool = False) -> None:
        self.config = config
        self.buffer: deque[Record] = deque()
        self.events: deque[Event] = deque()
        #: The buffer is worth nothing any more: cross over to the loop.
        self.interrupted = False
        self.consumer: Watched | None = None
        #: Offsets that the program stored itself to have them committed (librdkafka's enable.auto.offset.store=false).
        self.stored: dict[Key, int] | None = {} if stores else None
        self.callbacks = False
        #: A cluster that cannot be reached is tried again (event "down"), rather than an error of who subscribes.
        self.patient = False
        self.closed = False
        self.topics: tuple[str, ...] = ()
        self.pattern: str | None = None
        self._admin: Admin | None = None
        self._retry_at = 0.0
        self._wants_eof = wants_eof
        self._eof_at: dict[Key, int] = {}
        self._storing: asyncio.Task[None] | None = None

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def admin(self) -> Admin:
        """For what is asked about the cluster."""
        if self._admin is None:
            admin = Admin(self.config)
            await admin.start()
            self._admin = admin
        return self._admin

    def log_in_as(self, username: str, password: str) -> None:
        """Connections that are made from now on show these credentials."""
        self.config = self.config.replace(sasl_username=username, sasl_password=password)
        if self.consumer is not None:
            self.consumer.cluster.connector.config = self.config
        if self._admin is not None:
            self._admin._connections.connector.config = self.config

    async def subscribe(self, topics: Iterable[str] = (), pattern: str | None = None) -> None:
        """Read these topics as a member of the group from now on."""
        names = tuple(dict.fromkeys(topics))
        current = self.consumer
        if current is not None and current.in_group and pattern is None and self.pattern is None:
            self.release()
            self.topics = names
            current.subscribe(*names)
            return
        await self.unsubscribe()
        self.topics, self.pattern = names, pattern
        self._retry_at = 0.0
        await self._join()

    async def _join(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self._retry_at:
            return
        consumer = self._make(*self.topics, pattern=self.pattern)
        try:
            await consumer.start()
        except (BrokerError, ConnectError) as problem:
            await consumer.close()
            missing = isinstance(problem, BrokerError) and problem.code is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            if not missing and (not self.patient or isinstance(problem, BrokerError) or is_login_refused(problem)):
                raise
            if self._retry_at == 0.0:  # said once; it is tried again
                self.events.append(Event("error" if missing else "down", error=problem))
            self._retry_at = loop.time() + _RETRY_S
            return
        self.consumer = consumer
        self._start_storing()

    def _make(self, *topics: str, pattern: str | None = None) -> Watched:
        stores = self.stored is not None
        consumer = Watched(
            self.config,
            *topics,
            pattern=pattern,
            commit=Commit.MANUAL if stores or not self.config.enable_auto_commit else Commit.AFTER,
            on_assign=lambda keys: self._tell(Event("assign", keys)),
            on_revoke=self._revoke,
            on_lost=lambda keys: self._tell(Event("lost", keys)),
        )
        consumer.engine = self
        return consumer

    def _start_storing(self) -> None:
        if self.stored is not None and self.config.enable_auto_commit and self.config.group_id:
            self._storing = asyncio.get_running_loop().create_task(self._commit_stored_now_and_then())

    async def _commit_stored_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self.config.auto_commit_interval_ms / 1000)
            await self.commit_stored(quiet=True)

    async def commit_stored(self, *, quiet: bool = False) -> dict[Key, int]:
        """Commit what the program stored since the last time."""
        offsets = dict(self.stored or {})
        if not offsets or self.consumer is None:
            return {}
        try:
            await self.consumer.commit(offsets)
        except (ClientError, ExceptionGroup):
            if not quiet:
                raise
            return {}
        for key, offset in offsets.items():
            if self.stored is not None and self.stored.get(key) == offset:
                del self.stored[key]
        return offsets

    def _tell(self, event: Event) -> None:
        for key in event.partitions:
            self._eof_at.pop(key, None)
        self.events.append(event)
        self.interrupted = True
        if self.consumer is not None:
            self.consumer.wake()

    async def _revoke(self, partitions: list[Key]) -> None:
        event = Event("revoke", partitions)
        self._tell(event)
        if self.callbacks:
            await event.finished(self.config.max_poll_interval_ms / 1000)
        if self.stored is not None and self.config.enable_auto_commit:
            await self.commit_stored(quiet=True)

    async def assign(self, partitions: Mapping[Key, int | None]) -> None:
        """Read exactly these; an offset of None begins where the group committed, or by the reset policy."""
        if self.consumer is not None and self.consumer.in_group:
            raise RuntimeError("subscribed")
        if self.consumer is None:
            self.consumer = self._make()
            await self.consumer.start()
            self._start_storing()
        self.release()
        self.consumer.assign(list(partitions))
        self.events = deque(event for event in self.events if event.kind != "assign")
        self.place(partitions)

    def place(self, partitions: Mapping[Key, int | None]) -> None:
        """Go to these offsets, of partitions that are assigned: a number, -2 the beginning, -1 the end, None no change."""
        assert self.consumer is not None
        for key, offset in partitions.items():
            if offset is None or key not in self.consumer.positions.by_key:
                continue
            self._eof_at.pop(key, None)
            if offset == -2:
                self.consumer.seek_to_beginning(key)
            elif offset == -1:
                self.consumer.seek_to_end(key)
            elif offset >= 0:
                self.consumer.seek(*key, offset)

    async def unsubscribe(self) -> None:
        """Leave the group and forget what was read."""
        self.topics, self.pattern = (), None
        consumer, self.consumer = self.consumer, None
        if self._storing is not None:
            self._storing.cancel()
            self._storing = None
        if consumer is None:
            return
        self.callbacks = False
        self._finish(consumer)
        if self.stored and self.config.enable_auto_commit:
            self.consumer = consumer
            await self.commit_stored(quiet=True)
            self.consumer = None
        await consumer.close()
        self.events.clear()

    def _finish(self, consumer: Watched) -> None:
        """What was given is processed: closing commits it."""
        if consumer.is_reading:
            self.buffer.clear()
            consumer.lane.put_down()
            consumer.stop()  # who waits for records sees the end

    async def close(self) -> None:
        self.closed = True
        await self.unsubscribe()
        if self._admin is not None:
            await self._admin.close()

    # ── records ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def local(self) -> Record | None:
        """The next record that lies here, if nothing else is to be done before."""
        if self.interrupted or not self.buffer or self.consumer is None:
            return None
        record = self.buffer.popleft()
        self.consumer.lane.given_until(record.topic, record.partition, record.offset)
        return record

    def release(self, *, everything: bool = False) -> None:
        """What was given is processed; what was not given is fetched again, as far as it is ours.

        `everything`: what the lane has left of a run too, so that no more is given of a partition that is paused.
        """
        self.interrupted = False
        consumer = self.consumer
        if consumer is None or not consumer.is_reading:
            return
        first: dict[Key, int] = {}
        for record in self.buffer:
            first.setdefault((record.topic, record.partition), record.offset)
        self.buffer.clear()
        if everything and (left := consumer.lane.give_back()) is not None:
            first.setdefault(*left)
        consumer.lane.put_down()
        consumer.fetch_again(first)

    async def take(self, room: int, patience_s: float, only: set[Key] | None = None) -> Batch | None:
        """A batch, maybe an empty one after `patience_s`; None when there are events to be told first."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_s
        if self.consumer is not None:
            self.release()
        while True:
            if self.events:
                return None
            if self.closed:
                return Batch([])
            consumer = self.consumer
            if consumer is None:
                if self.topics or self.pattern:
                    await self._join()
                    if self.consumer is not None or self.events:
                        continue
                left = deadline - loop.time()
                if left <= 0:
                    return Batch([])
                await asyncio.sleep(min(left, 0.05))
                continue
            lane = consumer.lane
            if only is not None:
                lane.claimed = set(consumer.positions.by_key) - only
            try:
                slices = await lane.collect(room, 0.0, patience_s=0.0)
            finally:
                if only is not None:
                    lane.claimed = set()
            if slices:
                return Batch(slices)
            if self._wants_eof and self._ends():
                continue
            left = deadline - loop.time()
            if left <= 0 or slices is None:
                return Batch([])
            await asyncio.wait([consumer.arrival()], timeout=left)
            if self.interrupted:
                self.release()

    def _ends(self) -> bool:
        assert self.consumer is not None
        found = False
        for key, position in self.consumer.positions.by_key.items():
            end = position.high_watermark
            at = position.delivered
            if position.stage is Stage.FETCH and 0 <= end <= at and self._eof_at.get(key) != at:
                self._eof_at[key] = at
                event = Event("eof", [key])
                event.offset = at
                self.events.append(event)
                found = True
        return found

    def load(self, batch: Batch) -> None:
        """Give a batch record by record."""
        self.buffer.extend(batch)
        if self.consumer is not None:  # nothing of it counts as given yet
            self.consumer.lane.give_by_record()

    def commit_positions(self) -> dict[Key, int]:
        """(topic, partition) -> the offset behind the last record that was given, where something was."""
        consumer = self.consumer
        if consumer is None:
            return {}
        consumer.lane.settle(given=True)
        return {key: p.processed for key, p in consumer.positions.by_key.items() if p.processed >= 0}

    def position(self, key: Key) -> int | None:
        """The offset of the next record that is given; None while it is being found."""
        assert self.consumer is not None
        for record in self.buffer:
            if (record.topic, record.partition) == key:
                return record.offset
        return self.consumer.position(*key)

    def fetch_offset(self, key: Key) -> int:
        """Where the next fetch of a partition begins; -1 where that is not known."""
        position = self.consumer.positions.by_key.get(key) if self.consumer is not None else None
        return -1 if position is None else int(position.fetch_offset)

    def on_loop(self, work: Callable[[Watched], Any]) -> Any:
        """Do something with the consumer; it must be reading."""
        if self.consumer is None:
            raise RuntimeError("the consumer has neither a subscription nor an assignment")
        return work(self.consumer)


def is_login_refused(problem: BaseException) -> bool:
    """Trying again does not help: this client may not log in."""
    causes = getattr(problem, "causes", [])
    return isinstance(problem, AuthenticationError) or any(isinstance(cause, AuthenticationError) for cause in causes)
