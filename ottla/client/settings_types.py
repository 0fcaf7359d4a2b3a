"""The types of all settings, for type checkers: `Config(linger_ms="5ms")` is checked, name and value.

Made by `python tools/client_settings.py` from the tables in `settings_*.py`; edit those.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, TypedDict


class Settings(TypedDict, total=False):
    """Keyword arguments of `Config` and of the clients."""

    group_id: str | None
    group_instance_id: str | None
    group_protocol: str
    group_remote_assignor: str | None
    partition_assignment_strategy: str | Iterable[str]
    session_timeout_ms: int | str | timedelta
    heartbeat_interval_ms: int | str | timedelta
    max_poll_interval_ms: int | str | timedelta
    auto_offset_reset: str | None
    enable_auto_commit: bool | str
    auto_commit_interval_ms: int | str | timedelta
    isolation_level: str
    fetch_min_bytes: int | str
    fetch_max_wait_ms: int | str | timedelta
    fetch_max_bytes: int | str
    max_partition_fetch_bytes: int | str
    prefetch_bytes: int | str
    max_decompressed_bytes: int | str
    max_poll_records: int | str
    check_crcs: bool | str
    allow_auto_create_topics: bool | str
    exclude_internal_topics: bool | str
    acks: str | int
    enable_idempotence: bool | str
    compression_type: str
    compression_gzip_level: int | str
    compression_lz4_level: int | str
    compression_zstd_level: int | str
    linger_ms: int | str | timedelta
    batch_size: int | str
    max_request_size: int | str
    buffer_memory: int | str
    max_block_ms: int | str | timedelta
    delivery_timeout_ms: int | str | timedelta
    retries: int | str
    max_in_flight_requests_per_connection: int | str
    partitioner_class: str
    partitioner_ignore_keys: bool | str
    partitioner: Any
    metadata_max_idle_ms: int | str | timedelta
    transactional_id: str | None
    transaction_timeout_ms: int | str | timedelta
    bootstrap_servers: str | Iterable[str]
    client_id: str | None
    client_rack: str | None
    request_timeout_ms: int | str | timedelta
    default_api_timeout_ms: int | str | timedelta
    retry_backoff_ms: int | str | timedelta
    retry_backoff_max_ms: int | str | timedelta
    reconnect_backoff_ms: int | str | timedelta
    reconnect_backoff_max_ms: int | str | timedelta
    socket_connection_setup_timeout_ms: int | str | timedelta
    socket_connection_setup_timeout_max_ms: int | str | timedelta
    connections_max_idle_ms: int | str | timedelta
    metadata_max_age_ms: int | str | timedelta
    metadata_recovery_strategy: str
    metadata_recovery_rebootstrap_trigger_ms: int | str | timedelta
    client_dns_lookup: str
    send_buffer_bytes: int | str
    receive_buffer_bytes: int | str
    receive_message_max_bytes: int | str
    enable_metrics_push: bool | str
    security_protocol: str
    ssl_ca_location: str | None
    ssl_truststore_certificates: str | None
    ssl_truststore_type: str | None
    ssl_truststore_password: str | None
    ssl_keystore_location: str | None
    ssl_keystore_type: str | None
    ssl_keystore_password: str | None
    ssl_keystore_key: str | None
    ssl_keystore_certificate_chain: str | None
    ssl_certificate_location: str | None
    ssl_key_location: str | None
    ssl_key_password: str | None
    ssl_enabled_protocols: str | Iterable[str]
    ssl_cipher_suites: str | Iterable[str]
    ssl_endpoint_identification_algorithm: str | None
    ssl_context: Any
    sasl_mechanism: str | None
    sasl_username: str | None
    sasl_password: str | None
    sasl_jaas_config: str | None
    sasl_kerberos_service_name: str | None
    sasl_oauthbearer_token_endpoint_url: str | None
    sasl_oauthbearer_client_id: str | None
    sasl_oauthbearer_client_secret: str | None
    sasl_oauthbearer_scope: str | None
    sasl_oauthbearer_token: Any
    sasl_scram_iterations_max: int | str
