"""What a partition remembers of each idempotent or transactional producer, and its snapshot file.

For every producer id: the epoch, the last five batches (sequence, offset, time), the coordinator epoch of the last
transaction marker and the first offset of a transaction that is still open. From it follow:

    append of (epoch, first sequence) by a producer with …        is
      no entry                                                     accepted with any sequence: what the log still held of
                                                                   this producer may have been deleted (KIP-360)
      the same batch among its last five                           a duplicate: answered with the offset it has
      epoch below the entry's                                      INVALID_PRODUCER_EPOCH
      epoch above, first sequence not 0                            OUT_OF_ORDER_SEQUENCE_NUMBER
      same epoch, sequence not last + 1 (mod 2^31)                 OUT_OF_ORDER_SEQUENCE_NUMBER
      an open transaction, and the batch not transactional         INVALID_TXN_STATE

    last stable offset = min(first offset of any open transaction, …), so a read-committed consumer waits there.

The state is a function of the log. The snapshot at offset N describes everything below N, is written when a segment is
rolled and at a clean stop, and only saves walking the log again:

    <20-digit offset>.snapshot   version int16 = 1 │ crc uint32 (CRC-32C of what follows) │ count int32 │ entries of 46 bytes:
      producer_id int64 │ epoch int16 │ last_sequence int32 │ last_offset int64 │ offset_delta int32 │ timestamp int64
      │ coordinator_epoch int32 │ current_txn_first_offset int64
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import google_crc32c

from ottla.log.errors import CorruptSidecarError
from ottla.log.transaction_index import AbortedTransaction
from ottla.protocol.errors import ErrorCode, KafkaError
from ottla.records.header import NO_PRODUCER_EPOCH, NO_SEQUENCE, SEQUENCE_MODULUS, BatchHeader

#: Producers whose first batch of a transaction is being looked into; beyond it the oldest is forgotten.
VERIFYING_MAX = 10_000
BATCHES_KEPT = 5  # as many requests as an idempotent producer may have in flight
SNAPSHOT_HEADER = struct.Struct(">hIi")
SNAPSHOT_ENTRY = struct.Struct(">qhiqiqiq")
SNAPSHOT_VERSION = 1
CRC_START = 6  # version and CRC themselves are not covered
NO_OFFSET = -1
NEVER = -2
NO_COORDINATOR_EPOCH = -1


class BatchMetadata(NamedTuple):
    """One of a producer's last batches."""

    last_sequence: int
    last_offset: int
    offset_delta: int
    timestamp: int

    @property
    def first_offset(self) -> int:
        return self.last_offset - self.offset_delta


class ProducerEntry:
    """One producer as its last append left it."""

    __slots__ = (
        "batches", "coordinator_epoch", "current_txn_first_offset", "epoch", "last_timestamp", "looked_at", "looked_ms",
        "producer_id",
    )  # fmt: skip

    def __init__(self, producer_id: int, epoch: int) -> None:
        self.producer_id = producer_id
        self.epoch = epoch
        self.batches: list[BatchMetadata] = []  # oldest first
        self.last_timestamp = -1
        self.coordinator_epoch = NO_COORDINATOR_EPOCH
        self.current_txn_first_offset = NO_OFFSET
        self.looked_at = NEVER  # the last offset when `expire` looked, and when it first saw that one
        self.looked_ms = -1

    @property
    def last_sequence(self) -> int:
        return self.batches[-1].last_sequence if self.batches else NO_SEQUENCE

    @property
    def last_offset(self) -> int:
        return self.batches[-1].last_offset if self.batches else NO_OFFSET


