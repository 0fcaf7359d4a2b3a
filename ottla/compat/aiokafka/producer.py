"""AIOKafkaProducer: `await send(...)` gives a future, `await send_and_wait(...)` its RecordMetadata."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from ...client.errors import ClientError, DeliveryError
from ...client.producer.producer import Producer
from ..errors import IllegalOperation, KafkaConfigurationError, KafkaError, ProducerClosed, for_error
from ..settings import serialized, translate, with_partitioner
from .structs import RecordMetadata, TopicPartition


class BatchBuilder:
    """Records for one partition, for `send_batch`."""

    def __init__(self, limit: int, key_serializer: Any, value_serializer: Any) -> None:
        self._limit, self._size, self._closed = limit, 0, False
        self._serializers = key_serializer, value_serializer
        self.records: list[tuple[Any, ...]] = []

    def append(self, *, timestamp: int | None, key: Any, value: Any, headers: Any = ()) -> Any:
        """Take a record; None where the batch is full."""
        key = serialized(self._serializers[0], "", headers, key)
        value = serialized(self._serializers[1], "", headers, value)
        size = 20 + len(key or b"") + len(value or b"")
        if self._closed or (self.records and self._size + size > self._limit):
            return None
        self._size += size
        self.records.append((key, value, timestamp, headers))
        return (len(self.records) - 1, size)

    def close(self) -> None:
        self._closed = True

    def size(self) -> int:
        return self._size

    def record_count(self) -> int:
        return len(self.records)


class AIOKafkaProducer:
    """Settings are aiokafka's keywords."""

    def __init__(self, **configs: Any) -> None:
        defaults = {"bootstrap_servers": "localhost", "client_id": "aiokafka-producer-1", "linger_ms": 0}
        idempotent = bool(configs.get("enable_idempotence") or configs.get("transactional_id"))
        given = {k: v for k, v in configs.items() if not (k == "acks" and not isinstance(v, int | str))}
        given["enable_idempotence"] = idempotent
        if not idempotent:
            given.setdefault("acks", 1)
        defaults["bootstrap_servers"] = "localhost:9092"
        settings = translate(given, unknown=TypeError, defaults=defaults)
        settings = with_partitioner(settings, configs.get("partitioner"))
        self._configs = configs
        self._producer: Producer[Any, Any] = Producer(settings)
        self._state = "new"
        self._transaction: Any = None
        self._futures: set[asyncio.Future[Any]] = set()

    async def start(self) -> None:
        await self._try(self._producer.start())
        self._state = "open"

    async def stop(self) -> None:
        """Deliver, then end."""
        if self._state == "open":
            self._state = "closed"
            try:
                await self._producer.close()
            except DeliveryError:
                return  # each future has its error

    async def __aenter__(self) -> AIOKafkaProducer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _try(self, work: Any) -> Any:
        try:
            return await work
        except (ClientError, ExceptionGroup) as problem:
            raise for_error(problem) from problem

    async def send(
        self, topic: str, value: Any = None, key: Any = None, partition: int | None = None,
        timestamp_ms: int | None = None, headers: Any = None,
    ) -> asyncio.Future[RecordMetadata]:  # fmt: skip
        """Put a record into the buffer (waiting for room); the future gets its RecordMetadata."""
        if value is None and key is None:
            raise AssertionError("Need at least one: key or value")
        raw_key = serialized(self._configs.get("key_serializer"), topic, headers, key)
        raw = serialized(self._configs.get("value_serializer"), topic, headers, value)
        return await self._send(topic, raw, raw_key, partition, timestamp_ms, headers)

    async def _send(
        self, topic: str, value: Any, key: Any, partition: int | None, timestamp_ms: int | None, headers: Any
    ) -> asyncio.Future[RecordMetadata]:  # fmt: skip
        if self._state != "open":
            raise ProducerClosed
        if self._configs.get("transactional_id") is not None and self._transaction is None:
            raise IllegalOperation("Can't send messages while not in transaction")
        for what in (key, value):
            if what is not None and not isinstance(what, bytes | bytearray | memoryview):
                raise TypeError(f"Unsupported type for key or value: {type(what)}")
        stamp = timestamp_ms if timestamp_ms is not None else int(time.time() * 1000)
        ack = await self._try(
            self._producer.enqueue(
                topic, value, key, headers=headers or None, partition=partition, timestamp_ms=stamp
            )
        )  # fmt: skip
        future: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        self._futures.add(future)

        def finished(ack: Any) -> None:
            self._futures.discard(future)
            problem = ack.exception()
            if future.done():
                return
            if problem is not None:
                future.set_exception(for_error(problem))
                return
            at = ack.result(0)
            own = at.timestamp is None or at.timestamp < 0
            where = TopicPartition(at.topic, at.partition)
            future.set_result(
                RecordMetadata(
                    at.topic, at.partition, where, at.offset, stamp if own else at.timestamp, 0 if own else 1
                )
            )

        ack.add_done_callback(finished)
        return future

    async def send_and_wait(
        self, topic: str, value: Any = None, key: Any = None, partition: int | None = None,
        timestamp_ms: int | None = None, headers: Any = None,
    ) -> RecordMetadata:  # fmt: skip
        return await (await self.send(topic, value, key, partition, timestamp_ms, headers))

    async def flush(self) -> None:
        """Wait until all is acknowledged or failed."""
        try:
            await self._producer.flush()
        except DeliveryError:
            return  # each future has its error

    async def partitions_for(self, topic: str) -> set[int]:
        return set(range(await self._try(self._producer.partitions(topic))))

    def create_batch(self) -> BatchBuilder:
        """For `send_batch`."""
        limit = int(self._configs.get("max_batch_size", 16384))
        return BatchBuilder(limit, self._configs.get("key_serializer"), self._configs.get("value_serializer"))

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> asyncio.Future[Any]:
        """Send what a builder holds; the future gets the RecordMetadata of its first record."""
        batch.close()
        futures = [
            await self._send(topic, value, key, partition, stamp, headers)
            for key, value, stamp, headers in batch.records
        ]
        whole: asyncio.Future[Any] = asyncio.ensure_future(_first(futures))
        return whole

    # ── transactions ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def begin_transaction(self) -> None:
        self._transactional()
        transaction = self._producer.transaction()
        await self._try(transaction.__aenter__())
        self._transaction = transaction

    async def commit_transaction(self) -> None:
        self._transactional()
        transaction, self._transaction = self._open(), None
        await self._try(transaction.commit())

    async def abort_transaction(self) -> None:
        self._transactional()
        transaction, self._transaction = self._open(), None
        await self._try(transaction.abort())

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """`async with producer.transaction()`: commits, or aborts on an exception."""

        @asynccontextmanager
        async def block() -> AsyncIterator[None]:
            await self.begin_transaction()
            try:
                yield
            except BaseException:
                if self._transaction is not None:
                    await self.abort_transaction()
                raise
            if self._transaction is not None:
                await self.commit_transaction()

        return block()

    async def send_offsets_to_transaction(self, offsets: Mapping[Any, Any], group_id: str) -> None:
        """Commit {TopicPartition: offset or OffsetAndMetadata} for a group with the transaction."""
        self._transactional()
        wanted = {tuple(key): getattr(value, "offset", value) for key, value in offsets.items()}
        await self._try(self._open().send_offsets(wanted, group_id))

    def _transactional(self) -> None:
        if self._configs.get("transactional_id") is None:
            raise IllegalOperation("You need to configure transaction_id to use transactions")

    def _open(self) -> Any:
        if self._transaction is None:
            raise IllegalOperation("Not in the middle of a transaction")
        return self._transaction


async def _first(futures: list[asyncio.Future[RecordMetadata]]) -> RecordMetadata | None:
    found = await asyncio.gather(*futures)
    return found[0] if found else None


__all__ = ["AIOKafkaProducer", "KafkaConfigurationError", "KafkaError"]
