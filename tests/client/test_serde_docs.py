"""The examples of docs/serializers.md run, and every verb of the registry is on the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ottla.testing import Kafka
from tests.support.registry import SchemaRegistry

PAGE = Path(__file__).parents[2] / "docs" / "serializers.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_of_the_page_runs(kafka: Kafka, number: int) -> None:
    kafka.topic("orders", partitions=1)
    with SchemaRegistry() as registry:
        block = (
            EXAMPLES[number].replace("localhost:9092", kafka.bootstrap).replace("http://localhost:8081", registry.url)
        )
        exec(
            compile(block, f"docs/serializers.md, example {number + 1}", "exec", dont_inherit=True),
            {"__name__": "example"},
        )


def test_every_verb_is_described() -> None:
    from ottla.client.registry.blocking import Registry
    from ottla.client.registry.client import Registry as Asynchronous

    text = PAGE.read_text()
    verbs = [name for name in vars(Registry) if not name.startswith("_") and name not in {"close", "submit"}]
    assert [name for name in verbs if f"`{name}`" not in text] == []
    assert [name for name in verbs if not hasattr(Asynchronous, name)] == []
