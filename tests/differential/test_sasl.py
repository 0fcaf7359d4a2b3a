"""Apache Kafka says in each SASL conversation what tests/golden/sasl.txt says, and what Ottla is tested against."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.support.sasl_talk import read_transcripts

from .sasl import GOLDEN, SaslKafka


@pytest.mark.java
@pytest.mark.slow
def test_the_golden_conversations_are_apache_kafkas(tmp_path: Path) -> None:
    kafka = SaslKafka(tmp_path / "kafka")
    with kafka.broker:
        found = asyncio.run(kafka.transcripts())
    assert found == read_transcripts(GOLDEN.read_text())
