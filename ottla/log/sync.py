"""Group commit: one fsync for every append that came before it.

    loop thread                          sync thread                 loop thread
    point = log.prepare_sync()  ──────▶  point.run()  ──────▶  log.complete_sync(point)
      notes the log end N and pins         fdatasync of what was        recovery point := N, if nothing was cut
      the files that have unsynced bytes   pinned, fsync of the folder  meanwhile; acks up to N may leave

A point holds its own descriptors, so rolling, deleting or evicting a file meanwhile does not matter; appends that come
after `prepare_sync` belong to the next point. A failed sync marks the log directory dead: what the kernel could not
write it may have forgotten, and a second fsync would succeed without having written it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ottla.log.errors import StorageHealth

if TYPE_CHECKING:
    from ottla.log.segment import Segment


class SyncPoint:
    """What has to reach the medium before offsets below `offset` are durable."""

    __slots__ = ("_health", "_syncs", "done", "offset", "position", "sizes", "truncations")

    def __init__(
        self, offset: int, truncations: int, syncs: list[Callable[[], None]], sizes: list[tuple[Segment, int]],
        health: StorageHealth, position: tuple[Segment, int],
    ) -> None:  # fmt: skip
        self.offset = offset
        self.position = position
        self.truncations = truncations
        self.sizes = sizes
        self.done = False
        self._syncs = syncs
        self._health = health

    def run(self) -> None:
        """Sync; blocking, for a worker thread. KafkaStorageError when the medium refuses."""
        self._health.check()
        try:
            for sync in self._syncs:
                sync()
        except OSError as error:
            raise self._health.fail(error) from error
        self.done = True
