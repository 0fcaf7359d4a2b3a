"""Client-metrics configs: which metrics which clients are asked to push (KIP-714)."""

from __future__ import annotations

from .definition import MEDIUM, define, table
from .validators import list_of
from .values import INT, LIST

CLIENT_METRICS = table([
    define("metrics", LIST, (), list_of(), MEDIUM,
        "Prefixes of the metric names that clients push; * asks for all of them."),
    define("interval.ms", INT, 300000, None, MEDIUM,
        "How often clients push their metrics."),
    define("match", LIST, (), list_of(), MEDIUM,
        "Patterns (client_id=…, client_software_name=…) that a client must fit to be asked."),
])  # fmt: skip
