"""The group coordinator of this broker: every kind of group, in `__consumer_offsets`.

Methods return a response, or a `Deferred` that resolves to it or to a `KafkaError`. They raise `KafkaError` where
the group cannot be served at all (`service`).
"""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from ...coordinator import GroupCoordinatorConfig, GroupShard, RequestContext
from ...coordinator.groups.consumer.patterns import ResolvePatterns
from ...coordinator.groups.consumer.requests import check_heartbeat
from ...coordinator.groups.share.config import ShareConfig
from ...coordinator.groups.streams.config import StreamsConfig
from ...protocol.apis.consumer_group_describe import DescribedGroup as ConsumerDescribedGroup
from ...protocol.apis.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from ...protocol.apis.describe_groups import DescribedGroup
from ...protocol.apis.heartbeat import HeartbeatRequest
from ...protocol.apis.join_group import JoinGroupRequest
from ...protocol.apis.leave_group import LeaveGroupRequest
from ...protocol.apis.list_groups import ListedGroup
from ...protocol.apis.offset_commit import OffsetCommitRequest
from ...protocol.apis.offset_delete import OffsetDeleteRequest
from ...protocol.apis.offset_fetch import OffsetFetchRequestGroup, OffsetFetchResponseGroup
from ...protocol.apis.streams_group_describe import DescribedGroup as StreamsDescribedGroup
from ...protocol.apis.streams_group_heartbeat import StreamsGroupHeartbeatRequest
from ...protocol.apis.sync_group import SyncGroupRequest
from ...protocol.apis.txn_offset_commit import TxnOffsetCommitRequest
from ...protocol.errors import ErrorCode
from ...records.compression import Compression
from ...security.acl import DESCRIBE, TOPIC
from ..guards.asking import Asking, asking_of
from ..purgatory import Deferred, settled
from ..topic_names import GROUP_METADATA
from .consumer_config import consumer_config
from .service import CoordinatorService
from .shard_host import HostConfig, Producer, ShardHost
from .streams_topics import StreamsTopics

if TYPE_CHECKING:
    from ...metadata.image import MetadataImage
    from ..config import BrokerConfig
    from ..dispatch import Context
    from ..partition import Partition
    from ..server import Broker


#: Without an authorizer it does not matter who asks, and a heartbeat should not pay for it.
_NOT_ASKED = nullcontext()
#: The feature that lets consumer groups in.
GROUP_VERSION = "group.version"
#: So many matches of a pattern and a topic, four microseconds each, do not hold the loop up.
PATTERN_MATCHES_ON_LOOP_MAX = 1_000
#: The feature that lets streams groups in.
STREAMS_VERSION = "streams.version"


def coordinator_config(config: BrokerConfig) -> GroupCoordinatorConfig:
    """Take what the coordinator needs out of the broker's configuration."""
    return GroupCoordinatorConfig(
        group_min_session_timeout_ms=config.integer("group.min.session.timeout.ms"),
        group_max_session_timeout_ms=config.integer("group.max.session.timeout.ms"),
        group_initial_rebalance_delay_ms=config.integer("group.initial.rebalance.delay.ms"),
        group_max_size=config.integer("group.max.size"),
        offset_metadata_max_bytes=config.integer("offset.metadata.max.bytes"),
        offsets_retention_ms=config.integer("offsets.retention.minutes") * 60_000,
        consumer=consumer_config(config),
        share=ShareConfig(
            session_timeout_ms=config.integer("group.share.session.timeout.ms"),
            heartbeat_interval_ms=config.integer("group.share.heartbeat.interval.ms"),
            max_size=config.integer("group.share.max.size"),
            initialize_retry_interval_ms=config.integer("group.share.initialize.retry.interval.ms"),
        ),
        streams=StreamsConfig(
            session_timeout_ms=config.integer("group.streams.session.timeout.ms"),
            heartbeat_interval_ms=config.integer("group.streams.heartbeat.interval.ms"),
            num_standby_replicas=config.integer("group.streams.num.standby.replicas"),
            initial_rebalance_delay_ms=config.integer("group.streams.initial.rebalance.delay.ms"),
            max_size=config.integer("group.streams.max.size"),
        ),
    )


def host_config(config: BrokerConfig) -> HostConfig:
    """How `__consumer_offsets` is written and read."""
    return HostConfig(
        compression=Compression(config.integer("offsets.topic.compression.codec")),
        linger_s=max(config.integer("group.coordinator.append.linger.ms"), 0) / 1000,
        timeout_s=config.integer("offsets.commit.timeout.ms") / 1000,
        load_piece_bytes=config.integer("offsets.load.buffer.size"),
    )


