"""The conversations in tests/scripts: each says what members and coordinator tell one another."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.consumer_script import run_consumer_script
from tests.support.group_script import run_script

FOLDER = Path(__file__).parents[2] / "scripts"
SCRIPTS = sorted([*FOLDER.glob("group_*.txt"), *FOLDER.glob("consumer_*.txt")])


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_conversation_goes_as_written(path: Path) -> None:
    run = run_consumer_script if path.stem.startswith("consumer_") else run_script
    written, happened = run(path)
    if os.environ.get("REWRITE_SCRIPTS"):
        path.write_text(happened)
    assert happened == written
