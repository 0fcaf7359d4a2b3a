"""Conversations with one share partition, each about one rule."""

from __future__ import annotations

import pytest

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
from ottla.coordinator.share_state.batches import StateBatch
from ottla.protocol.errors import ErrorCode

ACCEPT, RELEASE, REJECT, RENEW = 1, 2, 3, 4
AVAILABLE, ACQUIRED, ACKNOWLEDGED, ARCHIVING, ARCHIVED = RecordState
FAILED = ErrorCode.COORDINATOR_NOT_AVAILABLE


class Talk:
    """A share partition on a log of batches, and what was said to it."""

    def __init__(self, *sizes: int, stored: tuple[StateBatch, ...] = (), start: int = 0, **settings: object) -> None:
        self.log: list[LogBatch] = []
        for size in sizes:
            base = self.log[-1].last_offset + 1 if self.log else 0
            self.log.append(LogBatch(base, base + size - 1))
        self.settings = SharePartitionSettings(**settings)  # type: ignore[arg-type]
        self.partition = SharePartition(self.settings, start, stored)
        self.now_ms = 0

    def fetch(self, member: str = "A", records: int = 500, batch_size: int = 500, *, limited: bool = False,
              aborted: tuple[LogBatch, ...] = (), batches: int = 100) -> list[Acquired]:  # fmt: skip
        offset = self.partition.next_fetch_offset()
        read = [batch for batch in self.log if batch.last_offset >= offset][:batches]
        return self.partition.acquire(Wanted(member, records, batch_size, limited), offset, read, self.now_ms, aborted)

    def say(self, first: int, last: int, *types: int, member: str = "A") -> Outcome:
        return self.partition.acknowledge(member, [Acknowledgement(first, last, types)], self.now_ms)

    def keep(self, outcome: Outcome, error: ErrorCode = ErrorCode.NONE) -> Outcome:
        assert outcome.error == 0, outcome.message
        assert isinstance(outcome.write, StateWrite)
        return self.partition.on_written(outcome.write, error, self.now_ms)

    def settle(self, first: int, last: int, *types: int, member: str = "A") -> None:
        self.keep(self.say(first, last, *types, member=member))

    def later(self, ms: int) -> Outcome:
        self.now_ms += ms
        return self.partition.on_timer(self.now_ms)

    @property
    def states(self) -> list[tuple[int, int, int, int]]:
        return [tuple(batch) for batch in self.partition.snapshot()]


# ── handing out ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_new_records_come_in_whole_batches_of_the_log() -> None:
    talk = Talk(3, 3, 3)
    assert talk.fetch(records=4) == [(0, 5, 1)]
    assert talk.fetch("B") == [(6, 8, 1)]


def test_new_records_are_cut_into_batches_of_about_the_batch_size() -> None:
    assert Talk(3, 3, 3, 1).fetch(batch_size=4) == [(0, 5, 1), (6, 9, 1)]


def test_record_limit_cuts_a_batch_and_leaves_the_rest_available() -> None:
    talk = Talk(5, 5)
    assert talk.fetch(records=2, limited=True) == [(0, 1, 1)]
    assert talk.partition.next_fetch_offset() == 2
    assert talk.fetch("B", records=2, limited=True) == [(2, 3, 1)]
    assert talk.fetch("C", records=9) == [(4, 4, 1), (5, 9, 1)]


def test_what_was_handed_out_together_is_handed_out_together_again() -> None:
    talk = Talk(3, 3)
    talk.fetch(records=3)
    talk.fetch(records=3)
    talk.settle(0, 5, RELEASE)
    assert talk.fetch("B", records=1) == [(0, 2, 2)]
    assert talk.fetch("C") == [(3, 5, 2)]


def test_records_in_flight_are_limited_but_those_that_come_back_are_handed_out() -> None:
    talk = Talk(60, 60, max_record_locks=100)
    assert talk.fetch(records=60) == [(0, 59, 1)]
    assert talk.fetch() == [(60, 119, 1)]
    assert not talk.partition.can_acquire()
    talk.settle(60, 119, RELEASE)
    assert talk.partition.can_acquire()
    assert talk.fetch("B") == [(60, 119, 2)]


