"""The package itself."""

from __future__ import annotations

import subprocess
import sys

import ottla


def test_version_is_the_one_installed() -> None:
    major, minor, patch = ottla.__version__.split(".")
    assert all(part.isdigit() for part in (major, minor, patch))


def test_a_broker_loads_x509_and_http_only_when_they_are_needed() -> None:
    """They were a quarter of its idle memory."""
    program = "import sys, ottla.broker.server; print(*{'cryptography', 'jwt', 'urllib.request', 'http.client'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
