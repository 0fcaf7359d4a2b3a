"""What one listener with SASL offers: its mechanisms with their settings, and how its logins went.

    sasl.enabled.mechanisms       listener.name.<listener>.sasl.enabled.mechanisms
    sasl.jaas.config              listener.name.<listener>.<mechanism>.sasl.jaas.config, and nowhere else, as in Kafka
    any other setting             ….<listener>.<mechanism>.<key>, else ….<listener>.<key>, else <key>

A mechanism that lacks what it needs is no mechanism that lets everybody in: the broker does not start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ..security.jaas import for_mechanism
from ..security.mechanisms import MECHANISMS, Mechanism, SaslConfigError, ServerInputs
from .chance import RANDOM
from .config import ConfigError
from .listener_security import ListenerSecurity

if TYPE_CHECKING:
    from .config import BrokerConfig
    from .listener import Listener

log = logging.getLogger("ottla.broker.listener")


class Offer(NamedTuple):
    """One mechanism of a listener, ready for use."""

    mechanism: Mechanism
    jaas: Mapping[str, str]
    prepared: Any
    #: How long a session lasts, 0 for ever (`connections.max.reauth.ms`).
    reauth_ms: int


@dataclass(slots=True)
class AuthenticationCounts:
    """How the logins of one listener went since the start; names are those of Kafka's metrics."""

    successes: int = 0
    failures: int = 0
    reauthentications: int = 0
    failed_reauthentications: int = 0
    #: Successes of clients that will not authenticate again (SaslAuthenticate v0, or none).
    without_reauthentication: int = 0
    #: Connections closed because their session had ended.
    expired: int = 0
    reauthentication_seconds: float = 0.0
    reauthentication_seconds_max: float = 0.0


def offers(security: ListenerSecurity) -> dict[str, Offer]:
    """Make what the settings of a listener promise; raises `ConfigError`."""
    names = security.strings("sasl.enabled.mechanisms")
    if not names:
        raise ConfigError(f"listener {security.name}: sasl.enabled.mechanisms is empty, so that nobody could log in")
    return {name: _offer(security, name) for name in names}


def check_sasl(config: BrokerConfig) -> None:
    """Find out before anything is touched whether the listeners with SASL can work; raises `ConfigError`."""
    for listener in config.listeners:
        security = ListenerSecurity(listener.name, listener.security_protocol, config.levels)
        if security.uses_sasl:
            offers(security)


def _offer(security: ListenerSecurity, name: str) -> Offer:
    mechanism = MECHANISMS.get(name)
    if mechanism is None:
        raise ConfigError(
            f"listener {security.name}: sasl.enabled.mechanisms names {name!r}, which is none of {', '.join(MECHANISMS)}"
        )
    key = f"listener.name.{security.name.lower()}.{name.lower()}.sasl.jaas.config"
    text = security.levels.for_listener(security.name, f"{name.lower()}.sasl.jaas.config")
    try:
        jaas = None if text is None else for_mechanism(text, name)
        prepared = mechanism.prepare(jaas, partial(security.value, mechanism=name))
    except SaslConfigError as problem:
        raise ConfigError(f"{key}: {problem}") from None
    reauth_ms = security.value("connections.max.reauth.ms", name)
    assert isinstance(reauth_ms, int)
    return Offer(mechanism, jaas or {}, prepared, reauth_ms)


def _settings(security: ListenerSecurity) -> dict[str, str]:
    """Collect what is set about SASL, to see whether it changed."""
    prefix = f"listener.name.{security.name.lower()}."
    found: dict[str, str] = {}
    for values, _ in reversed(security.levels.sources()):
        found |= {k: v for k, v in values.items() if k.startswith((prefix, "sasl.", "connections.max.reauth"))}
    return found


class SaslListener:
    """The SASL side of a listener."""

    def __init__(self, listener: Listener) -> None:
        security = listener.security
        self.broker = listener.broker
        self._tasks = listener.tasks
        self.name = security.name
        self._security = security
        self.counts = listener.authentications
        self.log_closing = listener.log_closing
        self._settings = _settings(security)
        self.offers = offers(security)
        self.failure_delay_s = security.integer("connection.failed.authentication.delay.ms") / 1000

    def configure(self) -> None:
        """Take over changed settings; if they cannot be used, those before stay."""
        settings = _settings(self._security)
        if settings == self._settings:
            return
        self._settings = settings
        try:
            changed = offers(self._security)
            self.broker.key_sets.follow(changed.values())
            self.offers = changed
        except ConfigError as problem:
            log.error("the SASL settings of listener %s stay as they were: %s", self.name, problem)

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run what waits for a thread; the listener's stop ends it."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def inputs(self, offer: Offer) -> ServerInputs:
        """Collect what a new exchange of a mechanism may ask for."""
        credentials = self.broker.credentials
        return ServerInputs(
            mechanism=offer.mechanism.name,
            now_ms=self.broker.clock.now_ms(),
            random=RANDOM.randbytes,
            jaas=offer.jaas,
            credential=credentials.scram,
            token=credentials.token,
            likely_iterations=credentials.likely_iterations,
            decoy=credentials.decoy,
            prepared=offer.prepared,
            pepper=credentials.pepper,
        )
