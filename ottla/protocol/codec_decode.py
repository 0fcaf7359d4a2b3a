"""Writes the decoder of one message class and version as Python source.

The shape of what it writes (ProduceRequest v9, shortened):

    def decode(buffer, pos):
        view = memoryview(buffer)
        end = len(view)
        room = 67108864
        try:
            o1 = new_ProduceRequest(ProduceRequest)
            o1.unknown_tags = None
            n2 = view[pos]                                   # length + 1 of the transactional id
            pos += 1
            ...
            o1.acks, o1.timeout_ms, n3, = unpack_hiB(view, pos)   # fixed fields and the next length in one call
            pos += 7
            ...
            for _ in range(n3 - 1):                          # nested structs are loops in the same function
                o4 = new_TopicProduceData(TopicProduceData)

Invariants: `pos <= end` before every slice (a slice beyond the end would be silently short); a count is believed
only if that many of the smallest possible elements fit in what is left; `room` is what the objects made by this call
may still take in memory, and every array pays for its elements before they are made. Reading a byte or a layout
beyond the end raises IndexError or struct.error, which become RemoteProtocolError in one place.
"""

from __future__ import annotations

from typing import Any

from . import wire
from .codec_text import (
    FIXED_SIZES,
    POINTER,
    Text,
    fields_in_body,
    fields_in_tags,
    is_flexible,
    memory_size,
    wire_size_min,
)
from .schema import Field, Primitive, Struct

#: What one unknown tagged field may cost beyond its bytes: an entry of a dict that grows, a number, a bytes object.
UNKNOWN_TAG_MEMORY = 240


