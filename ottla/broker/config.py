"""The broker's configuration: from a file, the environment and `--set`, checked against the table of broker configs.

Precedence, the first that has a key wins:

    --set key=value        …                                        (`sets`)
    OTTLA_<KEY>            OTTLA_LOG_RETENTION_MS=1000
    KAFKA_<KEY>            KAFKA_LOG_RETENTION_MS=1000, as Kafka's container images name them
    the file               server.properties syntax, or TOML if its name ends in .toml
    `defaults`             what the caller (command line, pytest fixture) starts from
    the table              metadata/configs/broker.py

A name becomes an environment variable by capitals and `_` for `.` (in Kafka's images `__` is `_` and `___` is `-`).
OTTLA_X is `ottla.x` if there is such a key, otherwise `x`. An unknown OTTLA_ variable is an error; an unknown KAFKA_ one
is not ours (KAFKA_HEAP_OPTS, Kubernetes' KAFKA_PORT=tcp://…) and is left alone.

In TOML the key is written dotted or as tables: `log.retention.ms = 1000` and `[log.retention]` / `ms = 1000` are one thing.

Keys of Kafka's listeners (`listener.name.<listener>.<key>`) and of Kafka's plug-ins are accepted as Kafka accepts them;
any other key that is not in the table is an error that names the nearest known one.
"""

from __future__ import annotations

import functools
import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..metadata.configs.broker import BROKER, DYNAMIC_ONLY
from ..metadata.configs.connection_limits import address_limits
from ..metadata.configs.resolve import Levels, base_name, topic_values
from ..metadata.configs.topic import TOPIC
from ..metadata.configs.values import Value, did_you_mean
from ..protocol.errors import KafkaError
from ..security.addresses import is_loopback

if TYPE_CHECKING:
    from ..log.config import LogConfig
    from ..metadata.image import MetadataImage

#: What a broker is without any configuration, where Kafka's table demands a value or has one that cannot work alone.
DEFAULTS: Mapping[str, str] = {
    "node.id": "1",
    "listeners": "PLAINTEXT://127.0.0.1:9092",
    "log.dirs": "ottla-data",
}
#: Variables with our prefix that are no configuration.
RESERVED_VARIABLES = frozenset({
    "OTTLA_NO_EXTENSIONS", "OTTLA_CONFIG", "OTTLA_DATA_DIR", "OTTLA_LISTEN", "OTTLA_TESTS_CACHE", "OTTLA_DEBUG",
})  # fmt: skip
#: Kafka's numbers of security protocols.
SECURITY_PROTOCOLS = {"PLAINTEXT": 0, "SSL": 1, "SASL_PLAINTEXT": 2, "SASL_SSL": 3}
#: Keys of plug-ins and per-listener overrides: known by their beginning.
_OPEN_PREFIXES = (
    "listener.name.",
    "rsm.config.",
    "rlmm.config.",
    "config.providers.",
    "confluent.",
    "broker.session.uuid",
    "super.users",
    "allow.everyone.if.no.acl.found",
)
#: Keys of older Kafkas that a server.properties may still have; they say nothing any more.
RETIRED = frozenset({
    "zookeeper.connect", "zookeeper.connection.timeout.ms", "zookeeper.session.timeout.ms", "zookeeper.set.acl",
    "inter.broker.protocol.version", "log.message.format.version", "log.message.downconversion.enable", "broker.id.generation.enable",
    "reserved.broker.max.id", "offsets.commit.required.acks", "log.message.timestamp.difference.max.ms", "group.coordinator.new.enable",
    "leader.imbalance.per.broker.percentage", "control.plane.listener.name", "password.encoder.secret",
    "password.encoder.old.secret", "controlled.shutdown.max.retries", "controlled.shutdown.retry.backoff.ms",
    "advertised.host.name", "advertised.port", "host.name", "port", "auto.include.jmx.reporter", "zookeeper.metadata.migration.enable",
})  # fmt: skip

_WILDCARD_HOSTS = ("", "0.0.0.0", "::", "*")


class ConfigError(Exception):
    """The configuration cannot be used; the text names the key, where it stands, and what would do."""


