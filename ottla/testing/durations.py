"""Times as tests write them: "2s", "500ms", "1m", "7d", or a number of seconds."""

from __future__ import annotations

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PATTERN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")


def seconds(duration: str | float) -> float:
    """The duration in seconds."""
    if not isinstance(duration, str):
        return float(duration)
    match = _PATTERN.fullmatch(duration.strip())
    if match is None:
        raise ValueError(f'{duration!r} is no duration: write "500ms", "2s", "1m", "1h", "7d", or seconds as a number')
    return float(match[1]) * _SECONDS[match[2]]
