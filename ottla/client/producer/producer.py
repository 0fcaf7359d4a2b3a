"""`Producer`: what a program holds.

    await p.send("orders", value, key="k")        returns when the record is acknowledged
    ack = await p.enqueue("orders", value)        waits for buffer room only; `await ack` later, or never: flush tells
    ack = p.try_enqueue("orders", value)          never waits; BufferFullError
    report = await p.send_many("orders", rows)    an iterable, Arrow table or DataFrame; one answer for all
    async with p.transaction() as tx: ...         commit at the end, abort on an exception

Each verb waits for one thing. A failure is told once: by the ack, the report, or, if nobody asked, by `flush`. The shell here
does what the appender cannot do at once: metadata, waiting for room, serializers. One producer belongs to one event loop;
for threads there is `ottla.sync`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, Unpack
from uuid import UUID

from ...protocol.errors import ErrorCode
from ..chance import chance
from ..cluster import Cluster
from ..config import Config, as_config
from ..errors import (
    BufferFullError,
    ClientError,
    ClientTimeoutError,
    ClosedError,
    DeliveryError,
    RecordTooLargeError,
    broker_error,
)
from ..serde.adapting import added_headers, serializer
from ..serde.pending import SchemaPendingError
from ..settings_types import Settings
from ..telemetry.reporter import Reporter
from . import _append_cy
from ._append_cy import Ack, Appender
from .batch import RecordMetadata
from .identity import IdentityKeeper
from .metrics import ProducerMetrics
from .partitioner import RoundRobin, sticky_partition
from .sender import Sender, batch_memory
from .sending import SendReport, send_many
from .transaction import GroupMember, TransactionManager

K = TypeVar("K")
V = TypeVar("V")

Headers = Mapping[str, bytes | str | None] | Iterable[tuple[str, bytes | str | None]]


class Producer(Generic[K, V]):
    """Sends records. An asynchronous context manager; settings are those of `Config`, as `config` or as keywords.

    `key` and `value` serialize (`ottla.serde`, or any function from an object and a topic to bytes); without, keys and values are
    bytes, str or None. `hooks` sees batches come and go (`ProducerHooks`).
    """

    def __init__(
        self, config: Config | Mapping[str, Any] | str | None = None, *, key: Any = None, value: Any = None,
        hooks: Any = None, **settings: Unpack[Settings],
    ) -> None:  # fmt: skip
        self.config = as_config(config, **settings)
        self.metrics = ProducerMetrics(hooks)
        self._key = serializer(key, "key")
        self._value = serializer(value, "value")
        self._headers = added_headers(self._key, self._value)
        self._partitioner: Callable[[str, bytes | None, int], int] | None = self.config.partitioner
        if self._partitioner is None and self.config.partitioner_class == "round_robin":
            self._partitioner = RoundRobin()
        self._plain = self._key is None and self._value is None and self._partitioner is None
        self._state = "new"
        self._problem: ClientError | None = None
        self._turn_wanted = False
        self._thread_safe_wake: Callable[[Callable[[], None]], Any] | None = None
        self._appender: Appender
        self._sender: Sender
        self._cluster: Cluster
        self._transactions: TransactionManager | None = None
        self._reporter: Reporter | None = None

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self) -> Self:
        """Find the cluster; with transactional.id also take that over. `async with` does it."""
        if self._state != "new":
            raise ClosedError("a producer is started once")
        self._state = "starting"
        config = self.config
        self._cluster = Cluster(config)
        transactional = config.transactional_id is not None
        identity = IdentityKeeper(self._cluster, wanted=_idempotent(config), transactional=transactional)
        if transactional:
            self._transactions = TransactionManager(self._cluster, identity)
        batch_bytes, spare = batch_memory(config)
        self._appender = Appender(
            memory=config.buffer_memory - spare * batch_bytes,
            batch_bytes=batch_bytes,
            record_bytes_max=config.max_request_size,
            clock=time.time,
            make=lambda *place: self._sender.make(*place),
            on_full=lambda batch: self._full(batch),
            on_open=lambda: self._sender.wake(),
            choose=self._choose,
            by_key=not config.partitioner_ignore_keys,
        )
        loop = asyncio.get_running_loop()
        wake = self._thread_safe_wake or loop.call_soon
        self._sender = Sender(self._cluster, self._appender, identity, self.metrics, self._transactions, wake)
        identity.spawn, identity.wake, identity.on_fatal = self._sender.spawn, self._sender.wake, self._fail
        try:
            await self._cluster.start()
            if self._transactions is not None:
                self._transactions.sender = self._sender
                self._appender.stop(True)
                await self._transactions.initialize()
            if config.enable_metrics_push:
                self._reporter = Reporter(self._cluster, self._telemetry)
        except BaseException:
            await self._stop(ClosedError("the producer did not start"))
            raise
        self._state = "open"
        return self

    async def flush(self, timeout_ms: int | None = None) -> None:
        """Wait until everything sent so far is acknowledged; `DeliveryError` if some was not and nobody has asked."""
        if timeout_ms is None:
            await self._sender.drained()
        else:
            try:
                async with asyncio.timeout(timeout_ms / 1000):
                    await self._sender.drained()
            except TimeoutError:
                left = self._sender.unfinished
                raise ClientTimeoutError(f"{left} batches are not acknowledged after {timeout_ms} ms") from None
        self._raise_unseen()

    async def close(self, timeout_ms: int | None = None) -> None:
        """Deliver what was sent, then end. What is not delivered after `timeout_ms` is given up with `ClosedError`."""
        if self._state in ("new", "closed"):
            self._state = "closed"
            return
        self._state = "closed"
        try:
            if self._transactions is None:
                await self.flush(timeout_ms)
        finally:
            await self._stop(self._problem or ClosedError("the producer was closed"))

    async def _stop(self, error: ClientError) -> None:
        self._state = "closed"
        await self._sender.stop(error)
        if self._reporter is not None:
            await self._reporter.close()
        await self._cluster.close()

    def _telemetry(self) -> Any:
        from ..telemetry.metrics import producer_source

        return producer_source(self)

    async def client_instance_id(self, timeout_ms: int | None = None) -> UUID:
        """The id under which the cluster takes this client's metrics (KIP-714)."""
        if self._reporter is None:
            raise ClosedError("enable.metrics.push is false, or the producer is not started")
        return await self._reporter.instance_id(timeout_ms or self.config.default_api_timeout_ms)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self.close()
            return
        try:  # the program's own error goes on; records that were sent before it are delivered all the same
            await self.close()
        except DeliveryError as failed:
            error.add_note(f"ottla: {failed}")

    # ── one record ──────────────────────────────────────────────────────────────────────────────────────────────

    async def send(
        self, topic: str, value: V | None, key: K | None = None, *, headers: Headers | None = None,
        partition: int | None = None, timestamp_ms: int | None = None,
    ) -> RecordMetadata:  # fmt: skip
        """Send a record and wait for its acknowledgement."""
        ack = await self.enqueue(
            topic, value, key, headers=headers, partition=partition, timestamp_ms=timestamp_ms
        )  # fmt: skip
        metadata: RecordMetadata = await ack
        return metadata

    async def enqueue(
        self, topic: str, value: V | None, key: K | None = None, *, headers: Headers | None = None,
        partition: int | None = None, timestamp_ms: int | None = None,
    ) -> Ack:  # fmt: skip
        """Put a record into the buffer, waiting for room (max.block.ms) but not for its acknowledgement."""
        if self._plain:
            ack = self._appender.append(topic, value, key, headers, partition, timestamp_ms)
        else:
            try:
                ack = self._append(topic, value, key, headers, partition, timestamp_ms)
            except SchemaPendingError as pending:
                await pending.wait()
                return await self._enqueue(topic, value, key, headers, partition, timestamp_ms)
        if ack is None:
            return await self._enqueue(topic, value, key, headers, partition, timestamp_ms)
        if self._turn_wanted:
            self._turn_wanted = False
            await asyncio.sleep(0)  # a batch is full: let it go out before the next one fills
        return ack

    def try_enqueue(
        self, topic: str, value: V | None, key: K | None = None, *, headers: Headers | None = None,
        partition: int | None = None, timestamp_ms: int | None = None,
    ) -> Ack:  # fmt: skip
        """Put a record into the buffer without waiting; `BufferFullError` where there is no room.

        The first record to a topic finds no metadata yet: call `partitions(topic)` before.
        """
        if self._plain:
            ack = self._appender.append(topic, value, key, headers, partition, timestamp_ms)
        else:
            try:
                ack = self._append(topic, value, key, headers, partition, timestamp_ms)
            except SchemaPendingError as pending:
                pending.begin()
                raise BufferFullError(pending.message, hint="await `prepare` of the serde before") from pending
        if ack is None:
            self._check_refused(topic, value, key)
            raise BufferFullError(
                "the topic is not known yet" if self._appender.reason == _append_cy.UNKNOWN_TOPIC else "no room",
                hint="await `partitions(topic)` before the first record"
                if self._appender.reason == _append_cy.UNKNOWN_TOPIC
                else "buffer.memory is used up: wait with `enqueue`",
            )
        return ack

    def _append(
        self, topic: str, value: Any, key: Any, headers: Any, partition: int | None, timestamp_ms: int | None
    ) -> Ack | None:
        """Serialize, choose a partition if the program does that, append."""
        if self._key is not None and key is not None:
            key = self._key(key, topic)
        if self._value is not None and value is not None:
            value = self._value(value, topic)
        if self._headers is not None:
            headers = self._headers(topic, key, value, headers)
        if self._partitioner is not None and partition is None:
            entry = self._appender.topic(topic)
            if entry is not None:
                key = key.encode() if isinstance(key, str) else key
                partition = self._partitioner(topic, key, entry.partitions)
        return self._appender.append(topic, value, key, headers, partition, timestamp_ms)

    async def _enqueue(self, topic: str, *record: Any) -> Ack:
        """Append a record after waiting for what it needs: metadata, a partition, room."""
        try:
            ack = self._append(topic, *record)  # it says in `reason` what to wait for
        except SchemaPendingError as pending:
            await pending.wait()
            ack = self._append(topic, *record)
        return ack if ack is not None else await self._wait_and(lambda: self._append(topic, *record), topic, record)

    async def _enqueue_bytes(self, topic: str, value: bytes | None, key: bytes | None) -> Ack:
        """The same for a record that is serialized already."""

        def append() -> Ack | None:
            partition = None
            entry = self._appender.topic(topic)
            if self._partitioner is not None and entry is not None:
                partition = self._partitioner(topic, key, entry.partitions)
            headers = None if self._headers is None else self._headers(topic, key, value, None)
            return self._appender.append(topic, value, key, headers, partition, None)

        ack = append()
        return ack if ack is not None else await self._wait_and(append, topic, (value, key, None, None, None))

    async def _wait_and(self, append: Callable[[], Ack | None], topic: str, record: Any) -> Ack:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.config.max_block_ms / 1000
        while True:
            left_ms = max(0, int((deadline - loop.time()) * 1000))
            await self._wait_for(topic, record, left_ms)
            ack = append()
            if ack is not None:
                return ack
            if loop.time() >= deadline:
                raise ClientTimeoutError(
                    "no room in buffer.memory within max.block.ms",
                    api="Produce",
                    hint="the brokers take records more slowly than they are sent, or cannot be reached",
                )

    async def _wait_for(self, topic: str, record: Any, left_ms: int) -> None:
        """Wait for whatever kept the last append back."""
        reason = self._appender.reason
        self._check_refused(topic, record[0], record[1])
        if self._appender.topic(topic) is None:
            view = await self._cluster.topic(topic, may_create=True, timeout_ms=left_ms)
            self._appender.learn(topic, len(view.partitions))
        elif reason == _append_cy.NO_PARTITION and record[3] is not None:
            await self._wait_for_partition(topic, record[3], left_ms)
        elif reason == _append_cy.NO_ROOM:
            room = asyncio.Event()
            self._sender.on_room(room.set)
            try:
                async with asyncio.timeout(left_ms / 1000):
                    await room.wait()
            except TimeoutError:
                return

    async def _wait_for_partition(self, topic: str, partition: int, left_ms: int) -> None:
        """Wait for a partition that metadata does not know yet: somebody may just have added it."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + left_ms / 1000
        attempt = 0
        while not 0 <= partition < self._count(topic):
            attempt += 1
            wait_s = self._cluster.backoff_s(attempt)
            if partition < 0 or loop.time() + wait_s > deadline:
                raise broker_error(
                    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"the topic has partitions 0 to {self._count(topic) - 1}",
                    api="Metadata", topic_partition=(topic, partition),
                )  # fmt: skip
            await self._cluster.refresh()
            if partition >= self._count(topic):
                await asyncio.sleep(wait_s)

    def _count(self, topic: str) -> int:
        """How many partitions are known."""
        entry = self._appender.topic(topic)
        return 0 if entry is None else entry.partitions

    def _check_refused(self, topic: str, value: Any, key: Any) -> None:
        """Raise what no waiting would help against."""
        if self._problem is not None:
            raise self._problem
        if self._state != "open":
            raise ClosedError("the producer is closed" if self._state == "closed" else "the producer is not started")
        if self._transactions is not None:
            self._transactions.check()
        if self._appender.reason == _append_cy.TOO_LARGE:
            raise RecordTooLargeError(
                f"the record is larger than max.request.size ({self.config.max_request_size}) "
                f"or buffer.memory ({self.config.buffer_memory}) allows",
                topic_partition=(topic, -1),
            )

    async def partitions(self, topic: str, *, timeout_ms: int | None = None) -> int:
        """How many partitions a topic has; asks for metadata if need be, at most `timeout_ms` (max.block.ms) long.

        After it, `try_enqueue` knows the topic.
        """
        if self._appender.topic(topic) is None:
            wait_ms = self.config.max_block_ms if timeout_ms is None else timeout_ms
            view = await self._cluster.topic(topic, may_create=True, timeout_ms=wait_ms)
            self._appender.learn(topic, len(view.partitions))
        return self._count(topic)

    # ── many records, transactions ──────────────────────────────────────────────────────────────────────────────

    async def send_many(self, topic: str, records: Any, *, raise_errors: bool = True) -> SendReport:
        """Send an iterable of values or (key, value), an Arrow table or a DataFrame, and wait for all acknowledgements.

        A table has a column `value` (bytes or text), and may have `key`; without a column `value` each row is one value, as a
        dict. The report has base offsets by partition. Failures raise `DeliveryError`, whose `failures` are the report's,
        unless `raise_errors` is False. Records of an iterator are taken as there is room.
        """
        return await send_many(self, topic, records, raise_errors=raise_errors)

    def transaction(self) -> Transaction[K, V]:
        """A transaction: `async with producer.transaction() as tx`."""
        if self._transactions is None:
            raise ClientError("transactions need the setting transactional.id")
        return Transaction(self, self._transactions)

    # ── inside ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _full(self, batch: Any) -> None:
        self._turn_wanted = True
        self._sender.full(batch)

    def _choose(self, topic: str) -> int:
        return sticky_partition(self._cluster.metadata, topic, self._sender.queues, chance.random())

    def _fail(self, error: ClientError) -> None:
        """This producer cannot go on."""
        self._problem = error
        self._appender.stop(True)
        self._sender.fail_pending(error)

    def _raise_unseen(self) -> None:
        unseen = [batch for batch in self._sender.unseen if not batch.seen]
        self._sender.unseen.clear()
        if unseen:
            for batch in unseen:
                batch.seen = True
            records = sum(batch.records for batch in unseen)
            raise DeliveryError(
                f"{records} records were not delivered; the first: {unseen[0].error}",
                [(batch.topic, batch.partition, batch.records, batch.error) for batch in unseen],
            ) from unseen[0].error


class Transaction(Generic[K, V]):
    """One open transaction. Leaving its block commits; an exception in it, or `abort()`, aborts."""

    def __init__(self, producer: Producer[K, V], manager: TransactionManager) -> None:
        self._producer = producer
        self._manager = manager
        self._over = False
        self.send = producer.send
        self.enqueue = producer.enqueue
        self.try_enqueue = producer.try_enqueue
        self.send_many = producer.send_many

    async def send_offsets(self, offsets: Mapping[tuple[str, int], Any], group: Any) -> None:
        """Commit a consumer group's offsets with the transaction.

        `offsets`: (topic, partition) -> the next offset to read. `group`: the group's id, or a `GroupMember` with the generation
        and member id, which fences a member that the group has left behind.
        """
        member = GroupMember(group) if isinstance(group, str) else group
        await self._manager.send_offsets(offsets, member)

    async def commit(self) -> None:
        """Commit now; the end of the block then does nothing."""
        await self._manager.commit()
        self._over = True

    async def abort(self) -> None:
        """Abort now; the end of the block then does nothing."""
        self._over = True
        await self._manager.abort()

    async def __aenter__(self) -> Self:
        await self._manager.begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._over:
            return
        if error is not None:
            await self.abort()
            return
        try:
            await self.commit()
        except ClientError as problem:
            if not problem.fatal:
                await self.abort()
            raise


def _idempotent(config: Config) -> bool:
    """Kafka's rule: on by default, off where another setting given by the user excludes it."""
    if not config.enable_idempotence:
        return False
    return config.acks == "all" and config.max_in_flight_requests_per_connection <= 5
