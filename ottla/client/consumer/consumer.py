"""`Consumer`: reads topics, alone or as a member of a group; records one by one, in batches, or by partition.

    async with Consumer("localhost:9092", "orders", group="billing", start="earliest") as consumer:
        async for record in consumer:              # processed when the loop comes back for the next one
            ...

    Consumer ── Membership ── the group: joins, heartbeats, assigns      (in the background, whatever the loop body does)
        │   └── Committer ─── commits what was processed
        ├── Fetcher ───────── brings batches ahead of the reader, within prefetch.bytes
        └── lanes ─────────── `async for record`, batches(), partitions()

A rebalance that takes a partition away waits for what is in hand (at most max.poll.interval.ms), commits, and only then
lets go: nothing is committed that was not processed, and nothing that was processed is left uncommitted without need.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from ...protocol.errors import ErrorCode
from ..errors import BrokerError, ClosedError, ConfigError
from ..offsets import EARLIEST, LATEST, Committed, Found, committed, list_offsets
from ..settings import Duration
from ._columns_cy import Record, RecordStream
from .assignors.types import TopicAndPartition
from .batch import Batch
from .core import ConsumerCore
from .lanes import BatchLane, RecordLane
from .positions import Position, Stage
from .starting import timestamp_of
from .working import By, DeadLetters, Retry, WorkLane

K = TypeVar("K")
V = TypeVar("V")
_WAIT = Duration("max_wait", 0, "How long to wait for more records.")


class Consumer(ConsumerCore, Generic[K, V]):
    """See the head of the module. `key`, `value`: functions of bytes, or objects with `deserialize(data, topic)`."""

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def __aiter__(self) -> RecordStream:
        if not self._started:
            raise ClosedError("the consumer is not started: use `async with`, or await consumer.start()")
        return self._records.stream

    async def getone(self) -> Record:
        """The next record."""
        record: Record = await anext(self._records.stream)
        return record

    async def batches(
        self, max_records: int | None = None, max_wait: str | int | timedelta = 0
    ) -> AsyncIterator[Batch]:
        """Batches of at most `max_records` (max.poll.records); a batch waits up to `max_wait` to be filled.

        A batch is processed when the loop comes back for the next one.
        """
        async for batch in self._iterate(self._batches, max_records, max_wait):
            yield batch

    @staticmethod
    def wait_s(max_wait: str | int | timedelta) -> float:
        """A `max_wait` in seconds."""
        return _WAIT.parse(max_wait) / 1000

    async def _iterate(self, lane: BatchLane, max_records: int | None, max_wait: Any) -> AsyncIterator[Batch]:
        room = max_records or self.config.max_poll_records
        wait_s = self.wait_s(max_wait)
        try:
            while not self._stopping:
                slices = await lane.collect(room, wait_s)
                if not slices:
                    return
                # No reference from the batch to itself: its memory is free when the loop goes on, not at a collection.
                yield Batch(slices, self.commit)
                lane.done()
                if self._policy.kind == "batch":
                    await self._commit_processed()
        finally:
            lane.discard()

    async def partitions(self) -> AsyncIterator[PartitionReader]:
        """A reader for each partition as it is assigned; it ends when the partition is taken away."""
        seen: dict[TopicAndPartition, Position] = {}
        while self._check():
            for key, position in list(self.positions.by_key.items()):
                if seen.get(key) is not position and not position.revoking:
                    seen[key] = position
                    self._records.claimed.add(key)
                    self._batches.claimed.add(key)
                    yield PartitionReader(self, key)
            await self._fetcher.arrival()

    async def run(
        self,
        handler: Callable[..., Awaitable[Any]],
        *,
        batch: bool = False,
        max_records: int | None = None,
        max_wait: str | int | timedelta = 0,
        concurrency: By = By.ONE,
        retry: Retry | int | None = None,
        dead_letters: str | None = None,
        stop_on: Iterable[int] = (),
    ) -> None:
        """Hand every record (or batch) to `handler` until `stop` is called or a signal of `stop_on` comes.

        `concurrency` says what is handled at the same time (`By.PARTITION`, `By.KEY(64)`, `By.RECORD(64)`); `retry` how often a record is
        tried again; `dead_letters` is the topic for what failed for good, without which the handler's exception ends `run`. A record
        counts as processed when its handler returned or its dead letter is acknowledged; commits never go past one that is not. On a signal: no more is
        given, what is in hand is finished; leaving `async with` then commits and leaves the group.
        """
        retry = Retry(retry) if isinstance(retry, int) else retry
        plain = concurrency == By.ONE and retry is None and dead_letters is None
        if batch and not plain:
            raise ConfigError(
                "concurrency, retry and dead_letters are of records: a handler of batches does that itself"
            )
        loop = asyncio.get_running_loop()
        signals = list(stop_on)
        for number in signals:
            loop.add_signal_handler(number, self.stop)
        try:
            if batch:
                async for each in self.batches(max_records, max_wait):
                    await handler(each)
            elif not plain:
                await self._work(handler, concurrency, retry, dead_letters)
            else:
                async for record in self:
                    await handler(record)
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    async def _work(self, handler: Any, by: By, retry: Retry | None, dead_letters: str | None) -> None:
        async with AsyncExitStack() as stack:
            letters = None
            if dead_letters is not None:
                from ..producer.producer import Producer

                letters = DeadLetters(await stack.enter_async_context(Producer(self.config)), dead_letters, self.group)
            lane = WorkLane(self, handler, by, retry, letters)
            self._lanes.append(lane)
            try:
                await lane.run()
            finally:
                self._lanes.remove(lane)

    # ── where we are ────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def assignment(self) -> set[TopicAndPartition]:
        """The partitions that are read now."""
        return {key for key, position in self.positions.by_key.items() if not position.revoking}

    @property
    def member_id(self) -> str:
        return self._membership.machine.member_id if self._membership is not None else ""

    @property
    def metrics(self) -> dict[str, int]:
        """Counters since the start."""
        found = dict(self._fetcher.metrics)
        found["buffered_bytes"] = self._fetcher.buffered_bytes
        found["truncations"] = len(self._starter.truncations)
        if self._committer is not None:
            found.update(self._committer.metrics)
        if self._membership is not None:
            found["rebalances"] = self._membership.machine.rebalances
        return found

    def position(self, topic: str, partition: int) -> int | None:
        """The offset of the next record that is given; None while it is being found."""
        position = self._position(topic, partition)
        if position.stage is Stage.RESOLVE:
            return None
        within = self._records.next_offset(position)
        if within is not None:
            return within
        return position.delivered if position.delivered >= 0 else None

    def lag(self) -> dict[TopicAndPartition, int | None]:
        """Records between the position and the end that may be read, as the last answers told."""
        found: dict[TopicAndPartition, int | None] = {}
        for key, position in self.positions.by_key.items():
            end = position.last_stable_offset if position.last_stable_offset >= 0 else position.high_watermark
            at = self.position(*key)
            found[key] = None if end < 0 or at is None else max(0, end - at)
        return found

    async def committed(
        self, partitions: Iterable[TopicAndPartition] | None = None
    ) -> dict[TopicAndPartition, Committed]:
        """What the group has committed, of these partitions or of those assigned."""
        return await committed(self.cluster, self._group(), self.assignment if partitions is None else partitions)

    async def offsets_for_time(
        self, when: datetime | Mapping[TopicAndPartition, datetime], partitions: Iterable[TopicAndPartition] = ()
    ) -> dict[TopicAndPartition, Found]:
        """The first record that is not older; offset -1 where there is none."""
        if isinstance(when, datetime):
            when = dict.fromkeys(partitions or self.assignment, when)
        return await list_offsets(self.cluster, {key: timestamp_of(each) for key, each in when.items()})

    async def beginning_offsets(self, partitions: Iterable[TopicAndPartition]) -> dict[TopicAndPartition, int]:
        found = await list_offsets(self.cluster, dict.fromkeys(partitions, EARLIEST))
        return {key: each.offset for key, each in found.items()}

    async def end_offsets(self, partitions: Iterable[TopicAndPartition]) -> dict[TopicAndPartition, int]:
        found = await list_offsets(self.cluster, dict.fromkeys(partitions, LATEST), isolation=self._starter.isolation)
        return {key: each.offset for key, each in found.items()}

    # ── going elsewhere ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _position(self, topic: str, partition: int) -> Position:
        position = self.positions.by_key.get((topic, partition))
        if position is None:
            raise BrokerError(
                ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
                "the partition is not assigned to this consumer",
                topic_partition=(topic, partition),
                retriable=False,
            )
        return position

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Go on at this offset."""
        self._moved(self._position(topic, partition), lambda position: position.start_at(offset))

    def seek_to_beginning(self, *partitions: TopicAndPartition) -> None:
        """Go back to the first record that is there; of all assigned partitions where none are named."""
        for key in partitions or self.assignment:
            self._moved(self._position(*key), lambda position: position.restart(EARLIEST))

    def seek_to_end(self, *partitions: TopicAndPartition) -> None:
        """Pass over all that is there."""
        for key in partitions or self.assignment:
            self._moved(self._position(*key), lambda position: position.restart(LATEST))

    def seek_to_time(self, when: datetime | timedelta, *partitions: TopicAndPartition) -> None:
        """Go to the first record that is not older; a timedelta is so long ago."""
        moment = datetime.now().astimezone() - when if isinstance(when, timedelta) else when
        for key in partitions or self.assignment:
            self._moved(self._position(*key), lambda position: position.restart(timestamp_of(moment)))

    def _moved(self, position: Position, move: Callable[[Position], None]) -> None:
        for lane in self._lanes:
            lane.drop({position.key})
        self._failure = None if isinstance(self._failure, BrokerError) else self._failure
        move(position)
        self._fetcher.drop(position)
        if position.stage is Stage.RESOLVE:
            self._resolve_soon()
        self._fetcher.pump()

    def pause(self, *partitions: TopicAndPartition) -> None:
        """Give no more of these for now; heartbeats go on, and so does what is in hand."""
        for key in partitions or self.assignment:
            position = self._position(*key)
            position.paused = True
            at = self._records.next_offset(position)
            if at is not None:  # rows of it are being given: they come again after `resume`
                self._records.settle()
                self._records.drop({key})
                epoch = position.processed_epoch
                processed = position.processed
                position.start_at(at, epoch)
                position.processed = processed
                self._fetcher.drop(position)

    def resume(self, *partitions: TopicAndPartition) -> None:
        for key in partitions or self.assignment:
            self._position(*key).paused = False
        self._fetcher.wake()
        self._fetcher.pump()

    def assign(self, partitions: Iterable[TopicAndPartition] | Mapping[TopicAndPartition, int]) -> None:
        """Read exactly these, without the group's help; a mapping says at which offset. Commits still go to the group."""
        if self._membership is not None:
            raise ConfigError("this consumer is subscribed: the group assigns its partitions")
        keys = list(partitions)
        gone = [key for key in self.positions.by_key if key not in keys]
        for lane in self._lanes:
            lane.drop(set(gone))
        for position in self.positions.remove(gone):
            self._fetcher.drop(position)
        for topic in {key[0] for key in keys}:
            self.cluster.tracked.setdefault(topic, False)
        self.cluster.want_metadata()
        self._assigned(keys)
        if isinstance(partitions, Mapping):
            for (topic, partition), offset in partitions.items():
                self.seek(topic, partition, offset)
        if self.group is not None and self._policy.automatic and self._auto is None:
            self._auto = self._spawn(self._commit_now_and_then())

    def subscribe(self, *topics: str) -> None:
        """Read these topics from now on instead."""
        if self._membership is None:
            raise ConfigError("a consumer that reads without a group uses `assign`")
        self._topics = topics
        for topic in topics:
            self.cluster.tracked.setdefault(topic, False)
        self.cluster.want_metadata()
        self._membership.machine.changed(topics, "other topics are subscribed to")
        self._membership.poke()


class PartitionReader:
    """The records of one assigned partition; ends when the partition is taken away, or the consumer stops."""

    def __init__(self, consumer: Consumer[Any, Any], key: TopicAndPartition) -> None:
        self.topic, self.partition = key
        self._consumer = consumer
        self._key = key

    def __repr__(self) -> str:
        return f"<PartitionReader of {self.topic}-{self.partition}>"

    def __aiter__(self) -> RecordStream:
        lane = RecordLane(self._consumer._fetcher, self._key, self._consumer._check)
        self._consumer._lanes.append(lane)
        return lane.stream

    async def batches(
        self, max_records: int | None = None, max_wait: str | int | timedelta = 0
    ) -> AsyncIterator[Batch]:
        lane = BatchLane(self._consumer._fetcher, self._key, self._consumer._check)
        self._consumer._lanes.append(lane)
        async for batch in self._consumer._iterate(lane, max_records, max_wait):
            yield batch
