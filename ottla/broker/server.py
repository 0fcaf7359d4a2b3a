"""The broker: what it is made of, and the order in which its parts start and stop.

    log dirs locked ─► metadata log open ─► image ─► logs recovered ─► ports bound ─► registered ─► partitions ─► groups
                                                                                                     ─► ready, accepting

Stopping goes the other way, and ends with the marker that tells the next start that nothing needs to be checked.

`Broker` is wiring: each part knows its own work and reaches the others through it. Everything runs on one event loop;
threads do what would hold it up: fsync (`group_commit`), commits of metadata (`metadata/sqlite`), the files of upkeep (`steps`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ..controller.brokers import register_broker
from ..log.disk_files import DiskFiles
from ..log.errors import KafkaStorageError
from ..log.manager import LogManager
from ..metadata.image import EndpointImage, MetadataImage, ResourceType
from ..metadata.log import MetadataLog, Session, load_image
from ..metadata.sqlite import SqliteMetadataLog
from ..protocol.stored.metadata import FeatureLevelRecord
from .authorization import Authorization
from .bootstrap_users import USERS, nobody_of, read_users
from .chance import RANDOM
from .client_telemetry import ClientTelemetry
from .clock import Clock, SystemClock
from .controller import Controller
from .coordinators.groups import GroupCoordinatorService
from .coordinators.service import CoordinatorService
from .coordinators.share_groups import ShareGroups
from .coordinators.share_state import ShareStateService
from .coordinators.transactions import TransactionCoordinatorService
from .credentials import Credentials
from .delegation_tokens import DelegationTokens
from .dispatch import Dispatcher
from .fetch_sessions import FetchSessions
from .group_commit import GroupCommit
from .identity import check_no_partitions, new_cluster_id, stored_cluster_id, write_identity
from .jwks import ALLOWED_SETTING, KeySets
from .listener import Listener
from .listener_changes import ListenerChanges
from .metrics import Metrics
from .newcomers import Newcomers
from .partition import Partition
from .partitions import Partitions
from .producer_ids import ProducerIds
from .request_memory import REQUEST_MEMORY_MAX, UNREAD_MEMORY_MAX, RequestMemory, UnreadMemory
from .sasl_listener import check_sasl
from .share.manager import SharePartitionManager
from .share.persister import LocalPersister, Persister
from .takeover import take_over
from .throttling import Throttling
from .upkeep import Upkeep

if TYPE_CHECKING:
    from ..log.files import Files
    from ..metadata.configs.resolve import Levels
    from ..protocol.schema import Data
    from .config import BrokerConfig
    from .monitoring.endpoint import MonitoringEndpoint

log = logging.getLogger("ottla.broker")

#: The feature levels this broker can work with: name -> (lowest, highest). A feature stands here when it works.
SUPPORTED_FEATURES = {
    "metadata.version": (7, 29),
    "group.version": (0, 1),
    "transaction.version": (0, 2),
    "share.version": (0, 1),
    "streams.version": (0, 1),
    "kraft.version": (0, 1),
    "eligible.leader.replicas.version": (0, 1),
}
#: Of these a new cluster begins at level 0: there is no quorum, and nobody who could be an eligible leader on one node.
OPTIONAL_FEATURES = frozenset({"kraft.version", "eligible.leader.replicas.version"})


class Endpoint(NamedTuple):
    """Where clients of one listener reach a broker."""

    host: str
    port: int
    rack: str | None


class Broker:
    """One broker process. `await start()`, serve, `await stop()`."""

    def __init__(
        self,
        config: BrokerConfig,
        *,
        files: Files | None = None,
        metadata: MetadataLog | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`files`, `metadata` and `clock` default to the disk, SQLite in the first log dir, and the system's."""
        self.config = config
        self.node_id: int = config.node_id
        self.clock = clock or SystemClock()
        self.files: Files = files or DiskFiles()
        self.logs: LogManager = LogManager(self.files, config.log_dirs)
        self.metadata: MetadataLog = metadata or SqliteMetadataLog(f"{config.log_dirs[0]}/ottla-metadata.db")
        #: Whether the first log dir holds the metadata: without it the broker cannot go on.
        self._metadata_on_disk = metadata is None
        self.image: MetadataImage = MetadataImage.empty()
        self.metrics: Metrics = Metrics()
        self.dispatcher = Dispatcher()
        #: Who may do what; None without an authorizer.
        self.authorization = Authorization.of(config)
        if self.authorization is not None:
            self.dispatcher.guard = self.authorization.guard
        self.credentials = Credentials(self)
        self.delegation_tokens = DelegationTokens(self)
        self.key_sets = KeySets(config.strings(ALLOWED_SETTING))
        self.supported_features = SUPPORTED_FEATURES
        self.fetch_bytes_max = config.integer("fetch.max.bytes")
        request_bytes = config.integer("queued.max.request.bytes")
        self.request_memory = RequestMemory(request_bytes if request_bytes > 0 else REQUEST_MEMORY_MAX)
        self.unread_memory = UnreadMemory(UNREAD_MEMORY_MAX)
        # On the loop: in threads a storm goes so fast that it drives out honest newcomers (tests.hostile.tls_campaign).
        self.newcomers = Newcomers()
        self.throttling = Throttling(config)
        self.client_telemetry = ClientTelemetry(config.integer("telemetry.max.bytes"))
        self.epoch: int = -1
        #: Whether the logs were not closed cleanly the last time.
        self._crashed = False
        #: Whether an Apache Kafka left these folders.
        self._took_over = False
        self.live_brokers: frozenset[int] = frozenset()
        self.listeners: list[Listener] = []
        self.listener_changes = ListenerChanges(self)
        self._incarnation = b""
        #: Set when the broker cannot go on; whoever runs the process stops it and reports a failure.
        self.failed = asyncio.Event()
        self.group_commit: GroupCommit | None = None
        self.monitoring: MonitoringEndpoint | None = None
        self._session: Session | None = None
        self._tasks: list[asyncio.Task[Any]] = []

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Start and return when clients are served. Raises what keeps it from starting, with nothing left behind."""
        try:
            await self._start()
        except BaseException:
            await self.stop(clean=False)
            raise

    async def _start(self) -> None:
        config = self.config
        loop = asyncio.get_running_loop()
        check_sasl(config)
        for directory in self.logs.directories:
            directory.health.on_failure = partial(loop.call_soon_threadsafe, self._on_disk_failure)
        self.logs.lock()
        cluster_id = stored_cluster_id(self.logs.directories, self.node_id) or new_cluster_id()
        self.group_commit = GroupCommit()
        self.fetch_sessions = FetchSessions(config.integer("max.incremental.fetch.session.cache.slots"), RANDOM)
        self.controller = Controller(self)
        self.partitions: Partitions = Partitions(self)
        self.producer_ids = ProducerIds(self)
        self.groups = GroupCoordinatorService(self)
        self.upkeep = Upkeep(self)
        self.transactions = TransactionCoordinatorService(self)
        self.share_groups = ShareGroups(self)
        self.share_state = ShareStateService(self)
        self.persister: Persister = LocalPersister(self.share_state)
        self.share_partitions = SharePartitionManager(self, self.persister)
        self.cluster_id = await self.metadata.open(cluster_id)
        image = await load_image(self.metadata, self.cluster_id)
        if image.version == 0:
            image = await self.begin_metadata(image)
        elif nobody_of(path := config.string(USERS), image):
            log.warning(
                "none of the users of %s can log in: they are for a broker's first start, and %s is in use already. Give "
                "another log.dirs, or make one: ottla user create NAME --data-dir %s",
                path, config.log_dirs[0], config.log_dirs[0],
            )  # fmt: skip
        self.directory_ids = write_identity(self.logs.directories, self.node_id, self.cluster_id)
        self._load_logs(image)
        if any(x.security_protocol.startswith("SASL") for x in config.listeners):
            self.credentials.load_pepper()
        self.listeners = [Listener(self, x.name, x.host, x.port, x.security_protocol) for x in config.listeners]
        for listener in self.listeners:
            await listener.open()
        self.apply(image)
        await self._register()
        await self.groups.start()
        await self.transactions.start()
        await self.share_state.start()
        for listener in self.listeners:
            await listener.start()
        self._tasks.append(asyncio.create_task(self.controller.follow(), name="follow metadata"))
        self._tasks[-1].add_done_callback(self.on_task_end)
        self.upkeep.start()
        self.listener_changes.start()
        if address := config.string("ottla.metrics.listener"):
            from .monitoring.endpoint import MonitoringEndpoint  # nobody else needs what it is made with

            self.monitoring = MonitoringEndpoint(self, address)
            self.monitoring.start()

    async def stop(self, clean: bool = True) -> None:
        """Stop serving; with `clean`, sync everything and leave the clean shutdown marker."""
        if self.monitoring is not None:
            await asyncio.to_thread(self.monitoring.stop)  # its threads may be asking this loop
        await self.listener_changes.stop()
        for listener in self.listeners:
            await listener.stop()
        self.newcomers.stop()
        self.credentials.stop()
        await self.key_sets.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if hasattr(self, "upkeep"):
            await self.upkeep.stop()
        if hasattr(self, "transactions"):
            await self.transactions.stop()
        if hasattr(self, "groups"):
            await self.share_groups.stop()
            await self.groups.stop()
            await self.share_state.stop()
        if self.group_commit is not None:
            await self.group_commit.stop()
        if self._session is not None:
            await self._session.close()
        await self.metadata.close()
        self.logs.shutdown(clean=clean)

    async def begin_metadata(self, image: MetadataImage) -> MetadataImage:
        """Begin a metadata log: with what an Apache Kafka left in the log dirs, if one did."""
        found = take_over(self.config.log_dirs, self.node_id, self.config.string("metadata.log.dir"))
        if found is None:
            check_no_partitions(self.logs.directories)
            records: list[Data] = [
                FeatureLevelRecord(name=name, feature_level=high)
                for name, (_, high) in SUPPORTED_FEATURES.items()
                if name not in OPTIONAL_FEATURES
            ]
            records += read_users(self.config.string(USERS))
        else:
            records, self._took_over = found.records, True
            log.info("took over %d topics with %d partitions from Apache Kafka", found.topics, found.partitions)
        return image.apply(records, await self.metadata.append(records, image.version))

    def _load_logs(self, image: MetadataImage) -> None:
        """Open what lies in the log dirs; set aside what the metadata does not know."""
        now_ms = self.clock.now_ms()
        self.logs.high_watermark_of = self.partitions.high_watermark_of
        report = self.logs.load(now_ms, lambda topic: self._log_config(image, topic), foreign=self._took_over)
        self._crashed = not report.clean
        for sentence in (*report.cut, *report.damaged):
            log.warning("%s", sentence)
        for found in self.logs:
            topic = image.topics.get(found.topic)
            topic_id = self.logs.topic_id(found.topic, found.partition)
            if topic is None or topic_id not in (None, topic.id) or found.partition >= len(topic.partitions):
                log.warning("%s is unknown to the metadata; its folder is set aside as -stray", found.name)
                self.logs.mark_stray(found.topic, found.partition, now_ms)

    async def _register(self) -> None:
        """Tell the cluster that this broker lives and where."""
        self._session = await self.metadata.register(self.node_id)
        self.epoch = self._session.epoch
        self._incarnation = RANDOM.randbytes(16)
        await self.register_endpoints(after_crash=self._crashed)

    async def register_endpoints(self, *, after_crash: bool = False) -> None:
        """Tell the cluster where clients reach this broker."""
        endpoints = [EndpointImage(*endpoint) for endpoint in self.listener_changes.endpoints()]
        await self.controller.submit(
            lambda image: register_broker(
                image,
                broker_id=self.node_id,
                epoch=self.epoch,
                incarnation_id=self._incarnation,
                endpoints=endpoints,
                rack=self.config.rack,
                log_dirs=self.directory_ids,
                after_crash=after_crash,
            )
        )

    def on_task_end(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.metrics.uncaught_exceptions += 1
            log.critical("%s ended", task.get_name(), exc_info=task.exception())
            self.failed.set()

    # ── the image ───────────────────────────────────────────────────────────────────────────────────────────────

    def apply(self, image: MetadataImage) -> None:
        """Become what `image` says. Everything that follows the metadata is told here, in this order."""
        old, self.image = self.image, image
        if old.brokers is not image.brokers:
            self.live_brokers = frozenset(broker.id for broker in image.brokers.values() if broker.active)
        if self.authorization is not None:
            self.authorization.apply(old, image)
        self._apply_limits(old, image)
        self.partitions.apply(old, image)
        self.groups.apply(old, image)
        self.transactions.apply(old, image)
        self.share_state.apply(old, image)
        self.share_partitions.apply(old, image)

    def _apply_limits(self, old: MetadataImage, image: MetadataImage) -> None:
        """Tell those who limit clients: quotas, and what dynamic configs say about connections."""
        levels = self.config.levels_in(image)
        self.throttling.apply(old, image, levels, [listener.name for listener in self.listeners])
        if old.version == 0 or levels != self.config.levels_in(old):
            for listener in self.listeners:
                listener.configure(levels)
            self.listener_changes.follow(levels)

    def probe(self, levels: Levels) -> None:
        """Raise `KafkaError` if the listeners could not go on with these dynamic configs."""
        self.listener_changes.check(levels)
        for listener in self.listeners:
            if listener.tls is not None:
                listener.tls.check(levels)

    def _log_config(self, image: MetadataImage, topic: str) -> Any:
        own = image.configs.get(ResourceType.TOPIC, topic)
        return self.config.log_config(own, self.config.levels_in(image))

    @property
    def controller_id(self) -> int:
        """The broker that clients are told to ask; every broker carries requests to the controller's log."""
        return self.node_id

    def endpoint_of(self, node_id: int, listener_name: str) -> Endpoint | None:
        """Return where clients of a listener reach a live broker."""
        broker = self.image.brokers.get(node_id)
        if broker is None or not broker.active:
            return None
        endpoint = broker.endpoint(listener_name)
        return None if endpoint is None else Endpoint(endpoint.host, endpoint.port, broker.rack)

    def endpoints(self, listener_name: str) -> Iterator[tuple[int, Endpoint]]:
        """Iterate over the live brokers that have this listener."""
        for node_id in sorted(self.live_brokers):
            endpoint = self.endpoint_of(node_id, listener_name)
            if endpoint is not None:
                yield node_id, endpoint

    def coordinator_of(self, topic: str) -> CoordinatorService[Any] | None:
        """Return the coordinator that alone may write to a topic, if it has one."""
        for service in (self.groups, self.transactions, self.share_state):
            if topic == service.TOPIC:
                return service
        return None

    # ── failures ────────────────────────────────────────────────────────────────────────────────────────────────

    def on_partition_failure(self, partition: Partition, problem: BaseException) -> None:
        """A partition's disk failed it: say so, and serve the others."""
        self.metrics.failed_partitions += 1
        log.error("partition %s-%d is out of service: %s", partition.topic, partition.index, problem)
        self.partitions.drop(partition)

    @property
    def disk_failure(self) -> KafkaStorageError | None:
        """What failed of the disks that leaves the broker nothing to go on with: the metadata's, or all."""
        failures = [directory.health.failure for directory in self.logs.directories]
        return failures[0] if all(failures) or self._metadata_on_disk else None

    def _on_disk_failure(self) -> None:
        """A log dir failed. The broker serves from the others, or ends, as Kafka does, and says why."""
        failure = self.disk_failure
        if failure is not None and not self.failed.is_set():
            log.critical("the broker cannot go on: %s", failure)
            self.failed.set()
