"""What a registry keeps: schemas, their references, and where they are registered; from and to its JSON.

Pure, and not only for clients: a registry itself speaks the same JSON. What comes from outside is checked: a type that is not
what the API says raises ValueError, in the words of the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

AVRO, JSON, PROTOBUF = "AVRO", "JSON", "PROTOBUF"
#: More references than a person ever wrote; a registry that sends more is not believed.
REFERENCES_MAX = 1000


@dataclass(frozen=True)
class Reference:
    """Another schema that a schema uses: the name it goes by there, and where it is registered."""

    name: str
    subject: str
    version: int

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "subject": self.subject, "version": self.version}

    @classmethod
    def from_json(cls, row: Any) -> Reference:
        row = _object(row, "a reference")
        return cls(_text(row, "name"), _text(row, "subject"), _whole(row, "version"))


@dataclass(frozen=True)
class Schema:
    """A schema: its text, its type (AVRO, JSON, PROTOBUF), what it refers to. Equal where all of these are."""

    text: str
    type: str = AVRO
    references: tuple[Reference, ...] = ()
    #: Confluent's data contracts, as they came; they are sent back and not interpreted, but for `has_rules`.
    metadata: Any = field(default=None, compare=False)
    rules: Any = field(default=None, compare=False)

    @property
    def has_rules(self) -> bool:
        """Whether the schema has rules that are to be run on each value (encryption, for one) and are not disabled."""
        if not isinstance(self.rules, Mapping):
            return False
        rows = [row for kind in ("domainRules", "encodingRules") for row in self.rules.get(kind) or ()]
        return any(not (isinstance(row, Mapping) and row.get("disabled")) for row in rows)

    def to_json(self) -> dict[str, Any]:
        """The body of a request; Avro is what a registry takes a schema for that says nothing."""
        body: dict[str, Any] = {"schema": self.text, "schemaType": self.type}
        if self.references:
            body["references"] = [each.to_json() for each in self.references]
        if self.metadata is not None:
            body["metadata"] = self.metadata
        if self.rules is not None:
            body["ruleSet"] = self.rules
        return body

    @classmethod
    def from_json(cls, row: Any) -> Schema:
        row = _object(row, "a schema")
        references = row.get("references") or []
        if not isinstance(references, list) or len(references) > REFERENCES_MAX:
            raise ValueError(f"references: expected a list of at most {REFERENCES_MAX}")
        kind = row.get("schemaType") or AVRO
        if not isinstance(kind, str):
            raise ValueError("schemaType: expected a text")
        made = tuple(Reference.from_json(each) for each in references)
        return cls(_text(row, "schema"), kind, made, row.get("metadata"), row.get("ruleSet"))


@dataclass(frozen=True)
class RegisteredSchema:
    """A schema with its place: subject and version, the id and (of newer registries) the GUID it has everywhere."""

    schema: Schema
    id: int
    subject: str | None = None
    version: int | None = None
    guid: str | None = None

    @classmethod
    def from_json(cls, row: Any, *, known: Schema | None = None, id: int | None = None) -> RegisteredSchema:  # noqa: A002
        """Read an answer; `known` and `id` are what was asked with, where an answer leaves that out."""
        row = _object(row, "a schema")
        schema = known if known is not None else Schema.from_json(row)
        found = row.get("id", id)
        if found is None:
            raise ValueError("id: is missing")
        if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found < 1 << 32:
            raise ValueError(f"id: {found!r} is no schema id")
        if id is not None and found != id:
            raise ValueError(f"id: asked for {id}, the answer is about {found}")
        version = row.get("version")
        subject, guid = row.get("subject"), row.get("guid")
        return cls(
            schema,
            found,
            subject if isinstance(subject, str) else None,
            version if isinstance(version, int) else None,
            guid if isinstance(guid, str) else None,
        )


def _object(row: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(row, Mapping):
        raise ValueError(f"expected {what} as a JSON object, not {type(row).__name__}")
    return row


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name}: expected a text")
    return value


def _whole(row: Mapping[str, Any], name: str) -> int:
    value = row.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name}: expected a whole number")
    return value
