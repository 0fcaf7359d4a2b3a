"""Checks of all configs of a resource together: what Kafka's validators demand, in its order and words.

Each function takes the configs a resource would have after a change (strings) and raises `KafkaError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ..metadata.configs.broker import BROKER
from ..metadata.configs.client_metrics import CLIENT_METRICS
from ..metadata.configs.connection_limits import address_limits
from ..metadata.configs.definition import PER_BROKER, READ_ONLY
from ..metadata.configs.group import GROUP
from ..metadata.configs.resolve import Levels, base_name, group_default, topic_value
from ..metadata.configs.topic import TOPIC
from ..metadata.configs.values import Value
from ..protocol.errors import ErrorCode, KafkaError
from ..security.jaas import for_mechanism
from ..security.mechanisms import MECHANISMS, SaslConfigError

#: Configs of TLS that Kafka changes at run time only for a named listener (`SslConfigs.RECONFIGURABLE_CONFIGS`).
LISTENER_SECURITY = frozenset({
    "ssl.keystore.type", "ssl.keystore.location", "ssl.keystore.password", "ssl.key.password", "ssl.keystore.key",
    "ssl.keystore.certificate.chain", "ssl.truststore.type", "ssl.truststore.location", "ssl.truststore.password",
    "ssl.truststore.certificates",
})  # fmt: skip
#: Per listener, and yet settable for all brokers at once.
_CLUSTER_LISTENER = frozenset({"max.connections", "max.connection.creation.rate", "num.network.threads"})
#: Limits that Kafka lets nobody set to zero while it runs.
_ABOVE_NONE = frozenset({"max.connections", "max.connection.creation.rate"})
_THREADS = (
    "num.io.threads", "num.replica.fetchers", "num.recovery.threads.per.data.dir", "background.threads", "num.network.threads",
    "log.cleaner.threads",
)  # fmt: skip
_JAAS_KEY = re.compile(r"listener\.name\.[^.]+\.([^.]+)\.sasl\.jaas\.config")
#: Client-metrics: the shortest and longest push interval (`ClientMetricsConfigs`).
PUSH_INTERVAL_MIN_MS, PUSH_INTERVAL_MAX_MS = 100, 3_600_000
_MATCH_KEYS = frozenset({
    "client_instance_id", "client_id", "client_software_name", "client_software_version", "client_source_address",
    "client_source_port",
})  # fmt: skip


def check_topic_configs(configs: Mapping[str, str], levels: Levels) -> dict[str, Value]:
    """Check a topic's configs alone and together with the broker's defaults; returns all typed values."""
    for name in configs:
        if name not in TOPIC:
            raise _bad_config(f"Unknown topic config name: {name}")
    values = {d.name: topic_value(d, configs, levels) for d in TOPIC.values() if not d.internal or d.name in configs}
    low, high = values["min.compaction.lag.ms"], values["max.compaction.lag.ms"]
    assert isinstance(low, int)
    assert isinstance(high, int)
    if low > high:
        raise _bad_config(
            f"conflict topic config setting min.compaction.lag.ms ({low}) > max.compaction.lag.ms ({high})"
        )
    if values["remote.storage.enable"]:
        raise _bad_config(
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."
        )
    return values


# -- brokers -------------------------------------------------------------------------------------------------------


def check_broker_configs(configs: Mapping[str, str], levels: Levels, *, per_broker: bool) -> None:
    """Check a broker's dynamic configs, or those for all brokers. Kafka allows keys it does not know."""
    fixed = [k for k in configs if k in BROKER and BROKER[k].update_mode == READ_ONLY]
    _refuse_some(fixed, "Cannot update these configs dynamically")
    why = "These security configs can be dynamically updated only per-listener using the listener prefix"
    _refuse_some([k for k in configs if k in LISTENER_SECURITY], why)
    for key, value in configs.items():
        definition = BROKER.get(base_name(key))
        if definition is not None:
            try:
                definition.parse(value)
            except KafkaError as error:
                # Kafka answers INVALID_REQUEST here although the request is well formed (KAFKA-13609).
                raise KafkaError(ErrorCode.INVALID_REQUEST, error.message) from None
        _check_jaas(key, value)
    if not per_broker:
        local = [k for k in configs if _is_per_broker(k)]
        _refuse_some(local, "Cannot update these configs at default cluster level, broker id must be specified")
    changed = levels._replace(dynamic_broker=configs) if per_broker else levels._replace(dynamic_default=configs)
    _check_broker_lags(changed)
    address_limits(changed)
    _check_limits(configs)
    _check_threads(configs, levels, changed)


def _is_per_broker(key: str) -> bool:
    if key.startswith("listener.name."):
        return base_name(key) not in _CLUSTER_LISTENER
    return key in BROKER and BROKER[key].update_mode == PER_BROKER and not key.endswith((".rate", ".per.second"))


def _check_jaas(key: str, value: str) -> None:
    """Check the login settings of a listener's SASL mechanism. What is refused here is never looked at again."""
    match = _JAAS_KEY.fullmatch(key)
    if match is None or (mechanism := match[1].upper()) not in MECHANISMS:
        return
    try:
        for_mechanism(value, mechanism)
    except SaslConfigError as problem:
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"Invalid value for configuration {key}: {problem}") from None


def _check_broker_lags(changed: Levels) -> None:
    low = changed.integer("log.cleaner.min.compaction.lag.ms")
    high = changed.integer("log.cleaner.max.compaction.lag.ms")
    if low > high:
        why = f"conflict topic config setting min.compaction.lag.ms ({low}) > max.compaction.lag.ms ({high})"
        raise _bad_config(why)


