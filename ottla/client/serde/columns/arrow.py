"""Columns that were filled, as Arrow arrays; and batches taken apart by schema and put together again."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ...errors import SerializationError
from . import _builders_cy as b

#: Columns of one value; a schema can be small and mean a great many.
COLUMNS_MAX = 10_000


@dataclass
class Out:
    """A column and what Arrow shall take it for."""

    column: Any
    type: Any
    children: list[Out] = field(default_factory=list)
    #: Words of a dictionary (enums): the column has their numbers.
    words: list[str] | None = None
    #: What is made of the array at the end.
    finish: Callable[[Any, Any], Any] | None = None


class Budget:
    """Counts columns, so that a schema cannot ask for too many."""

    def __init__(self) -> None:
        self.left = COLUMNS_MAX

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise SerializationError(f"a schema of more than {COLUMNS_MAX} columns")


def array_of(pa: Any, out: Out) -> Any:
    """The Arrow array of a column."""
    column, kind = out.column, out.type
    valid, values, ends = column.buffers()
    count, nulls = column.count, column.nulls
    if pa.types.is_null(kind):
        return pa.nulls(count)
    validity = pa.array(
        pa.Array.from_buffers(pa.uint8(), count, [None, pa.py_buffer(valid)]).cast(pa.bool_())
    ).buffers()[1]
    validity = validity if nulls else None
    children = [array_of(pa, each) for each in out.children]
    if out.words is not None:
        numbers = pa.Array.from_buffers(pa.int32(), count, [validity, pa.py_buffer(values)], nulls)
        made = pa.DictionaryArray.from_arrays(numbers, pa.array(out.words, pa.string()))
    elif pa.types.is_boolean(kind):
        flags = pa.Array.from_buffers(pa.uint8(), count, [validity, pa.py_buffer(values)], nulls)
        made = flags.cast(pa.bool_())
    elif pa.types.is_struct(kind):
        made = pa.Array.from_buffers(kind, count, [validity], nulls, children=children)
    elif pa.types.is_list(kind) or pa.types.is_map(kind):
        made = pa.Array.from_buffers(kind, count, [validity, pa.py_buffer(ends)], nulls, children=children)
    elif pa.types.is_string(kind):
        raw = pa.Array.from_buffers(pa.binary(), count, [validity, pa.py_buffer(ends), pa.py_buffer(values)], nulls)
        made = raw.cast(kind)
    elif pa.types.is_binary(kind):
        made = pa.Array.from_buffers(kind, count, [validity, pa.py_buffer(ends), pa.py_buffer(values)], nulls)
    else:
        made = pa.Array.from_buffers(kind, count, [validity, pa.py_buffer(values)], nulls)
    return made if out.finish is None else out.finish(pa, made)


@dataclass
class Group:
    """Rows of a batch that have the same schema; -1 for a null among them."""

    head: bytes
    in_header: bool
    rows: array[int] = field(default_factory=lambda: array("i"))
    places: array[int] = field(default_factory=lambda: array("i"))


def groups(pa: Any, data: Any, notes: list[bytes | None] | None, size: int) -> list[Group]:
    """The rows of a binary array by what stands in front of them (`size` bytes), or in their header."""
    import pyarrow.compute as pc

    if notes is None:
        heads = pc.binary_slice(data, 0, size) if hasattr(pc, "binary_slice") else None
        if heads is not None and len(unique := pc.unique(heads.drop_null())) == 1:
            one = Group(unique[0].as_py(), False)
            one.rows = array("i", range(len(data)))
            if data.null_count:
                for row in pc.indices_nonzero(data.is_null()).to_pylist():
                    one.rows[row] = -1
            return [one]
    found: dict[tuple[bytes, bool], Group] = {}
    last: Group | None = None
    waiting: list[int] = []
    for row in range(len(data)):
        note = None if notes is None else notes[row]
        if not data[row].is_valid:
            if last is None:
                waiting.append(row)
                continue
            last.rows.append(-1)
        else:
            head = note if note is not None else data[row].as_py()[:size]
            key = head, note is not None
            last = found.setdefault(key, Group(*key))
            for early in waiting:
                last.rows.append(-1)
                last.places.append(early)
            waiting.clear()
            last.rows.append(row)
        last.places.append(row)
    return list(found.values())


def fill(pa: Any, reader: Any, out: Out, data: Any, group: Group, skip: int) -> Any:
    """Read the rows of a group into an Arrow array."""
    _, ends, values = data.buffers()
    try:
        b.run(reader, out.column, memoryview(values or b""), memoryview(ends), memoryview(group.rows).cast("B"), skip)
        return array_of(pa, out)
    except (ValueError, pa.ArrowInvalid) as problem:
        raise SerializationError(f"values cannot be decoded: {problem}") from problem


def together(pa: Any, arrays: list[Any], parts: list[Group]) -> Any:
    """The arrays of all groups as one, in the order of the batch."""
    if len(arrays) == 1:
        return arrays[0]
    places = [place for part in parts for place in part.places]
    back = array("i", bytes(4 * len(places)))
    for number, place in enumerate(places):
        back[place] = number
    arrays = [each.cast(arrays[0].type) if each.type != arrays[0].type else each for each in arrays]
    return pa.concat_arrays([_plain(pa, each) for each in arrays]).take(pa.array(back, pa.int32()))


def _plain(pa: Any, made: Any) -> Any:
    return made.dictionary_decode() if pa.types.is_dictionary(made.type) else made
