"""Settings of every client: addresses, time-outs, sockets, TLS, SASL. Names and defaults are Kafka's unless it says so."""

from __future__ import annotations

from .settings import Choice, Duration, Flag, Instance, Names, Number, Size, Text


class CommonSettings:
    """What Producer, Consumer and Admin share."""

    bootstrap_servers = Names(
        "bootstrap.servers",
        (),
        "Addresses to find the cluster by: host:port, several with commas.",
        aliases=("metadata.broker.list",),
    )
    client_id = Text("client.id", "ottla", "Name of this client in the broker's logs, metrics and quotas.")
    client_rack = Text(
        "client.rack", None, "Where this client stands; a consumer reads from a replica of the same rack (KIP-392)."
    )
    request_timeout_ms = Duration(
        "request.timeout.ms", 30_000, "How long one request may take before its connection is given up.", low=1
    )
    default_api_timeout_ms = Duration(
        "default.api.timeout.ms", 60_000, "How long a call may take with all its retries.", low=1
    )
    retry_backoff_ms = Duration(
        "retry.backoff.ms", 100, "First wait before a retry; doubles up to retry.backoff.max.ms (KIP-580)."
    )
    retry_backoff_max_ms = Duration("retry.backoff.max.ms", 1000, "Longest wait before a retry.")
    reconnect_backoff_ms = Duration("reconnect.backoff.ms", 50, "First wait before a broker is connected to again.")
    reconnect_backoff_max_ms = Duration(
        "reconnect.backoff.max.ms", 1000, "Longest wait before a broker is connected to again."
    )
    socket_connection_setup_timeout_ms = Duration(
        "socket.connection.setup.timeout.ms",
        10_000,
        "How long a connection may take to be made, with TLS and SASL.",
        low=1,
    )
    socket_connection_setup_timeout_max_ms = Duration(
        "socket.connection.setup.timeout.max.ms",
        30_000,
        "Accepted; each attempt has socket.connection.setup.timeout.ms.",
        low=1,
    )
    connections_max_idle_ms = Duration(
        "connections.max.idle.ms", 540_000, "A connection without use for so long is closed.", low=-1
    )
    metadata_max_age_ms = Duration(
        "metadata.max.age.ms", 300_000, "Leaders and partitions are asked for again after so long."
    )
    metadata_recovery_strategy = Choice(
        "metadata.recovery.strategy",
        "rebootstrap",
        "Whether to begin again at bootstrap.servers when no known broker answers (KIP-899).",
        choices=("none", "rebootstrap"),
    )
    metadata_recovery_rebootstrap_trigger_ms = Duration(
        "metadata.recovery.rebootstrap.trigger.ms",
        300_000,
        "After how long without metadata to begin again at bootstrap.servers (KIP-1102).",
    )
    client_dns_lookup = Choice(
        "client.dns.lookup",
        "use_all_dns_ips",
        "Whether all addresses of a name are tried.",
        choices=("use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"),
    )
    send_buffer_bytes = Size("send.buffer.bytes", -1, "SO_SNDBUF; -1 leaves it to the system (Kafka: 128 KiB).", low=-1)
    receive_buffer_bytes = Size(
        "receive.buffer.bytes", -1, "SO_RCVBUF; -1 leaves it to the system (Kafka: 32 KiB).", low=-1
    )
    receive_message_max_bytes = Size(
        "receive.message.max.bytes",
        256 << 20,
        "Largest answer that is taken from a broker; beyond it the connection is closed (librdkafka's setting).",
        low=1000,
    )
    enable_metrics_push = Flag(
        "enable.metrics.push", True, "Whether the cluster may ask for this client's metrics (KIP-714)."
    )

    security_protocol = Choice(
        "security.protocol",
        "PLAINTEXT",
        "How brokers are spoken to.",
        choices=("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    )
    ssl_ca_location = Text(
        "ssl.ca.location",
        None,
        "PEM file of the certificates to trust (librdkafka's name); the system's when nothing is set.",
        aliases=("ssl.truststore.location",),
    )
    ssl_truststore_certificates = Text(
        "ssl.truststore.certificates", None, "The certificates to trust, as PEM text.", aliases=("ssl.ca.pem",)
    )
    ssl_truststore_type = Text(
        "ssl.truststore.type", None, "PEM, JKS or PKCS12; guessed from the file where it is not set."
    )
    ssl_truststore_password = Text(
        "ssl.truststore.password", None, "Password of a JKS or PKCS12 truststore.", secret=True
    )
    ssl_keystore_location = Text(
        "ssl.keystore.location", None, "File with this client's key and certificates (PEM, JKS, PKCS12)."
    )
    ssl_keystore_type = Text(
        "ssl.keystore.type", None, "PEM, JKS or PKCS12; guessed from the file where it is not set."
    )
    ssl_keystore_password = Text("ssl.keystore.password", None, "Password of the keystore.", secret=True)
    ssl_keystore_key = Text(
        "ssl.keystore.key", None, "This client's private key, as PEM text.", aliases=("ssl.key.pem",), secret=True
    )
    ssl_keystore_certificate_chain = Text(
        "ssl.keystore.certificate.chain",
        None,
        "This client's certificates, as PEM text.",
        aliases=("ssl.certificate.pem",),
    )
    ssl_certificate_location = Text(
        "ssl.certificate.location", None, "PEM file of this client's certificates (librdkafka's name)."
    )
    ssl_key_location = Text("ssl.key.location", None, "PEM file of this client's private key (librdkafka's name).")
    ssl_key_password = Text("ssl.key.password", None, "Password of the private key.", secret=True)
    ssl_enabled_protocols = Names("ssl.enabled.protocols", ("TLSv1.2", "TLSv1.3"), "Versions of TLS to speak.")
    ssl_cipher_suites = Names("ssl.cipher.suites", (), "Ciphers to offer; the library's choice when empty.")
    ssl_endpoint_identification_algorithm = Text(
        "ssl.endpoint.identification.algorithm",
        "https",
        "Whether the broker's certificate must name its host: https, or empty for no.",
    )
    ssl_context = Instance(
        "ssl.context",
        None,
        "A ready ssl.SSLContext instead of the ssl.* settings.",
        check=lambda value: hasattr(value, "wrap_bio"),
        expected="an ssl.SSLContext",
    )

    sasl_mechanism = Text(
        "sasl.mechanism",
        None,
        "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or GSSAPI.",
        aliases=("sasl.mechanisms",),
    )
    sasl_username = Text("sasl.username", None, "Name to log in with (PLAIN, SCRAM).")
    sasl_password = Text("sasl.password", None, "Password to log in with (PLAIN, SCRAM).", secret=True)
    sasl_jaas_config = Text("sasl.jaas.config", None, "Kafka's way to give name, password and options.", secret=True)
    sasl_kerberos_service_name = Text("sasl.kerberos.service.name", None, "The broker's Kerberos service name.")
    sasl_oauthbearer_token_endpoint_url = Text(
        "sasl.oauthbearer.token.endpoint.url", None, "Where OAUTHBEARER gets its token."
    )
    sasl_oauthbearer_client_id = Text("sasl.oauthbearer.client.id", None, "Client id for the token endpoint.")
    sasl_oauthbearer_client_secret = Text(
        "sasl.oauthbearer.client.secret", None, "Client secret for the token endpoint.", secret=True
    )
    sasl_oauthbearer_scope = Text("sasl.oauthbearer.scope", None, "Scope to ask of the token endpoint.")
    sasl_oauthbearer_token = Instance(
        "sasl.oauthbearer.token", None, "A callable that returns the token (text), or the token itself."
    )
    sasl_scram_iterations_max = Number(
        "sasl.scram.iterations.max",
        1_000_000,
        "A broker that asks for more iterations of SCRAM than this is refused: they cost the client's CPU.",
        low=4096,
    )
