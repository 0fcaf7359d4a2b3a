"""A few seconds of the campaign in `transactions`: no transaction is torn, lost or resurrected by kill -9."""

from __future__ import annotations

from pathlib import Path

import pytest

from .transactions import campaign


@pytest.mark.slow
async def test_no_transaction_is_torn_by_a_kill(tmp_path: Path) -> None:
    heard, findings = await campaign(tmp_path / "data", 6.0, seed=1)
    assert findings == []
    assert heard.kills >= 3
    assert heard.committed
