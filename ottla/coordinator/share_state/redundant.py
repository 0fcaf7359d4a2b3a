"""How much of a partition of `__share_group_state` is not needed any more.

A share partition is rebuilt from its last snapshot and the updates after it, so everything before the oldest last
snapshot can be deleted:

    offset          0     1     2     3     4     5     6
                  snap a snap b upd a snap a upd b snap b upd a       last snapshots: a at 3, b at 5 ─► 0 to 2 can go

The oldest is found without looking at all share partitions: a dict keeps the order of insertion, and a snapshot moves
its key to the end, so the first entry is the oldest.
"""

from __future__ import annotations

from .records import SharePartitionKey

__all__ = ["Redundant"]


class Redundant:
    """The offset of the last snapshot of each share partition."""

    __slots__ = ("_after_all", "_last_snapshots")

    def __init__(self) -> None:
        self._last_snapshots: dict[SharePartitionKey, int] = {}
        #: Where the log may begin when no share partition is left: behind the last tombstone.
        self._after_all = 0

    def snapshot(self, key: SharePartitionKey, offset: int) -> None:
        """A snapshot of `key` lies at `offset`."""
        self._last_snapshots.pop(key, None)
        self._last_snapshots[key] = offset

    def deleted(self, key: SharePartitionKey, offset: int) -> None:
        """The state of `key` is deleted by the record at `offset`."""
        self._last_snapshots.pop(key, None)
        self._after_all = offset

    def needed_from(self) -> int:
        """Return the first offset that is still needed."""
        return next(iter(self._last_snapshots.values()), self._after_all)
