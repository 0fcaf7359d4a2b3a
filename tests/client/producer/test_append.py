"""Records into batches: the same bytes as a Java client's batch, in both forms of the module, within the memory given."""

from __future__ import annotations

import itertools
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla._extensions import load_source
from ottla.client.producer import _append_cy
from ottla.records.batch import Record, read_records, seal_batch

FORMS = [_append_cy, load_source("ottla.client.producer._append_cy")]


@pytest.fixture(params=FORMS, ids=["as it runs", "source"])
def form(request: pytest.FixtureRequest) -> ModuleType:
    return request.param


class Bench:
    """An appender with everything that happened written down."""

    def __init__(
        self,
        form: ModuleType,
        *,
        partitions: int = 3,
        memory: int = 1 << 20,
        batch: int = 1 << 16,
        record: int = 1 << 16,
    ) -> None:
        self.full: list[Any] = []
        self.opened = 0
        places = self.places = {}
        chosen = itertools.cycle(range(partitions))

        class Batch(form.RecordBuffer):  # type: ignore[name-defined]
            pass

        def make(topic: str, partition: int, limit: int) -> Batch:
            made = Batch(limit)
            places[id(made)] = (topic, partition)
            return made

        def on_open() -> None:
            self.opened += 1

        self.appender = form.Appender(
            memory=memory, batch_bytes=batch, record_bytes_max=record, clock=lambda: 1_700_000_000.5, make=make,
            on_full=self.full.append, on_open=on_open, choose=lambda _: next(chosen),
        )  # fmt: skip
        self.appender.learn("t", partitions)

    def batches(self) -> list[tuple[int, list[Record]]]:
        return [(self.places[id(batch)][1], records(batch)) for batch in self.appender.take_fresh()]


def records(batch: Any) -> list[Record]:
    data = batch.take_data()
    first, greatest = batch.times
    view = memoryview(data)[: batch.end]
    seal_batch(view, batch.end, count=batch.count, base_timestamp=first, max_timestamp=greatest)
    return read_records(view)


@pytest.mark.parametrize(
    ("key", "expected"),
    # The vectors of Kafka's UtilsTest.testMurmur2, signed there.
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536),
     (b"a-little-bit-longer-string", -1486304829), (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
     (b"abc", 479470107), (b"", 275646681)],
)  # fmt: skip
def test_a_key_hashes_as_in_java(form: ModuleType, key: bytes, expected: int) -> None:
    assert form.murmur2(key) == expected & 0xFFFFFFFF


def test_a_key_goes_to_its_partition_and_no_key_to_the_sticky_one(form: ModuleType) -> None:
    bench = Bench(form)
    for key in (b"foobar", b"abc", b"21"):
        assert bench.appender.append("t", b"v", key) is not None
    bench.appender.append("t", b"sticky")
    bench.appender.append("t", b"sticky")
    by_partition = {partition: [record.value for record in found] for partition, found in bench.batches()}
    expected: dict[int, list[bytes]] = {}
    for key in (b"foobar", b"abc", b"21"):
        expected.setdefault(form.partition_of(key, 3), []).append(b"v")
    expected.setdefault(0, []).extend([b"sticky", b"sticky"])
    assert by_partition == expected
    assert form.partition_of(b"a topic that has none", 0) == 0


values = st.none() | st.binary(max_size=300)
headers = st.lists(st.tuples(st.text(max_size=20), values), max_size=3)
rows = st.lists(st.tuples(values, values, headers, st.integers(0, 1 << 45)), min_size=1, max_size=30)


@given(rows)
@pytest.mark.parametrize("form", FORMS, ids=["as it runs", "source"])
def test_what_is_appended_is_what_a_reader_finds(form: ModuleType, rows: list[Any]) -> None:
    bench = Bench(form, partitions=1)
    for key, value, some, timestamp in rows:
        assert bench.appender.append("t", value, key, some, None, timestamp) is not None
    (found,) = [records for _, records in bench.batches()]
    assert found == [
        Record(index, timestamp, key, value, tuple(some)) for index, (key, value, some, timestamp) in enumerate(rows)
    ]


def test_text_headers_as_a_mapping_and_other_buffers_are_taken(form: ModuleType) -> None:
    bench = Bench(form, partitions=1)
    bench.appender.append("t", "grün", bytearray(b"k"), {"a": "b", "n": None})
    ((_, (record,)),) = bench.batches()
    assert (record.value, record.key, record.headers) == ("grün".encode(), b"k", (("a", b"b"), ("n", None)))
    with pytest.raises(TypeError, match="serializer"):
        bench.appender.append("t", 5)


def test_a_full_batch_makes_room_for_the_next_and_the_sticky_partition_changes(form: ModuleType) -> None:
    bench = Bench(form, batch=20_000)
    for _ in range(60):
        bench.appender.append("t", b"x" * 1000)
    assert [partition for partition, _ in bench.batches()] == [0, 1, 2, 0]
    assert len(bench.full) == 3
    assert bench.opened == 4


def test_memory_is_bounded_and_comes_back(form: ModuleType) -> None:
    bench = Bench(form, memory=100_000, batch=40_000, partitions=1)
    acks = 0
    while bench.appender.append("t", b"x" * 1000) is not None:
        acks += 1
    assert bench.appender.reason == form.NO_ROOM
    assert 90 <= acks <= 100
    assert bench.appender.used <= 100_000
    bench.appender.release(bench.appender.take_fresh()[0].capacity)
    assert bench.appender.append("t", b"x" * 1000) is not None


@pytest.mark.parametrize("size", [70_000, 200_000])
def test_a_record_that_can_never_be_sent_is_refused(form: ModuleType, size: int) -> None:
    bench = Bench(form, memory=100_000)
    assert bench.appender.append("t", b"x" * size) is None
    assert bench.appender.reason == form.TOO_LARGE
    assert bench.appender.used == 0


def test_a_record_larger_than_a_batch_has_one_of_its_own(form: ModuleType) -> None:
    bench = Bench(form, batch=1000, partitions=1)
    for size in (10, 5000, 10):
        assert bench.appender.append("t", b"x" * size) is not None
    assert [len(found) for _, found in bench.batches()] == [1, 1, 1]


def test_what_cannot_be_done_now_says_why(form: ModuleType) -> None:
    bench = Bench(form)
    assert bench.appender.append("other", b"v") is None
    assert bench.appender.reason == form.UNKNOWN_TOPIC
    assert bench.appender.append("t", b"v", None, None, 3) is None
    assert bench.appender.reason == form.NO_PARTITION
    bench.appender.stop(True)
    assert bench.appender.append("t", b"v") is None
    assert bench.appender.reason == form.STOPPED


def test_many_are_appended_as_one_by_one_and_know_where_they_are(form: ModuleType) -> None:
    bench = Bench(form, partitions=1)
    bench.appender.append("t", b"before")
    segments: list[Any] = []
    owner = object()
    assert bench.appender.append_many("t", [b"a", (b"k", b"b"), None], 0, owner, segments) == 3
    bench.appender.append("t", b"between")
    assert bench.appender.append_many("t", [b"c"], 0, owner, segments) == 1
    assert [segment.span[1:] for segment in segments] == [(1, 3), (5, 1)]
    ((_, found),) = bench.batches()
    assert [(record.key, record.value) for record in found[1:4]] == [(None, b"a"), (b"k", b"b"), (None, None)]
