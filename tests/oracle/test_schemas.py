"""Each message class says what Kafka's own schema says, in every version.

Kafka 4.2.1 is the judge; for the versions that it removed, and that we still speak, Kafka 3.9.1 is.
"""

from __future__ import annotations

from typing import Any

import pytest

from ottla.protocol.errors import ErrorCode
from ottla.protocol.schema import Data, Field, Primitive, Request, Struct, Versions
from tests.oracle.kafka_schemas import Theirs, kafka_3_9_jars, kafka_4_2_jars, schemas
from tests.protocol.messages import message_classes, versions_of

pytestmark = [pytest.mark.java, pytest.mark.slow]

#: Schemas of Kafka 4.2 that we do not declare, and why.
NOT_OURS = {
    "DefaultPrincipalData": "what Kafka's broker forwards to its controller",
}


def _spoken_to_brokers(theirs: dict[str, Theirs]) -> set[str]:
    """The names that a complete broker and its logs need: all but retired APIs and those of the controller alone."""
    names = set()
    for schema in theirs.values():
        request = theirs.get(schema.name.removesuffix("Response") + "Request", schema)
        listeners = (
            request.json.get("listeners", ["broker"]) if schema.json["type"] in ("request", "response") else ["broker"]
        )
        if schema.versions.high >= 0 and "broker" in listeners:
            names.add(schema.name)
    return names


def _default(field: dict[str, Any], array: bool) -> Any:
    """Kafka's default of a field as a Python value; an unset one is the type's natural default.

    Only the text "null" is null. Three stored records have a JSON null there, which Kafka's generator reads as unset.
    """
    text, kind = field.get("default"), field["type"]
    if text == "null":
        return None
    if array:
        return []
    if kind == "bool":
        return text in (True, "true")
    if kind.startswith(("int", "uint")):
        return 0 if text is None else int(str(text), 0)
    if kind == "float64":
        return float(text or 0)
    return {"string": text or "", "uuid": bytes(16), "bytes": b"", "records": None}.get(kind, "struct")


def _versions(field: dict[str, Any]) -> Versions:
    """The versions of a field; some tagged ones state them once only."""
    return Versions.parse(field.get("versions") or field["taggedVersions"])


def _our_default(field: Field) -> Any:
    if field.array and field.default is list:
        return []
    return "struct" if isinstance(field.default, Struct) or field.default is field.type else field.default


def _row(field: Field, version: int, flexible: bool, ignorable: bool | None) -> tuple[Any, ...]:
    kind = field.type.name if isinstance(field.type, Primitive) else "struct"
    return (
        field.name.replace("_", "").lower(), kind, field.array, version in field.nullable,
        field.tag if flexible else None, _our_default(field), field.ignorable if ignorable is None else ignorable, version in field.flexible,
    )  # fmt: skip


def _their_row(field: dict[str, Any], version: int, ignorable: bool | None) -> tuple[Any, ...]:
    array = field["type"].startswith("[]")
    kind = field["type"].removeprefix("[]")
    if kind[0].isupper():
        kind = "struct"
    tagged = version in Versions.parse(field.get("taggedVersions", "none"))
    return (
        field["name"].lower(), kind, array, version in Versions.parse(field.get("nullableVersions", "none")),
        field["tag"] if tagged else None, _default(field, array),
        field.get("ignorable", False) in (True, "true") if ignorable is None else ignorable,
        version in Versions.parse(field.get("flexibleVersions", "0+")),
    )  # fmt: skip


def _compare(
    ours: tuple[Field, ...], theirs: list[dict[str, Any]], schema: Theirs, version: int, path: str
) -> list[str]:
    """List the differences in one version, structs within structs too."""
    flexible = version in schema.flexible
    mine = {field.name.replace("_", "").lower(): field for field in ours if version in field.versions}
    wanted = [field for field in theirs if version in _versions(field)]
    # What is ignorable concerns all versions at once, so the newest schema decides.
    ignorable = None if version in schemas(kafka_4_2_jars())[schema.name].versions else False
    rows = [_row(field, version, flexible, ignorable) for field in mine.values()]
    their_rows = [_their_row(field, version, ignorable) for field in wanted]
    if rows != their_rows:
        missing = [row for row in their_rows if row not in rows]
        extra = [row for row in rows if row not in their_rows]
        return [f"{path} v{version}: Kafka has {missing or their_rows}, we have {extra or rows}"]
    differences = []
    for field in wanted:
        kind = field["type"].removeprefix("[]")
        own = mine[field["name"].lower()].type
        if kind[0].isupper():
            assert not isinstance(own, Primitive)
            inner = field.get("fields") or schema.struct(kind)
            assert inner is not None, f"{kind} of {path} is declared nowhere"
            differences += _compare(own.FIELDS, inner, schema, version, f"{path}.{field['name']}")
    return differences


def test_no_message_of_kafka_is_missing() -> None:
    """Whatever Kafka 4.2 sends to or from a broker, or keeps in its logs, has a class here."""
    theirs = _spoken_to_brokers(schemas(kafka_4_2_jars()))
    ours = {cls.__name__ for cls in message_classes()}
    assert sorted(theirs - ours - NOT_OURS.keys()) == []
    assert sorted(ours - theirs) == []


def _judge(cls: type[Data], version: int) -> Theirs:
    """The schema that decides about one version of one class."""
    newest = schemas(kafka_4_2_jars())[cls.__name__]
    return newest if version in newest.versions else schemas(kafka_3_9_jars())[cls.__name__]


@pytest.mark.parametrize("cls", message_classes(), ids=lambda cls: cls.__name__)
def test_class_says_what_the_schema_says(cls: type[Data]) -> None:
    """Names, order, types, tags, defaults, nullability, ignorability and flexibility are Kafka's in every version."""
    newest = schemas(kafka_4_2_jars())[cls.__name__]
    differences = []
    if cls.VERSIONS.high != newest.versions.high or cls.VERSIONS.low > newest.versions.low:
        differences.append(f"{cls.__name__}: versions {newest.versions} at Kafka, {cls.VERSIONS} here")
    if newest.json.get("apiKey", -1) != cls.API_KEY:
        differences.append(f"{cls.__name__}: api key {newest.json.get('apiKey')} at Kafka, {cls.API_KEY} here")
    if issubclass(cls, Request) and newest.json.get("latestVersionUnstable", False) != cls.LATEST_VERSION_UNSTABLE:
        differences.append(f"{cls.__name__}: LATEST_VERSION_UNSTABLE is {cls.LATEST_VERSION_UNSTABLE} here")
    for version in versions_of(cls):
        schema = _judge(cls, version)
        if version not in schema.versions:
            differences.append(f"{cls.__name__} v{version}: no release of Kafka compared with here knows it")
            continue
        if (version in cls.FLEXIBLE) != (version in schema.flexible):
            differences.append(f"{cls.__name__} v{version}: flexible is {version in schema.flexible} at Kafka")
        differences += _compare(cls.FIELDS, schema.json["fields"], schema, version, cls.__name__)
    assert differences == []


def test_versions_are_all_judged() -> None:
    """The two releases know every one of our versions, so nothing was compared with nothing."""
    unjudged = [
        f"{cls.__name__} v{v}"
        for cls in message_classes()
        for v in versions_of(cls)
        if v not in _judge(cls, v).versions
    ]
    assert unjudged == []


def test_error_codes_number() -> None:
    """Kafka 4.2 has codes -1 to 133 without a gap, and so have we (names and retriability: test_java_bytes)."""
    assert [int(code) for code in ErrorCode] == list(range(-1, 134))
