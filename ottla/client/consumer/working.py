"""`Consumer.run`: a handler for every record, several at a time, tried again, and given up into a topic of its own.

    Fetcher ──► WorkLane ──► slots: a queue and a task each ──► handler ──► done
                  │             one for all · one a partition · n by key · n for whoever is free
                  │                                              │ raised: again after a while (Retry)
                  │                                              └ for good: DeadLetters, or run() ends with the error
                  └── processed of a partition = all records before the first that is not done

Records of one slot are handled one after another, in their order. What is committed is never past a record that is not done, however far
others of its partition are. A rebalance or `stop` takes back what waits in the queues; what a handler has in hand is finished. A retry that
waits is given up then: its record is read again, here or by the partition's next owner.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from ..backoff import backoff_ms
from ..chance import chance
from ..settings import Duration
from ._columns_cy import KEY, VALUE, Columns, Record
from .assignors.types import TopicAndPartition
from .lanes import Lane
from .positions import Position

if TYPE_CHECKING:
    from .consumer import Consumer

log = logging.getLogger("ottla.client")

_WAIT = Duration("retry", 0, "How long to wait before a retry.")
#: Text of an error that goes into a header.
ERROR_TEXT_MAX = 1000


@dataclass(frozen=True)
class By:
    """What is handled one after another; all else at the same time."""

    kind: str
    count: int = 1

    ONE: ClassVar[By]
    PARTITION: ClassVar[By]

    @staticmethod
    def KEY(count: int) -> By:  # noqa: N802 - one of By's words, as PARTITION
        """Records of one key in their order, `count` at a time; those without a key as if theirs were the partition."""
        return By("key", _positive(count))

    @staticmethod
    def RECORD(count: int) -> By:  # noqa: N802
        """Any records, `count` at a time, without order."""
        return By("record", _positive(count))


By.ONE = By("one")
By.PARTITION = By("partition")


def _positive(count: int) -> int:
    if count < 1:
        raise ValueError(f"{count} at a time: at least 1")
    return count


@dataclass(frozen=True)
class Retry:
    """How often a record is handled again whose handler raised, and how long after: doubling from `first` up to `longest`, with jitter."""

    times: int
    first: str | int | timedelta = "100ms"
    longest: str | int | timedelta = "30s"
    #: Only these are worth another try.
    on: tuple[type[Exception], ...] = (Exception,)

    def wait_s(self, attempt: int, error: Exception) -> float | None:
        """How long to wait after so many failures; None to give up."""
        if attempt > self.times or not isinstance(error, self.on):
            return None
        return backoff_ms(attempt, _WAIT.parse(self.first), _WAIT.parse(self.longest), chance.random()) / 1000


class DeadLetters:
    """Where records go that no handler could handle: as they were, with headers that say where they come from and what went wrong.

    `dlq.topic`, `dlq.partition`, `dlq.offset`, `dlq.timestamp`, `dlq.group`, `dlq.attempts`, `dlq.error.type`, `dlq.error.message`
    """

    def __init__(self, producer: Any, topic: str, group: str | None) -> None:
        self._producer, self._topic, self._group = producer, topic, group

    async def send(self, item: Item, error: Exception, attempts: int) -> None:
        """Send a record there; returns when it is acknowledged."""
        columns, row = item.columns, item.row
        said = {
            "dlq.topic": columns.topic, "dlq.partition": columns.partition, "dlq.offset": columns.offset(row),
            "dlq.timestamp": columns.timestamp(row), "dlq.group": self._group or "", "dlq.attempts": attempts,
            "dlq.error.type": type(error).__name__, "dlq.error.message": str(error)[:ERROR_TEXT_MAX],
        }  # fmt: skip
        headers = [*columns.headers(row), *((name, str(value)) for name, value in said.items())]
        await self._producer.send(self._topic, columns.take(VALUE, row), columns.take(KEY, row), headers=headers)


class Item:
    """A record that was given out."""

    __slots__ = ("columns", "is_done", "part", "row")

    def __init__(self, part: _Part, columns: Columns, row: int) -> None:
        self.part, self.columns, self.row, self.is_done = part, columns, row, False


class _Part:
    """What was given of an assigned partition and not counted as processed yet, in the order of offsets."""

    def __init__(self, position: Position) -> None:
        self.position, self.turn = position, position.turn
        self.given: deque[Item] = deque()

    @property
    def is_stale(self) -> bool:
        """A seek, or a rebalance that took the partition away, came in between."""
        return self.position.turn != self.turn or self.position.revoking

    def advance(self) -> int:
        """Count what is done from the front; how many that was."""
        count = 0
        while self.given and self.given[0].is_done:
            item = self.given.popleft()
            count += 1
            columns, behind = item.columns, item.row + 1
            offset = columns.next_offset if behind == columns.count else columns.offset(behind)
            if self.position.turn == self.turn and offset > self.position.processed:
                self.position.processed, self.position.processed_epoch = offset, columns.leader_epoch
        return count


class WorkLane(Lane):
    """Gives records to slots, and knows what is in hand."""

    def __init__(
        self, consumer: Consumer[Any, Any], handler: Callable[[Record], Awaitable[Any]], by: By, retry: Retry | None,
        dead_letters: DeadLetters | None,
    ) -> None:  # fmt: skip
        super().__init__(consumer._fetcher, None, consumer._check)
        self._consumer, self._handler, self._by = consumer, handler, by
        self._retry, self._dead_letters = retry, dead_letters
        self._parts: dict[TopicAndPartition, _Part] = {}
        self._slots: dict[Any, deque[Item]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_hand: dict[TopicAndPartition, int] = {}
        self._waiting = 0
        self._next = 0
        self._over = False
        self._failure: Exception | None = None

    def wants(self, position: Position) -> bool:
        return position.key not in self._consumer._records.claimed and super().wants(position)

    async def run(self) -> None:
        """Give out what comes until the consumer stops or a record fails for good."""
        room = self._consumer.config.max_poll_records
        try:
            while self._failure is None and self.check():
                found = self.fetcher.next_columns(self.wants) if self._waiting < room else None
                if found is None:
                    await self.fetcher.idle(None)
                elif found[1].count:
                    self._give(*found)
        finally:
            await self._finish()
        if self._failure is not None:
            raise self._failure

    async def _finish(self) -> None:
        """Take back what waits, and let what is in hand come to its end."""
        self._over = True
        self.fetcher.wake()  # retries that wait
        for queue in self._slots.values():
            queue.clear()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _give(self, position: Position, columns: Columns) -> None:
        position.delivered, position.delivered_epoch = columns.next_offset, columns.leader_epoch
        part = self._parts.get(position.key)
        if part is None or part.position is not position or part.turn != position.turn:
            part = self._parts[position.key] = _Part(position)
        for row in range(columns.count):
            item = Item(part, columns, row)
            part.given.append(item)
            slot = self._slot(position.key, columns, row)
            queue = self._slots.get(slot)
            if queue is None:
                queue = self._slots[slot] = deque()
                task = asyncio.get_running_loop().create_task(self._work(slot, queue))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            queue.append(item)
        self._waiting += columns.count

    def _slot(self, key: TopicAndPartition, columns: Columns, row: int) -> Any:
        by = self._by
        if by.kind == "one":
            return 0
        if by.kind == "partition":
            return key
        if by.kind == "record":
            self._next = (self._next + 1) % by.count
            return self._next
        word = columns.take(KEY, row)
        return hash(key if word is None else word) % by.count

    async def _work(self, slot: Any, queue: deque[Item]) -> None:
        """Handle what is in a slot's queue; ends when that is empty."""
        while queue and self._failure is None and not self._consumer._stopping:
            item = queue.popleft()
            part = item.part
            key = part.position.key
            if not part.is_stale:
                self._in_hand[key] = self._in_hand.get(key, 0) + 1
                try:
                    item.is_done = await self._handle(item)
                except Exception as error:  # noqa: BLE001 - `run` raises it
                    if self._failure is None:
                        self._failure = error
                finally:
                    self._in_hand[key] -= 1
            self._waiting -= 1
            part.advance()
            self.fetcher.wake()  # there is room, or a drain waits for what has just come back
        if self._slots.get(slot) is queue:
            del self._slots[slot]

    async def _handle(self, item: Item) -> bool:
        """Whether a record is done with; False where a retry was given up for a rebalance or a stop."""
        attempt = 0
        while True:
            try:
                await self._handler(item.columns.record(item.row))
                return True
            except Exception as error:
                attempt += 1
                wait_s = None if self._retry is None else self._retry.wait_s(attempt, error)
                if wait_s is None:
                    if self._dead_letters is None:
                        raise
                    await self._dead_letters.send(item, error, attempt)
                    self._consumer._fetcher.metrics["dead_letters"] += 1
                    return True
                log.info("a handler failed and is tried again in %.1f s: %r", wait_s, error)
            if not await self._wait(item, wait_s):
                return False

    async def _wait(self, item: Item, wait_s: float) -> bool:
        """Wait for a retry; False where the partition goes away or everything ends meanwhile."""
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        while (left := until - loop.time()) > 0:
            if item.part.is_stale or self._over or self._consumer._stopping or self._failure is not None:
                return False
            await asyncio.wait([self.fetcher.arrival()], timeout=left)
        return True

    def holds(self, keys: set[TopicAndPartition]) -> bool:
        return any(self._in_hand.get(key) for key in keys)

    def drop(self, keys: set[TopicAndPartition]) -> None:
        for queue in self._slots.values():
            kept = [item for item in queue if item.part.position.key not in keys]
            if len(kept) < len(queue):
                self._waiting -= len(queue) - len(kept)
                queue.clear()
                queue.extend(kept)
        for key in keys:
            self._parts.pop(key, None)
        self.fetcher.wake()  # a retry that waits for one of these is over

    def settle(self, *, given: bool = False) -> None:
        """What is done was counted as it was done; what waits here was not handled, whoever asks."""
