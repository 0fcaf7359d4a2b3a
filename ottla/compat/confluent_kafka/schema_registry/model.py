"""Schemas and configurations under confluent_kafka's names."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ....client.registry import model


class ConfigCompatibilityLevel(str, Enum):  # noqa: UP042 - as theirs
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"
    NONE = "NONE"

    def __str__(self) -> str:
        return str(self.value)


@dataclass
class SchemaReference:
    name: str | None
    subject: str | None
    version: int | None

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "subject": self.subject, "version": self.version}


@dataclass(eq=True, unsafe_hash=True)
class Schema:
    """A schema that is not registered."""

    schema_str: str | None
    schema_type: str | None = "AVRO"
    references: list[SchemaReference] | None = field(default_factory=list, hash=False)
    metadata: Any = field(default=None, hash=False)
    rule_set: Any = field(default=None, hash=False)

    def to_dict(self) -> dict[str, Any]:
        return to_model(self).to_json()


@dataclass(eq=True, unsafe_hash=True)
class RegisteredSchema:
    """A schema and where it stands."""

    subject: str | None
    version: int | None
    schema_id: int | None
    guid: str | None
    schema: Schema


@dataclass
class ServerConfig:
    """The configuration of a subject, or of all."""

    compatibility: ConfigCompatibilityLevel | None = None
    compatibility_level: ConfigCompatibilityLevel | None = None
    compatibility_group: str | None = None
    default_metadata: Any = None
    override_metadata: Any = None
    default_rule_set: Any = None
    override_rule_set: Any = None

    def to_dict(self) -> dict[str, Any]:
        found = {name: getattr(self, own) for own, name in _CONFIG.items()}
        return {name: str(value) if isinstance(value, Enum) else value for name, value in found.items() if value}

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> ServerConfig:
        values = {own: row.get(name) for own, name in _CONFIG.items()}
        for name in ("compatibility", "compatibility_level"):
            if values[name] is not None:
                values[name] = ConfigCompatibilityLevel(values[name])
        return cls(**values)


_CONFIG = {
    "compatibility": "compatibility", "compatibility_level": "compatibilityLevel",
    "compatibility_group": "compatibilityGroup", "default_metadata": "defaultMetadata",
    "override_metadata": "overrideMetadata", "default_rule_set": "defaultRuleSet",
    "override_rule_set": "overrideRuleSet",
}  # fmt: skip


def to_model(schema: Schema) -> model.Schema:
    """Ottla's schema of theirs."""
    references = tuple(
        model.Reference(str(each.name), str(each.subject), int(each.version or -1)) for each in schema.references or ()
    )
    kind = schema.schema_type or model.AVRO
    return model.Schema(schema.schema_str or "", kind, references, _plain(schema.metadata), _plain(schema.rule_set))


def from_model(schema: model.Schema) -> Schema:
    """Their schema of ours."""
    references = [SchemaReference(each.name, each.subject, each.version) for each in schema.references]
    return Schema(schema.text, schema.type, references, schema.metadata, schema.rules)


def registered(found: model.RegisteredSchema) -> RegisteredSchema:
    return RegisteredSchema(found.subject, found.version, found.id, found.guid, from_model(found.schema))


def _plain(thing: Any) -> Any:
    return thing.to_dict() if hasattr(thing, "to_dict") else thing
