"""confluent_kafka.schema_registry._async.json_schema."""

from ..json_schema import AsyncJSONDeserializer, AsyncJSONSerializer

__all__ = ["AsyncJSONDeserializer", "AsyncJSONSerializer"]
