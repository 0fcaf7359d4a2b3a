"""Cutting a follower's log, and answering where logs diverge."""

from __future__ import annotations

import pytest

from ottla.log.config import LogConfig
from ottla.log.files import MemoryFiles
from ottla.log.manager import LogManager
from tests.log.support import NOW, batch, content, fill, open_log, reopen, state_of
from tests.log.test_recovery import rich_log


@pytest.mark.parametrize("clean", [True, False])
def test_a_truncated_log_is_the_log_that_never_had_the_rest(clean: bool) -> None:
    whole = rich_log()
    bases = [segment.base_offset for segment in whole.segments]
    for cut in [*bases[1:], *[base + 3 for base in bases], whole.log_end_offset - 1]:
        log = rich_log()
        log.truncate_to(cut, NOW)
        end = log.log_end_offset
        assert end <= cut
        assert content(log) == [entry for entry in content(whole) if entry.offset < end]
        assert all(offset < end for _, offset in log.leader_epochs.entries())
        before = state_of(log)
        log.close(clean)
        again = state_of(reopen(log, clean=clean))
        for key in ("content", "offsets", "epochs", "producers", "ongoing", "aborted", "newest"):
            assert again[key] == before[key], (key, cut)


def test_truncation_to_the_end_or_beyond_changes_nothing() -> None:
    log = rich_log()
    before = state_of(log)
    log.truncate_to(log.log_end_offset, NOW)
    log.truncate_to(log.log_end_offset + 10, NOW)
    assert state_of(log) == before


def test_truncating_below_the_first_segment_begins_anew() -> None:
    log = open_log(log_start_offset=50)
    fill(log, 5)
    log.truncate_to(20, NOW)
    assert (log.log_start_offset, log.log_end_offset, len(log.segments)) == (20, 20, 1)
    log.append_as_follower(batch("a", base_offset=20), NOW)
    assert [entry.offset for entry in content(log)] == [20]


def test_beginning_anew_at_a_leaders_log_start() -> None:
    log = rich_log()
    log.truncate_fully(5000, NOW)
    assert (log.log_start_offset, log.log_end_offset, log.size) == (5000, 5000, 0)
    assert log.leader_epochs.entries() == []
    assert log.producer_state.producers == {}
    log.append_as_follower(batch("a", base_offset=5000, leader_epoch=9), NOW)
    log.close()
    assert state_of(reopen(log, recovery_point=0))["content"] == content(log)


def test_a_sync_point_from_before_a_truncation_proves_nothing() -> None:
    log = open_log()
    fill(log, 10)
    point = log.prepare_sync()
    log.truncate_to(4, NOW)
    fill(log, 6, start=100)
    point.run()
    assert log.complete_sync(point) == 0
    log.sync()
    assert log.recovery_point == 10


def test_the_manager_lowers_the_recovery_point_on_the_medium_before_bytes_go() -> None:
    files = MemoryFiles()
    manager = LogManager(files, ["/data"], LogConfig())
    manager.load(NOW)
    log = manager.create("orders", 0, bytes(16), None, NOW)
    fill(log, 10)
    log.sync()
    manager.checkpoint()
    manager.truncate_to(log, 4, NOW)
    manager.shutdown(clean=False)
    again = LogManager(files, ["/data"], LogConfig())
    report = again.load(NOW)
    assert report.damaged == []
    found = again.get("orders", 0)
    assert found is not None
    assert found.log_end_offset == 4


def test_the_end_of_an_epoch_is_where_the_next_begins() -> None:
    log = open_log()
    for epoch in (2, 2, 5, 7):
        log.append_as_leader(batch("a"), epoch, NOW)
    assert log.end_offset_for_epoch(7) == (7, 4)
    assert log.end_offset_for_epoch(5) == (5, 3)
    assert log.end_offset_for_epoch(6) == (5, 3)
    assert log.end_offset_for_epoch(2) == (2, 2)
    assert log.end_offset_for_epoch(1) == (1, 0)
    assert log.end_offset_for_epoch(8) == (-1, -1)
    assert log.end_offset_for_epoch(-1) == (-1, -1)
    log.assign_epoch(9)
    assert log.end_offset_for_epoch(7) == (7, 4)
    assert log.end_offset_for_epoch(9) == (9, 4)
