"""One segment of a log: a file of batches and its three indexes.

    00000000000000001042.log         batches, the first with base offset ≥ 1042
    00000000000000001042.index       sparse: offset → position          (index.py)
    00000000000000001042.timeindex   sparse: timestamp → offset         (index.py)
    00000000000000001042.txnindex    aborted transactions               (transaction_index.py)

Only `.log` counts; the others are caches that are loaded when first asked for, checked, and made anew from the log when
they are missing or damaged. The last segment of a log is *active*: appends go to it and keep its indexes in memory. A
sealed segment's indexes are on disk and may be dropped from memory at any time (IndexCache holds the budget).

To find an offset: index → a position at or before it → walk batch headers. A walk never looks at records.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Iterator

from ottla.log import transaction_index
from ottla.log.errors import CorruptLogError, CorruptSidecarError
from ottla.log.files import Buffer, Files
from ottla.log.index import RELATIVE_OFFSET_MAX, TIME_ENTRY, TIME_ENTRY_SIZE, OffsetIndex, TimeIndex
from ottla.log.reading import RecentReads
from ottla.log.transaction_index import AbortedTransaction
from ottla.records.batch import read_header
from ottla.records.header import HEADER_SIZE, LOG_OVERHEAD, MAGIC, BatchHeader

LOG_SUFFIX = ".log"
INDEX_SUFFIX = ".index"
TIME_INDEX_SUFFIX = ".timeindex"
TRANSACTION_INDEX_SUFFIX = ".txnindex"
SNAPSHOT_SUFFIX = ".snapshot"
SEGMENT_SUFFIXES = (LOG_SUFFIX, INDEX_SUFFIX, TIME_INDEX_SUFFIX, TRANSACTION_INDEX_SUFFIX)

WALK_BYTES = (
    64 << 10
)  # read ahead of a header walk: more than an index interval, less than hurts when only one is needed
SMALL_BYTES = 16 << 10  # a segment up to this size is read faster than its sidecars are made
SCAN_BYTES = 1 << 20  # read ahead of a walk over whole batches
INDEX_CACHE_BYTES = 64 << 20  # of sealed segments' indexes in memory, over all logs of a broker

_PLACE = struct.Struct(">qi11xi")  # base offset, batch length, last offset delta
_LENGTH = struct.Struct(">i")


def file_name(offset: int, suffix: str) -> str:
    return f"{offset:020d}{suffix}"


class IndexCache:
    """Which sealed segments have their indexes in memory; the longest unused go first. And what readers share (`reading`)."""

    __slots__ = ("_budget", "_segments", "reads", "size")

    def __init__(self, budget: int = INDEX_CACHE_BYTES) -> None:
        self._segments: OrderedDict[Segment, int] = OrderedDict()
        self._budget = budget
        self.size = 0
        self.reads = RecentReads()

    def loaded(self, segment: Segment, size: int) -> None:
        self.size += size - self._segments.pop(segment, 0)
        self._segments[segment] = size
        while self.size > self._budget and len(self._segments) > 1:
            oldest, freed = self._segments.popitem(last=False)
            self.size -= freed
            oldest.unload()

    def forget(self, segment: Segment) -> None:
        self.size -= self._segments.pop(segment, 0)


class Segment:
    """A stretch of a log from `base_offset` to `next_offset`."""

    __slots__ = (
        "_aborted", "_index", "_index_cache", "_time_index", "base_offset", "bytes_since_index", "created_ms", "directory",
        "file", "files", "first_timestamp", "interval", "max_timestamp", "next_offset", "offset_of_max_timestamp", "reserved",
        "sealed", "sidecars_changed", "size", "suffix", "synced_size",
    )  # fmt: skip

    def __init__(
        self, files: Files, directory: str, base_offset: int, size: int, *, created_ms: int, cache: IndexCache,
        interval: int, create: bool = False, suffix: str = "",
    ) -> None:  # fmt: skip
        self.files = files
        self.directory = directory
        self.suffix = suffix  # behind each name, while compaction puts the segment in its place
        self.base_offset = base_offset
        self.file = files.open(self.path(LOG_SUFFIX), size=size, create=create)
        self.size = size
        self.next_offset = base_offset
        self.created_ms = created_ms
        self.interval = interval  # index.interval.bytes, for making lost indexes anew
        self.first_timestamp = -2  # max timestamp of the first batch: -2 not looked up yet, -1 none
        self.max_timestamp = -2
        self.offset_of_max_timestamp = -1
        self.bytes_since_index = 0
        self.synced_size = 0 if create else size
        self.sealed = False
        self.reserved = False  # the medium keeps room behind the end of the file
        self.sidecars_changed = create
        self._index: OffsetIndex | None = OffsetIndex() if create else None
        self._time_index: TimeIndex | None = TimeIndex() if create else None
        self._aborted: list[AbortedTransaction] | None = [] if create else None
        self._index_cache = cache
        if create:
            self.max_timestamp = self.first_timestamp = -1

    def path(self, suffix: str) -> str:
        return f"{self.directory}/{self.base_offset:020d}{suffix}{self.suffix}"

    # -- indexes --------------------------------------------------------------------------------------------------

    @property
    def index(self) -> OffsetIndex:
        index = self._index
        return index if index is not None else self._load_indexes()[0]

    @property
    def time_index(self) -> TimeIndex:
        index = self._time_index
        return index if index is not None else self._load_indexes()[1]

    def _load_indexes(self) -> tuple[OffsetIndex, TimeIndex]:
        try:
            index = OffsetIndex.from_bytes(self.files.read_all(self.path(INDEX_SUFFIX)), self.size)
            time_index = TimeIndex.from_bytes(self.files.read_all(self.path(TIME_INDEX_SUFFIX)))
            self._check_indexes(index, time_index)
        except (CorruptSidecarError, FileNotFoundError, CorruptLogError):  # is it the index or the log? see the log
            index, time_index = self.rebuild_indexes()
            if self.sealed:
                self.files.replace(self.path(INDEX_SUFFIX), index.to_bytes(), durable=False)
                self.files.replace(self.path(TIME_INDEX_SUFFIX), time_index.to_bytes(), durable=False)
            else:
                self.sidecars_changed = True
        self._index, self._time_index = index, time_index
        if self.sealed:
            self._index_cache.loaded(self, 8 * len(index) + 12 * len(time_index) + 512)
        return index, time_index

    def _check_indexes(self, index: OffsetIndex, time_index: TimeIndex) -> None:
        """Hold the end of both indexes against the log.

        An index of another segment, of an older life of this one, or one that lost its end is found out here. The cost
        is a walk over what lies behind the last entry, which is about one index interval.
        """
        last = index.positions[-1] if len(index) else 0
        gap, end = 0, last
        top = time_index.timestamps[-1] if len(time_index) else -1
        covered = self.base_offset + time_index.offsets[-1] if len(time_index) else -1
        seen, last_offset = -1, self.base_offset - 1
        for position, header in self.walk(last):
            if position == last and len(index) and header.last_offset != self.base_offset + index.offsets[-1]:
                raise CorruptSidecarError("the last entry of the offset index does not point at its batch")
            if position > last and gap > self.interval:
                raise CorruptSidecarError("the offset index ends before its segment does")
            gap += header.size
            end = position + header.size
            seen, last_offset = max(seen, header.max_timestamp), header.last_offset
        if end != self.size and self.sealed:
            raise CorruptLogError(self.path(LOG_SUFFIX), f"the segment ends with half a batch at position {end}")
        if not self.sealed:
            return
        if seen > top or (covered != last_offset and self._greatest_timestamp(covered, index) > top):
            raise CorruptSidecarError("the time index ends before its segment does")

    def _greatest_timestamp(self, offset: int, index: OffsetIndex) -> int:
        """Of the batches from the one that holds `offset` on, all where that is -1."""
        start = index.position_for(offset - self.base_offset) if offset > self.base_offset else 0
        return max((header.max_timestamp for _, header in self.walk(start) if header.last_offset >= offset), default=-1)

    def rebuild_indexes(self) -> tuple[OffsetIndex, TimeIndex]:
        """Make both indexes from the batch headers."""
        rebuild = SegmentRebuild(self)
        for position, header in self.walk(0):
            rebuild.add(position, header)
        return rebuild.indexes()

    @property
    def aborted(self) -> list[AbortedTransaction] | None:
        """Aborted transactions whose marker lies here, or None where the file is missing or damaged (rebuild it)."""
        if self._aborted is None:
            try:
                self._aborted = transaction_index.decode(
                    self.files.read_all(self.path(TRANSACTION_INDEX_SUFFIX)), self.base_offset
                )
            except (CorruptSidecarError, FileNotFoundError):
                return None
        return self._aborted

    def set_aborted(self, entries: list[AbortedTransaction]) -> None:
        self._aborted = entries
        if self.sealed:
            self._write_aborted(entries)

    def _write_aborted(self, entries: list[AbortedTransaction]) -> None:
        """Durable where it says anything: an older, shorter content would look whole, and hide an abort."""
        self.files.replace(
            self.path(TRANSACTION_INDEX_SUFFIX),
            transaction_index.encode(entries),
            durable=self.sealed and bool(entries),
        )

    def unload(self) -> None:
        """Give the memory of a sealed segment's indexes back."""
        if self.sealed:
            self._index = self._time_index = self._aborted = None

    def load_timestamps(self) -> None:
        """Find the greatest timestamp and its offset: from the time index, and for the active segment the log's end."""
        if self.max_timestamp != -2 or (self.sealed and self._time_index is None and self._load_last_timestamp()):
            return
        time_index, index = self.time_index, self.index
        self.max_timestamp = time_index.timestamps[-1] if len(time_index) else -1
        self.offset_of_max_timestamp = self.base_offset + time_index.offsets[-1] if len(time_index) else -1
        if not self.sealed:
            for _, header in self.walk(index.positions[-1] if len(index) else 0):
                if header.max_timestamp > self.max_timestamp:
                    self.max_timestamp, self.offset_of_max_timestamp = header.max_timestamp, header.last_offset

    def _load_last_timestamp(self) -> bool:
        """A sealed segment's last time entry, without reading its indexes; not where the last record is not the newest."""
        path = self.path(TIME_INDEX_SUFFIX)
        try:
            size = self.files.size(path)
        except FileNotFoundError:
            return False
        if size < TIME_ENTRY_SIZE or size % TIME_ENTRY_SIZE:
            return False
        file = self.files.open(path, size=size)
        timestamp, relative_offset = TIME_ENTRY.unpack(file.pread(TIME_ENTRY_SIZE, size - TIME_ENTRY_SIZE))
        file.close()
        if self.base_offset + relative_offset + 1 != self.next_offset or timestamp < 0:
            return False
        self.max_timestamp, self.offset_of_max_timestamp = timestamp, self.next_offset - 1
        return True

    def load_first_timestamp(self) -> int:
        if self.first_timestamp == -2:
            header = self.header_at(0)
            self.first_timestamp = header.max_timestamp if header is not None else -1
        return self.first_timestamp

    # -- bytes ----------------------------------------------------------------------------------------------------

    def header_at(self, position: int) -> BatchHeader | None:
        """The batch header at a position, None where the file ends before its batch does."""
        if position + HEADER_SIZE > self.size:
            return None
        header = read_header(self.file.pread(HEADER_SIZE, position))
        return header if position + header.size <= self.size and header.batch_length >= 0 else None

    def walk(self, position: int, end: int | None = None) -> Iterator[tuple[int, BatchHeader]]:
        """Position and header of each batch from a batch start on; stops at `end` (or the file's)."""
        stop = self.size if end is None else end
        start, data = position, b""
        while position + HEADER_SIZE <= stop:
            if position + HEADER_SIZE > start + len(data):
                start = position
                data = self.file.pread(WALK_BYTES, position)
                if len(data) < HEADER_SIZE:
                    return
            header = read_header(data, position - start)
            if header.batch_length < HEADER_SIZE - LOG_OVERHEAD or header.magic != MAGIC:
                raise CorruptLogError(self.path(LOG_SUFFIX), f"no batch at position {position}")
            if position + header.size > stop:
                return
            yield position, header
            position += header.size

    def locate(self, offset: int) -> tuple[int, int, int]:
        """(position, base offset, size) of the first batch whose last offset is at or above `offset`.

        (end of file, next_offset, 0) where there is none.
        """
        position = self.index.position_for(offset - self.base_offset) if offset > self.base_offset else 0
        data = b""
        start = position
        size = self.size
        while position + HEADER_SIZE <= size:
            at = position - start
            if at + HEADER_SIZE > len(data):
                start, at = position, 0
                data = self.file.pread(min(WALK_BYTES, size - position), position)
                if len(data) < HEADER_SIZE:
                    break
            base, length, delta = _PLACE.unpack_from(data, at)
            if length < HEADER_SIZE - LOG_OVERHEAD:
                raise CorruptLogError(self.path(LOG_SUFFIX), f"no batch at position {position}")
            if base + delta >= offset:
                return position, base, length + LOG_OVERHEAD
            position += length + LOG_OVERHEAD
        return size, self.next_offset, 0

    def whole_batches(self, data: Buffer, position: int) -> int:
        """How many bytes of `data`, read from a batch start at `position`, are whole batches."""
        size = len(data)
        at = self.index.boundary_before(position + size) - position
        if at < 0:
            at = 0
        while at + LOG_OVERHEAD <= size:
            following = at + LOG_OVERHEAD + _LENGTH.unpack_from(data, at + 8)[0]
            if following > size or following <= at:
                break
            at = following
        return at

    # -- changing -------------------------------------------------------------------------------------------------

    def append(self, data: Buffer, last_offset: int, max_timestamp: int, offset_of_max: int, interval: int) -> None:
        """Write one batch (or several whose last offset this is) and account for it."""
        size = self.size
        if self.max_timestamp == -2:  # the first append after a clean start: what lies here may be newer
            self.load_timestamps()
        self.file.append(data)
        if max_timestamp > self.max_timestamp:
            self.max_timestamp = max_timestamp
            self.offset_of_max_timestamp = offset_of_max
        if self.bytes_since_index > interval:
            self.index.append(last_offset - self.base_offset, size)
            self.time_index.maybe_append(self.max_timestamp, self.offset_of_max_timestamp - self.base_offset)
            self.bytes_since_index = 0
        if size == 0:
            self.first_timestamp = max_timestamp
        length = len(data)
        self.bytes_since_index += length
        self.size = size + length
        self.next_offset = last_offset + 1
        self.sidecars_changed = True

    def reserve(self, size: int) -> None:
        """Have the medium keep room for this many bytes (`preallocate`); what is not used is given back by the end."""
        self.reserved = True
        self.file.reserve(size)

    def give_room_back(self) -> None:
        if self.reserved:
            self.reserved = False
            self.file.truncate(self.size)

    def fits_offset(self, offset: int) -> bool:
        return offset - self.base_offset <= RELATIVE_OFFSET_MAX

    def write_sidecars(self) -> None:
        """Bring the index files in line with memory. Not synced: they are caches.

        An active segment that one read shows whole gets none as long as they would be empty: for ten thousand idle
        partitions that is most of the time a stop takes, and a start reads the segment's end anyway.
        """
        if self.sidecars_changed:
            if self.is_small() and not self.files.exists(self.path(TRANSACTION_INDEX_SUFFIX)):
                return
            self.files.replace(self.path(INDEX_SUFFIX), self.index.to_bytes(), durable=False)
            self.files.replace(self.path(TIME_INDEX_SUFFIX), self.time_index.to_bytes(), durable=False)
            aborted = self.aborted
            if aborted is not None:
                self._write_aborted(aborted)
            self.sidecars_changed = False

    def is_small(self) -> bool:
        """Whether the sidecars would save nothing."""
        return not self.sealed and self.size <= SMALL_BYTES and not len(self.index) and not self._aborted

    def seal(self) -> None:
        """No more appends: the time index gets its last entry, the files are written."""
        self.load_timestamps()
        self.time_index.maybe_append(self.max_timestamp, self.offset_of_max_timestamp - self.base_offset)
        self.sidecars_changed = True
        self.sealed = True
        self.give_room_back()
        self.write_sidecars()
        self._index_cache.loaded(self, 8 * len(self.index) + 12 * len(self.time_index) + 512)

    def truncate(self, position: int, next_offset: int) -> None:
        """Cut at a batch start; it becomes the active segment's end."""
        index, time_index = self.index, self.time_index
        self._index_cache.forget(self)
        self.sealed = False
        self.file.truncate(position)
        self.size = position
        self.synced_size = min(self.synced_size, position)
        self.next_offset = next_offset
        index.truncate(next_offset - self.base_offset)
        time_index.truncate(next_offset - self.base_offset)
        if self._aborted:
            self._aborted = [entry for entry in self._aborted if entry.last_offset < next_offset]
        self.max_timestamp = self.first_timestamp = -2
        self.sidecars_changed = True
        self.load_timestamps()
        self.bytes_since_index = position - (index.positions[-1] if len(index) else 0)

    def start_rebuild(self) -> SegmentRebuild:
        self._index_cache.forget(self)
        return SegmentRebuild(self)

    def adopt(self, index: OffsetIndex, time_index: TimeIndex, aborted: list[AbortedTransaction]) -> None:
        """Take indexes that were made from the log just now."""
        self._index, self._time_index, self._aborted = index, time_index, aborted
        self.sidecars_changed = True
        if self.sealed:
            self.write_sidecars()
            self._index_cache.loaded(self, 8 * len(index) + 12 * len(time_index) + 512)

    def take_indexes(
        self, index: OffsetIndex, time_index: TimeIndex, aborted: list[AbortedTransaction], top: int, top_offset: int
    ) -> None:
        """Know what compaction wrote into the files of a new sealed segment."""
        self._index, self._time_index, self._aborted = index, time_index, aborted
        self.max_timestamp, self.offset_of_max_timestamp = top, top_offset
        self._index_cache.loaded(self, 8 * len(index) + 12 * len(time_index) + 512)

    def close(self) -> None:
        self._index_cache.forget(self)
        self.file.close()


