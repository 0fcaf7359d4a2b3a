"""aiokafka.abc: the base classes of a program's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from .consumer import ConsumerRebalanceListener

__all__ = ["AbstractTokenProvider", "ConsumerRebalanceListener"]


class AbstractTokenProvider(ABC):
    """Gives a token for each connection (`sasl_oauth_token_provider`)."""

    def __init__(self, **config: Any) -> None:
        self.config = config

    @abstractmethod
    async def token(self) -> str:
        """The token."""

    def extensions(self) -> dict[str, str]:
        """SASL extensions: none can be sent here."""
        return {}
