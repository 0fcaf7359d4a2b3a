"""A binary heap that moves equals exactly as `java.util.PriorityQueue` does.

Kafka's assignor polls heaps whose elements often compare equal (every process starts with the same load). Whom it picks
then follows from how the heap was built; an assignor that shall come to the same result has to build it the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

__all__ = ["PriorityQueue"]

T = TypeVar("T")


class PriorityQueue(Generic[T]):
    """A binary heap with the smallest on top."""

    __slots__ = ("_items", "_key")

    def __init__(self, key: Callable[[T], float], items: Iterable[T] = ()) -> None:
        self._key = key
        self._items: list[T] = []
        for item in items:
            self.add(item)

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: T) -> None:
        """Put an item in: it rises until its parent is not larger."""
        items, key = self._items, self._key
        place, weight = len(items), key(item)
        items.append(item)
        while place > 0:
            parent = (place - 1) >> 1
            if weight >= key(items[parent]):
                break
            items[place] = items[parent]
            place = parent
        items[place] = item

    def poll(self) -> T | None:
        """Take the top out; the last item sinks from there, to the smaller child and of equal ones to the left."""
        items, key = self._items, self._key
        if not items:
            return None
        top, last = items[0], items.pop()
        size = len(items)
        if not size:
            return top
        place, weight = 0, key(last)
        while place < size >> 1:
            child = 2 * place + 1
            if child + 1 < size and key(items[child]) > key(items[child + 1]):
                child += 1
            if weight <= key(items[child]):
                break
            items[place] = items[child]
            place = child
        items[place] = last
        return top
