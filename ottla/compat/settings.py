"""Keyword settings of kafka-python and aiokafka as ours: their names, with their defaults where those differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..client.config import _ROWS, Config

#: Their name -> ours.
_NAMES = {
    "ssl_cafile": "ssl_ca_location", "ssl_certfile": "ssl_certificate_location", "ssl_keyfile": "ssl_key_location",
    "ssl_password": "ssl_key_password", "sasl_plain_username": "sasl_username", "sasl_plain_password": "sasl_password",
    "max_batch_size": "batch_size", "ssl_context": "ssl_context",
}  # fmt: skip
#: Known to them, without meaning here (the value is not looked at).
_TAKEN = frozenset(
    [
        "api_version",
        "api_version_auto_timeout_ms",
        "bootstrap_timeout_ms",
        "consumer_timeout_ms",
        "default_offset_commit_callback",
        "enable_incremental_fetch_sessions",
        "key_deserializer",
        "value_deserializer",
        "key_serializer",
        "value_serializer",
        "kafka_client",
        "loop",
        "metric_group_prefix",
        "metric_reporters",
        "metrics_enabled",
        "metrics_num_samples",
        "metrics_sample_window_ms",
        "proxy_url",
        "selector",
        "socket_options",
        "socks5_proxy",
        "ssl_check_hostname",
        "ssl_ciphers",
        "ssl_crlfile",
        "sock_chunk_bytes",
        "sock_chunk_buffer_count",
        "sasl_kerberos_domain_name",
        "sasl_kerberos_name",
        "sasl_oauth_token_provider",
        "partitioner",
        "rebalance_timeout_ms",
        "wakeup_timeout_ms",
        "partition_assignment_strategy",
        "legacy_iterator",
    ]
)


def translate(settings: Mapping[str, Any], *, unknown: type[Exception], defaults: Mapping[str, Any]) -> Config:
    """Our configuration. `unknown` is raised with the names that they do not know either."""
    strange = [name for name in settings if name not in _TAKEN and name not in _ROWS and name not in _NAMES]
    if strange:
        raise unknown(f"Unrecognized configs: {strange}")
    found = dict(defaults)
    for name, value in settings.items():
        ours = _NAMES.get(name, name)
        if value is None or ours not in _ROWS or (name in _TAKEN):
            continue
        found[ours] = _value(ours, value)
    if settings.get("ssl_check_hostname") is False:
        found["ssl_endpoint_identification_algorithm"] = ""
    if found.get("security_protocol", "PLAINTEXT").startswith("SASL"):
        found.setdefault("sasl_mechanism", "PLAIN")
    else:
        for name in ("sasl_mechanism", "sasl_username", "sasl_password", "sasl_kerberos_service_name"):
            found.pop(name, None)
    if "client_id" in found and not found["client_id"]:
        del found["client_id"]
    strategies = settings.get("partition_assignment_strategy")
    if strategies:
        names = [getattr(each, "name", each) for each in strategies]
        found["partition_assignment_strategy"] = [str(name) for name in names]
    return Config(**found)


def _value(name: str, value: Any) -> Any:
    if name == "bootstrap_servers":
        parts = value.split(",") if isinstance(value, str) else list(value)
        return [part if ":" in part else f"{part}:9092" for part in parts]
    if name == "auto_offset_reset":
        return {"smallest": "earliest", "largest": "latest"}.get(value, value)
    if name == "isolation_level" and not isinstance(value, str):
        return "read_committed" if int(value) else "read_uncommitted"
    if isinstance(value, float) and name.endswith("_ms"):
        return round(value)
    return value


def serialized(serializer: Any, topic: str, value: Any) -> Any:
    """What their serializers give: objects with `serialize(topic, value)`, or functions of the value."""
    if serializer is None:
        return value
    method = getattr(serializer, "serialize", None)
    return method(topic, value) if method is not None else serializer(value)


def deserialized(deserializer: Any, topic: str, data: Any) -> Any:
    if deserializer is None:
        return data
    method = getattr(deserializer, "deserialize", None)
    return method(topic, data) if method is not None else deserializer(data)


def with_partitioner(config: Config, partitioner: Any) -> Config:
    """Ours calls `(topic, key, count)`, theirs `(key, all partitions, available partitions)`; None keeps the default."""
    if partitioner is None:
        return config

    def choose(topic: str, key: bytes | None, partitions: int) -> int:
        every = list(range(partitions))
        return int(partitioner(key, every, every))

    return config.replace(partitioner=choose)
