"""The transaction coordinator of this broker: every transactional id, in `__transaction_state`.

Methods return a response (an `ErrorCode` where there is nothing else to say), or a `Deferred` that resolves to it or to
a `KafkaError`. They raise `KafkaError` where the id cannot be served at all (`service`), or its transaction cannot.

While the markers of a transaction are written, its producer cannot begin the next. Kafka answers
CONCURRENT_TRANSACTIONS then and its clients ask again after some 20 ms; here who asks waits for the last marker, for
`add.partitions.to.txn.retry.backoff.max.ms` at most, so that a producer begins its next transaction without a pause.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from ...coordinator.transactions.config import TransactionCoordinatorConfig
from ...coordinator.transactions.producers import NeedsProducerIdError, ProducerIdAndEpoch
from ...coordinator.transactions.shard import TransactionShard, WriteMarkers
from ...protocol.errors import ErrorCode, KafkaError
from ...records.compression import Compression
from ..purgatory import Deferred, settled
from ..topic_names import TRANSACTION_STATE
from .late_requests import LateRequests
from .markers import MarkerSender
from .service import CoordinatorService
from .shard_host import HostConfig, ShardHost

if TYPE_CHECKING:
    from ...coordinator.transactions.listing import Filters
    from ...coordinator.transactions.state import TopicPartition
    from ...metadata.image import MetadataImage
    from ...protocol.apis.describe_transactions import TransactionState as DescribedTransaction
    from ...protocol.apis.list_transactions import TransactionState as ListedTransaction
    from ..config import BrokerConfig
    from ..partition import Partition
    from ..server import Broker

FEATURE = "transaction.version"


def coordinator_config(config: BrokerConfig) -> TransactionCoordinatorConfig:
    """Take what the coordinator needs out of the broker's configuration."""
    return TransactionCoordinatorConfig(
        transaction_max_timeout_ms=config.integer("transaction.max.timeout.ms"),
        transactional_id_expiration_ms=config.integer("transactional.id.expiration.ms"),
    )


def host_config(config: BrokerConfig) -> HostConfig:
    """How `__transaction_state` is written and read."""
    return HostConfig(
        compression=Compression.NONE,
        linger_s=0.0,
        timeout_s=config.integer("request.timeout.ms") / 1000,
        load_piece_bytes=config.integer("transaction.state.log.load.buffer.size"),
    )