class Listener(NamedTuple):
    """A place where clients are received, or the address under which they are told to come."""

    name: str
    host: str
    port: int
    security_protocol: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.name}://{host}:{self.port}"


class BrokerConfig:
    """The configuration a broker was started with, and what it makes of dynamic configs on top."""

    def __init__(self, static: Mapping[str, str]):
        #: What was set, as strings; Kafka's STATIC_BROKER level.
        self.static = dict(static)
        self.levels = Levels(self.static)
        self.node_id = self._node_id()
        self.listeners = self._parse_listeners("listeners")
        self._advertised = (
            self._parse_listeners("advertised.listeners") if self.levels.text("advertised.listeners") else ()
        )
        self.log_dirs = self._log_dirs()
        self._log_configs: dict[Any, LogConfig] = {}
        self._check_listeners()

    @classmethod
    def load(
        cls,
        file: str | os.PathLike[str] | None = None,
        environ: Mapping[str, str] | None = None,
        sets: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        *,
        defaults: Mapping[str, str] | None = None,
        sets_from: str = "--set",
    ) -> BrokerConfig:
        """Read and check all sources; raises `ConfigError`, which names the source: `sets` by `sets_from`."""
        values = {**DEFAULTS, **(defaults or {})}
        origins = dict.fromkeys(values, "the defaults")
        sources: list[tuple[str, Iterable[tuple[str, str]]]] = []
        if file is not None:
            path = Path(file)
            sources.append((str(path), read_file(path).items()))
        if environ is not None:
            sources += [("the environment", _from_environment(environ, prefix)) for prefix in ("KAFKA_", "OTTLA_")]
        sources.append((sets_from, sets.items() if isinstance(sets, Mapping) else sets))
        for origin, pairs in sources:
            given = dict(pairs)
            _forget_shadowed(values, given)
            values.update(given)
            origins.update(dict.fromkeys(given, origin))
        for key, value in values.items():
            _check(key, value, origins[key])
        static = values
        if int(static.get("broker.id", -1)) < 0:
            static["broker.id"] = static["node.id"]  # Kafka fills the one from the other as well
        config = cls(static)
        try:
            address_limits(config.levels)
        except KafkaError as error:
            key = "max.connections.per.ip.overrides"
            raise ConfigError(f"{origins.get(key, 'max.connections.per.ip')}: {key}: {error.message}") from None
        return config

    # -- values ----------------------------------------------------------------------------------------------------

    def value(self, name: str) -> Value:
        """Return the typed value of a broker config, without dynamic ones."""
        return self.levels.value(name)

    def integer(self, name: str) -> int:
        value = self.levels.value(name)
        assert isinstance(value, int), name
        return value

    def number(self, name: str) -> float:
        value = self.levels.value(name)
        assert isinstance(value, int | float), name
        return float(value)

    def boolean(self, name: str) -> bool:
        value = self.levels.value(name)
        assert isinstance(value, bool), name
        return value

    def string(self, name: str) -> str | None:
        value = self.levels.value(name)
        assert value is None or isinstance(value, str), name
        return value

    def strings(self, name: str) -> list[str]:
        value = self.levels.value(name)
        assert value is None or isinstance(value, list), name
        return value or []

    @property
    def durability(self) -> str:
        return self.string("ottla.durability") or "auto"

    @property
    def rack(self) -> str | None:
        return self.string("broker.rack")

    # -- dynamic configs -------------------------------------------------------------------------------------------

    def levels_in(self, image: MetadataImage) -> Levels:
        """Put the dynamic configs of an image on top of what the broker was started with."""
        return Levels.of(self.static, image.configs, self.node_id)

    def log_config(self, own: Mapping[str, str], levels: Levels | None = None) -> LogConfig:
        """Return what a topic's own configs and the broker's mean to its log. Equal ones are one object."""
        levels = levels or self.levels
        key = (_frozen(own), _frozen(levels.dynamic_default), _frozen(levels.dynamic_broker))
        config = self._log_configs.get(key)
        if config is None:
            if len(self._log_configs) > 1000:  # dynamic configs changed a thousand times: begin afresh
                self._log_configs.clear()
            config = self._log_configs[key] = _log_config(topic_values(own, levels), levels)
        return config

    # -- identity and places ---------------------------------------------------------------------------------------

    def _node_id(self) -> int:
        broker_id = self.static.get("broker.id")
        node_id = self.static["node.id"]
        if broker_id is not None and int(broker_id) != int(node_id) and int(broker_id) >= 0:
            raise ConfigError(
                f"node.id is {node_id} and broker.id is {broker_id}: they name the same thing, remove one of them"
            )
        return int(node_id)

    def _log_dirs(self) -> tuple[str, ...]:
        directories = self.strings("log.dirs") or self.strings("log.dir")
        return tuple(str(Path(directory).expanduser()) for directory in directories)

    def _security_protocol(self, listener: str) -> str:
        """Look a listener's protocol up in listener.security.protocol.map; a protocol's own name needs no entry."""
        pairs = (self.levels.text("listener.security.protocol.map") or "").split(",")
        protocols = dict(pair.strip().split(":", 1) for pair in pairs if ":" in pair)
        protocol = protocols.get(listener.upper(), listener.upper()).strip().upper()
        if protocol not in SECURITY_PROTOCOLS:
            raise ConfigError(
                f"listener {listener} has no security protocol: add {listener}:PLAINTEXT (or SSL, SASL_PLAINTEXT, "
                "SASL_SSL) to listener.security.protocol.map"
            )
        return protocol

    def _parse_listeners(self, key: str) -> tuple[Listener, ...]:
        controllers = {name.upper() for name in self.strings("controller.listener.names")} if (
            "controller.listener.names" in self.static) else set()  # fmt: skip
        found = []
        for text in self.strings(key):
            match = re.fullmatch(r"([A-Za-z0-9_-]+)://(?:\[([0-9A-Fa-f:.%]+)\]|([^:/\[\]]*)):(-?[0-9]+)", text.strip())
            if match is None:
                raise ConfigError(
                    f"{key}: {text!r} is not of the form NAME://host:port (for example PLAINTEXT://127.0.0.1:9092)"
                )
            name, port = match[1].upper(), int(match[4])
            if name in controllers:
                continue  # the listener of Kafka's quorum, which Ottla does not have
            if not 0 <= port <= 65535:
                raise ConfigError(f"{key}: {text!r} has port {port}, which is not between 0 and 65535")
            found.append(Listener(name, match[2] or match[3] or "", port, self._security_protocol(name)))
        return tuple(found)

    def _check_listeners(self) -> None:
        if not self.listeners:
            raise ConfigError(
                "listeners names no listener for clients: give one, for example PLAINTEXT://127.0.0.1:9092"
            )
        for key, listeners in (("listeners", self.listeners), ("advertised.listeners", self._advertised)):
            names = [listener.name for listener in listeners]
            for name in names:
                if names.count(name) > 1 and not (key == "listeners" and _one_per_family(listeners, name)):
                    raise ConfigError(f"{key} names {name} twice: every listener needs a name of its own")
        ports = [(listener.host, listener.port) for listener in self.listeners if listener.port]
        for _, port in ports:
            others = [other for other, its in ports if its == port]
            if len(others) > 1 and not (len(others) == 2 and len({":" in other for other in others}) == 2):
                raise ConfigError(
                    f"Each listener must have a different port, listeners: {self.levels.text('listeners')}: {port} stands "
                    f"{len(others)} times (an IPv4 and an IPv6 address may share one)"
                )
        known = {listener.name for listener in self.listeners}
        for listener in self._advertised:
            if listener.name not in known:
                raise ConfigError(
                    f"advertised.listeners names {listener.name}, which is not in listeners ({', '.join(sorted(known))})"
                )
            if listener.host == "0.0.0.0":
                raise ConfigError(
                    "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0: give the address "
                    "under which clients reach this broker"
                )

        self._check_inter_broker(known)

    def _check_inter_broker(self, known: set[str]) -> None:
        """Check what brokers would use among themselves, where somebody says it, as Kafka does at its start."""
        name, protocol = (
            self.static.get("inter.broker.listener.name"),
            self.static.get("security.inter.broker.protocol"),
        )
        if name is not None and protocol is not None:
            raise ConfigError(
                "Only one of inter.broker.listener.name and security.inter.broker.protocol should be set."
            )
        wanted = name or protocol
        if wanted and wanted.upper() not in known:
            raise ConfigError(
                "inter.broker.listener.name must be a listener name defined in advertised.listeners. The valid options "
                f"based on currently configured listeners are {','.join(sorted(known))} "
                f"({'inter.broker.listener.name' if name else 'security.inter.broker.protocol'} is {wanted})"
            )

    @property
    def exposed_listeners(self) -> tuple[Listener, ...]:
        """The listeners that other machines reach and on which anybody is let in and everything can be read."""
        return tuple(
            listener
            for listener in self.listeners
            if listener.security_protocol == "PLAINTEXT" and not is_loopback(listener.host)
        )

    @property
    def trusting_listeners(self) -> tuple[tuple[Listener, str], ...]:
        """The other listeners that other machines reach and that trust them more than they may seem to, each with how."""
        found = []
        for listener in self.listeners:
            own = self.levels.for_listener(listener.name, "ssl.client.auth") or self.levels.text("ssl.client.auth")
            if is_loopback(listener.host):
                continue
            if (
                listener.security_protocol == "SSL"
                and own != "required"
                and not self.levels.text("authorizer.class.name")
            ):
                found.append(
                    (listener, "encrypts, but asks nobody who they are (ssl.client.auth), and there is no authorizer")
                )
            if listener.security_protocol == "SASL_PLAINTEXT":
                found.append((listener, "has no TLS: what is sent can be read on the way, passwords of PLAIN included"))
        return tuple(found)

    def advertised_listeners(self, ports: Mapping[str, int] | None = None) -> tuple[Listener, ...]:
        """List where clients are told to come. `ports` are those really bound, for listeners on port 0."""
        advertised = {listener.name: listener for listener in self._advertised}
        result = {}
        for listener in self.listeners:
            told = advertised.get(listener.name, listener)
            host = _host_name() if told.host in _WILDCARD_HOSTS else told.host
            port = told.port or (ports or {}).get(listener.name, 0)
            result[listener.name] = told._replace(host=host, port=port)
        return tuple(result.values())


