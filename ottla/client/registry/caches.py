"""A bounded cache: what was not used for longest goes first, and what has a term goes when it is over. Safe among threads."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class Cache(Generic[V]):
    """At most `capacity` entries; each lives `ttl_s`, or until it has to make room."""

    def __init__(self, capacity: int, ttl_s: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = capacity
        self._ttl_s = ttl_s
        self._clock = clock
        self._rows: OrderedDict[Hashable, tuple[V, float]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: Hashable) -> V | None:
        """The value, or None where there is none or its term is over."""
        with self._lock:
            found = self._rows.get(key)
            if found is None:
                return None
            value, until = found
            if self._ttl_s is not None and self._clock() >= until:
                del self._rows[key]
                return None
            self._rows.move_to_end(key)
            return value

    def put(self, key: Hashable, value: V) -> None:
        """Keep a value; the oldest makes room."""
        if self._capacity <= 0:
            return
        with self._lock:
            self._rows[key] = value, self._clock() + (self._ttl_s or 0)
            self._rows.move_to_end(key)
            while len(self._rows) > self._capacity:
                self._rows.popitem(last=False)

    def drop(self, unwanted: Callable[[Hashable], bool] | None = None) -> None:
        """Forget everything, or the keys that are unwanted."""
        with self._lock:
            if unwanted is None:
                self._rows.clear()
            else:
                for key in [key for key in self._rows if unwanted(key)]:
                    del self._rows[key]
