"""confluent_kafka.schema_registry._async.schema_registry_client."""

from ..schema_registry_client import AsyncSchemaRegistryClient

__all__ = ["AsyncSchemaRegistryClient"]
