"""The two walks of a cleaning pass, for a worker thread.

    build_map     dirty segments ─► KeyMap, until it is full: everything up to its latest offset can be cleaned
    clean_group   some segments ─► one: `<base>.log.cleaned` and its three indexes, synced

Ordinary batches are judged and written a piece at a time by the compiled loops; a batch that is compressed or belongs to
a transaction passes through here one by one. Bytes of a batch that loses nothing are copied as they are; one that does
is compressed again in its own codec, as Kafka does.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass
from typing import NamedTuple

from ottla.log import transaction_index
from ottla.log.cleaner import _keys_cy, _rewrite_cy
from ottla.log.cleaner._keys_cy import KeyMap
from ottla.log.cleaner._rewrite_cy import Writer
from ottla.log.cleaner.source import CleaningFailed, Pace, Pieces, SourceSegment, uncompressed
from ottla.log.cleaner.transactions import CleanedTransactions
from ottla.log.files import File, Files
from ottla.log.index import OffsetIndex, TimeIndex
from ottla.log.recovery import CLEANED_SUFFIX
from ottla.log.segment import INDEX_SUFFIX, LOG_SUFFIX, TIME_INDEX_SUFFIX, TRANSACTION_INDEX_SUFFIX, file_name
from ottla.log.transaction_index import AbortedTransaction
from ottla.protocol.errors import KafkaError
from ottla.records.batch import crc32c
from ottla.records.compression import Compression, compress
from ottla.records.header import COMPRESSION_MASK, CRC_START, HEADER_SIZE, BatchHeader

#: The new file is synced as it grows: a system with too much unwritten makes every writer wait, producers' too.
SYNC_BYTES = 16 << 20

_INT32 = struct.Struct(">i")
_UINT32 = struct.Struct(">I")


class LastBatch(NamedTuple):
    """Where a producer's last batch ends (-1: nothing but a marker is known), and its epoch."""

    last_offset: int
    epoch: int


