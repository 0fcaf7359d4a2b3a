"""What the three coordinators have in common: which partitions of their topic this broker leads, and finding a key's.

A service follows the metadata image: a partition we come to lead is loaded (`ShardHost`), one we lose is closed. Its
topic is made when it is first asked for (`ensure_topic`). Requests find the host of their key with `host`, which raises
the `KafkaError` that sends a client elsewhere or lets it wait: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS,
COORDINATOR_NOT_AVAILABLE.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from ...coordinator.shard import UnreadableRecordError, partition_for
from ...protocol.errors import ErrorCode, KafkaError
from ..auto_create import auto_create
from ..purgatory import Deferred
from .shard_host import HostConfig, ShardHost, ShardT, Turn

if TYPE_CHECKING:
    from ...metadata.image import MetadataImage
    from ..partition import Partition
    from ..server import Broker

log = logging.getLogger("ottla.broker.coordinators")

#: How long a start waits for state to be loaded before clients are let in; the rest is loaded beside serving them.
LOAD_HEAD_START_S = 0.2

ResultT = TypeVar("ResultT")


def mapped(result: Any, transform: Callable[[Any], ResultT]) -> ResultT | Deferred:
    """Apply `transform` to a result (a response or a `KafkaError`), now or when it comes; it may have to wait itself."""
    if not isinstance(result, Deferred):
        return transform(result)
    later = Deferred()

    def hand_on(value: Any) -> None:
        outcome: Any = transform(value)
        if isinstance(outcome, Deferred):
            outcome.on_result(later.resolve)
        else:
            later.resolve(outcome)

    result.on_result(hand_on)
    return later


class CoordinatorService(ABC, Generic[ShardT]):
    """The shards of one internal topic whose partitions this broker leads."""

    #: The internal topic, the config with its partition count, and the one with the interval of `Shard.clean_up`.
    TOPIC: ClassVar[str]
    PARTITIONS_KEY: ClassVar[str]
    CLEAN_UP_KEY: ClassVar[str]

    def __init__(self, broker: Broker, host_config: HostConfig) -> None:
        self._broker = broker
        self._host_config = host_config
        self._hosts: dict[int, ShardHost[ShardT]] = {}
        self._to_load: asyncio.Queue[ShardHost[ShardT]] = asyncio.Queue()
        self._loader: asyncio.Task[None] | None = None
        self._cleaner: asyncio.TimerHandle | None = None
        self._stopped = False
        self._turn = Turn()

    def on_effects(self, host: ShardHost[ShardT], effects: list[Any]) -> None:
        """Carry out what a decision asks for beside the log."""
        raise AssertionError(f"no decision here has effects: {effects}")

    @abstractmethod
    def make_shard(self, partition: Partition) -> ShardT:
        """Make the empty machine of one partition."""

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Load the state; what takes longer than the head start goes on while clients are served."""
        self._loader = asyncio.create_task(self._load_partitions(), name=f"load {self.TOPIC}")
        self._loader.add_done_callback(self._on_loader_end)
        try:
            await asyncio.wait_for(self._to_load.join(), LOAD_HEAD_START_S)
        except TimeoutError:
            log.info("%s is still being loaded; until then its clients are told to wait", self.TOPIC)
        self._schedule_clean_up()

    async def stop(self) -> None:
        """Write what is waiting to be written, and leave."""
        self._stopped = True
        if self._cleaner is not None:
            self._cleaner.cancel()
        if self._loader is not None:
            self._loader.cancel()
            await asyncio.gather(self._loader, return_exceptions=True)
        for host in self._hosts.values():
            host.flush()
            host.close()
        self._hosts.clear()

    async def _load_partitions(self) -> None:
        while True:
            host = await self._to_load.get()
            try:
                await host.load()
            except (UnreadableRecordError, KafkaError, OSError) as problem:
                # It stays "loading": guessing at the state would hand partitions to two members at once.
                log.error("cannot load %s-%d: %s", self.TOPIC, host.index, problem)
            finally:
                self._to_load.task_done()

    def _on_loader_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._broker.metrics.uncaught_exceptions += 1
            log.critical("%s cannot be loaded any more", self.TOPIC, exc_info=task.exception())

    def _schedule_clean_up(self) -> None:
        interval_s = self._broker.config.integer(self.CLEAN_UP_KEY) / 1000
        self._cleaner = asyncio.get_running_loop().call_later(interval_s, self._clean_up)

    def _clean_up(self) -> None:
        for host in self.loaded():
            for decision in host.shard.clean_up(self._broker.clock.now_ms()):
                host.carry_out(decision)
        self._schedule_clean_up()

    # ── leadership ──────────────────────────────────────────────────────────────────────────────────────────────

    def apply(self, old: MetadataImage, image: MetadataImage) -> None:
        """Follow the metadata: leadership of our topic."""
        if self._stopped or image.topics.get(self.TOPIC) is old.topics.get(self.TOPIC):
            return
        led = self._led_partitions(image)
        for index, host in tuple(self._hosts.items()):
            if led.get(index) is not host.partition:
                del self._hosts[index]
                host.close()
        for index, partition in led.items():
            if index not in self._hosts:
                self._open(partition)

    def _led_partitions(self, image: MetadataImage) -> dict[int, Partition]:
        """Find the partitions we lead; one whose disk is dead is led by nobody."""
        topic = image.topics.get(self.TOPIC)
        led = {}
        for index, state in enumerate(topic.partitions if topic is not None else ()):
            if state.leader == self._broker.node_id:
                try:
                    led[index] = self._broker.partitions.get(self.TOPIC, index)
                except KafkaError as problem:
                    log.error("%s-%d cannot be used: %s", self.TOPIC, index, problem)
        return led

    def _open(self, partition: Partition) -> None:
        shard = self.make_shard(partition)
        host = ShardHost(self._broker, partition, shard, self._host_config, self._reload, self._turn)
        host.on_effects = self.on_effects
        self._hosts[partition.index] = host
        if not host.load_empty():
            self._to_load.put_nowait(host)

    def _reload(self, host: ShardHost[ShardT]) -> None:
        """Its state may be ahead of its log: begin again from the log, if we still have one."""
        host.close()
        if self._hosts.get(host.index) is host:
            del self._hosts[host.index]
            if host.partition.is_leader and not self._stopped:
                self._open(host.partition)

    # ── finding ─────────────────────────────────────────────────────────────────────────────────────────────────

    def partition_of(self, key: str) -> int:
        """Return the index of the partition that holds a key."""
        topic = self._broker.image.topics.get(self.TOPIC)
        count = self._broker.config.integer(self.PARTITIONS_KEY) if topic is None else len(topic.partitions)
        return partition_for(key, count)

    async def ensure_topic(self) -> ErrorCode:
        """Make sure that the topic is there; returns why it could not be made."""
        if self.TOPIC in self._broker.image.topics:
            return ErrorCode.NONE
        errors = await auto_create(self._broker, [self.TOPIC])
        for name, error in errors.items():
            log.warning("cannot create %s: %s", name, error.name)
            return ErrorCode.COORDINATOR_NOT_AVAILABLE
        return ErrorCode.NONE

    def host(self, key: str) -> ShardHost[ShardT]:
        """Return the loaded host of a key; raises `KafkaError`."""
        if self._stopped:
            raise KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
        host = self._hosts.get(self.partition_of(key))
        if host is None:
            raise KafkaError(ErrorCode.NOT_COORDINATOR)
        if host.loading:
            raise KafkaError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
        return host

    def hosted(self, index: int) -> ShardHost[ShardT]:
        """Return the loaded host of a partition; raises NOT_LEADER_OR_FOLLOWER."""
        host = self._hosts.get(index)
        if host is None or host.loading:
            raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        return host

    @property
    def has_loaded(self) -> bool:
        """Whether no partition of ours is still being loaded."""
        return not any(host.loading for host in self._hosts.values())

    def loaded(self) -> Iterator[ShardHost[ShardT]]:
        """Iterate over the hosts that can answer; ones that come or go meanwhile do no harm."""
        return iter([host for host in self._hosts.values() if not host.loading])

    def every(self) -> list[ShardHost[ShardT]]:
        """Return every host, also those that are being loaded."""
        return list(self._hosts.values())

    def all_hosts(self) -> list[ShardHost[ShardT]]:
        """Return every host; raises COORDINATOR_LOAD_IN_PROGRESS while one cannot answer."""
        hosts = list(self._hosts.values())
        if any(host.loading for host in hosts):
            raise KafkaError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
        return hosts
