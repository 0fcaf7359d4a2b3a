"""The group coordinator of this broker: finds the partition of `__consumer_offsets` that a group lives in.

Handlers call this; it hands requests to the `GroupShardHost` of the group's partition, and follows the metadata image:
a partition we come to lead is loaded, one we lose is closed, the offsets of deleted topics are dropped. The topic is
made on the first FindCoordinator (`ensure_topic`).

Methods return a response, or a `Deferred` that resolves to it or to a `KafkaError`. They raise `KafkaError` where
the group cannot be served at all: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..coordinator import GroupCoordinatorConfig, RequestContext, partition_for
from ..coordinator.records import UnreadableRecordError
from ..protocol.apis.describe_groups import DescribedGroup
from ..protocol.apis.heartbeat import HeartbeatRequest
from ..protocol.apis.join_group import JoinGroupRequest
from ..protocol.apis.leave_group import LeaveGroupRequest
from ..protocol.apis.list_groups import ListedGroup
from ..protocol.apis.offset_commit import OffsetCommitRequest
from ..protocol.apis.offset_delete import OffsetDeleteRequest
from ..protocol.apis.offset_fetch import OffsetFetchRequestGroup, OffsetFetchResponseGroup
from ..protocol.apis.sync_group import SyncGroupRequest
from ..protocol.errors import ErrorCode, KafkaError
from .auto_create import auto_create
from .group_shard_host import GroupShardHost
from .purgatory import Deferred
from .topic_names import GROUP_METADATA

if TYPE_CHECKING:
    from ..metadata.image import MetadataImage
    from .config import BrokerConfig
    from .dispatch import Context
    from .partition import Partition
    from .server import Broker

log = logging.getLogger("ottla.broker.groups")

#: How long a start waits for groups to be loaded before clients are let in; the rest is loaded beside serving them.
LOAD_HEAD_START_S = 0.2

ResultT = TypeVar("ResultT")


async def settled(result: Any) -> Any:
    """Wait for a result that may be a `Deferred`; raises the error it carries."""
    if isinstance(result, Deferred):
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        result.on_result(lambda value: None if future.done() else future.set_result(value))
        result = await future
    if isinstance(result, Exception):
        raise result
    return result


def mapped(result: Any, transform: Callable[[Any], ResultT]) -> ResultT | Deferred:
    """Apply `transform` to a result (a response or a `KafkaError`), now or when it comes."""
    if not isinstance(result, Deferred):
        return transform(result)
    later = Deferred()
    result.on_result(lambda value: later.resolve(transform(value)))
    return later


def coordinator_config(config: BrokerConfig) -> GroupCoordinatorConfig:
    """Take what the coordinator needs out of the broker's configuration."""
    return GroupCoordinatorConfig(
        group_min_session_timeout_ms=config.integer("group.min.session.timeout.ms"),
        group_max_session_timeout_ms=config.integer("group.max.session.timeout.ms"),
        group_initial_rebalance_delay_ms=config.integer("group.initial.rebalance.delay.ms"),
        group_max_size=config.integer("group.max.size"),
        offset_metadata_max_bytes=config.integer("offset.metadata.max.bytes"),
        offsets_retention_ms=config.integer("offsets.retention.minutes") * 60_000,
    )


