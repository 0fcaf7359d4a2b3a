"""How a serialized value says which schema it has: Confluent's wire format. Pure.

    in front of the value    0 │ id, 4 bytes big-endian │ (Protobuf: message indexes) │ value
    in a header              __key_schema_id, __value_schema_id:  1 │ GUID, 16 bytes │ (Protobuf: message indexes)

Message indexes say which message of a .proto file it is: 0 for the first one, else their count and each of them, from the outermost
message inwards, all as zigzag varints. A reader looks for the header first.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import SerializationError

ID_MAGIC, GUID_MAGIC = 0, 1
PREFIX_BYTES = 5
HEADERS = {"key": "__key_schema_id", "value": "__value_schema_id"}
#: Messages are not nested deeper than this.
INDEXES_MAX = 100


class Framing(NamedTuple):
    """What was in front of a value: the schema's id or GUID, message indexes, and where the value begins."""

    schema: int | str
    indexes: tuple[int, ...]
    start: int


def prefix(schema_id: int, indexes: Sequence[int] | None = None) -> bytes:
    """What stands in front of a value."""
    return b"\0" + schema_id.to_bytes(4, "big") + write_indexes(indexes)


def header(guid: str, indexes: Sequence[int] | None = None) -> bytes:
    """What stands in a header."""
    return b"\x01" + uuid.UUID(guid).bytes + write_indexes(indexes)


def read_prefix(data: bytes, *, with_indexes: bool = False) -> Framing:
    """Take the prefix apart."""
    if len(data) < PREFIX_BYTES or data[0] != ID_MAGIC:
        raise SerializationError(
            f"{len(data)} bytes that begin with {bytes(data[:5]).hex()} carry no schema id",
            hint="were they written with a schema registry?",
        )
    schema = int.from_bytes(data[1:5], "big")
    if not with_indexes:
        return Framing(schema, (), PREFIX_BYTES)
    indexes, start = read_indexes(data, PREFIX_BYTES)
    return Framing(schema, indexes, start)


def read_header(data: bytes, *, with_indexes: bool = False) -> Framing:
    """Take a header apart; the value is whole then. A header may have an id too."""
    if len(data) >= 17 and data[0] == GUID_MAGIC:
        schema: int | str = str(uuid.UUID(bytes=bytes(data[1:17])))
        start = 17
    elif len(data) >= PREFIX_BYTES and data[0] == ID_MAGIC:
        schema, start = int.from_bytes(data[1:5], "big"), PREFIX_BYTES
    else:
        raise SerializationError(f"a header of {len(data)} bytes holds no schema id")
    return Framing(schema, read_indexes(data, start)[0] if with_indexes else (), 0)


def write_indexes(indexes: Sequence[int] | None) -> bytes:
    """Message indexes; nothing for None."""
    if indexes is None:
        return b""
    if list(indexes) == [0]:
        return b"\0"
    return b"".join(_varint(number) for number in (len(indexes), *indexes))


def read_indexes(data: bytes, start: int) -> tuple[tuple[int, ...], int]:
    """(indexes, the place behind them)."""
    count, start = _read_varint(data, start)
    if count == 0:
        return (0,), start
    if not 0 < count <= INDEXES_MAX:
        raise SerializationError(f"{count} message indexes")
    found = []
    for _ in range(count):
        number, start = _read_varint(data, start)
        if number < 0:
            raise SerializationError(f"a message index of {number}")
        found.append(number)
    return tuple(found), start


def _varint(number: int) -> bytes:
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varint(data: bytes, start: int) -> tuple[int, int]:
    number = 0
    for step in range(5):
        if start + step >= len(data):
            break
        byte = data[start + step]
        number |= (byte & 0x7F) << (7 * step)
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), start + step + 1
    raise SerializationError("the message indexes are cut off")
