"""The bytes of a segment for a cleaning pass, in pieces that begin with a batch; and what runs through a pass.

A pass runs in a worker thread: it opens the files itself (`Files.for_worker`), because open descriptors are not shared
between threads. A segment that it reads may be deleted meanwhile: FileNotFoundError, and the pass ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ottla.log.files import File, Files
from ottla.records.batch import read_header
from ottla.records.compression import MAX_DECOMPRESSED_BYTES, Compression, decompress
from ottla.records.header import COMPRESSION_MASK, HEADER_SIZE, BatchHeader


class CleaningAborted(Exception):  # noqa: N818  no fault: the log changed, or the broker stops
    """The pass ends here; what it finished so far stays."""


class CleaningFailed(Exception):  # noqa: N818  Kafka's LogCleaningException
    """The log can not be cleaned as it is: damage, or a map too small for one batch."""


class SourceSegment(NamedTuple):
    """A segment as a pass reads it."""

    base_offset: int
    next_offset: int
    path: str
    size: int
    modified_ms: int


class Pace:
    """What a worker is told while it works: `spent` after each piece (it may wait there), `stopped` before."""

    __slots__ = ("spent", "stopped")

    def __init__(
        self, spent: Callable[[int], None] = lambda _size: None, stopped: Callable[[], bool] = lambda: False
    ) -> None:
        self.spent = spent
        self.stopped = stopped


class Pieces:
    """Walks over one segment's bytes."""

    __slots__ = ("_file", "_pace", "_size", "_source", "data", "place", "position")

    def __init__(self, files: Files, source: SourceSegment, size: int, pace: Pace) -> None:
        try:
            self._file: File = files.open(source.path, size=source.size)
        except FileNotFoundError:
            raise CleaningAborted(f"{source.path} was deleted") from None
        self._source = source
        self._size = size
        self._pace = pace
        self.position = 0  # in the file, of `data`
        self.data = b""
        self.place = 0  # in `data`

    def more(self) -> bool:
        """Read on from `place`, where a batch begins; False at the end of the segment."""
        at = self.position + self.place
        if at >= self._source.size:
            return False
        if self._pace.stopped():
            raise CleaningAborted("cleaning stops")
        wanted = self._size
        if self.place == 0 and self.data:  # not one whole batch in a whole piece
            wanted = self._batch_size(self.data, 0)
            if wanted <= len(self.data) or at + wanted > self._source.size:
                raise CleaningFailed(f"{self._source.path}: no whole batch at position {at}")
        try:
            self.data = self._file.pread(wanted, at)
        except FileNotFoundError:
            raise CleaningAborted(f"{self._source.path} was deleted") from None
        self.position, self.place = at, 0
        self._pace.spent(len(self.data))
        return True

    def _batch_size(self, data: bytes, place: int) -> int:
        if len(data) - place < HEADER_SIZE:
            raise CleaningFailed(f"{self._source.path}: no whole batch at position {self.position + place}")
        return read_header(data, place).size

    def batch(self) -> tuple[BatchHeader, bytes]:
        """The batch at `place`, and move behind it."""
        header = read_header(self.data, self.place)
        start, self.place = self.place, self.place + header.size
        return header, self.data[start : self.place]

    def fail(self, place: int) -> CleaningFailed:
        return CleaningFailed(f"{self._source.path}: damaged batch at position {self.position + place}")

    def close(self) -> None:
        self._file.close()


def uncompressed(header: BatchHeader, batch: bytes) -> tuple[bytes, int]:
    """The batch with its records as they are behind the header, and its codec."""
    codec = header.attributes & COMPRESSION_MASK
    if codec == Compression.NONE or header.record_count == 0:
        return batch, Compression.NONE
    payload = decompress(codec, memoryview(batch)[HEADER_SIZE:], MAX_DECOMPRESSED_BYTES)
    head = bytearray(batch[:HEADER_SIZE])
    head[22] &= ~COMPRESSION_MASK & 0xFF
    head[8:12] = (HEADER_SIZE - 12 + len(payload)).to_bytes(4, "big")
    return bytes(head) + bytes(payload), codec
