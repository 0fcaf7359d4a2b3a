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
import contextlib
import logging
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Generic, Self, TypeVar

from ...protocol.errors import ErrorCode
from ..cluster import Cluster
from ..config import Config, as_config
from ..errors import BrokerError, ClientError, ClosedError, ConfigError
from ..metadata import TopicView
from ..offsets import EARLIEST, LATEST, Committed, Found, committed, list_offsets
from ..settings import Duration
from ._columns_cy import Record, RecordStream
from .assignors.table import choose
from .assignors.types import Assignor, TopicAndPartition
from .batch import Batch
from .classic_group import ClassicMember
from .committing import FENCED, Commit, Committer
from .fetcher import Fetcher
from .lanes import BatchLane, Lane, RecordLane
from .membership import Machine, Membership
from .modern_group import ModernMember
from .positions import Position, Positions, Stage
from .starting import Start, Starter, timestamp_of

log = logging.getLogger("ottla.client")

K = TypeVar("K")
V = TypeVar("V")
_WAIT = Duration("max_wait", 0, "How long to wait for more records.")
#: How long the last commit may take when the consumer is closed.
CLOSE_TIMEOUT_MS = 10_000


class Consumer(Generic[K, V]):
    """See the head of the module. `key`, `value`: functions of bytes, or objects with `deserialize(data, topic)`."""

    def __init__(
        self,
        config: Config | Mapping[str, Any] | str | None = None,
        *topics: str,
        group: str | None = None,
        start: Start = None,
        pattern: str | None = None,
        key: Any = None,
        value: Any = None,
        commit: Commit = Commit.AFTER,
        assignors: Iterable[str | Assignor] | None = None,
        on_assign: Callable[[list[TopicAndPartition]], Awaitable[None] | None] | None = None,
        on_revoke: Callable[[list[TopicAndPartition]], Awaitable[None] | None] | None = None,
        on_lost: Callable[[list[TopicAndPartition]], Awaitable[None] | None] | None = None,
        **settings: Any,
    ) -> None:
        if group is not None:
            settings["group_id"] = group
        self.config = as_config(config, **settings)
        self.group = self.config.group_id
        self.cluster = Cluster(self.config)
        self.positions = Positions()
        self._topics = tuple(topics)
        self._pattern = pattern
        self._start = start if start is not None else self.config.auto_offset_reset
        self._policy = commit if self.config.enable_auto_commit else Commit.MANUAL
        self._assignors = assignors
        self._callbacks = {"assign": on_assign, "revoke": on_revoke, "lost": on_lost}
        self._readers = (_reader(key), _reader(value))
        self._lanes: list[Lane] = []
        self._membership: Membership | None = None
        self._committer: Committer | None = None
        self._failure: BaseException | None = None
        self._stopping = self._closed = self._started = False
        self._resolving: asyncio.Task[None] | None = None
        self._auto: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._starter: Starter
        self._fetcher: Fetcher
        self._records: RecordLane
        self._batches: BatchLane
        self._features: dict[str, int] = {}

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Find the cluster and begin: join the group, or take all partitions of the topics."""
        if self._started:
            return
        self._starter = Starter(self.cluster, self._start, self.group)
        self._started = True
        try:
            await self.cluster.start()
        except BaseException:
            await self.cluster.close()
            raise
        self._fetcher = Fetcher(self.cluster, self.positions, self._readers, self._resolve_soon)
        self._records = RecordLane(self._fetcher, None, self._check)
        self._batches = BatchLane(self._fetcher, None, self._check)
        self._lanes += [self._records, self._batches]
        self.cluster.listeners.append(self._on_metadata)
        if self.group is not None:
            self._committer = Committer(self.cluster, self.group, self._identity)
        if self._topics or self._pattern is not None:
            try:
                await self._subscribe()
            except BaseException:
                await self.close()
                raise

    async def _subscribe(self) -> None:
        if self._pattern is not None:
            self.cluster.track_all = True
            await self.cluster.refresh()
            self._topics = self._matching()
        for topic in self._topics:
            await self.cluster.topic(topic, may_create=self.config.allow_auto_create_topics)
        if self.group is None:
            self._assigned(self._all_partitions())
            return
        self._features = (await self.cluster._any()).features
        machine = self._machine()
        self._membership = Membership(
            self.cluster,
            self.group,
            machine,
            rebalance_timeout_ms=self.config.max_poll_interval_ms,
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._lost,
            on_fail=self._fail,
        )
        self._membership.start()
        if self._policy.automatic:
            self._auto = self._spawn(self._commit_now_and_then())

    def _machine(self) -> Machine:
        config = self.config
        assert self.group is not None
        modern = config.group_protocol == "consumer" or (
            config.group_protocol == "auto"
            and self._assignors is None
            and not config.is_set("partition_assignment_strategy")
            and self._features.get("group.version", 0) >= 1
        )
        if modern:
            metadata = self.cluster.metadata
            return ModernMember(
                self.group,
                str(uuid.uuid4()),
                () if self._pattern is not None else self._topics,
                metadata.names.get,
                lambda name: metadata.topics[name].id if name in metadata.topics else None,
                regex=self._pattern,
                rebalance_timeout_ms=config.max_poll_interval_ms,
                instance_id=config.group_instance_id,
                rack=config.client_rack,
                server_assignor=config.group_remote_assignor,
            )
        return ClassicMember(
            self.group,
            self._topics,
            choose(list(self._assignors or config.partition_assignment_strategy)),
            session_timeout_ms=config.session_timeout_ms,
            rebalance_timeout_ms=config.max_poll_interval_ms,
            heartbeat_interval_ms=config.heartbeat_interval_ms,
            instance_id=config.group_instance_id,
            rack=config.client_rack,
        )

    def stop(self) -> None:
        """End every iteration after what is in hand; `close`, or leaving `async with`, does the rest. From the loop."""
        self._stopping = True
        if self._started:
            self._fetcher.wake()

    async def close(self) -> None:
        """Commit what was processed (unless the policy is MANUAL), leave the group, end the connections."""
        if self._closed or not self._started:
            return
        self._closed = self._stopping = True
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if hasattr(self, "_fetcher"):
            await self._fetcher.close()
            if self._policy.automatic and self._committer is not None and self._membership is not None:
                self._settle()
                await self._committer.commit_quietly(self.positions.to_commit(), CLOSE_TIMEOUT_MS)
        if self._membership is not None:
            await self._membership.leave()
        if self._committer is not None:
            self._committer.close()
        await self.cluster.close()

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _check(self) -> bool:
        """Whether iterations go on; raises what made the consumer fail."""
        if self._failure is not None:
            raise self._failure
        if self._stopping:
            return False
        if self._closed:
            raise ClosedError("the consumer is closed")
        return True

    def _fail(self, error: BaseException) -> None:
        self._failure = error
        self._fetcher.wake()

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────

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

    async def _iterate(self, lane: BatchLane, max_records: int | None, max_wait: Any) -> AsyncIterator[Batch]:
        room = max_records or self.config.max_poll_records
        wait_s = _WAIT.parse(max_wait) / 1000
        try:
            while True:
                slices = await lane.collect(room, wait_s)
                if not slices:
                    return
                batch = Batch(slices)
                batch._commit = lambda batch=batch: self.commit(batch.next_offsets)
                yield batch
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
        stop_on: Iterable[int] = (),
    ) -> None:
        """Hand every record (or batch) to `handler` until `stop` is called or a signal of `stop_on` comes.

        On the signal: no more is given, what is in hand is finished; leaving `async with` then commits and leaves.
        """
        loop = asyncio.get_running_loop()
        signals = list(stop_on)
        for number in signals:
            loop.add_signal_handler(number, self.stop)
        try:
            if batch:
                async for each in self.batches(max_records, max_wait):
                    await handler(each)
            else:
                async for record in self:
                    await handler(record)
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    # ── where we are ────────────────────────────────────────────────────────────────────────────────────────────

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

    # ── going elsewhere ─────────────────────────────────────────────────────────────────────────────────────────

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

    # ── commits ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _group(self) -> str:
        if self.group is None:
            raise ConfigError("this needs a group: Consumer(…, group=…)")
        return self.group

    def _identity(self) -> tuple[str, int, str | None]:
        if self._membership is None:
            return "", -1, None
        machine = self._membership.machine
        return machine.member_id, machine.generation, self.config.group_instance_id

    def group_metadata(self) -> tuple[str, str, int, str | None]:
        """(group, member id, generation, instance id): what a transaction needs to commit for this member."""
        return (self._group(), *self._identity())

    def _settle(self) -> None:
        for lane in self._lanes:
            lane.settle()

    async def commit(self, offsets: Mapping[TopicAndPartition, int | tuple[Any, ...]] | None = None) -> None:
        """Commit these offsets; without any, all that was given until now, the record in hand included."""
        self._group()
        assert self._committer is not None
        if offsets is None:
            for lane in self._lanes:
                lane.settle(given=True)
            await self._commit_processed(quiet=False)
            return
        exact = {key: each if isinstance(each, tuple) else (each, -1) for key, each in offsets.items()}
        await self._fenced_commit(exact)

    async def _fenced_commit(self, offsets: Mapping[TopicAndPartition, tuple[Any, ...]]) -> None:
        assert self._committer is not None
        try:
            await self._committer.commit(offsets)
        except BrokerError as problem:
            if problem.code in FENCED and self._membership is not None:
                self._membership.machine.fenced()
                self._membership.poke()
            raise
        for key, each in offsets.items():
            if key in self.positions.by_key:
                self.positions.by_key[key].committed = each[0]

    async def _commit_processed(self, keys: list[TopicAndPartition] | None = None, *, quiet: bool = True) -> None:
        offsets = self.positions.to_commit(keys)
        if not offsets or self._committer is None:
            return
        if not quiet:
            await self._fenced_commit(offsets)
            return
        if await self._committer.commit_quietly(offsets, self.config.default_api_timeout_ms):
            for key, each in offsets.items():
                if key in self.positions.by_key:
                    self.positions.by_key[key].committed = each[0]

    async def _commit_now_and_then(self) -> None:
        interval_ms = self._policy.interval_ms or self.config.auto_commit_interval_ms
        while True:
            await asyncio.sleep(max(interval_ms, 1) / 1000)
            self._settle()
            await self._commit_processed([key for key, p in self.positions.by_key.items() if not p.revoking])

    # ── the group's doing ───────────────────────────────────────────────────────────────────────────────────────

    def _assigned(self, partitions: list[TopicAndPartition]) -> None:
        self.positions.add(partitions)
        if partitions or self._callbacks["assign"]:
            self._call("assign", partitions)
        self._resolve_soon()
        self._fetcher.wake()

    async def _revoked(self, partitions: list[TopicAndPartition]) -> None:
        """Drain, commit, let go."""
        keys = set(partitions)
        for key in keys & self.positions.by_key.keys():
            self.positions.by_key[key].revoking = True
        for lane in self._lanes:
            lane.drop(keys)
        self._fetcher.wake()  # readers of a partition that goes away end
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.config.max_poll_interval_ms / 1000):
                while any(lane.holds(keys) for lane in self._lanes):
                    await self._fetcher.arrival()
        self._settle()
        if self._policy.automatic:
            await self._commit_processed(partitions)
        callback = self._callbacks["revoke"]
        if callback is not None:
            await _maybe(callback(partitions))
        self._remove(partitions)

    def _lost(self, partitions: list[TopicAndPartition]) -> None:
        for lane in self._lanes:
            lane.drop(set(partitions))
        self._remove(partitions)
        self._call("lost" if self._callbacks["lost"] is not None else "revoke", partitions)

    def _remove(self, partitions: list[TopicAndPartition]) -> None:
        for position in self.positions.remove(partitions):
            self._fetcher.drop(position)
            self._records.claimed.discard(position.key)
            self._batches.claimed.discard(position.key)
        self._fetcher.wake()

    def _call(self, name: str, partitions: list[TopicAndPartition]) -> None:
        callback = self._callbacks[name]
        if callback is None:
            return
        result = callback(partitions)
        if result is not None:
            self._spawn(_maybe(result))

    def _matching(self) -> tuple[str, ...]:
        assert self._pattern is not None
        pattern = re.compile(self._pattern)
        internal = not self.config.exclude_internal_topics
        views = self.cluster.metadata.topics.values()
        return tuple(sorted(v.name for v in views if (internal or not v.is_internal) and pattern.fullmatch(v.name)))

    def _all_partitions(self) -> list[TopicAndPartition]:
        known = self.cluster.metadata.topics
        return [(topic, n) for topic in self._topics if topic in known for n in range(len(known[topic].partitions))]

    def _on_metadata(self, _: list[TopicView]) -> None:
        """Topics that match, partitions that were added, ids that the assignment named."""
        if self._closed:
            return
        if self._membership is None:
            if self._topics or self._pattern is not None:
                if self._pattern is not None:
                    self._topics = self._matching()
                new = [key for key in self._all_partitions() if key not in self.positions.by_key]
                if new and self.group is None:
                    self._assigned(new)
            return
        machine = self._membership.machine
        if isinstance(machine, ModernMember):
            if machine.unknown_ids:
                self._membership.poke()
            return
        assert isinstance(machine, ClassicMember)
        topics = self._matching() if self._pattern is not None else self._topics
        if topics != self._topics:
            self._topics = topics
            machine.changed(topics, "other topics match the pattern")
            self._membership.poke()
        elif machine.is_leader and machine.distributed_counts is not None and machine.state == "stable":
            known = self.cluster.metadata.topics
            counts = {topic: len(known[topic].partitions) for topic in machine.watched if topic in known}
            if counts != machine.distributed_counts:
                machine.changed(None, "topics have other partitions than were assigned")
                self._membership.poke()

    # ── positions ───────────────────────────────────────────────────────────────────────────────────────────────

    def _resolve_soon(self) -> None:
        if self._resolving is None and not self._closed:
            self._resolving = self._spawn(self._resolve())
            self._resolving.add_done_callback(self._resolved)

    def _resolved(self, task: asyncio.Task[None]) -> None:
        self._resolving = None
        if task.cancelled():
            return
        problem = task.exception()
        if problem is not None:
            self._fail(problem)
        elif any(p.stage is not Stage.FETCH and not p.revoking for p in self.positions.by_key.values()):
            self._resolve_soon()

    async def _resolve(self) -> None:
        attempt = 0
        while True:
            waiting = [p for p in self.positions.by_key.values() if p.stage is not Stage.FETCH and not p.revoking]
            if not waiting:
                return
            try:
                await self._starter.check([p for p in waiting if p.stage is Stage.CHECK])
                lost = [p for p in waiting if p.stage is Stage.RESOLVE]
                new = [p.key for p in lost if p.delivered < 0 and p.seek_to is None]
                known: dict[TopicAndPartition, Committed] = {}
                if new and self.group is not None:
                    known = await committed(self.cluster, self.group, new, member=self._modern_identity())
                await self._starter.resolve(lost, known)
            except ClientError as problem:
                if not problem.retriable and not _stale_epoch(problem):
                    raise
                attempt += 1
                log.debug("positions could not be found yet: %s", problem)
                await asyncio.sleep(self.cluster.backoff_s(attempt))
                continue
            self._fetcher.pump()

    def _modern_identity(self) -> tuple[str, int] | None:
        if self._membership is None or not isinstance(self._membership.machine, ModernMember):
            return None
        return self._membership.machine.member_id, self._membership.machine.generation


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


def _stale_epoch(problem: ClientError) -> bool:
    """A KIP-848 member whose epoch moved on while we asked: ask again with the new one."""
    code = getattr(problem, "code", None)
    return code in (ErrorCode.STALE_MEMBER_EPOCH, ErrorCode.UNKNOWN_MEMBER_ID)


async def _maybe(result: Any) -> None:
    if result is not None:
        await result


def _reader(deserializer: Any) -> Callable[[bytes, Record], Any] | None:
    """What `Record.key` and `Record.value` call: (bytes, record) -> object."""
    if deserializer is None or deserializer is bytes:
        return None
    if deserializer is str:
        return lambda data, _: data.decode()
    deserialize = getattr(deserializer, "deserialize", None)
    if deserialize is not None:
        return lambda data, record: deserialize(data, record.topic)
    if not callable(deserializer):
        raise ConfigError(f"{deserializer!r} is no deserializer: a function of bytes, or an object with `deserialize`")
    return lambda data, _: deserializer(data)
