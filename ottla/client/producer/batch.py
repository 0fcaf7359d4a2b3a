"""A batch of one partition from its first record to its acknowledgement, and what becomes of its records.

    open ──► closed ──► sealed ──► in flight ──► done
    (takes     (in the   (header,     │  ▲          base offset, or an error; a few records may have one of their own
     records)   queue)    checksum)   └──┘ again

An `Ack` is a batch and an index; all acks of a batch share its one outcome. A batch that was too large for the broker is
split: it then points to its parts (`split_into`), which go their own ways.
"""

from __future__ import annotations

import asyncio
import threading
from bisect import bisect_right
from collections.abc import Callable
from typing import Any, NamedTuple

from ...records.batch import HEADER_SIZE, Compression, read_records, seal_batch
from ...records.batch import build_batch as build
from ...records.compression import compress
from ..errors import ClientError, ClientTimeoutError
from ._append_cy import RecordBuffer


class RecordMetadata(NamedTuple):
    """Where a record lies. `offset` is -1 with acks=0; `timestamp` (ms) is the broker's, None where the record kept its own."""

    topic: str
    partition: int
    offset: int
    timestamp: int | None = None


class Identity(NamedTuple):
    """A producer id and its epoch; -1 for a producer that is not idempotent."""

    producer_id: int = -1
    epoch: int = -1


NOBODY = Identity()


