"""confluent_kafka.schema_registry over Ottla's registry client (ottla/client/registry) and serdes (ottla/client/serde)."""

from __future__ import annotations

from .error import SchemaRegistryError
from .model import ConfigCompatibilityLevel, RegisteredSchema, Schema, SchemaReference, ServerConfig
from .schema_registry_client import AsyncSchemaRegistryClient, SchemaRegistryClient
from .serde import (
    SchemaId,
    dual_schema_id_deserializer,
    header_schema_id_serializer,
    prefix_schema_id_deserializer,
    prefix_schema_id_serializer,
    record_subject_name_strategy,
    reference_subject_name_strategy,
    topic_record_subject_name_strategy,
    topic_subject_name_strategy,
)

__all__ = [
    "AsyncSchemaRegistryClient", "ConfigCompatibilityLevel", "RegisteredSchema", "Schema", "SchemaId",
    "SchemaReference", "SchemaRegistryClient", "SchemaRegistryError", "ServerConfig", "dual_schema_id_deserializer",
    "header_schema_id_serializer", "prefix_schema_id_deserializer", "prefix_schema_id_serializer",
    "record_subject_name_strategy", "reference_subject_name_strategy", "topic_record_subject_name_strategy",
    "topic_subject_name_strategy",
]  # fmt: skip
