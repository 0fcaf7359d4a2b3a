"""Which batches compaction drops because their transaction was aborted, and which markers end nothing any more.

Batches of a pass come here in order of offset. The aborted transactions that concern the cleaned range are known from
the transaction indexes; one begins where its first offset is passed and ends at its marker:

    batch of an aborted transaction              its records are dropped, and the transaction counts as seen
    marker, and data of its transaction seen     stays: a reader that began before needs it. An abort stays in the index
    marker, and none seen                        its transaction is gone whole: it gets a delete horizon, then goes
"""

from __future__ import annotations

from collections import deque

from ottla.log.producer_replay import ABORT, COMMIT, MARKER_KEY
from ottla.log.transaction_index import AbortedTransaction
from ottla.records.batch import read_records
from ottla.records.header import BatchHeader


class CleanedTransactions:
    """The transactions of one pass over a log."""

    __slots__ = ("_aborted", "_committed", "_ongoing", "kept")

    def __init__(self, aborted: list[AbortedTransaction]) -> None:
        self._aborted = deque(sorted(aborted, key=lambda entry: entry.first_offset))
        self._ongoing: dict[int, list[object]] = {}  # producer id -> [aborted transaction, whether data of it was seen]
        self._committed: set[int] = set()  # producers of which committed data was seen since their last marker
        self.kept: list[AbortedTransaction] = []  # whose marker stays; the caller takes them into an index

    def _pass(self, last_offset: int) -> None:
        while self._aborted and self._aborted[0].first_offset <= last_offset:
            entry = self._aborted.popleft()
            self._ongoing.setdefault(entry.producer_id, [entry, False])

    def data(self, header: BatchHeader) -> bool:
        """A batch of data: whether its records go because they were aborted."""
        self._pass(header.last_offset)
        if not header.is_transactional:
            return False
        ongoing = self._ongoing.get(header.producer_id)
        if ongoing is not None:
            ongoing[1] = True
            return True
        self._committed.add(header.producer_id)
        return False

    def control(self, header: BatchHeader, batch: bytes) -> bool:
        """A control batch: whether it ends nothing any more."""
        self._pass(header.last_offset)
        if header.record_count == 0:
            return True  # emptied by an earlier pass
        key = read_records(batch)[0].key
        kind = MARKER_KEY.unpack_from(key)[1] if key is not None and len(key) >= MARKER_KEY.size else -1
        if kind == ABORT:
            ongoing = self._ongoing.pop(header.producer_id, None)
            if ongoing is None or not ongoing[1]:
                return True
            entry = ongoing[0]
            assert isinstance(entry, AbortedTransaction)
            self.kept.append(entry)
            return False
        if kind == COMMIT:
            if header.producer_id not in self._committed:
                return True
            self._committed.discard(header.producer_id)
        return False

    def take_kept(self) -> list[AbortedTransaction]:
        """The aborted transactions whose markers were kept since the last time."""
        kept, self.kept = self.kept, []
        return kept
