"""What holds for a share partition whatever its members do, in whatever order, and whichever writes fail."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ottla.coordinator.share_partition import (
    Acknowledgement,
    Acquired,
    DeadLetter,
    LogBatch,
    Outcome,
    RecordState,
    SharePartition,
    SharePartitionSettings,
    StateWrite,
    Wanted,
)
from ottla.coordinator.share_partition.states import TERMINAL
from ottla.coordinator.share_state.batches import StateBatch, combine
from ottla.protocol.errors import ErrorCode

MEMBER = st.sampled_from(["A", "B", "C"])
LOCK_MS = 1000
LIMIT = 3
ACCEPT, RELEASE, REJECT, RENEW = 1, 2, 3, 4


class Group(RuleBasedStateMachine):
    """Three members on one partition, a persister that may fail, a log that is cut off and compacted."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 0
        self.log: list[LogBatch] = []
        self.log_start = self.log_end = 0
        self.stored: list[StateBatch] = []
        self.stored_start = 0
        self.writes: list[StateWrite] = []
        self.letters: list[DeadLetter] = []
        self.dead: set[int] = set()
        #: offset -> (member, until when, for the how manieth time)
        self.held: dict[int, tuple[str, int, int]] = {}
        #: Offsets whose acknowledgement or rejection was kept: nobody may see them again.
        self.done: set[int] = set()
        #: Offsets that the start offset may pass: those, and what was archived for good before that is kept.
        self.ended: set[int] = set()
        #: Offsets of transactions that were aborted.
        self.aborted: set[int] = set()
        self.dead_letters = True
        self.partition = self.load()

    def load(self) -> SharePartition:
        settings = SharePartitionSettings(LIMIT, LOCK_MS, max_record_locks=40, dead_letters=self.dead_letters)
        partition = SharePartition(settings, self.stored_start, self.stored, log_end_offset=self.log_end)
        self.letters = list(partition.left_over)
        self.ended = set(self.done)
        self.lowest_start = partition.start_offset
        return partition

    def carry_out(self, outcome: Outcome) -> None:
        if outcome.write is not None:
            self.writes.append(outcome.write)
            if outcome.write.firm:
                self.end(outcome.write)
        self.letters += outcome.dead_letters

    def end(self, write: StateWrite) -> None:
        for first, last, state, _ in write.batches:
            if RecordState(state) in TERMINAL:
                self.ended.update(range(first, last + 1))

    # -- the log -------------------------------------------------------------------------------------------------

    @rule(size=st.integers(1, 12), hole=st.sampled_from([0, 0, 0, 3]), aborted=st.sampled_from([False] * 5 + [True]))
    def append(self, size: int, hole: int, aborted: bool) -> None:
        base = self.log_end + hole
        self.log.append(LogBatch(base, base + size - 1))
        self.log_end = base + size
        if aborted:
            self.aborted.update(range(base, base + size))

    @rule(share=st.floats(0, 1))
    def delete_records(self, share: float) -> None:
        self.log_start = max(self.log_start, int(share * self.log_end))
        self.log = [batch for batch in self.log if batch.last_offset >= self.log_start]

    @precondition(lambda self: self.log)
    @rule(which=st.integers(0, 100))
    def compact(self, which: int) -> None:
        gone = self.log.pop(which % len(self.log))
        self.aborted.difference_update(
            range(gone.base_offset, gone.last_offset + 1)
        )  # a hole that is handed out hurts nobody

    # -- members -------------------------------------------------------------------------------------------------

    @rule(member=MEMBER, records=st.integers(1, 30), batch_size=st.integers(1, 20), record_limit=st.booleans(),
          length=st.integers(1, 4))  # fmt: skip
    def fetch(self, member: str, records: int, batch_size: int, record_limit: bool, length: int) -> None:
        partition = self.partition
        if not partition.can_acquire():
            return
        offset = partition.next_fetch_offset()
        if offset < self.log_start:
            partition.log_starts_at(self.log_start)
            offset = partition.next_fetch_offset()
        read = [batch for batch in self.log if batch.last_offset >= offset][:length]
        gone = [batch for batch in read if batch.base_offset in self.aborted]
        wanted = Wanted(member, records, batch_size, record_limit)
        self.take(member, partition.acquire(wanted, offset, read, self.now_ms, gone))

    def take(self, member: str, acquired: list[Acquired]) -> None:
        for first, last, count in acquired:
            assert count <= LIMIT
            for offset in range(first, last + 1):
                assert offset not in self.held, "held by two"
                assert offset not in self.done, "handed out after its end"
                assert offset not in self.aborted, "handed out of an aborted transaction"
                self.held[offset] = (member, self.now_ms + LOCK_MS, count)

    def ranges_held(self, member: str) -> list[tuple[int, int]]:
        ranges: list[tuple[int, int]] = []
        for offset in sorted(offset for offset, (who, _, _) in self.held.items() if who == member):
            if ranges and ranges[-1][1] == offset - 1:
                ranges[-1] = (ranges[-1][0], offset)
            else:
                ranges.append((offset, offset))
        return ranges

    @rule(member=MEMBER, data=st.data())
    def acknowledge(self, member: str, data: st.DataObject) -> None:
        batches = []
        for first, last in self.ranges_held(member):
            if data.draw(st.booleans()):
                first = data.draw(st.integers(first, last))
                last = data.draw(st.integers(first, last))
                one = data.draw(st.booleans())
                kinds = st.sampled_from([0, ACCEPT, ACCEPT, RELEASE, REJECT, RENEW])
                types = data.draw(st.lists(kinds, min_size=1, max_size=1) if one else
                                  st.lists(kinds, min_size=last - first + 1, max_size=last - first + 1))  # fmt: skip
                batches.append(Acknowledgement(first, last, types))
        outcome = self.partition.acknowledge(member, batches, self.now_ms)
        assert outcome.error == ErrorCode.NONE, outcome.message
        self.carry_out(outcome)
        for first, last, types in batches:
            for offset in range(first, last + 1):
                kind = types[0] if len(types) == 1 else types[offset - first]
                if kind == RENEW:
                    self.held[offset] = (member, self.now_ms + LOCK_MS, self.held[offset][2])
                else:
                    del self.held[offset]

    @rule(member=MEMBER, where=st.integers(0, 1000), length=st.integers(0, 20), kind=st.sampled_from([ACCEPT, RENEW]))
    def acknowledge_what_another_holds(self, member: str, where: int, length: int, kind: int) -> None:
        """Refused whole if one offset in flight is not the member's; then nothing changes."""
        first = sorted(self.held)[where % len(self.held)] if self.held else where % 60
        offsets = range(max(first, self.partition.start_offset), first + length + 1)
        if not offsets or all(self.held.get(offset, ("",))[0] == member for offset in offsets):
            return
        if any(not self.in_a_batch(offset) for offset in offsets[:-1]):
            return
        before = (self.partition.snapshot(), self.partition.start_offset, self.partition.delivery_complete_count)
        outcome = self.partition.acknowledge(member, [Acknowledgement(first, first + length, [kind])], self.now_ms)
        assert outcome.error in (ErrorCode.INVALID_RECORD_STATE, ErrorCode.INVALID_REQUEST)
        assert outcome.write is None
        after = (self.partition.snapshot(), self.partition.start_offset, self.partition.delivery_complete_count)
        assert expanded(after[0]) == expanded(before[0])
        assert after[1:] == before[1:]
        if kind == RENEW:  # the part before the refusal is renewed, as in Kafka
            for offset in offsets:
                if self.held.get(offset, ("",))[0] != member:
                    break
                self.held[offset] = (member, self.now_ms + LOCK_MS, self.held[offset][2])

    def in_a_batch(self, offset: int) -> bool:
        return bool(self.partition.overlapping(offset, offset))

    @rule(member=MEMBER)
    def close_session(self, member: str) -> None:
        self.carry_out(self.partition.release(member))
        self.held = {offset: held for offset, held in self.held.items() if held[0] != member}

    @rule(ms=st.integers(1, 2 * LOCK_MS))
    def time_passes(self, ms: int) -> None:
        self.now_ms += ms
        deadline = self.partition.next_deadline_ms()
        if deadline is not None and deadline <= self.now_ms:
            self.carry_out(self.partition.on_timer(self.now_ms))

    # -- the persister -------------------------------------------------------------------------------------------

    @precondition(lambda self: self.writes)
    @rule(ok=st.sampled_from([True, True, True, False]))
    def finish_write(self, ok: bool) -> None:
        write = self.writes.pop(0)
        if ok:
            self.keep(write)
            self.end(write)
        elif not write.firm:
            for first, last, _, _ in write.batches:
                for offset in range(first, last + 1):
                    for batch in self.partition.overlapping(offset, offset):
                        for run in batch.runs:
                            if run.first <= offset <= run.last and run.write == write.id and run.previous is not None:
                                self.held[offset] = (run.previous[1], run.lock_until_ms, run.delivery_count)
        error = ErrorCode.NONE if ok else ErrorCode.COORDINATOR_NOT_AVAILABLE
        self.carry_out(self.partition.on_written(write, error, self.now_ms))

    def keep(self, write: StateWrite) -> None:
        self.stored = combine([*self.stored, *write.batches], max(self.stored_start, write.start_offset))
        self.stored_start = max(self.stored_start, write.start_offset)
        for first, last, state, _ in write.batches:
            if RecordState(state) in TERMINAL or state == RecordState.ARCHIVING:
                self.done.update(range(first, last + 1))

    @precondition(lambda self: self.letters)
    @rule()
    def produce_dead_letter(self) -> None:
        letter = self.letters.pop(0)
        self.dead.update(range(letter.first_offset, letter.last_offset + 1))
        self.carry_out(self.partition.on_dead_lettered(letter))

    @rule(kept=st.booleans())
    def crash(self, kept: bool) -> None:
        """The leader goes; what was on its way to the persister arrives, or does not."""
        if kept:
            for write in self.writes:
                self.keep(write)
        self.writes = []
        self.held = {}
        self.partition = self.load()

    # -- what holds ----------------------------------------------------------------------------------------------

    @invariant()
    def batches_are_in_order_and_covered(self) -> None:
        partition = self.partition
        at = partition.start_offset
        for batch in partition.batches:
            assert at <= batch.first <= batch.last
            at = batch.first
            for run in batch.runs:
                assert run.first == at <= run.last
                at = run.last + 1
            assert at == batch.last + 1
        assert at <= partition.next_offset
        for low, high in partition.unknown:
            assert partition.start_offset <= low <= high < partition.next_offset
            assert not partition.overlapping(low, high)

    @invariant()
    def members_hold_what_they_were_handed(self) -> None:
        partition = self.partition
        held = {}
        for batch in partition.batches:
            for run in batch.runs:
                assert run.delivery_count <= LIMIT
                assert bool(run.member) == (run.state is RecordState.ACQUIRED)
                if run.member:
                    for offset in range(run.first, run.last + 1):
                        held[offset] = (run.member, run.lock_until_ms, run.delivery_count)
        timed_out = {o for o, (_, until, _) in self.held.items() if until <= self.now_ms}
        expected = {o: h for o, h in self.held.items() if o >= partition.start_offset and o not in timed_out}
        assert held == expected
        self.held = expected

    @invariant()
    def the_start_offset_only_rises(self) -> None:
        assert self.partition.start_offset >= self.lowest_start
        self.lowest_start = self.partition.start_offset

    @invariant()
    def the_start_offset_passes_only_what_is_done_with(self) -> None:
        for low, high in self.log:
            passed = range(max(low, self.log_start), min(high + 1, self.partition.start_offset))
            assert set(passed) <= self.ended | self.aborted

    @invariant()
    def what_is_complete_is_counted(self) -> None:
        runs = [run for batch in self.partition.batches for run in batch.runs]
        assert self.partition.delivery_complete_count == sum(len(run) for run in runs if run.state in TERMINAL)

    @invariant()
    def in_flight_is_bounded(self) -> None:
        """The limit holds but for the rest of one batch of the log, which is handed out whole."""
        longest = max((batch.last_offset - batch.base_offset + 4 for batch in self.log), default=0)
        assert self.partition.in_flight <= 40 + max(longest, 15)

    def teardown(self) -> None:
        """Whatever happened: with members that accept, every record comes to its end, and nothing is left."""
        for _ in range(2000):
            while self.writes:
                self.finish_write(True)
            while self.letters:
                self.produce_dead_letter()
            for member in "ABC":
                batches = [Acknowledgement(first, last, [ACCEPT]) for first, last in self.ranges_held(member)]
                self.carry_out(self.partition.acknowledge(member, batches, self.now_ms))
                self.held = {o: held for o, held in self.held.items() if held[0] != member}
            if self.writes or self.letters:
                continue
            self.fetch("A", 30, 10, False, 3)
            if not self.held and self.partition.next_fetch_offset() >= self.log_end:
                break
            if not self.held and not [b for b in self.log if b.last_offset >= self.partition.next_fetch_offset()]:
                break  # what is left in flight left the log
        self.members_hold_what_they_were_handed()
        readable = {offset for low, high in self.log for offset in range(max(low, self.log_start), high + 1)}
        assert readable <= self.done | self.aborted | set(range(self.partition.start_offset)) | self.completed()

    def completed(self) -> set[int]:
        return {
            offset
            for batch in self.partition.batches
            for run in batch.runs
            if run.state in TERMINAL
            for offset in range(run.first, run.last + 1)
        }


def expanded(batches: list[StateBatch]) -> list[tuple[int, int, int]]:
    return [(offset, b.delivery_state, b.delivery_count) for b in batches for offset in range(b[0], b[1] + 1)]


class GroupWithoutDeadLetters(Group):
    def __init__(self) -> None:
        super().__init__()
        self.dead_letters = False
        self.partition = self.load()


TestGroup = Group.TestCase
TestGroup.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestGroupWithoutDeadLetters = GroupWithoutDeadLetters.TestCase
TestGroupWithoutDeadLetters.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
