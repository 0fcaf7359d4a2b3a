"""What both compilers of `codec` share: indented lines of Python, the names they use, sizes of things."""

from __future__ import annotations

from struct import Struct as Layout
from typing import Any

from .schema import Field, Primitive, Struct

#: Bytes on the wire of each fixed-size type, by `struct` letter.
FIXED_SIZES = {"?": 1, "b": 1, "B": 1, "h": 2, "H": 2, "i": 4, "I": 4, "q": 8, "d": 8, "16s": 16}

#: Memory in CPython 3.11 on 64 bits, rounded up: a slot or list entry, an object's head, an int or float beyond the
#: cached ones, an empty list, a string or bytes without its characters.
POINTER, OBJECT, NUMBER, LIST, TEXT = 8, 32, 32, 56, 56


class Text:
    """Lines of a function being written, with the names that it refers to from outside (its scope)."""

    def __init__(self, scope: dict[str, Any]) -> None:
        self.lines: list[str] = []
        self.scope = scope
        self.depth = 1
        self._count = 0

    def line(self, text: str) -> None:
        """Add one line at the present depth."""
        self.lines.append("    " * self.depth + text)

    def fresh(self, stem: str) -> str:
        """Return a variable name not used before in this function."""
        self._count += 1
        return f"{stem}{self._count}"

    def share(self, stem: str, thing: Any) -> str:
        """Make an object reachable from the function, and return the name under which it is."""
        for name, known in self.scope.items():
            if known is thing and name.startswith(stem):
                return name
        name = stem if stem not in self.scope else f"{stem}_{len(self.scope)}"
        self.scope[name] = thing
        return name

    def layout(self, codes: str, method: str) -> str:
        """Make a compiled `struct` layout reachable by its bound `method`, and return the name."""
        name = f"{method.removesuffix('_from')}_{codes.replace('?', 'Z')}"
        if name not in self.scope:
            self.scope[name] = getattr(Layout(">" + codes), method)
        return name

    def literal(self, value: Any) -> str:
        """Write a default as an expression."""
        if value is None or isinstance(value, (bool, int, float, str, bytes)):
            return repr(value)
        return self.share(f"default_{type(value).__name__}", value)


def is_flexible(field: Field, version: int, flexible: bool) -> bool:
    """Tell whether the field's lengths are varints."""
    return flexible and version in field.flexible


def fields_in_body(struct: type[Struct], version: int, flexible: bool) -> list[Field]:
    """List the fields that lie one after the other."""
    return [x for x in struct.FIELDS if version in x.versions and not (flexible and x.tag is not None)]


def fields_in_tags(struct: type[Struct], version: int, flexible: bool) -> list[Field]:
    """List the fields of the tag section, in ascending order of tags."""
    found = [x for x in struct.FIELDS if flexible and x.tag is not None and version in x.versions]
    return sorted(found, key=lambda x: x.tag or 0)


def wire_size_min(kind: Primitive | type[Struct], version: int, flexible: bool) -> int:
    """Return the least number of bytes that one value can have on the wire, never below one."""
    if isinstance(kind, Primitive):
        if kind.code:
            return FIXED_SIZES[kind.code]
        return 1 if flexible else 2 if kind.name == "string" else 4
    size = int(flexible)  # the count of tags
    for field in fields_in_body(kind, version, flexible):
        compact = is_flexible(field, version, flexible)
        if field.array:
            size += 1 if compact else 4
        elif not isinstance(field.type, Primitive) and field.nullable.low <= version <= field.nullable.high:
            size += 1
        else:
            size += wire_size_min(field.type, version, compact)
    return max(size, 1)


def memory_size(kind: Primitive | type[Struct], version: int, flexible: bool) -> int:
    """Estimate the memory of one decoded value beyond the bytes of its strings and the elements of its arrays."""
    if isinstance(kind, Primitive):
        return 0 if kind.code in ("?", "b", "B") else NUMBER if kind.code and kind.code != "16s" else TEXT
    size = OBJECT + POINTER * (len(kind.FIELDS) + 1)
    for field in kind.FIELDS:
        if field.array:
            size += LIST
        elif version in field.versions and not (flexible and field.tag is not None):
            size += memory_size(field.type, version, flexible)
    return size
