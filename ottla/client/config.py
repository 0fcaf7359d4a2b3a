"""`Config`: the settings of all clients, typed, and also from Kafka's dotted names.

    Config(bootstrap="localhost:9092", request_timeout_ms="10s")
    Config.from_dict({"bootstrap.servers": "localhost:9092", "request.timeout.ms": "10000"})
    Config.from_env("KAFKA_")                    KAFKA_BOOTSTRAP_SERVERS=…  KAFKA_SASL_MECHANISM=…
    print(config.explain())                      what holds, where it comes from, what it means

One `Config` serves a Producer, a Consumer and an Admin alike; each reads what concerns it. The tables are
`settings_common`, `settings_producer` and `settings_consumer`. A name that no table knows is refused with the nearest one,
because a setting that is silently ignored is found in production. It never changes; `replace` makes another.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from typing import Any, Self, Unpack

from .errors import ConfigError
from .settings import Setting, rows
from .settings_common import CommonSettings
from .settings_consumer import ConsumerSettings
from .settings_producer import ProducerSettings
from .settings_types import Settings

#: Dotted names of other clients that have no meaning here, each with the reason, so that a file can be taken over.
IGNORED = {
    "key.serializer": "serializers are arguments of Producer",
    "value.serializer": "serializers are arguments of Producer",
    "key.deserializer": "deserializers are arguments of Consumer",
    "value.deserializer": "deserializers are arguments of Consumer",
    "metric.reporters": "counters are read from `.metrics`, hooks are arguments",
    "auto.include.jmx.reporter": "there is no JMX",
    "log.connection.close": "the logger ottla.client says it at level debug",
}


class Config(CommonSettings, ProducerSettings, ConsumerSettings):
    """Settings of a client. Keyword arguments are the dotted names with `_` for `.`; `bootstrap` is bootstrap.servers."""

    def __init__(self, bootstrap: str | Iterable[str] | None = None, **settings: Unpack[Settings]) -> None:
        given: dict[str, Any] = dict(settings)
        if bootstrap is not None:
            given["bootstrap_servers"] = bootstrap
        values: dict[str, Any] = {}
        for name, value in given.items():
            row = _ROWS.get(name)
            if row is None:
                raise ConfigError(_unknown(name, _ROWS))
            values[name] = row.parse(value)
        self.__dict__.update(values)
        self.__dict__["_sources"] = dict.fromkeys(values, "argument")
        self._check()

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any], **more: Any) -> Self:
        """Take Kafka's (and librdkafka's) dotted names; Python names do as well. `more` wins."""
        found: dict[str, Any] = {}
        for name, value in settings.items():
            if name in IGNORED:
                continue
            row = _BY_NAME.get(name) or _ROWS.get(name)
            if row is None:
                raise ConfigError(_unknown(name, _BY_NAME))
            found[row.python_name] = value
        return cls(**{**found, **more})

    @classmethod
    def from_env(cls, prefix: str = "KAFKA_", environ: Mapping[str, str] | None = None, **more: Any) -> Self:
        """Read variables such as KAFKA_BOOTSTRAP_SERVERS. Variables of the prefix that name no setting are refused."""
        environ = os.environ if environ is None else environ
        found = {
            name[len(prefix) :].lower().replace("_", "."): value
            for name, value in environ.items()
            if name.startswith(prefix)
        }
        config = cls.from_dict(found, **more)
        config.__dict__["_sources"].update(
            {name: "environment" for name in config.__dict__["_sources"] if name not in more}
        )
        return config

    def replace(self, **settings: Unpack[Settings]) -> Self:
        """Another configuration, with some settings changed."""
        return type(self)(**{**self.given, **settings})

    @property
    def given(self) -> dict[str, Any]:
        """Python name -> value of what was set, not of what is by default."""
        return {name: self.__dict__[name] for name in self.__dict__["_sources"]}

    def dotted(self) -> dict[str, str]:
        """All settings by Kafka's names, as text. Secrets are in it."""
        return {
            row.name: row.text(getattr(self, name)) for name, row in _ROWS.items() if not callable(getattr(self, name))
        }

    def is_set(self, name: str) -> bool:
        """Whether a setting (Python name) was given rather than left at its default."""
        return name in self.__dict__["_sources"]

    def explain(self) -> str:
        """One line for each setting: value, where it comes from, what it means."""
        lines = []
        for name, row in _ROWS.items():
            value = "***" if row.secret and getattr(self, name) else row.text(getattr(self, name))
            lines.append(f"{row.name} = {value}  [{self.__dict__['_sources'].get(name, 'default')}]  {row.doc}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        shown = ", ".join(f"{n}={'***' if _ROWS[n].secret else repr(v)}" for n, v in self.given.items())
        return f"Config({shown})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Config) and self.given == other.given

    __hash__ = None  # type: ignore[assignment]

    def _check(self) -> None:
        """Refuse what contradicts itself."""
        if (self.enable_idempotence and self.is_set("enable_idempotence")) or self.transactional_id is not None:
            if self.is_set("acks") and self.acks != "all":
                raise ConfigError(f"acks={self.acks}: an idempotent producer needs acks=all")
            if self.max_in_flight_requests_per_connection > 5:
                raise ConfigError(
                    f"max.in.flight.requests.per.connection={self.max_in_flight_requests_per_connection}: "
                    "an idempotent producer keeps order with at most 5"
                )
        if self.transactional_id is not None and not self.enable_idempotence:
            raise ConfigError("a transactional producer is idempotent: leave enable.idempotence at true")
        if self.is_set("delivery_timeout_ms") and self.delivery_timeout_ms < self.linger_ms + self.request_timeout_ms:
            raise ConfigError(
                f"delivery.timeout.ms={self.delivery_timeout_ms} must be at least linger.ms + request.timeout.ms "
                f"({self.linger_ms} + {self.request_timeout_ms})"
            )


_ROWS: dict[str, Setting[Any, Any]] = rows(Config)
_BY_NAME: dict[str, Setting[Any, Any]] = {name: row for row in _ROWS.values() for name in (row.name, *row.aliases)}


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"there is no setting {name!r}" + (f": did you mean {near[0]!r}?" if near else "")


def as_config(given: Config | Mapping[str, Any] | str | None, **more: Any) -> Config:
    """Take what the constructors of clients take: a Config, a dict of dotted names, or the addresses alone."""
    if isinstance(given, Config):
        return given.replace(**more) if more else given
    if given is None:
        return Config(**more)
    if isinstance(given, str):
        return Config(given, **more)
    return Config.from_dict(given, **more)
