"""A share partition: what one share group has in flight in one partition of a topic.

        start offset                                        next offset            log end
            │  records in flight, in batches (in_flight.py)      │  never handed out    │
    ────────┼──batch──┼────batch────┼░unknown░┼────batch─────────┼──────────────────────┤
     done   │                                                    │

Everything below the start offset is done with. From the next offset on nothing was handed out. Between them every record
is in a batch, or *unknown*: after a restart the stored state says nothing of it, because it was handed out and nobody
had spoken of it yet, or because there is no record (compaction, a transaction's marker); reading the log tells which.
Offsets that the log turned out not to have are in no batch and not unknown.

Invariants, held by tests/coordinator/share_partition:

- a record is held by one member at most, and is handed out `delivery_count_limit` times at most;
- the start offset only rises, over records that are acknowledged or archived, or that left the log;
- what was written, in order, and read back gives the same state, but that records in flight are available again.

`now_ms` is a clock that never goes back; no other time is known here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from ...protocol.errors import ErrorCode
from ..share_state.batches import StateBatch
from .acquire import Acquisition, LogBatch, Wanted
from .decision import Acknowledgement, Acquired, DeadLetter, Outcome, StateWrite
from .in_flight import NO_WRITE, InFlightBatch, Run
from .settings import SharePartitionSettings
from .states import TERMINAL, AcknowledgeType, RecordState

__all__ = ["LogBatch", "SharePartition", "Wanted"]

_NOT_FOUND = "Batch record not found. The request batch offsets are not found in the cache."
_FIRST_PAST = "Batch record not found. The first offset in request is past acquired records."
_LAST_PAST = "Batch record not found. The last offset in request is past acquired records."
_BATCH_NOT_ACQUIRED = "The batch cannot be acknowledged. The batch is not in the acquired state."
_OFFSET_NOT_ACQUIRED = "The offset cannot be acknowledged. The offset is not acquired."
_BATCH_OF_OTHER = "Member is not the owner of batch record"
_OFFSET_OF_OTHER = "Member is not the owner of offset"


class _RefusedError(Exception):
    """An acknowledgement that cannot be taken."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class _Range(NamedTuple):
    """Offsets of an acknowledgement that say the same."""

    first: int
    last: int
    kind: AcknowledgeType


