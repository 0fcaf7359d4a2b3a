"""Sequences, epochs, duplicates, transactions: what a partition decides about a producer's batch."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.log.config import DAY_MS
from ottla.log.errors import CorruptSidecarError
from ottla.log.log import Log, Origin
from ottla.log.producer_state import ProducerState
from ottla.protocol.errors import ErrorCode, KafkaError
from ottla.records.batch import iter_headers
from tests.log.support import NOW, batch, open_log, reopen
from tests.log.test_recovery import marker

SEQUENCE_MAX = (1 << 31) - 1


def produce(
    log: Log, sequence: int, epoch: int = 0, count: int = 1, producer: int = 1, transactional: bool = False
) -> tuple[int, int, bool]:
    records = batch(
        *["x"] * count, producer_id=producer, producer_epoch=epoch, base_sequence=sequence, transactional=transactional
    )
    result = log.append_as_leader(records, 0, NOW)
    return result.first_offset, result.last_offset, result.duplicate


def error_of(log: Log, *arguments: int, **options: int | bool) -> ErrorCode:
    end = log.log_end_offset
    with pytest.raises(KafkaError) as error:
        produce(log, *arguments, **options)  # type: ignore[arg-type]
    assert log.log_end_offset == end
    return error.value.code


def test_the_last_five_batches_are_known_as_duplicates_and_answer_their_offsets() -> None:
    log = open_log()
    for sequence in range(0, 14, 2):
        assert produce(log, sequence, count=2) == (sequence, sequence + 1, False)
    for sequence in range(4, 14, 2):
        assert produce(log, sequence, count=2) == (sequence, sequence + 1, True)
    assert error_of(log, 2, count=2) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert error_of(log, 12, count=1) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert log.log_end_offset == 14


def test_a_gap_is_out_of_order() -> None:
    log = open_log()
    produce(log, 0)
    assert error_of(log, 2) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert produce(log, 1) == (1, 1, False)


def test_an_older_epoch_is_fenced_and_a_newer_one_begins_at_zero() -> None:
    log = open_log()
    produce(log, 0, epoch=3)
    assert error_of(log, 1, epoch=2) is ErrorCode.INVALID_PRODUCER_EPOCH
    assert error_of(log, 1, epoch=4) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert produce(log, 0, epoch=4) == (1, 1, False)
    assert produce(log, 1, epoch=4) == (2, 2, False)


def test_an_unknown_producer_may_begin_anywhere() -> None:
    assert produce(open_log(), 77) == (0, 0, False)


def test_sequences_wrap_at_the_end_of_their_range() -> None:
    log = open_log()
    produce(log, SEQUENCE_MAX - 1)
    produce(log, SEQUENCE_MAX)
    assert produce(log, 0) == (2, 2, False)
    log = open_log()
    produce(log, SEQUENCE_MAX - 1, count=4)
    assert log.producer_state.producers[1].last_sequence == 1
    assert produce(log, SEQUENCE_MAX - 1, count=4) == (0, 3, True)
    assert produce(log, 2) == (4, 4, False)


def test_an_idle_producer_is_forgotten_but_not_one_with_an_open_transaction() -> None:
    log = open_log(retention_ms=-1)
    produce(log, 0)
    produce(log, 0, producer=2, transactional=True)
    log.apply_retention(NOW)
    log.apply_retention(NOW + DAY_MS - 1)
    assert set(log.producer_state.producers) == {1, 2}
    log.apply_retention(NOW + DAY_MS)
    assert set(log.producer_state.producers) == {2}
    assert [entry.producer_id for entry in log.active_producers(NOW + 2 * DAY_MS)] == [2]


def test_a_plain_batch_within_a_transaction_is_refused() -> None:
    log = open_log()
    produce(log, 0, transactional=True)
    assert error_of(log, 1) is ErrorCode.INVALID_TXN_STATE


def end(log: Log, commit: bool, producer: int = 1, epoch: int = 0, version: int = 0) -> None:
    log.append_as_leader(marker(producer, epoch, commit), 0, NOW, Origin.COORDINATOR, version)


def test_the_stable_offset_waits_for_the_oldest_open_transaction_and_for_its_marker() -> None:
    log = open_log()
    produce(log, 0)
    produce(log, 0, producer=2, transactional=True)
    produce(log, 0, producer=3, transactional=True)
    produce(log, 1)
    assert log.last_stable_offset == 1
    end(log, True, producer=2)
    assert log.last_stable_offset == 2
    assert log.stable_offset(4) == 1  # the marker at 4 is not below the high watermark yet
    assert log.stable_offset(5) == 2
    end(log, False, producer=3)
    assert log.stable_offset(6) == 6
    assert log.last_stable_offset == 6
    log.delete_records_before(6)
    produce(log, 1, producer=2, transactional=True)
    log.delete_records_before(7)
    assert log.stable_offset(7) == 7


def test_aborted_transactions_are_found_by_range_and_sorted_by_first_offset() -> None:
    log = open_log(segment_bytes=200)
    produce(log, 0, producer=2, transactional=True)  # 0
    produce(log, 0, producer=3, transactional=True)  # 1
    produce(log, 1, producer=2, transactional=True)  # 2
    end(log, False, producer=3)  # 3
    end(log, False, producer=2)  # 4
    produce(log, 0, producer=4, transactional=True)  # 5
    end(log, True, producer=4)  # 6
    produce(log, 2, producer=2, transactional=True)  # 7
    end(log, False, producer=2)  # 8
    assert len(log.segments) > 2
    for opened in (log, None):
        if opened is None:
            log.close()
            opened = reopen(log, recovery_point=0)
        assert opened.aborted_transactions(0, 9) == [(2, 0), (3, 1), (2, 7)]
        assert opened.aborted_transactions(0, 1) == [(2, 0)]
        assert opened.aborted_transactions(4, 7) == [(2, 0)]
        assert opened.aborted_transactions(5, 9) == [(2, 7)]
        assert opened.aborted_transactions(5, 7) == []


def test_markers_are_fenced_by_epoch_and_coordinator() -> None:
    log = open_log()
    produce(log, 0, epoch=5, transactional=True)
    with pytest.raises(KafkaError) as error:
        end(log, True, epoch=4)
    assert error.value.code is ErrorCode.INVALID_PRODUCER_EPOCH
    with pytest.raises(KafkaError):
        end(log, True, epoch=5, version=2)  # from transactions version 2 on a marker has an epoch of its own
    end(log, True, epoch=6, version=2)
    end(log, True, epoch=6, version=2)  # the same once more: written, for the answer may have been lost
    log.producer_state.producers[1].coordinator_epoch = 9
    with pytest.raises(KafkaError) as error:
        end(log, True, epoch=6)
    assert error.value.code is ErrorCode.TRANSACTION_COORDINATOR_FENCED
    assert error_of(log, 1, epoch=6) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert produce(log, 0, epoch=6)[2] is False


def test_after_a_restart_the_last_batch_is_still_a_duplicate() -> None:
    log = open_log()
    for sequence in range(3):
        produce(log, sequence)
    log.close()
    again = reopen(log, clean=True)
    assert produce(again, 2) == (2, 2, True)
    assert produce(again, 3) == (3, 3, False)


@pytest.mark.parametrize("clean", [True, False])
def test_a_producer_of_old_events_is_known_after_a_restart(clean: bool) -> None:
    """Kafka's StreamsSmokeTest feeds the day before yesterday; what it sent again after a kill was appended twice."""
    log = open_log(segment_bytes=400)
    for sequence in range(6):
        produce(log, sequence)  # at the time NOW
    for later_ms in (3 * DAY_MS, 3 * DAY_MS + 1):
        if clean:
            log.producer_state.expire(NOW + 3 * DAY_MS, DAY_MS)
            log.close()
        log = reopen(log, clean=clean, now_ms=NOW + later_ms)
        assert produce(log, 5) == (5, 5, True)


