"""AIOKafkaConsumer: `getone`, `getmany`, `async for`; listeners are told while the program reads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from ...client.consumer._columns_cy import Record
from ...client.errors import ClientError
from ..engine import Engine
from ..errors import ConsumerStoppedError, IllegalOperation, IllegalStateError, for_error, for_read_error
from ..settings import deserialized, translate
from .structs import ConsumerRecord, OffsetAndMetadata, OffsetAndTimestamp, TopicPartition

_DEFAULTS = {
    "bootstrap_servers": "localhost:9092", "client_id": "aiokafka", "auto_offset_reset": "latest",
    "isolation_level": "read_uncommitted", "allow_auto_create_topics": True, "group_protocol": "classic",
    "session_timeout_ms": 10_000, "partition_assignment_strategy": "roundrobin",
}  # fmt: skip
_SLICE_S = 3600.0


class ConsumerRebalanceListener:
    """What is called when partitions come and go; its methods may be coroutines."""

    def on_partitions_revoked(self, revoked: Any) -> Any:
        """Before partitions go away."""

    def on_partitions_assigned(self, assigned: Any) -> Any:
        """When partitions came."""


class AIOKafkaConsumer:
    """Topics, and aiokafka's keywords."""

    def __init__(self, *topics: str, **configs: Any) -> None:
        self._configs = configs
        settings = translate(configs, unknown=TypeError, defaults=_DEFAULTS)
        if settings.group_id is None:
            settings = settings.replace(enable_auto_commit=False)
        self._engine = Engine(settings)
        self._wanted: tuple[tuple[str, ...], str | None] = (topics, None)
        self._listener: Any = None
        self._assigned: list[Any] | None = None
        self._state = "new"
        self._reading = asyncio.Lock()

    async def _try(self, work: Any) -> Any:
        try:
            return await work
        except (ClientError, ExceptionGroup) as problem:
            raise for_error(problem) from problem

    async def start(self) -> None:
        """Find the cluster and join the group; waits for the first assignment."""
        self._state = "open"
        await self._try(self._engine.admin())
        await self._apply()
        consumer = self._engine.consumer
        if consumer is not None and consumer.in_group:
            await self._first_assignment()

    async def _first_assignment(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + 30
        while self._engine.consumer is not None and loop.time() < deadline:
            if any(event.kind == "assign" for event in self._engine.events) or self._engine.consumer.assignment:
                await self._serve()
                return
            self._engine.consumer.check()
            await asyncio.wait([self._engine.consumer.arrival()], timeout=0.2)

    async def _apply(self) -> None:
        topics, pattern = self._wanted
        if self._assigned is not None:
            wanted: dict[tuple[str, int], int | None] = {tuple(p): None for p in self._assigned}
            await self._try(self._engine.assign(wanted))
        elif topics or pattern:
            self._engine.callbacks = self._listener is not None
            await self._try(self._engine.subscribe(topics, None if pattern is None else f"(?:{pattern}).*"))

    async def stop(self) -> None:
        """Commit what was given (where that is automatic), leave the group, end."""
        if self._state == "closed":
            return
        self._state = "closed"
        await self._give_up()
        await self._engine.close()

    async def _give_up(self) -> None:
        while self._engine.events:
            self._engine.events.popleft().finish()
        consumer = self._engine.consumer
        if consumer is not None and consumer.in_group and self.assignment():
            await self._tell("revoke", set(self.assignment()))

    async def __aenter__(self) -> AIOKafkaConsumer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # ── subscription ────────────────────────────────────────────────────────────────────────────────────────────────────

    def subscribe(self, topics: Iterable[str] = (), pattern: str | None = None, listener: Any = None) -> None:
        """Read these topics; it is done with `start`, or when the next record is asked for."""
        if self._assigned is not None:
            raise IllegalStateError("Subscription to topics, partitions and pattern are mutually exclusive")
        names = (topics,) if isinstance(topics, str) else tuple(topics)
        self._wanted, self._listener = (names, pattern), listener
        self._change()

    def assign(self, partitions: Iterable[Any]) -> None:
        if any(self._wanted):
            raise IllegalStateError("Subscription to topics, partitions and pattern are mutually exclusive")
        self._assigned = list(partitions)
        self._change()

    def unsubscribe(self) -> None:
        self._wanted, self._assigned = ((), None), None
        self._change()

    def _change(self) -> None:
        self._pending = self._state == "open"

    _pending = False

    async def _settled(self) -> None:
        """Do what `subscribe`, `assign` or `unsubscribe` asked for."""
        if self._state == "closed":
            raise ConsumerStoppedError
        if self._state == "new":
            raise IllegalStateError("Consumer is not started")
        if self._pending:
            self._pending = False
            if self._assigned is None and not any(self._wanted):
                await self._engine.unsubscribe()
            await self._apply()

    def assignment(self) -> frozenset[TopicPartition]:
        consumer = self._engine.consumer
        return frozenset(TopicPartition(*key) for key in consumer.assignment) if consumer is not None else frozenset()

    def subscription(self) -> frozenset[str]:
        return frozenset(self._wanted[0])

    # ── records ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _record(self, record: Record) -> ConsumerRecord:
        key, value, headers = record.key, record.value, record.headers
        read_key, read_value = self._configs.get("key_deserializer"), self._configs.get("value_deserializer")
        return ConsumerRecord(
            record.topic, record.partition, record.offset, record.timestamp, int(record.log_append_time),
            deserialized(read_key, record.topic, headers, key) if key is not None else None,
            deserialized(read_value, record.topic, headers, value) if value is not None else None,
            None, -1 if key is None else len(key), -1 if value is None else len(value), headers,
        )  # fmt: skip

    async def getone(self, *partitions: Any) -> ConsumerRecord:
        """The next record (of these partitions)."""
        if partitions:
            while True:
                found = await self.getmany(*partitions, timeout_ms=1000, max_records=1)
                for rows in found.values():
                    return rows[0]
        while True:
            record = self._engine.local() if not self._pending and self._state == "open" else None
            if record is not None:
                return self._record(record)
            async with self._reading:
                await self._settled()
                if self._engine.buffer and not self._engine.interrupted:
                    continue
                batch = await self._take(self._engine.config.max_poll_records, _SLICE_S)
                if batch is not None and len(batch):
                    self._engine.load(batch)

    async def getmany(
        self, *partitions: Any, timeout_ms: float = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[ConsumerRecord]]:  # fmt: skip
        """What is there, by partition; waits up to `timeout_ms` for the first."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_ms / 1000
        found: dict[TopicPartition, list[ConsumerRecord]] = {}
        only = {tuple(p) for p in partitions} or None
        room = max_records or int(self._configs.get("max_poll_records") or 500)
        async with self._reading:
            await self._settled()
            while True:
                batch = await self._take(room, max(0.0, deadline - loop.time()), only)
                if batch is not None:
                    break
        for record in batch:
            found.setdefault(TopicPartition(record.topic, record.partition), []).append(self._record(record))
        return found

    async def _take(self, room: int, patience_s: float, only: Any = None) -> Any:
        try:
            batch = await self._engine.take(room, patience_s, only)
        except (ClientError, ExceptionGroup) as problem:
            raise for_read_error(problem, self._engine.fetch_offset, TopicPartition) from problem
        if batch is None:
            await self._serve()
        return batch

    async def _serve(self) -> None:
        while self._engine.events:
            event = self._engine.events.popleft()
            try:
                await self._tell(event.kind, {TopicPartition(*key) for key in event.partitions})
            finally:
                event.finish()

    async def _tell(self, kind: str, partitions: set[TopicPartition]) -> None:
        names = {"assign": "on_partitions_assigned", "revoke": "on_partitions_revoked", "lost": "on_partitions_revoked"}
        if self._listener is not None and kind in names:
            result = getattr(self._listener, names[kind])(partitions)
            if result is not None and hasattr(result, "__await__"):
                await result

    def __aiter__(self) -> AIOKafkaConsumer:
        if self._state == "closed":
            raise ConsumerStoppedError
        return self

    async def __anext__(self) -> ConsumerRecord:
        try:
            return await self.getone()
        except ConsumerStoppedError:
            raise StopAsyncIteration from None

    # ── offsets ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _group(self) -> str:
        if self._engine.config.group_id is None:
            raise IllegalOperation("Requires group_id")
        return self._engine.config.group_id

    async def commit(self, offsets: Mapping[Any, Any] | None = None) -> None:
        """Commit {TopicPartition: offset, (offset, metadata) or OffsetAndMetadata}, or all that was given."""
        self._group()
        await self._settled()
        if self._engine.consumer is None:
            return
        wanted: dict[Any, Any] = {}
        for key, value in (self._engine.commit_positions() if offsets is None else offsets).items():
            wanted[tuple(key)] = (value, -1) if isinstance(value, int) else (value[0], -1, value[1])
        await self._try(self._engine.consumer.commit(wanted))

    async def committed(self, partition: Any) -> int | None:
        key = tuple(partition)
        found = (await self._try((await self._engine.admin()).groups.offsets(self._group(), [key]))).get(key)
        return None if found is None or found.offset < 0 else found.offset

    async def position(self, partition: Any) -> int:
        """The offset of the next record; waits until it is known."""
        await self._settled()
        if partition not in self.assignment():
            raise IllegalStateError(f"Partition {partition} is not assigned")
        while True:
            found = self._engine.position(tuple(partition))
            if found is not None:
                return found
            await asyncio.sleep(0.01)

    def highwater(self, partition: Any) -> int | None:
        found = self._position(partition).high_watermark
        return None if found < 0 else int(found)

    def last_stable_offset(self, partition: Any) -> int | None:
        found = self._position(partition).last_stable_offset
        return None if found < 0 else int(found)

    def _position(self, partition: Any) -> Any:
        if partition not in self.assignment() or self._engine.consumer is None:
            raise IllegalStateError(f"Partition {partition} is not assigned")
        return self._engine.consumer.positions.by_key[tuple(partition)]

    def seek(self, partition: Any, offset: Any) -> None:
        if not isinstance(offset, int) or offset < 0:
            raise ValueError("Offset must be a positive integer")
        self._position(partition)
        self._engine.release()
        self._engine.place({tuple(partition): offset})

    async def _seek_all(self, partitions: Iterable[Any], where: int) -> None:
        await self._settled()
        chosen: Any = partitions or self.assignment()
        keys = [p for p in chosen if self._position(p)]
        self._engine.release()
        self._engine.place({tuple(key): where for key in keys})
        for key in keys:
            await self.position(key)

    async def seek_to_beginning(self, *partitions: Any) -> None:
        await self._seek_all(partitions, -2)

    async def seek_to_end(self, *partitions: Any) -> None:
        await self._seek_all(partitions, -1)

    async def seek_to_committed(self, *partitions: Any) -> dict[TopicPartition, int | None]:
        await self._settled()
        found = {TopicPartition(*p): await self.committed(p) for p in partitions or self.assignment()}
        self._engine.release()
        self._engine.place({(key.topic, key.partition): offset for key, offset in found.items()})
        return found

    def pause(self, *partitions: Any) -> None:
        self._pausing(partitions, "pause")

    def resume(self, *partitions: Any) -> None:
        self._pausing(partitions, "resume")

    def _pausing(self, partitions: Iterable[Any], verb: str) -> None:
        keys = [tuple(p) for p in partitions if self._position(p)]
        self._engine.release(everything=True)
        if keys:
            self._engine.on_loop(lambda consumer: getattr(consumer, verb)(*keys))

    def paused(self) -> set[TopicPartition]:
        return {tp for tp in self.assignment() if self._position(tp).paused}

    async def _found(self, partitions: Iterable[Any], at: Any) -> dict[TopicPartition, Any]:
        admin = await self._engine.admin()
        found = await self._try(admin.topics.offsets([tuple(p) for p in partitions], at))
        return {TopicPartition(*key): each for key, each in found.items()}

    async def beginning_offsets(self, partitions: Iterable[Any]) -> dict[TopicPartition, int]:
        return {key: found.offset for key, found in (await self._found(partitions, "earliest")).items()}

    async def end_offsets(self, partitions: Iterable[Any]) -> dict[TopicPartition, int]:
        return {key: found.offset for key, found in (await self._found(partitions, "latest")).items()}

    async def offsets_for_times(self, timestamps: Mapping[Any, int]) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for partition, when in timestamps.items():
            found = (await self._found([partition], when))[partition]
            result[partition] = None if found.offset < 0 else OffsetAndTimestamp(found.offset, found.timestamp)
        return result

    async def topics(self) -> set[str]:
        return set(await self._try((await self._engine.admin()).topics.list(internal=True)))

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        """What is known of a topic that is read; None of another."""
        consumer = self._engine.consumer
        view = consumer.cluster.metadata.topics.get(topic) if consumer is not None else None
        return None if view is None else set(range(len(view.partitions)))


__all__ = ["AIOKafkaConsumer", "ConsumerRebalanceListener", "OffsetAndMetadata"]