class SharePartition:
    """The machine. Ask it in the order in which things happen."""

    def __init__(
        self,
        settings: SharePartitionSettings,
        start_offset: int,
        stored: Iterable[StateBatch] = (),
        *,
        log_end_offset: int | None = None,
    ) -> None:
        """`stored` is what the persister has, sorted. What lies beyond `log_end_offset` was lost, and forgotten here."""
        self.settings = settings
        self.start_offset = start_offset
        self.batches: list[InFlightBatch] = []
        #: Ranges of offsets of which only the log can tell whether there is a record; sorted.
        self.unknown: list[tuple[int, int]] = []
        #: Of records from the start offset on: how many are acknowledged or archived (KIP-1226).
        self.delivery_complete_count = 0
        self._may_have_available = False
        self._writes = NO_WRITE
        #: Records that were to be dead letters when the last leader went; the shell takes them up.
        self.left_over: list[DeadLetter] = []
        self.next_offset = start_offset
        self._load(stored, log_end_offset)

    def _load(self, stored: Iterable[StateBatch], log_end_offset: int | None) -> None:
        if log_end_offset is not None:
            self.start_offset = self.next_offset = min(self.start_offset, log_end_offset)
        limit = self.settings.delivery_count_limit
        for first, last, number, count in stored:
            first = max(first, self.next_offset)
            last = last if log_end_offset is None else min(last, log_end_offset - 1)
            if last < first:
                continue
            if first > self.next_offset:
                self.unknown.append((self.next_offset, first - 1))
            state = RecordState(number)
            if state in (RecordState.AVAILABLE, RecordState.ACQUIRED):
                state = RecordState.AVAILABLE if count < limit else RecordState.ARCHIVED
            elif state is RecordState.ARCHIVING:
                self.left_over.append(DeadLetter(first, last, count, rejected=count < limit))
            run = Run(first, last, state, count)
            self.delivery_complete_count += len(run) if state in TERMINAL else 0
            self.batches.append(InFlightBatch([run]))
            self.next_offset = last + 1
        self._may_have_available = bool(self.batches)
        self._advance_start()

    # ── what it tells ───────────────────────────────────────────────────────────────────────────────────────────

    @property
    def in_flight(self) -> int:
        """How many offsets are between the start offset and the next one."""
        return self.next_offset - self.start_offset if self.batches else 0

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing here that the start offset does not say."""
        return not self.batches

    def next_fetch_offset(self) -> int:
        """Where to read the log for records to hand out."""
        first_unknown = self.unknown[0][0] if self.unknown else None
        if self._may_have_available:
            for batch in self.batches:
                if first_unknown is not None and first_unknown < batch.first:
                    return first_unknown
                for run in batch.runs:
                    if run.is_available:
                        return run.first
            self._may_have_available = False
        return self.next_offset if first_unknown is None else first_unknown

    def can_acquire(self) -> bool:
        """Whether there is something to hand out again, or room for new records."""
        return self.next_fetch_offset() < self.next_offset or self.in_flight < self.settings.max_record_locks

    def next_deadline_ms(self) -> int | None:
        """When the first lock ends."""
        return min(
            (
                run.lock_until_ms
                for batch in self.batches
                for run in batch.runs
                if run.state is RecordState.ACQUIRED
            ),
            default=None,
        )  # fmt: skip

    def snapshot(self) -> list[StateBatch]:
        """List what is known of the records in flight; for tests, and for who looks in."""
        return [
            StateBatch(run.first, run.last, run.state, run.delivery_count)
            for batch in self.batches
            for run in batch.runs
        ]

    # ── handing out ─────────────────────────────────────────────────────────────────────────────────────────────

    def acquire(
        self,
        wanted: Wanted,
        fetch_offset: int,
        log: Sequence[LogBatch],
        now_ms: int,
        aborted: Sequence[LogBatch] = (),
    ) -> list[Acquired]:
        """Hand records out of what was read at `fetch_offset`; `aborted` are batches nobody shall see."""
        if wanted.max_records <= 0 or not log:
            return []
        taken = Acquisition(self, wanted, log, now_ms).run(fetch_offset)
        if aborted:
            taken = self._archive_aborted(taken, aborted)
            self._advance_start()
        return taken

    def _archive_aborted(self, taken: list[Acquired], aborted: Sequence[LogBatch]) -> list[Acquired]:
        for gone in aborted:
            kept: list[Acquired] = []
            for piece in taken:
                first, last = max(piece.first_offset, gone.base_offset), min(piece.last_offset, gone.last_offset)
                if first > last:
                    kept.append(piece)
                    continue
                for batch in self.overlapping(first, last):
                    for run in batch.between(first, last):
                        if run.state is RecordState.ACQUIRED:
                            self.settle(run, RecordState.ARCHIVED)
                    batch.single = batch.single and len(batch.runs) == 1
                    batch.join()
                if piece.first_offset < first:
                    kept.append(piece._replace(last_offset=first - 1))
                if last < piece.last_offset:
                    kept.append(piece._replace(first_offset=last + 1))
            taken = kept
        return taken

    def archive_absent(self, first: int, last: int) -> None:
        """The log has no record from `first` to `last`: nobody will get what was available there."""
        if first > last:
            return
        self.unknown = _without(self.unknown, first, last)
        for batch in self.overlapping(first, last):
            for run in batch.between(first, last):
                if run.is_available:
                    self.settle(run, RecordState.ARCHIVED)
            batch.single = batch.single and len(batch.runs) == 1
            batch.join()

    def log_starts_at(self, offset: int) -> bool:
        """The log was cut off below `offset`: what is there is done with. Says whether that changes anything."""
        if offset <= self.start_offset:
            return False
        self.start_offset = offset
        self.next_offset = max(self.next_offset, offset)
        self.unknown = _without(self.unknown, 0, offset - 1)
        while self.batches and self.batches[0].first < offset:
            batch = self.batches[0]
            if batch.last < offset:
                self._forget(batch.runs)
                del self.batches[0]
            else:
                self._forget(batch.drop_before(offset))
        self._advance_start()
        return True

    # ── acknowledgements ────────────────────────────────────────────────────────────────────────────────────────

    def acknowledge(self, member: str, batches: Sequence[Acknowledgement], now_ms: int) -> Outcome:
        """Take a member's word for records it holds: all of it, or none."""
        write = self._new_write()
        try:
            for batch in batches:
                self._acknowledge(member, batch, write, now_ms)
        except _RefusedError as refused:
            self._roll_back(write)
            return Outcome(error=refused.code, message=refused.message)
        return Outcome(write=self._finished(write))

    def _acknowledge(self, member: str, said: Acknowledgement, write: StateWrite, now_ms: int) -> None:
        if said.last_offset < self.start_offset:
            return
        whole = len(said.types) == 1
        for batch in self._find(said):
            part = batch.first < said.first_offset or batch.last > said.last_offset
            if batch.single:
                _check_batch(batch.runs[0], member)
                batch.single = not part and whole
            if batch.single:
                self._apply(batch.runs[0], AcknowledgeType(said.types[0]), write, now_ms)
                continue
            for first, last, kind in _ranges(said, batch.first, batch.last):
                for run in batch.between(first, last):
                    _check_run(run, member)
                    self._apply(run, kind, write, now_ms)

    def _find(self, said: Acknowledgement) -> list[InFlightBatch]:
        """Return the batches an acknowledgement is about."""
        first = max(said.first_offset, self.start_offset)
        if not self.batches or self.batches[0].first > first:
            raise _RefusedError(ErrorCode.INVALID_RECORD_STATE, _NOT_FOUND)
        found = self.overlapping(first, said.last_offset)
        if not found:
            raise _RefusedError(ErrorCode.INVALID_REQUEST, _FIRST_PAST)
        if said.last_offset > found[-1].last:
            raise _RefusedError(ErrorCode.INVALID_REQUEST, _LAST_PAST)
        return found

    def _apply(self, run: Run, kind: AcknowledgeType, write: StateWrite, now_ms: int) -> None:
        if kind is AcknowledgeType.RENEW:
            run.lock_until_ms = now_ms + self.settings.record_lock_duration_ms
        elif kind is AcknowledgeType.ACCEPT:
            self._begin(run, RecordState.ACKNOWLEDGED, write)
        elif kind is AcknowledgeType.RELEASE:
            self._begin(run, self._released(run), write)
        else:
            rejected = kind is AcknowledgeType.REJECT and self.settings.dead_letters
            self._begin(run, RecordState.ARCHIVING if rejected else RecordState.ARCHIVED, write, rejected=rejected)

    def release(self, member: str) -> Outcome:
        """Take back everything a member holds: its session is over."""
        return self._take_back(lambda run: run.member == member, firm=False)

    def on_timer(self, now_ms: int) -> Outcome:
        """Take back what was held for too long."""
        return self._take_back(lambda run: run.lock_until_ms <= now_ms, firm=True)

    def _take_back(self, concerns: Callable[[Run], bool], *, firm: bool) -> Outcome:
        write = self._new_write(firm=firm)
        for batch in self.batches:
            for run in batch.runs:
                if run.state is RecordState.ACQUIRED and concerns(run):
                    self._begin(run, self._released(run), write)
        finished = self._finished(write)
        return Outcome(write=finished, wake=finished is not None and firm)

    def _released(self, run: Run) -> RecordState:
        """What becomes of a record that is given back."""
        if run.delivery_count < self.settings.delivery_count_limit:
            return RecordState.AVAILABLE
        return RecordState.ARCHIVING if self.settings.dead_letters else RecordState.ARCHIVED

    def on_written(self, write: StateWrite, error: ErrorCode, now_ms: int) -> Outcome:
        """The persister has kept a write, or has not."""
        if error and not write.firm:
            self._roll_back(write)
            return self.on_timer(now_ms)  # for some of them time may have run out meanwhile
        outcome = Outcome()
        for batch in self._touched(write):
            for run in batch.runs:
                if run.write == write.id:
                    run.write, run.previous = NO_WRITE, None
                    self._may_have_available |= run.state is RecordState.AVAILABLE
            batch.join()
        outcome.dead_letters = write.dead_letters
        outcome.wake = self._advance_start() or self._may_have_available
        return outcome

    def on_dead_lettered(self, letter: DeadLetter) -> Outcome:
        """Records are in the dead-letter topic, or will never be: they are archived either way."""
        write = self._new_write(firm=True)
        for batch in self.overlapping(letter.first_offset, letter.last_offset):
            for run in batch.between(letter.first_offset, letter.last_offset):
                if run.state is RecordState.ARCHIVING:
                    self._begin(run, RecordState.ARCHIVED, write)
        return Outcome(write=self._finished(write))

    def initial_write(self) -> StateWrite:
        """Have the start offset kept before anything is handed out."""
        return self._new_write(firm=True)

    # ── changes ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _new_write(self, *, firm: bool = False) -> StateWrite:
        self._writes += 1
        return StateWrite(self._writes, self.start_offset, self.delivery_complete_count, [], firm)

    def _finished(self, write: StateWrite) -> StateWrite | None:
        """Add what is counted last; None if there is nothing to keep."""
        if not write.batches:
            return None
        for batch in self._touched(write):
            batch.join()
        write.batches = _joined(write.batches)
        write.delivery_complete_count = self.delivery_complete_count
        return write

    def _begin(self, run: Run, state: RecordState, write: StateWrite, *, rejected: bool = False) -> None:
        """Change a run and have it written; unless the write is firm, the change counts when that is done."""
        previous = (run.state, run.member)
        self.settle(run, state)
        if not write.firm:
            run.write, run.previous = write.id, previous
        elif state is RecordState.AVAILABLE:
            self._may_have_available = True
        write.batches.append(StateBatch(run.first, run.last, state, run.delivery_count))
        if state is RecordState.ARCHIVING:
            write.dead_letters.append(DeadLetter(run.first, run.last, run.delivery_count, rejected))

    def settle(self, run: Run, state: RecordState) -> None:
        """Change the state of a run that nobody holds any more."""
        self.delivery_complete_count += ((state in TERMINAL) - (run.state in TERMINAL)) * len(run)
        run.state = state
        run.member = ""

    def _roll_back(self, write: StateWrite) -> None:
        """Nothing of a write came true: who held a record holds it again."""
        for batch in self._touched(write):
            for run in batch.runs:
                if run.write == write.id and run.previous is not None:
                    state, member = run.previous
                    run.write, run.previous = NO_WRITE, None
                    self.settle(run, state)
                    run.member = member
            batch.join()

    def _touched(self, write: StateWrite) -> list[InFlightBatch]:
        """Return the batches of a write, each once."""
        found: list[InFlightBatch] = []
        for first, last, _, _ in write.batches:
            for batch in self.overlapping(first, last):
                if not found or found[-1] is not batch:
                    found.append(batch)
        return found

    def overlapping(self, first: int, last: int) -> list[InFlightBatch]:
        """Return the batches that have one of the offsets."""
        position = end = bisect_left(self.batches, first, key=lambda batch: batch.last)
        while end < len(self.batches) and self.batches[end].first <= last:
            end += 1
        return self.batches[position:end]

    def insert(self, batch: InFlightBatch) -> None:
        """Add a batch of offsets that were in none."""
        self.batches.insert(bisect_left(self.batches, batch.first, key=lambda other: other.last), batch)

    def forget_unknown(self, first: int, last: int) -> None:
        """What becomes of these offsets is known now."""
        self.unknown = _without(self.unknown, first, last)

    def now_available(self) -> None:
        """Some record in flight may be handed out."""
        self._may_have_available = True

    def _forget(self, runs: Iterable[Run]) -> None:
        for run in runs:
            self.delivery_complete_count -= len(run) if run.state in TERMINAL else 0

    def _advance_start(self) -> bool:
        """Move the start offset over what is done with; says whether it moved."""
        before = self.start_offset
        stop = self.unknown[0][0] if self.unknown else None
        gone = 0
        for batch in self.batches:
            if stop is not None and stop < batch.first:
                break
            done = 0
            for run in batch.runs:
                if run.state not in TERMINAL or run.write != NO_WRITE:
                    break
                done += 1
            if done < len(batch.runs):
                if done:
                    self._forget(batch.drop_before(batch.runs[done].first))
                break
            self._forget(batch.runs)
            gone += 1
        del self.batches[:gone]
        if not self.batches:
            self.start_offset = self.next_offset
        elif stop is None:
            self.start_offset = max(self.start_offset, self.batches[0].first)
        else:
            self.start_offset = max(self.start_offset, min(stop, self.batches[0].first))
        return self.start_offset > before


