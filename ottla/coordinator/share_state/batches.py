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

__all__ = ["ACKNOWLEDGED", "ARCHIVED", "AVAILABLE", "StateBatch", "lay_over", "prune"]

AVAILABLE, ACKNOWLEDGED, ARCHIVED = 0, 2, 4


class StateBatch(NamedTuple):
    """What is known of the records from `first_offset` to `last_offset`, both included."""

    first_offset: int
    last_offset: int
    delivery_state: int
    delivery_count: int
