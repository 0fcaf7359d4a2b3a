"""A log on its way to another folder: wherever power fails, everything durable is served, and the move can go on."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from ottla.broker.steps import run_here
from ottla.log.config import LogConfig
from ottla.log.errors import KafkaStorageError
from ottla.log.files import FaultyFiles, MemoryFiles
from ottla.log.log import Log
from ottla.log.manager import LogManager
from ottla.log.move import MoveAborted
from tests.log.support import NOW, batch, fill, state_of, values

ID = b"0123456789abcdef"
CONFIG = LogConfig(segment_bytes=1000, index_interval_bytes=200, file_delete_delay_ms=0)


def started(files: MemoryFiles) -> LogManager:
    manager = LogManager(files, ["/one", "/two"], CONFIG)
    assert manager.load(NOW).damaged == []
    return manager


def prepared(seed: int) -> tuple[LogManager, Log]:
    """A log with several segments, an aborted transaction's producer and a log start that was raised, all durable."""
    manager = started(FaultyFiles(seed))
    log = manager.create("orders", 0, ID, CONFIG, NOW)
    fill(log, 20)
    log.append_as_leader(batch("x", producer_id=7, producer_epoch=0, base_sequence=0), 3, NOW)
    log.delete_records_before(2)
    log.sync()
    manager.checkpoint()
    return manager, log


def move(manager: LogManager, log: Log) -> Log:
    target = next(found for found in manager.directories if found is not manager.directory_of("orders", 0))
    steps = manager.start_move(log, target, lambda: False)
    run_here(steps.copy())  # type: ignore[arg-type]
    return manager.finish_move(steps, NOW)


def calls(manager: LogManager) -> int:
    assert isinstance(manager.files, FaultyFiles)
    return manager.files.faults.calls


def test_power_may_fail_at_every_change_that_a_move_makes_to_the_disk() -> None:
    manager, log = prepared(1)
    before, wanted = calls(manager), state_of(log)
    moved = move(manager, log)
    assert moved.directory == "/two/orders-0"
    assert state_of(moved) == wanted
    points = calls(manager) - before
    assert points > 20
    resumed = 0
    for point in range(points):
        manager, log = prepared(1)
        files = manager.files
        assert isinstance(files, FaultyFiles)
        files.faults.rng = random.Random(point)
        files.fail_after(point)
        with pytest.raises((OSError, KafkaStorageError)):
            move(manager, log)
        manager.shutdown(clean=False)
        files.crash()
        manager = started(files)
        found = manager.get("orders", 0)
        assert found is not None
        assert values(found) == [entry.value for entry in wanted["content"]], point
        assert state_of(found)["producers"] == wanted["producers"]
        assert found.log_start_offset == 2
        for again, target in manager.take_interrupted_moves():
            assert (again, target.path) == (found, "/two"), point
            resumed += 1
        assert state_of(move(manager, found))["content"] == wanted["content"]
        manager.apply_retention(NOW + 1)
        folders = sorted(f"{each.path}/{name}" for each in manager.directories for name in each.folders())
        assert len([name for name in folders if not name.endswith("-stray")]) == 1, folders
        manager.shutdown()
    assert resumed > points // 2


def test_what_comes_while_a_log_is_copied_is_synced_before_the_move_ends_and_nothing_after() -> None:
    manager, log = prepared(1)
    steps = manager.start_move(log, manager.directories[1], lambda: False)
    for number, step in enumerate(steps.copy()):
        if number < 8:
            fill(log, 1, start=100 + number)
        step()
    assert number < 20
    synced: list[int] = []
    assert isinstance(manager.files, FaultyFiles)
    manager.files.sync_inode = lambda inode: synced.append(len(inode.data))  # type: ignore[method-assign]
    steps.finish()
    assert synced == [], "nothing is left for the loop to wait for"
    assert values(manager.finish_move(steps, NOW)) == values(log)


def test_a_log_that_is_always_written_moves_all_the_same() -> None:
    manager, log = prepared(1)
    steps = manager.start_move(log, manager.directories[1], lambda: False)
    for number, step in enumerate(steps.copy()):
        step()
        fill(log, 1, start=100 + number)
    wanted = values(log)
    assert values(manager.finish_move(steps, NOW)) == wanted
    assert len(wanted) > 30


def test_a_stop_leaves_what_the_next_start_goes_on_with_and_a_cancelled_move_nothing() -> None:
    for stops in (True, False):
        manager, log = prepared(1)
        steps = manager.start_move(log, manager.directories[1], lambda stops=stops: stops)  # type: ignore[misc]
        steps.cancelled = not stops
        with pytest.raises(MoveAborted):
            run_here(steps.copy())  # type: ignore[arg-type]
        steps.give_up()
        manager.shutdown()
        manager = started(manager.files)  # type: ignore[arg-type]
        assert [target.path for _, target in manager.take_interrupted_moves()] == (["/two"] if stops else [])
        assert manager.take_interrupted_moves() == []


def test_the_move_of_a_topic_that_had_this_name_before_is_not_gone_on_with() -> None:
    manager, log = prepared(1)
    steps = manager.start_move(log, manager.directories[1], lambda: True)
    steps._make_known(manager.files)
    manager.delete("orders", 0, NOW)
    manager.create("orders", 0, ID[::-1], replace(CONFIG), NOW)
    manager.shutdown()
    manager = started(manager.files)  # type: ignore[arg-type]
    assert manager.take_interrupted_moves() == []
