"""A real Prometheus that reads one address each second and watches the rules of ops/."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.kafka_jvm import free_port

PATIENCE_S = 30.0


class Prometheus:
    """One that runs at `port`."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, path: str, **parameters: str) -> Any:
        """Call the HTTP API; returns its `data`."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def scrapes(self, metric: str) -> int:
        """How often it has read a metric."""
        try:
            found = self.ask("query", query=f"count_over_time({metric}[5m])")
        except OSError:
            return 0  # not up yet
        return int(found["result"][0]["value"][1]) if found["result"] else 0


@contextmanager
def prometheus(folder: Path, target: str, rules: Path, metric: str) -> Iterator[Prometheus]:
    """Run one; it has read `metric` twice, which a rate needs, when this yields."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [{"job_name": "ottla", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    running = Prometheus(free_port())
    command = [
        "prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{running.port}", "--log.level=error",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while running.scrapes(metric) < 2:
            if time.monotonic() > deadline:
                raise TimeoutError(f"Prometheus has not read {target} twice in {PATIENCE_S:.0f} s")
            time.sleep(0.1)
        yield running
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
