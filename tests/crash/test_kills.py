"""kill -9 at any moment: what was acked is there once, in order; offsets, topics and configs are what they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.requires import requires

KILLS = 15


@pytest.mark.slow
def test_nothing_that_was_promised_is_lost(tmp_path: Path) -> None:
    requires("confluent_kafka")
    from .kills import kill_again_and_again

    report = kill_again_and_again(tmp_path, kills=KILLS, seed=4711)
    print(report)
    assert report.acked > 1000
    assert report.commits > 50
    assert report.topics > 20
