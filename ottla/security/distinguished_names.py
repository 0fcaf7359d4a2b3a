"""A certificate's subject as a string: RFC 2253 as Java writes it, which is what principals and mapping rules are about.

    Name ::= SEQUENCE OF SET OF SEQUENCE { type OBJECT IDENTIFIER, value ANY }     read backwards: the last RDN comes first

Types with a keyword of RFC 2253 (and UID, STREET, DC) are written by it; any other as its number, with the value's DER
in hexadecimal behind `#`, so that `emailAddress=a@b` is `1.2.840.113549.1.9.1=#1603614062`.
"""

from __future__ import annotations

from collections.abc import Iterator

_KEYWORDS = {
    "2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.9": "STREET",
    "0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
}  # fmt: skip
#: DER tags of strings. Java reads the bytes of all of them as UTF-8, whatever they are, and principals are its.
_STRINGS = frozenset({12, 19, 20, 22, 27, 28, 30})
_ESCAPED = frozenset(',=+<>#;"\\')


def rfc2253(name: bytes) -> str:
    """Write a DER-encoded Name; raises ValueError if it is none."""
    _, rdns, _ = _element(name, 0)
    parts = []
    for _, rdn, _ in _elements(rdns):
        parts.append("+".join(_attribute(attribute) for _, attribute, _ in _elements(rdn)))
    return ",".join(reversed(parts))


def _attribute(attribute: bytes) -> str:
    _, oid, end = _element(attribute, 0)
    tag, value, _ = _element(attribute, end)
    dotted = _dotted(oid)
    keyword = _KEYWORDS.get(dotted)
    if keyword is None or tag not in _STRINGS:
        return f"{keyword or dotted}=#{attribute[end:].hex()}"
    return f"{keyword}={_escape(value.decode('utf-8', 'replace'))}"


def _escape(text: str) -> str:
    body = text.strip(" \r")
    if not body:
        return "".join(f"\\{character}" for character in text)
    begin = text.index(body)
    escaped = "".join(
        f"\\{character}" if character in _ESCAPED else "\\00" if character == "\0" else character for character in body
    )
    blanks = (text[:begin], text[begin + len(body) :])
    before, after = ("".join(f"\\{blank}" for blank in side) for side in blanks)
    return before + escaped + after


def _dotted(oid: bytes) -> str:
    numbers, number = [], 0
    for byte in oid:
        number = (number << 7) | (byte & 0x7F)
        if byte < 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def _elements(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    pos = 0
    while pos < len(data):
        element = _element(data, pos)
        yield element
        pos = element[2]


def _element(data: bytes, pos: int) -> tuple[int, bytes, int]:
    """Return tag, contents and end of the DER element at `pos`."""
    try:
        tag, size = data[pos], data[pos + 1]
    except IndexError:
        raise ValueError("the name is cut off") from None
    pos += 2
    if size >= 0x80:
        count = size & 0x7F
        size = int.from_bytes(data[pos : pos + count], "big")
        pos += count
    if pos + size > len(data):
        raise ValueError("the name is cut off")
    return tag, data[pos : pos + size], pos + size