class GroupCoordinatorService(CoordinatorService[GroupShard]):
    """All groups whose partitions this broker leads."""

    TOPIC = GROUP_METADATA
    PARTITIONS_KEY = "offsets.topic.num.partitions"
    CLEAN_UP_KEY = "offsets.retention.check.interval.ms"

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker, host_config(broker.config))
        self._config = coordinator_config(broker.config)
        #: Read once: it cannot change while the broker runs, and every heartbeat asks.
        #: Whose request is being decided, while there is an authorizer.
        self._asking: Asking | None = None
        self._protocols = frozenset(broker.config.strings("group.coordinator.rebalance.protocols"))
        #: Creates the internal topics of streams groups.
        self.streams_topics = StreamsTopics(broker)

    def make_shard(self, partition: Partition) -> GroupShard:
        """Make an empty shard."""
        shard = GroupShard(self._config)
        shard.image_changed(self._broker.image, self._broker.clock.now_ms())
        return shard

    def apply(self, old: MetadataImage, image: MetadataImage) -> None:
        """Follow the metadata: leadership of our topic, and topics that are gone with the offsets committed for them."""
        super().apply(old, image)
        if self._stopped:
            return
        now_ms = self._broker.clock.now_ms()
        for host in self.every():
            for decision in host.shard.image_changed(image, now_ms):
                host.carry_out(decision)
        if old.topics is image.topics:
            return
        deleted = []
        for gone in old.topics:
            replacement = image.topics.get(gone.name)
            if replacement is None or replacement.id != gone.id:
                deleted.append((gone.name, gone.id))
        if deleted:
            for host in self.loaded():
                host.carry_out(host.shard.topics_deleted(deleted))

    # ── members ─────────────────────────────────────────────────────────────────────────────────────────────────

    def join(self, context: Context, request: JoinGroupRequest) -> Deferred:
        """JoinGroup."""
        host, ticket = self.host(request.group_id), Deferred()
        now_ms = self._broker.clock.now_ms()
        random_id = "" if request.member_id else str(uuid.uuid4())
        with self._asked_by(context, "JoinGroup"):
            host.carry_out(host.shard.join(request, request_context(context), ticket, random_id, now_ms))
        return ticket

    def sync(self, request: SyncGroupRequest) -> Deferred:
        """SyncGroup."""
        host, ticket = self.host(request.group_id), Deferred()
        host.carry_out(host.shard.sync(request, ticket))
        return ticket

    def heartbeat(self, request: HeartbeatRequest) -> Any:
        """Heartbeat."""
        host = self.host(request.group_id)
        return host.carry_out(host.shard.heartbeat(request))

    def leave(self, context: Context, request: LeaveGroupRequest) -> Any:
        """LeaveGroup."""
        host = self.host(request.group_id)
        return host.carry_out(host.shard.leave(request, request_context(context), self._broker.clock.now_ms()))

    # ── consumer groups ─────────────────────────────────────────────────────────────────────────────────────────

    @property
    def consumer_enabled(self) -> bool:
        """Whether consumer groups are served: by the configuration, and by the finalised feature."""
        return "consumer" in self._protocols and self._broker.image.features.get(GROUP_VERSION, 0) > 0

    def consumer_heartbeat(self, context: Context, request: ConsumerGroupHeartbeatRequest) -> Any:
        """ConsumerGroupHeartbeat."""
        check_heartbeat(request, context.version, self._config.consumer.assignors)
        host = self.host(request.group_id)
        random_id = "" if request.member_id else base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        now_ms = self._broker.clock.now_ms()
        with self._asked_by(context, "ConsumerGroupHeartbeat"):
            return host.carry_out(host.shard.consumer.heartbeat(request, request_context(context), random_id, now_ms))

    async def consumer_describe(self, group_id: str) -> ConsumerDescribedGroup:
        """ConsumerGroupDescribe of one group."""
        host = self.host(group_id)
        described = host.when_settled(lambda: host.shard.consumer.describe(group_id))
        found: ConsumerDescribedGroup = await settled(described)
        return found

    def _asked_by(self, context: Context, api: str) -> AbstractContextManager[None]:
        """Remember whose request may have patterns matched: a pattern finds what that client may describe."""
        return _NOT_ASKED if self._broker.authorization is None else self._asked(context, api)

    @contextmanager
    def _asked(self, context: Context, api: str) -> Iterator[None]:
        self._asking = asking_of(context, api)
        try:
            yield
        finally:
            self._asking = None

    def on_effects(self, host: ShardHost[GroupShard], effects: list[Any]) -> None:
        """Match the patterns that groups subscribe to; off the loop if that is much."""
        for work in effects:
            assert isinstance(work, ResolvePatterns)
            loop = asyncio.get_running_loop()
            resolved = partial(self._patterns_resolved, host, work, self._asking)
            if work.cost <= PATTERN_MATCHES_ON_LOOP_MAX:
                loop.call_soon(resolved, work.run())
            else:
                future = loop.run_in_executor(None, work.run)
                future.add_done_callback(partial(self._on_matched, resolved))

    @staticmethod
    def _on_matched(resolved: Callable[[Any], None], done: asyncio.Future[dict[str, frozenset[str]]]) -> None:
        if not done.cancelled():
            resolved(done.result())

    def _patterns_resolved(
        self,
        host: ShardHost[GroupShard],
        work: ResolvePatterns,
        asking: Asking | None,
        found: dict[str, frozenset[str]],
    ) -> None:
        if asking is not None:
            names = [name for topics in found.values() for name in topics]
            allowed = asking.which(DESCRIBE, TOPIC, names, tell_refusal=False)
            found = {pattern: topics & allowed for pattern, topics in found.items()}
        if self._hosts.get(host.index) is host:
            host.carry_out(host.shard.consumer.patterns_resolved(work, found, self._broker.clock.now_ms()))

    # ── streams groups ──────────────────────────────────────────────────────────────────────────────────────────

    @property
    def streams_enabled(self) -> bool:
        """Whether streams groups are served: by the configuration, and by the finalised feature."""
        return "streams" in self._protocols and self._broker.image.features.get(STREAMS_VERSION, 0) > 0

    def streams_heartbeat(self, context: Context, request: StreamsGroupHeartbeatRequest) -> Any:
        """StreamsGroupHeartbeat; gives a `HeartbeatResult`."""
        host = self.host(request.group_id)
        return host.carry_out(host.shard.streams.heartbeat(request, request_context(context)))

    async def streams_describe(self, group_id: str) -> StreamsDescribedGroup:
        """StreamsGroupDescribe of one group."""
        host = self.host(group_id)
        described = host.when_settled(lambda: host.shard.streams.describe(group_id))
        found: StreamsDescribedGroup = await settled(described)
        return found

    async def stop(self) -> None:
        """Leave, and stop creating topics."""
        self.streams_topics.close()
        await super().stop()

    # ── offsets ─────────────────────────────────────────────────────────────────────────────────────────────────

    def commit_offsets(self, context: Context, request: OffsetCommitRequest) -> Any:
        """OffsetCommit."""
        host = self.host(request.group_id)
        now_ms = self._broker.clock.now_ms()
        return host.carry_out(host.shard.commit_offsets(request, request_context(context), now_ms))

    def commit_offsets_in_transaction(self, context: Context, request: TxnOffsetCommitRequest) -> Any:
        """TxnOffsetCommit."""
        host = self.host(request.group_id)
        now_ms = self._broker.clock.now_ms()
        decision = host.shard.commit_offsets_in_transaction(request, request_context(context), now_ms)
        return host.carry_out(decision, Producer(request.producer_id, request.producer_epoch))

    async def fetch_offsets(
        self, request: OffsetFetchRequestGroup, *, require_stable: bool
    ) -> OffsetFetchResponseGroup:
        """OffsetFetch of one group."""
        host = self.host(request.group_id)
        response = host.when_settled(lambda: host.shard.fetch_offsets(request, require_stable=require_stable))
        found: OffsetFetchResponseGroup = await settled(response)
        return found

    def delete_offsets(self, request: OffsetDeleteRequest) -> Any:
        """OffsetDelete."""
        host = self.host(request.group_id)
        return host.carry_out(host.shard.delete_offsets(request))

    # ── administrators ──────────────────────────────────────────────────────────────────────────────────────────

    async def describe(self, group_id: str, api_version: int) -> DescribedGroup:
        """DescribeGroups of one group."""
        host = self.host(group_id)
        found: DescribedGroup = await settled(host.when_settled(lambda: host.shard.describe(group_id, api_version)))
        return found

    async def list_groups(self, states: list[str], types: list[str]) -> list[ListedGroup]:
        """ListGroups, of all partitions we lead."""
        groups: list[ListedGroup] = []
        for host in self.all_hosts():
            groups += await settled(host.when_settled(partial(host.shard.list_groups, states, types)))
        return groups

    async def delete_group(self, group_id: str) -> ErrorCode:
        """DeleteGroups of one group; what a share group has at the share coordinator goes first."""
        await self._broker.share_groups.delete_states(group_id)
        host = self.host(group_id)
        error: ErrorCode = await settled(host.carry_out(host.shard.delete_group(group_id)))
        return error


def request_context(context: Context) -> RequestContext:
    """Say who asks, as groups remember it; Kafka writes an address with a slash before it."""
    return RequestContext(context.version, context.client_id or "", f"/{context.connection.peer_host}")
