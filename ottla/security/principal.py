"""The name under which a client acts, once it has shown who it is (Kafka's KafkaPrincipal)."""

from __future__ import annotations

from typing import NamedTuple

USER = "User"


class Principal(NamedTuple):
    """Type and name; written `User:alice`. `by_token`: shown by a delegation token, which may not beget another."""

    type: str
    name: str
    by_token: bool = False

    def __str__(self) -> str:
        return f"{self.type}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> Principal:
        """Read `Type:name`; the name may contain colons. Raises ValueError if either is empty."""
        kind, colon, name = text.partition(":")
        if not colon or not kind or not name:
            raise ValueError(f"expected a principal like User:alice, not {text!r}")
        return cls(kind, name)


#: Who has not authenticated, on a listener that does not ask.
ANONYMOUS = Principal(USER, "ANONYMOUS")
