"""confluent_kafka.schema_registry._async: the asynchronous classes, by the names that the library's examples import."""
