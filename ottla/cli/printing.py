"""How a record is printed: kcat's format words, the properties of Kafka's console consumer, JSON lines.

-f '%t %p %o %k %s\\n'      words and escapes, read once into a list of parts
--property print.key=true   Kafka's columns, separated by tabs
--json                      an object a line, which `ottla produce --json` reads
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Iterable
from typing import Any

from .trouble import MISUSED, Trouble

Part = Callable[[Any], bytes]
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\", "a": "\a"}


def unescape(text: str) -> str:
    """Read \\n, \\t, \\r, \\0 and \\xHH as kcat does."""
    found, index = [], 0
    while index < len(text):
        letter = text[index]
        if letter == "\\" and index + 1 < len(text):
            follows = text[index + 1]
            if follows == "x":
                digits = text[index + 2 : index + 4]
                try:
                    found.append(chr(int(digits, 16)))
                except ValueError:
                    raise Trouble(f"\\x{digits} is no byte", "write two hexadecimal digits: \\x1f", MISUSED) from None
                index += 4
                continue
            found.append(_ESCAPES.get(follows, letter + follows))
            index += 2
            continue
        found.append(letter)
        index += 1
    return "".join(found)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else bytes(value)


def _headers(record: Any) -> bytes:
    return b",".join(
        name.encode("utf-8", "surrogateescape") + b"=" + (b"NULL" if value is None else _bytes(value))
        for name, value in record.headers
    )


def _size(value: Any) -> int:
    return -1 if value is None else len(value)


def words(null: bytes) -> dict[str, Part]:
    """kcat's words. `null`: what stands for a null key or value."""
    return {
        "s": lambda r: null if (value := r.value) is None else _bytes(value),
        "k": lambda r: null if (key := r.key) is None else _bytes(key),
        "S": lambda r: b"%d" % _size(r.value),
        "K": lambda r: b"%d" % _size(r.key),
        "R": lambda r: struct.pack(">i", _size(r.value)),
        "t": lambda r: r.topic.encode(),
        "p": lambda r: b"%d" % r.partition,
        "o": lambda r: b"%d" % r.offset,
        "T": lambda r: b"%d" % r.timestamp,
        "h": _headers,
        "%": lambda _: b"%",
    }


def by_format(text: str, null: bytes = b"") -> Part:
    """Make a function that prints a record as the format says."""
    known = words(null)
    parts: list[Part] = []
    plain: list[str] = []

    def end_plain() -> None:
        if plain:
            fixed = "".join(plain).encode("utf-8", "surrogateescape")
            parts.append(lambda _: fixed)
            plain.clear()

    pieces = iter(unescape(text))
    for letter in pieces:
        if letter != "%":
            plain.append(letter)
            continue
        word = next(pieces, "")
        if word not in known:
            raise Trouble(
                f"%{word} is no word of a format", f"there are: {' '.join('%' + each for each in known)}", MISUSED
            )
        end_plain()
        parts.append(known[word])
    end_plain()
    return lambda r: b"".join([part(r) for part in parts])


def by_properties(properties: dict[str, str], delimiter: bytes, null: bytes) -> Part:
    """Kafka's console consumer: columns in its order, separated by key.separator."""
    known = words(null)

    def is_on(name: str) -> bool:
        return properties.get(name, "").lower() == "true"

    columns: list[Part] = []
    if is_on("print.timestamp"):
        columns.append(lambda r: (b"LogAppendTime:" if r.log_append_time else b"CreateTime:") + known["T"](r))
    if is_on("print.partition"):
        columns.append(lambda r: b"Partition:" + known["p"](r))
    if is_on("print.offset"):
        columns.append(lambda r: b"Offset:" + known["o"](r))
    if is_on("print.headers"):
        columns.append(
            lambda r: (
                b",".join(n.encode() + b":" + (b"null" if v is None else v) for n, v in r.headers) or b"NO_HEADERS"
            )
        )
    if is_on("print.key"):
        columns.append(known["k"])
    if properties.get("print.value", "true").lower() == "true":
        columns.append(known["s"])
    between = unescape(properties.get("key.separator", "\\t")).encode()
    return lambda r: between.join([column(r) for column in columns]) + delimiter


def _readable(value: Any) -> Any:
    """Text, or {"base64": ...} where the bytes are none."""
    if value is None:
        return None
    data = _bytes(value)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def as_json(record: Any) -> bytes:
    """One line of JSON."""
    data = {
        "topic": record.topic, "partition": record.partition, "offset": record.offset, "timestamp": record.timestamp,
        "key": _readable(record.key), "value": _readable(record.value),
        "headers": [[name, _readable(value)] for name, value in record.headers],
    }  # fmt: skip
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n"


def from_json(value: Any) -> bytes | None:
    """What `as_json` wrote of a key, a value or a header; other JSON is taken as its text."""
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict) and value.keys() == {"base64"} and isinstance(value["base64"], str):
        return base64.b64decode(value["base64"], validate=True)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


#: What kafka-console-consumer has and this does not need; anything else is refused.
_PROPERTIES = {
    "print.key", "print.value", "print.timestamp", "print.partition", "print.offset", "print.headers", "key.separator",
    "null.literal", "line.separator",
}  # fmt: skip


def check_properties(given: Iterable[tuple[str, str]], known: Iterable[str] = _PROPERTIES) -> dict[str, str]:
    """The properties, if all are known."""
    found = dict(given)
    for name in found:
        if name not in known:
            raise Trouble(f"there is no property {name!r}", f"there are: {', '.join(sorted(known))}", MISUSED)
    return found
