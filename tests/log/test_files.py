"""Disk, memory and the faulty disk behave as the log expects of a medium."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ottla.log import disk_files
from ottla.log.errors import LockedError
from ottla.log.files import DiskFiles, FaultyFiles, Files, MemoryFiles, parent_of
from ottla.log.log import Log
from tests.log.support import NOW, fill, open_log, reopen, values

Make = Callable[[], tuple[Files, str]]


@pytest.fixture(params=["disk", "memory", "faulty"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Files, str]:
    if request.param == "disk":
        return DiskFiles(), str(tmp_path)
    files: Files = MemoryFiles() if request.param == "memory" else FaultyFiles()
    files.mkdir("/tmp/x")
    return files, "/tmp/x"


def test_a_file_is_appended_read_at_a_place_cut_and_found_again(place: tuple[Files, str]) -> None:
    files, folder = place
    file = files.open(f"{folder}/a", create=True)
    file.append(b"hello ")
    file.append(bytearray(b"wor"))
    file.append(memoryview(b"ld"))
    assert (file.size, file.pread(5, 6), file.pread(100, 8), file.pread(3, 50)) == (11, b"world", b"rld", b"")
    file.truncate(5)
    file.append(b"!")
    file.sync()
    file.pin()()
    assert files.read_all(f"{folder}/a") == b"hello!"
    file.close()
    assert file.pread(5, 0) == b"hello"
    assert files.open(f"{folder}/a").size == files.size(f"{folder}/a") == 6
    file.close()


def test_names_are_listed_renamed_replaced_and_removed(place: tuple[Files, str]) -> None:
    files, folder = place
    files.mkdir(f"{folder}/sub/deep")
    files.mkdir(f"{folder}/sub")
    files.replace(f"{folder}/a", b"one")
    files.replace(f"{folder}/a", b"three", durable=False)
    files.rename(f"{folder}/a", f"{folder}/b")
    files.replace(f"{folder}/sub/c", b"")
    assert files.list(folder) == {"sub": -1, "b": 5}
    assert files.list(f"{folder}/sub") == {"deep": -1, "c": 0}
    files.rename(f"{folder}/sub", f"{folder}/gone")
    assert files.exists(f"{folder}/gone/c")
    files.remove_tree(f"{folder}/gone")
    files.remove(f"{folder}/b")
    files.remove(f"{folder}/b")
    files.sync_directory(folder)
    files.sync_everything(folder)
    assert files.list(folder) == {}
    assert files.modified_ms is not None
    with pytest.raises(FileNotFoundError):
        files.read_all(f"{folder}/b")
    with pytest.raises(FileNotFoundError):
        files.list(f"{folder}/gone")


def test_a_lock_is_held_once_and_can_be_given_back(place: tuple[Files, str]) -> None:
    files, folder = place
    release = files.lock(f"{folder}/.lock")
    with pytest.raises(LockedError) as error:
        files.lock(f"{folder}/.lock")
    assert error.value.pid == os.getpid()
    release()
    files.lock(f"{folder}/.lock")()


def test_the_lock_of_another_process_is_named_by_its_pid(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    code = (
        f"from ottla.log.files import DiskFiles; r = DiskFiles().lock({str(path)!r}); print('ok', flush=True); input()"
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"ok\n"
        with pytest.raises(LockedError, match=f"pid {other.pid}") as error:
            DiskFiles().lock(str(path))
        assert error.value.pid == other.pid
    finally:
        other.kill()
        other.communicate()
    DiskFiles().lock(str(path))()  # a lock dies with its process


def test_open_descriptors_are_bounded_and_reopened_as_needed(tmp_path: Path) -> None:
    files = DiskFiles(open_files_max=5)
    opened = [files.open(str(tmp_path / str(number)), create=True) for number in range(20)]
    assert files.open_count == 0
    before = len(list(Path("/proc/self/fd").iterdir()))
    for turn in range(3):
        for number, file in enumerate(opened):
            file.append(b"%d;" % (number + turn))
            assert files.open_count <= 5
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 5
    for number, file in enumerate(opened):
        assert file.pread(100, 0) == b"".join(b"%d;" % (number + turn) for turn in range(3))
        file.close()
    assert files.open_count == 0


def test_a_pinned_sync_outlives_its_file(tmp_path: Path) -> None:
    files = DiskFiles(open_files_max=1)
    file = files.open(str(tmp_path / "a"), create=True)
    file.append(b"x")
    sync = file.pin()
    other = files.open(str(tmp_path / "b"), create=True)
    other.append(b"y")
    file.close()
    other.close()
    files.remove(str(tmp_path / "a"))
    sync()
    del sync
    file = files.open(str(tmp_path / "b"))
    file.pin()  # never run: its descriptor goes with it
    file.close()


@pytest.mark.skipif(sys.platform != "linux", reason="fallocate is Linux'")
def test_room_is_kept_for_a_segment_until_it_is_sealed_or_closed(tmp_path: Path) -> None:
    """preallocate: blocks behind the end of the file, whose size stays that of its records."""

    def room(log: Log, number: int) -> tuple[int, int]:
        found = Path(log.segments[number].file.path).stat()
        return found.st_size, found.st_blocks * 512

    log = open_log(DiskFiles(), str(tmp_path / "t-0"), preallocate=True, segment_bytes=1 << 20)
    if room(log, 0)[1] == 0:
        pytest.skip("this file system keeps no room")
    assert room(log, 0) == (0, 1 << 20)
    fill(log, 5)
    log.roll(NOW)
    size, blocks = room(log, 0)
    assert size == log.segments[0].size
    assert blocks < 64 << 10
    assert room(log, 1) == (0, 1 << 20)
    log.config = replace(log.config, preallocate=False)
    fill(log, 1)
    log.close()
    assert room(log, 1)[1] < 64 << 10
    opened = reopen(log, clean=True)
    opened.roll(NOW)
    assert room(opened, 2) == (0, 0), "a change counts from the next segment on"
    assert len(values(opened)) == 6


def test_a_medium_without_room_to_keep_is_no_failure(tmp_path: Path) -> None:
    log = open_log(DiskFiles(), str(tmp_path / "t-0"), preallocate=True, segment_bytes=(1 << 31) - 1)
    file = log.active.file
    file.reserve(1 << 60)
    fill(log, 5)
    assert len(values(log)) == 5
    log.close()


def test_partial_writes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite
    monkeypatch.setattr(disk_files.os, "pwrite", lambda fd, data, position: real(fd, bytes(data)[:3], position))
    file = DiskFiles().open(str(tmp_path / "a"), create=True)
    file.append(b"0123456789")
    assert file.pread(100, 0) == b"0123456789"
    monkeypatch.setattr(disk_files.os, "pwrite", lambda fd, data, position: 0)
    with pytest.raises(OSError, match="No space"):
        file.append(b"more")
    assert file.size == 10
    file.close()


def test_partial_reads_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = DiskFiles().open(str(tmp_path / "a"), create=True)
    file.append(b"0123456789")
    real = os.pread
    monkeypatch.setattr(disk_files.os, "pread", lambda fd, size, position: real(fd, min(size, 3), position))
    assert file.pread(8, 1) == b"12345678"
    assert file.pread(100, 5) == b"56789"
    file.close()


def test_parents_of_paths() -> None:
    assert [parent_of(path) for path in ("/a/b", "/a/b/", "/a", "a/b", "a")] == ["/a", "/a", "/", "a", "."]


# -- the faulty disk --------------------------------------------------------------------------------------------------


def test_synced_bytes_and_names_survive_a_crash_and_nothing_else_is_sure() -> None:
    lost = torn = kept = 0
    for seed in range(200):
        files = FaultyFiles(seed)
        files.mkdir("/d")
        files.sync_directory("/")
        file = files.open("/d/a", create=True)
        file.append(b"a" * 1000)
        file.sync()
        files.sync_directory("/d")
        file.append(b"b" * 1000)
        files.open("/d/unnamed", create=True).append(b"c")
        files.crash()
        data = files.read_all("/d/a")
        assert data[:1000] == b"a" * 1000
        torn += 1000 < len(data) < 2000 or b"\0" in data
        kept += data == b"a" * 1000 + b"b" * 1000
        lost += not files.exists("/d/unnamed")
    assert lost > 50
    assert torn > 50
    assert kept < 150


def test_the_faulty_disk_fails_when_told() -> None:
    files = FaultyFiles(1)
    files.mkdir("/d")
    file = files.open("/d/a", create=True)
    files.fail_after(1, errno.ENOSPC)
    file.append(b"one")
    with pytest.raises(OSError, match="No space"):
        file.append(b"two")
    assert file.size == 3
    file.append(b"2")
    assert files.read_all("/d/a") == b"one2"
    files.fail_syncs()
    for action in (file.sync, lambda: files.sync_directory("/d"), lambda: files.sync_everything("/d")):
        with pytest.raises(OSError, match="error"):
            action()