class Batch(RecordBuffer):
    """Records for one partition. `number` orders the batches of a producer by age."""

    def __init__(
        self, topic: str, partition: int, limit: int, number: tuple[int, ...], now: float, queue: Any = None,
        memory: bytearray | None = None,
    ) -> None:  # fmt: skip
        super().__init__(limit, memory)
        self.topic = topic
        self.partition = partition
        self.number = number
        #: When its first record came, in the clock of the loop; retries not before `retry_at`.
        self.created = now
        self.retry_at = 0.0
        self.queue = queue
        self.closed = False
        self.attempts = 0
        self.identity = NOBODY
        #: The sequence number of its first record; -1 while it has none.
        self.sequence = -1
        #: What is sent: header and records; None until it was sealed once.
        self.payload: Any = None
        self.compression = Compression.NONE
        self.done = False
        self.error: ClientError | None = None
        self.record_errors: dict[int, ClientError] = {}
        self.base_offset = -1
        self.log_append_time: int | None = None
        #: Whether somebody asked for the outcome: a failure that nobody saw is raised by `flush`.
        self.seen = False
        self.size_records = 0
        self._parts: list[tuple[int, Batch]] = []
        self._callbacks: list[Callable[[], None]] = []

    @property
    def records(self) -> int:
        """How many records it has, also where it was made by splitting."""
        return self.size_records or self.count

    @property
    def size(self) -> int:
        """How many bytes it takes in a request."""
        return len(self.payload) if self.payload is not None else self.end

    # ── bytes ───────────────────────────────────────────────────────────────────────────────────────────────────

    def pack(self, codec: Compression, level: int | None) -> None:
        """Make the payload of the records, compressed; may take long, touches nothing else, and runs in any thread."""
        data, end = self.take_data(), self.end
        if codec == Compression.NONE:
            self.payload = memoryview(data)[:end]
            return
        with memoryview(data) as view:
            packed = compress(codec, view[HEADER_SIZE:end], level)
        payload = bytearray(HEADER_SIZE + len(packed))
        payload[HEADER_SIZE:] = packed
        self.payload, self.compression = payload, codec

    def seal(self, identity: Identity, sequence: int, *, transactional: bool) -> None:
        """Write the header, with the producer's identity and the sequence number of the first record."""
        first, greatest = self.times if not self.size_records else self._times
        seal_batch(
            self.payload, len(self.payload), compression=self.compression, count=self.records, base_timestamp=first,
            max_timestamp=greatest, producer_id=identity.producer_id, producer_epoch=identity.epoch,
            base_sequence=sequence, transactional=transactional,
        )  # fmt: skip
        self.identity, self.sequence = identity, sequence

    def split(self) -> list[Batch]:
        """Halve it: the broker said that it is too large. The parts take the sequence numbers of their records."""
        records = read_records(self.payload)
        half = (len(records) + 1) // 2
        parts = []
        for index, some in enumerate((records[:half], records[half:])):
            part = Batch(self.topic, self.partition, 0, (*self.number, index), self.created, self.queue)
            part.closed = True
            part.compression = self.compression
            part.payload = build(some, compression=self.compression)
            part.size_records = len(some)
            part._times = (some[0].timestamp, max(record.timestamp for record in some))
            part.attempts = self.attempts
            part.identity = self.identity
            part.sequence = -1 if self.sequence < 0 else (self.sequence + index * half) & 0x7FFFFFFF
            parts.append(part)
        self._parts = [(0, parts[0]), (half, parts[1])]
        for part in parts:
            part.add_done_callback(self._part_done)
        return parts

    _times: tuple[int, int] = (0, -1)

    def _part_done(self) -> None:
        if all(part.done for _, part in self._parts) and not self.done:
            self.done = True
            self.error = next((part.error for _, part in self._parts if part.error is not None), None)
            self._finish()

    # ── the outcome ─────────────────────────────────────────────────────────────────────────────────────────────

    def complete(self, base_offset: int, log_append_time: int) -> None:
        """The broker has it."""
        self.base_offset = base_offset
        self.log_append_time = log_append_time if log_append_time >= 0 else None
        self.done = True
        self._finish()

    def fail(self, error: ClientError, record_errors: dict[int, ClientError] | None = None) -> None:
        """It was not, or not known to be, delivered."""
        self.error = error
        self.record_errors = record_errors or {}
        self.done = True
        self._finish()

    def _finish(self) -> None:
        self.payload = None
        self.drop_data()
        while self._callbacks:  # taken one by one: another thread may add one just now
            self._callbacks.pop(0)()

    def add_done_callback(self, callback: Callable[[], None]) -> None:
        """Call when it is done, at once if it is; once, whichever thread asks."""
        self._callbacks.append(callback)
        if self.done:
            try:
                self._callbacks.remove(callback)
            except ValueError:
                return  # `_finish` has taken it
            callback()

    def error_of(self, index: int) -> ClientError | None:
        """What went wrong with a record, or None; marks the outcome as seen."""
        self.seen = True
        if self._parts:
            first, part = self._parts[bisect_right(self._parts, index, key=lambda row: row[0]) - 1]
            return part.error_of(index - first)
        return self.record_errors.get(index, self.error)

    def outcome(self, index: int) -> RecordMetadata:
        """Where a record of a batch that is done lies, or raise its error."""
        error = self.error_of(index)
        if error is not None:
            raise error
        if self._parts:
            first, part = self._parts[bisect_right(self._parts, index, key=lambda row: row[0]) - 1]
            return part.outcome(index - first)
        offset = self.base_offset + index if self.base_offset >= 0 else -1
        return RecordMetadata(self.topic, self.partition, offset, self.log_append_time)

    async def wait(self, index: int) -> RecordMetadata:
        """Wait on the loop for the outcome of one record."""
        if not self.done:
            future = asyncio.get_running_loop().create_future()
            self.add_done_callback(lambda: None if future.done() else future.set_result(None))
            await future
        return self.outcome(index)

    def result(self, index: int, timeout_s: float | None) -> RecordMetadata:
        """Wait in another thread for the outcome of one record."""
        if not self.done:
            event = threading.Event()
            self.add_done_callback(event.set)
            if not event.wait(timeout_s):
                raise ClientTimeoutError(
                    f"no acknowledgement within {timeout_s} s", topic_partition=(self.topic, self.partition)
                )
        return self.outcome(index)
