"""Records that were produced before a broker could be reached: as in librdkafka they wait, and fail after message.timeout.ms.

produce ──► Late.take ──► a deque ──► put into our producer, in order, once it has started
                            └── older than message.timeout.ms: reported as _MSG_TIMED_OUT
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from .errors import KafkaException

_RETRY_S = 0.5


class Late:
    """A thread that tries to start the producer until it does, or `stop` is called."""

    def __init__(
        self, start: Callable[[], Any], put: Callable[[tuple[Any, ...]], None], give_up: Callable[[tuple[Any, ...]], None],
        timeout_s: float,
    ) -> None:  # fmt: skip
        self._start, self._put, self._give_up, self._timeout_s = start, put, give_up, timeout_s
        self._records: deque[tuple[float, tuple[Any, ...]]] = deque()
        self._lock = threading.Lock()
        self._done = False
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._try, name="ottla-confluent-late", daemon=True)

    def take(self, record: tuple[Any, ...]) -> bool:
        """Keep a record; False when the producer has started and all that was kept is in it."""
        with self._lock:
            if self._done:
                return False
            self._records.append((time.monotonic() + self._timeout_s, record))
            if not self._thread.ident:
                self._thread.start()
        return True

    def drop(self) -> None:
        """Give up what waits here."""
        with self._lock:
            left, self._records = self._records, deque()
        for _, record in left:
            self._give_up(record)

    def stop(self) -> None:
        """Try no more."""
        self._end.set()

    def _try(self) -> None:
        while not self._end.wait(_RETRY_S):
            self._expire()
            try:
                self._start()
            except KafkaException:
                continue  # the callback of errors was told
            self._hand_over()
            return

    def _expire(self) -> None:
        now = time.monotonic()
        while self._records and self._records[0][0] < now:
            self._give_up(self._records.popleft()[1])

    def _hand_over(self) -> None:
        while True:
            with self._lock:
                if not self._records:
                    self._done = True
                    return
                _, record = self._records.popleft()
            self._put(record)
