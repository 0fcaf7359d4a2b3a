"""What a broker does for its logs in the background: retention, checkpoints, compaction.

Nothing of it holds the event loop up: what waits for the disk runs in a worker thread (`steps`), and a pass over many
logs lets others have the loop now and then. As in Kafka the first passes come log.initial.task.delay.ms after the start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from ..log.errors import KafkaStorageError
from .delegation_tokens import CHECK_INTERVAL
from .log_cleaner import LogCleaner
from .log_moves import LogMoves
from .steps import run_steps

if TYPE_CHECKING:
    from .server import Broker

#: A wait that the clock of the loop can still add; an interval of "never" is greater.
WAIT_MAX_S = 365 * 86_400.0

logger = logging.getLogger("ottla.broker.upkeep")


class Upkeep:
    """The background work of one broker."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.cleaner = LogCleaner(broker)
        self.moves = LogMoves(broker)
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._every("log.retention.check.interval.ms", "log retention", self.apply_retention)
        self._every("log.flush.offset.checkpoint.interval.ms", "checkpoint", self.checkpoint)
        self._every("log.flush.scheduler.interval.ms", "log flush", self.flush)
        if self._broker.delegation_tokens.settings is not None:
            self._every(CHECK_INTERVAL, "delegation tokens", self._broker.delegation_tokens.sweep)
        self.cleaner.start()
        self.moves.resume()

    async def stop(self) -> None:
        """Let what is under way end, and begin nothing more."""
        self._stopping.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.moves.stop()
        await self.cleaner.stop()

    def _every(self, key: str, name: str, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        task = asyncio.create_task(self._repeat(key, work), name=name)
        task.add_done_callback(self._broker.on_task_end)
        self._tasks.append(task)

    async def _repeat(self, key: str, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        config = self._broker.config
        delay_ms = config.integer("log.initial.task.delay.ms")
        while True:
            try:
                await asyncio.wait_for(self._stopping.wait(), min(delay_ms / 1000, WAIT_MAX_S))
            except TimeoutError:
                try:
                    await work()
                except KafkaStorageError as problem:  # its log directory is dead by now; the others go on
                    logger.error("%s", problem)
                delay_ms = config.integer(key)
            else:
                return

    async def apply_retention(self) -> int:
        """Delete what the configuration does not keep; how many segments."""
        return await run_steps(self._broker.logs.retention_steps(self._broker.clock.now_ms()))

    async def checkpoint(self) -> None:
        """Write how far each log is synced."""
        await asyncio.to_thread(self._broker.logs.prepare_checkpoint())

    async def flush(self) -> None:
        """Force to disk the logs whose flush.ms is over."""
        now_ms = self._broker.clock.now_ms()
        for log in self._broker.logs.due_for_flush(now_ms):
            if log.gone:  # deleted, or moved, while another was synced
                continue
            try:
                point = log.prepare_sync()
                await asyncio.to_thread(point.run)
                log.complete_sync(point)
            except KafkaStorageError as problem:
                logger.error("flushing %s failed: %s", log.name, problem)
