"""Records in flight: batches as they were handed out, each cut into runs of records of the same fate.

    batch   ├───────────────────────────── 100..199 ─────────────────────────────┤
    runs    ├ acknowledged, 1 ┤├ available, 1 ┤├───── acquired by A, 1 ──────────┤

A batch begins as one run. Records that fare differently cut it; runs that have become alike are joined again, so that
a batch of ten thousand records costs as much as one of ten while all fare alike. Invariant: the runs of a batch cover it
without gap and in order.

While a change is on its way to the persister its run has the new state already, `write` names the write, and `previous`
keeps what comes back if the write fails. Such a run is not handed out and cannot be acknowledged.
"""

from __future__ import annotations

from bisect import bisect_left

from .states import RecordState

__all__ = ["NO_WRITE", "InFlightBatch", "Run"]

NO_WRITE = 0


class Run:
    """Neighbouring records of the same fate."""

    __slots__ = ("delivery_count", "first", "last", "lock_until_ms", "member", "previous", "state", "write")

    def __init__(
        self, first: int, last: int, state: RecordState, delivery_count: int, member: str = "", lock_until_ms: int = 0
    ) -> None:
        self.first = first
        self.last = last
        self.state = state
        self.delivery_count = delivery_count
        #: Who holds the records, "" for nobody.
        self.member = member
        #: When that ends; means something while the state is, or may be again, ACQUIRED.
        self.lock_until_ms = lock_until_ms
        self.write = NO_WRITE
        self.previous: tuple[RecordState, str] | None = None

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __repr__(self) -> str:
        held = f" by {self.member}" if self.member else ""
        return f"<{self.first}..{self.last} {self.state.name} {self.delivery_count}{held}{' …' if self.write else ''}>"

    @property
    def is_available(self) -> bool:
        return self.state is RecordState.AVAILABLE and self.write == NO_WRITE

    def is_like(self, other: Run) -> bool:
        """Whether a neighbour may become one with this run."""
        return (
            self.state is other.state
            and self.delivery_count == other.delivery_count
            and self.member == other.member
            and self.write == other.write
            and self.previous == other.previous
            and (self.lock_until_ms == other.lock_until_ms or not (self.member or self.previous))
        )

    def split_at(self, offset: int) -> Run:
        """Cut off the part from `offset` on and return it."""
        tail = Run(offset, self.last, self.state, self.delivery_count, self.member, self.lock_until_ms)
        tail.write, tail.previous = self.write, self.previous
        self.last = offset - 1
        return tail


def _last(run: Run) -> int:
    return run.last


class InFlightBatch:
    """Offsets that were handed out together."""

    __slots__ = ("first", "last", "runs", "single")

    def __init__(self, runs: list[Run]) -> None:
        self.first = runs[0].first
        self.last = runs[-1].last
        self.runs = runs
        #: Still treated as one: nobody has spoken of a part of it. Only messages and limits depend on it.
        self.single = len(runs) == 1

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __repr__(self) -> str:
        return f"<{self.first}..{self.last}: {self.runs}>"

    def between(self, first: int, last: int) -> list[Run]:
        """Return the runs from `first` to `last`, cut so that they hold nothing else."""
        runs = self.runs
        position = bisect_left(runs, first, key=_last)
        if position < len(runs) and runs[position].first < first:
            runs.insert(position + 1, runs[position].split_at(first))
            position += 1
        end = position
        while end < len(runs) and runs[end].first <= last:
            if runs[end].last > last:
                runs.insert(end + 1, runs[end].split_at(last + 1))
            end += 1
        return runs[position:end]

    def join(self) -> None:
        """Make one of neighbours that have become alike."""
        runs = self.runs
        if len(runs) == 1:
            return
        joined = [runs[0]]
        for run in runs[1:]:
            if joined[-1].is_like(run):
                joined[-1].last = run.last
            else:
                joined.append(run)
        self.runs = joined

    def drop_before(self, offset: int) -> list[Run]:
        """Forget what lies before `offset`, which is inside; returns the forgotten runs."""
        gone = self.between(self.first, offset - 1)
        del self.runs[: len(gone)]
        self.first = offset
        self.single = False
        return gone
