"""State batches of a share partition: which offsets have been delivered how often, and what became of them.

A share partition's state is its start offset and, from there on, a sorted list of batches that do not overlap. What
is written later is laid over what is there, offset by offset:

    stored     ├── available, 1 ──────────────┤
    written              ├─ acked, 1 ─┤
    after      ├── av., 1┤├─ acked, 1 ─┤├av.,1┤          neighbours with the same state become one

Where both say something about an offset, the higher delivery count holds, then the higher delivery state (0 available,
2 acknowledged, 4 archived): a record is never delivered less often than somebody has seen already, so that writes that
overtake each other do no harm. Batches before the start offset are cut off.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["ACKNOWLEDGED", "ARCHIVED", "AVAILABLE", "StateBatch", "combine", "lay_over", "prune"]

AVAILABLE, ACKNOWLEDGED, ARCHIVED = 0, 2, 4


class StateBatch(NamedTuple):
    """What is known of the records from `first_offset` to `last_offset`, both included."""

    first_offset: int
    last_offset: int
    delivery_state: int
    delivery_count: int


def combine(batches: Iterable[StateBatch], start_offset: int) -> list[StateBatch]:
    """Make sorted batches without overlap of any batches, cut off before `start_offset` (-1: not cut)."""
    combined: list[StateBatch] = []
    lay_over(combined, batches)
    prune(combined, start_offset)
    return combined


def lay_over(batches: list[StateBatch], written: Iterable[StateBatch]) -> None:
    """Change `batches`, which is sorted and without overlap, by what is written; only what is touched is looked at."""
    for batch in written:
        if batch.first_offset > batch.last_offset:
            continue
        # From the neighbour on the left, which may touch, to the one on the right.
        begin = _first_reaching(batches, batch.first_offset - 1)
        end = begin
        while end < len(batches) and batches[end].first_offset <= batch.last_offset + 1:
            end += 1
        batches[begin:end] = _joined(_pieces(batches[begin:end], batch))


def prune(batches: list[StateBatch], start_offset: int) -> None:
    """Cut off what lies before `start_offset`; -1 leaves everything."""
    if start_offset < 0:
        return
    kept = _first_reaching(batches, start_offset)
    del batches[:kept]
    if batches and batches[0].first_offset < start_offset:
        batches[0] = batches[0]._replace(first_offset=start_offset)


def _first_reaching(batches: list[StateBatch], offset: int) -> int:
    """Return the index of the first batch that ends at `offset` or later."""
    return bisect_left(batches, offset, key=lambda batch: batch.last_offset)


def _pieces(under: list[StateBatch], over: StateBatch) -> list[StateBatch]:
    """Lay one batch over those it touches; neighbours of the same state are still apart."""
    pieces: list[StateBatch] = []
    offset = over.first_offset
    for batch in under:
        if batch.first_offset < over.first_offset:
            pieces.append(batch._replace(last_offset=min(batch.last_offset, over.first_offset - 1)))
        common_first = max(batch.first_offset, over.first_offset)
        common_last = min(batch.last_offset, over.last_offset)
        if common_first <= common_last:
            if offset < common_first:
                pieces.append(over._replace(first_offset=offset, last_offset=common_first - 1))
            winner = max(batch, over, key=lambda one: (one.delivery_count, one.delivery_state))
            pieces.append(winner._replace(first_offset=common_first, last_offset=common_last))
            offset = common_last + 1
        if batch.last_offset > over.last_offset:
            if offset <= over.last_offset:
                pieces.append(over._replace(first_offset=offset))
                offset = over.last_offset + 1
            pieces.append(batch._replace(first_offset=max(batch.first_offset, over.last_offset + 1)))
    if offset <= over.last_offset:
        pieces.append(over._replace(first_offset=offset))
    return pieces


def _joined(pieces: list[StateBatch]) -> list[StateBatch]:
    joined: list[StateBatch] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if last is not None and last.last_offset + 1 == piece.first_offset and last[2:] == piece[2:]:
            joined[-1] = last._replace(last_offset=piece.last_offset)
        else:
            joined.append(piece)
    return joined
