"""How a listener is secured: its protocol, the settings that hold for it alone, and what it makes of them.

    PLAINTEXT          nothing
    SSL                TLS (tls_listener); a client's certificate is its principal
    SASL_PLAINTEXT     SASL (sasl_listener); a client's credentials are its principal
    SASL_SSL           SASL inside TLS

A setting that may differ by listener is looked for as `listener.name.<name>.<key>` at every level, then as `<key>`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..metadata.configs.broker import BROKER

if TYPE_CHECKING:
    from ..metadata.configs.resolve import Levels
    from ..metadata.configs.values import Value


class ListenerSecurity:
    """The security of one listener."""

    def __init__(self, name: str, protocol: str, levels: Levels) -> None:
        self.name = name
        #: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
        self.protocol = protocol
        self.uses_tls = protocol in ("SSL", "SASL_SSL")
        self.uses_sasl = protocol in ("SASL_PLAINTEXT", "SASL_SSL")
        #: Where settings are looked for; the newest of them when dynamic configs change.
        self.levels = levels

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
