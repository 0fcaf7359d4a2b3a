"""Histories of a compacted log, what a reader must find in it, and compaction step by step.

A `History` appends what it is told to (records, tombstones, transactions, idempotent batches) to a log and to a list. A
compacted log is right when a reader of committed records, who keeps the last value of each key, ends with the very
dictionary that the list gives, and when every record it met is one of the list's, unchanged and at its offset.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ottla.log.cleaner import plan
from ottla.log.cleaner.passes import CleanerConfig, PassResult, clean_log
from ottla.log.cleaner.source import Pace
from ottla.log.config import LogConfig
from ottla.log.files import Files
from ottla.log.log import Log
from ottla.log.manager import LogManager
from ottla.records.batch import build_batch, iter_headers, read_records
from ottla.records.compression import Compression
from ottla.records.control import EndTransactionMarker, build_end_transaction_marker
from ottla.records.header import Record
from tests.log.support import NOW

TOPIC_ID = b"0123456789abcdef"
CONFIG = LogConfig(
    segment_bytes=900,
    index_interval_bytes=200,
    cleanup_policy=frozenset({"compact"}),
    delete_retention_ms=1000,
    file_delete_delay_ms=0,
    producer_id_expiration_ms=1 << 60,
)
KEYS = [b"key-%d" % number for number in range(6)]


class Appended(NamedTuple):
    """A record of the model."""

    key: bytes
    value: bytes | None
    producer_id: int
    transaction: int  # number of the transaction it belongs to, -1: none


@dataclass
class History:
    """A log, and everything that was ever appended to it."""

    files: Files
    config: LogConfig = CONFIG
    now_ms: int = NOW
    records: dict[int, Appended] = field(default_factory=dict)
    ends: dict[int, tuple[int, bool]] = field(default_factory=dict)  # transaction -> offset of its marker, committed?
    open: dict[int, int] = field(default_factory=dict)  # producer -> transaction
    number: int = 0

    def __post_init__(self) -> None:
        self.load()

    def load(self) -> None:
        """Open the folder, after a crash or a stop."""
        self.manager = LogManager(self.files, ["/data"], self.config)
        report = self.manager.load(self.now_ms)
        assert report.damaged == []
        self.log: Log = self.manager.create("orders", 0, TOPIC_ID, self.config, self.now_ms)

    def forget_lost(self) -> None:
        """A crash may have taken the end of the log: what was there is no part of the history any more."""
        end = self.log.log_end_offset
        self.records = {offset: record for offset, record in self.records.items() if offset < end}
        self.ends = {number: marker for number, marker in self.ends.items() if marker[0] < end}
        ongoing = {producer: first for first, producer in self.log.producer_state.ongoing.items()}
        self.open = {producer: self.records[first].transaction for producer, first in ongoing.items()}

    def append(
        self, pairs: list[tuple[bytes, bytes | None]], producer: int = -1, transactional: bool = False,
        compression: Compression = Compression.NONE,
    ) -> None:  # fmt: skip
        options = {}
        transaction = -1
        if producer >= 0:
            entry = self.log.producer_state.producers.get(producer)
            options = {"producer_id": producer, "producer_epoch": 0}
            options["base_sequence"] = entry.last_sequence + 1 if entry is not None else 0
            if transactional:
                transaction = self.open.setdefault(producer, self.number)
                self.number += 1
        records = [Record(0, self.now_ms, key, value) for key, value in pairs]
        data = build_batch(records, transactional=transactional, compression=compression, **options)
        first = self.log.append_as_leader(data, 0, self.now_ms).first_offset
        for delta, (key, value) in enumerate(pairs):
            self.records[first + delta] = Appended(key, value, producer, transaction)

    def end(self, producer: int, committed: bool) -> None:
        from ottla.log.log import Origin

        marker = build_end_transaction_marker(
            EndTransactionMarker(committed, 0), producer_id=producer, producer_epoch=0, timestamp_ms=self.now_ms
        )
        result = self.log.append_as_leader(marker, 0, self.now_ms, Origin.COORDINATOR)
        self.ends[self.open.pop(producer)] = result.first_offset, committed

    def expected(self) -> dict[bytes, bytes]:
        """What a reader of committed records ends with."""
        found: dict[bytes, bytes] = {}
        for record in (self.records[offset] for offset in sorted(self.records)):
            if record.transaction >= 0 and not self.ends.get(record.transaction, (0, False))[1]:
                continue
            if record.value is None:
                found.pop(record.key, None)
            else:
                found[record.key] = record.value
        return found

    def check(self) -> None:
        """The log gives what it must, and nothing that was never there."""
        found: dict[bytes, bytes] = {}
        last = self.log.log_start_offset - 1
        for offset, key, value, committed in read(self.log):
            assert offset > last
            last = offset
            known = self.records[offset]
            assert (key, value) == (known.key, known.value), offset
            if known.transaction >= 0:
                end = self.ends.get(known.transaction)
                assert committed == (end is not None and end[1]), (offset, end)
            if committed and value is None:
                found.pop(key, None)
            elif committed:
                assert value is not None
                found[key] = value
        assert found == self.expected()

    def random_step(self, rng: random.Random) -> None:
        """Append something, or end a transaction, or let time pass."""
        what = rng.random()
        self.number += 1
        pairs = [
            (
                rng.choice(KEYS),
                None if rng.random() < 0.2 else b"%d-%d" % (self.number, index) + b"." * rng.randrange(60),
            )
            for index in range(rng.randrange(1, 4))
        ]
        codec = rng.choice([Compression.NONE, Compression.NONE, Compression.LZ4, Compression.GZIP])
        if what < 0.4:
            self.append(pairs, compression=codec)
        elif what < 0.55:
            self.append(pairs, producer=rng.choice([1, 2]), compression=codec)
        elif what < 0.8:
            self.append(pairs, producer=rng.choice([7, 8, 9]), transactional=True, compression=codec)
        elif what < 0.95:
            if self.open:
                self.end(rng.choice(sorted(self.open)), rng.random() < 0.6)
        else:
            self.now_ms += rng.choice([10, 1500])

    # -- compaction ----------------------------------------------------------------------------------------------

    def clean(self, config: CleanerConfig | None = None) -> PassResult:
        result = PassResult()
        for step in self.cleaning(result, config):
            step()
        return result

    def cleaning(self, result: PassResult, config: CleanerConfig | None = None) -> Iterator[Callable[[], object]]:
        """The steps of one pass, the write of the cleaner's checkpoint included."""
        log = self.log
        dirty = plan.look_at(log, self.manager.cleaner_offset(log), log.log_end_offset, self.now_ms)
        if dirty.dirty_bytes == 0:
            return
        yield from clean_log(
            dirty,
            config or CleanerConfig(),
            Pace(),
            (1, 2),
            lambda: self.now_ms,
            self.manager.prepare_checkpoint,
            result,
        )
        yield self.manager.set_cleaner_offset(log, result.end_offset)


def read(log: Log) -> Iterator[tuple[int, bytes, bytes | None, bool]]:
    """(offset, key, value, committed) of every record, as the transaction indexes tell a consumer."""
    aborted = [entry for segment in log.segments for entry in log.aborted_of(segment)]
    ongoing = {producer: first for first, producer in log.producer_state.ongoing.items()}
    offset = log.log_start_offset
    while offset < log.log_end_offset:
        data = log.read(offset, 1 << 20)
        if len(data) == 0:
            return
        for position, header in iter_headers(data):
            following = header.next_offset
            if header.is_control:
                continue
            for record in read_records(data, position):
                committed = not header.is_transactional or not (
                    record.offset >= ongoing.get(header.producer_id, 1 << 62)
                    or any(
                        entry.producer_id == header.producer_id
                        and entry.first_offset <= record.offset <= entry.last_offset
                        for entry in aborted
                    )
                )
                if record.offset >= offset:
                    assert record.key is not None
                    yield record.offset, record.key, record.value, committed
        offset = following
