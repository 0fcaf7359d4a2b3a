"""Our messages as the JSON that Kafka's converters read and write."""

from __future__ import annotations

import base64
from typing import Any

from ottla.protocol.schema import Field, Primitive, Struct
from tests.oracle.kafka_schemas import Theirs


def to_json(message: Struct, schema: Theirs, version: int) -> dict[str, Any]:
    """Write a message under Kafka's field names, all fields of the version spelled out."""
    return _struct(message, schema.json["fields"], schema, version)


def _struct(message: Struct, names: list[dict[str, Any]], schema: Theirs, version: int) -> dict[str, Any]:
    theirs = {name["name"].lower(): name for name in names}
    found = {}
    for field in message.FIELDS:
        if version not in field.versions:
            continue
        name = theirs[field.name.replace("_", "").lower()]
        kind = name["type"].removeprefix("[]")
        inner = (name.get("fields") or schema.struct(kind)) if kind[0].isupper() else None
        value = getattr(message, field.name)
        camel = name["name"][0].lower() + name["name"][1:]
        if field.array and value is not None:
            found[camel] = [_one(item, field, inner or [], schema, version) for item in value]
        else:
            found[camel] = _one(value, field, inner or [], schema, version)
    return found


def _one(value: Any, field: Field, names: list[dict[str, Any]], schema: Theirs, version: int) -> Any:
    if value is None:
        return None
    if not isinstance(field.type, Primitive):
        return _struct(value, names, schema, version)
    if field.type.name == "uuid":
        return base64.urlsafe_b64encode(value).decode().rstrip("=")
    if field.type.name in ("bytes", "records"):
        return base64.b64encode(value).decode()
    return value


def without_defaults(theirs: Any, ours: Any) -> Any:
    """Return `ours` reduced to the names that `theirs` spells out, for Kafka leaves tagged fields out at their default.

    Of record batches, Kafka's JSON tells the size only.
    """
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        return [without_defaults(a, b) for a, b in zip(theirs, ours, strict=True)]
    if isinstance(theirs, dict) and isinstance(ours, dict):
        found = {}
        for name, value in theirs.items():
            if name.endswith("SizeInBytes"):
                records = ours[name.removesuffix("SizeInBytes")]
                found[name] = None if records is None else len(base64.b64decode(records))
            else:
                found[name] = without_defaults(value, ours.get(name, "(missing here)"))
        return found
    return ours
