"""The offset index and the time index of a segment: sparse, sorted, and only caches of what the log says.

    .index      relative offset  uint32 │ position in .log  uint32            8 bytes, big-endian
    .timeindex  timestamp        int64  │ relative offset   uint32           12 bytes, big-endian

An offset entry (o, p): the batch at position p has the last offset base + o. To find an offset, take the greatest entry
not above it and walk batch headers from p. A time entry (t, o): no batch up to offset base + o has a timestamp above t.
Entries are written about every `index.interval.bytes` of log.

In memory an index is two sorted arrays and a `bisect`; the bytes of the file are made when the segment is sealed, flushed
or closed, never during an append. A file that is missing, cut, not sorted or points outside its segment raises
CorruptSidecarError, and the segment makes a new one from the log.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_left, bisect_right

from ottla.log.errors import CorruptSidecarError

OFFSET_ENTRY_SIZE = 8
TIME_ENTRY = struct.Struct(">qI")
TIME_ENTRY_SIZE = TIME_ENTRY.size
RELATIVE_OFFSET_MAX = (1 << 31) - 1  # Kafka keeps relative offsets in a signed int
_SWAP = sys.byteorder == "little"


class OffsetIndex:
    """Relative offsets and positions, both ascending."""

    __slots__ = ("offsets", "positions")

    def __init__(self) -> None:
        self.offsets: array[int] = array("I")
        self.positions: array[int] = array("I")

    @classmethod
    def from_bytes(cls, data: bytes, log_size: int) -> OffsetIndex:
        if len(data) % OFFSET_ENTRY_SIZE:
            raise CorruptSidecarError(f"offset index of {len(data)} bytes is no multiple of {OFFSET_ENTRY_SIZE}")
        mixed: array[int] = array("I")
        mixed.frombytes(data)
        if _SWAP:
            mixed.byteswap()
        index = cls()
        index.offsets, index.positions = mixed[::2], mixed[1::2]
        if not (_ascending(index.offsets) and _ascending(index.positions)):
            raise CorruptSidecarError("offset index is not ascending")
        if index.positions and index.positions[-1] >= log_size:
            raise CorruptSidecarError("offset index points behind the end of its segment")
        if index.offsets and index.offsets[-1] > RELATIVE_OFFSET_MAX:
            raise CorruptSidecarError("offset index holds an offset that is out of range")
        return index

    def to_bytes(self) -> bytes:
        mixed: array[int] = array("I", bytes(len(self.offsets) * OFFSET_ENTRY_SIZE))
        mixed[::2] = self.offsets
        mixed[1::2] = self.positions
        if _SWAP:
            mixed.byteswap()
        return mixed.tobytes()

    def __len__(self) -> int:
        return len(self.offsets)

    def append(self, relative_offset: int, position: int) -> None:
        self.offsets.append(relative_offset)
        self.positions.append(position)

    def position_for(self, relative_offset: int) -> int:
        """From where to walk to find the offset."""
        slot = bisect_right(self.offsets, relative_offset) - 1
        return self.positions[slot] if slot >= 0 else 0

    def boundary_before(self, position: int) -> int:
        """The greatest known batch start that is not behind `position`."""
        slot = bisect_right(self.positions, position) - 1
        return self.positions[slot] if slot >= 0 else 0

    def truncate(self, relative_offset: int) -> None:
        """Forget entries at or above an offset."""
        keep = bisect_left(self.offsets, relative_offset)
        del self.offsets[keep:]
        del self.positions[keep:]


class TimeIndex:
    """Timestamps and the relative offsets up to which they are the greatest, both ascending."""

    __slots__ = ("offsets", "timestamps")

    def __init__(self) -> None:
        self.timestamps: array[int] = array("q")
        self.offsets: array[int] = array("I")

    @classmethod
    def from_bytes(cls, data: bytes) -> TimeIndex:
        if len(data) % TIME_ENTRY_SIZE:
            raise CorruptSidecarError(f"time index of {len(data)} bytes is no multiple of {TIME_ENTRY_SIZE}")
        words: array[int] = array("I")
        words.frombytes(data)
        if _SWAP:
            words.byteswap()
        pairs: array[int] = array("I", bytes(len(data) // TIME_ENTRY_SIZE * 8))
        pairs[_SWAP::2] = words[::3]  # the high half of a native int64 lies second on little-endian machines
        pairs[not _SWAP :: 2] = words[1::3]
        index = cls()
        index.timestamps.frombytes(pairs.tobytes())
        index.offsets = words[2::3]
        if not (_ascending(index.timestamps) and _ascending(index.offsets)):
            raise CorruptSidecarError("time index is not ascending")
        if index.offsets and index.offsets[-1] > RELATIVE_OFFSET_MAX:
            raise CorruptSidecarError("time index holds an offset that is out of range")
        return index

    def to_bytes(self) -> bytes:
        pairs: array[int] = array("I")
        pairs.frombytes(self.timestamps.tobytes())
        words: array[int] = array("I", bytes(len(self.offsets) * TIME_ENTRY_SIZE))
        words[::3] = pairs[_SWAP::2]
        words[1::3] = pairs[not _SWAP :: 2]
        words[2::3] = self.offsets
        if _SWAP:
            words.byteswap()
        return words.tobytes()

    def __len__(self) -> int:
        return len(self.offsets)

    def maybe_append(self, timestamp: int, relative_offset: int) -> None:
        """Add an entry unless the last one says as much already."""
        if timestamp >= 0 and (not self.timestamps or timestamp > self.timestamps[-1]):
            self.timestamps.append(timestamp)
            self.offsets.append(relative_offset)

    def offset_before(self, timestamp: int) -> int:
        """A relative offset up to which every timestamp is below `timestamp`, or 0."""
        slot = bisect_left(self.timestamps, timestamp) - 1
        return self.offsets[slot] if slot >= 0 else 0

    def truncate(self, relative_offset: int) -> None:
        keep = bisect_left(self.offsets, relative_offset)
        del self.timestamps[keep:]
        del self.offsets[keep:]


def _ascending(values: array[int]) -> bool:
    """Strictly ascending; compared in C, entry by entry shifted by one."""
    return len(values) < 2 or (all(map(int.__lt__, values[:-1], values[1:])))