class DecoderText(Text):
    """Writes reads; `_run` collects adjacent fixed-size values until something of variable size follows."""

    def __init__(self, scope: dict[str, Any], version: int, flexible: bool) -> None:
        super().__init__(scope)
        self.version = version
        self.flexible = flexible
        self._run: list[tuple[str, str]] = []
        self.scope.update({name: getattr(wire, name) for name in (
            "read_uvarint", "read_numbers", "bad_null", "bad_length", "bad_count", "bad_tag", "bad_string",
        )})  # fmt: skip

    def fixed(self, target: str, code: str) -> None:
        """Read a fixed-size value into `target`, together with its neighbours."""
        self._run.append((target, code))

    def flush(self) -> None:
        """Write the reading of the collected run: one call, whatever its length."""
        if not self._run:
            return
        targets = ", ".join(target for target, _ in self._run)
        codes = "".join(code for _, code in self._run)
        size = sum(FIXED_SIZES[code] for _, code in self._run)
        if codes == "B":
            self.line(f"{targets} = view[pos]")
        else:
            self.line(f"{targets}, = {self.layout(codes, 'unpack_from')}(view, pos)")
        self.line(f"pos += {size}")
        self._run.clear()

    def struct(self, kind: type[Struct]) -> str:
        """Write the reading of a struct and return the variable that holds it."""
        target = self.fresh("o")
        name = self.share(kind.__name__, kind)
        self.line(f"{target} = {self.share('new_' + kind.__name__, kind.__new__)}({name})")
        body = fields_in_body(kind, self.version, self.flexible)
        self._defaults(target, [field for field in kind.FIELDS if field not in body])
        for field in body:
            self.field(target, field)
        if self.flexible:
            self._tags(target, kind)
        self.flush()
        return target

    def _defaults(self, target: str, fields: list[Field]) -> None:
        """Set what this version does not carry, or carries only in tags; equal defaults in one statement."""
        groups: dict[str, list[str]] = {"None": [f"{target}.unknown_tags"]}
        for field in fields:
            if callable(field.default):
                fresh = "[]" if field.array else f"{self.share(field.default.__name__, field.default)}()"
                self.line(f"{target}.{field.name} = {fresh}")
            else:
                groups.setdefault(self.literal(field.default), []).append(f"{target}.{field.name}")
        for value, targets in groups.items():
            self.line(f"{' = '.join(targets)} = {value}")

    def field(self, owner: str, field: Field) -> None:
        """Write the reading of one field."""
        target = f"{owner}.{field.name}"
        compact = is_flexible(field, self.version, self.flexible)
        nullable = self.version in field.nullable
        if field.array:
            self._array(target, field, compact, nullable)
        elif not isinstance(field.type, Primitive):
            self._nested(target, field.type, nullable, tagged=self.flexible and field.tag is not None)
        elif field.type.code:
            self.fixed(target, field.type.code)
        else:
            self._text(target, field.type.name, compact, nullable)

    def _nested(self, target: str, kind: type[Struct], nullable: bool, tagged: bool) -> None:
        """Write the reading of a struct, after the marker that says whether there is one.

        The marker of a nullable struct is a byte, negative for null; in a tagged field it is a varint, zero for null.
        """
        if not nullable:
            self.flush()
            self.line(f"{target} = {self.struct(kind)}")
            return
        marker = self.fresh("m")
        if tagged:
            self.line(f"{marker}, pos = read_uvarint(view, pos)")
            self.line(f"if not {marker}:")
        else:
            self.fixed(marker, "b")
            self.flush()
            self.line(f"if {marker} < 0:")
        self.line(f"    {target} = None")
        self.line("else:")
        self.depth += 1
        self.line(f"{target} = {self.struct(kind)}")
        self.depth -= 1

    def _length(self, code: str, compact: bool, limit: str = "") -> tuple[str, str]:
        """Write the reading of a length or count; returns its variable and the test that it stands for null.

        A compact length is one more than the length, and zero for null.
        """
        length = self.fresh("n")
        self.fixed(length, "B" if compact else code)
        self.flush()
        if not compact:
            return length, f"{length} < 0"
        self.line(f"if {length} > 127:")
        self.line(f"    {length}, pos = read_uvarint(view, pos - 1)")
        if limit:
            self.line(f"    if {length} > {wire.STRING_BYTES_MAX + 1}:")
            self.line(f"        bad_string({limit!r}, {length} - 1)")
        return length, f"not {length}"

    def _null(self, target: str, test: str, nullable: bool) -> None:
        """Write what happens to null; if it is allowed, what follows is the other branch, one step deeper."""
        name = target.partition(".")[2] or "element"
        self.line(f"if {test}:")
        self.line(f"    {target} = None" if nullable else f"    bad_null({name!r})")
        if nullable:
            self.line("else:")
            self.depth += 1

    def _text(self, target: str, kind: str, compact: bool, nullable: bool) -> None:
        name = target.partition(".")[2] or "element"
        length, null = self._length("h" if kind == "string" else "i", compact, name if kind == "string" else "")
        self._null(target, null, nullable)
        stop = self.fresh("s")
        self.line(f"{stop} = pos + {length}{' - 1' if compact else ''}")
        self.line(f"if {stop} > end:")
        self.line(f"    bad_length({name!r}, {stop} - pos, end - pos)")
        reading = {"string": ".tobytes().decode()", "bytes": ".tobytes()", "records": ""}[kind]
        self.line(f"{target} = view[pos:{stop}]{reading}")
        self.line(f"pos = {stop}")
        self.depth -= nullable

    def _array(self, target: str, field: Field, compact: bool, nullable: bool) -> None:
        name = field.name
        count, null = self._length("i", compact)
        self._null(target, null, nullable)
        if compact:
            self.line(f"{count} -= 1")
        least = wire_size_min(field.type, self.version, compact)
        # An array of numbers is a tuple and a list for a moment, the others are built element by element.
        number = isinstance(field.type, Primitive) and field.type.code not in (None, "16s")
        cost = POINTER * (1 + number) + memory_size(field.type, self.version, compact)
        claim = count if least == 1 else f"{count} * {least}"
        self.line(f"if {claim} > end - pos or (room := room - {count} * {cost}) < 0:")
        self.line(f"    bad_count({name!r}, {count}, end - pos)")
        if isinstance(field.type, Primitive) and field.type.code and number:
            self._numbers_array(target, field.type.code, count)
        else:
            self._loop(target, field.type, count, compact)
        self.depth -= nullable

    def _numbers_array(self, target: str, code: str, count: str) -> None:
        short = f"short_unpack_{'Z' if code == '?' else code}"
        self.scope.setdefault(short, tuple(x.unpack_from for x in wire.short_layouts("", code)))
        self.line(f"if {count} < {wire.SHORT_ARRAY}:")
        self.line(f"    {target} = list({short}[{count}](view, pos))")
        self.line("else:")
        self.line(f"    {target} = read_numbers(view, pos, {count}, {code!r})")
        self.line(f"pos += {count} * {FIXED_SIZES[code]}")

    def _loop(self, target: str, kind: Primitive | type[Struct], count: str, compact: bool) -> None:
        items = self.fresh("a")
        self.line(f"{target} = {items} = []")
        self.line(f"for _ in range({count}):")
        self.depth += 1
        if isinstance(kind, Primitive):
            item = self.fresh("v")
            if kind.code:
                self.fixed(item, kind.code)
                self.flush()
            else:
                self._text(item, kind.name, compact, False)
        else:
            item = self.struct(kind)
        self.line(f"{items}.append({item})")
        self.depth -= 1

    def _tags(self, target: str, kind: type[Struct]) -> None:
        """Write the tag section: known tags become fields, the others are kept as they are."""
        count, tag, stop = self.fresh("n"), self.fresh("t"), self.fresh("s")
        self.fixed(count, "B")
        self.flush()
        self.line(f"if {count}:")
        self.depth += 1
        self.line(f"{count}, pos = read_uvarint(view, pos - 1)")
        self.line(f"for _ in range({count}):")
        self.depth += 1
        self.line(f"{tag}, pos = read_uvarint(view, pos)")
        self.line(f"{stop}, pos = read_uvarint(view, pos)")
        self.line(f"{stop} += pos")
        self.line(f"if {stop} > end:")
        self.line(f"    bad_length('a tagged field', {stop} - pos, end - pos)")
        branch = "if"
        for field in fields_in_tags(kind, self.version, self.flexible):
            self.line(f"{branch} {tag} == {field.tag}:")
            branch = "elif"
            self.depth += 1
            self.field(target, field)
            self.flush()
            self.line(f"if pos != {stop}:")
            self.line(f"    bad_tag({field.name!r}, pos - {stop})")
            self.depth -= 1
        if branch == "elif":
            self.line("else:")
            self.depth += 1
        self.line(f"if (room := room - {UNKNOWN_TAG_MEMORY}) < 0:")
        self.line(f"    bad_count('tagged fields', {count}, end - pos)")
        self.line(f"if {target}.unknown_tags is None:")
        self.line(f"    {target}.unknown_tags = {{}}")
        self.line(f"{target}.unknown_tags[{tag}] = view[pos:{stop}].tobytes()")
        self.line(f"pos = {stop}")
        self.depth -= 3 if branch == "elif" else 2


def decoder_source(cls: type[Struct], version: int, flexible: bool, room: int) -> tuple[str, dict[str, Any]]:
    """Write `decode(buffer, pos)` for a class and version; returns the source and the names it needs."""
    scope: dict[str, Any] = {}
    text = DecoderText(scope, version, flexible)
    text.depth = 2
    target = text.struct(cls)
    head = [
        "def decode(buffer, pos):",
        "    view = memoryview(buffer)",
        "    end = len(view)",
        f"    room = {room}",
        "    try:",
    ]
    tail = [
        "    except malformed as error:",
        "        raise unreadable(error) from None",
        f"    return {target}, pos",
    ]
    return "\n".join(head + text.lines + tail) + "\n", scope
