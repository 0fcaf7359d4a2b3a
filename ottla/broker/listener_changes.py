"""Listeners that come and go while the broker runs: `listeners` and `listener.security.protocol.map` are dynamic configs.

    AlterConfigs ─► check(levels): could they be opened?      refused in Kafka's words
    the image    ─► follow(levels) ─► one task: those that are gone are closed with their connections, new ones are opened,
                                      and the broker is registered anew, so that clients are told of them

As in Kafka a listener is known by its name: another port or protocol for one that is there changes nothing or is refused; remove
it, then add it. What is advertised cannot be removed, and `advertised.listeners` itself stays what it was at the start, so that
a new listener advertises where it listens. (Apache Kafka opens a new listener and tells clients of no broker there.)
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from typing import TYPE_CHECKING

from ..protocol.errors import ErrorCode, KafkaError
from .config import SECURITY_PROTOCOLS, BrokerConfig, ConfigError
from .config import Listener as Place
from .listener import Listener
from .listener_security import ListenerSecurity
from .sasl_listener import offers

if TYPE_CHECKING:
    from ..metadata.configs.resolve import Levels
    from .server import Broker

log = logging.getLogger("ottla.broker.listener")

LISTENERS, PROTOCOLS = "listeners", "listener.security.protocol.map"
_PLACE = re.compile(r"([A-Za-z0-9_-]+)://(?:\[[0-9A-Fa-f:.%]+\]|[^:/\[\]]*):(-?[0-9]+)")


class ListenerChanges:
    """The listeners that one broker should have, and the way there."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._levels: Levels = broker.config.levels
        #: The configuration with the listeners of now.
        self.config: BrokerConfig = broker.config
        self._task: asyncio.Task[None] | None = None
        self._started = False

    def start(self) -> None:
        """Begin to follow: all listeners of the file are open."""
        self._started = True
        self.follow(self._broker.config.levels_in(self._broker.image))

    async def stop(self) -> None:
        """Change nothing more."""
        self._started = False
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def follow(self, levels: Levels) -> None:
        """Open and close what these configs say; returns at once."""
        changed = any(levels.text(key) != self._levels.text(key) for key in (LISTENERS, PROTOCOLS))
        self._levels = levels
        if not self._started or not (changed or self._is_other(levels)):
            return
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._change(), name="listeners")
            self._task.add_done_callback(self._broker.on_task_end)

    def _is_other(self, levels: Levels) -> bool:
        return any(key in levels.dynamic_broker for key in (LISTENERS, PROTOCOLS)) and levels.text(
            LISTENERS
        ) != self.config.levels.text(LISTENERS)

    # ── what may be asked ───────────────────────────────────────────────────────────────────────────────────────

    def check(self, levels: Levels) -> None:
        """Raise `KafkaError` if the broker could not have these listeners, as Kafka does."""
        if all(levels.text(key) == self.config.levels.text(key) for key in (LISTENERS, PROTOCOLS)):
            return
        texts = [text.strip() for text in (levels.text(LISTENERS) or "").split(",")]
        _check_texts(
            [text for text in texts if text.partition("://")[0].upper() not in self._controllers()], texts, levels
        )
        try:
            wanted = _with(self._broker.config, levels, advertised=False)
        except ConfigError as problem:
            raise _invalid(str(problem)) from None
        self._check_names(wanted, [text.partition("://")[0].upper() for text in texts])
        new = {place for place in wanted.listeners if place.name not in {each.name for each in self._broker.listeners}}
        for place in new:
            self._check_new(place, wanted, levels)

    def _controllers(self) -> set[str]:
        text = self._broker.config.static.get("controller.listener.names", "")
        return {name.strip().upper() for name in text.split(",")}

    def _check_names(self, wanted: BrokerConfig, everything: list[str]) -> None:
        """Check what happens to the listeners that there are."""
        names = {place.name: place for place in wanted.listeners}
        text = self._broker.config.levels.text("advertised.listeners")
        advertised = (
            {part.split("://")[0].strip().upper() for part in text.split(",")} - self._controllers()
            if text
            else {listener.name for listener in self._broker.listeners}
        )
        if text and not advertised <= names.keys():
            why = (
                "requirement failed: advertised.listeners listener names must be equal to or a subset of the ones defined in "
                f"listeners. Found {','.join(sorted(advertised))}. The valid options based on the current configuration are "
                f"{','.join(everything)}"
            )
            raise KafkaError(ErrorCode.INVALID_REQUEST, why)
        if not advertised <= names.keys():
            raise _invalid(f"Advertised listeners '{_set(advertised)}' must be a subset of listeners '{_set(names)}'")
        for listener in self._broker.listeners:
            place = names.get(listener.name)
            if place is not None and place.security_protocol != listener.security.protocol:
                raise _invalid(
                    f"Security protocol cannot be updated for existing listener ListenerName({listener.name})"
                )

    def _check_new(self, place: Place, wanted: BrokerConfig, levels: Levels) -> None:
        """Check that a listener could be opened. (Kafka finds that out when it is too late to say so.)"""
        if place in wanted.exposed_listeners and not self._may_expose():
            raise _invalid(
                f"listener {place.name} would let everybody on the network in: ottla.allow.plaintext.listeners is false"
            )
        security = ListenerSecurity(place.name, place.security_protocol, levels)
        try:
            if security.uses_sasl:
                offers(security)
            if security.uses_tls:
                from ..security.tls import server_tls  # X.509 comes with it

                server_tls(security.text)
        except (ConfigError, ValueError) as problem:
            raise _invalid(f"listener {place.name}: {problem}") from None

    # ── the way there ───────────────────────────────────────────────────────────────────────────────────────────

    async def _change(self) -> None:
        levels = None
        while levels is not self._levels:
            levels = self._levels
            try:
                wanted = _with(self._broker.config, levels)
            except ConfigError as problem:
                log.error("the listeners stay as they are: %s", problem)
                continue
            self.config = wanted
            await self._close_others({place.name for place in wanted.listeners})
            here = {listener.name for listener in self._broker.listeners}
            for place in wanted.listeners:
                if place.name not in here and not self._is_forbidden(place, wanted):
                    await self._open(place, levels)
            await self._broker.register_endpoints()

    def _is_forbidden(self, place: Place, wanted: BrokerConfig) -> bool:
        """Whether a listener was allowed once, and is not by the configuration of this start."""
        forbidden = place in wanted.exposed_listeners and not self._may_expose()
        if forbidden:
            log.error(
                "listener %s is not opened: it would let everybody on the network in, and ottla.allow.plaintext.listeners "
                "is false", place.name,
            )  # fmt: skip
        return forbidden

    def _may_expose(self) -> bool:
        return self._broker.config.boolean("ottla.allow.plaintext.listeners")

    async def _close_others(self, wanted: set[str]) -> None:
        for listener in tuple(self._broker.listeners):
            if listener.name not in wanted:
                self._broker.listeners.remove(listener)
                await listener.stop()
                log.info("listener %s is closed", listener.name)

    async def _open(self, place: Place, levels: Levels) -> None:
        broker = self._broker
        listener = None
        try:
            if place.security_protocol.startswith("SASL"):
                broker.credentials.load_pepper()
            listener = Listener(broker, place.name, place.host, place.port, place.security_protocol, levels)
            await listener.open()
            await listener.start()
        except (OSError, ConfigError, ValueError) as problem:
            log.error("listener %s cannot be opened: %s", place.name, problem)
            if listener is not None:
                await listener.stop()
        except asyncio.CancelledError:
            if listener is not None:
                await listener.stop()
            raise
        else:
            broker.listeners.append(listener)
            listener.configure(self._levels)  # they may have changed while it was opened
            log.info("listener %s is open on %s:%d", place.name, place.host, listener.port)

    def endpoints(self) -> list[tuple[str, str, int, int]]:
        """List name, host, port and protocol of what is open, as clients are told."""
        ports = {listener.name: listener.port for listener in self._broker.listeners}
        return [
            (x.name, x.host, x.port, SECURITY_PROTOCOLS[x.security_protocol])
            for x in self.config.advertised_listeners(ports)
            if x.name in ports
        ]


