"""The synchronous consumer: the same verbs, for threads. Batches cross the threads, records do not.

    for record in consumer        batches are fetched by the I/O thread; records are made of them in the caller's
    consumer.batches(…)           one crossing per batch

A record is processed when the loop comes back for the next one; a batch, when all of it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

from ..blocking import BlockingClient
from ..offsets import Committed, Found
from ._columns_cy import Record
from .assignors.types import TopicAndPartition
from .batch import Batch
from .consumer import Consumer as AsyncConsumer
from .reading import read as async_read

K = TypeVar("K")
V = TypeVar("V")


class Consumer(BlockingClient, Generic[K, V]):
    """Reads topics; for one thread at a time. `ottla.Consumer` describes arguments and verbs."""

    def __init__(self, config: Any = None, *topics: str, **options: Any) -> None:
        self._arguments = (config, topics, options)
        self._consumer: AsyncConsumer[K, V]
        super().__init__()

    async def _start(self) -> None:
        config, topics, options = self._arguments
        self._consumer = AsyncConsumer(config, *topics, **options)
        await self._consumer.start()

    async def _stop(self, timeout_ms: int | None) -> None:
        await self._consumer.close()

    def __iter__(self) -> Iterator[Record]:
        lane = self._consumer._batches
        for batch in self.batches():
            offsets: Iterator[Record] = iter(batch)
            for record in offsets:
                lane.given_until(record.topic, record.partition, record.offset)
                yield record

    def poll(self, timeout_s: float = 0.0, max_records: int | None = None) -> Batch:
        """What is here, or comes within `timeout_s`; may be empty. What an earlier call gave counts as processed."""

        async def take() -> Batch:
            consumer = self._consumer
            consumer._batches.done()
            room = max_records or consumer.config.max_poll_records
            return Batch(await consumer._batches.collect(room, 0.0, patience_s=timeout_s) or [])

        return self._run(take())

    def batches(self, max_records: int | None = None, max_wait: str | int | timedelta = 0) -> Iterator[Batch]:
        """Batches; one is processed when the loop comes back for the next."""
        items = self._consumer.batches(max_records, max_wait)
        try:
            yield from self._io.iterate(items)
        finally:
            self._run(items.aclose())  # type: ignore[attr-defined]

    def stop(self) -> None:
        """End every iteration after what is in hand; from any thread, or a signal handler."""
        self._io.loop.call_soon_threadsafe(self._consumer.stop)

    def _call(self, name: str, *arguments: Any, **options: Any) -> Any:
        async def call() -> Any:
            result = getattr(self._consumer, name)(*arguments, **options)
            return await result if hasattr(result, "__await__") else result

        return self._run(call())

    @property
    def assignment(self) -> set[TopicAndPartition]:
        return self._consumer.assignment

    @property
    def metrics(self) -> dict[str, int]:
        return self._consumer.metrics

    def client_instance_id(self, timeout_ms: int | None = None) -> UUID:
        """The id under which the cluster takes this client's metrics (KIP-714)."""
        return self._run(self._consumer.client_instance_id(timeout_ms))

    def commit(self, offsets: Mapping[TopicAndPartition, Any] | None = None) -> None:
        """Commit these offsets; without any, all that was given until now."""
        self._call("commit", offsets)

    def committed(self, partitions: Iterable[TopicAndPartition] | None = None) -> dict[TopicAndPartition, Committed]:
        found: dict[TopicAndPartition, Committed] = self._call("committed", partitions)
        return found

    def position(self, topic: str, partition: int) -> int | None:
        found: int | None = self._call("position", topic, partition)
        return found

    def lag(self) -> dict[TopicAndPartition, int | None]:
        found: dict[TopicAndPartition, int | None] = self._call("lag")
        return found

    def offsets_for_time(
        self, when: Any, partitions: Iterable[TopicAndPartition] = ()
    ) -> dict[TopicAndPartition, Found]:
        found: dict[TopicAndPartition, Found] = self._call("offsets_for_time", when, partitions)
        return found

    def beginning_offsets(self, partitions: Iterable[TopicAndPartition]) -> dict[TopicAndPartition, int]:
        found: dict[TopicAndPartition, int] = self._call("beginning_offsets", partitions)
        return found

    def end_offsets(self, partitions: Iterable[TopicAndPartition]) -> dict[TopicAndPartition, int]:
        found: dict[TopicAndPartition, int] = self._call("end_offsets", partitions)
        return found

    def seek(self, topic: str, partition: int, offset: int) -> None:
        self._call("seek", topic, partition, offset)

    def seek_to_beginning(self, *partitions: TopicAndPartition) -> None:
        self._call("seek_to_beginning", *partitions)

    def seek_to_end(self, *partitions: TopicAndPartition) -> None:
        self._call("seek_to_end", *partitions)

    def seek_to_time(self, when: datetime | timedelta, *partitions: TopicAndPartition) -> None:
        self._call("seek_to_time", when, *partitions)

    def pause(self, *partitions: TopicAndPartition) -> None:
        self._call("pause", *partitions)

    def resume(self, *partitions: TopicAndPartition) -> None:
        self._call("resume", *partitions)

    def assign(self, partitions: Any) -> None:
        self._call("assign", partitions)

    def subscribe(self, *topics: str) -> None:
        self._call("subscribe", *topics)


def read(config: Any, topic: str, **options: Any) -> Batch:
    """`ottla.read` for threads: what is in a topic between two moments."""
    import asyncio

    return asyncio.run(async_read(config, topic, **options))