def test_records_that_fail_often_are_handed_out_with_fewer_and_fewer_others() -> None:
    talk = Talk(8)
    sizes = []
    for _ in range(6):
        (piece,) = talk.fetch()
        sizes.append((piece.first_offset, piece.last_offset - piece.first_offset + 1, piece.delivery_count))
        talk.settle(piece.first_offset, piece.last_offset, RELEASE)
    assert sizes == [(0, 8, 1), (0, 8, 2), (0, 8, 3), (0, 4, 4), (0, 1, 5), (1, 1, 5)]


def test_records_that_failed_often_are_not_handed_out_behind_others() -> None:
    talk = Talk(2, 2)
    talk.fetch(records=2)
    talk.fetch(records=2)
    talk.settle(2, 3, RELEASE)
    for _ in range(2):
        talk.fetch()
        talk.settle(2, 3, RELEASE)
    talk.settle(0, 1, RELEASE)
    assert talk.fetch() == [(0, 1, 2)]
    assert talk.fetch("B") == [(2, 2, 4)]


def test_what_is_released_is_available_when_that_is_kept() -> None:
    talk = Talk(2)
    talk.fetch()
    outcome = talk.say(0, 1, RELEASE)
    assert talk.partition.next_fetch_offset() == 2
    assert talk.fetch("B") == []
    assert talk.keep(outcome).wake
    assert talk.fetch("B") == [(0, 1, 2)]


def test_the_delivery_limit_archives() -> None:
    talk = Talk(1, delivery_count_limit=2)
    for count in (1, 2):
        assert talk.fetch() == [(0, 0, count)]
        outcome = talk.say(0, 0, RELEASE)
        assert outcome.write is not None
        assert outcome.write.batches == [(0, 0, AVAILABLE if count == 1 else ARCHIVED, count)]
        talk.keep(outcome)
    assert talk.fetch() == []
    assert talk.partition.start_offset == 1


def test_aborted_batches_are_archived_and_not_handed_out() -> None:
    talk = Talk(2, 2, 2)
    assert talk.fetch(aborted=(LogBatch(2, 3),)) == [(0, 1, 1), (4, 5, 1)]
    assert talk.states == [(0, 1, ACQUIRED, 1), (2, 3, ARCHIVED, 1), (4, 5, ACQUIRED, 1)]
    assert talk.partition.delivery_complete_count == 2
    talk.settle(0, 1, ACCEPT)
    assert talk.partition.start_offset == 4


def test_an_aborted_batch_at_the_start_is_passed() -> None:
    talk = Talk(2, 2)
    assert talk.fetch(aborted=(LogBatch(0, 1),)) == [(2, 3, 1)]
    assert talk.partition.start_offset == 2


# ── acknowledging ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_record_can_have_its_own_fate() -> None:
    talk = Talk(4)
    talk.fetch()
    outcome = talk.say(0, 3, ACCEPT, RELEASE, REJECT, 0)
    assert outcome.write is not None
    assert outcome.write.batches == [(0, 0, ACKNOWLEDGED, 1), (1, 1, AVAILABLE, 1), (2, 3, ARCHIVED, 1)]
    assert (outcome.write.start_offset, outcome.write.delivery_complete_count) == (0, 3)
    talk.keep(outcome)
    assert talk.partition.start_offset == 1
    assert talk.fetch("B") == [(1, 1, 2)]


def test_the_start_offset_waits_for_the_write() -> None:
    talk = Talk(2)
    talk.fetch()
    one, two = talk.say(0, 0, ACCEPT), talk.say(1, 1, ACCEPT)
    talk.keep(one)
    assert talk.partition.start_offset == 1
    talk.keep(two, FAILED)
    assert talk.states == [(1, 1, ACQUIRED, 1)]


def test_a_write_that_fails_gives_the_records_back_to_their_holder() -> None:
    talk = Talk(2)
    talk.fetch()
    outcome = talk.say(0, 1, ACCEPT)
    assert talk.say(0, 1, ACCEPT).error == ErrorCode.INVALID_RECORD_STATE
    talk.keep(outcome, FAILED)
    talk.settle(0, 1, ACCEPT)
    assert talk.partition.is_idle


