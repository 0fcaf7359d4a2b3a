"""A few seconds of the campaign; all of it is `python -m tests.checker --transactions 100000`."""

from __future__ import annotations

from pathlib import Path

import pytest

from .campaign import campaign


@pytest.mark.slow
@pytest.mark.clients
def test_transactions_hold_under_kills_and_pauses_of_broker_and_clients(tmp_path: Path) -> None:
    report = campaign(tmp_path, transactions=400, seed=4, calm=(0.2, 0.7), pauses=(0.2, 0.8), disturbances=4)
    assert report.findings == [], report
    assert report.outcomes["committed"] > 100, report
