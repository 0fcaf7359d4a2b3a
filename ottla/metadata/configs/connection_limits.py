"""How many connections an address may hold, read out of configs in one place: what was checked is what is applied.

max.connections.per.ip             for every address
max.connections.per.ip.overrides   host:count, host:count: for some of them
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ...protocol.errors import ErrorCode, KafkaError
from .resolve import Levels

#: What Kafka takes for a host, an address or a pattern of these.
_HOST = re.compile(r"[0-9a-zA-Z\-%._:]*")


class AddressLimits(NamedTuple):
    """Connections that one address may hold."""

    per_ip: int
    #: Host as it is written -> its own limit.
    by_host: Mapping[str, int]


def address_limits(levels: Levels) -> AddressLimits:
    """Read the limits of addresses; raises `KafkaError(INVALID_REQUEST)` in Kafka's words."""
    key = "max.connections.per.ip.overrides"
    found: dict[str, int] = {}
    text = (levels.text(key) or "").strip().rstrip(",")
    for pair in re.split(r"\s*,\s*", text) if text else ():
        host, colon, count = pair.rpartition(":")
        if not colon:
            why = f"Error parsing configuration property '{key}': begin 0, end -1, length {len(pair)}"
            raise KafkaError(ErrorCode.INVALID_REQUEST, why)
        try:
            found[host.strip()] = int(count)
        except ValueError:
            raise KafkaError(ErrorCode.INVALID_REQUEST, f'For input string: "{count.strip()}"') from None
    per_ip = levels.integer("max.connections.per.ip")
    if per_ip == 0 and not found:
        why = f"max.connections.per.ip can be set to zero only if {key} property is set."
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"requirement failed: {why}")
    strange = [host for host in found if not _HOST.fullmatch(host)]
    if strange:
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"{key} contains invalid addresses : {','.join(strange)}")
    return AddressLimits(per_ip, found)
