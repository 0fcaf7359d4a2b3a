"""ottla.compat.confluent_kafka.schema_registry beside confluent_kafka's own: the same calls, bytes, errors."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.registry import SchemaRegistry
from tests.support.requires import requires

pytestmark = pytest.mark.clients
AVRO = '{"type":"record","name":"User","fields":[{"name":"name","type":"string"},{"name":"age","type":["null","int"]}]}'
JSON = '{"title": "User", "type": "object", "properties": {"name": {"type": "string"}}}'


@pytest.fixture
def server() -> Iterator[SchemaRegistry]:
    requires("confluent_kafka", "fastavro", "httpx2", "authlib", "jsonschema_rs")
    with SchemaRegistry(user="alice:secret") as server:
        yield server


class Library:
    """The modules of one of the two."""

    def __init__(self, root: str, url: str) -> None:
        load = importlib.import_module
        self.registry = load(f"{root}.schema_registry")
        self.avro, self.json, self.protobuf = (
            load(f"{root}.schema_registry.{name}") for name in ("avro", "json_schema", "protobuf")
        )
        self.serialization = load(f"{root}.serialization")
        self.client = self.registry.SchemaRegistryClient({"url": url, "basic.auth.user.info": "alice:secret"})

    def context(self, field: str = "value", headers: Any = None) -> Any:
        return self.serialization.SerializationContext("users", field, headers)


@pytest.fixture
def both(server: SchemaRegistry) -> Iterator[list[Library]]:
    found = [Library(root, server.url) for root in ("ottla.compat.confluent_kafka", "confluent_kafka")]
    yield found
    for each in found:
        each.client.__exit__(None, None, None)


class User:
    def __init__(self, name: str, age: int | None) -> None:
        self.name, self.age = name, age


def same(results: list[Any]) -> Any:
    assert results[0] == results[1]
    return results[0]


def test_the_names_are_there(both: list[Library]) -> None:
    ours, theirs = both
    names = ["AsyncSchemaRegistryClient", "ConfigCompatibilityLevel", "RegisteredSchema", "Schema", "SchemaReference",
             "SchemaRegistryClient", "SchemaRegistryError", "ServerConfig", "topic_subject_name_strategy",
             "topic_record_subject_name_strategy", "record_subject_name_strategy", "prefix_schema_id_serializer",
             "header_schema_id_serializer", "dual_schema_id_deserializer", "prefix_schema_id_deserializer"]  # fmt: skip
    assert [name for name in names if not hasattr(theirs.registry, name) or not hasattr(ours.registry, name)] == []
    verbs = [name for name in dir(theirs.client) if not name.startswith("_")]
    rules = {"create_association", "delete_associations", "get_associations_by_resource_name"}  # Confluent Cloud's
    assert [name for name in verbs if not hasattr(ours.client, name) and name not in rules] == []


def test_avro(both: list[Library]) -> None:
    def run(one: Library) -> list[Any]:
        write = one.avro.AvroSerializer(one.client, AVRO, lambda user, ctx: vars(user))
        read = one.avro.AvroDeserializer(one.client, AVRO, lambda row, ctx: User(**row))
        data = write(User("Ann", 5), one.context())
        again = read(data, one.context())
        headers: list[Any] = []
        conf = {"schema.id.serializer": one.registry.header_schema_id_serializer}
        noted = one.avro.AvroSerializer(one.client, AVRO, conf=conf)(
            {"name": "Bertram", "age": None}, one.context("key", headers)
        )
        back = one.avro.AvroDeserializer(one.client)(noted, one.context("key", headers))
        return [data, vars(again), noted, headers, back, write(None, one.context()), read(None, one.context())]

    same([run(one) for one in both])


@pytest.mark.parametrize("strategy", ["record_subject_name_strategy", "topic_record_subject_name_strategy"])
def test_subjects(server: SchemaRegistry, both: list[Library], strategy: str) -> None:
    def run(one: Library) -> Any:
        conf = {"subject.name.strategy": getattr(one.registry, strategy)}
        return one.avro.AvroSerializer(one.client, AVRO, conf=conf)({"name": "A", "age": 1}, one.context())

    same([run(one) for one in both])
    assert len(server.subjects) == 1


def test_json(both: list[Library]) -> None:
    def run(one: Library) -> list[Any]:
        write = one.json.JSONSerializer(JSON, one.client)
        data = write({"name": "grün", "x": [1.5, 1e22]}, one.context())
        with pytest.raises(one.serialization.SerializationError):
            write({"name": 5}, one.context())
        return [data, one.json.JSONDeserializer(JSON)(data, one.context())]

    same([run(one) for one in both])


def test_protobuf(both: list[Library]) -> None:
    from tests.support.protobuf import Inner, Order

    def run(one: Library) -> list[Any]:
        found = []
        for kind, value in ((Order, Order(id=5, name="x")), (Inner, Inner(text="t"))):
            data = one.protobuf.ProtobufSerializer(kind, one.client)(value, one.context())
            found += [data, one.protobuf.ProtobufDeserializer(kind)(data, one.context())]
        return found

    same([run(one) for one in both])


def test_the_clients_verbs(server: SchemaRegistry, both: list[Library]) -> None:
    def run(one: Library) -> list[Any]:
        client, schema = one.client, one.registry.Schema(AVRO, "AVRO")
        number = client.register_schema("users-value", schema)
        found = client.lookup_schema("users-value", schema)
        latest = client.get_latest_version("users-value")
        with pytest.raises(one.registry.SchemaRegistryError) as refused:
            client.get_version("users-value", 99)
        problem = refused.value
        return [
            number, client.get_schema(number).schema_str, found.version, found.schema_id, latest.schema.schema_type,
            client.get_subjects(), client.get_versions("users-value"), client.get_compatibility(),
            client.test_compatibility("users-value", schema), client.get_global_mode(),
            (problem.http_status_code, problem.error_code, problem.error_message, str(problem)),
        ]  # fmt: skip

    same([run(one) for one in both])


def test_mistakes(both: list[Library]) -> None:
    for one in both:
        for conf in ({"no.such": 1}, {"use.latest.version": True}, {"auto.register.schemas": "yes"}):
            with pytest.raises(ValueError):
                one.avro.AvroSerializer(one.client, AVRO, conf=conf)
        with pytest.raises(ValueError):
            one.registry.SchemaRegistryClient({"url": "http://x", "no.such": 1})
        with pytest.raises(one.serialization.SerializationError):
            one.avro.AvroDeserializer(one.client)(b"\0\0", one.context())


async def test_the_asynchronous_ones(server: SchemaRegistry) -> None:
    from ottla.compat.confluent_kafka.schema_registry import AsyncSchemaRegistryClient, Schema
    from ottla.compat.confluent_kafka.schema_registry.avro import AsyncAvroDeserializer, AsyncAvroSerializer
    from ottla.compat.confluent_kafka.serialization import MessageField, SerializationContext

    async with AsyncSchemaRegistryClient({"url": server.url, "basic.auth.user.info": "alice:secret"}) as client:
        assert await client.register_schema("other", Schema(AVRO)) == 1
        context = SerializationContext("users", MessageField.VALUE)
        write, read = await AsyncAvroSerializer(client, AVRO), await AsyncAvroDeserializer(client)
        data = await write({"name": "A", "age": 1}, context)
        assert await read(data, context) == {"name": "A", "age": 1}
