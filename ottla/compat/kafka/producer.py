"""KafkaProducer: `send` gives a future; callbacks run in the I/O thread."""

from __future__ import annotations

import time
import weakref
from functools import partial
from typing import Any

from ...client.errors import ClientError, DeliveryError
from ...client.producer.blocking import Producer
from ...client.producer.transaction import GroupMember
from ..crossing import drop
from ..errors import IllegalStateError, KafkaConfigurationError, KafkaTimeoutError, ProducerClosed, for_error
from ..settings import serialized, translate, with_partitioner
from .future import Future
from .partitioner import DefaultPartitioner, Partitions, StickyPartitioner
from .structs import RecordMetadata, TopicPartition

_DROPPED_MS = 1000


class KafkaProducer:
    """Settings are kafka-python's keywords."""

    def __init__(self, **configs: Any) -> None:
        self.config = configs
        settings = translate(
            configs, unknown=KafkaConfigurationError,
            defaults={"bootstrap_servers": "localhost:9092", "client_id": "kafka-python-producer-1", "linger_ms": 0},
        )  # fmt: skip
        #: One that is an object sees the topic and the values, so `send` asks it; a function is asked by our producer.
        self._partitioner = configs.get("partitioner")
        if isinstance(self._partitioner, DefaultPartitioner | StickyPartitioner):
            self._partitioner = None  # what our producer does by itself
        if not hasattr(self._partitioner, "partition"):
            settings = with_partitioner(settings, self._partitioner)
            self._partitioner = None
        self._settings = settings
        self._closed = False
        self._transaction: Any = None
        self._producer: Producer[Any, Any] | None = None
        if settings.transactional_id is None:
            self._start()

    def _start(self) -> Producer[Any, Any]:
        if self._producer is None:
            try:
                self._producer = Producer(self._settings)
            except ClientError as problem:
                raise for_error(problem) from problem
            # One that is dropped without `close` delivers for a second and ends, as there.
            self._dropped = weakref.finalize(self, drop, partial(self._producer.close, _DROPPED_MS))
        return self._producer

    def bootstrap_connected(self) -> bool:
        return self._producer is not None

    def send(
        self, topic: str, value: Any = None, key: Any = None, headers: Any = None, partition: int | None = None,
        timestamp_ms: int | None = None,
    ) -> Future:  # fmt: skip
        """Put a record into the buffer; the future gets its RecordMetadata."""
        if self._closed:
            raise ProducerClosed("KafkaProducer already closed!")
        if self._settings.transactional_id is not None and self._transaction is None:
            raise IllegalStateError("Cannot send before begin_transaction()")
        raw_key = serialized(self.config.get("key_serializer"), topic, headers, key)
        raw = serialized(self.config.get("value_serializer"), topic, headers, value)
        for what in (raw_key, raw):
            if what is not None and not isinstance(what, bytes | bytearray | memoryview):
                raise TypeError(f"Unsupported type for key or value: {type(what)}")
        if partition is None and self._partitioner is not None:
            partition = self._partitioner.partition(topic, key, raw_key, value, raw, Partitions(self.partitions_for))
        future = Future()
        stamp = timestamp_ms if timestamp_ms is not None else int(time.time() * 1000)
        sizes = (-1 if raw_key is None else len(raw_key), -1 if raw is None else len(raw))
        extra = sum(len(k.encode()) + len(v or b"") for k, v in headers) if headers else -1
        try:
            ack = self._start().enqueue(topic, raw, raw_key, headers=headers, partition=partition, timestamp_ms=stamp)
        except KafkaTimeoutError:
            raise
        except ClientError as problem:
            return future.failure(for_error(problem))

        def finished(ack: Any) -> None:
            problem = ack.exception()
            if problem is not None:
                future.failure(for_error(problem))
                return
            at = ack.result(0)
            when = at.timestamp if at.timestamp is not None and at.timestamp >= 0 else stamp
            where = TopicPartition(at.topic, at.partition)
            future.success(RecordMetadata(at.topic, at.partition, where, at.offset, when, None, *sizes, extra))

        ack.add_done_callback(finished)
        return future

    def flush(self, timeout: float | None = None) -> None:
        """Wait until all is acknowledged or failed."""
        if self._producer is None:
            return
        try:
            self._producer.flush(None if timeout is None else round(timeout * 1000))
        except DeliveryError:
            return  # each future has its error
        except ClientError as problem:
            raise for_error(problem) from problem

    def close(self, timeout: float | None = None, null_logger: bool = False) -> None:
        if self._closed:
            return
        self._closed = True
        if self._producer is not None:
            self._dropped.detach()
            try:
                self._producer.close(None if timeout is None else round(timeout * 1000))
            except ClientError:
                return  # each future has its error

    def __enter__(self) -> KafkaProducer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def partitions_for(self, topic: str) -> set[int]:
        return set(range(self._try(lambda: self._start().partitions(topic))))

    def metrics(self, raw: bool = False) -> dict[str, Any]:
        return {"producer-metrics": self._start().metrics.as_dict()}

    # ── transactions ────────────────────────────────────────────────────────────────────────────────────────────────────

    def init_transactions(self) -> None:
        if self._settings.transactional_id is None:
            raise IllegalStateError("Cannot call init_transactions without setting a transactional_id.")
        self._start()

    def begin_transaction(self) -> None:
        if self._producer is None:
            raise IllegalStateError("Cannot call begin_transaction before init_transactions")
        self._transaction = self._try(lambda: self._start().transaction().__enter__())

    def commit_transaction(self) -> None:
        transaction, self._transaction = self._open(), None
        self._try(transaction.commit)

    def abort_transaction(self) -> None:
        transaction, self._transaction = self._open(), None
        self._try(transaction.abort)

    def send_offsets_to_transaction(self, offsets: Any, group_metadata: Any) -> None:
        """Commit {TopicPartition: OffsetAndMetadata} for a group (its id, or `consumer.group_metadata()`)."""
        member = group_metadata if isinstance(group_metadata, str) else GroupMember(*group_metadata)
        wanted = {tuple(key): value.offset for key, value in offsets.items()}
        self._try(lambda: self._open().send_offsets(wanted, member))

    def _open(self) -> Any:
        if self._transaction is None:
            raise IllegalStateError("no transaction is open")
        return self._transaction

    def _try(self, work: Any) -> Any:
        try:
            return work()
        except (ClientError, ExceptionGroup) as problem:
            raise for_error(problem) from problem
