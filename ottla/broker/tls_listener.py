"""What one listener serves TLS with, how long that is valid, and what takes its place.

Only a broker that has such a listener loads this module, and with it X.509: a tenth of a second, and 8 MB.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ..metadata.configs.broker import BROKER
from ..protocol.errors import ErrorCode, KafkaError
from ..security.tls import ServerTls, Stamp, check_replacement, file_stamp, server_tls
from ..security.tls_stores import Setting, StoreError
from .listener_security import ListenerSecurity

if TYPE_CHECKING:
    from ..metadata.configs.resolve import Levels

log = logging.getLogger("ottla.broker.listener")

#: How long before its end a certificate is spoken of.
ENDING_SOON = timedelta(days=14)


class TlsListener:
    """The TLS of one listener. `configure` again when dynamic configs change."""

    def __init__(self, security: ListenerSecurity) -> None:
        self._security = security
        self._settings = _tls_settings(security.text)
        #: What it serves with; None before `start`.
        self.server: ServerTls | None = None
        #: Files that could not be used, so that this is said once.
        self._refused: Stamp | None = None

    def start(self) -> None:
        """Read keys and certificates; raises `StoreError` if the listener cannot be served with them."""
        try:
            self.server = server_tls(self._security.text)
        except StoreError as problem:
            raise StoreError(f"listener {self._security.name}: {problem}") from None
        self.warn_if_ending(datetime.now(UTC))

    def warn_if_ending(self, now: datetime) -> None:
        """Say in the log that the certificate will soon be of no use, or is not any more."""
        if self.server is not None:
            name, until = self._security.name, self.server.keys.chain[0].not_valid_after_utc
            if until < now:
                log.warning("the certificate of listener %s has expired at %s: clients refuse it", name, until)
            elif until < now + ENDING_SOON:
                log.warning("the certificate of listener %s is valid until %s only", name, until)

    def configure(self) -> None:
        """Take over dynamic configs. What they say about TLS was checked when it was set; if it fails now, the old stays."""
        before, self._settings = self._settings, _tls_settings(self._security.text)
        if self.server is not None and self._settings != before:
            self._reload()
        else:
            self.reload_if_changed()  # who sets the same location again wants the file read

    def reload_if_changed(self) -> None:
        """Look whether a file of keys or certificates changed, and take it over if it can be used."""
        if self.server is not None:
            stamp = file_stamp(self._security.text)
            if stamp not in (self.server.stamp, self._refused):
                self._reload()

    def check(self, levels: Levels) -> None:
        """Raise `KafkaError` if this listener could not go on with these dynamic configs, as Kafka does."""
        setting = ListenerSecurity(self._security.name, self._security.protocol, levels).text
        if self.server is not None and _tls_settings(setting) != self._settings:
            try:
                _replacement(self.server, setting)
            except StoreError as problem:
                raise _invalid(
                    f"Validation of dynamic config update of SSLFactory failed: {problem.JAVA}: {problem}"
                ) from None

    def _reload(self) -> None:
        assert self.server is not None
        name, setting = self._security.name, self._security.text
        try:
            self.server = _replacement(self.server, setting)
        except StoreError as problem:
            self._refused = file_stamp(setting)
            log.error("listener %s goes on with its old certificate: the new one is refused: %s", name, problem)
        else:
            self._refused = None
            until = self.server.keys.chain[0].not_valid_after_utc
            log.info("listener %s has a new certificate or truststore; it is valid until %s", name, until)
            self.warn_if_ending(datetime.now(UTC))


def _replacement(old: ServerTls, setting: Setting) -> ServerTls:
    new = server_tls(setting)
    check_replacement(
        old, new, dn_may_change=setting("ssl.allow.dn.changes") == "true",
        san_may_change=setting("ssl.allow.san.changes") == "true",
    )  # fmt: skip
    return new


def _invalid(why: str) -> KafkaError:
    """In the form that Kafka gives what a part of the broker says about a dynamic config."""
    text = f"Invalid value org.apache.kafka.common.config.ConfigException: {why} for configuration Invalid dynamic configuration"
    return KafkaError(ErrorCode.INVALID_REQUEST, text)


def _tls_settings(setting: Setting) -> list[str | None]:
    return [setting(name) for name in BROKER if name.startswith(("ssl.", "ottla.ssl."))]
