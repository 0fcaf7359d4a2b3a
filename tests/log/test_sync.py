"""Group commit, and what a medium that fails does to the log."""

from __future__ import annotations

import errno
import threading

import pytest

from ottla.log.errors import KafkaStorageError
from ottla.log.files import DiskFiles, FaultyFiles
from ottla.protocol.errors import ErrorCode
from tests.log.support import NOW, fill, open_log


def test_a_sync_point_covers_what_came_before_it_and_no_more() -> None:
    log = open_log(FaultyFiles())
    fill(log, 5)
    point = log.prepare_sync()
    fill(log, 3, start=5)
    point.run()
    assert log.complete_sync(point) == 5
    assert log.recovery_point == 5
    log.sync()
    assert log.recovery_point == 8


def test_a_point_that_did_not_run_proves_nothing() -> None:
    log = open_log()
    fill(log, 5)
    assert log.complete_sync(log.prepare_sync()) == 0


def test_rolls_and_deletions_between_prepare_and_complete_do_no_harm() -> None:
    files = FaultyFiles(5)
    log = open_log(files, segment_bytes=500, retention_bytes=0, retention_ms=-1)
    fill(log, 7)
    point = log.prepare_sync()
    fill(log, 9, start=7)
    log.apply_retention(NOW, 4)
    point.run()
    assert log.complete_sync(point) == 7
    later = log.prepare_sync()
    later.run()
    assert log.complete_sync(later) == 16
    assert log.complete_sync(point) == 16


def test_points_may_complete_in_any_order() -> None:
    log = open_log(FaultyFiles())
    fill(log, 2)
    first = log.prepare_sync()
    fill(log, 2, start=2)
    second = log.prepare_sync()
    second.run()
    assert log.complete_sync(second) == 4
    first.run()
    assert log.complete_sync(first) == 4


def test_nothing_new_means_nothing_to_sync() -> None:
    log = open_log(FaultyFiles())
    fill(log, 2)
    log.sync()
    assert log.prepare_sync()._syncs == []


def test_run_in_a_thread_while_the_loop_goes_on(tmp_path: object) -> None:
    log = open_log(DiskFiles(open_files_max=2), f"{tmp_path}/t-0", segment_bytes=2000)
    done = 0
    for turn in range(20):
        fill(log, 7, start=turn * 7)
        point = log.prepare_sync()
        thread = threading.Thread(target=point.run)
        thread.start()
        fill(log, 1, start=1000)
        thread.join()
        done = log.complete_sync(point)
        assert done == turn * 8 + 7
    log.close()


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_a_failed_write_ends_the_log_directory(error: int) -> None:
    files = FaultyFiles()
    log = open_log(files)
    other = open_log(files, "/data/other-0", health=log.health)
    fill(log, 3)
    fill(other, 3)
    files.fail_after(0, error)
    with pytest.raises(KafkaStorageError) as first:
        fill(log, 1)
    assert first.value.code is ErrorCode.KAFKA_STORAGE_ERROR
    for broken in (log, other):
        for action in (
            lambda: fill(broken, 1), lambda: broken.read(0, 100), broken.prepare_sync,
            lambda: broken.apply_retention(NOW), lambda: broken.offset_for_timestamp(NOW), lambda: broken.truncate_to(1, NOW),
            lambda: broken.append_as_follower(b"", NOW), lambda: broken.delete_records_before(1),
        ):  # fmt: skip
            with pytest.raises(KafkaStorageError):
                action()
    log.close()


def test_a_failed_sync_is_never_tried_again() -> None:
    files = FaultyFiles()
    log = open_log(files)
    fill(log, 3)
    point = log.prepare_sync()
    files.fail_syncs()
    with pytest.raises(KafkaStorageError):
        point.run()
    files.fail_syncs(False)
    with pytest.raises(KafkaStorageError):
        point.run()
    assert log.complete_sync(point) == 0
    with pytest.raises(KafkaStorageError):
        log.prepare_sync()


def test_what_a_failed_append_left_behind_is_cut_by_the_next_start() -> None:
    for seed in range(20):
        files = FaultyFiles(seed)
        log = open_log(files)
        fill(log, 3)
        log.sync()
        files.fail_after(0, errno.ENOSPC)
        with pytest.raises(KafkaStorageError):
            fill(log, 1)
        again = open_log(files, clean=False, recovery_point=3)
        assert again.log_end_offset in (3, 4)  # the write that failed may have reached the disk whole
        assert again.active.size == files.size(again.active.file.path)