def test_a_lock_that_ends_while_a_write_fails_is_over() -> None:
    talk = Talk(2)
    talk.fetch()
    outcome = talk.say(0, 1, ACCEPT)
    assert talk.later(30_000).write is None
    after = talk.keep(outcome, FAILED)
    assert after.write is not None
    assert after.write.batches == [(0, 1, AVAILABLE, 1)]
    assert talk.fetch("B") == [(0, 1, 2)]


@pytest.mark.parametrize(
    ("first", "last", "member", "code", "message"),
    [
        (0, 1, "B", ErrorCode.INVALID_RECORD_STATE, "Member is not the owner of batch record"),
        (5, 6, "A", ErrorCode.INVALID_REQUEST, "Batch record not found. The first offset in request is past acquired records."),
        (0, 6, "A", ErrorCode.INVALID_REQUEST, "Batch record not found. The last offset in request is past acquired records."),
        (2, 3, "A", ErrorCode.INVALID_RECORD_STATE, "The batch cannot be acknowledged. The batch is not in the acquired state."),
    ],
)  # fmt: skip
def test_what_is_not_held_cannot_be_acknowledged(
    first: int, last: int, member: str, code: ErrorCode, message: str
) -> None:  # fmt: skip
    talk = Talk(2, 2)
    talk.fetch(records=2)
    talk.fetch("B", records=2)
    talk.keep(talk.partition.release("B"))
    before = talk.states
    outcome = talk.say(first, last, ACCEPT, member=member)
    assert (outcome.error, outcome.message, outcome.write) == (code, message, None)
    assert talk.states == before


def test_single_records_of_another_cannot_be_acknowledged() -> None:
    talk = Talk(4)
    talk.fetch(records=2, limited=True)
    talk.fetch("B", records=2, limited=True)
    outcome = talk.say(1, 2, ACCEPT)
    assert (outcome.error, outcome.message) == (ErrorCode.INVALID_RECORD_STATE, "Member is not the owner of offset")
    assert talk.partition.delivery_complete_count == 0
    talk.settle(2, 3, ACCEPT, member="B")


def test_all_of_an_acknowledgement_or_nothing() -> None:
    talk = Talk(2, 2)
    talk.fetch(records=2)
    talk.fetch("B", records=2)
    batches = [Acknowledgement(0, 1, [ACCEPT]), Acknowledgement(2, 3, [ACCEPT])]
    assert talk.partition.acknowledge("A", batches, 0).error == ErrorCode.INVALID_RECORD_STATE
    assert talk.states == [(0, 1, ACQUIRED, 1), (2, 3, ACQUIRED, 1)]


def test_below_the_start_offset_everything_may_be_said() -> None:
    talk = Talk(2, 2)
    talk.fetch()
    talk.settle(0, 1, ACCEPT)
    assert talk.say(0, 1, ACCEPT) == Outcome()
    talk.settle(0, 3, ACCEPT)
    assert talk.partition.start_offset == 4


# ── locks ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_renewed_lock_holds_longer_than_the_others() -> None:
    talk = Talk(3)
    talk.fetch()
    talk.now_ms = 20_000
    assert talk.say(1, 1, RENEW).write is None
    talk.later(10_000)
    assert talk.states == [(0, 0, AVAILABLE, 1), (1, 1, ACQUIRED, 1), (2, 2, AVAILABLE, 1)]
    assert talk.partition.next_deadline_ms() == 50_000
    talk.later(20_000)
    assert talk.fetch("B") == [(0, 2, 2)]


def test_a_lock_that_ends_is_over_before_that_is_kept() -> None:
    talk = Talk(1)
    talk.fetch()
    outcome = talk.later(30_000)
    assert talk.fetch("B") == [(0, 0, 2)]
    talk.keep(outcome, FAILED)
    assert talk.states == [(0, 0, ACQUIRED, 2)]


def test_what_a_member_holds_is_released_with_its_session() -> None:
    talk = Talk(2, 2)
    talk.fetch(records=2)
    talk.fetch("B", records=2)
    assert talk.keep(talk.partition.release("A")).wake
    assert talk.fetch("C") == [(0, 1, 2)]


