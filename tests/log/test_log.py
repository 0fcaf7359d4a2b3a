"""Append and read: offsets, places, limits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ottla.log.config import LogConfig
from ottla.log.files import MemoryFiles
from ottla.log.log import Log, Origin
from ottla.log.reading import POSITIONS_MAX, SHARED_READS
from ottla.log.segment import IndexCache
from ottla.protocol.errors import ErrorCode, KafkaError
from ottla.records.batch import build_batch, iter_headers, read_header
from ottla.records.compression import Compression
from ottla.records.header import Record, TimestampType
from tests.log.support import FOLDER, NOW, Entry, batch, content, fill, open_log, values


def test_offsets_count_from_zero_and_the_bytes_are_patched_in_place() -> None:
    log = open_log()
    first = batch("a", "b")
    assert log.append_as_leader(first, 3, NOW)[:2] == (0, 1)
    assert read_header(first).partition_leader_epoch == 3
    second = batch("c")
    assert log.append_as_leader(second, 3, NOW)[:2] == (2, 2)
    assert log.read(0, 1 << 20) == bytes(first) + bytes(second)
    assert content(log) == [Entry(0, NOW, b"a"), Entry(1, NOW, b"b"), Entry(2, NOW, b"c")]


def test_a_read_begins_with_the_batch_that_contains_the_offset() -> None:
    log = open_log()
    log.append_as_leader(batch("a", "b", "c"), 0, NOW)
    assert next(iter_headers(log.read(2, 1 << 20)))[1].base_offset == 0


def test_a_read_at_the_log_end_is_empty_and_beyond_it_an_error() -> None:
    log = open_log()
    fill(log, 3)
    assert log.read(3, 100) == b""
    with pytest.raises(KafkaError) as error:
        log.read(4, 100)
    assert error.value.code is ErrorCode.OFFSET_OUT_OF_RANGE
    log.delete_records_before(2)
    with pytest.raises(KafkaError):
        log.read(1, 100)


def test_a_read_gives_one_batch_at_least_when_asked_and_none_when_not() -> None:
    log = open_log()
    fill(log, 3, size=500)
    assert [header.base_offset for _, header in iter_headers(log.read(1, 1))] == [1]
    assert log.read(1, 1, at_least_one=False) == b""
    assert [header.base_offset for _, header in iter_headers(log.read(0, 1300, at_least_one=False))] == [0, 1]


def test_a_read_stops_below_max_offset() -> None:
    log = open_log(segment_bytes=2000)
    fill(log, 50)
    for limit in range(1, 50):
        read = [header.base_offset for _, header in iter_headers(log.read(0, 1 << 20, limit))]
        assert read == list(range(len(read)))
        assert read[-1] < limit
        assert log.read(limit, 1 << 20, limit) == b""


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 600)), min_size=1, max_size=60),
    st.integers(1, 3000), st.integers(300, 5000), st.data(),
)  # fmt: skip
def test_every_offset_is_found_with_any_size_limit_and_interval(
    shape: list[tuple[int, int]], max_bytes: int, segment_bytes: int, data: st.DataObject
) -> None:
    """Whatever the batches, segments, index density and fetch size: reads give whole batches, in order, none twice."""
    log = open_log(segment_bytes=max(segment_bytes, 4000), index_interval_bytes=data.draw(st.integers(0, 3000)))
    bases = []
    for count, size in shape:
        bases.append(log.log_end_offset)
        log.append_as_leader(batch(*[b"x" * size] * count), 0, NOW)
    assert len(content(log, max_bytes=max_bytes)) == log.log_end_offset
    for _ in range(5):
        offset = data.draw(st.integers(0, log.log_end_offset - 1))
        limit = data.draw(st.integers(offset + 1, log.log_end_offset))
        limit = max([base for base in [*bases, log.log_end_offset] if base <= limit])
        read = [header for _, header in iter_headers(log.read(offset, max_bytes, limit))]
        if limit > offset:
            assert read[0].base_offset <= offset <= read[0].last_offset
        assert all(header.last_offset < limit for header in read)
        assert sum(header.size for header in read[1:]) <= max_bytes


def test_a_reader_that_goes_on_does_not_search(monkeypatch: pytest.MonkeyPatch) -> None:
    log = open_log()
    fill(log, 100)
    log.read(0, 1000)
    offset = next(iter(log.reader._positions))
    monkeypatch.setattr(type(log.active), "locate", None)
    while offset < 100:
        data = log.read(offset, 1000)
        offset = [header.next_offset for _, header in iter_headers(data)][-1]
    fill(log, 1, start=100)
    assert len(log.read(100, 1000)) > 0


def test_places_of_readers_are_bounded() -> None:
    log = open_log()
    fill(log, 100)
    for offset in range(90):
        log.read(offset, 300)
    assert len(log.reader._positions) <= POSITIONS_MAX


def preads(log: Log, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The places from which the log's file is read from now on."""
    places: list[int] = []
    original = type(log.active.file).pread
    monkeypatch.setattr(
        type(log.active.file), "pread", lambda self, size, at: places.append(at) or original(self, size, at)
    )
    return places


