"""Host names to addresses, without keeping the event loop waiting."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable


def is_address(name: str) -> bool:
    """Tell whether a name is an address already."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def resolve(names: Iterable[str]) -> dict[str, str]:
    """Return the address of each name that has one; an address is its own."""
    known: dict[str, str] = {}
    for name in names:
        if is_address(name):
            known[name] = name
            continue
        try:
            found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            continue
        known[name] = str(found[0][4][0])
    return known
