"""Brings record batches of the assigned partitions here, ahead of the reader, within a bound of memory.

    Positions ──► what each broker shall send ──► FetchSession ──► Fetch (one on the way per broker, own connection)
                                                                        │
    Chunk: a partition's part of an answer, not yet read ◄──────────────┘
      │ reader: next_columns() one run at a time, decompressed only then
      ▼
    Columns

A partition is asked for again at once, from behind what already lies here, until `prefetch.bytes` lie here; one answer per
broker may come on top. Fetch has connections of its own, because a long poll would hold up whatever stands behind it.
Errors of a partition are handled where they are seen (another leader, a log that was truncated, an offset out of range);
those only a user can judge end up in the chunk queue and are raised where the records would have been.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from ...protocol.apis.fetch import FetchRequest
from ...protocol.errors import ErrorCode, KafkaError
from ..cluster import Cluster
from ..errors import BadResponseError, BrokerError, ClientError, ConnectError, broker_error, error_code
from ..memory import Pool
from ..net import Connection
from ..telemetry.windows import Window
from ._columns_cy import Columns
from ._runs_cy import Aborted, read_run, scan
from .assignors.types import TopicAndPartition
from .fetch_session import FetchSession, Wanted
from .positions import Position, Positions, Stage
from .schemas import missing, wanting

log = logging.getLogger("ottla.client")

#: More than the broker waits for records; then the connection is dead.
FETCH_PATIENCE_MS = 30_000
#: A partition of which so much lies here is not asked for; the share of prefetch.bytes may be less.
PREFETCH_SHARE_BYTES = 4 << 20
_MOVED = {
    ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.FENCED_LEADER_EPOCH, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode.REPLICA_NOT_AVAILABLE, ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.UNKNOWN_TOPIC_ID,
    ErrorCode.INCONSISTENT_TOPIC_ID, ErrorCode.LEADER_NOT_AVAILABLE, ErrorCode.UNKNOWN_LEADER_EPOCH,
    ErrorCode.OFFSET_NOT_AVAILABLE,
}  # fmt: skip


class Chunk:
    """A partition's part of one answer, read run by run."""

    __slots__ = ("aborted", "buffer", "end", "error", "next_offset", "place", "position", "ready", "size", "turn")

    def __init__(
        self, position: Position, buffer: Any, aborted: Aborted | None, error: ClientError | None = None
    ) -> None:
        self.position = position
        self.turn = position.turn
        self.buffer = buffer
        self.place = 0
        self.end = 0 if buffer is None else len(buffer)
        self.next_offset = position.fetch_offset
        self.aborted = aborted
        self.error = error
        #: A run that was read and waited for its schemas.
        self.ready: Columns | None = None
        self.size = self.end

    @property
    def is_stale(self) -> bool:
        """A seek or a rebalance came in between."""
        return self.turn != self.position.turn or self.position.revoking


