"""What the generated code of `codec` calls when the straight line ends: long varints, rare errors.

An unsigned varint carries seven bits a byte, least significant group first, the top bit saying "more follows".
Nearly all of them (lengths, counts, tags) are below 128 and are handled in place by the generated code; only the
others come here.
"""

from __future__ import annotations

from struct import Struct as Layout
from struct import pack, unpack_from
from typing import Any, NoReturn

from .errors import LocalProtocolError, RemoteProtocolError

#: What bytes come in. (`collections.abc.Buffer` is of Python 3.12.)
Buffer = bytes | bytearray | memoryview

#: Kafka's own limit for a string, also in flexible versions whose length field could say more.
STRING_BYTES_MAX = 0x7FFF
#: An unsigned varint stands for a 32-bit number, so no more than five bytes of seven bits.
UVARINT_BYTES_MAX = 5
#: Arrays of numbers up to this length are packed by a layout made beforehand.
SHORT_ARRAY = 16


def write_uvarint(value: int) -> bytes:
    """Encode a number of up to 32 bits."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


#: The encodings of 0…127, for the generated code to index.
SHORT_UVARINTS = tuple(bytes((value,)) for value in range(0x80))


def read_uvarint(view: Any, pos: int) -> tuple[int, int]:
    """Decode the varint that starts at `pos`; returns the number and the position behind it."""
    value = 0
    for shift in range(0, 7 * UVARINT_BYTES_MAX, 7):
        byte = view[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > 0xFFFFFFFF:
                break
            return value, pos
    raise RemoteProtocolError(f"an unsigned varint that ends at byte {pos} is too long")


def short_layouts(prefix: str, code: str) -> tuple[Layout, ...]:
    """Make the layouts of arrays with 0, 1, … elements behind `prefix` (the count, or nothing)."""
    return tuple(Layout(f">{prefix}{count}{code}") for count in range(SHORT_ARRAY))


def read_numbers(view: Any, pos: int, count: int, code: str) -> list[Any]:
    """Decode a long array of numbers."""
    return list(unpack_from(f">{count}{code}", view, pos))


def write_numbers(values: list[Any], code: str, flexible: bool) -> bytes:
    """Encode an array of numbers that is long, together with its count."""
    count = len(values)
    head = write_uvarint(count + 1) if flexible else pack(">i", count)
    return head + pack(f">{count}{code}", *values)


def bad_null(name: str) -> NoReturn:
    """Refuse a null where the schema has none."""
    raise RemoteProtocolError(f"{name} is null and may not be")


def bad_length(name: str, length: int, left: int) -> NoReturn:
    """Refuse a string or a run of bytes that is longer than what follows."""
    raise RemoteProtocolError(f"{name} claims {length} bytes where {left} are left")


def bad_count(name: str, count: int, left: int) -> NoReturn:
    """Refuse an array that cannot fit in what follows, or would take too much memory once decoded."""
    raise RemoteProtocolError(f"{name} claims {count} elements where {left} bytes are left, or too many in all")


def bad_tag(name: str, difference: int) -> NoReturn:
    """Refuse a tagged field whose size is not that of its value."""
    raise RemoteProtocolError(f"the tagged field {name} has {difference:+} bytes beside its stated size")


def bad_string(name: str, length: int) -> NoReturn:
    """Refuse a string above Kafka's limit, on the way in."""
    raise RemoteProtocolError(f"{name} claims {length} bytes; a string has at most {STRING_BYTES_MAX}")


def long_string(name: str, length: int) -> NoReturn:
    """Refuse a string above Kafka's limit, on the way out."""
    raise LocalProtocolError(f"{name} has {length} bytes; a string has at most {STRING_BYTES_MAX}")


def bad_uuid(name: str, value: bytes) -> NoReturn:
    """Refuse an id of another length than sixteen bytes."""
    raise LocalProtocolError(f"{name} must be sixteen bytes, not {value!r}")


def unsent(name: str, version: int) -> NoReturn:
    """Refuse to lose a value that the chosen version cannot carry (Kafka's rule for fields that are not ignorable)."""
    raise LocalProtocolError(f"{name} cannot be sent in version {version}, and its value is not the default")


def join_tags(known: list[tuple[int, bytes]], unknown: dict[int, bytes] | None) -> bytes:
    """Encode a struct's tag section: the count, then tag, size and value in ascending order of tags."""
    fields = sorted([*known, *unknown.items()] if unknown else known)
    parts = [write_uvarint(len(fields))]
    last = -1
    for tag, value in fields:
        if tag <= last:
            raise LocalProtocolError(f"tag {tag} is used twice")
        last = tag
        parts += write_uvarint(tag), write_uvarint(len(value)), value
    return b"".join(parts)
