"""Keyword settings of kafka-python and aiokafka as ours: their names, with their defaults where those differ."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from inspect import signature
from typing import Any

from ..client import tls
from ..client.config import _ROWS, Config
from ..client.errors import ConfigError

#: Their name -> ours.
_NAMES = {
    "ssl_cafile": "ssl_ca_location", "ssl_certfile": "ssl_certificate_location", "ssl_keyfile": "ssl_key_location",
    "ssl_password": "ssl_key_password", "sasl_plain_username": "sasl_username", "sasl_plain_password": "sasl_password",
    "max_batch_size": "batch_size", "ssl_context": "ssl_context", "ssl_ciphers": "ssl_cipher_suites",
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
        "selector",
        "socket_options",
        "ssl_check_hostname",
        "ssl_crlfile",
        "sock_chunk_bytes",
        "sock_chunk_buffer_count",
        "sasl_oauth_token_provider",
        "partitioner",
        "rebalance_timeout_ms",
        "wakeup_timeout_ms",
        "partition_assignment_strategy",
        "legacy_iterator",
    ]
)
#: Settings about security that are not done here, and why: a program must not run without what it asked for.
_REFUSED = {
    "proxy_url": "connections go straight to the brokers", "socks5_proxy": "connections go straight to the brokers",
    "sasl_kerberos_domain_name": "the service is named after the broker's address",
    "sasl_kerberos_name": "tickets come from the credential cache, and the service is named after the broker's address",
}  # fmt: skip


def translate(settings: Mapping[str, Any], *, unknown: type[Exception], defaults: Mapping[str, Any]) -> Config:
    """Our configuration. `unknown` is raised with the names that they do not know either."""
    for name, why in _REFUSED.items():
        if settings.get(name) is not None:
            raise unknown(f"{name} is not supported by Ottla: {why}")
    strange = [
        name
        for name in settings
        if name not in _REFUSED and name not in _TAKEN and name not in _ROWS and name not in _NAMES
    ]
    if strange:
        raise unknown(f"Unrecognized configs: {strange}")
    found = dict(defaults)
    for name, value in settings.items():
        ours = _NAMES.get(name, name)
        if value is None or ours not in _ROWS or (name in _TAKEN):
            continue
        found[ours] = _value(ours, value)
    provider = settings.get("sasl_oauth_token_provider")
    if provider is not None:
        if getattr(provider, "extensions", dict)():
            raise unknown("sasl_oauth_token_provider: SASL extensions are not supported by Ottla")
        found["sasl_oauthbearer_token"] = provider.token
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
    config = Config(**found)
    crl = settings.get("ssl_crlfile")
    if crl is None or not config.security_protocol.endswith("SSL"):
        return config
    context = tls.context(config)
    tls_with_crl(context, crl)
    return config.replace(ssl_context=context)


def tls_with_crl(context: ssl.SSLContext, path: str) -> None:
    """Have certificates refused that this list revokes."""
    try:
        context.load_verify_locations(path)
    except (OSError, ssl.SSLError) as problem:
        raise ConfigError(f"the revocation list {path} cannot be read: {problem}") from problem
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


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


def serialized(serializer: Any, topic: str, headers: Any, value: Any) -> Any:
    """What their serializers give: objects with `serialize(topic, headers, value)` (or without headers), or functions."""
    return _convert(serializer, "serialize", topic, headers, value)


def deserialized(deserializer: Any, topic: str, headers: Any, data: Any) -> Any:
    return _convert(deserializer, "deserialize", topic, headers, data)


_OLD: set[type] = set()


def _convert(converter: Any, verb: str, topic: str, headers: Any, value: Any) -> Any:
    if converter is None:
        return value
    method = getattr(converter, verb, None)
    if method is None:
        return converter(value)
    if type(converter) not in _OLD:
        if len(signature(method).parameters) != 2:
            return method(topic, headers, value)
        _OLD.add(type(converter))  # the way of kafka-python before 3.0, and of aiokafka
    return method(topic, value)


def with_partitioner(config: Config, partitioner: Any) -> Config:
    """Ours calls `(topic, key, count)`, theirs `(key, all partitions, available partitions)`; None keeps the default."""
    if partitioner is None:
        return config

    def choose(topic: str, key: bytes | None, partitions: int) -> int:
        every = list(range(partitions))
        return int(partitioner(key, every, every))

    return config.replace(partitioner=choose)
