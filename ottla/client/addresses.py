"""Reads addresses as users write them: `host:port`, `[::1]:9092`, `PLAINTEXT://host:port`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .errors import ConfigError
from .net import Address

_ADDRESS = re.compile(r"(?:[A-Za-z_]+://)?(?:\[([0-9A-Fa-f:.%]+)\]|([^\s:/]+)):([0-9]{1,5})")


def parse_addresses(texts: Iterable[str]) -> list[Address]:
    """Addresses in their order, without repetitions; `ConfigError` names one that is none."""
    found: dict[Address, None] = {}
    for text in texts:
        match = _ADDRESS.fullmatch(text.strip())
        if match is None or not 0 < int(match[3]) < 65536:
            raise ConfigError(f"bootstrap.servers: {text!r} is no address; expected is host:port")
        found[Address(match[1] or match[2], int(match[3]))] = None
    return list(found)
