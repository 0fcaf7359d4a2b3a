"""The synchronous producer: the same verbs, for threads.

Records are appended by the caller's thread itself, straight into their batches (one step to all other threads, says
`_append_cy`); the I/O thread is woken when a batch begins or is full, and does the rest. Where the appender does not run compiled,
each record is appended on the I/O thread instead: right, and slow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, Unpack
from uuid import UUID

from ..blocking import BlockingClient
from ..config import Config
from ..settings_types import Settings
from . import _append_cy
from ._append_cy import Ack
from .batch import RecordMetadata
from .metrics import ProducerMetrics
from .producer import Headers
from .producer import Producer as AsyncProducer
from .producer import Transaction as AsyncTransaction
from .sending import SendReport

K = TypeVar("K")
V = TypeVar("V")


class Producer(BlockingClient, Generic[K, V]):
    """Sends records; may be used by several threads. `ottla.Producer` describes arguments and verbs.

    An `Ack` is waited for with `ack.result(timeout_s)`.
    """

    def __init__(
        self, config: Config | Mapping[str, Any] | str | None = None, *, key: Any = None, value: Any = None,
        hooks: Any = None, **settings: Unpack[Settings],
    ) -> None:  # fmt: skip
        self._producer: AsyncProducer[K, V] = AsyncProducer(config, key=key, value=value, hooks=hooks, **settings)
        self._direct = _append_cy.is_compiled()
        super().__init__()

    async def _start(self) -> None:
        self._producer._thread_safe_wake = self._io.loop.call_soon_threadsafe
        await self._producer.start()

    async def _stop(self, timeout_ms: int | None) -> None:
        await self._producer.close(timeout_ms)

    @property
    def config(self) -> Config:
        return self._producer.config

    @property
    def metrics(self) -> ProducerMetrics:
        return self._producer.metrics

    def send(
        self, topic: str, value: V | None, key: K | None = None, *, headers: Headers | None = None,
        partition: int | None = None, timestamp_ms: int | None = None,
    ) -> RecordMetadata:  # fmt: skip
        """Send a record and wait for its acknowledgement."""
        metadata: RecordMetadata = self.enqueue(
            topic, value, key, headers=headers, partition=partition, timestamp_ms=timestamp_ms
        ).result()
        return metadata

    def enqueue(
        self, topic: str, value: V | None, key: K | None = None, *, headers: Headers | None = None,
        partition: int | None = None, timestamp_ms: int | None = None,
    ) -> Ack:  # fmt: skip
        """Put a record into the buffer, waiting for room (max.block.ms) but not for its acknowledgement."""
        if self._direct:
            producer = self._producer
            append = producer._appender.append if producer._plain else producer._append
            ack = append(topic, value, key, headers, partition, timestamp_ms)
            if ack is not None:
                return ack
        return self._run(
            self._producer.enqueue(
                topic, value, key, headers=headers, partition=partition, timestamp_ms=timestamp_ms
            )
        )  # fmt: skip

    def try_enqueue(
        self, topic: str, value: V | None, key: K | None = None, *, headers: Headers | None = None,
        partition: int | None = None, timestamp_ms: int | None = None,
    ) -> Ack:  # fmt: skip
        """Put a record into the buffer without waiting; `BufferFullError` where there is no room."""
        if self._direct:
            return self._producer.try_enqueue(
                topic, value, key, headers=headers, partition=partition, timestamp_ms=timestamp_ms
            )

        async def append() -> Ack:
            return self._producer.try_enqueue(
                topic, value, key, headers=headers, partition=partition, timestamp_ms=timestamp_ms
            )

        return self._run(append())

    def send_many(self, topic: str, records: Any, *, raise_errors: bool = True) -> SendReport:
        """Send an iterable of values or (key, value), an Arrow table or a DataFrame, and wait for all acknowledgements.

        An iterator is run on the I/O thread: it must not take long for one item.
        """
        return self._run(self._producer.send_many(topic, records, raise_errors=raise_errors))

    def partitions(self, topic: str, *, timeout_ms: int | None = None) -> int:
        """How many partitions a topic has; waits for it at most `timeout_ms` (max.block.ms)."""
        return self._run(self._producer.partitions(topic, timeout_ms=timeout_ms))

    def client_instance_id(self, timeout_ms: int | None = None) -> UUID:
        """The id under which the cluster takes this client's metrics (KIP-714)."""
        return self._run(self._producer.client_instance_id(timeout_ms))

    def flush(self, timeout_ms: int | None = None) -> None:
        """Wait until everything sent so far is acknowledged; `DeliveryError` if some was not and nobody has asked."""
        self._run(self._producer.flush(timeout_ms))

    def transaction(self) -> Transaction[K, V]:
        """A transaction: `with producer.transaction() as tx`."""
        return Transaction(self, self._producer.transaction())


class Transaction(Generic[K, V]):
    """One open transaction. Leaving its block commits; an exception in it, or `abort()`, aborts."""

    def __init__(self, producer: Producer[K, V], transaction: AsyncTransaction[K, V]) -> None:
        self._transaction = transaction
        self._run: Callable[[Any], Any] = producer._run
        self.send = producer.send
        self.enqueue = producer.enqueue
        self.try_enqueue = producer.try_enqueue
        self.send_many = producer.send_many

    def send_offsets(self, offsets: Mapping[tuple[str, int], Any], group: Any) -> None:
        """Commit a consumer group's offsets with the transaction."""
        self._run(self._transaction.send_offsets(offsets, group))

    def commit(self) -> None:
        """Commit now; the end of the block then does nothing."""
        self._run(self._transaction.commit())

    def abort(self) -> None:
        """Abort now; the end of the block then does nothing."""
        self._run(self._transaction.abort())

    def __enter__(self) -> Self:
        self._run(self._transaction.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._transaction.__aexit__(kind, error, trace))
