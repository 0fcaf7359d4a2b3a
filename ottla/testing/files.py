"""Files in memory that know what a crash would leave: what was synced, and no byte more.

The log room's `FaultyFiles` tears and loses by chance, for the tests of recovery. A user's test wants the same end every
time: after `kafka.kill()` exactly those records are gone whose durability nobody was promised.
"""

from __future__ import annotations

from ..log.files import MemoryFiles
from ..log.memory_files import _Inode


class DurableFiles(MemoryFiles):
    """A memory disk with a page cache. Files only grow or are replaced, so a size says what is synced."""

    def __init__(self) -> None:
        super().__init__()
        self._synced: dict[_Inode, int] = {}

    def sync_inode(self, inode: _Inode) -> None:
        """Everything in the file now survives."""
        self._synced[inode] = len(inode.data)

    def sync_everything(self, path: str) -> None:
        """Everything everywhere survives."""
        for inode in self._names.values():
            if inode is not None:
                self.sync_inode(inode)

    def after_crash(self) -> DurableFiles:
        """A disk with what would be left if the power failed now; this one stays as it is."""
        left = DurableFiles()
        for name, inode in tuple(self._names.items()):
            if inode is None:
                left._names[name] = None
                continue
            twin = _Inode()
            twin.data = inode.data[: self._synced.get(inode, 0)]
            twin.modified_ms = inode.modified_ms
            left._names[name] = twin
            left.sync_inode(twin)
        return left
