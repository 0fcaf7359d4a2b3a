"""kafka.net.sasl.oauth: the base class of what gives tokens (`sasl_oauth_token_provider`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class AbstractTokenProvider(ABC):
    """Gives a token for each connection; it keeps it for as long as it serves."""

    def __init__(self, **config: Any) -> None:
        self.config = config

    @abstractmethod
    def token(self) -> str:
        """The token."""

    def extensions(self) -> dict[str, str]:
        """SASL extensions: none can be sent here."""
        return {}
