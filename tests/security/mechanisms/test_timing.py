"""Time does not tell who exists, nor how much of a password was right (campaign: timing.py, 100,000 samples)."""

from __future__ import annotations

import pytest

from .timing import T_MAX, Pair, all_pairs, measure


@pytest.mark.slow
def test_no_pair_of_logins_can_be_told_apart() -> None:
    assert {pair.name: t for pair, t in all_pairs(20_000, 100) if abs(t) >= T_MAX} == {}


def test_a_difference_of_a_microsecond_would_be_noticed() -> None:
    from .timing import first

    pair = Pair("made", lambda: first("user0100"), lambda: first("user0100") + 1000)
    assert abs(measure(pair, 2000)) > T_MAX
