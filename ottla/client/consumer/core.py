"""What stands behind `Consumer`: its life, its group, its commits, and the finding of positions.

assigned ──► Positions ──► _resolve: committed, or `start` ──► Fetcher
revoked ───► no more is given ──► what is in hand is waited for ──► commit ──► gone
lost ──────► gone at once: another member has it already
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Self
from uuid import UUID

from ...protocol.errors import ErrorCode
from ..cluster import Cluster
from ..config import Config, as_config
from ..errors import BrokerError, ClientError, ClosedError, ConfigError
from ..metadata import TopicView
from ..offsets import Committed, committed
from ..telemetry.reporter import Reporter
from ._columns_cy import Record
from .assignors.table import choose
from .assignors.types import Assignor, TopicAndPartition
from .classic_group import ClassicMember
from .committing import FENCED, Commit, Committer
from .fetcher import Fetcher
from .lanes import BatchLane, Lane, RecordLane
from .membership import Machine, Membership, new_member_id
from .modern_group import ModernMember
from .positions import Positions, Stage
from .starting import Start, Starter

log = logging.getLogger("ottla.client")

#: How long the last commit may take when the consumer is closed.
CLOSE_TIMEOUT_MS = 10_000
Callback = Callable[[list[TopicAndPartition]], "Awaitable[None] | None"]


class ConsumerCore:
    """See `consumer.Consumer`, the public face."""

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
        on_assign: Callback | None = None,
        on_revoke: Callback | None = None,
        on_lost: Callback | None = None,
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
        self._readers = (reader(key, "key"), reader(value, "value"))
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
        self._reporter: Reporter | None = None

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────────────────

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
        if self.config.enable_metrics_push:
            self._reporter = Reporter(self.cluster, self._telemetry)
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
                new_member_id(),
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
            for lane in self._lanes:
                if isinstance(lane, RecordLane):
                    lane.stop()
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
        if self._reporter is not None:
            await self._reporter.close()
        if self._membership is not None:
            await self._membership.leave()
        if self._committer is not None:
            self._committer.close()
        await self.cluster.close()

    def _telemetry(self) -> Any:
        from ..telemetry.metrics import consumer_source

        return consumer_source(self)  # type: ignore[arg-type]

    async def client_instance_id(self, timeout_ms: int | None = None) -> UUID:
        """The id under which the cluster takes this client's metrics (KIP-714)."""
        if self._reporter is None:
            raise ConfigError("enable.metrics.push is false, or the consumer is not started")
        return await self._reporter.instance_id(timeout_ms or self.config.default_api_timeout_ms)

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

    # ── commits ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _group(self) -> str:
        if self.group is None:
            raise ConfigError("this needs a group: Consumer(…, group=…)")
        return self.group

    def _identity(self) -> tuple[str, int, str | None]:
        if self._membership is None:
            return "", -1, None
        machine = self._membership.machine
        return machine.member_id, machine.generation, self.config.group_instance_id

    def group_member(self) -> tuple[str, int, str, str | None]:
        """(group, generation, member id, instance id): what a transaction needs to commit for this member."""
        member_id, generation, instance_id = self._identity()
        return self._group(), generation, member_id, instance_id

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

    # ── the group's doing ───────────────────────────────────────────────────────────────────────────────────────────────

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

    # ── positions ───────────────────────────────────────────────────────────────────────────────────────────────────────

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


def _stale_epoch(problem: ClientError) -> bool:
    """A KIP-848 member whose epoch moved on while we asked: ask again with the new one."""
    code = getattr(problem, "code", None)
    return code in (ErrorCode.STALE_MEMBER_EPOCH, ErrorCode.UNKNOWN_MEMBER_ID)


async def _maybe(result: Any) -> None:
    if result is not None:
        await result


def reader(deserializer: Any, field: str = "value") -> Callable[[bytes, Record], Any] | None:
    """What `Record.key` and `Record.value` call: (bytes, record) -> object."""
    if deserializer is None or deserializer is bytes:
        return None
    if deserializer is str:
        return lambda data, _: data.decode()
    if hasattr(deserializer, "reader"):
        made: Callable[[bytes, Record], Any] = deserializer.reader(field)
        return made
    deserialize = getattr(deserializer, "deserialize", None)
    if deserialize is not None:
        return lambda data, record: deserialize(data, record.topic)
    if not callable(deserializer):
        raise ConfigError(f"{deserializer!r} is no deserializer: a function of bytes, or an object with `deserialize`")
    return lambda data, _: deserializer(data)
