"""One round of fsyncs serves all who came before it; the disk is never asked twice at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ottla.broker.group_commit import SYNC_THREADS, GroupCommit
from ottla.log.errors import KafkaStorageError
from tests.support.wires import turns


class Disk:
    """How many syncs run, and whether they may go on."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Semaphore(0)
        self.runs: list[str] = []


class Place:
    """A partition, as far as a group commit goes: its log is itself, and so is the sync point."""

    def __init__(self, disk: Disk, name: str = "p", problem: Exception | None = None) -> None:
        self.disk, self.name, self.problem = disk, name, problem
        self.closed = False
        self.told = asyncio.Queue[str]()
        self.log = self

    def prepare_sync(self) -> Place:
        if isinstance(self.problem, KafkaStorageError):
            raise self.problem
        return self

    def run(self) -> None:
        self.disk.runs.append(self.name)
        self.disk.begun.release()
        self.disk.gate.wait(10)
        if self.problem is not None:
            raise self.problem

    def on_synced(self, point: Any) -> None:
        assert point is self
        self.told.put_nowait("synced")

    def on_disk_failure(self, problem: BaseException) -> None:
        assert problem is self.problem
        self.told.put_nowait("failed")


@pytest.fixture
async def commit() -> AsyncIterator[GroupCommit]:
    commit = GroupCommit()
    yield commit
    await commit.stop()


async def test_all_partitions_of_a_turn_are_one_round(commit: GroupCommit) -> None:
    places = [Place(Disk(), f"p{i}") for i in range(3)]
    for place in places * 2:
        commit.request(place)  # type: ignore[arg-type]
    assert [await place.told.get() for place in places] == ["synced"] * 3
    assert commit.rounds == 1
    assert [place.disk.runs for place in places] == [["p0"], ["p1"], ["p2"]]


async def test_who_asks_during_a_round_is_served_by_the_next(commit: GroupCommit) -> None:
    disk = Disk()
    disk.gate.clear()
    place = Place(disk)
    commit.request(place)  # type: ignore[arg-type]
    await asyncio.to_thread(disk.begun.acquire)
    for _ in range(5):
        commit.request(place)  # type: ignore[arg-type]
    await turns()
    assert len(disk.runs) == 1, "never twice at once"
    disk.gate.set()
    assert [await place.told.get() for _ in range(2)] == ["synced", "synced"]
    assert (commit.rounds, len(disk.runs)) == (2, 2)


async def test_more_partitions_than_threads_are_all_synced(commit: GroupCommit) -> None:
    places = [Place(Disk()) for _ in range(3 * SYNC_THREADS)]
    for place in places:
        commit.request(place)  # type: ignore[arg-type]
    for place in places:
        assert await place.told.get() == "synced"


async def test_a_failure_is_told_to_the_partition_that_had_it_and_the_others_go_on(commit: GroupCommit) -> None:
    good, bad = Place(Disk()), Place(Disk(), problem=OSError(5, "Input/output error"))
    for place in (bad, good):
        commit.request(place)  # type: ignore[arg-type]
    assert (await good.told.get(), await bad.told.get()) == ("synced", "failed")
    commit.request(good)  # type: ignore[arg-type]
    assert await good.told.get() == "synced"


async def test_a_log_dir_that_failed_before_the_round_ends_its_partition_and_no_other(commit: GroupCommit) -> None:
    """Once one such partition kept every other from ever being committed again."""
    good, dead = Place(Disk()), Place(Disk(), problem=KafkaStorageError("offline"))
    for _ in range(2):
        commit.request(dead)  # type: ignore[arg-type]
        commit.request(good)  # type: ignore[arg-type]
        assert (await good.told.get(), await dead.told.get()) == ("synced", "failed")
    commit.request(dead)  # type: ignore[arg-type]
    assert await dead.told.get() == "failed"
    commit.request(good)  # type: ignore[arg-type]
    assert await good.told.get() == "synced"


async def test_a_partition_that_was_closed_meanwhile_is_told_nothing(commit: GroupCommit) -> None:
    disk = Disk()
    disk.gate.clear()
    leaving, staying = Place(disk), Place(disk)
    for place in (leaving, staying):
        commit.request(place)  # type: ignore[arg-type]
    await asyncio.to_thread(disk.begun.acquire)
    leaving.closed = True
    disk.gate.set()
    assert await staying.told.get() == "synced"
    assert leaving.told.empty()
    commit.request(leaving)  # type: ignore[arg-type]
    await turns()
    assert commit.rounds == 1, "a round without partitions is none"


async def test_stop_waits_for_the_round_under_way() -> None:
    commit, disk = GroupCommit(), Disk()
    disk.gate.clear()
    place = Place(disk)
    commit.request(place)  # type: ignore[arg-type]
    await asyncio.to_thread(disk.begun.acquire)
    stopping = asyncio.create_task(commit.stop())
    await turns()
    assert not stopping.done()
    disk.gate.set()
    await stopping
    assert place.told.get_nowait() == "synced"
