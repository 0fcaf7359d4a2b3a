"""Importing the client is cheap: nothing is loaded that was not asked for."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {
    "pyarrow",
    "pandas",
    "polars",
    "uvloop",
    "cryptography",
    "rich",
    "prometheus_client",
    "opentelemetry",
    "ottla.broker",
}


def loaded(statement: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_the_package_alone_loads_no_client() -> None:
    assert not [name for name in loaded("import ottla") if name.startswith(("ottla.client", "asyncio"))]


def test_the_producer_loads_nothing_heavy() -> None:
    assert loaded("from ottla import Config, Producer") & HEAVY == set()


def test_telemetry_and_tracing_are_loaded_by_who_uses_them() -> None:
    """A broker that takes no telemetry costs a client none of its modules; OpenTelemetry is asked for by name."""
    found = loaded("from ottla import Admin, Consumer, Producer")
    assert (
        found
        & {f"ottla.client.{name}" for name in ("tracing", "telemetry.otlp", "telemetry.session", "telemetry.metrics")}
        == set()
    )
    assert found & HEAVY == set()
