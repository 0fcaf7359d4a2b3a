"""Producer: `produce` puts into our batches, `poll` and `flush` run the delivery callbacks.

    produce ── enqueue ──► our Producer ── ack done (I/O thread) ──► a deque ── poll, flush ──► on_delivery(error, message)

As in librdkafka, `len(producer)` counts what is not yet reported, and at queue.buffering.max.messages of them `produce` raises
BufferError until `poll` has run. The client is started by the first call that needs it.
"""

from __future__ import annotations

import contextlib
import random
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from ...client.errors import ClientError
from ...client.producer.blocking import Producer as OurProducer
from ...client.producer.transaction import GroupMember
from .config import merged, translate
from .errors import KafkaError, KafkaException, as_exception, as_kafka_error
from .hashing import consistent, fnv1a, murmur2
from .hooks import Hooks
from .late import Late
from .types import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, Message

_QUEUE_MAX = 100_000
_CHANCE = random.SystemRandom()
_SLICE_S = 0.2  # Ctrl-C is heard in a wait
_UNREACHABLE = {-187, -195, -193, -185}  # all brokers down, transport, resolve, timed out


class Producer:
    """See the head of the module."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        settings = merged(*arguments, **more)
        self._settings = settings
        self._config = translate(settings).replace(**_partitioner(settings))
        self._on_delivery = settings.get("on_delivery") or settings.get("dr_cb")
        self._only_errors = str(settings.get("delivery.report.only.error", "false")).lower() == "true"
        self._limit = int(settings.get("queue.buffering.max.messages", _QUEUE_MAX)) or (1 << 62)
        self._done: deque[tuple[Any, ...]] = deque()
        self._arrived = threading.Condition()
        self._waiting = 0
        self._producer: OurProducer[Any, Any] | None = None
        self._transaction: Any = None
        self._admin: Any = None
        self._closed = False
        #: Where records wait while no broker can be reached.
        self._late: Late | None = None
        self._lock = threading.Lock()
        self._hooks = Hooks(self, settings, self._numbers)

    def _numbers(self) -> dict[str, Any]:
        counted = self._producer.metrics.as_dict() if self._producer is not None else {}
        return {"type": "producer", "msg_cnt": self._waiting, **counted}

    def _ours(self, *, telling: bool = True) -> OurProducer[Any, Any]:
        if self._closed:
            raise RuntimeError("Producer has been closed")
        if self._producer is None:
            with self._lock:
                if self._producer is None:
                    try:
                        self._producer = OurProducer(self._config)
                    except ClientError as problem:
                        error = as_kafka_error(problem)
                        if telling:
                            self._hooks.failed(error)
                        raise KafkaException(error) from problem
        return self._producer

    # ── records ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def produce(
        self, topic: str, value: Any = None, key: Any = None, partition: int = -1, on_delivery: Any = None,
        timestamp: int = 0, headers: Any = None, callback: Any = None,
    ) -> None:  # fmt: skip
        """Put a record into the queue; the callback hears what became of it."""
        if self._config.transactional_id is not None and self._transaction is None:
            raise KafkaException(KafkaError(-172, "Producer not in a transaction: call begin_transaction()"))
        for what in (value, key):
            if what is not None and not isinstance(what, bytes | bytearray | str):
                raise TypeError(f"a bytes-like object is required, not '{type(what).__name__}'")
        if self._waiting >= self._limit:
            raise BufferError("Local: Queue full")
        callback = on_delivery or callback or self._on_delivery
        record = (topic, partition, key, value, headers, callback, timestamp, time.monotonic())
        if self._late is None:
            try:
                self._ours()
            except KafkaException as problem:
                if problem.args[0].code() not in _UNREACHABLE:
                    raise
                self._late = self._waiting_room()
        with self._arrived:
            self._waiting += 1
        if self._late is None or not self._late.take(record):
            self._put(self._ours(), record)

    def _waiting_room(self) -> Late:
        me = weakref.ref(self)  # its thread does not hold the program's object

        def start() -> None:
            producer = me()
            if producer is not None:
                producer._ours(telling=False)

        def put(record: tuple[Any, ...]) -> None:
            producer = me()
            if producer is not None:
                try:
                    producer._put(producer._ours(), record)
                except KafkaException as problem:
                    producer._report(record, problem, None)

        def give_up(record: tuple[Any, ...]) -> None:
            producer = me()
            if producer is not None:
                producer._report(record, KafkaException(KafkaError(-192)), None)

        late = Late(start, put, give_up, self._config.delivery_timeout_ms / 1000)
        weakref.finalize(self, late.stop)
        return late

    def _put(self, producer: OurProducer[Any, Any], record: tuple[Any, ...]) -> None:
        topic, partition, key, value, headers, _, timestamp, _ = record
        pairs = list(headers.items()) if isinstance(headers, dict) else headers
        try:
            ack = producer.enqueue(
                topic, value, key, headers=pairs, partition=None if partition < 0 else partition,
                timestamp_ms=timestamp or None,
            )  # fmt: skip
        except ClientError as problem:
            error = as_kafka_error(problem)
            if error.code() in (10, -172):  # said at once, as librdkafka does
                with self._arrived:
                    self._waiting -= 1
                raise KafkaException(error) from problem
            self._report(record, problem, None)
            return
        ack.add_done_callback(lambda ack: self._finished(ack, record))

    def _finished(self, ack: Any, record: tuple[Any, ...]) -> None:
        problem = ack.exception()
        self._report(record, problem, None if problem is not None else ack.result(0))

    def _report(self, record: tuple[Any, ...], problem: Any, where: Any) -> None:
        with self._arrived:
            self._done.append((record, problem, where))
            self._arrived.notify_all()

    def poll(self, timeout: float | None = -1) -> int:
        """Run delivery callbacks; wait up to `timeout` seconds for the first. How many events there were."""
        self._hooks.serve()
        deadline = None if timeout is None or timeout < 0 else time.monotonic() + timeout
        with self._arrived:
            while not self._done and (deadline is None or time.monotonic() < deadline):
                self._arrived.wait(_SLICE_S if deadline is None else min(_SLICE_S, max(0, deadline - time.monotonic())))
        count = 0
        for _ in range(len(self._done)):
            record, problem, where = self._done.popleft()
            with self._arrived:
                self._waiting -= 1
            count += 1
            self._call(record, problem, where)
        return count

    def _call(self, record: tuple[Any, ...], problem: Any, where: Any) -> None:
        topic, partition, key, value, headers, callback, timestamp, began = record
        if callback is None or (problem is None and self._only_errors):
            return
        error = None if problem is None else _delivery_error(problem)
        raw_key = key.encode() if isinstance(key, str) else key
        raw_value = value.encode() if isinstance(value, str) else value
        if where is None:
            when = (TIMESTAMP_CREATE_TIME, timestamp or int(time.time() * 1000))
            message = Message(topic, partition, -1001, raw_key, raw_value, headers, error, when)
        else:
            stamped = where.timestamp is not None and where.timestamp >= 0
            kind = TIMESTAMP_LOG_APPEND_TIME if stamped else TIMESTAMP_CREATE_TIME
            when = (kind, where.timestamp if stamped else timestamp or int(time.time() * 1000))
            message = Message(
                where.topic, where.partition, where.offset, raw_key, raw_value, headers, None, when,
                time.monotonic() - began,
            )  # fmt: skip
        callback(error, message)

    def flush(self, timeout: float | None = -1) -> int:
        """Wait until all is delivered and reported; how much is not, after `timeout` seconds."""
        deadline = None if timeout is None or timeout < 0 else time.monotonic() + timeout
        if self._producer is not None and self._waiting and not self._closed:
            self._producer._io.loop.call_soon_threadsafe(self._producer._io.loop.create_task, self._hurry())
        while self._waiting:
            left = _SLICE_S if deadline is None else deadline - time.monotonic()
            if left <= 0:
                self.poll(0)
                break
            self.poll(min(left, _SLICE_S))
        return self._waiting

    def wait_for_room(self) -> None:
        """Wait until something is delivered, or for a moment."""
        with self._arrived:
            self._arrived.wait(_SLICE_S)

    def produce_batch(
        self, topic: str, messages: list[dict[str, Any]], partition: int = -1, on_delivery: Any = None, **_: Any
    ) -> int:
        """Put many records into the queue; how many. One that is refused has `_error` set in its dict."""
        _check_batch(topic, messages, partition)
        count = 0
        for each in messages:
            fields = {name: each[name] for name in ("key", "value", "headers", "timestamp") if name in each}
            told = each.get("callback") or on_delivery
            try:
                self.produce(topic, **fields, partition=each.get("partition", partition), on_delivery=told)
            except (KafkaException, BufferError) as problem:
                each["_error"] = KafkaError(-184) if isinstance(problem, BufferError) else problem.args[0]
            else:
                count += 1
        return count

    async def _hurry(self) -> None:
        """Send what lingers."""
        assert self._producer is not None
        try:
            await self._producer._producer._sender.drained()
        except ClientError:
            return  # each record's callback hears it

    def purge(self, in_queue: bool = True, in_flight: bool = True, blocking: bool = True) -> None:
        """Give up what is not delivered: callbacks hear _PURGE_QUEUE."""
        if self._late is not None:
            self._late.drop()
        if self._producer is not None:
            producer, self._producer = self._producer, None
            try:
                producer.close(0)
            except ClientError:
                return  # each record's callback hears it

    def __len__(self) -> int:
        return self._waiting

    def __bool__(self) -> bool:
        return True

    def list_topics(self, topic: str | None = None, timeout: float | None = -1) -> Any:
        return self._administrator().list_topics(topic, timeout)

    def _administrator(self) -> Any:
        from .admin import AdminClient

        if self._admin is None:
            self._admin = AdminClient({k: v for k, v in self._settings.items() if not callable(v)})
        return self._admin

    def close(self, timeout: float | None = -1) -> bool:
        """Deliver, then end."""
        if self._closed:
            return True
        left = self.flush(timeout)
        self._closed = True
        if self._late is not None:
            self._late.stop()
        if self._producer is not None:
            try:
                self._producer.close(0 if left else None)
            except ClientError:
                left = left or 1
        if self._admin is not None:
            self._admin._close()
        return not left

    def __enter__(self) -> Producer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        """Programs of this library seldom close: dropping the producer does it, without waiting."""
        producer = getattr(self, "_producer", None)
        if producer is not None and not self._closed and not sys.is_finalizing():
            self._closed = True
            if threading.current_thread() is producer._io._thread:  # the last callback held it
                threading.Thread(target=_drop, args=(producer,), daemon=True).start()
            else:
                _drop(producer)

    def set_sasl_credentials(self, username: str, password: str) -> None:
        """For connections that are made from now on."""
        self._config = self._config.replace(sasl_username=username, sasl_password=password)
        if self._producer is not None:
            self._producer._producer._cluster.connector.config = self._config

    # ── transactions ────────────────────────────────────────────────────────────────────────────────────────────────────

    def init_transactions(self, timeout: float | None = -1) -> None:
        """Take over the transactional.id."""
        if self._config.transactional_id is None:
            raise KafkaException(KafkaError(-145, "The Transactional API requires transactional.id to be configured"))
        deadline = time.monotonic() + (60 if timeout is None or timeout < 0 else timeout)
        while True:
            try:
                self._ours()
            except KafkaException as problem:
                if problem.args[0].code() not in _UNREACHABLE:
                    raise
                if time.monotonic() + _SLICE_S > deadline:
                    text = f"Failed to initialize Producer ID: {problem.args[0].str()}"
                    raise KafkaException(KafkaError(-185, text, retriable=True)) from problem
                time.sleep(_SLICE_S)
            else:
                return

    def begin_transaction(self) -> None:
        if self._producer is None:
            raise KafkaException(KafkaError(-172, "Operation not valid in state Init"))
        self._transaction = self._try(lambda: self._ours().transaction().__enter__())

    def commit_transaction(self, timeout: float | None = -1) -> None:
        transaction = self._open()
        self._try(transaction.commit)
        self._transaction = None
        self._served()

    def abort_transaction(self, timeout: float | None = -1) -> None:
        transaction = self._open()
        self._transaction = None
        self._try(transaction.abort)
        self._served()

    def send_offsets_to_transaction(self, positions: Any, group_metadata: Any, timeout: float | None = -1) -> None:
        """Commit offsets of a consumer (`consumer.consumer_group_metadata()`) with the transaction."""
        transaction = self._open()
        offsets = {(p.topic, p.partition): p.offset for p in positions if p.offset >= 0}
        member = group_metadata if isinstance(group_metadata, GroupMember) else str(group_metadata)
        self._try(lambda: transaction.send_offsets(offsets, member))

    def _open(self) -> Any:
        if self._transaction is None:
            raise KafkaException(KafkaError(-172, "Operation not valid in state Ready"))
        return self._transaction

    def _served(self) -> None:
        """The records of an ended transaction are all reported."""
        self.flush(1)

    def _try(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except (ClientError, ExceptionGroup) as problem:
            raise as_exception(problem) from problem


def _drop(producer: OurProducer[Any, Any]) -> None:
    with contextlib.suppress(ClientError):  # what is not delivered is lost, as in the library
        producer.close(0)


def _delivery_error(problem: BaseException) -> KafkaError:
    error = problem.args[0] if isinstance(problem, KafkaException) else as_kafka_error(problem)
    if error.code() == -185:
        return KafkaError(-192)
    return error if error.code() != -172 else KafkaError(-152)


def _partitioner(settings: dict[str, Any]) -> dict[str, Any]:
    """librdkafka's partitioners by our means; its default for keys is CRC-32, Java's is murmur2."""
    name = str(settings.get("partitioner", "consistent_random"))

    def by_crc(topic: str, key: bytes | None, partitions: int) -> int | None:
        if key is None and name == "consistent_random":
            return None  # sticky
        if not key and name == "consistent_random":
            return _CHANCE.randrange(partitions)
        return consistent(key or b"", partitions)

    def at_random(topic: str, key: bytes | None, partitions: int) -> int:
        return _CHANCE.randrange(partitions)

    def murmur(topic: str, key: bytes | None, partitions: int) -> int | None:
        if key is None and name == "murmur2_random":
            return None
        return murmur2(key or b"", partitions)

    def by_fnv(topic: str, key: bytes | None, partitions: int) -> int | None:
        if key is None and name == "fnv1a_random":
            return None
        return fnv1a(key or b"", partitions)

    table: dict[str, Any] = {
        "random": at_random, "consistent": by_crc, "consistent_random": by_crc, "murmur2": murmur,
        "murmur2_random": murmur, "fnv1a": by_fnv, "fnv1a_random": by_fnv,
    }  # fmt: skip
    if callable(settings.get("partitioner")):
        return {"partitioner": settings["partitioner"]}
    if name not in table:
        raise KafkaException(KafkaError(-186, f'Invalid value for configuration property "partitioner": {name}'))
    return {"partitioner": table[name]}


def _check_batch(topic: Any, messages: Any, partition: Any) -> None:
    if not isinstance(topic, str) or not isinstance(partition, int):
        raise TypeError("topic must be str, partition int")
    if not isinstance(messages, list):
        raise TypeError("messages must be a list")
    for index, each in enumerate(messages):
        if not isinstance(each, dict):
            raise TypeError(f"Message at index {index} must be a dict")
        for name in ("value", "key"):
            if not isinstance(each.get(name), bytes | bytearray | str | None):
                raise TypeError(f"Message {name} at index {index} must be bytes or str")
        if not isinstance(each.get("partition", 0), int):
            raise TypeError(f"Message partition at index {index} must be int")
