"""A short run of the campaign; the long one is `python -m tests.client.campaign`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client import campaign


@pytest.mark.slow
async def test_nothing_is_lost_doubled_or_disordered_through_a_bad_network(tmp_path: Path) -> None:
    result, problems = await campaign.run(60_000, 7, 200, tmp_path, kill_share=0.0)
    assert problems == []
    assert result.records == 60_000
