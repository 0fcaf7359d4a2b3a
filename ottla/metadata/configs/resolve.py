"""Which value of a config holds, and why: the answers of DescribeConfigs, and the typed values the broker works with.

A broker config is looked for at four levels; the first that has it wins:

    DYNAMIC_BROKER          set through the Admin API for this broker        image.configs (BROKER, "1")
    DYNAMIC_DEFAULT_BROKER  … for all brokers                                image.configs (BROKER, "")
    STATIC_BROKER           the file, the environment, --set                 Levels.static
    DEFAULT                 the table

Some configs say the same under several names (`log.retention.ms`, `.minutes`, `.hours`): the first name that has a value
at any level wins over the next name. A topic config is the topic's own value, or that of the broker configs that are its
synonyms. Groups and client-metrics subscriptions have their own value or a default.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ..image import ConfigsImage, ResourceType
from .broker import BROKER, DYNAMIC_ONLY, KAFKA, OTTLA, SYNONYMS
from .client_metrics import CLIENT_METRICS
from .definition import READ_ONLY, ConfigDefinition, ConfigSource
from .group import GROUP
from .topic import SYNONYM_FACTORS, TOPIC
from .values import ConfigType, Value, to_string


class Synonym(NamedTuple):
    """One place that says something about a config."""

    name: str
    value: str | None
    source: ConfigSource


class ConfigEntry(NamedTuple):
    """One config of a resource as DescribeConfigs tells it; a sensitive one has no value."""

    name: str
    value: str | None
    source: ConfigSource
    type: ConfigType
    sensitive: bool = False
    read_only: bool = False
    synonyms: tuple[Synonym, ...] = ()
    documentation: str | None = None

    @property
    def is_default(self) -> bool:
        return self.source is ConfigSource.DEFAULT


_LISTENER_KEY = re.compile(r"listener\.name\.[^.]*\.(.*)")
#: Keys that a listener has per SASL mechanism: listener.name.<listener>.<mechanism>.<key>.
_MECHANISM_KEYS = (
    "sasl.jaas.config", "sasl.login.callback.handler.class", "sasl.login.class", "sasl.server.callback.handler.class",
    "connections.max.reauth.ms",
)  # fmt: skip


def base_name(key: str) -> str:
    """Return the config behind a listener's key: `max.connections` of `listener.name.external.max.connections`."""
    match = _LISTENER_KEY.fullmatch(key)
    if match is None:
        return key
    return next((name for name in _MECHANISM_KEYS if match[1].endswith(name)), match[1])


class Levels(NamedTuple):
    """What is set on a broker above the defaults: strings as they were written."""

    static: Mapping[str, str]
    dynamic_default: Mapping[str, str] = {}
    dynamic_broker: Mapping[str, str] = {}

    @classmethod
    def of(cls, static: Mapping[str, str], configs: ConfigsImage, node_id: int) -> Levels:
        """Take the dynamic levels of a broker from an image."""
        return cls(static, configs.get(ResourceType.BROKER, ""), configs.get(ResourceType.BROKER, str(node_id)))

    def sources(self) -> tuple[tuple[Mapping[str, str], ConfigSource], ...]:
        return (
            (self.dynamic_broker, ConfigSource.DYNAMIC_BROKER),
            (self.dynamic_default, ConfigSource.DYNAMIC_DEFAULT_BROKER),
            (self.static, ConfigSource.STATIC_BROKER),
        )

    def text(self, name: str) -> str | None:
        """Return what is set for exactly this name, or its default as a string."""
        for values, _ in self.sources():
            if name in values:
                return values[name]
        return BROKER[name].default_string

    def value(self, name: str) -> Value:
        """Return the typed value of a broker config, looking through its other names too."""
        for synonym in SYNONYMS.get(name, (name,)):
            text = self.text(synonym)
            if text is not None:
                value = BROKER[synonym].parse(text)
                wanted, given = SYNONYM_FACTORS.get(name, 1), SYNONYM_FACTORS.get(synonym, 1)
                return value if wanted == given or not isinstance(value, int) else value * given // wanted
        return None

    def integer(self, name: str) -> int:
        value = self.value(name)
        assert isinstance(value, int)
        return value

    def for_listener(self, listener: str, name: str) -> str | None:
        """Return what is set for one listener alone (`listener.name.external.max.connections`)."""
        key = f"listener.name.{listener.lower()}.{name}"
        return next((values[key] for values, _ in self.sources() if key in values), None)

    def effective_text(self, name: str) -> str | None:
        """Return what a broker works with under exactly this name: a level hides all weaker ones of all its synonyms."""
        chain = SYNONYMS.get(name, (name,))
        for values, _ in self.sources():
            if name in values:
                return values[name]
            if values is not self.static and any(synonym in values for synonym in chain):
                break
        return BROKER[name].default_string

    def synonyms(self, name: str) -> tuple[Synonym, ...]:
        """List all that is said about a broker config, the strongest first."""
        names = SYNONYMS.get(name) or tuple(dict.fromkeys((name, base_name(name))))
        definition = BROKER.get(names[-1])
        hidden = definition is None or definition.sensitive
        found = [
            Synonym(n, None if hidden else values[n], source)
            for values, source in self.sources()
            for n in names
            if n in values
        ]
        for n in names:
            default = BROKER[n].default_string if n in KAFKA or n in OTTLA else None
            if default is not None:
                found.append(Synonym(n, default, ConfigSource.DEFAULT))
        # What is said under another name before anything under this one does not count as this one's (Kafka does so).
        while found and found[0].name != name:
            del found[0]
        return tuple(found)


