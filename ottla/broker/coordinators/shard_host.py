"""One partition of an internal topic that this broker leads: the log, the clock and the waiters of a `Shard`.

How it works
------------
The shard decides, this carries out (`coordinator/decision` draws the order). Records of all decisions of one turn of
the loop go into one batch, so that a hundred commits cost one append and one fsync:

    decision ─► records replayed at once ─► batch ──end of turn──► append ──committed──► answers, completions
    decision ─► records replayed at once ─────┘

Most often there is one in a turn, for groups are spread over partitions. So the first of a turn, if no completion and no
disk is waited for, is appended and answered at once. Records are replayed before they are durable, so that the next decision
knows of them; nobody is told of them before. Reads wait for what was written before them. If an append fails for a reason
that is not the request's own, the state may be ahead of the log: the host is thrown away and the partition loaded again
(`on_broken`).

Invariant: `_next_offset` is the log end plus the records not yet appended; nobody else writes to the partition.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from ...coordinator import Decision, Shard, StoredRecord
from ...coordinator.deadlines import Deadlines
from ...coordinator.loading import Loader
from ...coordinator.shard import append_error
from ...log.incoming import Origin
from ...protocol.errors import ErrorCode, KafkaError
from ...records.batch import HEADER_SIZE, Record, build_batch
from ...records.compression import Compression
from ..partition import ACKS_ALL
from ..purgatory import Deferred

if TYPE_CHECKING:
    from ..partition import Partition
    from ..server import Broker

log = logging.getLogger("ottla.broker.coordinators")

#: The loop serves others between pieces; a quarter of a mebibyte of single commits is some 25 ms of work.
LOAD_PIECE_BYTES_MAX = 256 * 1024
#: What a record takes in a batch beside key and value: length, attributes, deltas, lengths. An upper bound.
RECORD_OVERHEAD = 32
#: A timer that fires this much late says that the loop was held up (a suspended machine), not that members were silent.
HELD_UP_S = 1.0
#: So long the sockets are read first then, before anybody's session is called over.
CATCH_UP_S = 0.1


_COORDINATOR = Origin.COORDINATOR  # an enum's member costs more to find than a name
_new_tuple = tuple.__new__

ShardT = TypeVar("ShardT", bound=Shard)


class HostConfig(NamedTuple):
    """How the partitions of one internal topic are written and read."""

    compression: Compression
    #: How long records wait for others to share their batch.
    linger_s: float
    #: After this long, who waits for an append is told that it is unknown whether it took effect.
    timeout_s: float
    load_piece_bytes: int
    #: Only the last record of each key counts (`coordinator/loading`).
    compacted: bool = True


class Producer(NamedTuple):
    """Whose transaction records belong to."""

    id: int
    epoch: int


class Turn:
    """Numbers the turns of the loop in which it is asked."""

    __slots__ = ("_known", "_loop", "_number")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._number = 0
        self._known = False

    def number(self) -> int:
        """Return the same number for the rest of this turn, and another one later."""
        if not self._known:
            self._known = True
            self._loop.call_soon(self._end)
        return self._number

    def _end(self) -> None:
        self._known = False
        self._number += 1


class ShardHost(Generic[ShardT]):
    """The shard of one partition, running."""

    __slots__ = (
        "_answers", "_batch", "_batch_bytes", "_broker", "_closed", "_config", "_deadlines", "_last_turn", "_loop",
        "_next_offset", "_on_broken", "_timer", "_timer_ms", "_turn", "index", "loading", "on_effects", "partition", "shard",
    )  # fmt: skip

    def __init__(
        self,
        broker: Broker,
        partition: Partition,
        shard: ShardT,
        config: HostConfig,
        on_broken: Callable[[ShardHost[ShardT]], None],
        turn: Turn,
    ) -> None:
        self._broker = broker
        self._loop = asyncio.get_running_loop()
        self.partition = partition
        self.index = partition.index
        self.shard = shard
        #: Until the log has been replayed, requests are answered with COORDINATOR_LOAD_IN_PROGRESS.
        self.loading = True
        self._closed = False
        self._on_broken = on_broken
        self._deadlines = Deadlines()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms = 0
        self._batch: list[StoredRecord] = []
        self._batch_bytes = 0
        #: Whose records are in the batch, with the answer they wait for.
        self._answers: list[tuple[Decision, Deferred]] = []
        self._next_offset = 0
        self._turn = turn
        #: In which turn a decision was last appended by itself.
        self._last_turn = -1
        self._config = config
        #: Carries out what a decision asks for beside the log (`Decision.effects`).
        self.on_effects: Callable[[ShardHost[ShardT], list[Any]], None] | None = None

    # ── loading and leaving ─────────────────────────────────────────────────────────────────────────────────────

    async def load(self) -> None:
        """Replay the log, a piece per turn of the loop. In between, the partition may move to another log dir."""
        started = self._loop.time()
        piece_bytes = min(self._config.load_piece_bytes, LOAD_PIECE_BYTES_MAX)
        loader = Loader(self.shard, self.partition.log.log_start_offset, compacted=self._config.compacted)
        while loader.next_offset < (log_ := self.partition.log).log_end_offset and not self._closed:
            offset = loader.next_offset
            loader.feed(log_.read(offset, piece_bytes, log_.log_end_offset), self._broker.clock.now_ms())
            if loader.next_offset == offset:
                break  # Compaction may leave nothing between the last batch and the end.
            await asyncio.sleep(0)
        loader.finish(self._broker.clock.now_ms())
        self._next_offset = log_.log_end_offset
        if self._closed:
            return
        self.loading = False
        if self._next_offset > log_.log_start_offset:
            took_ms = (self._loop.time() - started) * 1000
            log.info("loaded %s-%d up to offset %d in %.0f ms", log_.topic, self.index, self._next_offset, took_ms)
        self.carry_out(self.shard.finish_loading(self._broker.clock.now_ms()))

    def load_empty(self) -> bool:
        """Be ready at once if there is nothing to load."""
        log_ = self.partition.log
        if log_.log_start_offset != log_.log_end_offset:
            return False
        self._next_offset = log_.log_end_offset
        self.loading = False
        self.carry_out(self.shard.finish_loading(self._broker.clock.now_ms()))
        return True

    def close(self, error: ErrorCode = ErrorCode.NOT_COORDINATOR) -> None:
        """Leave: everybody who waits is sent to look for the coordinator."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        answers, self._answers, self._batch = self._answers, [], []
        for _, answer in answers:
            answer.resolve(KafkaError(error))
        for ticket, response in self.shard.unload().replies:
            assert isinstance(ticket, Deferred)
            ticket.resolve(response)

    # ── decisions ───────────────────────────────────────────────────────────────────────────────────────────────

    def carry_out(self, decision: Decision, producer: Producer | None = None) -> Any:
        """Do what was decided. Returns the response, or a `Deferred` of it (or of a `KafkaError`) if it must wait.

        With a `producer` the records are part of its transaction: they count when that is committed.
        """
        for note in decision.notes:
            log.info(note)
        for ticket, response in decision.replies:
            assert isinstance(ticket, Deferred)
            ticket.resolve(response)
        if decision.timers:
            self._deadlines.apply(decision.timers, self._now_ms())
            self._arm()
        if decision.effects:
            assert self.on_effects is not None
            self.on_effects(self, decision.effects)
        if not decision.records:
            return decision.response
        if self._closed:
            return self._refused(decision, ErrorCode.NOT_LEADER_OR_FOLLOWER)
        if producer is not None:
            return self._write_in_transaction(decision, producer)
        if decision.completion is None and self._may_write_alone():
            return self._write_alone(decision)
        return self._write(decision)

    def when_settled(self, read: Callable[[], Any]) -> Any:
        """Return `read()`, or a `Deferred` of it if something written before it is not committed yet."""
        if self._batch:
            self.flush()
        if self._next_offset <= self.partition.high_watermark:
            return read()
        answer = Deferred()

        def on_committed(error: ErrorCode) -> None:
            try:
                result = KafkaError(append_error(error)) if error else read()
            except Exception as problem:  # noqa: BLE001  the reader's answer; whoever committed has no part in it
                result = problem
            answer.resolve(result)

        self.partition.when_committed(self._next_offset, on_committed)
        return answer

    def _may_write_alone(self) -> bool:
        """Whether this is the first to write in its turn, and would be answered at once."""
        if self._batch or self._config.linger_s or self.partition.acks_wait:
            return False
        turn = self._turn.number()
        first, self._last_turn = turn != self._last_turn, turn
        return first

    def _write_alone(self, decision: Decision) -> Any:
        """Append the records in a batch of their own, now."""
        records = decision.records
        now_ms = self._broker.clock.now_ms()
        data = self._build(records, now_ms)
        if len(data) > self.partition.log.config.max_message_bytes:
            # What the log would refuse must not be replayed; it is the request's own fault, nobody else's.
            return self._refused(decision, ErrorCode.MESSAGE_TOO_LARGE)
        offset = self._next_offset
        replay = self.shard.replay
        for record in records:
            replay(record, offset, now_ms)
            offset += 1
        self._next_offset = offset
        partition = self.partition
        try:
            partition.append_as_leader(data, ACKS_ALL, now_ms, _COORDINATOR)
        except KafkaError as error:
            answer = Deferred()
            self._on_committed([(decision, answer)], error.code)
            return answer
        if offset == partition.high_watermark:
            return decision.response
        answer = Deferred()
        self._await_commit([(decision, answer)])
        return answer

    def _write(self, decision: Decision) -> Deferred:
        """Put the records into the batch."""
        answer = Deferred()
        size = sum(len(key) + len(value or b"") + RECORD_OVERHEAD for key, value in decision.records)
        room = self.partition.log.config.max_message_bytes - HEADER_SIZE
        if size > room:
            return self._refused(decision, ErrorCode.MESSAGE_TOO_LARGE)
        if self._batch_bytes + size > room:
            self.flush()
        now_ms = self._broker.clock.now_ms()
        for record in decision.records:
            self.shard.replay(record, self._next_offset, now_ms)
            self._next_offset += 1
        if not self._batch:
            if self._config.linger_s:
                self._loop.call_later(self._config.linger_s, self.flush)
            else:
                self._loop.call_soon(self.flush)
        self._batch += decision.records
        self._batch_bytes += size
        self._answers.append((decision, answer))
        return answer

    def _refused(self, decision: Decision, error: ErrorCode) -> Deferred:
        answer = Deferred()
        self._finish(decision, answer, error)
        return answer

    def _build(self, records: list[StoredRecord], now_ms: int, **producer: Any) -> bytearray:
        return build_batch(
            [_new_tuple(Record, (0, now_ms, key, value, ())) for key, value in records],
            compression=self._config.compression, **producer,
        )  # fmt: skip

    def flush(self) -> None:
        """Append the batch."""
        if not self._batch or self._closed:
            return
        batch, answers = self._batch, self._answers
        self._batch, self._answers, self._batch_bytes = [], [], 0
        now_ms = self._broker.clock.now_ms()
        try:
            self.partition.append_as_leader(self._build(batch, now_ms), ACKS_ALL, now_ms, _COORDINATOR)
        except KafkaError as error:
            self._on_committed(answers, error.code)
            return
        self._await_commit(answers)

    def _await_commit(self, answers: list[tuple[Decision, Deferred]]) -> None:
        """Answer once everything appended so far is committed."""
        end_offset = self.partition.log.log_end_offset
        assert end_offset == self._next_offset, "somebody else writes to the coordinator's partition"
        if end_offset <= self.partition.high_watermark:
            self._on_committed(answers, ErrorCode.NONE)
            return
        timer = self._loop.call_later(self._config.timeout_s, self._on_timeout, answers)

        def on_committed(error: ErrorCode) -> None:
            timer.cancel()
            self._on_committed(answers, error)

        self.partition.when_committed(end_offset, on_committed)

    # ── transactions of producers ───────────────────────────────────────────────────────────────────────────────

    def _write_in_transaction(self, decision: Decision, producer: Producer) -> Deferred:
        """Append a batch that belongs to a producer's transaction. The log may refuse it, so it is replayed after that."""
        self.flush()
        now_ms = self._broker.clock.now_ms()
        data = self._build(
            decision.records, now_ms, producer_id=producer.id, producer_epoch=producer.epoch, transactional=True
        )
        try:
            if self._closed:
                raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
            self.partition.append_as_leader(data, ACKS_ALL, now_ms, _COORDINATOR)
        except KafkaError as error:
            return self._refused(decision, error.code)
        answer = Deferred()
        for record in decision.records:
            self.shard.replay(record, self._next_offset, now_ms, producer.id)
            self._next_offset += 1
        self._await_commit([(decision, answer)])
        return answer

    def write_marker(
        self, data: bytearray, producer_id: int, committed: bool, transaction_version: int,
        on_done: Callable[[ErrorCode], None],
    ) -> None:  # fmt: skip
        """Append the control batch that ends a producer's transaction here; raises `KafkaError` if it is refused."""
        self.flush()
        if self._closed or self.loading:
            raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        now_ms = self._broker.clock.now_ms()
        self.partition.append_as_leader(data, ACKS_ALL, now_ms, _COORDINATOR, transaction_version)
        self.shard.replay_end_marker(producer_id, committed)
        self._next_offset += 1
        self.partition.when_committed(self._next_offset, on_done)

    # ── the end of an append ────────────────────────────────────────────────────────────────────────────────────

    def _on_timeout(self, answers: list[tuple[Decision, Deferred]]) -> None:
        """The records are in the log and may yet be committed; who waits is told that we do not know."""
        for decision, answer in answers:
            self._finish(decision, answer, ErrorCode.REQUEST_TIMED_OUT)
        answers.clear()

    def _on_committed(self, answers: list[tuple[Decision, Deferred]], error: ErrorCode) -> None:
        for decision, answer in answers:
            self._finish(decision, answer, error)
        if error and not self._closed:
            level = logging.INFO if self.partition.closed else logging.WARNING  # somebody deleted the topic
            log.log(level, "appending to %s-%d failed: %s", self.partition.topic, self.index, error.name)
            self._on_broken(self)

    def _finish(self, decision: Decision, answer: Deferred, error: ErrorCode) -> None:
        if decision.completion is not None and not self._closed:
            self.carry_out(self.shard.on_appended(decision.completion, error, self._broker.clock.now_ms()))
        answer.resolve(KafkaError(append_error(error)) if error else decision.response)

    # ── time ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _now_ms(self) -> int:
        return int(self._loop.time() * 1000)

    def _arm(self) -> None:
        next_ms = self._deadlines.next_ms()
        if next_ms is None or self._closed:
            return
        if self._timer is not None:
            if self._timer_ms <= next_ms:
                return
            self._timer.cancel()
        self._timer_ms = next_ms
        self._timer = self._loop.call_at((next_ms + 1) / 1000, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now_ms = self._now_ms()
        if now_ms - self._timer_ms > HELD_UP_S * 1000:
            self._timer_ms = now_ms + int(CATCH_UP_S * 1000)
            self._timer = self._loop.call_later(CATCH_UP_S, self._on_timer)
            return
        while (key := self._deadlines.pop_due(now_ms)) is not None:
            self.carry_out(self.shard.on_timer(key, self._broker.clock.now_ms()))
        self._arm()
