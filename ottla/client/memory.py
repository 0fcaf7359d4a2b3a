"""Large buffers that are used again as soon as nobody refers to them.

A fresh megabyte costs more than filling it: it is zeroed, and the kernel faults its pages in one by one. A consumer needs
one for every Fetch answer, and two or three more where it makes columns of it.

    take(size) ──► a buffer of the pool that only the pool refers to, most recently taken first: its pages are warm
                   └─ none ──► a fresh one, which joins the pool; the one that was taken longest ago leaves it

Nothing is ever given back. Who uses a buffer holds a reference to it, if only through a memoryview or an Arrow column; when
the last of them is gone, the count of references says so. What leaves the pool lives for as long as it is used.
The bytes of a buffer are whatever was there before: who takes one writes all that is read.
"""

from __future__ import annotations

import sys
import threading

#: Below this a fresh buffer is as good.
POOLED_BYTES_MIN = 32 << 10
#: What the pool of one consumer holds at most.
POOL_BYTES_MAX = 32 << 20
#: Nobody takes a buffer that is so many times larger than what is wanted.
_WASTE_MAX = 4
#: References to a buffer that nobody uses: the pool's list, the loop variable, the argument of getrefcount.
_UNUSED = 3


class Pool:
    """The buffers of one consumer. May be used by several threads."""

    __slots__ = ("_buffers", "_bytes", "_bytes_max", "_lock")

    def __init__(self, bytes_max: int = POOL_BYTES_MAX) -> None:
        self._buffers: list[bytearray] = []
        self._bytes = 0
        self._bytes_max = bytes_max
        self._lock = threading.Lock()

    @property
    def held_bytes(self) -> int:
        """How much memory it refers to."""
        return self._bytes

    def take(self, size: int) -> bytearray:
        """A buffer of at least `size` bytes, with anything in it."""
        if size < POOLED_BYTES_MIN:
            return bytearray(size)
        buffers = self._buffers
        with self._lock:
            for place in range(len(buffers) - 1, -1, -1):
                buffer = buffers[place]
                if size <= len(buffer) <= _WASTE_MAX * size and sys.getrefcount(buffer) == _UNUSED:
                    del buffers[place]
                    buffers.append(buffer)
                    return buffer
            # Frames of one topic differ a little in size: room for the next one too.
            buffer = bytearray(size + (size >> 3))
            if len(buffer) <= self._bytes_max // 2:
                buffers.append(buffer)
                self._bytes += len(buffer)
                while self._bytes > self._bytes_max:
                    self._bytes -= len(buffers.pop(0))
            return buffer
