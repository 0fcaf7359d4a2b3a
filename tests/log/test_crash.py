"""A log on a disk that loses what was not synced, against a model of twenty lines.

The disk (FaultyFiles) keeps of every unsynced write, name and rename what chance likes. Whatever the log did before:
after a crash and a recovery its content is a run of what was appended, without a hole, it holds everything that an
fsync had acknowledged, and its log start is not below one that had been checkpointed.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ottla.log.config import LogConfig
from ottla.log.files import FaultyFiles
from ottla.log.log import Log
from ottla.log.manager import LogManager
from ottla.log.sync import SyncPoint
from tests.log.support import NOW, batch, content

TOPIC_ID = b"0123456789abcdef"
CONFIG = LogConfig(segment_bytes=900, index_interval_bytes=200, retention_bytes=3000, file_delete_delay_ms=0)


class CrashingLog(RuleBasedStateMachine):
    """Any order of appends, syncs, rolls, deletions, checkpoints, clean stops and crashes."""

    def __init__(self) -> None:
        super().__init__()
        self.appended: dict[int, bytes] = {}  # offset -> value: everything this history has
        self.durable = 0  # acknowledged below here
        self.known_start = 0  # the log start as checkpointed
        self.number = 0
        self.point: SyncPoint | None = None
        self.epoch = 0

    @initialize(seed=st.integers(0, 1 << 30))
    def begin(self, seed: int) -> None:
        self.files = FaultyFiles(seed)
        self.open()

    def open(self) -> None:
        self.manager = LogManager(self.files, ["/data"], CONFIG)
        report = self.manager.load(NOW)
        assert report.damaged == []
        self.log: Log = self.manager.create("orders", 0, TOPIC_ID, CONFIG, NOW)
        self.point = None

    @rule(count=st.integers(1, 3), size=st.integers(0, 200), producer=st.booleans())
    def append(self, count: int, size: int, producer: bool) -> None:
        values = [b"%d:" % (self.number + index) + b"." * size for index in range(count)]
        self.number += count
        options = {}
        if producer:
            entry = self.log.producer_state.producers.get(5)
            options = {"producer_id": 5, "producer_epoch": 0, "base_sequence": entry.last_sequence + 1 if entry else 0}
        result = self.log.append_as_leader(batch(*values, **options), self.epoch, NOW)
        assert result.first_offset == max(self.appended, default=result.first_offset - 1) + 1
        self.appended.update(zip(range(result.first_offset, result.last_offset + 1), values, strict=True))

    @rule()
    def new_leader(self) -> None:
        self.epoch += 1

    @rule()
    def roll(self) -> None:
        self.log.roll(NOW)

    @precondition(lambda self: self.point is None)
    @rule()
    def prepare_sync(self) -> None:
        self.point = self.log.prepare_sync()

    @precondition(lambda self: self.point is not None)
    @rule()
    def finish_sync(self) -> None:
        assert self.point is not None
        self.point.run()
        self.durable = max(self.durable, self.log.complete_sync(self.point))
        self.point = None

    @rule(back=st.integers(0, 5))
    def delete_records(self, back: int) -> None:
        self.log.delete_records_before(max(self.log.log_start_offset, self.log.log_end_offset - back))

    @rule()
    def checkpoint(self) -> None:
        self.manager.checkpoint()
        self.known_start = self.log.log_start_offset

    @rule(keep=st.sampled_from([0, 1000, 3000]))
    def apply_retention(self, keep: int) -> None:
        self.log.config = replace(CONFIG, retention_bytes=keep)
        if self.manager.apply_retention(NOW):
            self.known_start = self.log.log_start_offset

    @rule()
    def stop_cleanly(self) -> None:
        self.manager.shutdown()
        self.durable, self.known_start = self.log.log_end_offset, self.log.log_start_offset
        before = self.log.log_start_offset, self.log.log_end_offset, self.log.leader_epochs.entries()
        self.open()
        assert (self.log.log_start_offset, self.log.log_end_offset, self.log.leader_epochs.entries()) == before

    @rule()
    def kill(self) -> None:
        """kill -9: the process is gone, the page cache is not."""
        before = self.log.log_start_offset, self.log.log_end_offset
        self.manager.shutdown(clean=False)
        self.open()
        assert self.log.log_end_offset == before[1]
        assert self.known_start <= self.log.log_start_offset <= before[0]

    @rule(graceful=st.booleans())
    def crash(self, graceful: bool) -> None:
        if graceful:  # closed and everything handed to the system, and then the power goes
            self.manager.shutdown()
            self.durable, self.known_start = self.log.log_end_offset, self.log.log_start_offset
        start, end = self.log.log_start_offset, self.log.log_end_offset
        self.files.crash()
        self.open()
        assert max(self.durable, self.known_start) <= self.log.log_end_offset <= max(end, start)
        assert self.known_start <= self.log.log_start_offset
        # A first segment that was never synced may be gone where a later one is not: as if it had been deleted.
        assert self.log.log_start_offset <= start or self.durable <= start
        self.check_content()
        self.appended = {offset: value for offset, value in self.appended.items() if offset < self.log.log_end_offset}
        snapshot = self.log.producer_state.to_snapshot()
        self.log.close()
        again = Log.open(self.files, self.log.directory, CONFIG, now_ms=NOW, clean=False,
                         recovery_point=self.log.recovery_point, log_start_offset=self.log.log_start_offset)  # fmt: skip
        assert again.cut is None
        assert again.producer_state.to_snapshot() == snapshot
        assert (again.log_start_offset, again.log_end_offset) == (self.log.log_start_offset, self.log.log_end_offset)
        again.close()
        self.manager.shutdown(clean=False)
        self.files.crash()
        self.open()

    @invariant()
    def what_is_read_is_what_was_appended(self) -> None:
        if hasattr(self, "log"):
            self.check_content()

    def check_content(self) -> None:
        expected = [
            (offset, self.appended[offset]) for offset in range(self.log.log_start_offset, self.log.log_end_offset)
        ]
        assert [(entry.offset, entry.value) for entry in content(self.log)] == expected


CrashingLog.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestCrashingLog = CrashingLog.TestCase