# ── the log ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_records_that_left_the_log_are_done_with() -> None:
    talk = Talk(4, 4)
    talk.fetch(records=4)
    talk.fetch(records=4)
    talk.settle(6, 6, ACCEPT)
    assert talk.partition.log_starts_at(6)
    assert talk.partition.start_offset == 7
    assert talk.states == [(7, 7, ACQUIRED, 1)]
    assert talk.partition.delivery_complete_count == 0


def test_records_that_were_compacted_away_are_archived() -> None:
    talk = Talk(2, 2, 2)
    talk.fetch(records=4)
    talk.settle(0, 3, RELEASE)
    del talk.log[0]
    assert talk.fetch() == [(2, 3, 2), (4, 5, 1)]
    talk.settle(2, 5, ACCEPT)
    assert talk.partition.is_idle


# ── kept state ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_nobody_had_spoken_of_is_handed_out_again() -> None:
    stored = (StateBatch(0, 1, ACKNOWLEDGED, 1), StateBatch(4, 5, AVAILABLE, 2), StateBatch(8, 8, ACKNOWLEDGED, 1))
    talk = Talk(4, 4, 4, stored=stored)
    assert talk.partition.start_offset == 2
    assert talk.fetch() == [(2, 3, 1), (4, 5, 3), (6, 7, 1), (9, 11, 1)]
    for first, last in ((2, 3), (4, 5), (6, 7), (9, 11)):
        talk.settle(first, last, ACCEPT)
    assert (talk.partition.start_offset, talk.partition.is_idle) == (12, True)


def test_the_start_offset_does_not_pass_what_is_unknown() -> None:
    talk = Talk(4, 4, stored=(StateBatch(4, 7, ACKNOWLEDGED, 1),))
    assert talk.partition.start_offset == 0
    assert talk.fetch(records=2, limited=True) == [(0, 1, 1)]
    talk.settle(0, 1, ACCEPT)
    assert talk.partition.start_offset == 2
    assert talk.fetch() == [(2, 3, 1)]
    talk.settle(2, 3, ACCEPT)
    assert talk.partition.start_offset == 8


def test_an_unknown_hole_of_the_log_is_passed() -> None:
    talk = Talk(2, 2, 2, stored=(StateBatch(2, 3, ACKNOWLEDGED, 1),))
    del talk.log[0]
    assert talk.fetch() == [(4, 5, 1)]
    talk.settle(4, 5, ACCEPT)
    assert talk.partition.start_offset == 6


def test_state_beyond_the_end_of_the_log_is_forgotten() -> None:
    """The log lost its end: what is written there next must be handed out."""
    partition = SharePartition(SharePartitionSettings(), 4, [StateBatch(4, 9, ACKNOWLEDGED, 1)], log_end_offset=6)
    assert (partition.start_offset, partition.next_fetch_offset()) == (6, 6)
    assert SharePartition(SharePartitionSettings(), 9, log_end_offset=6).next_fetch_offset() == 6


# ── dead letters ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_dead_letter_is_sent_when_that_is_kept_and_archived_when_it_is_there() -> None:
    talk = Talk(3, dead_letters=True)
    talk.fetch()
    outcome = talk.say(0, 2, ACCEPT, REJECT, ACCEPT)
    assert outcome.dead_letters == []
    after = talk.keep(outcome)
    assert after.dead_letters == [DeadLetter(1, 1, 1, rejected=True)]
    assert talk.partition.start_offset == 1
    talk.keep(talk.partition.on_dead_lettered(after.dead_letters[0]))
    assert talk.partition.start_offset == 3


def test_dead_letters_that_were_under_way_are_taken_up() -> None:
    talk = Talk(2, stored=(StateBatch(0, 0, ARCHIVING, 1), StateBatch(1, 1, ARCHIVING, 5)), dead_letters=True)
    assert talk.partition.left_over == [DeadLetter(0, 0, 1, rejected=True), DeadLetter(1, 1, 5, rejected=False)]


def test_a_write_that_fails_sends_no_dead_letter() -> None:
    talk = Talk(1, dead_letters=True)
    talk.fetch()
    assert talk.keep(talk.say(0, 0, REJECT), FAILED).dead_letters == []
    assert talk.states == [(0, 0, ACQUIRED, 1)]
