"""Fills a `Shard` from the record batches of its partition, in log order.

A batch is plain records, records of a transaction (offsets committed by TxnOffsetCommit, which count when its
marker comes), or that marker. Of plain records only the last of each key matters, and a consumer writes the same
few keys all day; so they are gathered by key and replayed in the order of their last occurrence, before anything
of a transaction and at the end. That is what compaction would have left of the log, without decoding the rest. Where a
topic is not compacted because each record counts (share state), all of them are replayed.

Keys of record types that no Kafka up to 4.2 knows are left alone; bytes that contradict their own type stop the
load with `UnreadableRecordError`, for a coordinator that guesses at its state would hand partitions to two members
at once.
"""

from __future__ import annotations

from struct import Struct as Layout

from ..protocol.codec import Buffer
from ..records.batch import iter_headers, read_records
from .decision import StoredRecord
from .shard import Shard, UnreadableRecordError

__all__ = ["Loader"]

#: Key of a control record: version, type.
_CONTROL_KEY = Layout(">hh")
_ABORT, _COMMIT = 0, 1


class Loader:
    """Reads a partition into a shard, piece by piece: `feed` … `feed`, `finish`."""

    __slots__ = ("_compacted", "_latest", "_shard", "next_offset")

    def __init__(self, shard: Shard, start_offset: int, *, compacted: bool = True) -> None:
        self._shard = shard
        #: Only the last record of each key counts.
        self._compacted = compacted
        #: Plain records not replayed yet: key -> (offset, value), in the order of their offsets.
        self._latest: dict[bytes, tuple[int, bytes | None]] = {}
        #: Where to read on from.
        self.next_offset = start_offset

    def feed(self, data: Buffer, now_ms: int) -> None:
        """Take the whole batches in `data`; the first may begin before `next_offset`."""
        start_offset = self.next_offset
        latest = self._latest
        for position, header in iter_headers(data):
            plain = not (header.is_transactional or header.is_control)
            if not plain:
                self._replay_latest(now_ms)
            for offset, _, key, value, _ in read_records(data, position):
                if offset < start_offset:
                    continue
                if header.is_control:
                    self._replay_control(key, header.producer_id)
                elif key is None:
                    raise UnreadableRecordError(f"the record at offset {offset} has no key")
                elif plain and self._compacted:
                    latest.pop(key, None)
                    latest[key] = (offset, value)
                else:
                    self._shard.replay(StoredRecord(key, value), offset, now_ms, header.producer_id)
            self.next_offset = header.next_offset

    def finish(self, now_ms: int) -> None:
        """Replay what is still gathered; the log has no more."""
        self._replay_latest(now_ms)

    def _replay_latest(self, now_ms: int) -> None:
        for key, (offset, value) in self._latest.items():
            self._shard.replay(StoredRecord(key, value), offset, now_ms)
        self._latest.clear()

    def _replay_control(self, key: bytes | None, producer_id: int) -> None:
        if key is None or len(key) < _CONTROL_KEY.size:
            raise UnreadableRecordError("a control record without a type")
        _, control_type = _CONTROL_KEY.unpack_from(key)
        if control_type in (_ABORT, _COMMIT):
            self._shard.replay_end_marker(producer_id, control_type == _COMMIT)
