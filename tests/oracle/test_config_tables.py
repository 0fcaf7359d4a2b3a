"""Every row of our config tables is Apache Kafka 4.2.1's: names, types, defaults, bounds, importance, update modes, synonyms."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ottla.metadata.configs.broker import KAFKA
from ottla.metadata.configs.client_metrics import CLIENT_METRICS
from ottla.metadata.configs.dead_letters import LATER_THAN_4_2
from ottla.metadata.configs.definition import NO_DEFAULT, READ_ONLY, ConfigDefinition
from ottla.metadata.configs.group import GROUP
from ottla.metadata.configs.topic import SYNONYM_FACTORS, TOPIC
from tests.support import jars
from tests.support.requires import requires

pytestmark = [pytest.mark.java, pytest.mark.slow]

TABLES: Mapping[str, Mapping[str, ConfigDefinition]] = {
    "broker": KAFKA, "topic": TOPIC, "group": GROUP, "client_metrics": CLIENT_METRICS,
}  # fmt: skip


@pytest.fixture(scope="module")
def kafkas() -> Any:
    requires("java", "mvn")
    libs = jars.class_path(jars.jars("kafka", jars.KAFKA))
    program = Path(__file__).with_name("ConfigTables.java")
    made = subprocess.run(["java", "-cp", libs, str(program)], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout.splitlines()[-1])


def ours(row: ConfigDefinition) -> dict[str, Any]:
    return {
        "name": row.name, "type": row.type.name, "required": row.default is NO_DEFAULT, "default": row.default_string,
        "validator": None if row.validator is None else str(row.validator), "importance": row.importance, "internal": row.internal,
    }  # fmt: skip


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_kafkas(kafkas: Any, table: str) -> None:
    theirs = {row["name"]: row for row in kafkas[table]}
    mine = {name: ours(row) for name, row in TABLES[table].items() if name not in LATER_THAN_4_2}
    for row in [*theirs.values(), *mine.values()]:
        if row["validator"] is not None and row["validator"].startswith("(case insensitive)"):
            row["validator"] = "".join(sorted(row["validator"]))  # Java prints a hash set
    assert sorted(theirs) == sorted(mine)
    assert {name: (theirs[name], mine[name]) for name in theirs if theirs[name] != mine[name]} == {}


def test_update_modes_are_kafkas(kafkas: Any) -> None:
    assert {row.name: row.update_mode for row in KAFKA.values() if row.update_mode != READ_ONLY} == kafkas[
        "update_modes"
    ]


def test_topic_synonyms_are_kafkas(kafkas: Any) -> None:
    mine = {
        row.name: [[synonym, str(SYNONYM_FACTORS.get(synonym, 1))] for synonym in row.synonyms]
        for row in TOPIC.values()
        if row.synonyms
    }
    assert mine == kafkas["synonyms"]
