"""Large receive buffers that were used and wait to be used again.

A fresh buffer of a megabyte costs more than filling it: it is zeroed, and the kernel faults its pages in one by one. The
frames of one producer are of one size, so a few buffers kept per listener serve nearly all of them. What is kept is
bounded, and is memory that was needed once: a frame that only claims a size may have it at no further cost.
"""

from __future__ import annotations

#: Kept per listener: as many connections in the middle of a large frame at once as one loop sees often.
BUFFERS_MAX = 4
#: Frames of `message.max.bytes` (1 MiB) and those of producers that were given twice as much; larger ones are rare.
BUFFER_BYTES_MAX = 2 * 1024 * 1024 + 64 * 1024
#: Below this a fresh buffer is as good.
BUFFER_BYTES_MIN = 64 * 1024


class SpareBuffers:
    """The buffers at hand, the most recently used last: its pages are the warmest."""

    __slots__ = ("_buffers",)

    def __init__(self) -> None:
        self._buffers: list[bytearray] = []

    def take(self, size: int) -> bytearray | None:
        """Return a buffer of at least `size` bytes with anything in it, or None if there is none."""
        if size >= BUFFER_BYTES_MIN:
            for place in range(len(self._buffers) - 1, -1, -1):
                if len(self._buffers[place]) >= size:
                    return self._buffers.pop(place)
        return None

    def give(self, buffer: bytearray) -> None:
        """Keep a buffer that nobody reads any more, in place of the one that was not used for the longest."""
        if BUFFER_BYTES_MIN <= len(buffer) <= BUFFER_BYTES_MAX:
            self._buffers.append(buffer)
            if len(self._buffers) > BUFFERS_MAX:
                del self._buffers[0]
