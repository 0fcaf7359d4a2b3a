"""How records are handed out: again what came back, then what is new.

What was read from the log at the fetch offset is walked once, in the order of offsets:

    log     ├──── batch ────┤├──────── batch ────────┤├── batch ──┤
    known   ├─ in flight ─┤░unknown░├── in flight ──┤│next offset
              as it was handed out,  a new batch       new batches
              all of it or parts

*Batch optimised* (the default): the count is a soft limit. What was handed out together is handed out together again,
and new records in whole batches of the log, cut into batches of about `batch_size`. *Record limit* (KIP-1206): never
more than asked for; of a batch of the log that is taken in, the rest stays available.

A record that fails again and again may spoil those beside it, so that with a growing delivery count fewer are handed
out together: from half of the limit on half of a batch, then a quarter…, and the last time each record alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from .decision import Acquired
from .in_flight import InFlightBatch, Run
from .states import RecordState

if TYPE_CHECKING:
    from .partition import SharePartition

__all__ = ["Acquisition", "LogBatch", "Wanted"]

#: With fewer deliveries than this there is no telling a record that fails from one that had bad luck.
_LONE_LIMIT = 2


class LogBatch(NamedTuple):
    """Offsets of a batch of the log."""

    base_offset: int
    last_offset: int


class Wanted(NamedTuple):
    """What a member asks for."""

    member: str
    max_records: int
    batch_size: int
    record_limit: bool = False


class Acquisition:
    """One walk over what was read."""

    __slots__ = ("_count", "_last", "_locked_until_ms", "_log", "_partition", "_room", "_taken", "_wanted")

    def __init__(self, partition: SharePartition, wanted: Wanted, log: Sequence[LogBatch], now_ms: int) -> None:
        self._partition = partition
        self._wanted = wanted
        self._log = log
        self._locked_until_ms = now_ms + partition.settings.record_lock_duration_ms
        self._taken: list[Acquired] = []
        self._count = 0
        #: How many may be taken yet in all, and up to which offset.
        self._room = 0
        self._last = log[-1].last_offset

    def run(self, fetch_offset: int) -> list[Acquired]:
        """Take what can be taken."""
        partition = self._partition
        if self._last < partition.start_offset or not self._has_room(fetch_offset):
            return []
        base = self._log[0].base_offset
        partition.archive_absent(fetch_offset, min(base - 1, partition.next_offset - 1))
        first = max(base, partition.start_offset)
        for piece in tuple(self._pieces(first)):
            if self._count >= self._room:
                break
            if isinstance(piece, InFlightBatch):
                self._take_again(piece, first)
            else:
                self._take_unknown(*piece)
        if self._count < self._room and self._last >= partition.next_offset:
            self._take_next(max(first, partition.next_offset))
        return self._taken

    def _has_room(self, fetch_offset: int) -> bool:
        """Work out the limits: of the request, and of records in flight, which those in flight already do not raise."""
        partition, wanted = self._partition, self._wanted.max_records
        self._room = min(wanted, partition.settings.max_record_locks - partition.in_flight)
        if self._room <= 0 and fetch_offset < partition.next_offset:
            self._room = min(wanted, partition.next_offset - fetch_offset)
            self._last = min(self._last, partition.next_offset - 1)
        return self._room > 0

    def _pieces(self, first: int) -> Iterator[InFlightBatch | tuple[int, int]]:
        """Iterate over the batches and unknown ranges of what was read, in order."""
        partition = self._partition
        unknown = [(max(a, first), min(b, self._last)) for a, b in partition.unknown if a <= self._last and b >= first]
        pieces: list[InFlightBatch | tuple[int, int]] = [*partition.overlapping(first, self._last), *unknown]
        yield from sorted(pieces, key=lambda piece: piece.first if isinstance(piece, InFlightBatch) else piece[0])

    # ── once more ───────────────────────────────────────────────────────────────────────────────────────────────

    def _take_again(self, batch: InFlightBatch, first: int) -> None:
        last = min(batch.last, self._last)
        available = [run for run in batch.runs if run.is_available and run.last >= first and run.first <= last]
        if not available:
            return
        settings = self._partition.settings
        throttled = max(run.delivery_count for run in available) >= settings.throttle_count
        if throttled and self._count:
            self._room = 0  # they come first in a later fetch
            return
        left = self._room - self._count
        too_many = self._wanted.record_limit and len(batch) > left
        if batch.single and batch.first >= first and batch.last <= last and not throttled and not too_many:
            self._hand_out(batch.runs[0])
            return
        batch.single = False
        before = self._count
        self._take_parts(batch, max(first, batch.first), last, left if self._wanted.record_limit else len(batch))
        if throttled and self._count > before:
            self._room = 0

    def _take_parts(self, batch: InFlightBatch, first: int, last: int, limit: int) -> None:
        """Take single records of a batch: as many as `limit`, fewer where they were delivered often."""
        settings = self._partition.settings
        most = settings.delivery_count_limit
        taken: list[Run] = []
        count = 0
        throttled = False
        for run in batch.between(first, last):
            if not run.is_available:
                continue
            lone = most > _LONE_LIMIT and run.delivery_count == most - 1
            if lone and count:
                break
            if run.delivery_count >= settings.throttle_count and not throttled:
                throttled = True
                limit = min(limit, max(1, len(batch) >> (run.delivery_count - settings.throttle_count + 1)))
            room = 1 if lone else limit - count
            if room <= 0:
                break
            if len(run) > room:
                batch.between(run.first, run.first + room - 1)
            taken.append(run)
            count += len(run)
            if lone:
                break
        for run in taken:
            self._hand_out(run, joined=run is not taken[0])
        batch.join()

    def _hand_out(self, run: Run, *, joined: bool = False) -> None:
        run.state = RecordState.ACQUIRED
        run.delivery_count += 1
        run.member = self._wanted.member
        run.lock_until_ms = self._locked_until_ms
        self._count += len(run)
        last = self._taken[-1] if self._taken else None
        if joined and last and last.last_offset + 1 == run.first and last.delivery_count == run.delivery_count:
            self._taken[-1] = last._replace(last_offset=run.last)
        else:
            self._taken.append(Acquired(run.first, run.last, run.delivery_count))

    # ── for the first time ──────────────────────────────────────────────────────────────────────────────────────

    def _take_unknown(self, first: int, last: int) -> None:
        end = self._take_new(first, last)
        self._partition.forget_unknown(first, end)

    def _take_next(self, first: int) -> None:
        partition = self._partition
        if not partition.batches:
            partition.start_offset = max(partition.start_offset, first)
        partition.next_offset = self._take_new(first, self._last) + 1

    def _take_new(self, first: int, last: int) -> int:
        """Make batches of records that were in none; returns the last offset that is in one now."""
        limit = self._room - self._count
        if last - first + 1 > limit:
            last = min(last, self._end_of_batch(first + limit - 1))
        if self._wanted.record_limit:
            self._add(first, last, limit)
            return last
        begin = first
        if last - first + 1 > self._wanted.batch_size:
            for batch in self._log:
                if begin < batch.base_offset <= last and batch.base_offset - begin >= self._wanted.batch_size:
                    self._add(begin, batch.base_offset - 1)
                    begin = batch.base_offset
        self._add(begin, last)
        return last

    def _end_of_batch(self, offset: int) -> int:
        """Return the last offset of the log's batch that has this one; the offset itself where none has."""
        for batch in self._log:
            if batch.last_offset >= offset:
                return batch.last_offset if batch.base_offset <= offset else offset
        return offset

    def _add(self, first: int, last: int, limit: int | None = None) -> None:
        """Put a new batch among those in flight and hand it out, or its first `limit` records."""
        end = last if limit is None else min(last, first + limit - 1)
        runs = [Run(first, end, RecordState.AVAILABLE, 0)]
        if end < last:
            runs.append(Run(end + 1, last, RecordState.AVAILABLE, 0))
            self._partition.now_available()
        self._partition.insert(InFlightBatch(runs))
        self._hand_out(runs[0])
