"""A compacted log against a model: whatever was appended, compacted, and lost by crashes, readers get what they must."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ottla.log.cleaner.passes import CleanerConfig
from ottla.log.files import FaultyFiles, MemoryFiles
from tests.log.cleaner.crashes import crash_everywhere
from tests.log.cleaner.history import CONFIG, History, read
from tests.log.support import reopen, state_of


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 1 << 30), rounds=st.integers(1, 5), slots=st.sampled_from([1 << 20, 24 * 1024]))
def test_readers_of_a_compacted_log_end_with_the_last_value_of_each_key(seed: int, rounds: int, slots: int) -> None:
    rng = random.Random(seed)
    history = History(MemoryFiles())
    for _ in range(rounds):
        for _ in range(rng.randrange(60)):
            history.random_step(rng)
        if rng.random() < 0.7:
            history.log.roll(history.now_ms)
        history.clean(CleanerConfig(dedupe_buffer_bytes=slots, io_buffer_bytes=rng.choice([1 << 15, 1 << 20])))
        history.check()
        if rng.random() < 0.3:
            history.manager.shutdown(clean=rng.random() < 0.5)
            history.load()
            history.check()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 1 << 30))
def test_indexes_and_producers_of_a_compacted_log_are_those_that_its_batches_make(seed: int) -> None:
    rng = random.Random(seed)
    history = History(MemoryFiles())
    for _ in range(80):
        history.random_step(rng)
    history.clean()
    history.now_ms += 1500
    history.clean()
    log = history.log
    kept = state_of(log, with_content=False)
    for segment in log.segments[:-1]:
        index, time_index = segment.rebuild_indexes()
        assert (list(index.offsets), list(index.positions)) == (
            list(segment.index.offsets),
            list(segment.index.positions),
        )
        assert time_index.to_bytes() == segment.time_index.to_bytes()
    producers = {entry.producer_id: (entry.epoch, entry.last_sequence, entry.last_offset)
                 for entry in log.producer_state.producers.values() if entry.batches}  # fmt: skip
    log.close(clean=False)
    for name in log.files.list(log.directory):
        if name.endswith(".snapshot"):
            log.files.remove(f"{log.directory}/{name}")
    opened = reopen(log, recovery_point=0, holes=True)
    found = {entry.producer_id: (entry.epoch, entry.last_sequence, entry.last_offset)
             for entry in opened.producer_state.producers.values() if entry.batches}  # fmt: skip
    assert found == producers, "the last sequence of each producer outlives compaction"
    assert state_of(opened, with_content=False)["ongoing"] == kept["ongoing"]


@pytest.mark.parametrize("seed", [2, 3])
def test_power_may_fail_at_every_change_to_the_disk(seed: int) -> None:
    """The longer campaign: python -m tests.log.cleaner.crashes"""
    assert crash_everywhere(seed) > 20


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 1 << 30))
def test_appends_reads_and_retention_go_on_while_a_log_is_cleaned(seed: int) -> None:
    from dataclasses import replace

    from ottla.log.cleaner.passes import PassResult
    from ottla.log.cleaner.source import CleaningAborted

    rng = random.Random(seed)
    history = History(FaultyFiles(seed), config=replace(CONFIG, cleanup_policy=frozenset({"compact", "delete"})))
    for _ in range(60):
        history.random_step(rng)
    history.log.roll(history.now_ms)
    try:
        for step in history.cleaning(PassResult()):
            what = rng.random()
            if what < 0.5:
                history.random_step(rng)
            elif what < 0.6:
                history.log.delete_records_before(rng.randrange(history.log.log_end_offset))
                history.manager.apply_retention(history.now_ms)
            list(read(history.log))
            step()
    except CleaningAborted:
        pass  # retention was faster
    found = {offset: value for offset, _, value, _ in read(history.log)}
    last = {record.key: offset for offset, record in history.records.items() if record.transaction < 0}
    for offset in last.values():
        if offset >= history.log.log_start_offset and history.records[offset].value is not None:
            newer = [o for o, r in history.records.items() if o > offset and r.key == history.records[offset].key]
            if not newer:
                assert found[offset] == history.records[offset].value
