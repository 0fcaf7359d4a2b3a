"""Values of a batch as Arrow columns: equal to what fastavro and Protobuf read one by one, and no worse with bad bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ottla.client import serde
from ottla.client.errors import SerializationError
from ottla.client.registry.blocking import Registry
from ottla.client.serde import framing
from tests.support.registry import SchemaRegistry

ALL = json.dumps({"type": "record", "name": "All", "fields": [
    {"name": "b", "type": "boolean"}, {"name": "i", "type": "int"}, {"name": "l", "type": "long"},
    {"name": "f", "type": "float"}, {"name": "d", "type": "double"}, {"name": "s", "type": "string"},
    {"name": "y", "type": "bytes"}, {"name": "o", "type": ["null", "string"]},
    {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A", "B", "C"]}},
    {"name": "x", "type": {"type": "fixed", "name": "X", "size": 3}},
    {"name": "a", "type": {"type": "array", "items": ["null", "long"]}},
    {"name": "m", "type": {"type": "map", "values": {"type": "array", "items": "string"}}},
    {"name": "r", "type": ["null", {"type": "record", "name": "In", "fields": [{"name": "n", "type": "int"}]}]},
    {"name": "u", "type": ["null", "int", "string"]},
]})  # fmt: skip
ints = st.integers(-(2**31), 2**31 - 1)
VALUES = st.fixed_dictionaries({
    "b": st.booleans(), "i": ints, "l": st.integers(-(2**63), 2**63 - 1), "f": st.floats(width=32, allow_nan=False),
    "d": st.floats(allow_nan=False), "s": st.text(max_size=5), "y": st.binary(max_size=5),
    "o": st.none() | st.text(max_size=3), "e": st.sampled_from("ABC"), "x": st.binary(min_size=3, max_size=3),
    "a": st.lists(st.none() | ints, max_size=3),
    "m": st.dictionaries(st.text(max_size=2), st.lists(st.text(max_size=2), max_size=2), max_size=2),
    "r": st.none() | st.fixed_dictionaries({"n": ints}), "u": st.none() | ints | st.text(max_size=3),
})  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[SchemaRegistry]:
    with SchemaRegistry() as server:
        yield server


@pytest.fixture(scope="module")
def registry(server: SchemaRegistry) -> Iterator[Registry]:
    with Registry(server.url, max_retries=0) as registry:
        yield registry


def column(one: Any, rows: list[bytes | None], notes: Any = None) -> pa.Array:
    made = one.column(pa, pa.array(rows, pa.binary()), notes, "t", "value")
    made.validate(full=True)
    return made


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.none() | VALUES, min_size=1, max_size=5))
def test_avro_as_fastavro_reads_it(registry: Registry, rows: list[Any]) -> None:
    one: Any = serde.Avro(registry, ALL)
    data = [None if row is None else one.serialize(row, "t") for row in rows]
    found = column(one, data).to_pylist() if any(data) else [None] * len(rows)
    for row in found:
        if row is not None:
            row["m"] = dict(row["m"])
            union = row["u"]
            row["u"] = None if union is None else union["int"] if union["int"] is not None else union["string"]
    assert found == [None if row is None else one.deserialize(each, "t") for row, each in zip(rows, data, strict=True)]


def test_versions_in_one_batch_are_read_into_the_newest(server: SchemaRegistry, registry: Registry) -> None:
    old = '{"type":"record","name":"V","fields":[{"name":"id","type":"int"},{"name":"gone","type":{"type":"map","values":"int"}}]}'
    new = (
        '{"type":"record","name":"V","fields":[{"name":"price","type":["null","double"],"default":null},'
        '{"name":"id","type":"long"},{"name":"tags","type":{"type":"array","items":"string"},"default":["a","b"]},'
        '{"name":"k","type":{"type":"enum","name":"K","symbols":["P","Q"]},"default":"Q"}]}'
    )
    first: Any = serde.Avro(registry, old)
    second: Any = serde.Avro(registry, new)
    rows = [
        None, first.serialize({"id": 1, "gone": {"x": 2}}, "v"),
        second.serialize({"id": 2, "price": 1.5, "tags": [], "k": "P"}, "v"), None,
        first.serialize({"id": 3, "gone": {}}, "v"),
    ]  # fmt: skip
    wanted = [
        None, {"price": None, "id": 1, "tags": ["a", "b"], "k": "Q"}, {"price": 1.5, "id": 2, "tags": [], "k": "P"}, None,
        {"price": None, "id": 3, "tags": ["a", "b"], "k": "Q"},
    ]  # fmt: skip
    assert column(serde.Avro(registry), rows).to_pylist() == wanted
    assert column(second, rows).to_pylist() == wanted
    with pytest.raises(SerializationError, match=r"cannot be read as|has no default"):
        column(serde.Avro(registry, '"string"'), rows)


def test_logical_types_and_primitives(registry: Registry) -> None:
    import datetime
    import decimal

    text = json.dumps({"type": "record", "name": "L", "fields": [
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
    ]})  # fmt: skip
    one: Any = serde.Avro(registry, text)
    at = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    rows = [
        {"day": datetime.date(2026, 1, 2), "at": at, "price": decimal.Decimal(price)}
        for price in ("1.50", "-0.01", "0")
    ]
    assert column(one, [one.serialize(row, "l") for row in rows]).to_pylist() == rows
    for schema, value in (
        ('"string"', "x"),
        ('"bytes"', b"\0\xff"),
        ('"long"', -5),
        ('{"type":"array","items":"int"}', [1, 2]),
    ):
        plain: Any = serde.Avro(registry, schema)
        assert column(plain, [plain.serialize(value, f"p-{schema}")]).to_pylist() == [value]


def test_guids_in_headers(registry: Registry) -> None:
    one: Any = serde.Avro(registry, ALL, schema_id_in="header")
    plain: Any = serde.Avro(registry, '"string"', schema_id_in="header")
    data = plain.serialize("x", "g")
    assert column(plain, [data, data], [plain.writer("value").header("g")[1]] * 2).to_pylist() == ["x", "x"]
    assert one.in_header


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=60))
def test_bytes_that_are_no_values_are_an_error(registry: Registry, data: bytes) -> None:
    one: Any = serde.Avro(registry, ALL)
    head = framing.prefix(one.chosen("t", "value", True).id)
    try:
        column(one, [head + data])
    except SerializationError:
        return
    assert one.deserialize(head + data, "t") is not None


def test_schemas_that_have_no_columns(server: SchemaRegistry, registry: Registry) -> None:
    tree = '{"type":"record","name":"T","fields":[{"name":"next","type":["null","T"]}]}'
    nothing = '{"type":"array","items":"null"}'
    wide = '{"type":"record","name":"R0","fields":[{"name":"a","type":"int"}]}'
    for n in range(1, 20):
        wide = f'{{"type":"record","name":"R{n}","fields":[{{"name":"a","type":{wide}}},{{"name":"b","type":"R{n - 1}"}}]}}'
    for number, (text, why) in enumerate([(tree, "recursive"), (nothing, "any length"), (wide, "columns")]):
        prefix = framing.prefix(server.add(f"bad-{number}", text))
        with pytest.raises(SerializationError, match=why):
            column(serde.Avro(registry), [prefix + b"\x00"])


def test_json(registry: Registry) -> None:
    one: Any = serde.JsonSchema(registry, '{"type":"object"}')
    rows = [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
    data = [one.serialize(row, "j") for row in rows]
    assert column(one, [data[0], None, data[1]]).to_pylist() == [rows[0], None, rows[1]]
    with pytest.raises(SerializationError):
        column(one, [b"{}"])
