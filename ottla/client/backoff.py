"""How long to wait before the next try: exponential with jitter (KIP-144, KIP-580). Pure: chance comes in as an argument."""

from __future__ import annotations

JITTER = 0.2


def backoff_ms(attempt: int, first_ms: int, longest_ms: int, chance: float) -> float:
    """The wait before try `attempt` + 1, where `attempt` counts failures from 1; `chance` is from 0 to 1."""
    if attempt <= 0 or first_ms <= 0:
        return 0.0
    plain = first_ms * 2.0 ** min(attempt - 1, 30)
    spread = plain * (1 - JITTER + 2 * JITTER * chance)
    return min(spread, float(max(longest_ms, first_ms)))
