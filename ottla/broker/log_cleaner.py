"""Compaction at work: chooses the dirtiest log, has it cleaned by a worker thread, writes down how far it got.

    choose (loop) ─► pass (log/cleaner/passes: loop and worker in turn) ─► cleaner-offset-checkpoint ─► choose …
        └ nothing due ─► sleep log.cleaner.backoff.ms

Each of log.cleaner.threads is a task of the loop with one worker thread. The worker runs its loops over records without
the interpreter's lock, and waits where it would exceed log.cleaner.io.max.bytes.per.second. (Its priority is that of the
loop: were it lower, a busy machine would keep it from running just while it holds the lock.) A log that can not be cleaned (damage, a map too small) is left alone until the
next start and counted in `uncleanable`, as in Kafka; the others go on.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ..log.cleaner import plan
from ..log.cleaner.passes import CleanerConfig, PassResult, clean_log
from ..log.cleaner.plan import DirtyLog
from ..log.cleaner.source import CleaningAborted, CleaningFailed, Pace
from ..log.errors import KafkaStorageError
from .chance import RANDOM
from .steps import run_steps

if TYPE_CHECKING:
    from ..log.log import Log
    from .server import Broker

logger = logging.getLogger("ottla.broker.log_cleaner")

#: What this many bytes per second and more means is: no limit.
NO_LIMIT = 1e15


class Throttle:
    """Lets bytes pass at a rate; the thread that has spent them waits here."""

    def __init__(self, stopping: threading.Event) -> None:
        self.bytes_per_s = NO_LIMIT
        self._stopping = stopping
        self._lock = threading.Lock()
        self._free_at = 0.0

    def spent(self, size: int) -> None:
        """Account for bytes read or written, and wait until the rate allows more."""
        rate = self.bytes_per_s
        if rate < NO_LIMIT:
            with self._lock:
                now = time.monotonic()
                self._free_at = max(self._free_at, now) + size / rate
                delay = self._free_at - now
            self._stopping.wait(delay)


class LogCleaner:
    """Compacts the broker's logs."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._stopping = threading.Event()
        self._wake = asyncio.Event()
        self._throttle = Throttle(self._stopping)
        self._executor = ThreadPoolExecutor(thread_name_prefix="ottla-cleaner")
        self._tasks: list[asyncio.Task[None]] = []
        #: Partitions that a pass is at work on, and such as may not be cleaned now (they are being moved).
        self.busy: set[tuple[str, int]] = set()
        self.paused: set[tuple[str, int]] = set()
        self.uncleanable: dict[tuple[str, int], str] = {}
        self.passes = 0
        self.bytes_before = self.bytes_after = 0

    def start(self) -> None:
        if self._broker.config.boolean("log.cleaner.enable"):
            self._resize()

    def _resize(self) -> None:
        """Have a task for each thread that the configuration asks for; those beyond end by themselves."""
        while len(self._tasks) < self._threads():
            task = asyncio.create_task(self._work(len(self._tasks)), name="log cleaner")
            task.add_done_callback(self._on_end)
            self._tasks.append(task)

    def _on_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._broker.metrics.uncaught_exceptions += 1
            logger.critical("the log cleaner ended", exc_info=task.exception())

    async def stop(self) -> None:
        """Give up passes where they are; files are as a crash would leave them, but for what is half done."""
        self._stopping.set()
        self._wake.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._executor.shutdown()

    def _value(self, name: str) -> float:
        value = self._broker.config.levels_in(self._broker.image).value(name)
        assert isinstance(value, (int, float))
        return value

    def _threads(self) -> int:
        return int(self._value("log.cleaner.threads"))

    async def _work(self, number: int) -> None:
        while not self._stopping.is_set():
            self._resize()
            dirty = self._choose() if number < self._threads() else None
            if dirty is not None:
                await self._clean(dirty)
                continue
            backoff_s = self._value("log.cleaner.backoff.ms") / 1000
            timer = asyncio.get_running_loop().call_later(backoff_s, self._wake.set)
            await self._wake.wait()
            timer.cancel()
            if not self._stopping.is_set():
                self._wake.clear()

    def _choose(self) -> DirtyLog | None:
        """The dirtiest log of those nobody is at work on."""
        broker, found = self._broker, []
        now_ms = broker.clock.now_ms()
        for log in broker.logs:
            key = log.topic, log.partition
            if not log.config.compacted or key in self.busy or key in self.paused or key in self.uncleanable:
                continue
            if log.health.failure is None and len(log.segments) > 1:
                try:
                    dirty = plan.look_at(
                        log, broker.logs.cleaner_offset(log), broker.partitions.high_watermark_of(log), now_ms
                    )
                except KafkaStorageError as problem:
                    self._give_up(log, str(problem))
                    continue
                except OSError as problem:
                    log.health.fail(problem)
                    continue
                found.append(dirty)
        return plan.dirtiest(found)

    async def _clean(self, dirty: DirtyLog) -> None:
        """One pass, whatever comes of it."""
        log, broker = dirty.log, self._broker
        key = log.topic, log.partition
        self._throttle.bytes_per_s = self._value("log.cleaner.io.max.bytes.per.second")
        threads = max(1, self._threads())
        config = CleanerConfig(
            int(self._value("log.cleaner.dedupe.buffer.size")) // threads,
            int(self._value("log.cleaner.io.buffer.size")) // threads,
            self._value("log.cleaner.io.buffer.load.factor"),
        )
        pace = Pace(self._throttle.spent, lambda: self._stopping.is_set() or log.gone)
        result = PassResult()
        seed = RANDOM.randbytes(16)
        sip = int.from_bytes(seed[:8], "little"), int.from_bytes(seed[8:], "little")
        started = time.monotonic()
        self.busy.add(key)
        try:
            steps = clean_log(dirty, config, pace, sip, broker.clock.now_ms, broker.logs.prepare_checkpoint, result)
            await run_steps(steps, self._executor)
            if not log.gone:
                write = broker.logs.set_cleaner_offset(log, result.end_offset)
                await asyncio.get_running_loop().run_in_executor(self._executor, write)
        except CleaningAborted as reason:
            logger.info("%s", reason)
        except CleaningFailed as problem:
            self._give_up(log, str(problem))
        except KafkaStorageError as problem:
            logger.error("cleaning %s stopped: %s", log.name, problem)
        except OSError as problem:
            if not log.gone:
                logger.error("cleaning %s stopped: %s", log.name, log.health.fail(problem))
        else:
            self.passes += 1
            self.bytes_before += result.bytes_before
            self.bytes_after += result.bytes_after
            logger.info(
                "cleaned %s up to offset %d: %d of %d records stay, %d of %d bytes, %d ms%s", log.name,
                result.end_offset, result.records_kept, result.records_read, result.bytes_after, result.bytes_before,
                (time.monotonic() - started) * 1000, " (the map of keys was full)" if result.map_full else "",
            )  # fmt: skip
        finally:
            self.busy.discard(key)

    def _give_up(self, log: Log, problem: str) -> None:
        self.uncleanable[log.topic, log.partition] = problem
        logger.error("%s is not cleaned any more until the next start: %s", log.name, problem)
