"""The files of ops/ with a real Prometheus: it reads the broker, every query of the dashboard and every alert has an answer."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kafka_jvm import free_port
from tests.support.process import OttlaProcess
from tests.support.prometheus import Prometheus, prometheus
from tests.support.requires import requires
from tools import metrics
from tools.dashboard import TARGET, queries, text

OPS = Path(__file__).parent.parent.parent / "ops"
RULES = OPS / "prometheus-rules.yml"


def test_the_dashboard_is_what_its_table_says() -> None:
    assert TARGET.read_text() == text(), "run `python tools/dashboard.py`"


def test_the_page_is_what_the_table_of_metrics_says() -> None:
    assert metrics.TARGET.read_text() == metrics.text(), "run `make docs`"


def test_the_rules_are_well_formed() -> None:
    requires("promtool")
    subprocess.run(["promtool", "check", "rules", str(RULES)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """It reads a broker with a topic, records, and a group that is behind."""
    requires("prometheus", "kcat")
    folder = tmp_path_factory.mktemp("prometheus")
    served = free_port()
    with OttlaProcess(folder / "broker", "--set", f"ottla.metrics.listener={served}").wait_ready() as broker:
        kcat = ["kcat", "-b", broker.bootstrap]
        subprocess.run([*kcat, "-t", "t", "-P"], input=b"a\nb\nc\n", check=True)
        subprocess.run([*kcat, "-G", "g", "t", "-o", "beginning", "-c", "1"], check=True, capture_output=True)
        with prometheus(folder, f"127.0.0.1:{served}", RULES, "kafka_server_replicamanager_leadercount") as reading:
            yield reading


def test_every_query_of_the_dashboard_finds_something(running: Prometheus) -> None:
    silent = []
    for query in queries():
        query = query.replace('job=~"$job"', 'job="ottla"').replace("$__rate_interval", "5m")
        if not running.ask("query", query=query)["result"]:
            silent.append(query)
    assert silent == []


def test_every_alert_asks_for_what_is_there_and_none_fires(running: Prometheus) -> None:
    (group,) = running.ask("rules")["groups"]
    assert [rule["lastError"] for rule in group["rules"] if rule.get("lastError")] == []
    assert [rule["name"] for rule in group["rules"] if rule["state"] == "firing"] == []
    names = {name for rule in group["rules"] for name in re.findall(r"\b(?:kafka|ottla|process)_\w+", rule["query"])}
    known = set(running.ask("label/__name__/values"))
    assert names - known == set()
