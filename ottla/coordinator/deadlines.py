"""Deadlines by key, cheap to move: the clockwork behind `Timer`, without a clock.

A group member moves its session deadline with every heartbeat, and almost none ever passes. So moving one
later only writes the new time into a dict; the heap keeps the old entry, and when that comes up it is pushed
again with the time that now holds. Invariant: every key of `_due_ms` has an entry in the heap that is not
later than its deadline.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from .decision import Timer, TimerKey

__all__ = ["Deadlines"]

#: Entries of stopped timers are swept out of the heap when it is this many times larger than the dict.
_SWEEP_FACTOR = 4


class Deadlines:
    """Which timers fire when; the caller brings the time, in milliseconds of whatever clock it uses."""

    __slots__ = ("_due_ms", "_heap", "_scheduled_ms")

    def __init__(self) -> None:
        self._due_ms: dict[TimerKey, int] = {}
        self._scheduled_ms: dict[TimerKey, int] = {}
        self._heap: list[tuple[int, TimerKey]] = []

    def __len__(self) -> int:
        return len(self._due_ms)

    def apply(self, timers: Iterable[Timer], now_ms: int) -> None:
        """Start, move and stop timers as a decision asks."""
        for key, delay_ms, if_absent in timers:
            if delay_ms is None:
                self._due_ms.pop(key, None)
                self._scheduled_ms.pop(key, None)
                continue
            if if_absent and key in self._due_ms:
                continue
            due_ms = now_ms + delay_ms
            self._due_ms[key] = due_ms
            scheduled_ms = self._scheduled_ms.get(key)
            if scheduled_ms is None or due_ms < scheduled_ms:
                self._scheduled_ms[key] = due_ms
                heappush(self._heap, (due_ms, key))
        if len(self._heap) > _SWEEP_FACTOR * (len(self._due_ms) + 16):
            self._heap = [(due_ms, key) for key, due_ms in self._due_ms.items()]
            self._scheduled_ms = dict(self._due_ms)
            heapify(self._heap)

    def next_ms(self) -> int | None:
        """When to look again: not later than the first deadline, at times a little early."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now_ms: int) -> TimerKey | None:
        """Take out one timer whose time has come; call it until it returns None."""
        while self._heap and self._heap[0][0] <= now_ms:
            scheduled_ms, key = heappop(self._heap)
            if self._scheduled_ms.get(key) != scheduled_ms:
                continue
            due_ms = self._due_ms[key]
            if due_ms <= now_ms:
                del self._due_ms[key], self._scheduled_ms[key]
                return key
            self._scheduled_ms[key] = due_ms
            heappush(self._heap, (due_ms, key))
        return None