# -- what stands in sources ----------------------------------------------------------------------------------------


def _check(key: str, value: str, origin: str) -> None:
    """Refuse a key that does not exist or has a value that may not be."""
    definition = BROKER.get(base_name(key))
    if definition is None or key in DYNAMIC_ONLY:
        if key.startswith(_OPEN_PREFIXES) or key in RETIRED:
            return
        if key in DYNAMIC_ONLY:
            raise ConfigError(
                f"{origin}: {key} can only be set while the broker runs, with kafka-configs or an Admin client"
            )
        hint = did_you_mean(key, BROKER)
        if not hint and key in TOPIC:
            synonyms = TOPIC[key].synonyms
            hint = (
                f" (that is a topic config; its broker config is {synonyms[0]})"
                if synonyms
                else " (that is a topic config)"
            )
        raise ConfigError(f"{origin}: there is no config {key!r}{hint}")
    try:
        definition.parse(value)
    except KafkaError as error:
        raise ConfigError(f"{origin}: {error.message}") from None


def _forget_shadowed(values: dict[str, str], given: Mapping[str, str]) -> None:
    """Let a stronger source's `log.dir` or `broker.id` win over the weaker one's `log.dirs` or `node.id`."""
    if "log.dir" in given and "log.dirs" not in given:
        values.pop("log.dirs", None)
    if "broker.id" in given and "node.id" not in given and given["broker.id"].strip() != "-1":
        values["node.id"] = given["broker.id"]


