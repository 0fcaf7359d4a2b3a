"""Sends what the queues hold: batches into requests, one per broker, several on the way; answers into outcomes.

    appender ──opened / full──► turn: which partitions are ready, which broker leads them, is there room in flight?
                                  └─► one Produce request per broker, one batch per partition ──► connection
    answer ──► per partition: done │ again (after back-off, new metadata) │ split │ failed ──► turn

There is no task that waits: a *turn* runs when something happened (a new batch, a full one, an answer, new metadata, a
timer) and does all that can be done. A batch is ready when it is closed, has lingered for linger.ms, is flushed, or when memory is
short. What it may do within its partition says `queues`; who the producer is says `identity`; what a transaction adds stands in
`transaction`.

Large batches are compressed by gzip or zstd in a thread; their partition waits, the others do not.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ...protocol.apis.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ...protocol.errors import ErrorCode
from ...protocol.schema import ZERO_UUID
from ...records.batch import Compression
from ..backoff import backoff_ms
from ..chance import chance
from ..errors import BrokerError, ClientError, ClientTimeoutError, broker_error
from . import answers
from ._append_cy import Appender
from .batch import NOBODY, Batch
from .queues import PartitionQueue

if TYPE_CHECKING:
    from ..cluster import Cluster
    from ..config import Config
    from ..metadata import TopicView
    from ..net import Connection
    from .identity import IdentityKeeper
    from .metrics import ProducerMetrics
    from .transaction import TransactionManager

log = logging.getLogger("ottla.client.producer")

#: Batches at least so large are compressed in a thread, where the codec is slow.
OFF_LOOP_BYTES = 32 << 10
_SLOW_CODECS = {Compression.GZIP, Compression.ZSTD}
#: Buffers kept to be filled again: fresh memory costs as much as what is written to it.
SPARE_MAX = 8
#: What a request has beside its batches, generously.
REQUEST_OVERHEAD = 512
#: Failed batches whose outcome nobody has asked for, kept for `flush`; the oldest give way.
UNSEEN_MAX = 1000
TOPIC_ID_VERSION = 13
_ACKS = {"all": -1, "1": 1, "0": 0}


def batch_memory(config: Config) -> tuple[int, int]:
    """How large a batch may be, and how many such buffers are kept beside those in use, all within buffer.memory."""
    size = min(config.batch_size, config.max_request_size)
    return size, min(SPARE_MAX, config.buffer_memory // (8 * size))


class Sender:
    """The shell of one producer's batches. Everything but `wake` runs on the loop."""

    def __init__(
        self, cluster: Cluster, appender: Appender, identity: IdentityKeeper, metrics: ProducerMetrics,
        transactions: TransactionManager | None, wake_loop: Callable[[Callable[[], None]], Any],
    ) -> None:  # fmt: skip
        config = cluster.config
        self.cluster = cluster
        self.appender = appender
        self.identity = identity
        self.metrics = metrics
        self.transactions = transactions
        self.config = config
        self.acks = _ACKS[config.acks]
        self.codec = Compression[config.compression_type.upper()]
        levels = {
            Compression.GZIP: config.compression_gzip_level, Compression.LZ4: config.compression_lz4_level,
            Compression.ZSTD: config.compression_zstd_level,
        }  # fmt: skip
        self.level = levels.get(self.codec)
        self.batch_bytes, self.spare_max = batch_memory(config)
        self.queues: dict[tuple[str, int], PartitionQueue] = {}
        #: Batches that are not done, for `flush`.
        self.unfinished = 0
        self.unseen: deque[Batch] = deque(maxlen=UNSEEN_MAX)
        self.flushing = 0
        #: Memory of batches that are done, all of the size of a full one; topics that fill batches.
        self._spare: list[bytearray] = []
        self._busy_topics: set[str] = set()
        self._active: dict[tuple[str, int], PartitionQueue] = {}
        self._idle_waiters: list[asyncio.Future[None]] = []
        self._room_waiters: list[Callable[[], None]] = []
        self._wake_loop = wake_loop
        self._awake = self._stopped = False
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._numbers = itertools.count()
        self._in_flight: dict[int, int] = {}
        self._connecting: set[int] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        cluster.listeners.append(self._on_metadata)

    # ── from the appender, in the thread of the caller ──────────────────────────────────────────────────────────

    def make(self, topic: str, partition: int, limit: int) -> Batch:
        """A new batch for the appender; one of a busy topic gets the memory of one that is done."""
        memory = None
        if topic in self._busy_topics and self._spare:
            with suppress(IndexError):  # another thread took the last
                memory = self._spare.pop()
        return Batch(topic, partition, limit, (next(self._numbers),), self._loop.time(), None, memory)

    def full(self, batch: Batch) -> None:
        """The appender closed a batch, because nothing more goes into it."""
        batch.closed = True
        self._busy_topics.add(batch.topic)
        self.wake()

    def wake(self) -> None:
        """Have a turn soon. The one method that any thread may call."""
        if not self._awake:
            self._awake = True
            self.appender.pause_soon()
            self._wake_loop(self.turn)

    def _absorb(self) -> None:
        """Put the batches that were begun meanwhile into their queues."""
        for batch in self.appender.take_fresh():
            place = (batch.topic, batch.partition)
            queue = self.queues.get(place)
            if queue is None:
                queue = self.queues[place] = PartitionQueue(*place)
            batch.queue = queue
            queue.pending.append(batch)
            self._active[place] = queue
            self.unfinished += 1

    # ── a turn ──────────────────────────────────────────────────────────────────────────────────────────────────

    def turn(self) -> None:
        """Send whatever can be sent, and set the timer for what cannot yet."""
        self._awake = False
        if self._stopped:  # a wake that was on its way when the producer closed
            return
        self._absorb()
        now = self._loop.time()
        self._expire(now)
        next_time = now + 3600.0
        hurry = self.flushing > 0 or bool(self._room_waiters)
        if self.identity.wanted and not self.identity.ready:
            self.identity.obtain()
            next_time = min(next_time, self._first_deadline())
            self._set_timer(next_time)
            return
        while True:
            requests: dict[int, list[Batch]] = {}
            sizes: dict[int, int] = {}
            for place, queue in tuple(self._active.items()):
                batch = queue.first
                if batch is None:
                    if queue.is_empty:
                        del self._active[place]
                    continue
                wait_until = self._ready_at(batch, hurry)
                if wait_until > now:
                    next_time = min(next_time, wait_until)
                elif queue.may_send(self.config.max_in_flight_requests_per_connection):
                    self._offer(queue, batch, requests, sizes)
            if not requests:
                break
            for node, batches in requests.items():
                self._send(node, batches)
        self._set_timer(min(next_time, self._first_deadline()))

    def _ready_at(self, batch: Batch, hurry: bool) -> float:
        if batch.retry_at:
            return batch.retry_at
        if batch.closed or hurry:
            return 0.0
        return batch.created + self.config.linger_ms / 1000

    def _offer(
        self, queue: PartitionQueue, batch: Batch, requests: dict[int, list[Batch]], sizes: dict[int, int]
    ) -> None:
        """Put the first batch of a queue into the request to its leader, if there is room."""
        node = self.cluster.metadata.leader(queue.topic, queue.partition)
        if node < 0:
            self.cluster.tracked.setdefault(queue.topic, False)
            self.cluster.want_metadata()
            return
        if self._in_flight.get(node, 0) >= self.config.max_in_flight_requests_per_connection:
            return
        connection = self.cluster.open_connection(node)
        if connection is None or not connection.is_writable:
            self._connect(node, connection)
            return
        if self.transactions is not None and not self.transactions.may_send(queue.topic, queue.partition, connection):
            return
        self._close(batch)
        if batch.payload is None and not self._pack(batch):
            return
        size = batch.size + REQUEST_OVERHEAD
        so_far = sizes.get(node, 0)
        if so_far and so_far + size > self.config.max_request_size:
            return
        queue.adopt(self.identity.current)
        sequence = queue.number(batch) if self.identity.wanted else -1
        batch.seal(
            queue.identity if self.identity.wanted else NOBODY, sequence, transactional=self.transactions is not None
        )
        queue.sent(batch)
        requests.setdefault(node, []).append(batch)
        sizes[node] = so_far + size

    def _close(self, batch: Batch) -> None:
        """Let the batch take no more records."""
        if not batch.closed:
            entry = self.appender.topic(batch.topic)
            if entry is not None:
                entry.take_open(batch.partition)
            batch.closed = True
            if batch.end < self.batch_bytes // 4:
                self._busy_topics.discard(batch.topic)

    def _pack(self, batch: Batch) -> bool:
        """Make the payload; False where that happens in a thread, after which another turn comes."""
        if self.codec not in _SLOW_CODECS or batch.end < OFF_LOOP_BYTES:
            batch.pack(self.codec, self.level)
            return True
        batch.queue.busy = True

        async def pack() -> None:
            try:
                await self._loop.run_in_executor(None, batch.pack, self.codec, self.level)
            finally:
                batch.queue.busy = False
                self.wake()

        self.spawn(pack())
        return False

    def _connect(self, node: int, connection: Connection | None) -> None:
        """Get a connection, or room in it, without waiting; a turn follows."""
        if node in self._connecting:
            return
        self._connecting.add(node)

        async def connect() -> None:
            try:
                if connection is not None:
                    await connection.drain()
                else:
                    await self.cluster.connection(node)
            except ClientError as problem:
                log.info("%s", problem)
                self._connect_failed(node, problem)
            finally:
                self._connecting.discard(node)
                self.wake()

        self.spawn(connect())

    def _connect_failed(self, node: int, problem: ClientError) -> None:
        self.cluster.want_metadata()
        if not problem.retriable:
            for queue in tuple(self._active.values()):
                if self.cluster.metadata.leader(queue.topic, queue.partition) == node:
                    for batch in queue.drop():
                        self.failed(batch, problem)

    def spawn(self, work: Any) -> None:
        """Run a coroutine of the producer; `stop` ends it."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ── requests and answers ────────────────────────────────────────────────────────────────────────────────────

    def _send(self, node: int, batches: list[Batch]) -> None:
        connection = self.cluster.open_connection(node)
        for batch in batches:
            batch.attempts += 1
            batch.retry_at = 0.0

        def on_answer(answer: Any, error: ClientError | None) -> None:
            self._in_flight[node] -= 1
            self._answered(batches, answer, error, began, connection)

        began = self._loop.time()
        self._in_flight[node] = self._in_flight.get(node, 0) + 1
        try:
            if connection is None:
                raise broker_error(ErrorCode.NETWORK_EXCEPTION, api="Produce")
            high = TOPIC_ID_VERSION if self._has_ids(batches) else TOPIC_ID_VERSION - 1
            version = connection.version(ProduceRequest, high=min(high, self._version_max()))
            request = self._request(batches, version)
            timeout_s = self.config.request_timeout_ms / 1000
            sent = connection.start(request, version, timeout_s, on_answer if self.acks else None)
        except ClientError as problem:
            on_answer(None, problem)
            return
        self.metrics.sent(batches, sent, began)
        if not self.acks:
            self._in_flight[node] -= 1
            for batch in batches:
                batch.queue.answered(batch)
                self.completed(batch, -1, -1, began)

    def _version_max(self) -> int:
        return 32767 if self.transactions is None else self.transactions.produce_version_max

    def _has_ids(self, batches: list[Batch]) -> bool:
        topics = self.cluster.metadata.topics
        return all(batch.topic in topics and topics[batch.topic].id != ZERO_UUID for batch in batches)

    def _request(self, batches: list[Batch], version: int) -> ProduceRequest:
        by_topic: dict[str, list[PartitionProduceData]] = {}
        for batch in batches:
            data = PartitionProduceData(index=batch.partition, records=batch.payload)
            by_topic.setdefault(batch.topic, []).append(data)
        topics = []
        for name, parts in by_topic.items():
            if version >= TOPIC_ID_VERSION:
                topics.append(TopicProduceData(topic_id=self.cluster.metadata.topics[name].id, partition_data=parts))
            else:
                topics.append(TopicProduceData(name=name, partition_data=parts))
        return ProduceRequest(
            transactional_id=self.config.transactional_id, acks=self.acks,
            timeout_ms=self.config.request_timeout_ms, topic_data=topics,
        )  # fmt: skip

    def _answered(
        self, batches: list[Batch], answer: Any, error: ClientError | None, began: float, connection: Connection | None
    ) -> None:
        now = self._loop.time()
        self.metrics.answered(now - began, 0 if answer is None else answer.throttle_time_ms)
        broker = connection.name if connection is not None else None
        for batch in batches:
            batch.queue.answered(batch)
        found = answers.by_batch(batches, answer, self.cluster.metadata) if error is None else {}
        for batch in batches:
            row = found.get((batch.topic, batch.partition))
            if error is not None:
                self._trouble(batch, error, None, now)
            elif row is None:
                why = ClientError("the answer does not speak of this partition", retriable=False)
                self._trouble(batch, why, None, now)
            elif row.error_code == ErrorCode.NONE:
                batch.queue.acknowledged(batch)
                self.completed(batch, row.base_offset, row.log_append_time_ms, began)
            elif row.error_code == ErrorCode.DUPLICATE_SEQUENCE_NUMBER:
                batch.queue.acknowledged(batch)  # it is there, only its offset is not known any more
                self.completed(batch, -1, -1, began)
            else:
                self._trouble(batch, answers.error_of(row, batch, broker), row, now)
        self.wake()

    def _trouble(self, batch: Batch, error: ClientError, row: Any, now: float) -> None:
        """Decide what becomes of a batch that was not acknowledged."""
        queue: PartitionQueue = batch.queue
        code = error.code if isinstance(error, BrokerError) else None
        if row is not None:
            answers.learn(self.cluster.metadata, batch, row)
        if batch.done:  # given up for its age while it was on the way
            return
        if code in answers.STALE_METADATA or code is None:
            self.cluster.want_metadata()
        if code in answers.TOO_LARGE and batch.records > 1:
            self.unfinished += 1
            queue.again(*batch.split())
            batch.payload = None
            batch.drop_data()
            self.appender.release(batch.capacity)
            self._active[batch.topic, batch.partition] = queue
            self.metrics.splits += 1
            return
        again = answers.may_repeat(code, error, batch, queue, transactional=self.transactions is not None)
        if again == answers.RENEW:
            queue.needs_reset = True
            self.identity.renew()
        if again and batch.attempts <= self.config.retries and now < self._deadline(batch):
            batch.retry_at = now + self._backoff(batch)
            queue.again(batch)
            self._active[batch.topic, batch.partition] = queue
            self.metrics.retries += 1
            return
        queue.skip(batch)
        if self.transactions is not None:
            error = self.transactions.as_cause(error)
        self.failed(batch, error, answers.record_errors(row, batch, error))

    def _backoff(self, batch: Batch) -> float:
        first, longest = self.config.retry_backoff_ms, self.config.retry_backoff_max_ms
        return backoff_ms(batch.attempts, first, longest, chance.random()) / 1000

    def completed(self, batch: Batch, base_offset: int, log_append_time: int, began: float) -> None:
        """A batch is delivered."""
        if not batch.done:
            data = batch.take_data()
            batch.complete(base_offset, log_append_time)
            if self.acks and len(data) == self.batch_bytes and len(self._spare) < self.spare_max:
                self._spare.append(data)
            self.metrics.delivered(batch, self._loop.time() - batch.created)
            self._finished(batch)

    def failed(self, batch: Batch, error: ClientError, record_errors: dict[int, ClientError] | None = None) -> None:
        """A batch is given up."""
        if batch.done:
            return
        if error.topic_partition is None:
            error.topic_partition = (batch.topic, batch.partition)
        self.metrics.failed(batch, error)
        self.unseen.append(batch)
        self._close(batch)
        batch.fail(error, record_errors)
        if batch.queue.needs_reset and self.transactions is None:
            self.identity.renew()
        if self.transactions is not None:
            self.transactions.batch_failed(error)
        self._finished(batch)

    def _finished(self, batch: Batch) -> None:
        self.unfinished -= 1
        self.appender.release(batch.capacity)
        self._room()
        if self.unfinished == 0:
            waiters, self._idle_waiters = self._idle_waiters, []
            for future in waiters:
                if not future.done():
                    future.set_result(None)

    def _room(self) -> None:
        """Tell those who wait for buffer.memory that there is some, when there is enough to go on for a while."""
        if self._room_waiters and self.appender.used <= self.config.buffer_memory * 3 // 4:
            waiters, self._room_waiters = self._room_waiters, []
            for callback in waiters:
                callback()

    # ── waiting ─────────────────────────────────────────────────────────────────────────────────────────────────

    def on_room(self, callback: Callable[[], None]) -> None:
        """Call once when there is room in buffer.memory again. Whatever is there is sent without lingering."""
        self._room_waiters.append(callback)
        self.wake()

    async def drained(self) -> None:
        """Wait until every batch is done; none lingers meanwhile."""
        self.flushing += 1
        self._absorb()
        try:
            while self.unfinished:
                future = self._loop.create_future()
                self._idle_waiters.append(future)
                self.wake()
                await future
        finally:
            self.flushing -= 1

    # ── time ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _deadline(self, batch: Batch) -> float:
        return batch.created + self.config.delivery_timeout_ms / 1000

    def _first_deadline(self) -> float:
        heads = [q.in_flight[0] if q.in_flight else q.first for q in self._active.values()]
        times = [self._deadline(batch) for batch in heads if batch is not None and not batch.done]
        return min(times, default=self._loop.time() + 3600.0)

    def _expire(self, now: float) -> None:
        """Give up what is older than delivery.timeout.ms, on its way or not."""
        if not self._active or self._first_deadline() > now:
            return
        before = now - self.config.delivery_timeout_ms / 1000
        for queue in tuple(self._active.values()):
            for batch in queue.expired(before):
                where = f"after {batch.attempts} attempts" if batch.attempts else "in the buffer"
                why = f"{batch.records} records were not acknowledged within delivery.timeout.ms, {where}"
                hint = self.identity.problem or "is the leader of the partition reachable?"
                self.failed(batch, ClientTimeoutError(why, api="Produce", hint=str(hint)))

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._active:
            self._timer = self._loop.call_at(when, self.turn)

    # ── metadata, the end ───────────────────────────────────────────────────────────────────────────────────────

    def _on_metadata(self, views: list[TopicView]) -> None:
        for view in views:
            entry = self.appender.topic(view.name)
            if entry is not None and view.partitions:
                if len(view.partitions) != entry.partitions:
                    self.appender.learn(view.name, len(view.partitions))
            elif view.error and not view.error.retriable:
                self._topic_gone(view)
        self.wake()

    def _topic_gone(self, view: TopicView) -> None:
        """Metadata says that a topic cannot be written to."""
        self.appender.forget(view.name)
        for queue in [queue for (topic, _), queue in self._active.items() if topic == view.name]:
            for batch in queue.drop():
                self.failed(batch, broker_error(view.error, api="Metadata"))

    def fail_pending(self, error: ClientError) -> None:
        """Give up everything that is not on its way."""
        for queue in tuple(self._active.values()):
            for batch in queue.drop():
                self.failed(batch, error)

    def abandon(self, error: ClientError) -> None:
        """Give up, without a word, what a transaction that is aborted has not sent."""
        self._absorb()
        for queue in tuple(self._active.values()):
            for batch in queue.drop():
                batch.seen = True
                self.failed(batch, error)

    async def stop(self, error: ClientError) -> None:
        """Give up everything and end what runs."""
        self._stopped = True
        self.appender.stop(True)
        self._absorb()
        self.fail_pending(error)
        for queue in tuple(self._active.values()):
            for batch in tuple(queue.in_flight):
                queue.answered(batch)
                self.failed(batch, error)
        self._active.clear()
        if self._timer is not None:
            self._timer.cancel()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        waiters, self._room_waiters = self._room_waiters, []
        for callback in waiters:
            callback()