class GroupCoordinatorService:
    """All groups whose partitions this broker leads."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._config = coordinator_config(broker.config)
        self._hosts: dict[int, GroupShardHost] = {}
        self._to_load: asyncio.Queue[GroupShardHost] = asyncio.Queue()
        self._loader: asyncio.Task[None] | None = None
        self._cleaner: asyncio.TimerHandle | None = None
        self._stopped = False

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Load the groups; what takes longer than the head start goes on while clients are served."""
        self._loader = asyncio.create_task(self._load_partitions(), name="load groups")
        self._loader.add_done_callback(self._on_loader_end)
        try:
            await asyncio.wait_for(self._to_load.join(), LOAD_HEAD_START_S)
        except TimeoutError:
            log.info("groups are still being loaded; until then their members are told to wait")
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
                log.error("cannot load groups from %s-%d: %s", GROUP_METADATA, host.index, problem)
            finally:
                self._to_load.task_done()

    def _on_loader_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._broker.metrics.uncaught_exceptions += 1
            log.critical("groups cannot be loaded any more", exc_info=task.exception())

    def apply(self, old: MetadataImage, image: MetadataImage) -> None:
        """Follow the metadata: leadership of our topic, and topics that are gone."""
        if old.topics is image.topics or self._stopped:
            return
        if image.topics.get(GROUP_METADATA) is not old.topics.get(GROUP_METADATA):
            led = self._led_partitions(image)
            for index, host in tuple(self._hosts.items()):
                if led.get(index) is not host.partition:
                    del self._hosts[index]
                    host.close()
            for index, partition in led.items():
                if index not in self._hosts:
                    self._open(partition)
        deleted = []
        for gone in old.topics:
            replacement = image.topics.get(gone.name)
            if replacement is None or replacement.id != gone.id:
                deleted.append((gone.name, gone.id))
        if deleted:
            for host in self._hosts.values():
                if not host.loading:
                    host.carry_out(host.shard.topics_deleted(deleted))

    def _led_partitions(self, image: MetadataImage) -> dict[int, Partition]:
        """Find the partitions we lead; one whose disk is dead is led by nobody."""
        topic = image.topics.get(GROUP_METADATA)
        led = {}
        for index, state in enumerate(topic.partitions if topic is not None else ()):
            if state.leader == self._broker.node_id:
                try:
                    led[index] = self._broker.partitions.get(GROUP_METADATA, index)
                except KafkaError as problem:
                    log.error("%s-%d cannot be used: %s", GROUP_METADATA, index, problem)
        return led

    def _open(self, partition: Partition) -> None:
        host = self._hosts[partition.index] = GroupShardHost(self._broker, partition, self._config, self._reload)
        if not host.load_empty():
            self._to_load.put_nowait(host)

    def _reload(self, host: GroupShardHost) -> None:
        """Its state may be ahead of its log: begin again from the log, if we still have one."""
        host.close()
        if self._hosts.get(host.index) is host:
            del self._hosts[host.index]
            if host.partition.is_leader and not self._stopped:
                self._open(host.partition)

    # ── finding ─────────────────────────────────────────────────────────────────────────────────────────────────

    def partition_of(self, group_id: str) -> int:
        """Return the index of the group's partition."""
        topic = self._broker.image.topics.get(GROUP_METADATA)
        count = self._broker.config.integer("offsets.topic.num.partitions") if topic is None else len(topic.partitions)
        return partition_for(group_id, count)

    async def ensure_topic(self) -> ErrorCode:
        """Make sure that `__consumer_offsets` is there; returns why it could not be made."""
        if GROUP_METADATA in self._broker.image.topics:
            return ErrorCode.NONE
        errors = await auto_create(self._broker, [GROUP_METADATA])
        for name, error in errors.items():
            log.warning("cannot create %s: %s", name, error.name)
            return ErrorCode.COORDINATOR_NOT_AVAILABLE
        return ErrorCode.NONE

    def _host(self, group_id: str) -> GroupShardHost:
        if self._stopped:
            raise KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
        host = self._hosts.get(self.partition_of(group_id))
        if host is None:
            raise KafkaError(ErrorCode.NOT_COORDINATOR)
        if host.loading:
            raise KafkaError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
        return host

    # ── members ─────────────────────────────────────────────────────────────────────────────────────────────────

    def join(self, context: Context, request: JoinGroupRequest) -> Deferred:
        """JoinGroup."""
        host, ticket = self._host(request.group_id), Deferred()
        now_ms = self._broker.clock.now_ms()
        host.carry_out(host.shard.join(request, request_context(context), ticket, str(uuid.uuid4()), now_ms))
        return ticket

    def sync(self, request: SyncGroupRequest) -> Deferred:
        """SyncGroup."""
        host, ticket = self._host(request.group_id), Deferred()
        host.carry_out(host.shard.sync(request, ticket))
        return ticket

    def heartbeat(self, request: HeartbeatRequest) -> Any:
        """Heartbeat."""
        host = self._host(request.group_id)
        return host.carry_out(host.shard.heartbeat(request))

    def leave(self, context: Context, request: LeaveGroupRequest) -> Any:
        """LeaveGroup."""
        host = self._host(request.group_id)
        return host.carry_out(host.shard.leave(request, request_context(context), self._broker.clock.now_ms()))

    # ── offsets ─────────────────────────────────────────────────────────────────────────────────────────────────

    def commit_offsets(self, context: Context, request: OffsetCommitRequest) -> Any:
        """OffsetCommit."""
        host = self._host(request.group_id)
        now_ms = self._broker.clock.now_ms()
        return host.carry_out(host.shard.commit_offsets(request, request_context(context), now_ms))

    async def fetch_offsets(
        self, request: OffsetFetchRequestGroup, *, require_stable: bool
    ) -> OffsetFetchResponseGroup:
        """OffsetFetch of one group."""
        host = self._host(request.group_id)
        response = host.when_settled(lambda: host.shard.fetch_offsets(request, require_stable=require_stable))
        found: OffsetFetchResponseGroup = await settled(response)
        return found

    def delete_offsets(self, request: OffsetDeleteRequest) -> Any:
        """OffsetDelete."""
        host = self._host(request.group_id)
        return host.carry_out(host.shard.delete_offsets(request))

    # ── administrators ──────────────────────────────────────────────────────────────────────────────────────────

    async def describe(self, group_id: str, api_version: int) -> DescribedGroup:
        """DescribeGroups of one group."""
        host = self._host(group_id)
        found: DescribedGroup = await settled(host.when_settled(lambda: host.shard.describe(group_id, api_version)))
        return found

    async def list_groups(self, states: list[str], types: list[str]) -> list[ListedGroup]:
        """ListGroups, of all partitions we lead."""
        groups: list[ListedGroup] = []
        for host in tuple(self._hosts.values()):
            if host.loading:
                raise KafkaError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
            groups += await settled(host.when_settled(partial(host.shard.list_groups, states, types)))
        return groups

    async def delete_group(self, group_id: str) -> ErrorCode:
        """DeleteGroups of one group."""
        host = self._host(group_id)
        error: ErrorCode = await settled(host.carry_out(host.shard.delete_group(group_id)))
        return error

    def _schedule_clean_up(self) -> None:
        interval_s = self._broker.config.integer("offsets.retention.check.interval.ms") / 1000
        self._cleaner = asyncio.get_running_loop().call_later(interval_s, self._clean_up)

    def _clean_up(self) -> None:
        for host in self._hosts.values():
            if not host.loading:
                for decision in host.shard.clean_up(self._broker.clock.now_ms()):
                    host.carry_out(decision)
        self._schedule_clean_up()


def request_context(context: Context) -> RequestContext:
    """Say who asks, as groups remember it; Kafka writes an address with a slash before it."""
    return RequestContext(context.version, context.client_id or "", f"/{context.connection.peer_host}")