def test_consumers_who_read_the_same_share_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The third who wants them gets what the second read; what comes after them is read anew."""
    log = open_log(cache=IndexCache())
    fill(log, 100)
    first, second = log.read(0, 1000), log.read(0, 1000)
    places = preads(log, monkeypatch)
    assert log.read(0, 1000) is log.read(0, 1000) is second
    assert places == []
    assert bytes(first) == bytes(second)
    assert bytes(log.read(0, 500)) == bytes(second)[: len(log.read(0, 500))]
    assert places


def test_a_consumer_that_reads_alone_leaves_nothing_in_memory() -> None:
    log = open_log(cache=IndexCache())
    fill(log, 100)
    offset = 0
    while offset < 100:
        offset = [header.next_offset for _, header in iter_headers(log.read(offset, 1000))][-1]
    assert len(log.cache.reads) == 0


def test_shared_bytes_are_forgotten_when_the_log_is_cut() -> None:
    """What is written in the place of records that were cut is what consumers get."""
    log = open_log(cache=IndexCache())
    fill(log, 10)
    for _ in range(3):
        old = bytes(log.read(5, 1 << 20))
    log.truncate_to(5, NOW)
    fill(log, 5, start=50)
    assert bytes(log.read(5, 1 << 20)) != old
    assert log.cache.reads.size == sum(map(len, log.cache.reads._reads.values()))


def test_shared_bytes_are_bounded() -> None:
    log = open_log(cache=IndexCache())
    fill(log, 100)
    for size in range(1, 200):
        log.read(0, 300 + size)
    reads = log.cache.reads
    assert 1 < len(reads) <= SHARED_READS
    assert reads.size == sum(map(len, reads._reads.values()))


def test_an_acked_read_up_to_the_synced_end_does_not_search(monkeypatch: pytest.MonkeyPatch) -> None:
    log = open_log()
    fill(log, 10)
    log.sync()
    fill(log, 1, start=10)
    log.read(0, 1 << 20, 10)
    monkeypatch.setattr(type(log.active), "locate", None)
    fill(log, 1, start=11)
    log.reader._remember(9, log.active, 0)
    assert log.reader._position_of(log.active, 10) == 10 * len(batch(b"0" + b"." * 100))


# -- what a leader refuses --------------------------------------------------------------------------------------------


def refused(log: Log, records: bytearray, **options: object) -> ErrorCode:
    before = log.log_end_offset, log.size
    with pytest.raises(KafkaError) as error:
        log.append_as_leader(records, 0, NOW, **options)  # type: ignore[arg-type]
    assert (log.log_end_offset, log.size) == before
    return error.value.code


def test_too_large_batches_are_refused_by_message_and_by_segment_size() -> None:
    log = open_log(max_message_bytes=1000)
    assert refused(log, batch(b"x" * 1000)) is ErrorCode.MESSAGE_TOO_LARGE
    log = open_log(segment_bytes=1000)
    assert refused(log, batch(b"x" * 1000)) is ErrorCode.RECORD_LIST_TOO_LARGE


def test_a_wrong_crc_is_refused() -> None:
    records = batch("a")
    records[-1] ^= 1
    assert refused(open_log(), records) is ErrorCode.CORRUPT_MESSAGE


def test_clients_may_not_number_their_batches_nor_write_control_records_nor_send_two() -> None:
    log = open_log()
    assert refused(log, batch("a", base_offset=5)) is ErrorCode.INVALID_RECORD
    assert refused(log, batch("a", control=True, producer_id=1, producer_epoch=0)) is ErrorCode.INVALID_RECORD
    assert refused(log, batch("a") + batch("b")) is ErrorCode.INVALID_RECORD
    assert refused(log, batch("a", producer_id=7, producer_epoch=0, base_sequence=-1)) is ErrorCode.INVALID_RECORD
    assert refused(log, batch("a", transactional=True)) is ErrorCode.INVALID_RECORD
    assert refused(log, bytearray()) is not ErrorCode.NONE


def test_a_compacted_topic_needs_keys() -> None:
    log = open_log(cleanup_policy=frozenset({"compact"}))
    assert refused(log, batch("a", key=None)) is ErrorCode.INVALID_RECORD
    log.append_as_leader(batch("a"), 0, NOW)


def test_a_coordinator_may_write_control_batches() -> None:
    marker = build_batch(
        [Record(0, NOW, b"\0\0\0\1", b"\0\0\0\0\0\5")],
        control=True,
        transactional=True,
        producer_id=1,
        producer_epoch=0,
    )
    assert open_log().append_as_leader(marker, 0, NOW, Origin.COORDINATOR).first_offset == 0


@pytest.mark.parametrize("kind", ["producer", "lz4"])
def test_a_coordinators_batch_is_the_same_in_a_compacted_log(kind: str) -> None:
    """The short way, that looks for no missing keys, writes what the complete one does."""
    written = []
    for origin in (Origin.COORDINATOR, Origin.CLIENT):
        log = open_log(cleanup_policy=frozenset({"compact"}), compression_type=kind)
        log.append_as_leader(batch("a"), 3, NOW, origin)
        result = log.append_as_leader(batch("b", "c"), 3, NOW, origin)
        assert (result.first_offset, result.last_offset, log.log_end_offset) == (1, 2, 3)
        written.append(bytes(log.read(0, 1 << 20, 3)))
    assert written[0] == written[1]
    assert refused(log, batch("a", key=None)) is ErrorCode.INVALID_RECORD


# -- time -------------------------------------------------------------------------------------------------------------


def test_create_time_outside_the_limits_is_refused() -> None:
    log = open_log(message_timestamp_before_max_ms=1000, message_timestamp_after_max_ms=500)
    for delta in (-1000, 0, 500):
        log.append_as_leader(batch("a", timestamp=NOW + delta), 0, NOW)
    for delta in (-1001, 501):
        assert refused(log, batch("a", timestamp=NOW + delta)) is ErrorCode.INVALID_TIMESTAMP
    log.append_as_leader(batch("a", timestamp=-1), 0, NOW)


def test_a_producer_may_not_claim_log_append_time() -> None:
    records = batch("a", timestamp_type=TimestampType.LOG_APPEND_TIME)
    assert refused(open_log(), records) is ErrorCode.INVALID_TIMESTAMP


def test_log_append_time_is_stamped_and_answered() -> None:
    log = open_log(message_timestamp_type=TimestampType.LOG_APPEND_TIME)
    result = log.append_as_leader(batch("a", "b", timestamp=5), 0, NOW)
    assert result.log_append_time_ms == NOW
    assert [entry.timestamp for entry in content(log)] == [NOW, NOW]
    assert log.offset_for_timestamp(NOW) == (NOW, 0, 0)
    header = read_header(log.read(0, 1000))
    assert header.timestamp_type is TimestampType.LOG_APPEND_TIME


def test_create_time_answers_no_time() -> None:
    assert open_log().append_as_leader(batch("a"), 0, NOW).log_append_time_ms == -1


# -- compression ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gzip", "snappy", "lz4", "zstd", "uncompressed"])
def test_a_topic_with_a_codec_stores_in_it(kind: str) -> None:
    log = open_log(compression_type=kind)
    log.append_as_leader(batch(b"a" * 500, b"b" * 500), 4, NOW)
    wanted = Compression.NONE if kind == "uncompressed" else Compression[kind.upper()]
    header = read_header(log.read(0, 5000))
    assert (header.compression, header.partition_leader_epoch, header.last_offset_delta) == (wanted, 4, 1)
    log.append_as_leader(batch(b"c" * 500, compression=Compression.GZIP), 4, NOW)
    assert values(log) == [b"a" * 500, b"b" * 500, b"c" * 500]


@pytest.mark.parametrize(("kind", "low", "high"), [("gzip", 1, 9), ("lz4", 1, 12), ("zstd", -50, 19)])
def test_the_level_of_a_topic_s_codec_counts_and_may_change(kind: str, low: int, high: int) -> None:
    text = Path(__file__).read_bytes()
    options: dict[str, Any] = {"compression_type": kind, f"compression_{kind}_level": low}
    log = open_log(**options)
    log.append_as_leader(batch(text), 0, NOW)
    log.config = replace(log.config, **dict[str, Any]({f"compression_{kind}_level": high}))
    log.append_as_leader(batch(text), 0, NOW)
    sizes = [header.size for _, header in iter_headers(log.read(0, 1 << 20))]
    assert sizes[1] < sizes[0]
    assert values(log) == [text, text]


def test_a_producers_codec_is_kept_by_default() -> None:
    log = open_log()
    records = batch(b"a" * 500, compression=Compression.ZSTD)
    log.append_as_leader(records, 0, NOW)
    assert log.read(0, 5000) == bytes(records)


def test_a_batch_that_grew_by_recompression_is_judged_again() -> None:
    log = open_log(compression_type="uncompressed", max_message_bytes=1000)
    assert refused(log, batch(b"a" * 5000, compression=Compression.GZIP)) is ErrorCode.MESSAGE_TOO_LARGE


# -- rolling ----------------------------------------------------------------------------------------------------------


def test_a_segment_is_rolled_when_it_is_full() -> None:
    log = open_log(segment_bytes=1000)
    fill(log, 20)
    assert len(log.segments) > 1
    assert all(segment.size <= 1000 for segment in log.segments)
    assert [segment.next_offset for segment in log.segments[:-1]] == [
        segment.base_offset for segment in log.segments[1:]
    ]


def test_a_segment_is_rolled_by_the_time_of_its_records() -> None:
    log = open_log(segment_ms=1000)
    log.append_as_leader(batch("a", timestamp=NOW), 0, NOW)
    log.append_as_leader(batch("b", timestamp=NOW + 1000), 0, NOW)
    assert len(log.segments) == 1
    log.append_as_leader(batch("c", timestamp=NOW + 1001), 0, NOW)
    assert [segment.base_offset for segment in log.segments] == [0, 2]


def test_records_without_a_time_are_rolled_by_the_clock() -> None:
    log = open_log(segment_ms=1000)
    log.append_as_leader(batch("a", timestamp=-1), 0, NOW)
    log.append_as_leader(batch("b", timestamp=-1), 0, NOW + 1000)
    assert len(log.segments) == 1
    log.append_as_leader(batch("c", timestamp=-1), 0, NOW + 1001)
    assert len(log.segments) == 2


def test_jitter_rolls_earlier_and_the_same_each_time() -> None:
    jitters = {
        open_log(segment_ms=1000, segment_jitter_ms=900, folder=f"/data/t-{number}")._jitter_ms for number in range(20)
    }
    assert len(jitters) > 10
    assert all(0 <= jitter < 900 for jitter in jitters)


def test_jitter_takes_no_more_than_the_age_itself() -> None:
    for number in range(20):
        log = open_log(segment_ms=1000, segment_jitter_ms=1 << 40, folder=f"/data/t-{number}")
        assert 0 <= log._jitter_ms < 1000
        log.append_as_leader(batch("a"), 0, NOW)
        log.append_as_leader(batch("b"), 0, NOW)
        assert len(log.segments) == 1
        log.append_as_leader(batch("c", timestamp=NOW + 1000 - log._jitter_ms), 0, NOW)
        assert len(log.segments) == 1
        log.append_as_leader(batch("d", timestamp=NOW + 1001 - log._jitter_ms), 0, NOW)
        assert [segment.base_offset for segment in log.segments] == [0, 3]


def test_a_segment_is_rolled_when_an_index_is_full() -> None:
    """As in Kafka the time index keeps its last place for the entry that the roll itself makes."""
    log = open_log(index_interval_bytes=0, segment_index_bytes=36)
    fill(log, 4)
    assert [segment.base_offset for segment in log.segments] == [0, 3]
    assert [len(segment.time_index) for segment in log.segments] == [2, 0]
    same_time = open_log(index_interval_bytes=0, segment_index_bytes=36)
    for _ in range(7):
        same_time.append_as_leader(batch("a"), 0, NOW)
    assert [segment.base_offset for segment in same_time.segments] == [0, 5]
    assert len(same_time.segments[0].index) == 36 // 8


def test_a_lower_index_size_and_interval_count_from_the_next_append_on() -> None:
    log = open_log()
    fill(log, 3)
    assert len(log.active.index) == 0
    log.config = replace(log.config, index_interval_bytes=0, segment_index_bytes=36)
    fill(log, 3, start=3)
    assert [segment.base_offset for segment in log.segments] == [0, 5]


def test_a_segment_is_rolled_before_offsets_leave_the_range_of_its_index() -> None:
    log = open_log()
    log.append_as_leader(batch("a"), 0, NOW)
    far = batch("b", base_offset=(1 << 31) - 1)
    log.append_as_follower(far, NOW)
    assert len(log.segments) == 1
    log.append_as_follower(batch("c", base_offset=1 << 31), NOW)
    assert [segment.base_offset for segment in log.segments] == [0, 1 << 31]
    assert values(log)[-1] == b"c"


def test_an_empty_active_segment_is_not_rolled_into_a_twin() -> None:
    log = open_log()
    log.roll(NOW)
    assert [segment.base_offset for segment in log.segments] == [0]
    log.append_as_follower(batch("a", base_offset=1 << 32), NOW)
    assert [segment.base_offset for segment in log.segments] == [1 << 32]


# -- followers --------------------------------------------------------------------------------------------------------


def test_a_follower_keeps_offsets_epochs_and_times() -> None:
    leader, follower = open_log(), open_log()
    fill(leader, 5)
    leader.append_as_leader(batch("x", producer_id=9, producer_epoch=1, base_sequence=0), 4, NOW)
    data = leader.read(0, 1 << 20)
    result = follower.append_as_follower(data, NOW)
    assert (result.first_offset, result.last_offset) == (0, 5)
    assert follower.read(0, 1 << 20) == data
    assert follower.leader_epochs.entries() == [(0, 0), (4, 5)]
    assert follower.producer_state.to_snapshot() == leader.producer_state.to_snapshot()


def test_a_follower_refuses_offsets_it_has_and_bytes_that_are_damaged() -> None:
    log = open_log()
    data = bytes(batch("a"))
    log.append_as_follower(data, NOW)
    with pytest.raises(KafkaError):
        log.append_as_follower(data, NOW)
    broken = batch("b", base_offset=1)
    broken[-1] ^= 1
    with pytest.raises(KafkaError) as error:
        log.append_as_follower(broken, NOW)
    assert error.value.code is ErrorCode.CORRUPT_MESSAGE
    assert log.log_end_offset == 1


def test_open_makes_the_folder_and_begins_at_the_asked_offset() -> None:
    files = MemoryFiles()
    log = Log.open(files, FOLDER, LogConfig(), now_ms=NOW, log_start_offset=42)
    assert (log.topic, log.partition, log.log_start_offset, log.log_end_offset) == ("orders", 0, 42, 42)
    assert log.append_as_leader(batch("a"), 0, NOW).first_offset == 42
