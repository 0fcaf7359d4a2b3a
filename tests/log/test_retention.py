"""What goes from the front of a log, when, and what of it a crash may bring back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ottla.log.config import HOUR_MS
from ottla.log.retention import purge_deleted
from ottla.protocol.errors import ErrorCode, KafkaError
from tests.log.support import FOLDER, NOW, batch, content, fill, open_log, reopen, values


def test_segments_go_when_their_newest_record_is_too_old() -> None:
    log = open_log(segment_bytes=1000, retention_ms=HOUR_MS)
    fill(log, 30)
    second = log.segments[1]
    assert log.apply_retention(NOW + HOUR_MS) == 0
    newest = second.max_timestamp
    assert log.apply_retention(newest + HOUR_MS + 1) == 2
    assert log.log_start_offset == second.next_offset == log.segments[0].base_offset
    assert content(log)[0].offset == second.next_offset


def test_when_everything_is_too_old_an_empty_segment_takes_over() -> None:
    log = open_log(segment_bytes=1000, retention_ms=HOUR_MS)
    fill(log, 30)
    assert log.apply_retention(NOW + 2 * HOUR_MS) > 1
    assert (log.log_start_offset, log.log_end_offset, log.size) == (30, 30, 0)
    assert log.append_as_leader(batch("x"), 0, NOW).first_offset == 30
    assert log.apply_retention(NOW) == 0


def test_records_without_a_time_go_by_the_time_of_their_file() -> None:
    log = open_log(retention_ms=HOUR_MS)
    log.append_as_leader(batch("a", timestamp=-1), 0, NOW)
    assert log.apply_retention(HOUR_MS) == 0
    assert log.apply_retention(HOUR_MS + 1) == 1  # files in memory were last changed at 0


def test_segments_go_by_size_as_long_as_the_rest_has_it() -> None:
    log = open_log(segment_bytes=1000, retention_ms=-1, retention_bytes=2500)
    fill(log, 30)
    log.apply_retention(NOW)
    assert log.size >= 2500
    assert log.size - log.segments[0].size < 2500
    log.config = replace(log.config, retention_bytes=-1)
    assert log.apply_retention(NOW) == 0


def test_nothing_at_or_above_the_high_watermark_goes() -> None:
    log = open_log(segment_bytes=1000, retention_ms=0)
    fill(log, 30)
    assert log.apply_retention(NOW + HOUR_MS, high_watermark=log.segments[1].next_offset - 1) == 1
    assert log.apply_retention(NOW + HOUR_MS, high_watermark=0) == 0


def test_a_topic_that_does_not_delete_keeps_all_but_what_lies_below_the_log_start() -> None:
    for policy in (frozenset({"compact"}), frozenset[str]()):
        log = open_log(segment_bytes=1000, retention_ms=0, retention_bytes=0, cleanup_policy=policy)
        fill(log, 30)
        assert log.apply_retention(NOW + HOUR_MS) == 0
        log.delete_records_before(log.segments[2].base_offset)
        assert log.apply_retention(NOW + HOUR_MS) == 2


def test_delete_records_raises_the_log_start_only() -> None:
    log = open_log()
    fill(log, 10)
    assert log.delete_records_before(4) == 4
    assert log.delete_records_before(2) == 4
    assert [entry.offset for entry in content(log)] == [4, 5, 6, 7, 8, 9]
    assert log.leader_epochs.entries() == [(0, 4)]
    assert log.delete_records_before(-1, 8) == 8
    for offset in (9, 11, -2):
        with pytest.raises(KafkaError) as error:
            log.delete_records_before(offset, 8)
        assert error.value.code is ErrorCode.OFFSET_OUT_OF_RANGE
    assert log.offset_for_timestamp(NOW) == (NOW + 8, 8, 0)


def test_files_stay_as_deleted_until_their_delay_is_over() -> None:
    log = open_log(segment_bytes=1000, file_delete_delay_ms=100, retention_bytes=0, retention_ms=-1)
    fill(log, 30)
    first = log.segments[0]
    log.apply_retention(NOW)
    names = log.files.list(FOLDER)
    assert f"{first.base_offset:020d}.log.deleted" in names
    assert f"{first.base_offset:020d}.log" not in names
    purge_deleted(log, NOW + 99)
    assert log.files.list(FOLDER) == names
    purge_deleted(log, NOW + 100)
    assert not [name for name in log.files.list(FOLDER) if name.endswith(".deleted")]


def test_segments_that_a_crash_brings_back_stay_deleted() -> None:
    """A file system may lose some renames and keep others: below the checkpointed log start nothing is served."""
    log = open_log(segment_bytes=1000)
    fill(log, 30)
    log.sync()
    log.close()
    middle = log.segments[1]
    log.files.remove(middle.path(".log"))
    start = log.segments[3].base_offset
    opened = reopen(log, log_start_offset=start)
    assert opened.log_start_offset == opened.segments[0].base_offset == start
    assert len(values(opened)) == 30 - start
