"""KafkaConsumer: iteration, `poll` with a dict by partition, listeners that run while the program polls."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...client.consumer._columns_cy import Record
from ...client.errors import ClientError
from ..crossing import Crossing
from ..engine import Engine
from ..errors import IllegalStateError, KafkaConfigurationError, KafkaTimeoutError, for_error, for_read_error
from ..settings import deserialized, translate
from .future import Future
from .structs import ConsumerGroupMetadata, ConsumerRecord, OffsetAndMetadata, OffsetAndTimestamp, TopicPartition

_SLICE_S = 0.2
_DEFAULTS = {
    "bootstrap_servers": "localhost:9092", "client_id": "kafka-python-consumer-1", "auto_offset_reset": "latest",
    "isolation_level": "read_uncommitted", "allow_auto_create_topics": True, "group_protocol": "classic",
}  # fmt: skip


class ConsumerRebalanceListener:
    """What is called when partitions come and go."""

    def on_partitions_revoked(self, revoked: Any) -> Any:
        """Before partitions go away."""

    def on_partitions_assigned(self, assigned: Any) -> Any:
        """When partitions came."""

    def on_partitions_lost(self, lost: Any) -> Any:
        """When partitions are gone already."""
        return self.on_partitions_revoked(lost)


class AsyncConsumerRebalanceListener(ConsumerRebalanceListener):
    """One whose methods are coroutine functions."""


class KafkaConsumer(Crossing):
    """Topics, and kafka-python's keywords."""

    def __init__(self, *topics: str, **configs: Any) -> None:
        self.config = configs
        settings = translate(configs, unknown=KafkaConfigurationError, defaults=_DEFAULTS)
        if settings.group_id is None:
            settings = settings.replace(enable_auto_commit=False)
        timeout = configs.get("consumer_timeout_ms", float("inf"))
        self._timeout_s: float | None = None if timeout == float("inf") or timeout < 0 else timeout / 1000
        self._engine = Engine(settings)
        super().__init__(self._engine, "ottla-kafka-consumer")
        self._listener: Any = None
        self._paused: set[TopicPartition] = set()
        try:
            self._run(self._engine.admin())  # a cluster that cannot be reached is said here
            if topics:
                self.subscribe(topics=topics)
        except BaseException:
            self.close()
            raise

    def _theirs(self, problem: BaseException) -> BaseException:
        return for_read_error(problem, self._engine.fetch_offset, TopicPartition)

    def _refusal(self) -> Exception:
        return IllegalStateError("KafkaConsumer is closed")

    # ── subscription ────────────────────────────────────────────────────────────────────────────────────────────────────

    def subscribe(self, topics: Iterable[str] = (), pattern: str | None = None, listener: Any = None) -> None:
        if isinstance(topics, str):
            topics = [topics]
        self._listener = listener
        self._engine.callbacks = listener is not None
        names = list(topics or ())
        matching = None if pattern is None else f"(?:{pattern}).*"
        self._call(lambda: self._engine.subscribe(names, matching))

    def unsubscribe(self) -> None:
        self._give_up()
        self._call(self._engine.unsubscribe)

    def subscription(self) -> set[str] | None:
        return set(self._engine.topics) or None

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        if self._engine.topics or self._engine.pattern:
            raise IllegalStateError("Subscription to topics, partitions and pattern are mutually exclusive")
        wanted: dict[tuple[str, int], int | None] = {(p.topic, p.partition): None for p in partitions}
        self._call(lambda: self._engine.assign(wanted))

    def assignment(self) -> set[TopicPartition]:
        consumer = self._engine.consumer
        return {TopicPartition(*key) for key in consumer.assignment} if consumer is not None else set()

    # ── records ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def poll(
        self, timeout_ms: float = 0, max_records: int | None = None, update_offsets: bool = True
    ) -> dict[TopicPartition, list[ConsumerRecord]]:  # fmt: skip
        """What is there, by partition; waits up to `timeout_ms` for the first."""
        found: dict[TopicPartition, list[ConsumerRecord]] = {}
        for record in self._take(max_records or self._engine.config.max_poll_records, timeout_ms / 1000):
            found.setdefault(TopicPartition(record.topic, record.partition), []).append(self._record(record))
        return found

    def _take(self, room: int, timeout_s: float) -> Iterable[Record]:
        deadline = time.monotonic() + timeout_s
        while True:
            left = max(0.0, deadline - time.monotonic())
            batch = self._run(self._engine.take(room, min(left, _SLICE_S)))
            if batch is None:
                self._serve()
            elif len(batch) or time.monotonic() >= deadline:
                return batch  # type: ignore[no-any-return]

    def _record(self, record: Record) -> ConsumerRecord:
        key, value = record.key, record.value
        headers = list(record.headers)
        return ConsumerRecord(
            record.topic, record.partition, record.leader_epoch, record.offset, record.timestamp,
            int(record.log_append_time), deserialized(self.config.get("key_deserializer"), record.topic, headers, key),
            deserialized(self.config.get("value_deserializer"), record.topic, headers, value), headers, None,
            -1 if key is None else len(key), -1 if value is None else len(value),
            sum(len(k.encode()) + len(v or b"") for k, v in headers) if headers else -1,
        )  # fmt: skip

    def __iter__(self) -> Iterator[ConsumerRecord]:
        return self

    def __next__(self) -> ConsumerRecord:
        if self._closed:
            raise StopIteration
        deadline = None if self._timeout_s is None else time.monotonic() + self._timeout_s
        while True:
            record = self._engine.local()
            if record is not None:
                return self._record(record)
            left = _SLICE_S if deadline is None else min(_SLICE_S, max(0.0, deadline - time.monotonic()))
            batch = self._run(self._engine.take(self._engine.config.max_poll_records, left))
            if batch is None:
                self._serve()
            elif len(batch):
                self._engine.load(batch)
            elif deadline is not None and time.monotonic() >= deadline:
                raise StopIteration

    def _serve(self) -> None:
        while self._engine.events:
            event = self._engine.events.popleft()
            try:
                self._tell(event.kind, {TopicPartition(*key) for key in event.partitions})
            finally:
                event.finish()

    def _tell(self, kind: str, partitions: set[TopicPartition]) -> None:
        names = {"assign": "on_partitions_assigned", "revoke": "on_partitions_revoked", "lost": "on_partitions_lost"}
        if self._listener is not None and kind in names:
            default: Any = getattr(self._listener, "on_partitions_revoked", None)
            call: Any = getattr(self._listener, names[kind], default)
            result = call(partitions)
            if inspect.iscoroutine(result):  # an AsyncConsumerRebalanceListener
                asyncio.run(result)

    # ── offsets ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _group(self) -> str:
        if self._engine.config.group_id is None:
            raise IllegalStateError("Requires group_id")
        return self._engine.config.group_id

    def commit(self, offsets: Mapping[Any, Any] | None = None, timeout_ms: float | None = None) -> None:
        """Commit {TopicPartition: OffsetAndMetadata}, or all that was given."""
        self._group()
        self._run(self._commit(offsets))

    def commit_async(self, offsets: Mapping[Any, Any] | None = None, callback: Any = None) -> Future:
        self._group()
        future = Future()

        async def run() -> None:
            wanted: Any = offsets
            try:
                wanted = await self._commit(offsets)
            except (ClientError, ExceptionGroup) as problem:
                outcome: Any = for_error(problem)
                future.failure(outcome)
            else:
                outcome = wanted
                future.success(wanted)
            if callback is not None:
                callback(wanted, outcome)

        self._io.loop.call_soon_threadsafe(self._io.loop.create_task, run())
        return future

    async def _commit(self, offsets: Mapping[Any, Any] | None) -> dict[TopicPartition, OffsetAndMetadata]:
        if self._engine.consumer is None:
            return {}
        if offsets is None:
            given = self._engine.commit_positions()
            offsets = {TopicPartition(*key): OffsetAndMetadata(offset) for key, offset in given.items()}
        await self._engine.consumer.commit({tuple(key): (v.offset, -1, v.metadata) for key, v in offsets.items()})
        return dict(offsets)

    def committed(self, partition: Any, metadata: bool = False, timeout_ms: float | None = None) -> Any:
        """The committed offset (or OffsetAndMetadata), or None."""
        key = tuple(partition)
        group = self._group()

        async def ask() -> Any:
            return (await (await self._engine.admin()).groups.offsets(group, [key])).get(key)

        found = self._run(ask())
        if found is None or found.offset < 0:
            return None
        return OffsetAndMetadata(found.offset, found.metadata, found.leader_epoch) if metadata else found.offset

    def position(self, partition: Any, timeout_ms: float | None = None) -> int | None:
        """The offset of the next record; waits until it is known."""
        key = tuple(partition)
        deadline = time.monotonic() + (10.0 if timeout_ms is None else timeout_ms / 1000)
        if partition not in self.assignment():
            raise IllegalStateError("Partition is not assigned")
        while True:
            found: int | None = self._call(lambda: self._engine.position(key))
            if found is not None:
                return found
            if time.monotonic() > deadline:
                raise KafkaTimeoutError("the position is not known yet")
            time.sleep(0.01)

    def highwater(self, partition: Any) -> int | None:
        consumer = self._engine.consumer
        position = consumer.positions.by_key.get(tuple(partition)) if consumer is not None else None
        return None if position is None or position.high_watermark < 0 else position.high_watermark

    def _assigned(self, partition: Any) -> tuple[str, int]:
        if tuple(partition) not in self.assignment():
            raise AssertionError("Unassigned partition")
        return tuple(partition)

    def seek(self, partition: Any, offset: int) -> None:
        key = self._assigned(partition)

        def move() -> None:
            self._engine.release()
            self._engine.place({key: offset})

        self._call(move)

    def seek_to_beginning(self, *partitions: Any) -> None:
        self._seek_all(partitions, -2)

    def seek_to_end(self, *partitions: Any) -> None:
        self._seek_all(partitions, -1)

    def _seek_all(self, partitions: Iterable[Any], where: int) -> None:
        keys = [self._assigned(p) for p in partitions or self.assignment()]

        def move() -> None:
            self._engine.release()
            self._engine.place(dict.fromkeys(keys, where))

        self._call(move)

    def pause(self, *partitions: Any) -> None:
        self._pausing(partitions, "pause")
        self._paused |= set(partitions)

    def resume(self, *partitions: Any) -> None:
        self._pausing(partitions, "resume")
        self._paused -= set(partitions)

    def _pausing(self, partitions: Iterable[Any], verb: str) -> None:
        keys = [self._assigned(p) for p in partitions]

        def act() -> None:
            self._engine.release(everything=True)
            self._engine.on_loop(lambda consumer: getattr(consumer, verb)(*keys))

        if keys:
            self._call(act)

    def paused(self) -> set[TopicPartition]:
        return set(self._paused)

    def _found(self, partitions: Iterable[Any], at: Any) -> dict[TopicPartition, Any]:
        async def ask() -> Any:
            return await (await self._engine.admin()).topics.offsets([tuple(p) for p in partitions], at)

        return {TopicPartition(*key): found for key, found in self._run(ask()).items()}

    def beginning_offsets(self, partitions: Iterable[Any], timeout_ms: float | None = None) -> dict[Any, int]:
        return {key: found.offset for key, found in self._found(partitions, "earliest").items()}

    def end_offsets(self, partitions: Iterable[Any], timeout_ms: float | None = None) -> dict[Any, int]:
        return {key: found.offset for key, found in self._found(partitions, "latest").items()}

    def offsets_for_times(self, timestamps: Mapping[Any, int], timeout_ms: float | None = None) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for partition, when in timestamps.items():
            found = self._found([partition], when)[partition]
            result[partition] = None if found.offset < 0 else OffsetAndTimestamp(*found)
        return result

    def topics(self) -> set[str]:
        async def ask() -> Any:
            return await (await self._engine.admin()).topics.list(
                internal=not self._engine.config.exclude_internal_topics
            )

        return set(self._run(ask()))

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        async def ask() -> Any:
            admin = await self._engine.admin()
            if not await admin.topics.exists(topic):
                return None
            return {p.id for p in (await admin.topics.describe(topic))[topic].partitions}

        found: set[int] | None = self._run(ask())
        return found

    def group_metadata(self) -> ConsumerGroupMetadata:
        consumer = self._engine.consumer
        if consumer is None:
            return ConsumerGroupMetadata(self._group(), -1, "", None)
        return ConsumerGroupMetadata(*consumer.group_member())

    def bootstrap_connected(self) -> bool:
        return self._engine._admin is not None

    def metrics(self, raw: bool = False) -> dict[str, Any]:
        """Our counters, under their group's name."""
        consumer = self._engine.consumer
        return {"consumer-metrics": dict(consumer.metrics) if consumer is not None else {}}

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _give_up(self) -> None:
        while self._engine.events:
            self._engine.events.popleft().finish()
        consumer = self._engine.consumer
        if consumer is not None and consumer.in_group and self.assignment():
            self._tell("revoke", self.assignment())

    def close(self, autocommit: bool = True, timeout_ms: float | None = None) -> None:
        """Commit what was given (where that is automatic), leave the group, end."""
        if self._closed:
            return
        self._give_up()
        self._end()

    def __enter__(self) -> KafkaConsumer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