def _shown(definitions: Mapping[str, ConfigDefinition], own: Mapping[str, str]) -> Iterator[ConfigDefinition]:
    return (d for d in definitions.values() if not d.internal or d.name in own)


# -- topics --------------------------------------------------------------------------------------------------------


def topic_value(definition: ConfigDefinition, own: Mapping[str, str], levels: Levels) -> Value:
    """Return the typed value of a topic config."""
    if definition.name in own:
        return definition.parse(own[definition.name])
    if not definition.synonyms:
        return definition.parse(definition.default_string)
    for synonym in definition.synonyms:
        text = levels.text(synonym)
        if text is not None:
            value = BROKER[synonym].parse(text)
            if isinstance(value, int) and not isinstance(value, bool):
                value *= SYNONYM_FACTORS.get(synonym, 1)
                if definition.name == "retention.ms" and value < 0:
                    value = -1  # any negative retention of the broker means "for ever"
            return value
    return definition.parse(definition.default_string)


def topic_values(own: Mapping[str, str], levels: Levels) -> dict[str, Value]:
    """Return the typed values of all topic configs of a topic that sets `own`."""
    return {d.name: topic_value(d, own, levels) for d in _shown(TOPIC, own)}


def topic_entries(own: Mapping[str, str], levels: Levels) -> list[ConfigEntry]:
    """Describe a topic's configs."""
    entries = []
    for d in _shown(TOPIC, own):
        value = to_string(topic_value(d, own, levels))
        synonyms = levels.synonyms(d.synonyms[0]) if d.synonyms else ()
        if d.name in own:
            synonyms = (Synonym(d.name, value, ConfigSource.DYNAMIC_TOPIC), *synonyms)
        source = synonyms[0].source if synonyms else ConfigSource.DEFAULT
        entries.append(ConfigEntry(d.name, value, source, d.type, False, False, synonyms, d.doc))
    return entries


def new_topic_entries(own: Mapping[str, str], levels: Levels) -> list[ConfigEntry]:
    """List a new topic's configs for CreateTopics: values as they were written, in the order of their names.

    Kafka's controller and Kafka's broker do not agree here: the controller looks level by level for any of the names,
    and leaves strings as they are; DescribeConfigs, asked of the broker, goes name by name and normalises.
    """
    entries = []
    for d in sorted(_shown(TOPIC, own), key=lambda d: d.name):
        value, source = d.default_string, ConfigSource.DEFAULT
        if d.name in own:
            value, source = own[d.name], ConfigSource.DYNAMIC_TOPIC
        else:
            for values, level in levels.sources():
                synonym = next((s for s in d.synonyms if s in values), None)
                if synonym is not None:
                    value, source = _converted(values[synonym], synonym), level
                    break
        entries.append(ConfigEntry(d.name, value, source, d.type, False, False, (), d.doc))
    return entries