class Fetcher:
    """One per consumer. Everything runs on the loop."""

    def __init__(
        self,
        cluster: Cluster,
        positions: Positions,
        readers: tuple[Any, Any],
        on_resolve: Callable[[], None],
    ) -> None:
        self.cluster = cluster
        self.config = cluster.config
        self.positions = positions
        self.readers = readers
        self._wanting = wanting(readers)
        #: Partitions that wait for schemas; nothing of them is given until these are here.
        self._loading: dict[TopicAndPartition, asyncio.Future[Any]] = {}
        self.chunks: deque[Chunk] = deque()
        self.buffered_bytes = 0
        self.closed = False
        #: Memory of answers and of the columns that are made of them.
        self.pool = Pool()
        self._waiters: list[asyncio.Future[None]] = []
        #: For telemetry: how long Fetch took, and how long readers waited for records.
        self.latency_ms = Window()
        self.idle_s = 0.0
        self.metrics = {"fetches": 0, "fetched_bytes": 0, "fetch_errors": 0, "truncations": 0, "dead_letters": 0}
        self._on_resolve = on_resolve
        self._loop = asyncio.get_running_loop()
        self._connections: dict[int, Connection] = {}
        self._sessions: dict[int, FetchSession] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._kick: asyncio.TimerHandle | None = None
        self._read_committed = self.config.isolation_level == "read_committed"

    def now_ms(self) -> float:
        return self._loop.time() * 1000

    def wake(self) -> None:
        """Have every reader look again."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def arrival(self) -> asyncio.Future[None]:
        """Done as soon as there is something new to look at."""
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters.append(waiter)
        return waiter

    async def idle(self, wait_s: float | None) -> None:
        """Wait for something new, at most so long; counted as time without work."""
        arrival, began = self.arrival(), self._loop.time()
        if wait_s is None:
            await arrival
        else:
            await asyncio.wait([arrival], timeout=wait_s)
        self.idle_s += self._loop.time() - began

    # ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────

    def pump(self) -> None:
        """Have a Fetch on the way to each broker that could send something we have room for."""
        if self.closed or self.buffered_bytes >= self.config.prefetch_bytes:
            return
        for node in {self._node(position) for position in self.positions.by_key.values() if self._wants(position)}:
            if node >= 0 and node not in self._tasks:
                task = self._tasks[node] = self._loop.create_task(self._poll(node))
                task.add_done_callback(lambda _, node=node: self._polled(node))  # type: ignore[misc]

    def _polled(self, node: int) -> None:
        task = self._tasks.pop(node)
        if task.cancelled():
            return
        problem = task.exception()
        if problem is not None:
            self.fail(problem)
            return
        self.pump()

    def fail(self, problem: BaseException) -> None:
        """An error that is nobody's fault here: the reader gets it."""
        error = problem if isinstance(problem, ClientError) else BadResponseError(f"reading failed: {problem!r}")
        error.__cause__ = problem if error is not problem else error.__cause__
        self.chunks.append(Chunk(Position("", -1), None, None, error))
        self.wake()

    def _wants(self, position: Position) -> bool:
        if position.stage is not Stage.FETCH or position.paused or position.revoking:
            return False
        now = self.now_ms()
        if position.retry_at_ms > now:
            self._kick_in(position.retry_at_ms - now)
            return False
        # One partition shall not take all the room while others have nothing here. And what is read soon after it came
        # is read from the processor's caches, in buffers that go round; one Fetch is on the way meanwhile.
        share = max(self.config.max_partition_fetch_bytes, min(PREFETCH_SHARE_BYTES, self.config.prefetch_bytes // 2))
        return position.buffered_bytes < share

    def _kick_in(self, wait_ms: float) -> None:
        if self._kick is None:
            self._kick = self._loop.call_later(max(wait_ms, 1) / 1000, self._kicked)

    def _kicked(self) -> None:
        self._kick = None
        self.pump()

    def _node(self, position: Position) -> int:
        leader = self.cluster.metadata.leader(position.topic, position.partition)
        if leader < 0:
            self.cluster.tracked.setdefault(position.topic, False)
            self.cluster.want_metadata()
            self._kick_in(100)
            return -1
        return position.replica(leader, self.now_ms())

    async def _connection(self, node: int) -> Connection:
        connection = self._connections.get(node)
        if connection is not None and connection.is_open and connection.retire_at > self._loop.time():
            return connection
        if connection is not None:
            connection.close_when_idle()
        known = self.cluster.metadata.nodes.get(node)
        if known is None:
            raise ConnectError(f"metadata knows no broker {node}", stage="dns", broker=str(node))
        self._sessions[node] = FetchSession()
        connection = await self.cluster.connector.connect(known.address, node)
        connection.pool = self.pool
        if self.closed:
            connection.close()
        self._connections[node] = connection
        return connection

    async def _poll(self, node: int) -> None:
        """One Fetch and what comes of it."""
        try:
            connection = await self._connection(node)
        except ConnectError as problem:
            if not problem.retriable:
                raise
            await self._unreachable(node)
            return
        wanted = self._wanted(node)
        if not wanted:
            return
        session = self._sessions[node]
        version = connection.version(FetchRequest, 4)
        if any(want.topic_id == bytes(16) for want in wanted.values()):
            version = min(version, 12)
        request = FetchRequest(
            max_wait_ms=self.config.fetch_max_wait_ms,
            min_bytes=self.config.fetch_min_bytes,
            max_bytes=self.config.fetch_max_bytes,
            isolation_level=int(self._read_committed),
            rack_id=self.config.client_rack or "",
        )
        request = session.build(wanted, request, version >= 13)
        turns = {key: self.positions.by_key[key].turn for key in wanted}
        patience_s = (self.config.fetch_max_wait_ms + FETCH_PATIENCE_MS) / 1000
        try:
            began = self.now_ms()
            answer = await connection.send(request, version, patience_s)
            self.latency_ms.add(self.now_ms() - began)
        except ClientError as problem:
            session.reset()
            if isinstance(problem, BadResponseError):
                raise
            await self._unreachable(node)
            return
        self.metrics["fetches"] += 1
        self._take(node, session, answer, turns)

    async def _unreachable(self, node: int) -> None:
        """Wait a little, learn who leads now, and ask the leader instead of a replica."""
        for position in self.positions.by_key.values():
            if position.preferred_replica == node:
                position.preferred_replica = -1
        self.cluster.want_metadata()
        self.metrics["fetch_errors"] += 1
        await asyncio.sleep(self.cluster.backoff_s(2))

    def _wanted(self, node: int) -> dict[TopicAndPartition, Wanted]:
        wanted = {}
        metadata = self.cluster.metadata
        for key, position in self.positions.by_key.items():
            if not self._wants(position) or self._node(position) != node:
                continue
            view = metadata.topics[position.topic]
            epoch = view.partitions[position.partition].leader_epoch
            if position.leader_epoch >= 0 and epoch > position.leader_epoch and position.fetch_epoch >= 0:
                position.stage = Stage.CHECK
                position.leader_epoch = epoch
                self._on_resolve()
                continue
            position.leader_epoch = epoch
            wanted[key] = Wanted(view.id, position.fetch_offset, epoch, -1, self.config.max_partition_fetch_bytes)
        return wanted

    # ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _take(self, node: int, session: FetchSession, answer: Any, turns: dict[TopicAndPartition, int]) -> None:
        code = error_code(answer.error_code)
        if code:
            session.reset()
            if code in (ErrorCode.FETCH_SESSION_ID_NOT_FOUND, ErrorCode.INVALID_FETCH_SESSION_EPOCH, ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR):  # fmt: skip
                return
            if code in _MOVED:
                self.cluster.want_metadata()
                return
            if not code.retriable:
                raise broker_error(code, api="Fetch", broker=str(node))
            return
        session.accepted(answer.session_id)
        names = self.cluster.metadata.names
        for topic in answer.responses:
            name = topic.topic or names.get(topic.topic_id, "")
            for part in topic.partitions:
                key = (name, part.partition_index)
                position = self.positions.by_key.get(key)
                if position is None or position.turn != turns.get(key) or position.revoking:
                    continue
                self._take_partition(position, part, answer.node_endpoints)

    def _take_partition(self, position: Position, part: Any, endpoints: list[Any]) -> None:
        if part.error_code:
            self._partition_error(position, error_code(part.error_code), part, endpoints)
            return
        position.failures = 0
        position.high_watermark = part.high_watermark
        position.last_stable_offset = part.last_stable_offset if self._read_committed else -1
        position.log_start_offset = part.log_start_offset
        if part.preferred_read_replica >= 0:
            position.prefer(part.preferred_read_replica, self.now_ms())
        records = part.records
        if not records:
            return
        data = memoryview(records)
        behind, epoch, place = scan(data, 0, len(data))
        if behind <= position.fetch_offset:
            # Not one whole batch, though a broker sends the first one whole; or only what lies before what was asked.
            self._fail_partition(position, BadResponseError(
                f"{len(data)} bytes came for offset {position.fetch_offset}, but no whole record batch that reaches it",
                api="Fetch", topic_partition=position.key,
                hint="the broker or its log is damaged" if place else "fetch.max.bytes of a broker before Kafka 0.10.1?",
            ))  # fmt: skip
            return
        aborted = None
        if self._read_committed:
            aborted = Aborted([(row.first_offset, row.producer_id) for row in part.aborted_transactions or ()])
        chunk = Chunk(position, data[:place], aborted)
        position.fetch_offset, position.fetch_epoch = behind, epoch
        position.buffered_bytes += chunk.size
        self.buffered_bytes += chunk.size
        self.metrics["fetched_bytes"] += chunk.size
        self.chunks.append(chunk)
        self.wake()

    def _partition_error(self, position: Position, code: ErrorCode, part: Any, endpoints: list[Any]) -> None:
        self.metrics["fetch_errors"] += 1
        position.failures += 1
        position.retry_at_ms = self.now_ms() + 1000 * self.cluster.backoff_s(position.failures)
        if code == ErrorCode.OFFSET_OUT_OF_RANGE:
            if position.preferred_replica >= 0:
                position.preferred_replica = -1  # a follower may lag; the leader decides
                position.retry_at_ms = 0.0
                return
            position.restart(None)
            self._on_resolve()
        elif code in _MOVED:
            position.preferred_replica = -1
            hint = part.current_leader
            learned = hint.leader_id >= 0 and self.cluster.metadata.learn_leader(
                position.topic, position.partition, hint.leader_id, hint.leader_epoch, endpoints
            )
            if learned:
                position.retry_at_ms = 0.0
            else:
                self.cluster.want_metadata()
        elif code.retriable and code != ErrorCode.CORRUPT_MESSAGE:
            return
        else:
            self._fail_partition(position, broker_error(code, api="Fetch", topic_partition=position.key))

    def _fail_partition(self, position: Position, error: ClientError) -> None:
        """The reader gets the error in the partition's turn, then the partition is asked for again later."""
        position.retry_at_ms = self.now_ms() + 1000
        chunk = Chunk(position, None, None, error)
        self.chunks.append(chunk)
        self.wake()

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    def next_columns(self, wanted: Callable[[Position], bool] | None = None) -> tuple[Position, Columns] | None:
        """The next run of records, in the order of arrival; None where there is none here. Raises what went wrong."""
        chunks = self.chunks
        skipped: list[Chunk] = []
        found = None
        while chunks:
            chunk = chunks[0]
            if chunk.is_stale:
                self._done(chunks.popleft())
                continue
            position = chunk.position
            if (
                position.paused
                or position.key in self._loading
                or (wanted is not None and chunk.error is None and not wanted(position))
            ):
                skipped.append(chunks.popleft())
                continue
            if chunk.error is not None:
                chunks.popleft()
                chunks.extendleft(reversed(skipped))
                raise chunk.error
            columns, chunk.ready = chunk.ready, None
            if columns is None:
                columns = self._run(chunk)
                if columns is not None and self._wanting and self._load_schemas(chunk, columns):
                    skipped.append(chunks.popleft())
                    continue
            if chunk.place >= chunk.end:
                self._done(chunks.popleft())
            if columns is not None:
                found = (position, columns)
                break
        chunks.extendleft(reversed(skipped))
        if self.buffered_bytes < self.config.prefetch_bytes:
            self.pump()
        return found

    def _load_schemas(self, chunk: Chunk, columns: Columns) -> bool:
        """Whether this run has to wait for schemas; the reader is woken when they are here, or cannot be had."""
        load = missing(self._wanting, [columns])
        if load is None:
            return False
        key = chunk.position.key
        chunk.ready = columns
        self._loading[key] = waiting = asyncio.ensure_future(load)

        def loaded(_: Any) -> None:
            self._loading.pop(key, None)
            self.wake()

        waiting.add_done_callback(loaded)
        return True

    def _run(self, chunk: Chunk) -> Columns | None:
        position = chunk.position
        try:
            columns, chunk.place, chunk.next_offset = read_run(
                chunk.buffer, chunk.place, chunk.end, chunk.next_offset, position.topic, position.partition,
                chunk.aborted, self.config.check_crcs, self.config.max_decompressed_bytes, self.pool,
            )  # fmt: skip
        except KafkaError as problem:
            offset = chunk.next_offset
            self._done(self.chunks.popleft())
            position.start_at_fault(offset)
            raise BrokerError(
                problem.code,
                str(problem),
                api="Fetch",
                topic_partition=position.key,
                retriable=False,
                hint=_way_on(problem.code, offset),
            ) from problem
        if columns is None:
            # Nothing to give, but the position moves on: markers, aborted transactions, what compaction left.
            position.passed(chunk.next_offset)
            return None
        columns.read_key, columns.read_value = self.readers
        return columns

    def _done(self, chunk: Chunk) -> None:
        chunk.position.buffered_bytes -= chunk.size
        self.buffered_bytes -= chunk.size

    def drop(self, position: Position) -> None:
        """Throw away what lies here of a partition (its `turn` has changed)."""
        for chunk in [chunk for chunk in self.chunks if chunk.position is position]:
            self.chunks.remove(chunk)
            self._done(chunk)

    async def close(self) -> None:
        self.closed = True
        if self._kick is not None:
            self._kick.cancel()
        tasks = [*self._tasks.values(), *self._loading.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in self._connections.values():
            connection.close()
        self.chunks.clear()
        self.wake()


def _way_on(code: ErrorCode, offset: int) -> str:
    """What somebody can do about a batch that cannot be read."""
    step = f"consumer.seek behind offset {offset} steps over it"
    return f"max.decompressed.bytes is the limit; {step}" if code == ErrorCode.MESSAGE_TOO_LARGE else step
