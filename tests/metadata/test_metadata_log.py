"""What every metadata log promises, whatever engine holds it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from ottla.metadata.image import MetadataImage
from ottla.metadata.log import BrokerIdInUse, Conflict, Fenced, MetadataLog, MetadataLogError, catch_up, load_image
from ottla.metadata.sqlite import MEMORY, SqliteMetadataLog
from ottla.protocol.schema import Data
from ottla.protocol.stored.metadata import ConfigRecord, NoOpRecord

CLUSTER = "a-cluster"


def config(value: str, name: str = "a") -> list[Data]:
    return [ConfigRecord(resource_type=4, resource_name="", name=name, value=value)]


class TestMetadataLog:
    """The suite: run over each implementation."""

    @pytest.fixture(params=["memory", "sqlite"])
    async def log(self, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MetadataLog]:
        log = SqliteMetadataLog(MEMORY if request.param == "memory" else tmp_path / "metadata.db")
        assert await log.open(CLUSTER) == CLUSTER
        yield log
        await log.close()

    async def test_a_new_log_is_empty(self, log: MetadataLog) -> None:
        assert await load_image(log, CLUSTER) == MetadataImage.empty(CLUSTER)

    async def test_what_was_appended_is_read_in_order(self, log: MetadataLog) -> None:
        versions = [await log.append(config(str(i)), i) for i in range(3)]
        assert versions == [1, 2, 3]
        update = await log.read(1)
        assert [(b.version, b.records) for b in update.batches] == [(2, config("1")), (3, config("2"))]

    async def test_an_append_against_an_old_version_conflicts_and_writes_nothing(self, log: MetadataLog) -> None:
        await log.append(config("1"), 0)
        for expected in (0, 2):
            with pytest.raises(Conflict):
                await log.append(config("2"), expected)
        assert (await load_image(log, CLUSTER)).configs.get(4, "") == {"a": "1"}

    async def test_of_many_appends_at_one_version_one_wins(self, log: MetadataLog) -> None:
        results = await asyncio.gather(*(log.append(config(str(i)), 0) for i in range(10)), return_exceptions=True)
        assert sorted(type(r).__name__ for r in results) == ["Conflict"] * 9 + ["int"]

    async def test_waiting_ends_when_the_log_grows(self, log: MetadataLog) -> None:
        waiting = asyncio.create_task(log.wait(0))
        await asyncio.sleep(0)
        assert not waiting.done()
        await log.append(config("1"), 0)
        assert await asyncio.wait_for(waiting, 5) == 1
        assert await log.wait(0) == 1

    async def test_waiting_can_be_given_up(self, log: MetadataLog) -> None:
        waiting = asyncio.create_task(log.wait(0))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    async def test_a_snapshot_stands_for_the_batches_before_it(self, log: MetadataLog) -> None:
        for i in range(3):
            await log.append(config(str(i), f"k{i}"), i)
        image = await load_image(log, CLUSTER)
        await log.write_snapshot(image)
        await log.append(config("3", "k3"), 3)
        update = await log.read(1)
        assert update.snapshot is not None
        assert (update.snapshot.version, [b.version for b in update.batches]) == (3, [4])
        assert (await load_image(log, CLUSTER)).configs.get(4, "") == {"k0": "0", "k1": "1", "k2": "2", "k3": "3"}
        assert (await log.read(3)).snapshot is None

    async def test_an_image_behind_the_snapshot_catches_up(self, log: MetadataLog) -> None:
        await log.append(config("1"), 0)
        old = await load_image(log, CLUSTER)
        await log.append([ConfigRecord(resource_type=4, resource_name="", name="a", value=None)], 1)
        await log.write_snapshot(await load_image(log, CLUSTER))
        image = catch_up(old, await log.read(old.version))
        assert (image.version, dict(image.configs.get(4, ""))) == (2, {})

    async def test_an_older_snapshot_is_not_taken(self, log: MetadataLog) -> None:
        old = await load_image(log, CLUSTER)
        await log.append(config("1"), 0)
        await log.write_snapshot(await load_image(log, CLUSTER))
        await log.write_snapshot(old)
        assert (await load_image(log, CLUSTER)).version == 1

    async def test_a_snapshot_is_due_when_the_log_has_outgrown_the_last(self, log: MetadataLog) -> None:
        assert not log.snapshot_due
        await log.append([record for i in range(1_100) for record in config("x" * 1000, f"k{i}")], 0)
        assert log.snapshot_due
        await log.write_snapshot(await load_image(log, CLUSTER))
        assert not log.snapshot_due

    async def test_a_broker_id_has_one_life_at_a_time_and_every_life_another_epoch(self, log: MetadataLog) -> None:
        first = await log.register(1)
        other = await log.register(2)
        assert await log.alive() == {1, 2}
        with pytest.raises(BrokerIdInUse, match="give this one another"):
            await log.register(1)
        await first.close()
        assert await log.alive() == {2}
        again = await log.register(1)
        assert first.epoch < other.epoch < again.epoch

    async def test_one_leads_and_the_next_one_waits(self, log: MetadataLog) -> None:
        first = await log.campaign()
        second = asyncio.create_task(log.campaign())
        await asyncio.sleep(0)
        assert not second.done()
        await first.close()
        assert (await asyncio.wait_for(second, 5)).epoch > first.epoch

    async def test_a_deposed_leader_cannot_append(self, log: MetadataLog) -> None:
        first = await log.campaign()
        await log.append(config("1"), 0, first)
        await first.close()
        second = await log.campaign()
        with pytest.raises(Fenced):
            await log.append(config("2"), 1, first)
        assert await log.append(config("2"), 1, second) == 2

    async def test_a_closed_log_says_so(self, log: MetadataLog) -> None:
        await log.close()
        with pytest.raises(MetadataLogError, match="closed"):
            await log.append(config("1"), 0)
        with pytest.raises(MetadataLogError, match="closed"):
            await log.read(0)


class TestSharedFile:
    """What holds between processes on one file; here between two logs on it, and once between real processes."""

    @pytest.fixture
    async def pair(self, tmp_path: Path) -> AsyncIterator[tuple[SqliteMetadataLog, SqliteMetadataLog]]:
        logs = SqliteMetadataLog(tmp_path / "metadata.db"), SqliteMetadataLog(tmp_path / "metadata.db")
        assert [await logs[0].open(CLUSTER), await logs[1].open("another-id")] == [CLUSTER, CLUSTER]
        yield logs
        for log in logs:
            await log.close()

    async def test_the_other_sees_an_append(self, pair: tuple[SqliteMetadataLog, SqliteMetadataLog]) -> None:
        one, two = pair
        waiting = asyncio.create_task(two.wait(0))
        await one.append(config("1"), 0)
        assert await asyncio.wait_for(waiting, 5) == 1
        assert (await load_image(two, CLUSTER)).configs.get(4, "") == {"a": "1"}

    async def test_they_conflict(self, pair: tuple[SqliteMetadataLog, SqliteMetadataLog]) -> None:
        one, two = pair
        await one.append(config("1"), 0)
        with pytest.raises(Conflict):
            await two.append(config("2"), 0)

    async def test_sessions_and_leadership_are_seen(self, pair: tuple[SqliteMetadataLog, SqliteMetadataLog]) -> None:
        one, two = pair
        session = await one.register(1)
        assert await two.alive() == {1}
        with pytest.raises(BrokerIdInUse):
            await two.register(1)
        leader = await one.campaign()
        await one.close()
        assert await two.alive() == set()
        assert (await two.register(1)).epoch > session.epoch
        assert (await two.campaign()).epoch > leader.epoch

    async def test_a_session_ends_with_its_process_however_it_ends(self, tmp_path: Path) -> None:
        path = tmp_path / "metadata.db"
        program = (
            "import asyncio, sys\nfrom ottla.metadata.sqlite import SqliteMetadataLog\n"
            "async def main():\n log = SqliteMetadataLog(sys.argv[1])\n await log.open('c')\n await log.register(7)\n"
            " print('ready', flush=True)\n sys.stdin.read()\nasyncio.run(main())\n"
        )
        process = await asyncio.to_thread(
            subprocess.Popen, [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == b"ready\n"
        log = SqliteMetadataLog(path)
        await log.open("c")
        assert await log.alive() == {7}
        process.kill()
        await asyncio.to_thread(process.communicate)
        assert await log.alive() == set()
        await log.close()


class TestTroubles:
    """Errors name the file and the next step."""

    async def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(MetadataLogError, match=r"no-such.*folder must exist"):
            await SqliteMetadataLog(tmp_path / "no-such" / "metadata.db").open(CLUSTER)

    async def test_not_a_database(self, tmp_path: Path) -> None:
        path = tmp_path / "metadata.db"
        path.write_bytes(b"hello" * 1000)
        with pytest.raises(MetadataLogError, match="restore it from a backup"):
            await SqliteMetadataLog(path).open(CLUSTER)

    async def test_written_by_a_newer_release(self, tmp_path: Path) -> None:
        path = tmp_path / "metadata.db"
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA user_version = 99")
        connection.close()
        with pytest.raises(MetadataLogError, match="newer release"):
            await SqliteMetadataLog(path).open(CLUSTER)

    @pytest.mark.parametrize("damage", [lambda data: data[:-3], lambda data: b"\xff" * len(data)])
    async def test_a_damaged_record(self, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
        log = SqliteMetadataLog(tmp_path / "metadata.db")
        await log.open(CLUSTER)
        await log.append([NoOpRecord(), *config("1")], 0)
        await log.close()
        connection = sqlite3.connect(tmp_path / "metadata.db")
        (data,) = connection.execute("SELECT records FROM log").fetchone()
        connection.execute("UPDATE log SET records = ?", (damage(data),))
        connection.commit()
        connection.close()
        log = SqliteMetadataLog(tmp_path / "metadata.db")
        await log.open(CLUSTER)
        with pytest.raises(MetadataLogError, match="damaged"):
            await load_image(log, CLUSTER)
        await log.close()

    async def test_a_durable_append_is_synced(self, tmp_path: Path) -> None:
        log = SqliteMetadataLog(tmp_path / "metadata.db")
        await log.open(CLUSTER)
        assert log._writer is not None
        assert [log._writer.execute(f"PRAGMA {p}").fetchone()[0] for p in ("journal_mode", "synchronous")] == ["wal", 2]
        await log.close()
