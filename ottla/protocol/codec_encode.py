"""Writes the encoder of one message class and version as Python source.

The shape of what it writes (ProduceResponse v7, shortened):

    def encode(o1):
        out = []
        out.append(pack_i(len(o1.responses)))
        for o2 in o1.responses:
            s3 = o2.name.encode()
            out += (pack_h(len(s3)), s3, pack_i(len(o2.partition_responses)))
            for o4 in o2.partition_responses:
                out.append(pack_ihqqq(o4.index, o4.error_code, o4.base_offset, ...))
        out.append(pack_i(o1.throttle_time_ms))
        return [b"".join(out)]

Adjacent fixed-size values and lengths become one `pack`; what comes between two loops becomes one tuple of pieces.
Record batches are parts of their own, between joined ones, so that they are never copied. Tagged fields are mostly
at their defaults: that is tested in one expression, and only the others call a function that writes the section.
"""

from __future__ import annotations

from typing import Any

from . import wire
from .codec_text import Text, fields_in_body, fields_in_tags, is_flexible
from .schema import Field, Primitive, Struct


class EncoderText(Text):
    """Writes writes. `_run` are fixed-size values to be packed together, `_pieces` what follows until a loop."""

    def __init__(self, scope: dict[str, Any], version: int, flexible: bool, functions: list[str]) -> None:
        super().__init__(scope)
        self.version = version
        self.flexible = flexible
        self.has_records = False
        self._run: list[tuple[str, str]] = []
        self._pieces: list[str] = []
        #: Sources of the functions that write tag sections.
        self._functions = functions
        self.scope.update({name: getattr(wire, name) for name in (
            "write_uvarint", "write_numbers", "long_string", "bad_uuid", "unsent", "join_tags",
        )}, short=wire.SHORT_UVARINTS)  # fmt: skip

    def fixed(self, value: str, code: str) -> None:
        """Write a fixed-size value, together with its neighbours."""
        self._run.append((value, code))

    def piece(self, value: str) -> None:
        """Write an expression that is bytes already."""
        self._end_run()
        self._pieces.append(value)

    def _end_run(self) -> None:
        if self._run:
            name = self.layout("".join(code for _, code in self._run), "pack")
            self._pieces.append(f"{name}({', '.join(value for value, _ in self._run)})")
            self._run = []

    def flush(self) -> None:
        """Hand the pieces to `out`, before a loop or a condition."""
        self._end_run()
        if len(self._pieces) == 1:
            self.line(f"out.append({self._pieces[0]})")
        elif self._pieces:
            self.line(f"out += ({', '.join(self._pieces)})")
        self._pieces = []

    def uvarint(self, value: str) -> None:
        """Write a varint: from the table if it is short."""
        name = self.fresh("n")
        self.line(f"{name} = {value}")
        self.piece(f"(short[{name}] if {name} < 128 else write_uvarint({name}))")

    def struct(self, source: str, kind: type[Struct]) -> None:
        """Write a struct's fields, after making sure that nothing is lost."""
        for field in kind.FIELDS:
            if self.version not in field.versions and not field.ignorable:
                self.line(f"if {self._is_set(f'{source}.{field.name}', field)}:")
                self.line(f"    unsent({field.name!r}, {self.version})")
        for field in fields_in_body(kind, self.version, self.flexible):
            self.field(f"{source}.{field.name}", field)
        if self.flexible:
            self._tags(source, kind)

    def _is_set(self, source: str, field: Field) -> str:
        """Write the test that a value differs from its default."""
        if field.array and field.default is list:
            return f"{source} or {source} is None" if field.nullable.low <= field.nullable.high else source
        if field.default is None:
            return f"{source} is not None"
        if isinstance(field.default, (str, bytes, int, float)):
            return f"{source} != {field.default!r}"
        if callable(field.default):
            return f"{source} != {self.share(field.default.__name__, field.default)}()"
        name = self.literal(field.default)
        return f"{source} is not {name} and {source} != {name}"

    def field(self, source: str, field: Field) -> None:
        """Write one field."""
        compact = is_flexible(field, self.version, self.flexible)
        nullable = self.version in field.nullable
        if field.array:
            self._array(source, field, compact, nullable)
        elif not isinstance(field.type, Primitive):
            self._nested(source, field.type, nullable, tagged=self.flexible and field.tag is not None)
        elif field.type.name == "uuid":
            self._uuid(source)
        elif field.type.code:
            self.fixed(source, field.type.code)
        elif field.type.name == "records":
            self._records(source, compact, nullable)
        else:
            self._text(source, field.type.name, compact, nullable)

    def _uuid(self, source: str) -> None:
        name = self.fresh("u")
        self.line(f"{name} = {source}")
        self.line(f"if len({name}) != 16:")
        self.line(f"    bad_uuid({source.partition('.')[2]!r}, {name})")
        self.piece(name)

    def _nested(self, source: str, kind: type[Struct], nullable: bool, tagged: bool) -> None:
        """Write a struct, after the marker of a nullable one: 1, or for null -1 (0 in a tagged field)."""
        name = self.fresh("o")
        self.line(f"{name} = {source}")
        if not nullable:
            self.struct(name, kind)
            return
        self.flush()
        self.line(f"if {name} is None:")
        self.line("    out.append(b'\\0')" if tagged else "    out.append(b'\\xff')")
        self.line("else:")
        self.depth += 1
        self.fixed("1", "b")
        self.struct(name, kind)
        self.flush()
        self.depth -= 1

    def _length(self, name: str, code: str, compact: bool) -> None:
        if compact:
            self.uvarint(f"{name} + 1")
        else:
            self.fixed(name, code)

    def _text(self, source: str, kind: str, compact: bool, nullable: bool) -> None:
        data, length = self.fresh("s"), self.fresh("n")
        code = "h" if kind == "string" else "i"
        self.line(f"{data} = {source}")
        if nullable:
            self.line(f"if {data} is None:")
            self.line(f"    {data} = b''")
            self.line(f"    {length} = -1")
            self.line("else:")
            self.depth += 1
        if kind == "string":
            self.line(f"{data} = {data}.encode()")
        self.line(f"{length} = len({data})")
        if kind == "string":
            self.line(f"if {length} > {wire.STRING_BYTES_MAX}:")
            self.line(f"    long_string({source.partition('.')[2]!r}, {length})")
        if nullable:
            self.depth -= 1
        self._length(length, code, compact)
        self.piece(data)

    def _records(self, source: str, compact: bool, nullable: bool) -> None:
        self.has_records = True
        data, length = self.fresh("r"), self.fresh("n")
        self.line(f"{data} = {source}")
        missing = f"-1 if {data} is None else " if nullable else ""
        self.line(f"{length} = {missing}sum(map(len, {data})) if type({data}) is list else len({data})")
        self._length(length, "i", compact)
        self.flush()
        self.line(f"if {length} > 0:")
        self.line("    parts.append(b''.join(out))")
        self.line("    out.clear()")
        self.line(f"    parts += {data} if type({data}) is list else ({data},)")

    def _array(self, source: str, field: Field, compact: bool, nullable: bool) -> None:
        items, count = self.fresh("a"), self.fresh("n")
        self.line(f"{items} = {source}")
        if nullable:
            self.flush()
            self.line(f"if {items} is None:")
            self.line("    out.append(b'\\0')" if compact else "    out.append(b'\\xff\\xff\\xff\\xff')")
            self.line("else:")
            self.depth += 1
        self.line(f"{count} = len({items})")
        if isinstance(field.type, Primitive) and field.type.code and field.type.name != "uuid":
            self._numbers(items, count, field.type.code, compact)
        else:
            self._length(count, "i", compact)
            self._loop(items, field, compact)
        if nullable:
            self.flush()
            self.depth -= 1

    def _numbers(self, items: str, count: str, code: str, compact: bool) -> None:
        prefix = "B" if compact else "i"
        short = f"short_pack_{prefix}{'Z' if code == '?' else code}"
        self.scope.setdefault(short, tuple(x.pack for x in wire.short_layouts(prefix, code)))
        first = f"{count} + 1" if compact else count
        self.piece(
            f"({short}[{count}]({first}, *{items}) if {count} < {wire.SHORT_ARRAY} "
            f"else write_numbers({items}, {code!r}, {compact}))"
        )

    def _loop(self, items: str, field: Field, compact: bool) -> None:
        self.flush()
        item = self.fresh("o")
        self.line(f"for {item} in {items}:")
        self.depth += 1
        if not isinstance(field.type, Primitive):
            self.struct(item, field.type)
        elif field.type.name == "uuid":
            self._uuid(item)
        else:
            self._text(item, field.type.name, compact, False)
        self.flush()
        if self.lines[-1].endswith(":"):
            self.line("pass")  # a struct that has no field in this version
        self.depth -= 1

    def _tags(self, source: str, kind: type[Struct]) -> None:
        """Write the tag section: a zero byte if there is nothing to say, which is known from one expression."""
        tagged = fields_in_tags(kind, self.version, self.flexible)
        known = [self._is_set(f"{source}.{field.name}", field) for field in tagged]
        test = " or ".join([f"{source}.unknown_tags", *(f"({x})" if " and " in x or " or " in x else x for x in known)])
        writer = "write_tags_" + kind.__name__
        if tagged:
            self._tags_function(writer, kind, tagged)
            self.piece(f"({writer}({source}) if {test} else b'\\0')")
        else:
            self.piece(f"(join_tags([], {source}.unknown_tags) if {test} else b'\\0')")

    def _tags_function(self, name: str, kind: type[Struct], tagged: list[Field]) -> None:
        """Write the function that writes a struct's tag section when something in it is set."""
        text = EncoderText(self.scope, self.version, self.flexible, self._functions)
        text.line("known = []")
        for field in tagged:
            text.line(f"if {self._is_set(f'o.{field.name}', field)}:")
            text.depth += 1
            text.line("out = []")
            text.field(f"o.{field.name}", field)
            text.flush()
            text.line(f"known.append(({field.tag}, b''.join(out)))")
            text.depth -= 1
        text.line("return join_tags(known, o.unknown_tags)")
        source = "\n".join([f"def {name}(o):", *text.lines])
        if source not in self._functions:
            self._functions.append(source)


def encoder_source(cls: type[Struct], version: int, flexible: bool) -> tuple[str, dict[str, Any]]:
    """Write `encode(o)` for a class and version; returns the source and the names it needs."""
    scope: dict[str, Any] = {}
    functions: list[str] = []
    text = EncoderText(scope, version, flexible, functions)
    text.depth = 2
    text.struct("o", cls)
    text.flush()
    head = ["def encode(o):", "    out = []"]
    tail = [
        "    except unencodable as error:",
        "        raise unwritable(error) from error",
    ]
    if text.has_records:
        head.append("    parts = []")
        tail += ["    if out:", "        parts.append(b''.join(out))", "    return parts"]
    else:
        tail.append("    return [b''.join(out)]")
    body = [*head, "    try:", *(text.lines or ["        pass"]), *tail]
    return "\n\n\n".join([*functions, "\n".join(body)]) + "\n", scope