def _from_environment(environ: Mapping[str, str], prefix: str) -> Iterator[tuple[str, str]]:
    for variable, value in environ.items():
        if not variable.startswith(prefix) or variable in RESERVED_VARIABLES:
            continue
        key = _variable_key(variable[len(prefix) :])
        if prefix == "OTTLA_":
            key = f"ottla.{key}" if f"ottla.{key}" in BROKER else key
            if key not in BROKER:
                hint = did_you_mean(key, BROKER)
                raise ConfigError(f"the environment: {variable} stands for {key!r}, and there is no such config{hint}")
        elif key not in BROKER:
            continue
        yield key, value


def _variable_key(name: str) -> str:
    """Turn LOG_RETENTION_MS into log.retention.ms; `__` is an underscore and `___` a dash."""
    return re.sub("_{1,3}", lambda match: {1: ".", 2: "_", 3: "-"}[len(match[0])], name).lower()


def read_file(path: Path) -> dict[str, str]:
    """Read a configuration file; raises `ConfigError` with the line that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: byte {error.start} is no character") from error
    return _read_toml(text, path) if path.suffix == ".toml" else dict(read_properties(text))


def _read_toml(text: str, path: Path) -> dict[str, str]:
    import tomllib  # only who has a TOML file pays for it

    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    found: dict[str, str] = {}

    def walk(table: Mapping[str, Any], prefix: str) -> None:
        for key, value in table.items():
            name = prefix + key
            if isinstance(value, dict):
                walk(value, name + ".")
            elif isinstance(value, bool):
                found[name] = "true" if value else "false"
            elif isinstance(value, list):
                found[name] = ",".join(map(str, value))
            else:
                found[name] = str(value)

    walk(tree, "")
    return found


_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
#: The key of a line: up to the first blank, '=' or ':' that is not escaped.
_KEY_END = re.compile(r"(?:[^\\ \t\f=:]|\\.)*", re.DOTALL)
_SEPARATOR = re.compile(r"[ \t\f]*[=:]?[ \t\f]*")


def read_properties(text: str) -> Iterator[tuple[str, str]]:
    """Read Java's properties syntax: comments, continued lines, escapes; later keys win over earlier ones."""
    for line in _logical_lines(text):
        match = _KEY_END.match(line)
        assert match is not None
        separator = _SEPARATOR.match(line, match.end())
        assert separator is not None
        yield _unescape(match[0]), _unescape(line[separator.end() :])