def _converted(text: str, synonym: str) -> str:
    factor = SYNONYM_FACTORS.get(synonym, 1)
    return text if factor == 1 else str(int(text) * factor)


# -- brokers -------------------------------------------------------------------------------------------------------


def broker_entries(levels: Levels) -> list[ConfigEntry]:
    """Describe all configs of one broker."""
    entries = []
    for d in _shown(BROKER, {**levels.static, **levels.dynamic_default, **levels.dynamic_broker}):
        text = levels.effective_text(d.name)
        value = None if d.sensitive or text is None else to_string(d.parse(text))
        synonyms = levels.synonyms(d.name)
        source = synonyms[0].source if synonyms else ConfigSource.DEFAULT
        read_only = d.update_mode == READ_ONLY or d.name in DYNAMIC_ONLY
        entries.append(ConfigEntry(d.name, value, source, d.type, d.sensitive, read_only, synonyms, d.doc))
    known = {key for values, _ in levels.sources() for key in values}
    return entries + [_unknown(key, levels) for key in sorted(known - BROKER.keys())]


def _unknown(name: str, levels: Levels) -> ConfigEntry:
    """Describe a key that is in no table: one of a listener, or one that may be a secret, so its value is not told."""
    synonyms = levels.synonyms(name)
    d = BROKER.get(base_name(name))
    if d is None:
        return ConfigEntry(name, None, synonyms[0].source, ConfigType.UNKNOWN, True, True, synonyms)
    value = None if d.sensitive else to_string(d.parse(synonyms[0].value))
    return ConfigEntry(name, value, synonyms[0].source, d.type, d.sensitive, True, synonyms, d.doc)


def broker_default_entries(levels: Levels) -> list[ConfigEntry]:
    """Describe what is set for all brokers; nothing else is told about that resource."""
    source = ConfigSource.DYNAMIC_DEFAULT_BROKER
    entries = []
    for name, text in levels.dynamic_default.items():
        d = BROKER.get(name)
        if d is None:
            entries.append(_unknown(name, Levels({}, levels.dynamic_default)))
            continue
        value = None if d.sensitive else text
        synonyms = (Synonym(name, value, source),)
        entries.append(ConfigEntry(name, value, source, d.type, d.sensitive, False, synonyms, d.doc))
    return entries


# -- groups and client metrics -------------------------------------------------------------------------------------


def group_entries(own: Mapping[str, str], levels: Levels) -> list[ConfigEntry]:
    """Describe a group's configs; what it does not set comes from the broker's `group.*` configs."""
    entries = []
    for d in GROUP.values():
        text = own.get(d.name)
        value = to_string(d.parse(text)) if text is not None else group_default(d, levels)
        source = ConfigSource.DEFAULT if text is None else ConfigSource.GROUP
        synonyms = (Synonym(d.name, value, source),)
        entries.append(ConfigEntry(d.name, value, source, d.type, False, False, synonyms, d.doc))
    return entries


def group_default(definition: ConfigDefinition, levels: Levels) -> str | None:
    """Return what a group config is where the group does not set it."""
    if not definition.synonyms:
        return definition.default_string
    return to_string(levels.value(definition.synonyms[0]))


def client_metrics_entries(own: Mapping[str, str]) -> list[ConfigEntry]:
    """Describe a client-metrics subscription."""
    entries = []
    for d in CLIENT_METRICS.values():
        text = own.get(d.name)
        value = d.default_string if text is None else to_string(d.parse(text))
        source = ConfigSource.DEFAULT if text is None else ConfigSource.CLIENT_METRICS
        synonyms = () if text is None else (Synonym(d.name, value, source),)
        entries.append(ConfigEntry(d.name, value, source, d.type, False, False, synonyms, d.doc))
    return entries
