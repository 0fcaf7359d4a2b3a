"""Serdes over a registry: the bytes are Confluent's, both ways, and schemas evolve."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ottla.client import serde
from ottla.client.errors import ConfigError, SerializationError
from ottla.client.registry.blocking import Registry
from ottla.client.registry.errors import RegistryError
from ottla.client.registry.model import Reference
from ottla.client.serde import framing
from ottla.client.serde.registered import SchemaPendingError
from tests.support.registry import SchemaRegistry

ORDER = (
    '{"type":"record","name":"Order","namespace":"shop","fields":'
    '[{"name":"id","type":"int"},{"name":"note","type":["null","string"],"default":null}]}'
)
ORDER_2 = (
    '{"type":"record","name":"Order","namespace":"shop","fields":'
    '[{"name":"id","type":"long"},{"name":"price","type":"double","default":1.5}]}'
)


@dataclass
class Order:
    id: int
    note: str | None = None


@pytest.fixture
def server() -> Iterator[SchemaRegistry]:
    with SchemaRegistry() as server:
        yield server


@pytest.fixture
def registry(server: SchemaRegistry) -> Iterator[Registry]:
    with Registry(server.url, max_retries=0) as registry:
        yield registry


def test_avro_there_and_back_and_the_registry_is_asked_once(server: SchemaRegistry, registry: Registry) -> None:
    avro: Any = serde.Avro(registry, ORDER)
    data = avro.serialize({"id": 7, "note": "x"}, "orders")
    assert data == b"\0\0\0\0\x01" + b"\x0e" + b"\x02\x02x"
    assert avro.deserialize(data, "orders") == {"id": 7, "note": "x"}
    assert avro.serialize({"id": 8}, "orders") == b"\0\0\0\0\x01\x10\0"
    assert server.asked == ["POST /subjects/orders-value/versions", "GET /schemas/ids/1"]


def test_objects_of_a_type(registry: Registry) -> None:
    avro = serde.Avro(registry, ORDER, kind=Order)
    assert avro.deserialize(avro.serialize(Order(1, "n"), "orders"), "orders") == Order(1, "n")


@pytest.mark.parametrize(
    ("strategy", "subject"),
    [
        ("topic", "orders-value"),
        ("record", "shop.Order"),
        ("topic_record", "orders-shop.Order"),
        (lambda topic, field, record: f"{record}/{topic}", "shop.Order/orders"),
    ],
)
def test_subjects(server: SchemaRegistry, registry: Registry, strategy: Any, subject: str) -> None:
    serde.Avro(registry, ORDER, subject=strategy).serialize({"id": 1}, "orders")
    assert list(server.subjects) == [subject]


def test_keys_have_a_subject_of_their_own(server: SchemaRegistry, registry: Registry) -> None:
    serde.Avro(registry, '"string"').writer("key")("k", "orders")
    assert list(server.subjects) == ["orders-key"]
    assert server.by_id[1]["schema"] == '{"type":"string"}'


def test_without_auto_register_the_schema_must_be_there(server: SchemaRegistry, registry: Registry) -> None:
    avro = serde.Avro(registry, ORDER, auto_register=False)
    with pytest.raises(RegistryError) as refused:
        avro.serialize({"id": 1}, "orders")
    assert (refused.value.error_code, refused.value.is_not_found) == (40401, True)
    server.add("orders-value", ORDER)
    assert avro.serialize({"id": 1}, "orders") == b"\0\0\0\0\x01\x02\0"


def test_the_latest_version_is_written_and_read_into(server: SchemaRegistry, registry: Registry) -> None:
    old = serde.Avro(registry, ORDER).serialize({"id": 3}, "orders")
    server.add("orders-value", ORDER_2)
    latest: Any = serde.Avro(registry, use_latest=True)
    new = latest.serialize({"id": 4, "price": 2.0}, "orders")
    assert new[:5] == b"\0\0\0\0\x02"
    assert latest.deserialize(old, "orders") == {"id": 3, "price": 1.5}
    with pytest.raises(ConfigError):
        serde.Avro(registry, ORDER, auto_register=True, use_latest=True)


def test_a_schema_that_is_given_is_read_into(registry: Registry) -> None:
    old = serde.Avro(registry, ORDER).serialize({"id": 3}, "orders")
    assert serde.Avro(registry, ORDER_2).deserialize(old, "orders") == {"id": 3, "price": 1.5}
    assert serde.Avro(registry, ORDER_2, reader=False).deserialize(old, "orders") == {"id": 3, "note": None}
    assert serde.Avro(registry).deserialize(old, "orders") == {"id": 3, "note": None}


def test_a_fixed_schema_id(server: SchemaRegistry, registry: Registry) -> None:
    number = server.add("elsewhere", ORDER_2)
    avro = serde.Avro(registry, use_schema_id=number)
    assert avro.serialize({"id": 1, "price": 0.0}, "orders")[:5] == framing.prefix(number)


def test_references(server: SchemaRegistry, registry: Registry) -> None:
    server.add("shop.Item", '{"type":"record","name":"Item","namespace":"shop","fields":[{"name":"n","type":"int"}]}')
    text = '{"type":"record","name":"Cart","namespace":"shop","fields":[{"name":"item","type":"shop.Item"}]}'
    avro: Any = serde.Avro(registry, text, references=[Reference("shop.Item", "shop.Item", 1)])
    data = avro.serialize({"item": {"n": 5}}, "carts")
    assert serde.Avro(registry).deserialize(data, "carts") == {"item": {"n": 5}}
    assert server.by_id[2]["references"] == [{"name": "shop.Item", "subject": "shop.Item", "version": 1}]


def test_the_guid_in_a_header(server: SchemaRegistry, registry: Registry) -> None:
    avro: Any = serde.Avro(registry, ORDER, schema_id_in="header")
    write = avro.writer("value")
    data, note = write({"id": 1}, "orders"), write.header("orders")
    assert (data, note[0], note[1][:1], len(note[1])) == (b"\x02\0", "__value_schema_id", b"\x01", 17)
    assert serde.Avro(registry).reader("value").read(data, "orders", [note]) == {"id": 1, "note": None}
    assert "GET /schemas/guids/" not in " ".join(server.asked), "the registration told the GUID"


def test_json_schema_validates_and_finds_references_nowhere_else(server: SchemaRegistry, registry: Registry) -> None:
    text = '{"title": "Order", "type": "object", "properties": {"id": {"type": "integer"}}}'
    json: Any = serde.JsonSchema(registry, text)
    data = json.serialize({"id": 1}, "orders")
    assert data == b'\0\0\0\0\x01{"id":1}'
    assert json.deserialize(data, "orders") == {"id": 1}
    with pytest.raises(SerializationError, match="integer"):
        json.serialize({"id": "x"}, "orders")
    with pytest.raises(SerializationError):
        json.deserialize(b'\0\0\0\0\x01{"id":"x"}', "orders")
    away: Any = serde.JsonSchema(registry, '{"$ref": "' + server.url + '/subjects"}')
    with pytest.raises(SerializationError, match="not among"):
        away.serialize({}, "away")
    assert "GET /subjects" not in server.asked
    server.add("id", '{"type": "integer"}', "JSON")
    inside: Any = serde.JsonSchema(registry, '{"$ref": "id.json"}', references=[Reference("id.json", "id", 1)])
    assert inside.serialize(5, "inside")[5:] == b"5"
    with pytest.raises(SerializationError):
        inside.serialize("x", "inside")


def test_json_schemas_of_types(server: SchemaRegistry, registry: Registry) -> None:
    import json

    import pydantic

    class Item(pydantic.BaseModel):
        id: int

    for kind, value, text in ((Order, Order(1), b'{"id":1,"note":null}'), (Item, Item(id=2), b'{"id":2}')):
        one: Any = serde.JsonSchema(registry, kind=kind, subject="record")
        data = one.serialize(value, "t")
        assert data[5:] == text
        assert one.deserialize(data, "t") == value
        with pytest.raises(SerializationError):
            one.deserialize(data[:5] + b'{"id":"x"}', "t")
        assert kind.__name__ in server.subjects
    assert json.loads(server.by_id[1]["schema"])["title"] == "Order"


def test_protobuf(server: SchemaRegistry, registry: Registry) -> None:
    from google.protobuf import descriptor_pb2, timestamp_pb2

    stamp = timestamp_pb2.Timestamp(seconds=5)
    one: Any = serde.Protobuf(registry, timestamp_pb2.Timestamp, subject="record")
    data = one.serialize(stamp, "t")
    assert data == b"\0\0\0\0\x01\0" + stamp.SerializeToString()
    assert one.deserialize(data, "t") == stamp
    assert list(server.subjects) == ["google.protobuf.Timestamp"]
    # a nested message: FieldOptions.EditionDefault
    nested = descriptor_pb2.DescriptorProto.ReservedRange
    inner: Any = serde.Protobuf(registry, nested)
    value = nested(start=1, end=2)
    data = inner.serialize(value, "t")
    framed = framing.read_prefix(data, with_indexes=True)
    file = descriptor_pb2.DescriptorProto.DESCRIPTOR.file
    names = list(file.message_types_by_name)
    assert framed.indexes[0] == names.index("DescriptorProto")
    assert inner.deserialize(data, "t") == value
    with pytest.raises(SerializationError):
        one.serialize(value, "t")


def test_on_a_loop_nobody_waits(registry: Registry) -> None:
    avro: Any = serde.Avro(registry, ORDER)

    async def run() -> Any:
        with pytest.raises(SchemaPendingError):
            avro.serialize({"id": 1}, "orders")
        await avro.prepare("orders")
        data = avro.serialize({"id": 1}, "orders")
        with pytest.raises(SchemaPendingError) as pending:
            avro.deserialize(data, "orders")
        await pending.value.wait()
        return avro.deserialize(data, "orders")

    assert asyncio.run(run()) == {"id": 1, "note": None}


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"\0\0\0\0", b"\x01\0\0\0\x01", b"\0\0\0\0\x01", b"\0\0\0\0\x01\x02\x02\xff"]
)
def test_bytes_that_are_none_of_ours(registry: Registry, data: bytes) -> None:
    avro: Any = serde.Avro(registry, ORDER)
    avro.serialize({"id": 1}, "orders")
    with pytest.raises(SerializationError):
        avro.deserialize(data, "orders")


def test_a_schema_with_rules_is_refused(server: SchemaRegistry, registry: Registry) -> None:
    rules = {"domainRules": [{"name": "encrypt", "type": "ENCRYPT"}]}
    server.add("orders-value", ORDER, ruleSet=rules)
    with pytest.raises(SerializationError, match="rules"):
        serde.Avro(registry, use_latest=True).serialize({"id": 1}, "orders")
    with pytest.raises(SerializationError, match="rules"):
        serde.Avro(registry).deserialize(b"\0\0\0\0\x01\x02\0", "orders")


@pytest.mark.parametrize("indexes", [(0,), (1,), (0, 0), (3, 2, 1), (200,), (0,) * 100])
def test_message_indexes_there_and_back(indexes: tuple[int, ...]) -> None:
    data = framing.prefix(5, indexes) + b"rest"
    framed = framing.read_prefix(data, with_indexes=True)
    assert (framed.schema, framed.indexes, data[framed.start :]) == (5, indexes, b"rest")


@pytest.mark.parametrize("data", [b"\x01", b"\x80", b"\xff" * 9, b"\x04\x02", b"\xf0\x01", b"\x02\x01"])
def test_message_indexes_that_are_none(data: bytes) -> None:
    with pytest.raises(SerializationError):
        framing.read_prefix(b"\0\0\0\0\x05" + data, with_indexes=True)
