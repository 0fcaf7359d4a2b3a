"""librdkafka's configuration as ours: names it knows, what they mean here, its defaults where they differ.

known, and means something here    -> our setting, by its dotted name, alias, or SYNONYMS
known, but is about its insides     -> taken and not used
known, about security, not done     -> KafkaException that says why
unknown                             -> KafkaException, with librdkafka's words
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from ...client import tls
from ...client.config import _BY_NAME, Config
from ...client.errors import ConfigError
from ..settings import tls_with_crl
from .errors import KafkaError, KafkaException, as_exception
from .hooks import TokenCallback

#: librdkafka's names of settings that have another name here.
SYNONYMS = {
    "socket.timeout.ms": "request.timeout.ms",
    "sasl.mechanisms": "sasl.mechanism",
    "auto.commit.enable": "enable.auto.commit",
    "ssl.key.location": "ssl.key.location",
    "topic.metadata.refresh.interval.ms": "metadata.max.age.ms",
    "max.in.flight": "max.in.flight.requests.per.connection",
    "batch.size": "batch.size",
}
_ASSERTED = "the token endpoint is asked with client id and secret only"
_TLS_LIBRARY = "TLS is Python's ssl module here"
#: Settings about security (and plugins) that are not done here: (values that change nothing, why). Any other value is refused,
#: because a program that believes itself protected by a setting must not run without it.
REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "enable.sasl.oauthbearer.unsecure.jwt": (
        ("false",),
        "tokens come from oauth_cb or sasl.oauthbearer.token.endpoint.url",
    ),
    "https.ca.location": ((), "the identity provider is verified by the system's certificates"),
    "https.ca.pem": ((), "the identity provider is verified by the system's certificates"),
    "plugin.library.paths": (("",), "plugins of librdkafka are machine code for it"),
    "sasl.kerberos.keytab": ((), "tickets come from the credential cache: run kinit, or set KRB5_CLIENT_KTNAME"),
    "sasl.kerberos.principal": (
        ("kafkaclient",),
        "tickets come from the credential cache: run kinit for this principal",
    ),
    "sasl.oauthbearer.method": (("default", "oidc"), _ASSERTED),
    "sasl.oauthbearer.extensions": (("",), "SASL extensions are not sent"),
    "sasl.oauthbearer.grant.type": (("client_credentials",), _ASSERTED),
    "sasl.oauthbearer.assertion.algorithm": ((), _ASSERTED),
    "sasl.oauthbearer.assertion.claim.aud": ((), _ASSERTED),
    "sasl.oauthbearer.assertion.claim.exp.seconds": ((), _ASSERTED),
    "sasl.oauthbearer.assertion.claim.iss": ((), _ASSERTED),
    "sasl.oauthbearer.assertion.claim.jti.include": ((), _ASSERTED),
    "sasl.oauthbearer.assertion.claim.nbf.seconds": ((), _ASSERTED),
    "sasl.oauthbearer.assertion.claim.sub": ((), _ASSERTED),
    "sasl.oauthbearer.assertion.file": ((), _ASSERTED),
    "sasl.oauthbearer.assertion.jwt.template.file": ((), _ASSERTED),
    "sasl.oauthbearer.assertion.private.key.file": ((), _ASSERTED),
    "sasl.oauthbearer.assertion.private.key.passphrase": ((), _ASSERTED),
    "sasl.oauthbearer.assertion.private.key.pem": ((), _ASSERTED),
    "sasl.oauthbearer.client.credentials.client.id": ((), "use sasl.oauthbearer.client.id"),
    "sasl.oauthbearer.client.credentials.client.secret": ((), "use sasl.oauthbearer.client.secret"),
    "sasl.oauthbearer.metadata.authentication.type": (("none",), _ASSERTED),
    "ssl.ca.certificate.stores": (("Root",), "certificate stores of Windows are not read"),
    "ssl.certificate.verify_cb": ((), _TLS_LIBRARY),
    "ssl.curves.list": ((), _TLS_LIBRARY),
    "ssl.engine.id": (("dynamic",), _TLS_LIBRARY),
    "ssl.engine.location": ((), _TLS_LIBRARY),
    "ssl.providers": ((), _TLS_LIBRARY),
    "ssl.sigalgs.list": ((), _TLS_LIBRARY),
    "ssl_engine_callback_data": ((), _TLS_LIBRARY),
    "ssl_ca": ((), "use ssl.ca.pem"),
    "ssl_certificate": ((), "use ssl.certificate.pem"),
    "ssl_key": ((), "use ssl.key.pem"),
    "sasl.kerberos.kinit.cmd": ((), "kinit is not run: tickets come from the credential cache"),
}
#: Names that are about librdkafka's insides, or are read by the shim itself.
TAKEN = frozenset(
    [
        "allow.auto.create.topics",
        "api.version.fallback.ms",
        "api.version.request",
        "api.version.request.timeout.ms",
        "auto.commit.enable",
        "background_event_cb",
        "batch.num.messages",
        "broker.address.family",
        "broker.address.ttl",
        "broker.version.fallback",
        "builtin.features",
        "client.software.name",
        "client.software.version",
        "closesocket_cb",
        "compression.level",
        "connect_cb",
        "connections.max.idle.ms",
        "consume.callback.max.messages",
        "consume_cb",
        "coordinator.query.interval.ms",
        "debug",
        "default_topic_conf",
        "default.topic.config",
        "delivery.report.only.error",
        "dr_cb",
        "dr_msg_cb",
        "enable.auto.offset.store",
        "enable.partition.eof",
        "enable.random.seed",
        "enable.ssl.certificate.verification",
        "enabled_events",
        "error_cb",
        "fetch.error.backoff.ms",
        "fetch.queue.backoff.ms",
        "group.protocol.type",
        "internal.termination.signal",
        "interceptors",
        "log.connection.close",
        "log.queue",
        "log.thread.name",
        "log_cb",
        "log_level",
        "logger",
        "max.in.flight",
        "message.copy.max.bytes",
        "metadata.max.age.ms",
        "metadata.recovery.rebootstrap.trigger.ms",
        "msg_order_cmp",
        "oauth_cb",
        "oauthbearer_token_refresh_cb",
        "offset.store.method",
        "offset.store.path",
        "offset.store.sync.interval.ms",
        "offset_commit_cb",
        "on_commit",
        "on_delivery",
        "opaque",
        "open_cb",
        "partitioner",
        "partitioner_cb",
        "produce.offset.report",
        "queue.buffering.backpressure.threshold",
        "queue.buffering.max.kbytes",
        "queue.buffering.max.messages",
        "queued.max.messages.kbytes",
        "queued.min.messages",
        "queuing.strategy",
        "rebalance_cb",
        "receive.message.max.bytes",
        "resolve_cb",
        "retry.backoff.max.ms",
        "sasl.kerberos.min.time.before.relogin",
        "sasl.oauthbearer.config",
        "socket.blocking.max.ms",
        "socket.connection.setup.timeout.ms",
        "socket.keepalive.enable",
        "socket.max.fails",
        "socket.nagle.disable",
        "socket.receive.buffer.bytes",
        "socket.send.buffer.bytes",
        "socket_cb",
        "ssl.crl.location",
        "statistics.interval.ms",
        "stats_cb",
        "sticky.partitioning.linger.ms",
        "throttle_cb",
        "topic.blacklist",
        "topic.metadata.propagation.max.ms",
        "topic.metadata.refresh.fast.cnt",
        "topic.metadata.refresh.fast.interval.ms",
        "topic.metadata.refresh.sparse",
        "transactional.id",
        "enable.idempotence",
        "client.dns.lookup",
        "check.crcs",
        "client.id",
        "client.rack",
        "group.protocol",
        "group.remote.assignor",
        "key.serializer",
        "value.serializer",
        "key.deserializer",
        "value.deserializer",
    ]
)
#: Java's names that librdkafka does not know.
_JAVA_ONLY = {"buffer.memory", "max.block.ms", "max.request.size", "max.poll.records", "delivery.timeout.ms"} - {
    "delivery.timeout.ms"
}
#: Where no broker is: librdkafka takes a configuration without bootstrap.servers, and finds no broker.
NOBODY = "127.0.0.1:1"
_RESET = {
    "smallest": "earliest", "earliest": "earliest", "beginning": "earliest", "largest": "latest", "latest": "latest",
    "end": "latest", "error": "none",
}  # fmt: skip


def flag(settings: Mapping[str, Any], name: str, default: bool) -> bool:
    """A setting that is true or false, as librdkafka takes it."""
    value = settings.get(name, default)
    return value if isinstance(value, bool) else str(value).lower() in ("true", "t", "1")


def unknown(name: str) -> KafkaException:
    return KafkaException(KafkaError(-186, f'No such configuration property: "{name}"'))


def merged(*arguments: Any, **more: Any) -> dict[str, Any]:
    """What a constructor was given: one dict, or keywords with dots or underscores."""
    if (arguments and not isinstance(arguments[0], Mapping)) or not (arguments or more):
        raise TypeError("expected configuration dict")
    found = dict(arguments[0]) if arguments else {}
    found.update(more)
    topic = found.pop("default.topic.config", None) or {}
    return {**topic, **found}


def translate(settings: Mapping[str, Any], *, consumer: bool = False) -> Config:
    """Our configuration for librdkafka's."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if name in REFUSED:
            _check_refused(name, value)
            continue
        ours = SYNONYMS.get(name, name)
        row = _BY_NAME.get(ours)
        if name in _JAVA_ONLY or (row is None and ours not in TAKEN):
            raise unknown(name)
        if row is None or name in ("partitioner", "group.protocol"):
            continue
        found[row.python_name] = _value(row.python_name, value)
    if consumer:
        found.setdefault("auto_offset_reset", "latest")
        found["group_protocol"] = settings.get("group.protocol", "classic")
        if "partition_assignment_strategy" not in found:
            found["partition_assignment_strategy"] = "range,roundrobin"
        if found["group_protocol"] == "consumer":
            del found["partition_assignment_strategy"]
    elif not flag(settings, "enable.idempotence", False) and "transactional.id" not in settings:
        found["enable_idempotence"] = False
    if "delivery_timeout_ms" in found and not consumer:  # librdkafka allows what Kafka's rule forbids
        limit = int(found["delivery_timeout_ms"]) or (1 << 31)
        found["delivery_timeout_ms"] = limit
        linger = float(found.get("linger_ms", 5))
        request = int(found.get("request_timeout_ms", 30_000))
        if limit < linger + request:
            found["linger_ms"] = int(min(linger, limit // 2))
            found["request_timeout_ms"] = max(1, limit - found["linger_ms"])
    found.setdefault("client_id", "rdkafka")
    found.setdefault("bootstrap_servers", NOBODY)
    if callable(settings.get("oauth_cb")):
        argument = str(settings.get("sasl.oauthbearer.config", ""))
        found["sasl_oauthbearer_token"] = TokenCallback(settings["oauth_cb"], argument)
    try:
        return with_own_context(Config(**found), settings)
    except ConfigError as problem:
        raise as_exception(problem) from None


def _check_refused(name: str, value: Any) -> None:
    harmless, why = REFUSED[name]
    if value is not None and str(value).lower() not in [each.lower() for each in harmless]:
        raise KafkaException(KafkaError(-186, f'Configuration property "{name}" is not supported by Ottla: {why}'))


def with_own_context(config: Config, settings: Mapping[str, Any]) -> Config:
    """What our settings have no name for: revocation lists, and trust in any certificate."""
    verifies = flag(settings, "enable.ssl.certificate.verification", True)
    crl = settings.get("ssl.crl.location")
    if (verifies and not crl) or not config.security_protocol.endswith("SSL"):
        return config
    context = tls.context(config)
    if crl:
        tls_with_crl(context, crl)
    if not verifies:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return config.replace(ssl_context=context)


def _value(name: str, value: Any) -> Any:
    if name == "auto_offset_reset":
        if str(value) not in _RESET:
            raise KafkaException(
                KafkaError(-186, f'Invalid value for configuration property "auto.offset.reset": {value}')
            )
        return _RESET[str(value)]
    if name == "ssl_endpoint_identification_algorithm" and str(value).lower() == "none":
        return ""
    if name == "bootstrap_servers" and isinstance(value, str):
        return ",".join(part.split("://")[-1] for part in value.split(","))
    if isinstance(value, float) and name.endswith("_ms"):
        return round(value)
    if isinstance(value, str) and value in ("True", "False"):
        return value.lower()
    return value
