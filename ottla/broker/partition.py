"""One partition on this broker: its log, its leadership, and what consumers may see of it.

How it works
------------
The leader appends to the log and moves the high watermark; what lies below it is visible and is never taken back.
With one replica the watermark follows the end of the log at once, except while an acks=all append waits for the
disk (`ottla.durability=fsync`): then it stops at the last synced offset, so that no consumer sees a record that a
power failure could still take away. An append that makes flush.messages unsynced ones waits likewise, as in Kafka
whatever its acks and `ottla.durability` are.

    log start          high watermark            log end
        │  visible records   │  appended, not yet  │
        ▼                    ▼  durable            ▼
    ────█████████████████████░░░░░░░░░░░░░░░░░░░░░░

Invariants: log_start_offset <= high_watermark <= log_end_offset; the watermark only rises.

Answers of acks=all wait in `commits`, fetches that want more wait in `fetches_waiting`; both are told here and
nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..log.errors import KafkaStorageError
from ..log.log import Origin
from ..protocol.errors import ErrorCode, KafkaError
from .purgatory import CommitQueue, Deferred, DelayedFetch

if TYPE_CHECKING:
    from ..log.log import AppendResult, Log
    from ..log.sync import SyncPoint
    from ..metadata.image import PartitionImage
    from .group_commit import GroupCommit

NO_EPOCH = -1
ACKS_ALL = -1


class Partition:
    """A replica this broker holds. `leader_epoch` and `leader` come from the metadata image."""

    __slots__ = (
        "_group_commit", "_synced_wanted", "acks_wait", "appended_bytes", "appends", "closed", "commits", "failed_appends",
        "failed_fetches", "fetched_bytes", "fetches", "fetches_waiting", "flush_wanted", "high_watermark", "index", "is_leader", "isr", "leader",
        "leader_epoch", "log", "on_failure", "opened_at", "replicas", "topic", "topic_id",
    )  # fmt: skip

    def __init__(
        self,
        topic: str,
        topic_id: bytes,
        index: int,
        log: Log,
        *,
        group_commit: GroupCommit | None,
        on_failure: Callable[[Partition, BaseException], None],
        acks_wait: bool = True,
    ) -> None:
        """Not `acks_wait`: an append to the page cache is durable enough for acks=all (`ottla.durability=os`).

        Without a `group_commit` nothing is ever synced here.
        """
        self.topic = topic
        self.topic_id = topic_id
        self.index = index
        self.log = log
        self.leader = -1
        self.leader_epoch = NO_EPOCH
        self.is_leader = False
        self.isr: tuple[int, ...] = ()
        self.replicas: tuple[int, ...] = ()
        self.high_watermark: int = log.log_end_offset
        self.commits = CommitQueue()
        self.fetches_waiting: set[DelayedFetch] = set()
        self.closed = False
        #: Bytes appended since start: what a waiting fetch adds up.
        self.appended_bytes = 0
        #: What `monitoring` tells beside it, since start: batches, reads, bytes read, and the log end at the start.
        self.appends = self.failed_appends = self.fetches = self.failed_fetches = self.fetched_bytes = 0
        self.opened_at: int = log.log_end_offset
        self.on_failure = on_failure
        self._group_commit = group_commit
        #: Whether acks=all waits for the disk.
        self.acks_wait = acks_wait and group_commit is not None
        #: The end offset up to which flush.messages wants the log synced; 0 when nothing is under way.
        self.flush_wanted = 0
        #: The end offset up to which somebody waits for the disk; 0 when nobody does.
        self._synced_wanted = 0

    def __repr__(self) -> str:
        return f"<Partition {self.topic}-{self.index} epoch {self.leader_epoch} end {self.log.log_end_offset}>"

    # ── leadership ──────────────────────────────────────────────────────────────────────────────────────────────

    def apply(self, image: PartitionImage, node_id: int) -> None:
        """Take over leader, epoch and ISR from the metadata image."""
        self.leader = image.leader
        self.isr, self.replicas = image.isr, image.replicas
        if image.leader == node_id and image.leader_epoch != self.leader_epoch:
            self.log.assign_epoch(image.leader_epoch)
        self.is_leader = image.leader == node_id
        self.leader_epoch = image.leader_epoch
        if self.is_leader:
            self._advance()
        else:
            self.commits.fail(ErrorCode.NOT_LEADER_OR_FOLLOWER)
            self._wake_fetches()

    def check_epoch(self, current_leader_epoch: int) -> None:
        """Refuse a client whose idea of the leader epoch is older or newer than ours (KIP-320)."""
        if not self.is_leader:
            raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        if current_leader_epoch != NO_EPOCH and current_leader_epoch != self.leader_epoch:
            if current_leader_epoch < self.leader_epoch:
                raise KafkaError(ErrorCode.FENCED_LEADER_EPOCH)
            raise KafkaError(ErrorCode.UNKNOWN_LEADER_EPOCH)

    def close(self, error: ErrorCode) -> None:
        """Answer everyone who waits with `error`; the partition leaves this broker."""
        self.closed = True
        self.is_leader = False
        self.commits.fail(error)
        self._wake_fetches()

    @property
    def min_isr(self) -> int:
        """How many replicas must have a record before acks=all is answered; never more than there are (KIP-966)."""
        return min(self.log.config.min_insync_replicas, len(self.replicas))

    # ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────

    def append_as_leader(
        self, records: Any, acks: int, now_ms: int, origin: Origin = Origin.CLIENT, transaction_version: int = 0
    ) -> AppendResult:
        """Append produced batches; raises KafkaError with the code the producer should see.

        The bytes are patched in place (base offset, leader epoch). With acks=all the records are committed once
        `high_watermark` passes them: `when_committed`.
        """
        if not self.is_leader:
            raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        log = self.log
        if acks == ACKS_ALL and len(self.isr) < self.min_isr:
            raise KafkaError(
                ErrorCode.NOT_ENOUGH_REPLICAS,
                f"The size of the current ISR {list(self.isr)} is insufficient to satisfy the min.isr requirement of "
                f"{self.min_isr} for partition {self.topic}-{self.index}",
            )
        try:
            result = log.append_as_leader(records, self.leader_epoch, now_ms, origin, transaction_version)
        except KafkaStorageError as problem:
            self.on_disk_failure(problem)
            raise
        if not result.duplicate:
            self.appended_bytes += len(records)
            self.appends += 1
            if acks == ACKS_ALL and self.acks_wait:
                self._sync()
            else:
                if log.config.counts_unsynced:
                    self._count_unsynced(log)
                if log.names_unsynced:
                    self._sync_rolled(log)
            self._advance()
        return result

    def _sync(self) -> None:
        """Have everything appended so far synced; until then the high watermark stays where it is."""
        assert self._group_commit is not None
        self._synced_wanted = self.log.log_end_offset
        self._group_commit.request(self)

    def _count_unsynced(self, log: Log) -> None:
        unsynced = log.log_end_offset - max(log.recovery_point, self.flush_wanted)
        if unsynced >= log.config.flush_messages and self._group_commit is not None:
            self.flush_wanted = log.log_end_offset
            self._sync()

    def _sync_rolled(self, log: Log) -> None:
        """As in Kafka a closed segment is synced soon, and nobody waits for it: a start after a crash need not read it."""
        if len(log.segments) > 1 and self._group_commit is not None:
            self._group_commit.request(self)

    def has_open_transaction(self, producer_id: int, producer_epoch: int) -> bool:
        """Whether this very producer has written to a transaction here that has not ended."""
        entry = self.log.producer_state.producers.get(producer_id)
        return entry is not None and entry.current_txn_first_offset >= 0 and entry.epoch == producer_epoch

    def when_committed(self, end_offset: int, callback: Callable[[ErrorCode], None]) -> None:
        """Call `callback` once everything below `end_offset` is committed, or with the error that prevents it."""
        if end_offset <= self.high_watermark:
            callback(ErrorCode.NONE)
        else:
            self.commits.add(end_offset, callback)

    async def wait_committed(self, end_offset: int) -> None:
        """Return once everything below `end_offset` is committed; raises KafkaError if that will not come."""
        if end_offset <= self.high_watermark:
            return
        import asyncio

        future: asyncio.Future[ErrorCode] = asyncio.get_running_loop().create_future()
        self.commits.add(end_offset, lambda error: None if future.done() else future.set_result(error))
        error = await future
        if error:
            raise KafkaError(error)

    def on_synced(self, point: SyncPoint) -> None:
        """The disk has everything up to `point`: show it to consumers and answer producers."""
        self.log.complete_sync(point)
        if self._synced_wanted <= self.log.recovery_point:
            self._synced_wanted = self.flush_wanted = 0
        self._advance()

    def on_disk_failure(self, problem: BaseException) -> None:
        """A write or an fsync failed: nothing after it can be trusted, so the partition stops serving."""
        if not self.closed:
            self.close(ErrorCode.KAFKA_STORAGE_ERROR)
            self.on_failure(self, problem)

    def delete_records_before(self, offset: int) -> int:
        """Raise the log start to `offset` (-1: the high watermark); returns the new log start (KIP-107)."""
        if not self.is_leader:
            raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        target = self.high_watermark if offset == -1 else offset
        if target < 0 or target > self.high_watermark:
            raise KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE)
        self.log.delete_records_before(target, self.high_watermark)
        self._wake_fetches()
        return self.log.log_start_offset

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def last_stable_offset(self) -> int:
        """Where readers of committed transactions must stop: below the first open transaction."""
        return self.log.stable_offset(self.high_watermark)

    def _advance(self) -> None:
        """Move the high watermark as far as durability allows and tell who waits."""
        end: int = self.log.log_end_offset
        if self._synced_wanted:
            end = min(end, max(self.log.recovery_point, self.high_watermark))
        if end > self.high_watermark:
            self.high_watermark = end
            if len(self.commits):
                self.commits.advance(end)
            if self.fetches_waiting:
                self._wake_fetches()

    def _wake_fetches(self) -> None:
        for fetch in tuple(self.fetches_waiting):
            fetch.on_progress()


class PendingAppends:
    """Counts down the partitions of one produce request that wait to be committed, then resolves its answer."""

    __slots__ = ("_left", "_open", "_response", "answer", "on_finish")

    def __init__(self, response: Any) -> None:
        self._left = 1
        self._open: set[Any] = set()
        self._response = response
        self.answer = Deferred()
        #: Called once when the answer is there: stops the timer.
        self.on_finish: Callable[[], None] | None = None

    def add(self, partition: Partition, end_offset: int, item: Any) -> None:
        """Wait for `end_offset`; an error is written into `item.error_code`."""
        self._left += 1
        waiting = _Waiting(item)
        self._open.add(waiting)

        def on_committed(error: ErrorCode) -> None:
            if waiting in self._open:
                self._open.discard(waiting)
                if error:
                    waiting.fail(error)
                self.release()

        partition.when_committed(end_offset, on_committed)

    def expire(self) -> None:
        """The producer's time is up: answer with REQUEST_TIMED_OUT where nothing has come."""
        for waiting in self._open:
            waiting.fail(ErrorCode.REQUEST_TIMED_OUT)
        self._open.clear()
        self._left = 1
        self.release()

    def release(self) -> None:
        """One fewer to wait for. Called once more by the handler when all partitions have been added."""
        self._left -= 1
        if self._left == 0:
            if self.on_finish is not None:
                self.on_finish()
            self.answer.resolve(self._response)


class _Waiting:
    """A partition's place in a produce response whose outcome is not known."""

    __slots__ = ("_item",)

    def __init__(self, item: Any) -> None:
        self._item = item

    def fail(self, error: ErrorCode) -> None:
        self._item.error_code = error
        self._item.base_offset = -1