class SegmentRebuild:
    """Collects the indexes of a segment while recovery reads its batches."""

    __slots__ = ("_index", "_segment", "_since_index", "_time_index", "_top", "_top_offset")

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._index, self._time_index = OffsetIndex(), TimeIndex()
        self._since_index, self._top, self._top_offset = 0, -1, -1

    def add(self, position: int, header: BatchHeader) -> None:
        base = self._segment.base_offset
        if header.max_timestamp > self._top:
            self._top, self._top_offset = header.max_timestamp, header.last_offset
        if self._since_index > self._segment.interval:
            self._index.append(header.last_offset - base, position)
            self._time_index.maybe_append(self._top, self._top_offset - base)
            self._since_index = 0
        self._since_index += header.size

    def indexes(self) -> tuple[OffsetIndex, TimeIndex]:
        if self._segment.sealed:
            self._time_index.maybe_append(self._top, self._top_offset - self._segment.base_offset)
        return self._index, self._time_index

    def finish(self, next_offset: int, aborted: list[AbortedTransaction]) -> None:
        segment = self._segment
        segment.max_timestamp, segment.offset_of_max_timestamp = self._top, self._top_offset
        segment.bytes_since_index = self._since_index
        if not segment.sealed:
            segment.next_offset = next_offset
        segment.adopt(*self.indexes(), aborted)
