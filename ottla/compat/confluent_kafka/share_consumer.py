"""ShareConsumer (KIP-932): `poll` gives a batch of records of a share group, which are accepted, released or rejected.

implicit (default)   the next `poll` or commit accepts what the last one gave
explicit             each record is acknowledged by the program before the next `poll`

poll ──► Polled (our ShareConsumer) ── ShareFetch, kept running between polls: what it brings waits for the next poll
commit_sync ──► ShareAcknowledge ──► {partition: None or the error}; commit_async tells the callback at the next call
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ...client.consumer._columns_cy import Record
from ...client.consumer.share import ACCEPT, GAP
from ...client.consumer.share import ShareConsumer as OurShareConsumer
from ...client.errors import BrokerError, ClientError
from ...protocol.errors import ErrorCode
from ..crossing import Crossing
from ..engine import Key
from .config import merged, translate
from .consumer import as_message
from .enums import AcknowledgeType
from .errors import (
    ConcurrentModificationException,
    IllegalStateException,
    KafkaError,
    KafkaException,
    as_exception,
    as_kafka_error,
)
from .hooks import Hooks
from .serialization import MessageField, SerializationContext
from .types import Message, Messages, TopicPartition

_SLICE_S = 0.2  # Ctrl-C is heard in a wait
Acked = dict[Key, set[int]]


class At(NamedTuple):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int


class Polled(OurShareConsumer):
    """Our share consumer, asked for what is there rather than iterated."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._fetching: asyncio.Task[None] | None = None
        self._deliveries: dict[At, int] = {}

    async def take(self, patience_s: float) -> list[tuple[Record, int]]:
        """Records with how often each was given; what was decided goes along with the question."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_s
        while not self._records:
            if self._failure is not None:
                raise self._failure
            if self._fetching is None:
                self._fetching = loop.create_task(self._fetch())
            left = deadline - loop.time()
            await asyncio.wait([self._fetching], timeout=max(0.0, left))
            if not self._fetching.done():
                return []
            task, self._fetching = self._fetching, None
            task.result()
            if left <= 0 and not self._records:
                return []
        found = [(r, self._deliveries.pop(At(r.topic, r.partition, r.offset), 1)) for r in self._records]
        self._records.clear()
        return found

    def _take_partition(self, name: str, part: Any) -> None:
        for row in part.acquired_records:
            for offset in range(row.first_offset, row.last_offset + 1):
                self._deliveries[At(name, part.partition_index, offset)] = row.delivery_count
        super()._take_partition(name, part)

    def is_open(self, at: At) -> bool:
        """Given to us, and not decided about."""
        return at in self._open

    def decide(self, at: At, kind: int) -> None:
        self._decide(at, kind, {1: "accepted", 2: "released", 3: "rejected"}[kind])  # type: ignore[arg-type]

    def decided(self) -> Acked:
        """What a commit would send."""
        return {
            key: offsets
            for key, acks in self._acks.items()
            if (offsets := {o for o, kind in acks.items() if kind != GAP})
        }

    async def settled(self) -> None:
        """Wait until no fetch is under way: its session takes one request at a time."""
        if self._fetching is not None:
            await asyncio.wait([self._fetching])

    async def close(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])
        await super().close()


class _ShareEngine:
    """The subscription: a share consumer of ours for each one. Runs on the loop."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.topics: tuple[str, ...] = ()
        self.consumer: Polled | None = None
        self._missing: str | None = None

    async def subscribe(self, topics: tuple[str, ...]) -> None:
        if topics != self.topics:
            await self.close()
            self.topics = topics

    async def take(self, patience_s: float) -> list[tuple[Record, int]]:
        if self.consumer is None:
            consumer = Polled(self.config, *self.topics)
            try:
                await consumer.start()
            except BrokerError as problem:
                await consumer.cluster.close()
                if problem.code is not ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
                    raise
                await asyncio.sleep(min(patience_s, 0.5))  # it may come to be
                return []
            self.consumer = consumer
        return await self.consumer.take(patience_s)

    async def commit(self) -> tuple[Acked, BaseException | None]:
        """Send what was decided: what it was, and what became of it."""
        if self.consumer is None:
            return {}, None
        await self.consumer.settled()
        sent = self.consumer.decided()
        try:
            await self.consumer.commit()
        except (ClientError, ExceptionGroup) as problem:
            return sent, problem
        return sent, None

    async def close(self) -> None:
        consumer, self.consumer, self.topics = self.consumer, None, ()
        if consumer is not None:
            await consumer.close()