def _logical_lines(text: str) -> Iterator[str]:
    pending = ""
    for line in re.split(r"\r\n|\r|\n", text):
        line = line.lstrip(" \t\f")
        if not pending and (not line or line[0] in "#!"):
            continue
        backslashes = len(line) - len(line.rstrip("\\"))
        if backslashes % 2:
            pending += line[:-1]
            continue
        yield pending + line
        pending = ""
    if pending:
        yield pending


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text

    def replace(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 16))
        return _ESCAPES.get(match[2], match[2])

    return re.sub(r"\\(?:u([0-9A-Fa-f]{4})|(.))", replace, text, flags=re.DOTALL)


# -- helpers -------------------------------------------------------------------------------------------------------


def _frozen(values: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(values.items())


def _log_config(values: Mapping[str, Value], levels: Levels) -> LogConfig:
    from ..log.config import LogConfig
    from ..records.header import TimestampType

    attributes: dict[str, Any] = {}
    for name in LogConfig.__dataclass_fields__:
        key = name.replace("_", ".")
        if key in values:
            attributes[name] = values[key]
    attributes["cleanup_policy"] = frozenset(attributes["cleanup_policy"])
    append_time = attributes["message_timestamp_type"] == "LogAppendTime"
    attributes["message_timestamp_type"] = TimestampType.LOG_APPEND_TIME if append_time else TimestampType.CREATE_TIME
    attributes["producer_id_expiration_ms"] = levels.value("producer.id.expiration.ms")
    if values.get("internal.segment.bytes") is not None:
        attributes["segment_bytes"] = values["internal.segment.bytes"]
    return LogConfig(**attributes)


def _one_per_family(listeners: Iterable[Listener], name: str) -> bool:
    """Tell whether a name stands once for IPv4 and once for IPv6 on one port, which Kafka allows."""
    same = [listener for listener in listeners if listener.name == name]
    return len(same) == 2 and len({":" in listener.host for listener in same}) == 2


@functools.cache
def _host_name() -> str:
    return socket.getfqdn()