def _check_limits(configs: Mapping[str, str]) -> None:
    """Check that somebody can still connect: no client could undo a limit of none."""
    for key, value in configs.items():
        if base_name(key) in _ABOVE_NONE and int(value) <= 0:
            raise _not_dynamic(f"Invalid {base_name(key)} {int(value)}")


def _check_threads(configs: Mapping[str, str], before: Levels, changed: Levels) -> None:
    """Check that numbers of threads change by no more than Kafka lets them: to half, to double."""
    wanted = {key: changed.integer(key) for key in _THREADS}
    wanted |= {key: int(value) for key, value in configs.items() if base_name(key) in _THREADS}
    for key, new in wanted.items():
        name = base_name(key)
        old = before.integer(name)
        if name == "log.cleaner.threads":
            less = "Log cleaner threads cannot be reduced to less than half the current value"
            more = "Log cleaner threads cannot be increased to more than double the current value"
        else:
            failed = f"Dynamic thread count update validation failed for {name}={new}, value should"
            less, more = (
                f"{failed} be at least half the current value",
                f"{failed} not be greater than double the current value",
            )
        if new < old // 2:
            raise _not_dynamic(f"{less} {old}")
        if new > old * 2:
            raise _not_dynamic(f"{more} {old}")


def _not_dynamic(why: str) -> KafkaError:
    text = f"Invalid value org.apache.kafka.common.config.ConfigException: {why} for configuration Invalid dynamic configuration"
    return KafkaError(ErrorCode.INVALID_REQUEST, text)


def _refuse_some(keys: Iterable[str], why: str) -> None:
    names = ", ".join(keys)
    if names:
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"{why}: Set({names})")


# -- groups --------------------------------------------------------------------------------------------------------

#: (group config, its lower bound, its upper bound), the bounds being broker configs.
_GROUP_BOUNDS = (
    ("consumer.heartbeat.interval.ms", "group.consumer.min.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms"),
    ("consumer.session.timeout.ms", "group.consumer.min.session.timeout.ms", "group.consumer.max.session.timeout.ms"),
    ("share.heartbeat.interval.ms", "group.share.min.heartbeat.interval.ms", "group.share.max.heartbeat.interval.ms"),
    ("share.session.timeout.ms", "group.share.min.session.timeout.ms", "group.share.max.session.timeout.ms"),
    ("share.record.lock.duration.ms", "group.share.min.record.lock.duration.ms", "group.share.max.record.lock.duration.ms"),
    ("streams.heartbeat.interval.ms", "group.streams.min.heartbeat.interval.ms", "group.streams.max.heartbeat.interval.ms"),
    ("streams.session.timeout.ms", "group.streams.min.session.timeout.ms", "group.streams.max.session.timeout.ms"),
    ("streams.num.standby.replicas", None, "group.streams.max.standby.replicas"),
)  # fmt: skip


def check_group_configs(group: str, configs: Mapping[str, str], levels: Levels) -> None:
    """Check a group's configs against the bounds that the broker sets, and against each other."""
    if not group:
        raise KafkaError(ErrorCode.INVALID_REQUEST, "Default group resources are not allowed.")
    for name in configs:
        if name not in GROUP:
            raise _bad_config(f"Unknown group config name: {name}")
    values = {d.name: d.parse(configs.get(d.name, group_default(d, levels))) for d in GROUP.values()}

    def number(name: str) -> int:
        value = values[name]
        assert isinstance(value, int)
        return value

    for name, low, high in _GROUP_BOUNDS:
        if low is not None and number(name) < levels.integer(low):
            raise _bad_config(f"{name} must be greater than or equal to {low}")
        if number(name) > levels.integer(high):
            raise _bad_config(f"{name} must be less than or equal to {high}")
    for kind in ("consumer", "share", "streams"):
        session, heartbeat = f"{kind}.session.timeout.ms", f"{kind}.heartbeat.interval.ms"
        if number(session) <= number(heartbeat):
            raise _bad_config(f"{session} must be greater than {heartbeat}")


# -- client metrics ------------------------------------------------------------------------------------------------


def check_client_metrics(name: str, configs: Mapping[str, str]) -> None:
    """Check a client-metrics subscription."""
    if not name:
        raise KafkaError(ErrorCode.INVALID_REQUEST, "Subscription name can't be empty")
    for key in configs:
        if key not in CLIENT_METRICS:
            raise KafkaError(ErrorCode.INVALID_REQUEST, f"Unknown client metrics configuration: {key}")
    values = {key: CLIENT_METRICS[key].parse(text) for key, text in configs.items()}
    interval = values.get("interval.ms")
    if isinstance(interval, int) and not PUSH_INTERVAL_MIN_MS <= interval <= PUSH_INTERVAL_MAX_MS:
        why = f"Invalid value {interval} for interval.ms, interval must be between 100 and 3600000 (1 hour)"
        raise KafkaError(ErrorCode.INVALID_REQUEST, why)
    patterns = values.get("match")
    for pattern in patterns if isinstance(patterns, list) else ():
        key, _, expression = pattern.partition("=")
        if not expression or "=" in expression or key.strip() not in _MATCH_KEYS or not _compiles(expression.strip()):
            raise _bad_config(f"Illegal client matching pattern: {pattern}")


def _compiles(expression: str) -> bool:
    try:
        re.compile(expression)
    except re.error:
        return False
    return True


def _bad_config(message: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_CONFIG, message)