class ShareConsumer(Crossing):
    """See the head of the module."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        if not arguments and not more:
            raise TypeError("expected configuration dict")
        settings = merged(*arguments, **more)
        if "on_commit" in settings:
            raise ValueError("on_commit is not supported on ShareConsumer")
        if "group.id" not in settings:
            raise ValueError("Failed to create consumer: group.id must be set")
        mode = str(settings.pop("share.acknowledgement.mode", "implicit"))
        if mode not in ("implicit", "explicit"):
            raise KafkaException(
                KafkaError(-186, f'Invalid value "{mode}" for configuration property "share.acknowledgement.mode"')
            )
        self._explicit = mode == "explicit"
        self._sharing = _ShareEngine(translate(settings, consumer=True))
        super().__init__(self._sharing, "ottla-confluent-share")
        self._hooks = Hooks(self, settings, lambda: {"type": "share_consumer"})
        self._given: list[At] = []
        self._callback: Callable[[dict[TopicPartition, set[int]], KafkaException | None], Any] | None = None
        self._told: deque[tuple[Acked, BaseException | None]] = deque()
        self._busy = threading.Lock()

    def _theirs(self, problem: BaseException) -> BaseException:
        return as_exception(problem)

    def _refusal(self) -> Exception:
        return _state("Share consumer closed")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self._closed:
            raise self._refusal()
        if not self._busy.acquire(blocking=False):
            raise ConcurrentModificationException(KafkaError(-173, "the share consumer is used by another thread"))
        try:
            yield
        finally:
            self._busy.release()

    # ── subscription ────────────────────────────────────────────────────────────────────────────────────────────────────

    def subscribe(self, topics: list[str]) -> None:
        """Read these topics with the group, instead of those before."""
        with self._alone():
            if not isinstance(topics, list):
                raise TypeError("expected list of topic unicode strings")
            if not all(isinstance(topic, str) for topic in topics):
                raise TypeError("expected list of unicode strings")
            if not all(topics) or len(set(topics)) < len(topics):
                raise ValueError(KafkaError(-186, "Failed to subscribe: Local: Invalid argument or configuration"))
            self._given = []
            self._run(self._sharing.subscribe(tuple(sorted(topics))))

    def unsubscribe(self) -> None:
        with self._alone():
            self._given = []
            self._run(self._sharing.subscribe(()))

    def subscription(self) -> list[str]:
        with self._alone():
            return list(self._sharing.topics)

    # ── records ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def poll(self, timeout: float = -1) -> Messages:
        """What is there, or comes within `timeout` seconds; maybe nothing."""
        with self._alone():
            timeout = _seconds(timeout)
            if not self._sharing.topics:
                raise _state("the share consumer is not subscribed to any topic")
            self._settle_given(polling=True)
            self._hooks.serve()
            deadline = None if timeout < 0 else time.monotonic() + timeout
            while True:
                self._serve()
                left = _SLICE_S if deadline is None else min(_SLICE_S, max(0.0, deadline - time.monotonic()))
                try:
                    found = self._run(self._sharing.take(left))
                except KafkaException as problem:
                    self._hooks.failed(problem.args[0])
                    if not problem.args[0].retriable():
                        raise
                    found = []
                if found or (deadline is not None and time.monotonic() >= deadline):
                    self._given = [At(r.topic, r.partition, r.offset) for r, _ in found]
                    return Messages(as_message(record, deliveries) for record, deliveries in found)

    def _settle_given(self, *, polling: bool = False) -> None:
        consumer = self._sharing.consumer
        if consumer is None:
            return
        left = [at for at in self._given if consumer.is_open(at)]
        if self._explicit:
            if left and polling:
                raise _state(f"{len(left)} records of the last poll are not acknowledged")
            return

        def accept() -> None:
            for at in left:
                consumer.decide(at, ACCEPT)

        self._call(accept)
        self._given = []
        if self._callback is not None and left:  # otherwise it goes along with the next fetch
            self._told.append(self._run(self._sharing.commit()))

    def acknowledge(self, message: Message, ack_type: AcknowledgeType = AcknowledgeType.ACCEPT) -> None:
        """Decide about a record (explicit mode); it is sent with the next poll or commit."""
        with self._alone():
            if not isinstance(message, Message):
                raise TypeError(f"argument 1 must be Message, not {type(message).__name__}")
            self._acknowledge(message.topic(), message.partition(), message.offset(), ack_type)

    def acknowledge_offset(
        self, topic: str, partition: int, offset: int, ack_type: AcknowledgeType = AcknowledgeType.ACCEPT
    ) -> None:
        with self._alone():
            if not isinstance(topic, str):
                raise TypeError(f"argument 1 must be str, not {type(topic).__name__}")
            self._acknowledge(topic, partition, offset, ack_type)

    def _acknowledge(self, topic: str | None, partition: int | None, offset: int | None, kind: Any) -> None:
        for number in (partition, offset, kind):
            if not isinstance(number, int):
                raise TypeError(f"an integer is required, not {type(number).__name__}")
        assert isinstance(partition, int)
        assert isinstance(offset, int)
        if topic is None or partition < 0 or offset < 0 or kind not in (1, 2, 3):
            raise ValueError(KafkaError(-186, "Failed to acknowledge: Local: Invalid argument or configuration"))
        if not self._explicit:
            raise _state("acknowledge needs share.acknowledgement.mode=explicit")
        at, consumer = At(topic, partition, offset), self._sharing.consumer
        if consumer is None or not consumer.is_open(at):
            raise _state(f"{topic} [{partition}] at offset {offset} is not in flight")
        self._call(lambda: consumer.decide(at, int(kind)))

    # ── commits ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def commit_sync(self, timeout: float = 60) -> dict[TopicPartition, KafkaException | None]:
        """Send what was decided (implicit mode: accept all that was given): what became of it, by partition."""
        with self._alone():
            _seconds(timeout)
            self._settle_given()
            sent, problem = self._run(self._sharing.commit())
            while self._told:  # implicit mode with a callback: it was sent just now
                earlier = self._told.popleft()
                self._tell(*earlier)
                sent, problem = {**earlier[0], **sent}, problem or earlier[1]
            if sent:
                self._tell(sent, problem)
            error = None if problem is None else as_exception(problem)
            return {TopicPartition(*key): error for key in sent}

    def commit_async(self) -> None:
        """Send what was decided; the acknowledgement callback hears at the next call what became of it."""
        with self._alone():
            self._settle_given()

            async def send() -> None:
                self._told.append(await self._sharing.commit())

            asyncio.run_coroutine_threadsafe(send(), self._io.loop)

    def set_acknowledgement_commit_callback(self, callback: Any) -> None:
        """`callback({TopicPartition: offsets}, exception or None)`, called by poll, commit_sync and close."""
        if self._closed:
            raise self._refusal()
        if callback is not None and not callable(callback):
            raise TypeError("expected a callable or None")
        self._callback = callback

    def _serve(self) -> None:
        while self._told:
            self._tell(*self._told.popleft())

    def _tell(self, sent: Acked, problem: BaseException | None) -> None:
        if self._callback is not None and sent:
            error = None if problem is None else KafkaException(as_kafka_error(problem))
            self._callback({TopicPartition(*key): offsets for key, offsets in sent.items()}, error)

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def set_sasl_credentials(self, username: str, password: str) -> None:
        with self._alone():
            self._sharing.config = self._sharing.config.replace(sasl_username=username, sasl_password=password)

    def close(self) -> None:
        """Send what was decided, leave the group; what is undecided goes to others."""
        if self._closed:
            return
        try:
            self._settle_given()
            self._serve()
        finally:
            self._end()

    def __enter__(self) -> ShareConsumer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class DeserializingShareConsumer(ShareConsumer):
    """With `key.deserializer` and `value.deserializer`; a record that they refuse has the error and keeps its bytes."""

    def __init__(self, conf: dict[str, Any]) -> None:
        settings = dict(conf)
        self._key_deserializer = settings.pop("key.deserializer", None)
        self._value_deserializer = settings.pop("value.deserializer", None)
        super().__init__(settings)

    def poll(self, timeout: float = -1) -> Messages:
        messages = super().poll(timeout)
        for message in messages:
            if message.error() is None:
                self._deserialize(message)
        return messages

    def _deserialize(self, message: Message) -> None:
        context = SerializationContext(str(message.topic()), MessageField.VALUE, message.headers())
        key, value, code = message.key(), message.value(), KafkaError._VALUE_DESERIALIZATION  # type: ignore[attr-defined]
        try:
            if self._value_deserializer is not None:
                value = self._value_deserializer(value, context)
            code, context.field = KafkaError._KEY_DESERIALIZATION, MessageField.KEY  # type: ignore[attr-defined]
            if self._key_deserializer is not None:
                key = self._key_deserializer(key, context)
        except Exception as problem:  # noqa: BLE001 - a deserializer is the program's own
            message.set_error(KafkaError(code, str(problem)))
            return
        message.set_key(key)
        message.set_value(value)


def _state(text: str) -> IllegalStateException:
    return IllegalStateException(KafkaError(-172, text))


def _seconds(timeout: Any) -> float:
    if not isinstance(timeout, int | float):
        raise TypeError(f"must be real number, not {type(timeout).__name__}")
    return timeout
