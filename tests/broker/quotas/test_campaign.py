"""Quotas hold for real clients: a short form of `python -m tests.broker.quotas.campaign`, which takes a minute per kind.

Quotas here look back on three seconds and are watched for six, all kinds at once, each on a broker of its own: rates are
coarser than the 10 % of the campaign.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.requires import requires

from .campaign import KINDS, Result, measure

SECONDS = 6.0
SAMPLES = 3
TOLERANCE = 0.35


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    requires("confluent_kafka")
    kinds = [kind for kind in KINDS if kind != "produce-java"]
    with ThreadPoolExecutor(len(kinds)) as pool:
        return dict(zip(kinds, pool.map(lambda kind: measure(kind, SECONDS, samples=SAMPLES), kinds), strict=True))


@pytest.mark.slow
@pytest.mark.clients
@pytest.mark.parametrize("kind", ["produce", "mutation", "connection"])
def test_a_quota_holds(results: dict[str, Result], kind: str) -> None:
    assert results[kind].holds(TOLERANCE), str(results[kind])


@pytest.mark.slow
@pytest.mark.clients
@pytest.mark.parametrize("kind", ["consume", "request"])
def test_a_quota_is_not_exceeded(results: dict[str, Result], kind: str) -> None:
    """On a busy machine clients and the processor itself are slower than they may be."""
    result = results[kind]
    assert 0 < result.measured <= (1 + TOLERANCE) * result.quota, str(result)
    assert result.throttle_ms_max > 0
    assert result.disconnects == 0