class ProducerState:
    """All producers of one partition, and the transactions that are open."""

    __slots__ = (
        "_name", "completed", "end_offset", "expiration_ms", "looked_ms", "ongoing", "producers", "verifying",
    )  # fmt: skip

    def __init__(self, name: str, end_offset: int = 0) -> None:
        self._name = name
        self.producers: dict[int, ProducerEntry] = {}
        self.ongoing: dict[int, int] = {}  # first offset of an open transaction -> producer id
        self.completed: list[tuple[int, int]] = []  # (first offset, marker offset) of ended ones, by marker; see below
        self.end_offset = end_offset  # everything below is accounted for
        self.looked_ms = -1  # when `expire` last looked, and for how long it keeps who is idle
        self.expiration_ms = 0
        #: Producer id -> (epoch, least sequence) of batches that would begin a transaction here, since the last batch or
        #: marker: what comes after one that was held up must not overtake it, where no entry says what is next (KIP-890).
        self.verifying: dict[int, tuple[int, int]] = {}

    # -- deciding -------------------------------------------------------------------------------------------------

    def check(self, header: BatchHeader, offset: int) -> BatchMetadata | None:
        """Judge a client's data batch that would be appended at `offset`: the duplicate it repeats, or None.

        KafkaError where Kafka would refuse it.
        """
        entry = self.producers.get(header.producer_id)
        if self.verifying:
            self._check_overtaking(header, offset)
        if entry is None:
            return None
        sequence = header.base_sequence
        epoch = header.producer_epoch
        if epoch == entry.epoch:
            if entry.batches:
                last = entry.batches[-1].last_sequence
                if sequence != last + 1 and not (sequence == 0 and last == SEQUENCE_MODULUS - 1):
                    duplicate = _find_duplicate(entry, header)
                    if duplicate is not None:
                        return duplicate
                    raise self._out_of_order(header, offset, f"{last} (current end sequence number)")
            elif sequence != 0:  # known by a transaction marker only: its next batch begins a sequence
                raise self._out_of_order(header, offset, f"{NO_SEQUENCE} (current end sequence number)")
        else:
            self.check_epoch(header, offset)
            if sequence != 0 and entry.epoch != NO_PRODUCER_EPOCH:
                raise self._out_of_order(
                    header, offset, f"{entry.epoch} (current producer epoch), a new epoch starts at 0"
                )
        self.check_transaction(entry, header, offset)
        return None

    def begin_verification(self, producer_id: int, epoch: int, sequence: int) -> None:
        """A batch that would begin a transaction is looked into before it may be appended.

        Where an entry says what is next, that is enough. What a late repetition leaves here would keep the next
        transaction from beginning, as in Kafka.
        """
        entry = self.producers.get(producer_id)
        if entry is not None and entry.epoch == epoch and entry.batches:
            return
        known = self.verifying.pop(producer_id, None)
        if known is not None and (known[0] > epoch or (known[0] == epoch and known[1] < sequence)):
            epoch, sequence = known
        elif len(self.verifying) >= VERIFYING_MAX:
            del self.verifying[next(iter(self.verifying))]
        self.verifying[producer_id] = (epoch, sequence)

    def _check_overtaking(self, header: BatchHeader, offset: int) -> None:
        known = self.verifying.get(header.producer_id)
        if known is not None and known[0] == header.producer_epoch and header.base_sequence > known[1]:
            raise self._out_of_order(header, offset, f"{known[1]} (earliest seen sequence)")

    def check_epoch(self, header: BatchHeader, offset: int) -> None:
        """Refuse a batch of an older epoch; what is asked of a coordinator's batches too, which have no sequence."""
        entry = self.producers.get(header.producer_id)
        if entry is not None and header.producer_epoch < entry.epoch:
            raise KafkaError(
                ErrorCode.INVALID_PRODUCER_EPOCH,
                f"Epoch of producer {header.producer_id} at offset {offset} in {self._name} is {header.producer_epoch}, "
                f"which is smaller than the last seen epoch {entry.epoch}",
            )

    def check_transaction(self, entry: ProducerEntry, header: BatchHeader, offset: int) -> None:
        if entry.current_txn_first_offset != NO_OFFSET and not header.is_transactional:
            raise KafkaError(
                ErrorCode.INVALID_TXN_STATE,
                f"Expected transactional write from producer {header.producer_id} at offset {offset} in partition {self._name}",
            )

    def check_marker(self, header: BatchHeader, coordinator_epoch: int, offset: int, transaction_version: int) -> None:
        """Judge an end-transaction marker. From transactions version 2 on, each ends with an epoch of its own."""
        entry = self.producers.get(header.producer_id)
        if entry is None:
            return
        epoch = header.producer_epoch
        strict = transaction_version >= 2
        repeated = strict and epoch == entry.epoch and entry.current_txn_first_offset == NO_OFFSET
        if epoch < entry.epoch or (strict and epoch == entry.epoch and not repeated):
            raise KafkaError(
                ErrorCode.INVALID_PRODUCER_EPOCH,
                f"Epoch of producer {header.producer_id} at offset {offset} in {self._name} is {epoch}, "
                f"the last seen epoch is {entry.epoch} (TV{transaction_version})",
            )
        if coordinator_epoch < entry.coordinator_epoch:
            raise KafkaError(
                ErrorCode.TRANSACTION_COORDINATOR_FENCED,
                f"Invalid coordinator epoch for producerId {header.producer_id} at offset {offset} in partition "
                f"{self._name}: {coordinator_epoch} (zombie), {entry.coordinator_epoch} (current)",
            )

    def _out_of_order(self, header: BatchHeader, offset: int, current: str) -> KafkaError:
        return KafkaError(
            ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
            f"Out of order sequence number for producer {header.producer_id} at offset {offset} in partition "
            f"{self._name}: {header.base_sequence} (incoming seq. number), {current}",
        )

    # -- replaying ------------------------------------------------------------------------------------------------

    def record_data(self, header: BatchHeader, offset: int, timestamp: int) -> None:
        """A batch of a producer is in the log at `offset`, with `timestamp` the greatest in it."""
        entry = self._entry(header)
        batches = entry.batches
        if len(batches) >= BATCHES_KEPT:
            del batches[0]
        batches.append(
            BatchMetadata(header.last_sequence, offset + header.last_offset_delta, header.last_offset_delta, timestamp)
        )
        entry.last_timestamp = timestamp
        if header.is_transactional and entry.current_txn_first_offset == NO_OFFSET:
            entry.current_txn_first_offset = offset
            self.ongoing[offset] = header.producer_id

    def record_marker(
        self, header: BatchHeader, offset: int, commit: bool, coordinator_epoch: int, timestamp: int
    ) -> AbortedTransaction | None:
        """An end-transaction marker is in the log; an abort of a transaction with data answers its index entry."""
        entry = self._entry(header)
        first_offset = entry.current_txn_first_offset
        entry.current_txn_first_offset = NO_OFFSET
        entry.coordinator_epoch = coordinator_epoch
        entry.last_timestamp = timestamp
        if first_offset == NO_OFFSET:
            return None
        self.ongoing.pop(first_offset, None)
        self.completed.append((first_offset, offset))
        if commit:
            return None
        last_offset = offset + header.last_offset_delta
        stable = min(self.ongoing, default=last_offset + 1)
        return AbortedTransaction(header.producer_id, first_offset, last_offset, stable)

    def _entry(self, header: BatchHeader) -> ProducerEntry:
        if self.verifying:
            self.verifying.pop(header.producer_id, None)
        entry = self.producers.get(header.producer_id)
        if entry is None:
            entry = self.producers[header.producer_id] = ProducerEntry(header.producer_id, header.producer_epoch)
        elif entry.epoch != header.producer_epoch:
            entry.epoch = header.producer_epoch
            entry.batches = []
        return entry

    @property
    def first_open_offset(self) -> int:
        """First offset of the oldest open transaction, or -1."""
        return min(self.ongoing) if self.ongoing else NO_OFFSET

    def first_unstable_offset(self, high_watermark: int) -> int:
        """First offset of the oldest transaction that is open or whose marker is not below the high watermark, or -1.

        Forgets the ended ones whose markers are.
        """
        completed = self.completed
        if completed and completed[0][1] < high_watermark:
            completed[:] = [entry for entry in completed if entry[1] >= high_watermark]
        first = self.first_open_offset
        for entry in completed:
            if first < 0 or entry[0] < first:
                first = entry[0]
        return first

    def tell_time(self, now_ms: int, expiration_ms: int) -> None:
        """Let snapshots know what would be forgotten when they are read."""
        self.looked_ms, self.expiration_ms = now_ms, expiration_ms

    def expire(self, now_ms: int, expiration_ms: int) -> None:
        """Forget producers that were idle for too long and have no transaction open.

        Idle by the clock of the broker. Kafka goes by the timestamps of records, which tell nothing of it where they are
        those of events: who feeds last year's again would be forgotten at each look and each restart, and a request it
        repeats be appended twice. What an append costs is not raised for it: each look sees who wrote since the last.
        """
        self.tell_time(now_ms, expiration_ms)
        gone = []
        for entry in self.producers.values():
            last_offset = entry.last_offset
            if entry.looked_at != last_offset:
                entry.looked_at, entry.looked_ms = last_offset, now_ms
            elif (
                entry.current_txn_first_offset == NO_OFFSET
                and now_ms - max(entry.last_timestamp, entry.looked_ms) >= expiration_ms
            ):
                gone.append(entry.producer_id)
        for producer_id in gone:
            del self.producers[producer_id]

    def clear(self, end_offset: int) -> None:
        self.producers.clear()
        self.ongoing.clear()
        self.completed.clear()
        self.verifying.clear()
        self.end_offset = end_offset

    # -- snapshots ------------------------------------------------------------------------------------------------

    def to_snapshot(self) -> bytes:
        entries = []
        for entry in self.producers.values():
            last = entry.batches[-1] if entry.batches else BatchMetadata(NO_SEQUENCE, NO_OFFSET, 0, -1)
            entries.append(
                SNAPSHOT_ENTRY.pack(
                    entry.producer_id, entry.epoch, last.last_sequence, last.last_offset, last.offset_delta,
                    self._told_ms(entry), entry.coordinator_epoch,
                    entry.current_txn_first_offset,
                )
            )  # fmt: skip
        body = struct.pack(">i", len(entries)) + b"".join(entries)
        return struct.pack(">hI", SNAPSHOT_VERSION, google_crc32c.value(body)) + body

    def _told_ms(self, entry: ProducerEntry) -> int:
        """The timestamp of a producer's last batch, as in Kafka; its time where who reads that would forget it soon.

        What was written since the last look was written after it.
        """
        seen_ms = entry.looked_ms if entry.looked_at == entry.last_offset else self.looked_ms
        return seen_ms if seen_ms - entry.last_timestamp > self.expiration_ms // 2 else entry.last_timestamp

    @classmethod
    def from_snapshot(cls, data: bytes, name: str, end_offset: int) -> ProducerState:
        if len(data) < SNAPSHOT_HEADER.size:
            raise CorruptSidecarError(f"producer snapshot of {len(data)} bytes")
        version, crc, count = SNAPSHOT_HEADER.unpack_from(data)
        if version != SNAPSHOT_VERSION or count < 0 or len(data) != SNAPSHOT_HEADER.size + count * SNAPSHOT_ENTRY.size:
            raise CorruptSidecarError(
                f"producer snapshot of version {version} with {count} entries in {len(data)} bytes"
            )
        if google_crc32c.value(data[CRC_START:]) != crc:
            raise CorruptSidecarError("producer snapshot with a wrong CRC")
        state = cls(name, end_offset)
        for fields in SNAPSHOT_ENTRY.iter_unpack(data[SNAPSHOT_HEADER.size :]):
            producer_id, epoch, last_sequence, last_offset, offset_delta, timestamp, coordinator_epoch, txn_first = (
                fields
            )
            entry = ProducerEntry(producer_id, epoch)
            entry.last_timestamp = timestamp
            entry.coordinator_epoch = coordinator_epoch
            entry.current_txn_first_offset = txn_first
            if last_offset >= 0:
                entry.batches.append(BatchMetadata(last_sequence, last_offset, offset_delta, timestamp))
            entry.looked_at, entry.looked_ms = entry.last_offset, timestamp
            if txn_first >= 0:
                state.ongoing[txn_first] = producer_id
            state.producers[producer_id] = entry
        return state


def _find_duplicate(entry: ProducerEntry, header: BatchHeader) -> BatchMetadata | None:
    last_sequence = header.last_sequence
    for batch in entry.batches:
        if batch.last_sequence == last_sequence and batch.offset_delta == header.last_offset_delta:
            return batch
    return None