class PassContext(NamedTuple):
    """What is the same in a whole pass."""

    files: Files
    directory: str
    piece_bytes: int
    pace: Pace
    last_batches: dict[int, LastBatch]  # by producer id
    now_ms: int
    horizon_ms: int
    index_interval: int


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A group of segments written anew, under names that end in .cleaned."""

    base_offset: int
    size: int
    index: OffsetIndex
    time_index: TimeIndex
    aborted: list[AbortedTransaction]
    max_timestamp: int
    offset_of_max_timestamp: int
    records_read: int
    records_kept: int


def build_map(
    context: PassContext, keys: KeyMap, dirty: list[SourceSegment], start_offset: int, aborted: list[AbortedTransaction]
) -> int:
    """Take in the dirty segments until the map is full; the offset up to which the pass may clean."""
    transactions = CleanedTransactions(aborted)
    for segment in dirty:
        if not _index_segment(context, keys, segment, start_offset, transactions):
            break
        keys.raise_latest(segment.next_offset - 1)
    if keys.latest_offset < start_offset:
        raise CleaningFailed(
            f"{context.directory}: the map of keys has no room for one batch; raise log.cleaner.dedupe.buffer.size"
        )
    return keys.latest_offset + 1


def _index_segment(
    context: PassContext, keys: KeyMap, segment: SourceSegment, start_offset: int, transactions: CleanedTransactions
) -> bool:
    """Whether all of it went into the map."""
    pieces = Pieces(context.files, segment, context.piece_bytes, context.pace)
    try:
        while pieces.more():
            bad = _rewrite_cy.first_bad_checksum(pieces.data, 0)
            if bad >= 0:
                raise pieces.fail(bad)
            while True:
                pieces.place, reason = keys.index(pieces.data, pieces.place, start_offset)
                if reason == _keys_cy.END:
                    break
                if reason == _keys_cy.SPECIAL:
                    reason = _index_special(keys, pieces, start_offset, transactions)
                if reason == _keys_cy.FULL:
                    return False
                if reason == _keys_cy.CORRUPT:
                    raise pieces.fail(pieces.place)
        return True
    finally:
        pieces.close()


def _index_special(keys: KeyMap, pieces: Pieces, start_offset: int, transactions: CleanedTransactions) -> int:
    header, batch = pieces.batch()
    if header.is_control:
        transactions.control(header, batch)
    elif not transactions.data(header) and header.last_offset >= start_offset:
        try:
            plain, _ = uncompressed(header, batch)
        except KafkaError as error:
            raise CleaningFailed(str(error)) from error
        payload = memoryview(plain)[HEADER_SIZE:]
        reason = keys.index_payload(payload, header.record_count, header.base_offset, start_offset)
        if reason != _keys_cy.END:
            return reason
    if header.last_offset >= start_offset:
        keys.raise_latest(header.last_offset)
    return _keys_cy.END


def clean_group(
    context: PassContext, keys: KeyMap, upper_bound: int, transactions: CleanedTransactions, group: list[SourceSegment]
) -> Cleaned:
    """Write the segments of a group as one, without what is superseded."""
    work = _Group(context, keys, upper_bound, transactions, group[0].base_offset)
    try:
        for segment in group:
            work.add(segment)
        return work.finish(group[-1].modified_ms)
    finally:
        work.file.close()


class _Group:
    """The new segment of one group while it is written."""

    def __init__(
        self, context: PassContext, keys: KeyMap, upper_bound: int, transactions: CleanedTransactions, base_offset: int
    ) -> None:
        self.context = context
        self.keys = keys
        self.upper_bound = upper_bound
        self.transactions = transactions
        self.base_offset = base_offset
        self.file: File = context.files.open(self._path(LOG_SUFFIX), create=True)
        last_offsets = [last.last_offset for last in context.last_batches.values() if last.last_offset >= 0]
        self.writer = Writer(context.horizon_ms, upper_bound, last_offsets, context.index_interval)
        self.writer.make_room(context.piece_bytes)
        self.flags = bytearray()
        self.verdicts = array("q")
        self.index, self.time_index = OffsetIndex(), TimeIndex()
        self.aborted: list[AbortedTransaction] = []
        self.counts = keys.counts
        self.synced = 0

    def _path(self, suffix: str) -> str:
        return f"{self.context.directory}/{file_name(self.base_offset, suffix)}{CLEANED_SUFFIX}"

    def add(self, segment: SourceSegment) -> None:
        """Filter one segment into the new one."""
        pieces = Pieces(self.context.files, segment, self.context.piece_bytes, self.context.pace)
        try:
            while pieces.more():
                self._add_piece(pieces)
        finally:
            pieces.close()

    def _add_piece(self, pieces: Pieces) -> None:
        data = pieces.data
        self._measure(len(data))
        while True:
            start = pieces.place
            pieces.place, reason = self.keys.choose(data, start, self.context.now_ms, self.flags, self.verdicts)
            if pieces.place > start:
                self._write(pieces, start)
            if reason == _keys_cy.END:
                break
            if reason == _keys_cy.CORRUPT:
                raise pieces.fail(pieces.place)
            self._add_special(pieces)
        self._flush()

    def _measure(self, size: int) -> None:
        """Have a flag for every record and a verdict for every batch that so many bytes may hold."""
        if len(self.flags) < size // 7 + 1:
            self.flags = bytearray(size // 7 + 1)
            self.verdicts = array("q", bytes((size // HEADER_SIZE + 2) * 8))

    def _write(self, pieces: Pieces, start: int) -> None:
        """Write the judged batches from `start` to the place of `pieces`."""
        place = array("q", [start, 0, 1])
        before = -1
        while (reason := self.writer.run(pieces.data, pieces.place, self.flags, self.verdicts, place)) != _keys_cy.END:
            if reason == _keys_cy.CORRUPT:
                raise pieces.fail(place[0])
            self._flush()
            if place[0] == before:
                self.writer.make_room(len(pieces.data))
            before = place[0]

    def _flush(self) -> None:
        data, entries = self.writer.take()
        if len(data):
            for number in range(0, len(entries), 4):
                last_offset, position, top, top_offset = entries[number : number + 4]
                self.index.append(last_offset - self.base_offset, position)
                self.time_index.maybe_append(top, top_offset - self.base_offset)
            self.file.append(data)
            if self.file.size - self.synced >= SYNC_BYTES:
                self.file.sync()
                self.synced = self.file.size
            self.context.pace.spent(len(data))

    def _add_special(self, pieces: Pieces) -> None:
        """One batch that is compressed, of a transaction, or control."""
        at = pieces.place
        header, batch = pieces.batch()
        if crc32c(batch, CRC_START) != header.crc:
            raise pieces.fail(at)
        control = header.is_control
        ended = self.transactions.control(header, batch) if control else self.transactions.data(header)
        self.aborted += self.transactions.take_kept()
        discard = ended
        if control and ended:
            horizon = header.delete_horizon_ms
            discard = horizon is not None and horizon <= self.context.now_ms
        try:
            plain, codec = uncompressed(header, batch)
        except KafkaError as error:
            raise CleaningFailed(f"{pieces.fail(at)}: {error}") from error
        needed = max(len(plain), len(batch))
        if not self.writer.has_room(needed):
            self._flush()
            if not self.writer.has_room(needed):
                self.writer.make_room(needed)
        self._measure(len(plain))
        verdict = self.keys.choose_one(plain, self.context.now_ms, discard, self.flags)
        if verdict < 0:
            raise pieces.fail(at)
        kind, changed = self.writer.rewrite(plain, verdict, self.flags, control and ended, self._keeps_empty(header))
        if kind == _rewrite_cy.UNCHANGED:
            self.writer.put(batch)
        elif kind == _rewrite_cy.CHANGED:
            self.writer.put(_compressed(changed, Compression(codec)) if verdict else changed)

    def _keeps_empty(self, header: BatchHeader) -> bool:
        """Whether the batch stays if all its records go: it is its producer's last, or the end of the cleaned part."""
        if header.next_offset == self.upper_bound:
            return True
        last = self.context.last_batches.get(header.producer_id)
        if last is None:
            return False
        if last.last_offset >= 0:
            return last.last_offset == header.last_offset
        return header.is_control and header.producer_epoch == last.epoch

    def finish(self, modified_ms: int) -> Cleaned:
        """Write the indexes and sync all four files."""
        files = self.context.files
        top, top_offset = self.writer.newest
        self.time_index.maybe_append(top, top_offset - self.base_offset)
        self.file.sync()
        for suffix, data in (
            (INDEX_SUFFIX, self.index.to_bytes()),
            (TIME_INDEX_SUFFIX, self.time_index.to_bytes()),
            (TRANSACTION_INDEX_SUFFIX, transaction_index.encode(self.aborted)),
        ):
            sidecar = files.open(self._path(suffix), create=True)
            sidecar.append(data)
            sidecar.sync()
            sidecar.close()
        files.set_modified(self._path(LOG_SUFFIX), modified_ms)
        read, kept = self.keys.counts
        return Cleaned(
            self.base_offset, self.file.size, self.index, self.time_index, self.aborted, top, top_offset,
            read - self.counts[0], kept - self.counts[1],
        )  # fmt: skip


def _compressed(batch: bytes, codec: Compression) -> bytes:
    """The batch with its records in the codec, which the header then names."""
    if codec == Compression.NONE:
        return batch
    out = bytearray(batch[:HEADER_SIZE]) + compress(codec, memoryview(batch)[HEADER_SIZE:])
    _INT32.pack_into(out, 8, len(out) - 12)
    out[22] = (out[22] & ~COMPRESSION_MASK & 0xFF) | codec
    _UINT32.pack_into(out, 17, crc32c(out, CRC_START))
    return bytes(out)