def _check_batch(run: Run, member: str) -> None:
    if not run.member:
        raise _RefusedError(ErrorCode.INVALID_RECORD_STATE, _BATCH_NOT_ACQUIRED)
    if run.member != member:
        raise _RefusedError(ErrorCode.INVALID_RECORD_STATE, _BATCH_OF_OTHER)


def _check_run(run: Run, member: str) -> None:
    if run.state is not RecordState.ACQUIRED:
        raise _RefusedError(ErrorCode.INVALID_RECORD_STATE, _OFFSET_NOT_ACQUIRED)
    if run.member != member:
        raise _RefusedError(ErrorCode.INVALID_RECORD_STATE, _OFFSET_OF_OTHER)


def _ranges(said: Acknowledgement, first: int, last: int) -> list[_Range]:
    """Cut an acknowledgement to the offsets of one batch, and to ranges that say the same."""
    first, last = max(first, said.first_offset), min(last, said.last_offset)
    if len(said.types) == 1:
        return [_Range(first, last, AcknowledgeType(said.types[0]))]
    ranges = []
    offset = first
    for kind, same in groupby(said.types[first - said.first_offset : last - said.first_offset + 1]):
        count = sum(1 for _ in same)
        ranges.append(_Range(offset, offset + count - 1, AcknowledgeType(kind)))
        offset += count
    return ranges


def _joined(batches: list[StateBatch]) -> list[StateBatch]:
    joined: list[StateBatch] = []
    for batch in batches:
        last = joined[-1] if joined else None
        if last is not None and last.last_offset + 1 == batch.first_offset and last[2:] == batch[2:]:
            joined[-1] = last._replace(last_offset=batch.last_offset)
        else:
            joined.append(batch)
    return joined


def _without(ranges: list[tuple[int, int]], first: int, last: int) -> list[tuple[int, int]]:
    """Take the offsets from `first` to `last` out of sorted ranges."""
    left: list[tuple[int, int]] = []
    for low, high in ranges:
        if high < first or low > last:
            left.append((low, high))
            continue
        if low < first:
            left.append((low, first - 1))
        if high > last:
            left.append((last + 1, high))
    return left
