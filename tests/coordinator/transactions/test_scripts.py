"""The conversations in tests/scripts: each says what producers and coordinator tell one another."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.transaction_script import run_script

SCRIPTS = sorted((Path(__file__).parents[2] / "scripts").glob("txn_*.txt"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_conversation_goes_as_written(path: Path) -> None:
    written, happened = run_script(path)
    if os.environ.get("REWRITE_SCRIPTS"):
        path.write_text(happened)
    assert happened == written
