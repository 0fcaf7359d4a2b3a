"""A crash at every change that compaction makes to the disk: `python -m tests.log.cleaner.crashes [histories] [seed]`.

It prints a line for each history as it goes, and the totals. One that fails names the history and the change, and the
campaign goes on; its exit code says whether any did.

For each history the pass is run once to count its changes; then once for each of them from the same start, and there the
power fails. What the disk keeps of anything unsynced is left to chance. The log is opened, checked against the model,
opened again (nothing may change), and compacted and checked once more.
"""

from __future__ import annotations

import random
import sys
import time
import traceback
from typing import Any

from ottla.log.files import FaultyFiles
from tests.log.cleaner.history import History, read
from tests.log.support import state_of


def prepared(seed: int) -> History:
    """A log with something to compact, some of it compacted before."""
    rng = random.Random(seed)
    history = History(FaultyFiles(seed))
    for _ in range(rng.randrange(1, 3)):
        for _ in range(rng.randrange(20, 60)):
            history.random_step(rng)
        if rng.random() < 0.5:
            history.log.roll(history.now_ms)
        history.log.sync()
        history.manager.checkpoint()
        if rng.random() < 0.5:
            history.clean()
            history.now_ms += rng.choice([0, 1500])
            history.check()
    for _ in range(20):
        history.random_step(rng)
    return history


def crash_everywhere(seed: int) -> int:
    """How many crash points the pass of this history had."""
    start = prepared(seed)
    start.check()
    files = start.files
    assert isinstance(files, FaultyFiles)
    before = files.faults.calls
    trial = prepared(seed)
    trial.clean()
    trial.check()
    assert isinstance(trial.files, FaultyFiles)
    points = trial.files.faults.calls - before
    for point in range(points):
        try:
            crash_at(prepared(seed), point, seed * 10_007 + point)
        except Exception as problem:
            problem.add_note(f"history {seed}, power failed at change {point} of {points}")
            raise
    return points


def crash_at(history: History, point: int, seed: int) -> None:
    """Let the power fail at one change to the disk."""
    files = history.files
    assert isinstance(files, FaultyFiles)
    files.faults.rng = random.Random(seed)
    files.fail_after(point)
    try:
        history.clean()
        raise AssertionError(f"there is no change number {point}")
    except Exception as problem:
        if isinstance(problem, AssertionError) or not _from_disk(problem):
            raise
    durable = history.log.recovery_point
    history.manager.shutdown(clean=False)
    files.crash()
    history.load()
    assert history.log.log_end_offset >= durable
    history.forget_lost()
    history.check()
    seen, names = _whole(history), sorted(files.list(history.log.directory))
    history.manager.shutdown(clean=False)
    history.load()
    again = _whole(history)
    assert [key for key in seen if seen[key] != again[key]] == [], [
        (seen[k], again[k]) for k in seen if seen[k] != again[k]
    ]
    assert sorted(files.list(history.log.directory)) == names
    history.clean()
    history.check()
    assert not [name for name in files.list(history.log.directory) if name.endswith((".cleaned", ".swap"))]


def _from_disk(problem: BaseException) -> bool:
    from ottla.log.errors import KafkaStorageError

    return isinstance(problem, (OSError, KafkaStorageError))


def _whole(history: History) -> dict[str, Any]:
    state = {**state_of(history.log, with_content=False), "content": list(read(history.log))}
    state["time indexes"].pop()  # a segment that became the active one by a cut keeps the entry of its seal till then
    return state


def main() -> int:
    histories = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    points, failed, started = 0, [], time.monotonic()
    for seed in range(first, first + histories):
        try:
            here = crash_everywhere(seed)
        except Exception:  # noqa: BLE001  a verdict: told in full, and it decides the exit code
            failed.append(seed)
            traceback.print_exc()
            continue
        points += here
        took_s = time.monotonic() - started
        print(f"history {seed}: {here} crash points; {points} in all, {took_s:.0f} s, {len(failed)} failed", flush=True)
    whole = histories - len(failed)
    print(f"{histories} histories: {whole} with {points} crash points and no difference, failed: {failed or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
