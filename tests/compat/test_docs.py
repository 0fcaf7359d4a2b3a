"""The examples of docs/coming-from.md run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ottla.testing import Kafka

PAGE = Path(__file__).parents[2] / "docs" / "coming-from.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_runs(kafka: Kafka, number: int, capsys: pytest.CaptureFixture[str]) -> None:
    kafka.topic("orders", partitions=1)
    block = EXAMPLES[number].replace("localhost:9092", kafka.bootstrap)
    exec(compile(block, f"docs/coming-from.md, example {number + 1}", "exec"), {"__name__": "example"})
    assert "a book" in capsys.readouterr().out
