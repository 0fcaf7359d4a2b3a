"""JSON values of a batch as one Arrow array, by Arrow's parallel reader; the schema's prefix is cut off in place."""

from __future__ import annotations

from typing import Any

from ...errors import SerializationError
from .. import framing
from ..registered import RegisteredSerde


def read_column(serde: RegisteredSerde[Any], pa: Any, data: Any, notes: Any) -> Any:
    """A struct for each JSON object. Values are not validated; what is no JSON is refused."""
    import pyarrow.compute as pc

    from ...consumer.batch import _read_json

    bare = pc.binary_slice(data, framing.PREFIX_BYTES)
    heads = pc.binary_slice(data, 0, 1)
    if notes is not None and any(notes):
        framed = pa.array([note is None for note in notes])
        bare = pc.if_else(framed, bare, data)
        heads = pc.if_else(framed, heads, pa.scalar(b"\0", pa.binary()))
    if not pc.all(pc.equal(heads, pa.scalar(b"\0", pa.binary()))).as_py() and data.null_count < len(data):
        raise SerializationError("some values carry no schema id")
    try:
        return _read_json(pa, bare)
    except pa.ArrowInvalid as problem:
        raise SerializationError(f"values cannot be decoded as JSON: {problem}") from problem
