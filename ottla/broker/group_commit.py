"""One fsync for many answers: acks=all under `ottla.durability=fsync`, and `flush.messages`.

A partition that has appended something it must not lose says `request(partition)`. While one round of fsyncs runs on
a worker thread, further requests gather; the next round takes them all. So the disk is never asked twice at once and
the answers of a whole round leave together, whatever their number. The loop itself never waits for the disk.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ..log.errors import KafkaStorageError

if TYPE_CHECKING:
    from ..log.sync import SyncPoint
    from .partition import Partition

#: fsyncs of different files overlap in the disk's queue; beyond a handful there is nothing to gain.
SYNC_THREADS = 4


class GroupCommit:
    """Gathers the partitions that wait for the disk and syncs them in rounds."""

    __slots__ = ("_dirty", "_executor", "_loop", "_running", "_stopped", "rounds")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._executor = ThreadPoolExecutor(SYNC_THREADS, thread_name_prefix="ottla-fsync")
        self._dirty: set[Partition] = set()
        self._running = False
        #: Set by `stop` to be told that the last round is over.
        self._stopped: asyncio.Future[None] | None = None
        #: How many rounds were run; a metric.
        self.rounds = 0

    def request(self, partition: Partition) -> None:
        """Ask that everything appended to `partition` so far becomes durable; it is told by `on_synced`."""
        self._dirty.add(partition)
        if not self._running:
            self._running = True
            self._loop.call_soon(self._start_round)

    async def stop(self) -> None:
        """Wait for the round under way and end the threads."""
        if self._running:
            self._stopped = self._loop.create_future()
            await self._stopped
        self._executor.shutdown(wait=True)

    def _start_round(self) -> None:
        dirty, self._dirty = self._dirty, set()
        points = []
        for partition in dirty:
            try:
                if not partition.closed:
                    points.append((partition, partition.log.prepare_sync()))
            except KafkaStorageError as problem:  # its log dir failed meanwhile: nobody else's trouble
                partition.on_disk_failure(problem)
        if not points:
            self._go_on()
            return
        self.rounds += 1
        syncs = [self._loop.run_in_executor(self._executor, point.run) for _, point in points]
        done = asyncio.gather(*syncs, return_exceptions=True)
        done.add_done_callback(lambda future: self._finish_round(points, future.result()))

    def _finish_round(self, points: list[tuple[Partition, SyncPoint]], results: list[BaseException | None]) -> None:
        try:
            for (partition, point), problem in zip(points, results, strict=True):
                if partition.closed:
                    continue
                if problem is None:
                    partition.on_synced(point)
                else:
                    partition.on_disk_failure(problem)
        finally:  # Whatever a waiter does, the rounds go on: without them nothing is ever committed again.
            self._go_on()

    def _go_on(self) -> None:
        """Begin the next round, if anybody waits for one."""
        if self._dirty:
            self._loop.call_soon(self._start_round)
            return
        self._running = False
        if self._stopped is not None:
            self._stopped.set_result(None)
