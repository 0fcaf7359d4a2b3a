"""The leader epoch cache against a list of (offset, epoch)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.log.errors import CorruptSidecarError
from ottla.log.files import MemoryFiles
from ottla.log.leader_epochs import FILE_NAME, LeaderEpochs
from tests.log.support import FOLDER, NOW, batch, open_log, reopen

STEPS = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), max_size=20)


def build(steps: list[tuple[int, int]]) -> tuple[LeaderEpochs, list[int]]:
    """The cache after appends whose epoch rises by the first number, and the epoch of each offset."""
    cache, log, epoch = LeaderEpochs(), [], 0
    for rise, count in steps:
        epoch += rise
        cache.assign(epoch, len(log))
        log += [epoch] * count
    return cache, log


@given(STEPS, st.integers(-1, 70))
def test_the_end_of_an_epoch_is_the_first_offset_of_a_greater_one(steps: list[tuple[int, int]], asked: int) -> None:
    cache, log = build(steps)
    epoch, end = cache.end_offset_for(asked, len(log))
    if not log or asked < 0 or asked > log[-1]:
        assert (epoch, end) == (-1, -1)
    else:
        assert end == min([offset for offset, known in enumerate(log) if known > asked], default=len(log))
        assert epoch == max([known for known in log if known <= asked], default=asked)
    for offset, known in enumerate(log):
        assert cache.epoch_of(offset) == known
    assert cache.epoch_of(-1) == -1
    assert cache.latest == (log[-1] if log else -1)


@given(STEPS, st.integers(0, 70), st.integers(0, 70))
def test_cutting_at_both_ends_leaves_the_epochs_of_what_is_left(
    steps: list[tuple[int, int]], start: int, end: int
) -> None:
    cache, log = build(steps)
    end = min(end, len(log))
    start = min(start, end)
    cache.truncate_from_end(end)
    cache.truncate_from_start(start)
    for offset in range(start, end):
        assert cache.epoch_of(offset) == log[offset]
    assert all(start <= offset < max(end, start + 1) for _, offset in cache.entries() if log)
    assert LeaderEpochs.from_bytes(cache.to_bytes()).entries() == cache.entries()


def test_the_file_is_kafkas() -> None:
    cache = LeaderEpochs()
    cache.assign(3, 0)
    cache.assign(5, 1042)
    assert cache.to_bytes() == b"0\n2\n3 0\n5 1042\n"


def test_a_new_epoch_at_known_offsets_takes_their_place() -> None:
    cache = LeaderEpochs()
    for epoch, offset in ((1, 0), (2, 10), (3, 20), (2, 30), (5, 20)):
        cache.assign(epoch, offset)
    assert cache.entries() == [(1, 0), (2, 10), (5, 20)]
    cache.clear()
    assert (cache.entries(), cache.latest) == ([], -1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"0\n",
        b"0\n1\n",
        b"1\n0\n",
        b"0\n1\na b\n",
        b"0\n1\n1\n",
        b"0\n2\n2 0\n1 5\n",
        b"0\n2\n1 5\n2 0\n",
        b"\xff\n0\n",
    ],
)
def test_a_damaged_file_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptSidecarError):
        LeaderEpochs.from_bytes(data)


def test_a_log_that_never_had_a_batch_writes_no_file() -> None:
    """Ten thousand such files were most of what a stop cost."""
    path = f"{FOLDER}/{FILE_NAME}"
    log = open_log()
    log.assign_epoch(4)
    assert log.prepare_epochs() is None
    log.close()
    assert not log.files.exists(path)
    log = reopen(log, clean=True)
    log.assign_epoch(5)
    log.append_as_leader(batch("a"), 5, NOW)
    log.close()
    assert LeaderEpochs.from_bytes(log.files.read_all(path)).entries() == [(5, 0)]


def test_a_file_that_is_there_is_brought_in_line() -> None:
    files, path = MemoryFiles(), f"{FOLDER}/{FILE_NAME}"
    files.mkdir(FOLDER)
    files.replace(path, b"0\n1\n4 0\n")
    log = open_log(files)
    log.assign_epoch(5)
    log.close()
    assert LeaderEpochs.from_bytes(files.read_all(path)).entries() == [(5, 0)]
