"""Kafka's own command line tools print the same, whether they are pointed at Apache Kafka or at Ottla."""

from __future__ import annotations

from pathlib import Path

import pytest

from .test_kafka import new_kafka, new_ottla
from .tools import COMMANDS, compare, title

COMMANDS_MIN = 40


@pytest.mark.java
@pytest.mark.slow
def test_every_command_prints_what_it_prints_for_apache_kafka(tmp_path: Path) -> None:
    with new_kafka(tmp_path / "kafka") as kafka, new_ottla(tmp_path / "ottla") as ottla:
        ottla.wait_ready()
        outcomes = list(compare(kafka.bootstrap, ottla.bootstrap))
    found = {title(outcome.command): outcome.differences() for outcome in outcomes}
    assert {line: differing for line, differing in found.items() if differing} == {}
    worked = [outcome for outcome in outcomes if outcome.kafka.code == 0]
    assert len(worked) >= COMMANDS_MIN
    assert [command.line for command in COMMANDS if command.except_for and not command.why] == []
