"""The shell of delegation tokens: their settings, their HMACs, what verifies them, and who may ask about them.

The HMAC of a token is its password for SCRAM; the verifier is derived when the token first logs in (milliseconds: in a
thread, by who asks) and kept as long as the token lives.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..controller import delegation_tokens as rules
from ..controller.delegation_tokens import TokenSettings, hmac_of
from ..security.mechanisms import ScramCredential, TokenCredential, scram_keys
from ..security.principal import ANONYMOUS, Principal
from .chance import RANDOM

if TYPE_CHECKING:
    from ..protocol.stored.metadata import DelegationTokenRecord
    from .dispatch import Context
    from .server import Broker

log = logging.getLogger("ottla.broker.tokens")

SECRET, MAX_LIFETIME = "delegation.token.secret.key", "delegation.token.max.lifetime.ms"
EXPIRY, CHECK_INTERVAL = "delegation.token.expiry.time.ms", "delegation.token.expiry.check.interval.ms"
_UUID_VERSION, _UUID_VARIANT = 0x40, 0x80


class DelegationTokens:
    """The delegation tokens of the broker's image."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        config = broker.config
        secret = config.string(SECRET)
        self.settings = (
            TokenSettings(secret.encode(), config.integer(MAX_LIFETIME), config.integer(EXPIRY)) if secret else None
        )
        #: Those of the image that was last looked at.
        self._seen: Mapping[str, Any] = {}
        self._by_hmac: dict[bytes, str] = {}
        self._verifiers: dict[tuple[str, str], ScramCredential] = {}

    def find(self, hmac: bytes) -> DelegationTokenRecord | None:
        """Return the token with this HMAC."""
        token_id = self._index().get(bytes(hmac))
        found: Any = None if token_id is None else self._broker.image.delegation_tokens.get(token_id)
        return found  # type: ignore[no-any-return]

    def _index(self) -> dict[bytes, str]:
        current = self._broker.image.delegation_tokens
        if current is not self._seen and self.settings is not None:
            if current.keys() != self._seen.keys():
                known = {token_id: hmac for hmac, token_id in self._by_hmac.items()}
                secret = self.settings.secret
                self._by_hmac = {known.get(name) or hmac_of(secret, name): name for name in current}
                self._verifiers = {key: kept for key, kept in self._verifiers.items() if key[0] in current}
            self._seen = current
        return self._by_hmac

    def credential(self, token_id: str, mechanism: str) -> TokenCredential | None:
        """Return what verifies a token and when it ends. The first time this takes milliseconds; call it in a thread."""
        token: Any = self._broker.image.delegation_tokens.get(token_id)
        if token is None or self.settings is None:
            return None
        verifier = self._verifiers.get((token_id, mechanism))
        if verifier is None:
            password = base64.b64encode(hmac_of(self.settings.secret, token_id)).decode()
            salt, iterations = scram_keys.new_salt(RANDOM.randbytes), scram_keys.ITERATIONS_MIN
            salted = scram_keys.salted_password(mechanism, password, salt, iterations)
            verifier = scram_keys.credential_of(mechanism, salted, salt, iterations)
            self._verifiers[token_id, mechanism] = verifier
        ends_ms = min(token.expiration_timestamp, token.max_timestamp)
        return TokenCredential(Principal.parse(token.owner), verifier, ends_ms)

    async def sweep(self) -> None:
        """Remove the tokens that have ended."""
        clock, controller = self._broker.clock, self._broker.controller
        swept = 0
        while count := await controller.submit(lambda image: rules.sweep(image, clock.now_ms())):
            swept += count
        self._index()
        if swept:
            log.info("%d delegation tokens have ended and were removed", swept)


def may_ask(context: Context) -> bool:
    """Whether a client may ask about tokens: it has shown who it is, and not by a token, for tokens do not beget tokens."""
    name, principal = context.connection.listener_name, context.principal
    protocol = next(x.security.protocol for x in context.broker.listeners if x.name == name)
    if principal.by_token or protocol == "PLAINTEXT":
        return False
    return protocol != "SSL" or principal != ANONYMOUS


def new_token_id() -> str:
    """Make an id as Kafka does: a random UUID in base64, none that looks like an option of a command."""
    while True:
        raw = bytearray(RANDOM.randbytes(16))
        raw[6] = raw[6] & 0x0F | _UUID_VERSION
        raw[8] = raw[8] & 0x3F | _UUID_VARIANT
        text = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        if not text.startswith("-"):
            return text
