"""Fetched bytes into columns: the same records as ottla.records reads, in both forms; nothing hostile gets further."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla import _extensions
from ottla.client.consumer import _columns_cy, _runs_cy
from ottla.client.consumer.batch import Batch, Slice
from ottla.protocol.errors import KafkaError
from ottla.records.batch import Compression, Record, TimestampType, build_batch
from ottla.records.control import EndTransactionMarker, build_end_transaction_marker

MAX = 1 << 25


class Form:
    """The two hot modules in one of their forms."""

    def __init__(self, columns: ModuleType, runs: ModuleType) -> None:
        self.columns, self.runs = columns, runs

    def read(
        self, data: Any, start: int = 0, aborted: list[tuple[int, int]] | None = None, **options: Any
    ) -> list[Any]:
        place, found, cancelled = 0, [], None if aborted is None else self.runs.Aborted(aborted)
        while place < len(data):
            run, place, start = self.runs.read_run(
                data, place, len(data), start, "t", 0, cancelled, True, options.get("max_bytes", MAX)
            )
            if run is not None:
                found.append(run)
        return found

    def records(self, data: Any, *arguments: Any) -> list[tuple[Any, ...]]:
        return [
            (r.offset, r.timestamp, r.key, r.value, r.headers)
            for run in self.read(data, *arguments)
            for r in map(run.record, range(len(run)))
        ]


@pytest.fixture(scope="module", params=["compiled", "source"])
def form(request: pytest.FixtureRequest) -> Form:
    if request.param == "source":
        columns = _extensions.load_source("ottla.client.consumer._columns_cy")
        runs = _extensions.load_source("ottla.client.consumer._runs_cy")
        runs.Columns = columns.Columns  # type: ignore[attr-defined]
        return Form(columns, runs)
    if not _runs_cy.is_compiled():
        pytest.skip("the hot modules are not compiled here: python setup.py build_ext --inplace")
    return Form(_columns_cy, _runs_cy)


HEADERS = st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=5)), max_size=3).map(tuple)
RECORDS = st.lists(
    st.builds(
        Record, st.just(0), st.integers(0, 1 << 45), st.none() | st.binary(max_size=200), st.none() | st.binary(max_size=200),
        HEADERS,
    ),
    min_size=1, max_size=20,
)  # fmt: skip


@given(
    batches=st.lists(st.tuples(RECORDS, st.sampled_from(Compression)), min_size=1, max_size=4), start=st.integers(0, 30)
)
def test_every_record_from_the_asked_offset_on_is_there(form: Form, batches: list[Any], start: int) -> None:
    data, expected, offset = b"", [], 0
    for records, codec in batches:
        data += build_batch(records, base_offset=offset, compression=codec)
        expected += [(offset + i, r.timestamp, r.key, r.value, r.headers) for i, r in enumerate(records)]
        offset += len(records)
    assert form.records(data, start) == [row for row in expected if row[0] >= start]


@given(records=RECORDS, cut=st.integers(0, 2000), flip=st.integers(0, 1 << 14), codec=st.sampled_from(Compression))
def test_damaged_bytes_are_an_error_or_a_part_that_is_left_out(
    form: Form, records: list[Record], cut: int, flip: int, codec: Compression
) -> None:
    data = build_batch(records, compression=codec)
    data[flip % len(data)] ^= 1 << (flip % 8)
    try:
        form.records(memoryview(data)[: max(1, len(data) - cut)])
    except KafkaError as problem:
        assert "t-0" in str(problem) or codec  # a codec's own error has no place in it


@given(payload=st.binary(max_size=120), count=st.integers(0, 1 << 31 - 1))
def test_records_that_lie_about_themselves_do_not_get_further(form: Form, payload: bytes, count: int) -> None:
    """The checksum is right, the sizes are not."""
    import struct

    from ottla.records.batch import crc32c

    data = build_batch([Record(0, 0, None, b"")])
    data = bytearray(data[:61] + payload)
    struct.pack_into(">i", data, 8, len(data) - 12)
    struct.pack_into(">i", data, 23, max(0, count % 1000 - 1))
    struct.pack_into(">i", data, 57, count % 1000)
    struct.pack_into(">I", data, 17, crc32c(data, 21))
    try:
        form.records(bytes(data))
    except KafkaError as problem:
        assert "t-0 at offset 0" in str(problem)


def test_a_bomb_costs_no_more_than_the_cap(form: Form) -> None:
    bomb = build_batch([Record(0, 0, None, bytes(1 << 20))], compression=Compression.ZSTD)
    with pytest.raises(KafkaError, match="exceed 100000 bytes"):
        form.read(bytes(bomb), max_bytes=100_000)


def test_old_message_formats_are_named(form: Form) -> None:
    data = bytearray(build_batch([Record(0, 0, None, b"x")]))
    data[16] = 1
    with pytest.raises(KafkaError, match="message format 1"):
        form.read(bytes(data))


def test_aborted_transactions_and_markers_are_left_out(form: Form) -> None:
    def produced(offset: int, producer: int) -> bytes:
        batch = build_batch(
            [Record(0, 0, None, b"%d" % offset)], base_offset=offset, producer_id=producer, producer_epoch=0, base_sequence=0,
            transactional=True,
        )  # fmt: skip
        return bytes(batch)

    def marker(offset: int, producer: int, committed: bool) -> bytes:
        end = EndTransactionMarker(committed, 0)
        return bytes(
            build_end_transaction_marker(
                end, producer_id=producer, producer_epoch=0, timestamp_ms=0, base_offset=offset
            )
        )

    data = (
        produced(0, 1) + produced(1, 2) + marker(2, 1, False) + produced(3, 1) + marker(4, 2, True) + marker(5, 1, True)
    )
    assert [row[0] for row in form.records(data, 0, [(0, 1)])] == [1, 3]
    assert [row[0] for row in form.records(data, 0, None)] == [0, 1, 3]
    assert form.runs.read_run(data, 0, len(data), 0, "t", 0, form.runs.Aborted([]), True, MAX)[2] == 6


def test_the_brokers_timestamps_are_the_batchs(form: Form) -> None:
    data = build_batch([Record(0, 5, None, b""), Record(0, 9, None, b"")], timestamp_type=TimestampType.LOG_APPEND_TIME)
    (run,) = form.read(bytes(data))
    assert [run.timestamp(0), run.timestamp(1)] == [9, 9]
    assert run.log_append_time


async def test_a_stream_gives_each_row_once_and_knows_what_is_in_hand(form: Form) -> None:
    data = bytes(build_batch([Record(0, 0, None, b"%d" % i) for i in range(4)]))
    (run,) = form.read(data)

    async def more() -> Any:
        if stream.position() is not None:
            raise StopAsyncIteration
        return stream.load(run, 0, 4)

    stream = form.columns.RecordStream(more)
    seen = []
    async for record in stream:
        seen.append(record.value)
        assert stream.in_hand
        assert stream.position()[1] == record.offset
    assert seen == [b"0", b"1", b"2", b"3"]
    assert not stream.in_hand
    assert stream.position()[1] == 4


def test_columns_become_an_arrow_table() -> None:
    pa = pytest.importorskip("pyarrow")
    records = [
        Record(0, 1000, b"k", b'{"n": 1, "s": "x"}', (("h", b"1"),)),
        Record(0, -1, None, None),
        Record(0, 2000, b"", b'{"n": 2}\n'),
    ]
    data = bytes(build_batch(records))
    run, _, _ = _runs_cy.read_run(data, 0, len(data), 0, "t", 3, None, True, MAX)
    assert run is not None
    table = Batch([Slice(run, 0, 3), Slice(run, 1, 3)]).to_arrow(value="json")
    assert table["offset"].to_pylist() == [0, 1, 2, 1, 2]
    assert table["key"].to_pylist() == [b"k", None, b"", None, b""]
    assert table["value"].to_pylist() == [
        {"n": 1, "s": "x"}, None, {"n": 2, "s": None}, None, {"n": 2, "s": None},
    ]  # fmt: skip
    assert table["partition"].to_pylist() == [3] * 5
    assert table["headers"].to_pylist()[:2] == [[{"key": "h", "value": b"1"}], None]
    assert table["timestamp"].cast(pa.int64()).to_pylist() == [1000, None, 2000, None, 2000]
    assert pa.table(Batch([Slice(run, 0, 1)])).num_rows == 1
