"""Consumer: `poll` and `consume` over the engine; rebalance callbacks run in them, as in librdkafka."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

from ...client.consumer._columns_cy import Record
from ...client.errors import ClientError
from ...client.producer.transaction import GroupMember
from ..crossing import Crossing
from ..engine import Engine, Event, Key
from .config import flag, merged, translate
from .errors import KafkaError, KafkaException, as_exception, as_kafka_error
from .hooks import Hooks
from .types import (
    OFFSET_BEGINNING,
    OFFSET_END,
    OFFSET_INVALID,
    OFFSET_STORED,
    TIMESTAMP_CREATE_TIME,
    TIMESTAMP_LOG_APPEND_TIME,
    TIMESTAMP_NOT_AVAILABLE,
    Message,
    TopicPartition,
)

log = logging.getLogger("ottla.compat")
_SLICE_S = 0.2  # Ctrl-C is heard in a wait
_BUFFERED = 500


def as_message(record: Record, deliveries: int | None = None) -> Message:
    """A record of ours as a Message."""
    stamp = record.timestamp
    kind = TIMESTAMP_LOG_APPEND_TIME if record.log_append_time else TIMESTAMP_CREATE_TIME
    return Message(
        record.topic, record.partition, record.offset, record.key, record.value, list(record.headers) or None, None,
        (kind, stamp) if stamp >= 0 else (TIMESTAMP_NOT_AVAILABLE, 0), None,
        record.leader_epoch if record.leader_epoch >= 0 else None, deliveries,
    )  # fmt: skip


class Consumer(Crossing):
    """See the head of the module."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        settings = merged(*arguments, **more)
        if "group.id" not in settings:
            raise ValueError("Failed to create consumer: group.id must be set")
        self._settings = settings
        config = translate(settings, consumer=True)
        self._on_commit = settings.get("on_commit")
        self._stores = not flag(settings, "enable.auto.offset.store", True)
        engine = Engine(config, wants_eof=flag(settings, "enable.partition.eof", False), stores=self._stores)
        engine.patient = True
        super().__init__(engine, "ottla-confluent-consumer")
        self._engine = engine
        self._hooks = Hooks(self, settings, self._numbers)
        self._callbacks: dict[str, Any] = {}
        self._commits: deque[tuple[KafkaError | None, list[TopicPartition]]] = deque()
        self._ready: list[Message] = []
        self._admin: Any = None

    def _theirs(self, problem: BaseException) -> BaseException:
        return as_exception(problem)

    def _refusal(self) -> Exception:
        return RuntimeError("Consumer closed")

    # ── subscription ────────────────────────────────────────────────────────────────────────────────────────────────────

    def subscribe(
        self, topics: list[str], on_assign: Any = None, on_revoke: Any = None, on_lost: Any = None
    ) -> None:  # fmt: skip
        """Read these topics with the group; a name that begins with ^ is a regular expression."""
        if not isinstance(topics, list):
            raise TypeError("expected list of topic unicode strings")
        self._callbacks = {"assign": on_assign, "revoke": on_revoke, "lost": on_lost}
        self._engine.callbacks = True
        patterns = [topic for topic in topics if topic.startswith("^")]
        if not patterns:
            self._call(lambda: self._engine.subscribe(topics))
            return
        import re

        parts = [f"{topic[1:]}.*" if topic.startswith("^") else re.escape(topic) for topic in topics]
        self._call(lambda: self._engine.subscribe(pattern="|".join(parts)))

    def unsubscribe(self) -> None:
        self._give_up()
        self._call(self._engine.unsubscribe)

    def assign(self, partitions: list[TopicPartition]) -> None:
        """Read exactly these. In an `on_assign` callback: begin at these offsets."""
        wanted = {p._key: _offset(p.offset) for p in partitions}
        self._ready.clear()
        if self._subscribed():
            self._call(lambda: self._engine.place(wanted))
        else:
            self._call(lambda: self._engine.assign(wanted))

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        if self._subscribed():
            self.assign(partitions)
            return
        have = {p._key: None for p in self.assignment()}
        self._call(lambda: self._engine.assign({**have, **{p._key: _offset(p.offset) for p in partitions}}))

    def unassign(self) -> None:
        if not self._subscribed():
            self._call(lambda: self._engine.assign({}) if self._engine.consumer else None)

    def incremental_unassign(self, partitions: list[TopicPartition]) -> None:
        if not self._subscribed():
            gone = {p._key for p in partitions}
            left: dict[Key, int | None] = {p._key: None for p in self.assignment() if p._key not in gone}
            self._call(lambda: self._engine.assign(left))

    def _subscribed(self) -> bool:
        consumer = self._engine.consumer
        return bool(self._engine.topics or self._engine.pattern or (consumer and consumer.in_group))

    def assignment(self) -> list[TopicPartition]:
        consumer = self._engine.consumer
        return [TopicPartition(*key) for key in sorted(consumer.assignment)] if consumer is not None else []

    # ── records ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def poll(self, timeout: float | None = -1) -> Message | None:
        """The next record, or an error as a message; None after `timeout` seconds."""
        return self._next(None if timeout is None or timeout < 0 else timeout)

    def consume(self, num_messages: int = 1, timeout: float | None = -1) -> list[Message]:
        """Up to so many, until `timeout` seconds have passed."""
        if num_messages < 0 or num_messages > 1_000_000:
            raise ValueError("num_messages must be between 0 and 1000000 (1M)")
        deadline = None if timeout is None or timeout < 0 else time.monotonic() + timeout
        found: list[Message] = []
        while len(found) < num_messages:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            message = self._next(left)
            if message is None:
                break
            found.append(message)
        return found

    def _next(self, timeout_s: float | None) -> Message | None:
        if self._closed:
            raise RuntimeError("Consumer closed")
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            self._hooks.serve()
            self._serve_commits()
            if self._ready:
                return self._ready.pop(0)
            record = self._engine.local()
            if record is not None:
                return as_message(record)
            left = _SLICE_S if deadline is None else min(_SLICE_S, max(0.0, deadline - time.monotonic()))
            try:
                batch = self._io.run(self._engine.take(_BUFFERED, left))
            except (ClientError, ExceptionGroup) as problem:
                error = as_kafka_error(problem)
                self._hooks.failed(error)
                return Message(error=error)
            if batch is None:
                self._serve()
            elif len(batch):
                self._engine.load(batch)
            elif deadline is not None and time.monotonic() >= deadline:
                return None

    def _serve(self) -> None:
        """Tell the program what happened."""
        while self._engine.events:
            event = self._engine.events.popleft()
            try:
                self._tell(event)
            finally:
                event.finish()

    def _tell(self, event: Event) -> None:
        if event.kind == "down":
            assert event.error is not None
            self._hooks.failed(as_kafka_error(event.error))
            return
        if event.kind == "error":
            assert event.error is not None
            error = as_kafka_error(event.error)
            topic = getattr(event.error, "topic_partition", None)
            name = topic[0] if topic else next(iter(self._engine.topics), None)
            text = f"Subscribed topic not available: {name}: {KafkaError(error.code()).str()}"
            self._ready.append(Message(name, -1, OFFSET_INVALID, error=KafkaError(error.code(), text)))
            return
        if event.kind == "eof":
            ((topic_name, number),) = event.partitions
            text = f"Fetch from broker reached end of partition at offset {event.offset} (HighwaterMark {event.offset})"
            self._ready.append(Message(topic_name, number, event.offset, error=KafkaError(-191, text)))
            return
        callback = self._callbacks.get(event.kind)
        if callback is None and event.kind == "lost":
            callback = self._callbacks.get("revoke")
        if callback is not None and (event.partitions or event.kind == "assign"):
            callback(self, [TopicPartition(*key) for key in sorted(event.partitions)])

    # ── offsets ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def commit(
        self, message: Message | None = None, offsets: list[TopicPartition] | None = None, asynchronous: bool = True
    ) -> list[TopicPartition] | None:  # fmt: skip
        """Commit a message's offset + 1, these offsets, or all that was given (or stored)."""
        if message is not None and offsets is not None:
            raise ValueError("message and offsets are mutually exclusive")
        if message is not None:
            if message.error() is not None:
                raise KafkaException(KafkaError(-186))
            wanted: dict[Key, Any] = {(str(message.topic()), int(message.partition() or 0)): _behind(message)}
        elif offsets is not None:
            wanted = {p._key: (p.offset, -1, p.metadata or "") for p in offsets if p.offset >= 0}
        elif self._stores:
            wanted = dict(self._engine.stored or {})
        else:
            wanted = self._call(self._engine.commit_positions)
        if not wanted:
            if asynchronous:
                return None
            raise KafkaException(KafkaError(-168))
        work = self._commit(wanted)
        if asynchronous:
            self._io.loop.call_soon_threadsafe(self._io.loop.create_task, self._commit_in_background(work, wanted))
            return None
        self._run(work)
        return [TopicPartition(*key, _number(value)) for key, value in wanted.items()]

    async def _commit(self, offsets: dict[Key, Any]) -> None:
        if self._engine.consumer is None:  # nothing is read: the group is asked all the same
            await self._engine.assign({})
        assert self._engine.consumer is not None
        await self._engine.consumer.commit(offsets)
        for key, value in offsets.items():
            if self._engine.stored is not None and self._engine.stored.get(key) == _number(value):
                del self._engine.stored[key]

    async def _commit_in_background(self, work: Any, offsets: dict[Key, Any]) -> None:
        error = None
        try:
            await work
        except (ClientError, ExceptionGroup) as problem:
            error = as_kafka_error(problem)
            log.warning("a commit failed: %s", error)
        if self._on_commit is not None:
            self._commits.append((error, [TopicPartition(*key, _number(value)) for key, value in offsets.items()]))

    def _serve_commits(self) -> None:
        """`on_commit` is called where the program polls."""
        while self._commits:
            self._on_commit(*self._commits.popleft())  # type: ignore[misc]

    def _numbers(self) -> dict[str, Any]:
        consumer = self._engine.consumer
        return {"type": "consumer", **(consumer.metrics if consumer is not None else {})}

    def store_offsets(self, message: Message | None = None, offsets: list[TopicPartition] | None = None) -> None:
        """Have these offsets committed by the next automatic commit; needs enable.auto.offset.store=false."""
        if not self._stores or self._engine.stored is None:
            raise KafkaException(KafkaError(-186, "enable.auto.offset.store must be set to false"))
        if message is not None:
            self._engine.stored[str(message.topic()), int(message.partition() or 0)] = _behind(message)
        for each in offsets or ():
            self._engine.stored[each._key] = each.offset

    def committed(self, partitions: list[TopicPartition], timeout: float | None = -1) -> list[TopicPartition]:
        async def ask() -> Any:
            admin = await self._engine.admin()
            return await admin.groups.offsets(str(self._engine.config.group_id), [p._key for p in partitions])

        found = self._run(ask())
        for each in partitions:
            known = found.get(each._key)
            each.offset = known.offset if known is not None and known.offset >= 0 else OFFSET_INVALID
            each.metadata = known.metadata or None if known is not None else None
        return partitions

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """The offset behind the last record that was given; OFFSET_INVALID before the first."""
        found = self._call(self._engine.commit_positions)
        given = self._engine.consumer
        for each in partitions:
            seen = given is not None and each._key in given.positions.by_key
            at = found.get(each._key, OFFSET_INVALID) if seen else OFFSET_INVALID
            each.offset = at if at >= 0 else OFFSET_INVALID
        return partitions

    def seek(self, partition: TopicPartition) -> None:
        if partition._key not in {p._key for p in self.assignment()}:
            raise KafkaException(KafkaError(-172, "Failed to seek to offset: Local: Erroneous state"))

        def move() -> None:
            self._engine.release()
            self._engine.place({partition._key: _offset(partition.offset)})

        self._call(move)

    def pause(self, partitions: list[TopicPartition]) -> None:
        self._pausing(partitions, "pause")

    def resume(self, partitions: list[TopicPartition]) -> None:
        self._pausing(partitions, "resume")

    def _pausing(self, partitions: Iterable[TopicPartition], verb: str) -> None:
        def act() -> None:
            self._engine.release(everything=True)
            self._engine.on_loop(lambda consumer: getattr(consumer, verb)(*[p._key for p in partitions]))

        self._call(act)

    def get_watermark_offsets(
        self, partition: TopicPartition, timeout: float | None = -1, cached: bool = False
    ) -> tuple[int, int] | None:  # fmt: skip
        async def ask() -> tuple[int, int]:
            admin = await self._engine.admin()
            low = await admin.topics.offsets([partition._key], "earliest")
            high = await admin.topics.offsets([partition._key], "latest")
            return low[partition._key].offset, high[partition._key].offset

        if cached:
            consumer = self._engine.consumer
            position = consumer.positions.by_key.get(partition._key) if consumer is not None else None
            return (-1001, -1001) if position is None else (position.log_start_offset, position.high_watermark)
        found: tuple[int, int] = self._run(ask())
        return found

    def offsets_for_times(self, partitions: list[TopicPartition], timeout: float | None = -1) -> list[TopicPartition]:
        """`offset` of each is a timestamp in; out comes the first offset that is not older, OFFSET_END without one."""

        async def ask() -> None:
            admin = await self._engine.admin()
            for each in partitions:
                found = (await admin.topics.offsets([each._key], each.offset))[each._key].offset
                each.offset = found if found >= 0 else OFFSET_END

        self._run(ask())
        return partitions

    def list_topics(self, topic: str | None = None, timeout: float | None = -1) -> Any:
        from .admin import AdminClient

        if self._admin is None:
            self._admin = AdminClient({k: v for k, v in self._settings.items() if not callable(v)})
        return self._admin.list_topics(topic, timeout)

    def consumer_group_metadata(self) -> GroupMember:
        """For `Producer.send_offsets_to_transaction`."""
        consumer = self._engine.consumer
        if consumer is None:
            return GroupMember(str(self._engine.config.group_id))
        group, generation, member, instance = consumer.group_member()
        return GroupMember(group, generation, member, instance)

    def memberid(self) -> str | None:
        consumer = self._engine.consumer
        return consumer.member_id if consumer is not None else None

    def set_sasl_credentials(self, username: str, password: str) -> None:
        """For connections that are made from now on."""
        self._engine.log_in_as(username, password)

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _give_up(self) -> None:
        """The program hears that it loses its partitions before it does."""
        mine = self.assignment()
        callback = self._callbacks.get("revoke")
        while self._engine.events:
            self._engine.events.popleft().finish()
        if mine and callback is not None and self._engine.consumer and self._engine.consumer.in_group:
            callback(self, mine)

    def close(self) -> None:
        """Commit (where that is automatic), leave the group, end."""
        if self._closed:
            return
        self._give_up()
        try:
            self._end()
            self._serve_commits()
        finally:
            if self._admin is not None:
                self._admin._close()

    def __enter__(self) -> Consumer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _behind(message: Message) -> int:
    return int(message.offset() or 0) + 1


def _number(value: Any) -> int:
    return int(value[0] if isinstance(value, tuple) else value)


def _offset(offset: int) -> int | None:
    """librdkafka's offset as the engine takes it: -2, -1 and None are words."""
    if offset in (OFFSET_BEGINNING, OFFSET_END) or offset >= 0:
        return offset
    if offset in (OFFSET_STORED, OFFSET_INVALID):
        return None
    raise KafkaException(KafkaError(-186))
