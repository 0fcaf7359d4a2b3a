"""How a listener is secured: its protocol, the settings that hold for it alone, and what it makes of them.

    PLAINTEXT          nothing
    SSL                TLS; a client's certificate is its principal
    SASL_PLAINTEXT     SASL; a client's credentials are its principal
    SASL_SSL           SASL inside TLS

A setting that may differ by listener is looked for as `listener.name.<name>.<key>` at every level, then as `<key>`.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ..metadata.configs.broker import BROKER
from ..protocol.errors import ErrorCode, KafkaError
from ..security.tls import ServerTls, Stamp, check_replacement, file_stamp, server_tls
from ..security.tls_stores import Setting, StoreError

if TYPE_CHECKING:
    from ..metadata.configs.resolve import Levels
    from ..metadata.configs.values import Value


log = logging.getLogger("ottla.broker.listener")

#: How long before its end a certificate is spoken of.
ENDING_SOON = timedelta(days=14)


class ListenerSecurity:
    """The security of one listener. `configure` again when dynamic configs change."""

    def __init__(self, name: str, protocol: str, levels: Levels) -> None:
        self.name = name
        #: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
        self.protocol = protocol
        self.uses_tls = protocol in ("SSL", "SASL_SSL")
        self.uses_sasl = protocol in ("SASL_PLAINTEXT", "SASL_SSL")
        self.levels = levels
        #: What it serves TLS with; None where it does not, and before `start`.
        self.tls: ServerTls | None = None
        #: Files that could not be used, so that this is said once.
        self._refused: Stamp | None = None

    # ── TLS ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Read keys and certificates; raises `StoreError` if a TLS listener cannot be served with them."""
        if self.uses_tls:
            try:
                self.tls = server_tls(self.setting)
            except StoreError as problem:
                raise StoreError(f"listener {self.name}: {problem}") from None
            self.warn_if_ending(datetime.now(UTC))

    def warn_if_ending(self, now: datetime) -> None:
        """Say in the log that the certificate will soon be of no use, or is not any more."""
        if self.tls is not None:
            until = self.tls.keys.chain[0].not_valid_after_utc
            if until < now:
                log.warning("the certificate of listener %s has expired at %s: clients refuse it", self.name, until)
            elif until < now + ENDING_SOON:
                log.warning("the certificate of listener %s is valid until %s only", self.name, until)

    def configure(self, levels: Levels) -> None:
        """Take over dynamic configs. What they say about TLS was checked when it was set; if it fails now, the old stays."""
        changed = self.tls is not None and _tls_settings(self.setting) != _tls_settings(self._setting_in(levels))
        self.levels = levels
        if changed:
            self._reload()
        else:
            self.reload_if_changed()  # who sets the same location again wants the file read

    def reload_if_changed(self) -> None:
        """Look whether a file of keys or certificates changed, and take it over if it can be used."""
        if self.tls is not None:
            stamp = file_stamp(self.setting)
            if stamp not in (self.tls.stamp, self._refused):
                self._reload()

    def check(self, levels: Levels) -> None:
        """Raise `KafkaError` if this listener could not go on with these dynamic configs, as Kafka does."""
        if self.tls is not None and _tls_settings(self._setting_in(levels)) != _tls_settings(self.setting):
            try:
                self._replacement(self._setting_in(levels))
            except StoreError as problem:
                raise _invalid(
                    f"Validation of dynamic config update of SSLFactory failed: {problem.JAVA}: {problem}"
                ) from None

    def _reload(self) -> None:
        try:
            self.tls = self._replacement(self.setting)
        except StoreError as problem:
            self._refused = file_stamp(self.setting)
            log.error("listener %s goes on with its old certificate: the new one is refused: %s", self.name, problem)
        else:
            self._refused = None
            until = self.tls.keys.chain[0].not_valid_after_utc
            log.info("listener %s has a new certificate or truststore; it is valid until %s", self.name, until)
            self.warn_if_ending(datetime.now(UTC))

    def _replacement(self, setting: Setting) -> ServerTls:
        assert self.tls is not None
        new = server_tls(setting)
        check_replacement(
            self.tls, new, dn_may_change=setting("ssl.allow.dn.changes") == "true",
            san_may_change=setting("ssl.allow.san.changes") == "true",
        )  # fmt: skip
        return new

    def setting(self, name: str) -> str | None:
        """Return what is set for this listener, as `security.tls` asks for it."""
        return self.text(name)

    def _setting_in(self, levels: Levels) -> Setting:
        return ListenerSecurity(self.name, self.protocol, levels).text

    # ── settings ────────────────────────────────────────────────────────────────────────────────────────────────

    def text(self, name: str, mechanism: str | None = None) -> str | None:
        """Return what is set for this listener (and SASL mechanism), else for all, else the default; as a string."""
        for key in ([f"{mechanism.lower()}.{name}"] if mechanism else []) + [name]:
            own = self.levels.for_listener(self.name, key)
            if own is not None:
                return own
        return self.levels.text(name)

    def value(self, name: str, mechanism: str | None = None) -> Value:
        """Return the same, typed and checked."""
        return BROKER[name].parse(self.text(name, mechanism))

    def strings(self, name: str) -> list[str]:
        value = self.value(name)
        assert value is None or isinstance(value, list), name
        return value or []

    def integer(self, name: str) -> int:
        value = self.value(name)
        assert isinstance(value, int), name
        return value


def _invalid(why: str) -> KafkaError:
    """In the form that Kafka gives what a part of the broker says about a dynamic config."""
    text = f"Invalid value org.apache.kafka.common.config.ConfigException: {why} for configuration Invalid dynamic configuration"
    return KafkaError(ErrorCode.INVALID_REQUEST, text)


def _tls_settings(setting: Setting) -> list[str | None]:
    return [setting(name) for name in BROKER if name.startswith(("ssl.", "ottla.ssl."))]
