"""The examples of docs/client.md run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ottla.testing import Kafka

PAGE = Path(__file__).parents[2] / "docs" / "client.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_of_the_client_page_runs(kafka: Kafka, number: int) -> None:
    kafka.topic("orders", partitions=1)
    block = EXAMPLES[number].replace("localhost:9092", kafka.bootstrap)
    exec(compile(block, f"docs/client.md, example {number + 1}", "exec"), {"__name__": "example"})


def test_every_public_name_of_the_producer_is_described() -> None:
    from ottla import Producer

    text = PAGE.read_text()
    public = [name for name in vars(Producer) if not name.startswith("_") and name not in {"start"}]
    assert [name for name in public if name not in text] == []


def test_every_public_name_of_consumer_and_admin_is_described() -> None:
    from ottla import Admin, Consumer
    from ottla.client.admin.admin import ROOMS

    text = PAGE.read_text()
    names = [name for kind in Consumer.__mro__[:2] for name in vars(kind) if not name.startswith("_")]
    hidden = {"start", "close", "wait_s", "group", "config", "cluster", "positions"}
    assert [name for name in names if name not in text and name not in hidden] == []
    admin = Admin("localhost:1")
    verbs = [verb for room in ROOMS for verb in dir(getattr(admin, room)) if not verb.startswith("_")]
    assert [verb for verb in verbs if f"`{verb}`" not in text] == []
