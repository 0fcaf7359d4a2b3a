"""A ShareFetch at work: finds its share partitions, reads the log, hands records out, or waits.

    partitions of the session, rotated by its epoch, so that each comes first in its turn
       │  those that have something to hand out, or room for new records
       ▼
    read at each one's next offset ──► fewer than min_bytes: wait for an append, a release, a lock that ends, or max_wait
       │
       ▼
    acquire: what is handed out, and the batches of the log it lies in

Everything from reading to handing out happens in one turn of the event loop, so that two fetches never get the same
record. An answer holds the partitions that were read; those of which nothing was asked of the log are not mentioned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from ...coordinator.share_partition import Acquired, LogBatch, Wanted
from ...log.errors import KafkaStorageError
from ...protocol.apis.share_fetch import AcquiredRecords, PartitionData
from ...protocol.errors import ErrorCode, KafkaError
from ...records.batch import iter_headers, read_records
from ...records.control import ControlType, control_type
from ..purgatory import Deferred, DelayedFetch
from .host import HostState, SharePartitionHost
from .sessions import PartitionId

if TYPE_CHECKING:
    from ...log.log import Log
    from ...records.header import BatchHeader
    from ..connection import Connection
    from .manager import SharePartitionManager

NO_RECORDS = b""

Results = dict[PartitionId, PartitionData]


class FetchLimits(NamedTuple):
    """How much a fetch wants, and how long it waits for that."""

    wait_ms: int
    min_bytes: int
    max_bytes: int


class _Read(NamedTuple):
    """What was read for one share partition."""

    host: SharePartitionHost
    id: PartitionId
    offset: int
    records: Any


def rotated(partitions: list[PartitionId], epoch: int) -> list[PartitionId]:
    """Begin with another partition at each epoch of a session."""
    begin = epoch % len(partitions) if partitions and epoch > 0 else 0
    return partitions[begin:] + partitions[:begin]


class ShareFetching:
    """One ShareFetch request."""

    __slots__ = (
        "_connection", "_hosts", "_limits", "_manager", "_read_committed", "_refused", "_results", "_wanted", "failed",
    )  # fmt: skip

    def __init__(
        self,
        manager: SharePartitionManager,
        group_id: str,
        partitions: list[PartitionId],
        wanted: Wanted,
        limits: FetchLimits,
        connection: Connection,
        refused: Callable[[], Iterable[PartitionId]],
    ) -> None:
        """`refused` says before each reading which partitions the client may not read any more."""
        self._manager = manager
        self._connection = connection
        self._refused = refused
        self._wanted = wanted
        self._limits = limits
        self._read_committed = manager.settings_of(group_id).read_committed
        self._hosts: dict[PartitionId, SharePartitionHost] = {}
        self._results: Results | None = None
        #: Partitions that cannot be fetched from, and why.
        self.failed: dict[PartitionId, KafkaError] = {}
        if wanted.max_records > 0 and limits.max_bytes > 0:
            for partition in partitions:
                try:
                    self._hosts[partition] = manager.open(group_id, partition)
                except KafkaError as error:
                    self.failed[partition] = error

    def start(self) -> Results | Deferred:
        """Fetch, now or when there is enough."""
        self._manager.metrics.total_share_fetch_requests += 1
        if not self._hosts or self._ready() or self._limits.wait_ms <= 0:
            return self._answer()
        watched: list[Any] = list(self._hosts.values())
        watched += [host.partition for host in self._hosts.values()]
        return DelayedFetch(
            watched, self._limits.wait_ms / 1000, self._ready, self._expire, self._connection.on_close
        ).answer

    def _ready(self) -> bool:
        """Hand records out if there are enough bytes, or an error that the client must know."""
        reads, failed = self._read()
        if failed or (reads and sum(len(read.records) for read in reads) >= self._limits.min_bytes):
            self._results = self._acquire(reads)
            return True
        return False

    def _expire(self) -> Results:
        if self._results is None:
            self._manager.metrics.delayed_share_fetch_expires += 1
        return self._answer()

    def _answer(self) -> Results:
        """Say what was handed out; if that was nothing so far, hand out what there is."""
        results = self._results
        if results is None:
            results = self._acquire(self._read()[0])
        for partition, host in self._hosts.items():
            if host.state is HostState.FAILED and host.problem is not None:
                self.failed.setdefault(partition, host.problem)
        for partition, error in self.failed.items():
            results[partition] = failed_partition(partition, error)
        if self.failed:
            self._manager.metrics.failed_share_fetch_requests += 1
        return results

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _read(self) -> tuple[list[_Read], bool]:
        """Read every share partition that may hand something out; says whether one could not be read."""
        failed = False
        for partition in self._refused():
            self.failed[partition] = KafkaError(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
            failed = True
        able = [
            (partition, host)
            for partition, host in self._hosts.items()
            if host.state is HostState.ACTIVE and partition not in self.failed and host.machine.can_acquire()
        ]
        if not able:
            return [], failed
        left = min(self._limits.max_bytes, self._manager.broker.unread_memory.room())
        share = max(left // len(able), 1)
        reads = []
        empty = True
        for partition, host in able:
            try:
                read = self._read_one(partition, host, min(share, left), at_least_one=empty)
            except KafkaError as error:
                self.failed[partition] = error
                failed = True
                continue
            reads.append(read)
            left = max(left - len(read.records), 0)
            empty = empty and not read.records
        return reads, failed

    def _read_one(self, id_: PartitionId, host: SharePartitionHost, most: int, *, at_least_one: bool) -> _Read:
        partition = host.partition
        if not partition.is_leader:
            raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        log = partition.log
        offset = host.machine.next_fetch_offset()
        if offset < log.log_start_offset:
            host.machine.log_starts_at(log.log_start_offset)
            offset = host.machine.next_fetch_offset()
        visible = partition.last_stable_offset if self._read_committed else partition.high_watermark
        if offset >= visible:
            return _Read(host, id_, offset, NO_RECORDS)
        try:
            return _Read(host, id_, offset, log.read(offset, most, visible, at_least_one))
        except KafkaStorageError as problem:
            partition.on_disk_failure(problem)
            raise

    # ── handing out ─────────────────────────────────────────────────────────────────────────────────────────────

    def _acquire(self, reads: list[_Read]) -> Results:
        results: Results = {}
        left = self._wanted.max_records
        for read in reads:
            headers = list(iter_headers(read.records)) if read.records else []
            batches = [LogBatch(header.base_offset, header.last_offset) for _, header in headers]
            aborted = self._aborted(read, headers)
            wanted = self._wanted._replace(max_records=left)
            acquired = read.host.machine.acquire(wanted, read.offset, batches, read.host.now_ms(), aborted)
            item = PartitionData(partition_index=read.id.partition_index, records=NO_RECORDS)
            if acquired:
                read.host.acquired()
                item.records = _cut(read.records, headers, acquired)
                item.acquired_records = [
                    AcquiredRecords(first_offset=first, last_offset=last, delivery_count=count)
                    for first, last, count in acquired
                ]
                left -= sum(piece.last_offset - piece.first_offset + 1 for piece in acquired)
            results[read.id] = item
        return results

    def _aborted(self, read: _Read, headers: list[tuple[int, BatchHeader]]) -> list[LogBatch]:
        if not self._read_committed or not headers:
            return []
        return aborted_batches(read.host.partition.log, read.offset, read.records, headers)


def aborted_batches(
    log: Log, offset: int, records: Any, headers: list[tuple[int, BatchHeader]]
) -> list[LogBatch]:  # fmt: skip
    """Find the batches of what was read at `offset` that belong to aborted transactions."""
    transactions = sorted(log.aborted_transactions(offset, headers[-1][1].next_offset), key=lambda found: found[1])
    if not transactions:
        return []
    found = []
    begun = 0
    aborted: set[int] = set()
    for position, header in headers:
        if header.producer_id < 0:
            continue
        while begun < len(transactions) and transactions[begun][1] <= header.last_offset:
            aborted.add(transactions[begun][0])
            begun += 1
        if header.is_control:
            if control_type(read_records(records, position)[0].key) is ControlType.ABORT:
                aborted.discard(header.producer_id)
        elif header.is_transactional and header.producer_id in aborted:
            found.append(LogBatch(header.base_offset, header.last_offset))
    return found


def _cut(records: Any, headers: list[tuple[int, BatchHeader]], acquired: list[Acquired]) -> Any:
    """Return the batches from the first record that was handed out to the last."""
    first, last = acquired[0].first_offset, acquired[-1].last_offset
    begin, end = 0, len(records)
    for position, header in headers:
        if header.base_offset <= first:
            begin = position
        elif header.base_offset > last:
            end = position
            break
    return records if begin == 0 and end == len(records) else memoryview(records)[begin:end]


def failed_partition(partition: PartitionId, error: KafkaError) -> PartitionData:
    """Make the answer for a partition that cannot be fetched from."""
    message = None if error.code == ErrorCode.UNKNOWN_SERVER_ERROR else error.message  # as Kafka, which has no words
    return PartitionData(
        partition_index=partition.partition_index, error_code=error.code, error_message=message, records=NO_RECORDS
    )
