"""Partitions on their way from one log directory to another (AlterReplicaLogDirs, KIP-113)."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from ..log.errors import KafkaStorageError
from ..log.move import Move, MoveAborted
from ..protocol.errors import KafkaError
from .steps import Step, run_steps

if TYPE_CHECKING:
    from collections.abc import Generator

    from ..log.directory import LogDirectory
    from .partition import Partition
    from .server import Broker

logger = logging.getLogger("ottla.broker.log_moves")

#: How often a move looks whether the cleaner has left the log.
CLEANER_WAIT_S = 0.02


class LogMoves:
    """The moves under way, each a task of the loop whose copying runs in a worker thread."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._stopping = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.under_way: dict[tuple[str, int], Move] = {}

    def start(self, partition: Partition, target: LogDirectory) -> None:
        """Move a partition; to another target than before instead, or (to where it is) not at all."""
        key = partition.topic, partition.index
        move = self.under_way.get(key)
        if move is not None:
            if move.target is target:
                return
            move.cancelled = True
        if self._broker.logs.directory_of(*key) is target:
            return
        move = self._broker.logs.start_move(partition.log, target, lambda: self._stopping)
        self.under_way[key] = move
        task = asyncio.create_task(self._run(partition, move), name=f"move {partition.topic}-{partition.index}")
        task.add_done_callback(self._broker.on_task_end)
        task.add_done_callback(self._tasks.discard)
        self._tasks.add(task)

    def resume(self) -> None:
        """Begin the moves anew that the last stop interrupted, as Kafka goes on with them."""
        for log, target in self._broker.logs.take_interrupted_moves():
            try:
                self.start(self._broker.partitions.get(log.topic, log.partition), target)
            except KafkaError as problem:
                logger.warning("%s does not move to %s any more: %s", log.name, target.path, problem)

    async def stop(self) -> None:
        self._stopping = True
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, partition: Partition, move: Move) -> None:
        key = partition.topic, partition.index
        cleaner = self._broker.upkeep.cleaner
        cleaner.paused.add(key)
        try:
            await run_steps(self._steps(partition, move))
            logger.info("%s moved to %s", move.log.name, move.target.path)
        except (MoveAborted, KafkaStorageError) as reason:
            logger.warning("%s", reason)
            await asyncio.to_thread(move.give_up)
        except OSError as problem:
            move.target.health.fail(problem)
            logger.error("%s could not be moved to %s: %s", move.log.name, move.target.path, problem)
        finally:
            if self.under_way.get(key) is move:
                del self.under_way[key]
                cleaner.paused.discard(key)

    def _steps(self, partition: Partition, move: Move) -> Generator[Step, None, None]:
        key = partition.topic, partition.index
        while key in self._broker.upkeep.cleaner.busy:
            yield lambda: time.sleep(CLEANER_WAIT_S)
        yield from move.copy()
        if partition.closed:
            raise MoveAborted(f"{move.log.name} is not served any more")
        partition.log = self._broker.logs.finish_move(move, self._broker.clock.now_ms())
