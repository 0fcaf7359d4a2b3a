"""Reading a log: where the wanted batches lie, their bytes, and what several consumers share.

    read(start, …) ─► somebody read the same just now? ─► those bytes
                      └► place: where a reader stopped, else the index ─► one pread, cut to whole batches

A reader that comes back is at the place where it stopped. Consumers of one partition often want the same bytes: those who
wait at its end all wake at the same append, those who catch up keep close together. The second of them leaves what it read
in `RecentReads`, the others get the same object. A consumer that reads alone leaves nothing there.

Bytes of a log do not change where they lie; when segments come, go or are cut, `forget` is called.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from ottla.log.files import Buffer
from ottla.records.header import LOG_OVERHEAD

if TYPE_CHECKING:
    from ottla.log.log import Log
    from ottla.log.segment import Segment

POSITIONS_MAX = 16  # readers of one partition whose place is remembered; more of them search the index again
SHARED_BYTES = 8 * 1024 * 1024  # some fetches of max.partition.fetch.bytes: how far apart those may be who share
SHARED_READS = 64

#: Whose log, start offset, most bytes, end offset, and whether one batch is wanted in any case.
Key = tuple["Reader", int, int, int, bool]


class RecentReads:
    """What several consumers read lately, of all logs of a broker; the oldest go first."""

    __slots__ = ("_reads", "size")

    def __init__(self) -> None:
        self._reads: OrderedDict[Key, Buffer] = OrderedDict()
        self.size = 0

    def __len__(self) -> int:
        return len(self._reads)

    def get(self, key: Key) -> Buffer | None:
        return self._reads.get(key)

    def keep(self, key: Key, data: Buffer) -> None:
        self.size += len(data)
        self._reads[key] = data
        while self.size > SHARED_BYTES or len(self._reads) > SHARED_READS:
            _, oldest = self._reads.popitem(last=False)
            self.size -= len(oldest)

    def forget(self, reader: Reader) -> None:
        """The log is another than it was."""
        for key in [key for key in self._reads if key[0] is reader]:
            self.size -= len(self._reads.pop(key))


class Reader:
    """The reads of one log."""

    __slots__ = ("_log", "_positions", "_recent")

    def __init__(self, log: Log, recent: RecentReads) -> None:
        self._log = log
        self._recent = recent
        #: Where a reader goes on: offset -> segment and position.
        self._positions: dict[int, tuple[Segment, int]] = {}

    def forget(self) -> None:
        """After segments were dropped or cut."""
        self._positions.clear()
        self._recent.forget(self)

    def read(self, start_offset: int, max_bytes: int, limit_offset: int, at_least_one: bool) -> Buffer:
        """Whole batches from the one that contains `start_offset`, which the log has, all below `limit_offset`."""
        if not self._positions:
            return self._read(start_offset, max_bytes, limit_offset, at_least_one)
        key = (self, start_offset, max_bytes, limit_offset, at_least_one)
        data = self._recent.get(key)
        if data is None:
            others = start_offset not in self._positions or len(self._positions) > 1
            data = self._read(start_offset, max_bytes, limit_offset, at_least_one)
            if others and data:
                self._recent.keep(key, data)
        return data

    def _read(self, start_offset: int, max_bytes: int, limit_offset: int, at_least_one: bool) -> Buffer:
        log = self._log
        known = self._positions.pop(start_offset, None)
        number = -1
        if known is not None:
            segment, position = known
        else:
            number = log.segment_number(start_offset)
            segment = log.segments[number]
            position = segment.locate(start_offset)[0]
        while position >= segment.size:  # the rest of a compacted segment, or a reader that came to its end
            if number < 0:
                number = log.segment_number(segment.base_offset)
            number += 1
            if number >= len(log.segments):
                return b""
            segment, position = log.segments[number], 0
        end_position = segment.size if limit_offset >= segment.next_offset else self._position_of(segment, limit_offset)
        available = end_position - position
        if available <= 0:
            return b""
        if available <= max_bytes:
            data = segment.file.pread(available, position)
            if end_position == segment.size and segment.sealed:
                return data
            self._remember(limit_offset, segment, end_position)
            return data
        return self._read_part(segment, position, available, max_bytes, at_least_one)

    def _read_part(self, segment: Segment, position: int, available: int, max_bytes: int, at_least_one: bool) -> Buffer:
        """As many whole batches as fit in max_bytes, but one at least if asked."""
        wanted = max(max_bytes, LOG_OVERHEAD)
        data: Buffer = segment.file.pread(min(wanted, available), position)
        size = LOG_OVERHEAD + int.from_bytes(data[8:12], "big")
        if size > max_bytes:
            if not at_least_one:
                return b""
            data = segment.file.pread(size, position)
            whole = size
        else:
            whole = segment.whole_batches(data, position)
        rest = len(data) - whole
        if rest > 0:
            following = int.from_bytes(data[whole : whole + 8], "big")  # the next batch's base offset
            data = memoryview(data)[:whole]
        if rest >= 8:
            self._remember(following, segment, position + whole)
        return data

    def _position_of(self, segment: Segment, offset: int) -> int:
        """Where the first batch lies that reaches up to `offset`: the end of what a reader below it may see."""
        sync = self._log.sync_position
        if sync is not None and sync[0] == offset and sync[1] is segment:
            return sync[2]
        return segment.locate(offset)[0]

    def _remember(self, offset: int, segment: Segment, position: int) -> None:
        positions = self._positions
        if len(positions) >= POSITIONS_MAX:
            del positions[next(iter(positions))]
        positions[offset] = (segment, position)
