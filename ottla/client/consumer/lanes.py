"""Where records leave the consumer: one lane per iteration, and what it has in hand.

    Fetcher ──► Lane ──► user's loop body ──► back in the lane: processed
                  └── wants(position): all partitions that no other lane claimed, or just one

"In hand" is what was given and whose loop body has not come back. A rebalance waits for it (drain), then takes the partition
away (fence). `settle` writes into the positions how far everything is processed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import ClientError
from ._columns_cy import Record, RecordStream
from .assignors.types import TopicAndPartition
from .batch import Batch, Slice
from .positions import Position

if TYPE_CHECKING:
    from .fetcher import Fetcher


class Lane:
    """Common to iteration by record and by batch."""

    def __init__(self, fetcher: Fetcher, only: TopicAndPartition | None, check: Callable[[], bool]) -> None:
        self.fetcher = fetcher
        self.only = only
        self.claimed: set[TopicAndPartition] = set()
        #: Whether to go on: raises what failed, False ends the iteration.
        self.check = check

    def wants(self, position: Position) -> bool:
        if self.only is not None:
            return position.key == self.only
        return position.key not in self.claimed

    def holds(self, keys: set[TopicAndPartition]) -> bool:
        """Whether records of these partitions are in hand."""
        raise AssertionError("each kind of lane knows what it holds")

    def drop(self, keys: set[TopicAndPartition]) -> None:
        """Give no more of these partitions."""
        raise AssertionError("each kind of lane knows what it holds")

    def settle(self, *, given: bool = False) -> None:
        """Note what is processed; with `given`, what is in hand counts as processed too."""
        raise AssertionError("each kind of lane knows what it holds")

    @property
    def ended(self) -> bool:
        """A lane of one partition ends when that is taken away."""
        if self.only is None:
            return False
        position = self.fetcher.positions.by_key.get(self.only)
        return position is None or position.revoking


class RecordLane(Lane):
    """`async for record`."""

    def __init__(self, fetcher: Fetcher, only: TopicAndPartition | None, check: Callable[[], bool]) -> None:
        super().__init__(fetcher, only, check)
        self.stream = RecordStream(self._more)
        self._position: Position | None = None
        self._turn = 0
        self._stopped = False

    def stop(self) -> None:
        """Give none of the rows that are loaded, which the stream would do without asking; they do not count as given."""
        self._stopped = True
        self.stream.drop()

    async def _more(self) -> Record:
        while True:
            self.settle()
            self.fetcher.wake()  # a drain may wait for what has just come back
            if not self.check() or self.ended:
                raise StopAsyncIteration
            found = self.fetcher.next_columns(self.wants)
            if found is not None:
                position, columns = found
                if columns.count:
                    self._position, self._turn = position, position.turn
                    position.delivered, position.delivered_epoch = columns.next_offset, columns.leader_epoch
                    return self.stream.load(columns, 0, columns.count)
                continue
            await self.fetcher.idle(None)

    def holds(self, keys: set[TopicAndPartition]) -> bool:
        return self.stream.in_hand and self._position is not None and self._position.key in keys

    def drop(self, keys: set[TopicAndPartition]) -> None:
        if self._position is not None and self._position.key in keys:
            self.stream.drop()

    def settle(self, *, given: bool = False) -> None:
        position = self._position
        where = self.stream.position()
        if position is None or where is None or position.turn != self._turn:
            return
        columns, offset, left = where
        if given and self.stream.in_hand:
            is_whole = left == 0 and not position.revoking and not self._stopped
            offset = columns.next_offset if is_whole else columns.offset_behind(offset)
        if offset > position.processed:
            position.processed = offset
            position.processed_epoch = columns.leader_epoch

    def next_offset(self, position: Position) -> int | None:
        """The offset of the next record that this lane gives, if it is in the midst of this partition."""
        where = self.stream.position()
        if self._position is not position or position.turn != self._turn or where is None:
            return None
        columns, offset, left = where
        if left == 0 and not self._stopped:
            return None
        return columns.offset_behind(offset) if self.stream.in_hand else offset


class BatchLane(Lane):
    """`async for batch`."""

    def __init__(self, fetcher: Fetcher, only: TopicAndPartition | None, check: Callable[[], bool]) -> None:
        super().__init__(fetcher, only, check)
        self._left: tuple[Position, int, Slice] | None = None
        self._error: Exception | None = None
        #: Where the batch in hand is given record by record: the offset behind the one given last.
        self._by_record: dict[TopicAndPartition, int] | None = None
        self._in_hand: list[tuple[Position, int, int, int]] = []  # position, turn, offset behind, leader epoch

    async def collect(
        self, max_records: int, max_wait_s: float, *, patience_s: float | None = None
    ) -> list[Slice] | None:
        """Up to so many records; waits for the first for as long as need be (or `patience_s`), for the rest at most
        `max_wait_s`. None at the end.
        """
        slices: list[Slice] = []
        count = 0
        loop = asyncio.get_running_loop()
        deadline = 0.0
        patience = None if patience_s is None else loop.time() + patience_s
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        while count < max_records:
            try:
                part = self._take(max_records - count)
            except ClientError as problem:
                if not slices:
                    raise
                self._error = problem  # what was collected is given first
                break
            if part is not None:
                slices.append(part)
                count += part.stop - part.row
                deadline = deadline or loop.time() + max_wait_s
                continue
            if slices and loop.time() >= deadline:
                break
            if not self.check() or self.ended:
                return slices or None
            if patience is not None and not slices and loop.time() >= patience:
                return []
            until = deadline if slices else patience
            await self.fetcher.idle(None if until is None else until - loop.time())
        return slices

    def _take(self, room: int) -> Slice | None:
        if self._left is not None:
            position, turn, part = self._left
            self._left = None
            if position.turn != turn or position.revoking:
                return self._take(room)
        else:
            found = self.fetcher.next_columns(self.wants)
            if found is None:
                return None
            position, columns = found
            turn, part = position.turn, Slice(columns, 0, columns.count)
            if not columns.count:
                return self._take(room)
        columns, row, stop = part
        if stop - row > room:
            self._left = (position, turn, Slice(columns, row + room, stop))
            stop = row + room
        behind = columns.next_offset if stop == columns.count else columns.offset(stop)
        position.delivered, position.delivered_epoch = behind, columns.leader_epoch
        self._in_hand.append((position, turn, behind, columns.leader_epoch))
        return Slice(columns, row, stop)

    def done(self) -> None:
        """The body of the loop came back: the batch is processed."""
        self._by_record = None
        self.settle(given=True)
        self._in_hand = []
        self.fetcher.wake()

    def given_until(self, topic: str, partition: int, offset: int) -> None:
        """A reader that gives the batch record by record is at this one: all before it is processed."""
        key = (topic, partition)
        if self._by_record is None:
            self._by_record = {}
        self._by_record[key] = offset + 1
        position = self.fetcher.positions.by_key.get(key)
        if position is not None and offset > position.processed and self.holds({key}):
            position.processed = offset

    def give_by_record(self) -> None:
        """The batch in hand is given record by record (`given_until`); nothing of it counts as given yet."""
        self._by_record = {}

    def put_down(self) -> None:
        """What was given is processed, and no more than that of a batch that is given record by record; nothing is in hand."""
        self.settle(given=True)
        self._by_record = None
        self.discard()

    def give_back(self) -> tuple[TopicAndPartition, int] | None:
        """Where the run begins of which there is more than the last batch had room for; it is not given from here any more."""
        if self._left is None:
            return None
        position, _, part = self._left
        self._left = None
        return position.key, part.columns.offset(part.row)

    def holds(self, keys: set[TopicAndPartition]) -> bool:
        return any(position.key in keys for position, *_ in self._in_hand)

    def drop(self, keys: set[TopicAndPartition]) -> None:
        if self._left is not None and self._left[0].key in keys:
            self._left = None

    def settle(self, *, given: bool = False) -> None:
        if not given:
            return
        for position, turn, behind, epoch in self._in_hand:
            if self._by_record is not None:
                behind = min(behind, self._by_record.get(position.key, -1))
            if position.turn == turn and behind > position.processed:
                position.processed, position.processed_epoch = behind, epoch

    def rewind(self, batch: Batch) -> None:
        """Give this batch again, from its first record on, as far as its partitions are still ours."""
        self._in_hand = []
        self._left = None
        first: dict[TopicAndPartition, int] = {}
        for columns, row, _ in batch.slices:
            key = (columns.topic, columns.partition)
            first.setdefault(key, columns.offset(row))
        for key, offset in first.items():
            position = self.fetcher.positions.by_key.get(key)
            if position is not None and not position.revoking:
                position.start_at(offset)
                self.fetcher.drop(position)
        self.fetcher.pump()
        self.fetcher.wake()

    def discard(self) -> None:
        """The loop was left: nothing is in hand any more."""
        self._in_hand = []
        self.fetcher.wake()