class TransactionCoordinatorService(CoordinatorService[TransactionShard]):
    """All transactional ids whose partitions this broker leads."""

    TOPIC = TRANSACTION_STATE
    PARTITIONS_KEY = "transaction.state.log.num.partitions"
    CLEAN_UP_KEY = "transaction.remove.expired.transaction.cleanup.interval.ms"

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker, host_config(broker.config))
        self._config = coordinator_config(broker.config)
        self._markers = MarkerSender(broker)
        self._patience_s = broker.config.integer("add.partitions.to.txn.retry.backoff.max.ms") / 1000
        self.late = LateRequests()
        #: Whether a first write of an old client is checked with its coordinator (KIP-890).
        self.verifies = True
        self._sweeper: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        #: By transactional id: who waits for the end of its transaction, in the order of their requests.
        self._waiting: dict[str, deque[Callable[[], None]]] = {}

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────────

    def make_shard(self, partition: Partition) -> TransactionShard:
        """Make an empty shard."""
        return TransactionShard(self._config, self.version)

    @property
    def version(self) -> int:
        """The finalized level of `transaction.version`."""
        return self._broker.image.features.get(FEATURE, 0)

    def apply(self, old: MetadataImage, image: MetadataImage) -> None:
        """Follow the metadata: leadership of our topic, the version of transactions, and whether they are verified."""
        super().apply(old, image)
        if old.configs is not image.configs or not old.version:
            self.verifies = bool(
                self._broker.config.levels_in(image).value("transaction.partition.verification.enable")
            )
        if old.features is not image.features:
            for host in self._hosts.values():
                host.shard.version = self.version

    async def start(self) -> None:
        """Load the state and begin to look for transactions that are open too long."""
        await super().start()
        self._schedule_sweep()

    async def stop(self) -> None:
        """Leave; transactions that are ending go on ending after the next start."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await super().stop()

    def _schedule_sweep(self) -> None:
        interval_s = self._broker.config.integer("transaction.abort.timed.out.transaction.cleanup.interval.ms") / 1000
        self._sweeper = asyncio.get_running_loop().call_later(interval_s, self._sweep)

    def _sweep(self) -> None:
        self.abort_timed_out()
        self._schedule_sweep()

    def abort_timed_out(self) -> None:
        """Abort the transactions that have been open for longer than their producers asked for."""
        for host in self.loaded():
            for decision in host.shard.abort_timed_out(self._broker.clock.now_ms()):
                host.carry_out(decision)

    # ── producers ───────────────────────────────────────────────────────────────────────────────────────────────

    def init_producer_id(self, transactional_id: str, timeout_ms: int, expected: ProducerIdAndEpoch | None) -> Any:
        """InitProducerId: `ProducerIdAndEpoch`, or an error code."""

        def decide(new_producer_id: int | None) -> Any:
            host = self.host(transactional_id)
            now_ms = self._broker.clock.now_ms()
            return host.carry_out(
                host.shard.init_producer_id(transactional_id, timeout_ms, expected, new_producer_id, now_ms)
            )

        return self._once_ended(transactional_id, lambda: self._decide(decide))

    def end(self, transactional_id: str, producer_id: int, epoch: int, commit: bool, client_version: int) -> Any:
        """EndTxn: `EndedTransaction`."""

        def decide(new_producer_id: int | None) -> Any:
            host = self.host(transactional_id)
            now_ms = self._broker.clock.now_ms()
            decision = host.shard.end(
                transactional_id, producer_id, epoch, commit, client_version, new_producer_id, now_ms
            )
            if not decision.records:
                return host.when_settled(lambda: decision.response)
            return host.carry_out(decision)

        return self._decide(decide)

    def add_partitions(
        self, transactional_id: str, producer_id: int, epoch: int, partitions: Iterable[TopicPartition],
        client_version: int,
    ) -> Any:  # fmt: skip
        """Make partitions part of a transaction: NONE once that is durable."""

        def attempt() -> Any:
            host = self.host(transactional_id)
            now_ms = self._broker.clock.now_ms()
            decision = host.shard.add_partitions(
                transactional_id, producer_id, epoch, partitions, client_version, now_ms
            )
            if not decision.records:
                return host.when_settled(lambda: decision.response)
            return host.carry_out(decision)

        return self._once_ended(transactional_id, attempt)

    def check_partitions(
        self, transactional_id: str, producer_id: int, epoch: int, partitions: list[TopicPartition]
    ) -> Any:
        """Find which partitions are not part of the producer's transaction: a list, or a `KafkaError`."""

        def check(host: ShardHost[TransactionShard]) -> Any:
            try:
                return host.shard.check_partitions(transactional_id, producer_id, epoch, partitions)
            except KafkaError as error:
                return error

        host = self.host(transactional_id)
        return host.when_settled(partial(check, host))

    def _decide(self, decide: Callable[[int | None], Any]) -> Any:
        """Decide; get a new producer id first if that turns out to be needed."""
        try:
            return decide(None)
        except NeedsProducerIdError:
            answer = Deferred()
            task = asyncio.create_task(self._decide_with_new_id(decide, answer), name="new producer id")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return answer

    async def _decide_with_new_id(self, decide: Callable[[int | None], Any], answer: Deferred) -> None:
        try:
            result = await settled(decide(await self._broker.producer_ids.next()))
        except Exception as error:  # noqa: BLE001 - the connection answers, counts and logs it
            result = error
        answer.resolve(result)

    # ── the end of a transaction ────────────────────────────────────────────────────────────────────────────────

    def on_effects(self, host: ShardHost[TransactionShard], effects: list[Any]) -> None:
        """Write the markers of transactions whose end is decided."""
        for markers in effects:
            assert isinstance(markers, WriteMarkers)
            self._markers.send(
                markers, host.partition.leader_epoch, lambda: self._hosts.get(host.index) is host,
                partial(self._on_markers, host, markers),
            )  # fmt: skip

    def _on_markers(self, host: ShardHost[TransactionShard], markers: WriteMarkers) -> None:
        if self._hosts.get(host.index) is not host:
            return
        host.carry_out(host.shard.markers_written(markers, self._broker.clock.now_ms()))
        for waiter in self._waiting.pop(markers.transactional_id, ()):
            waiter()

    def _once_ended(self, transactional_id: str, attempt: Callable[[], Any]) -> Any:
        """Do it, after the transaction that is just ending if there is one."""
        if transactional_id not in self._waiting:
            try:
                return attempt()
            except KafkaError as error:
                if error.code is not ErrorCode.CONCURRENT_TRANSACTIONS or not self._patience_s:
                    raise
        answer = Deferred()

        def again() -> None:
            timer.cancel()
            try:
                result = attempt()
            except KafkaError as error:
                result = error
            if isinstance(result, Deferred):
                result.on_result(answer.resolve)
            else:
                answer.resolve(result)

        def give_up() -> None:
            waiters = self._waiting.get(transactional_id)
            if waiters is not None and again in waiters:
                waiters.remove(again)
                if not waiters:
                    del self._waiting[transactional_id]
            again()

        timer = asyncio.get_running_loop().call_later(self._patience_s, give_up)
        self._waiting.setdefault(transactional_id, deque()).append(again)
        return answer

    # ── administrators ──────────────────────────────────────────────────────────────────────────────────────────

    async def list_transactions(self, filters: Filters) -> list[ListedTransaction]:
        """ListTransactions, of all partitions we lead."""
        found: list[ListedTransaction] = []
        for host in self.all_hosts():
            now_ms = self._broker.clock.now_ms()
            found += await settled(host.when_settled(partial(host.shard.listed, filters, now_ms)))
        return found

    async def describe(self, transactional_id: str) -> DescribedTransaction:
        """DescribeTransactions of one id."""
        host = self.host(transactional_id)
        found: DescribedTransaction = await settled(host.when_settled(partial(host.shard.describe, transactional_id)))
        return found