def _with(config: BrokerConfig, levels: Levels, *, advertised: bool = True) -> BrokerConfig:
    """Return the configuration with other listeners; raises `ConfigError`."""
    values = {**config.static, **{key: levels.text(key) or "" for key in (LISTENERS, PROTOCOLS)}}
    if not advertised:  # `check` has Kafka's words for what is wrong with those
        values.pop("advertised.listeners", None)
    return BrokerConfig(values)


def _check_texts(texts: list[str], everything: list[str], levels: Levels) -> None:
    pairs = (levels.text(PROTOCOLS) or "").split(",")
    protocols = {pair.partition(":")[0].strip().upper() for pair in pairs} | SECURITY_PROTOCOLS.keys()
    shown = f"[{', '.join(everything)}]"
    places = []
    for text in texts:
        match = _PLACE.fullmatch(text)
        if match is None:
            why = f"Error creating broker listeners from '{shown}': Unable to parse {text} to a broker endpoint"
            raise KafkaError(ErrorCode.INVALID_REQUEST, why)
        if match[1].upper() not in protocols:
            why = f"Error creating broker listeners from '{shown}': No security protocol defined for listener {match[1].upper()}"
            raise KafkaError(ErrorCode.INVALID_REQUEST, why)
        places.append((match[1].upper(), match[2]))
    for what, values in (("name", [name for name, _ in places]), ("port", [port for _, port in places if port != "0"])):
        if max(Counter(values).values(), default=0) > 1 and not _one_per_family(texts):
            why = f"requirement failed: Each listener must have a different {what}, listeners: {shown}"
            raise KafkaError(ErrorCode.INVALID_REQUEST, why)


def _one_per_family(texts: list[str]) -> bool:
    """Whether an IPv6 address may be why a name or port stands twice; `BrokerConfig` looks closer."""
    return any("[" in text for text in texts)


def _set(names: object) -> str:
    assert isinstance(names, (set, dict))
    return f"Set({', '.join(f'ListenerName({name})' for name in sorted(names))})"


def _invalid(why: str) -> KafkaError:
    text = f"Invalid value org.apache.kafka.common.config.ConfigException: {why} for configuration Invalid dynamic configuration"
    return KafkaError(ErrorCode.INVALID_REQUEST, text)