def test_a_producer_is_forgotten_a_day_after_it_was_seen_to_write() -> None:
    log = open_log()
    state = log.producer_state
    produce(log, 0)
    for hours in range(0, 96, 12):  # it writes all the time, events of NOW
        produce(log, hours // 12 + 1)
        state.expire(NOW + hours * DAY_MS // 24, DAY_MS)
        assert 1 in state.producers
    idle_since = NOW + 84 * DAY_MS // 24
    state.expire(idle_since + DAY_MS - 1, DAY_MS)
    assert 1 in state.producers
    state.expire(idle_since + DAY_MS, DAY_MS)
    assert 1 not in state.producers


# -- snapshots --------------------------------------------------------------------------------------------------------


def test_a_snapshot_is_kafkas_version_1() -> None:
    log = open_log()
    produce(log, 7, epoch=3, count=2, producer=99, transactional=True)
    data = log.producer_state.to_snapshot()
    assert data[:2] == b"\0\1"
    assert data[6:] == struct.pack(">iqhiqiqiq", 1, 99, 3, 8, 1, 1, NOW, -1, 0)


@given(st.data())
def test_a_damaged_snapshot_is_found_out(data: st.DataObject) -> None:
    log = open_log()
    for producer in range(3):
        produce(log, 0, producer=producer)
    whole = log.producer_state.to_snapshot()
    assert ProducerState.from_snapshot(whole, "t", 3).to_snapshot() == whole
    damaged = bytearray(whole)
    if data.draw(st.booleans()):
        damaged[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del damaged[data.draw(st.integers(0, len(whole) - 1)) :]
    with pytest.raises(CorruptSidecarError):
        ProducerState.from_snapshot(bytes(damaged), "t", 3)


def test_what_comes_after_a_batch_that_is_being_verified_does_not_overtake_it() -> None:
    """KIP-890: where nothing says which sequence is next, the least one that was tried does."""
    state = ProducerState("t-0")
    state.begin_verification(7, 0, 5)
    state.begin_verification(7, 0, 3)
    state.begin_verification(7, 0, 9)
    assert state.verifying == {7: (0, 3)}
    five, three, newer = (
        next(
            header
            for _, header in iter_headers(batch("v", producer_id=7, producer_epoch=epoch, base_sequence=sequence))
        )
        for epoch, sequence in ((0, 5), (0, 3), (1, 0))
    )
    with pytest.raises(KafkaError) as refused:
        state.check(five, 0)
    assert refused.value.code is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert state.check(three, 0) is None
    state.begin_verification(7, 1, 0)
    assert state.verifying == {7: (1, 0)}
    state.record_data(newer, 0, 0)
    assert state.verifying == {}


def test_a_late_repetition_that_is_verified_does_not_hold_back_what_comes_next() -> None:
    """The entry says what is next: sequence 1. Apache Kafka would refuse it as overtaking the repeated 0."""
    state = ProducerState("t-0")
    first, second = (
        next(header for _, header in iter_headers(batch("v", producer_id=7, producer_epoch=0, base_sequence=sequence)))
        for sequence in (0, 1)
    )
    state.record_data(first, 0, 0)
    state.begin_verification(7, 0, 0)
    assert state.check(second, 1) is None
