"""Confluent's own serializers and ours, over one registry: the same bytes, and each reads the other's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ottla.client import serde
from ottla.client.registry.blocking import Registry
from tests.support.registry import SchemaRegistry
from tests.support.requires import requires

pytestmark = pytest.mark.clients

AVRO = (
    '{"type":"record","name":"All","namespace":"shop","fields":['
    '{"name":"id","type":"long"},{"name":"note","type":["null","string"],"default":null},'
    '{"name":"tags","type":{"type":"array","items":"string"}},{"name":"counts","type":{"type":"map","values":"int"}},'
    '{"name":"kind","type":{"type":"enum","name":"Kind","symbols":["A","B"]}},'
    '{"name":"raw","type":{"type":"fixed","name":"Raw","size":3}},{"name":"ratio","type":"double"}]}'
)
VALUE = {"id": -5, "note": "x", "tags": ["a", "b"], "counts": {"k": 1}, "kind": "B", "raw": b"abc", "ratio": 0.25}
JSON = '{"title": "Order", "type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}'


@pytest.fixture
def server() -> Iterator[SchemaRegistry]:
    requires("confluent_kafka", "fastavro", "httpx2", "authlib")
    with SchemaRegistry() as server:
        yield server


@pytest.fixture
def theirs(server: SchemaRegistry) -> Iterator[Any]:
    from confluent_kafka.schema_registry import SchemaRegistryClient

    client = SchemaRegistryClient({"url": server.url})
    yield client
    client.__exit__(None, None, None)


def context(field: str = "value", headers: Any = None) -> Any:
    from confluent_kafka.serialization import SerializationContext

    return SerializationContext("orders", field, headers)


@pytest.mark.parametrize("schema", [AVRO, '"string"', '"bytes"', '{"type": "array", "items": "long"}'])
def test_avro(server: SchemaRegistry, theirs: Any, schema: str) -> None:
    from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer

    value: Any = {AVRO: VALUE, '"string"': "grün", '"bytes"': b"\0\x01"}.get(schema, [1, 2, -3])
    ours: Any = serde.Avro(Registry(server.url), schema)
    for field in ("key", "value"):
        data = AvroSerializer(theirs, schema)(value, context(field))
        assert ours.writer(field)(value, "orders") == data
        assert AvroDeserializer(theirs)(data, context(field)) == value
        assert ours.reader(field).read(data, "orders", ()) == value
    assert len(server.by_id) == 1, "one schema text for both"


def test_avro_with_the_guid_in_a_header(server: SchemaRegistry, theirs: Any) -> None:
    from confluent_kafka.schema_registry import header_schema_id_serializer
    from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer

    headers: list[Any] = []
    data = AvroSerializer(theirs, AVRO, conf={"schema.id.serializer": header_schema_id_serializer})(
        VALUE, context(headers=headers)
    )
    ours: Any = serde.Avro(Registry(server.url), AVRO, schema_id_in="header")
    write = ours.writer("value")
    assert (write(VALUE, "orders"), write.header("orders")) == (data, headers[0])
    assert AvroDeserializer(theirs)(write(VALUE, "orders"), context(headers=[write.header("orders")])) == VALUE
    assert ours.reader("value").read(data, "orders", headers) == VALUE


def test_json_schema(server: SchemaRegistry, theirs: Any) -> None:
    from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer

    value = {"id": 1, "name": "grün", "rest": [1.5, None, True]}
    ours: Any = serde.JsonSchema(Registry(server.url), JSON)
    data = JSONSerializer(JSON, theirs)(value, context())
    assert ours.serialize(value, "orders") == data
    assert JSONDeserializer(JSON)(data, context()) == value
    assert ours.deserialize(data, "orders") == value


def test_protobuf(server: SchemaRegistry, theirs: Any) -> None:
    from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer

    from tests.support.protobuf import Inner, Order, Other

    for kind, value in (
        (Order, Order(id=7, name="x")),
        (Other, Other(n=-1)),
        (Inner, Inner(text="nested")),
    ):
        settings = {"auto.register.schemas": True}
        data = ProtobufSerializer(kind, theirs, settings)(value, context())
        ours: Any = serde.Protobuf(Registry(server.url), kind)
        assert ours.serialize(value, "orders") == data
        assert ProtobufDeserializer(kind, {}, theirs)(data, context()) == value
        assert ours.deserialize(data, "orders") == value
    assert len(server.by_id) == 2, "the file and the one it imports, once"


@pytest.mark.parametrize(
    ("number", "data"),
    [(1, b"\0\0\0\0\x01\x02"), (4_000_000_000, b"\0\xee\x6b\x28\0\x02")],
)
def test_ids_are_unsigned(number: int, data: bytes) -> None:
    from ottla.client.serde import framing

    assert framing.prefix(number) + b"\x02" == data
    assert framing.read_prefix(data).schema == number
