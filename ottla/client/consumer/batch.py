"""`Batch`: records of several partitions, read one by one or taken as columns.

    for record in batch                    views, made one at a time
    batch.to_arrow()                       a pyarrow.Table; keys and values copied once, in compiled code
    batch.to_polars() / to_pandas()        by way of Arrow
    batch.to_arrow(value="json")           values decoded into columns, all at once
    pl.from_arrow(batch), duckdb …         the Arrow PyCapsule interface (`__arrow_c_stream__`)

Columns: topic (dictionary), partition int32, offset int64, timestamp (ms, UTC; null where there is none), key and value
(binary, or what `key=`/`value=` decode them into), headers (list of structs; `headers=False` leaves them out).
pyarrow is the extra `ottla[arrow]`, polars and pandas are yours; none is imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import SerializationError, UnsupportedError
from ._columns_cy import KEY, OFFSET, TIMESTAMP, VALUE, Columns, Record
from .assignors.types import TopicAndPartition

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow as pa

#: Arrow's binary type counts with int32.
BINARY_BYTES_MAX = (1 << 31) - 1


class Slice(NamedTuple):
    """Rows row..stop of a run."""

    columns: Columns
    row: int
    stop: int


class Batch:
    """Records that were given together. While the body of `async for batch in …` runs, they are in hand."""

    def __init__(
        self, slices: list[Slice], commit: Callable[[dict[TopicAndPartition, int]], Awaitable[None]] | None = None
    ) -> None:
        self.slices = slices
        self._commit = commit

    def __len__(self) -> int:
        return sum(part.stop - part.row for part in self.slices)

    def __iter__(self) -> Iterator[Record]:
        for columns, row, stop in self.slices:
            for index in range(row, stop):
                yield columns.record(index)

    def __repr__(self) -> str:
        return f"<Batch of {len(self)} records from {len(self.next_offsets)} partitions>"

    @property
    def next_offsets(self) -> dict[TopicAndPartition, int]:
        """(topic, partition) -> the offset behind this batch: what is committed once it is processed."""
        found: dict[TopicAndPartition, int] = {}
        for columns, _, stop in self.slices:
            whole = stop == columns.count
            found[columns.topic, columns.partition] = columns.next_offset if whole else columns.offset(stop)
        return found

    def by_partition(self) -> dict[TopicAndPartition, Batch]:
        """A batch for each partition."""
        found: dict[TopicAndPartition, list[Slice]] = {}
        for part in self.slices:
            found.setdefault((part.columns.topic, part.columns.partition), []).append(part)
        return {key: Batch(slices) for key, slices in found.items()}

    async def commit(self) -> None:
        """Commit the offsets behind this batch now."""
        if self._commit is None:
            raise UnsupportedError("this batch does not come from a consumer group")
        await self._commit(self.next_offsets)

    # ── columns ─────────────────────────────────────────────────────────────────────────────────────────────────

    def to_arrow(self, *, key: Any = None, value: Any = None, headers: bool = True) -> pa.Table:
        """A pyarrow.Table. `key`, `value`: None for bytes, "text" for strings, "json" for a struct column, or a serde over a
        registry (Avro, JsonSchema). On an event loop that must be the consumer's own, whose schemas are here.
        """
        pa = arrow()
        columns = {
            "topic": self._topics(pa),
            "partition": self._repeated(pa, [part.columns.partition for part in self.slices], pa.int32()),
            "offset": pa.chunked_array(
                [self._numbers(pa, part, OFFSET, pa.int64()) for part in self.slices], pa.int64()
            ),
            "timestamp": self._timestamps(pa),
            "key": self._decoded(pa, KEY, key, "key"),
            "value": self._decoded(pa, VALUE, value, "value"),
        }
        if headers:
            columns["headers"] = self._headers(pa)
        return pa.table(columns)

    def to_polars(self, **options: Any) -> polars.DataFrame:
        """A polars.DataFrame; options as of `to_arrow`."""
        import polars

        return polars.from_arrow(self.to_arrow(**options))  # type: ignore[return-value,unused-ignore]

    def to_pandas(self, **options: Any) -> pandas.DataFrame:
        """A pandas.DataFrame; options as of `to_arrow`."""
        return self.to_arrow(**options).to_pandas()

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def _numbers(self, pa: Any, part: Slice, column: int, kind: Any) -> Any:
        buffer = pa.py_buffer(part.columns.column(column, part.row, part.stop))
        return pa.Array.from_buffers(kind, part.stop - part.row, [None, buffer])

    def _repeated(self, pa: Any, values: list[Any], kind: Any) -> Any:
        chunks = [
            pa.repeat(pa.scalar(value, kind), part.stop - part.row)
            for value, part in zip(values, self.slices, strict=True)
        ]
        return pa.chunked_array(chunks, kind)

    def _topics(self, pa: Any) -> Any:
        names = sorted({part.columns.topic for part in self.slices})
        index = {name: number for number, name in enumerate(names)}
        numbers = self._repeated(pa, [index[part.columns.topic] for part in self.slices], pa.int32())
        dictionary = pa.array(names, pa.string())
        kind = pa.dictionary(pa.int32(), pa.string())
        return pa.chunked_array([pa.DictionaryArray.from_arrays(chunk, dictionary) for chunk in numbers.chunks], kind)

    def _timestamps(self, pa: Any) -> Any:
        kind = pa.timestamp("ms", tz="UTC")
        chunks = []
        for part in self.slices:
            numbers = self._numbers(pa, part, TIMESTAMP, pa.int64())
            if part.columns.lacks_timestamps(part.row, part.stop):
                import pyarrow.compute as pc

                numbers = pc.if_else(pc.less(numbers, 0), pa.scalar(None, pa.int64()), numbers)
            chunks.append(numbers.view(kind) if numbers.null_count == 0 else numbers.cast(kind))
        return pa.chunked_array(chunks, kind)

    def _binary(self, pa: Any, column: int) -> Any:
        """Keys or values of all slices, as one array: each byte is copied once."""
        total = nulls = 0
        for columns, row, stop in self.slices:
            some, missing = columns.total(column, row, stop)
            total += some
            nulls += missing
        count = len(self)
        if total > BINARY_BYTES_MAX:
            raise SerializationError(f"{total} bytes of records in one batch: ask batches() for fewer records")
        ends, data = self._memory(4 * (count + 1)), self._memory(total)
        ends[:4] = bytes(4)
        validity = bytearray((count + 7) // 8 if nulls else 0)
        index = filled = 0
        for columns, row, stop in self.slices:
            filled = columns.gather(column, row, stop, ends, data, validity, index, filled)
            index += stop - row
        buffers = [pa.py_buffer(validity) if nulls else None, pa.py_buffer(ends), pa.py_buffer(data)]
        return pa.Array.from_buffers(pa.binary(), count, buffers, null_count=nulls)

    def _memory(self, size: int) -> memoryview:
        """Room for a column. It is used again when no column refers to it: fresh pages would cost more than the copy."""
        pool = self.slices[0].columns.pool if self.slices else None
        return memoryview(bytearray(size) if pool is None else pool.take(size))[:size]

    def _decoded(self, pa: Any, column: int, how: Any, field: str) -> Any:
        """Keys or values, decoded as `how` says."""
        raw = self._binary(pa, column)
        if not hasattr(how, "column"):
            return _decode(pa, raw, how, f"{field}s")
        notes = None
        if any(columns.has_headers(row, stop) for columns, row, stop in self.slices):
            note = how.reader(field).note
            notes = [note(columns.headers(i)) for columns, row, stop in self.slices for i in range(row, stop)]
        topic = self.slices[0].columns.topic if self.slices else ""
        return how.column(pa, raw, notes if notes and any(notes) else None, topic, field)

    def _headers(self, pa: Any) -> Any:
        kind = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))
        if not any(columns.has_headers(row, stop) for columns, row, stop in self.slices):
            return pa.nulls(len(self), kind)
        rows = [
            [
                {"key": name.encode("utf-8", "replace").decode(), "value": value}
                for name, value in columns.headers(index)
            ]
            or None
            for columns, row, stop in self.slices
            for index in range(row, stop)
        ]
        return pa.array(rows, kind)


def arrow() -> Any:
    """pyarrow, or what to do without it."""
    try:
        import pyarrow
    except ModuleNotFoundError:
        raise UnsupportedError("columns need pyarrow", hint="pip install 'ottla[arrow]'") from None
    return pyarrow


def _decode(pa: Any, raw: Any, how: str | None, what: str) -> Any:
    if how is None:
        return raw
    try:
        if how == "text":
            return raw.cast(pa.string())
        if how == "json":
            return _read_json(pa, raw)
    except pa.ArrowInvalid as problem:
        raise SerializationError(f"{what} cannot be decoded as {how}: {problem}") from problem
    raise SerializationError(f"no way to decode {what} as {how!r}: there are text and json")


def _read_json(pa: Any, raw: Any) -> Any:
    """JSON objects into one struct column, by Arrow's parallel reader; a null stays null."""
    import pyarrow.compute as pc
    import pyarrow.json

    if len(raw) == 0 or raw.null_count == len(raw):
        return pa.nulls(len(raw))
    filled = pc.fill_null(raw, b"{}") if raw.null_count else raw
    whole = pa.ListArray.from_arrays(pa.array([0, len(filled)], pa.int32()), filled)
    text = pc.binary_join(whole, b"\n")[0].as_buffer()
    options = pyarrow.json.ParseOptions(newlines_in_values=True)
    blocks = pyarrow.json.ReadOptions(block_size=max(1 << 20, text.size + 1))
    table = pyarrow.json.read_json(pa.BufferReader(text), read_options=blocks, parse_options=options)
    if table.num_rows != len(raw):
        raise SerializationError(f"{len(raw)} values held {table.num_rows} JSON objects")
    structs = table.to_struct_array().combine_chunks()
    if raw.null_count:
        structs = pc.if_else(raw.is_valid(), structs, pa.scalar(None, structs.type))
    return structs
