"""Compaction by examples: what Kafka's documentation promises, one sentence each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ottla.log.cleaner import plan
from ottla.log.cleaner.source import CleaningFailed
from ottla.log.files import MemoryFiles
from ottla.log.index import RELATIVE_OFFSET_MAX
from ottla.records.batch import iter_headers
from ottla.records.compression import Compression
from tests.log.cleaner.history import CONFIG, History, read
from tests.log.support import NOW, batch


def history(**options: object) -> History:
    return History(MemoryFiles(), config=replace(CONFIG, **options))  # type: ignore[arg-type]


def rolled(what: History) -> History:
    what.log.roll(what.now_ms)
    return what


def records(what: History) -> list[tuple[int, bytes, bytes | None]]:
    return [(offset, key, value) for offset, key, value, _ in read(what.log)]


def headers(what: History) -> list:  # type: ignore[type-arg]
    return [header for segment in what.log.segments for _, header in segment.walk(0)]


def test_the_last_value_of_a_key_stays_at_its_offset() -> None:
    log = history()
    log.append([(b"a", b"1"), (b"b", b"2"), (b"a", b"3")])
    log.append([(b"c", b"4")])
    rolled(log).clean()
    assert records(log) == [(1, b"b", b"2"), (2, b"a", b"3"), (3, b"c", b"4")]


def test_the_active_segment_is_not_compacted() -> None:
    log = history()
    log.append([(b"a", b"1")])
    log.append([(b"a", b"2")])
    log.clean()
    assert len(records(log)) == 2


def test_a_tombstone_goes_when_its_horizon_has_passed() -> None:
    log = history(delete_retention_ms=1000)
    log.append([(b"a", b"1"), (b"b", b"1")])
    log.append([(b"a", None)])
    rolled(log).clean()
    assert records(log) == [(1, b"b", b"1"), (2, b"a", None)]
    assert [header.delete_horizon_ms for header in headers(log)] == [None, NOW + 1000]
    for wait, left in ((999, True), (1000, False)):
        log.append([(b"c", b"1")])
        log.now_ms = NOW + wait
        rolled(log).clean()
        assert ((2, b"a", None) in records(log)) is left


def test_timestamps_survive_a_delete_horizon() -> None:
    log = history()
    log.append([(b"a", None), (b"b", b"1")])
    rolled(log).clean()
    (data,) = [bytes(log.log.read(0, 1000))]
    from ottla.records.batch import read_records

    assert [(record.timestamp, record.key) for record in read_records(data)] == [(NOW, b"a"), (NOW, b"b")]


@pytest.mark.parametrize("codec", list(Compression))
def test_a_batch_keeps_its_codec(codec: Compression) -> None:
    log = history()
    log.append([(b"a", b"1" * 50), (b"b", b"2" * 50)], compression=codec)
    log.append([(b"a", b"3" * 50)], compression=codec)
    rolled(log).clean()
    assert [header.compression for header in headers(log)] == [codec, codec]
    assert [offset for offset, _, _ in records(log)] == [1, 2]


def test_an_open_transaction_bounds_the_cleaning() -> None:
    log = history()
    log.append([(b"a", b"1")])
    rolled(log)
    log.append([(b"a", b"2")], producer=7, transactional=True)
    log.append([(b"a", b"3")])
    rolled(log).clean()
    assert len(records(log)) == 3
    log.end(7, True)
    rolled(log).clean()
    assert [value for _, _, value in records(log)] == [b"3"]


def test_aborted_records_go_at_once_and_their_marker_after_its_horizon() -> None:
    log = history()
    log.append([(b"a", b"1")])
    log.append([(b"a", b"2")], producer=7, transactional=True)
    log.end(7, False)
    log.append([(b"z", b"1")], producer=7)
    rolled(log).clean()
    assert [key for _, key, _ in records(log)] == [b"a", b"z"]
    assert [header.is_control for header in headers(log)].count(True) == 1
    assert all(not header.has_delete_horizon for header in headers(log))
    log.append([(b"y", b"1")])
    rolled(log).clean()
    assert [header.delete_horizon_ms for header in headers(log) if header.is_control] == [NOW + 1000]
    log.now_ms += 1000
    log.append([(b"x", b"1")])
    rolled(log).clean()
    assert [header for header in headers(log) if header.is_control] == []


def test_the_last_batch_of_a_producer_stays_without_its_records() -> None:
    log = history()
    log.append([(b"a", b"1")], producer=1)
    log.append([(b"a", b"2")], producer=1)
    log.append([(b"a", b"3")])
    rolled(log).clean()
    assert [(header.base_offset, header.record_count, header.base_sequence) for header in headers(log)] == [
        (1, 0, 1),
        (2, 1, -1),
    ]
    assert headers(log)[0].max_timestamp == NOW


def test_segments_grow_together_up_to_segment_bytes_and_the_reach_of_relative_offsets() -> None:
    log = history(segment_bytes=1 << 20)
    for number in range(6):
        log.append([(b"a", b"%d" % number)])
        rolled(log)
    log.clean()
    assert [segment.base_offset for segment in log.log.segments] == [0, 6]
    far = log.log
    far.append_as_follower(batch(b"1", base_offset=RELATIVE_OFFSET_MAX), NOW)
    far.roll(NOW)
    far.append_as_follower(batch(b"2", key=b"other", base_offset=RELATIVE_OFFSET_MAX + 1), NOW)
    far.roll(NOW)
    groups = plan.group(far, plan.sources_of(far, far.log_end_offset))
    assert [[source.base_offset for _, source in group] for group in groups] == [
        [0, 6],
        [RELATIVE_OFFSET_MAX + 1],
    ]


def test_lags_and_ratio_say_when_a_log_is_due() -> None:
    log = history(min_cleanable_dirty_ratio=0.5)
    log.append([(b"a", b"1")])
    rolled(log)
    look = plan.look_at(log.log, None, log.log.log_end_offset, NOW)
    assert (look.ratio, look.due) == (1.0, True)
    log.clean()
    log.append([(b"a", b"2" * 20)])
    rolled(log)
    at = log.manager.cleaner_offset(log.log)
    assert at == 1
    assert 0.5 < plan.look_at(log.log, at, log.log.log_end_offset, NOW).ratio < 1
    log.log.config = replace(log.config, min_compaction_lag_ms=100)
    assert not plan.look_at(log.log, at, log.log.log_end_offset, NOW + 99).due
    assert plan.look_at(log.log, at, log.log.log_end_offset, NOW + 100).due
    log.log.config = replace(log.config, min_cleanable_dirty_ratio=1.0, max_compaction_lag_ms=100)
    assert not plan.look_at(log.log, at, log.log.log_end_offset, NOW + 100).due
    assert plan.look_at(log.log, at, log.log.log_end_offset, NOW + 101).due
    assert plan.look_at(log.log, 99, log.log.log_end_offset, NOW).checkpoint_is_wrong


def test_damage_is_not_signed_and_nothing_is_lost() -> None:
    log = history()
    log.append([(b"a", b"1" * 50)])
    log.append([(b"a", b"2" * 50)])
    segment = log.log.active
    rolled(log)
    data = bytearray(log.files.read_all(segment.file.path))
    data[100] ^= 1
    log.files.replace(segment.file.path, data)
    segment.file = log.files.open(segment.file.path)
    with pytest.raises(CleaningFailed, match="damaged batch at position 0"):
        log.clean()
    assert log.files.read_all(segment.file.path) == bytes(data)
    assert not [name for name in log.files.list(log.log.directory) if name.endswith((".cleaned", ".swap"))]


def test_what_kafka_left_in_the_middle_of_a_swap_is_finished() -> None:
    """Kafka's names: the .swap wins over the segments it covers, a .cleaned beside it undoes it."""
    for undone in (False, True):
        log = history()
        log.append([(b"a", b"1")])
        rolled(log)
        log.append([(b"a", b"2")])
        rolled(log)
        first, second = log.log.segments[:2]
        path = log.log.directory
        kept = log.files.read_all(second.file.path)
        log.manager.shutdown()
        log.files.replace(f"{path}/{0:020d}.log.swap", kept)
        if undone:
            log.files.replace(f"{path}/{0:020d}.timeindex.cleaned", b"")
        log.load()
        assert [offset for offset, _, _ in records(log)] == ([0, 1] if undone else [1])
        assert len(list(iter_headers(log.log.read(0, 1000)))) >= 1
        assert first.base_offset == 0
