"""Offsets by time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ottla.records.batch import build_batch
from ottla.records.compression import Compression
from ottla.records.header import Record
from tests.log.support import NOW, batch, content, open_log, reopen

TIMES = st.lists(st.lists(st.integers(-1, 200), min_size=1, max_size=4), min_size=1, max_size=30)


@settings(max_examples=80, deadline=None)
@given(TIMES, st.integers(0, 210), st.data())
def test_the_first_record_at_or_after_a_time_is_found(times: list[list[int]], asked: int, data: st.DataObject) -> None:
    """Whatever the order of timestamps, the log start and the limit; also where a start lies between, and after the
    indexes were made anew."""
    log = open_log(segment_bytes=data.draw(st.sampled_from([400, 4000])), index_interval_bytes=100)
    restart = data.draw(st.integers(0, 30))
    for number, group in enumerate(times):
        if number == restart:
            log.close()
            log = reopen(log, clean=True)
        records = [Record(0, time if time < 0 else NOW + time, b"k", b"v" * 20) for time in group]
        codec = Compression.GZIP if number % 3 == 0 else Compression.NONE
        log.append_as_leader(build_batch(records, compression=codec), number // 5, NOW)
    start = data.draw(st.integers(0, log.log_end_offset))
    log.delete_records_before(start)
    limit = data.draw(st.integers(start, log.log_end_offset))
    entries = [entry for entry in content(log, start) if entry.offset < limit] if start < log.log_end_offset else []
    wanted = next(((entry.timestamp, entry.offset) for entry in entries if entry.timestamp >= NOW + asked), None)
    if data.draw(st.booleans()):
        log.close()
        log = reopen(log, recovery_point=0)
    found = log.offset_for_timestamp(NOW + asked, limit)
    assert (found and found[:2]) == wanted
    if found is not None:
        assert found[2] == log.leader_epochs.epoch_of(found[1])


def test_the_record_with_the_greatest_time_is_the_first_of_those() -> None:
    log = open_log(segment_bytes=300)
    for time in (5, 9, 3, 9, 1):
        log.append_as_leader(batch(b"x" * 100, timestamp=NOW + time), 0, NOW)
    assert log.max_timestamp_offset() == (NOW + 9, 1, 0)
    assert open_log().max_timestamp_offset() is None
    assert log.offset_for_timestamp(NOW + 10) is None


def test_the_greatest_time_counts_until_its_segment_goes() -> None:
    """Kafka's answer, too: DeleteRecords hides a record, and ListOffsets of the greatest timestamp still names it."""
    log = open_log()
    for timestamp in (NOW + 9, NOW, NOW + 5):
        log.append_as_leader(batch(b"x", timestamp=timestamp), 0, NOW)
    log.delete_records_before(1)
    assert log.max_timestamp_offset() == (NOW + 9, 0, 0)
    assert log.max_timestamp_offset(0) is None, "not yet visible"
    assert log.offset_for_timestamp(NOW + 6) is None


def test_older_records_after_a_clean_start_do_not_hide_the_newest() -> None:
    """The greatest time of the active segment is not known when a clean start opens it; an append must not guess it."""
    log = open_log(segment_bytes=300)
    for timestamp in (NOW + 90, NOW + 10):
        log.append_as_leader(batch(b"x", timestamp=timestamp), 0, NOW)
    log.close()
    log = reopen(log, clean=True)
    log.append_as_leader(batch(b"y", timestamp=NOW + 20), 0, NOW)
    assert log.max_timestamp_offset() == (NOW + 90, 0, 0)
    assert log.offset_for_timestamp(NOW + 50) == (NOW + 90, 0, 0)
    log.roll(NOW)
    assert log.segments[0].max_timestamp == NOW + 90, "retention goes by it"
    assert log.offset_for_timestamp(NOW + 50) == (NOW + 90, 0, 0)
