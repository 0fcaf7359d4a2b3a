"""Name what a test needs beside Python, and skip, or in CI fail, where it is missing.

    def test_dump(...):
        requires("java", "kcat")

On a developer's machine a missing component skips the test and says how to get it. With CI=true (set by
`.ci/run`, which installs everything) the same absence is a failure: a check that silently does not run proves
nothing. Works inside a test or fixture and at module level.
"""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest

#: Component -> (program on the path, how to get it on Debian).
PROGRAMS: dict[str, tuple[str, str]] = {
    "java": ("java", "apt install default-jdk-headless"),
    "javac": ("javac", "apt install default-jdk-headless"),
    "mvn": ("mvn", "apt install maven"),
    "kcat": ("kcat", "apt install kcat"),
    "go": ("go", "https://go.dev/dl"),
    "node": ("node", "apt install nodejs"),
    "npm": ("npm", "apt install npm"),
    "gcc": ("gcc", "apt install gcc"),
    "git": ("git", "apt install git"),
    "make": ("make", "apt install make"),
    "prometheus": ("prometheus", "apt install prometheus"),
    "promtool": ("promtool", "apt install prometheus"),
    "strace": ("strace", "apt install strace"),
}


def in_ci() -> bool:
    """Whether a missing component is a failure."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def have(name: str) -> bool:
    """Whether the component is here: a program of the table, or else an importable Python module."""
    if name in PROGRAMS:
        return shutil.which(PROGRAMS[name][0]) is not None
    return importlib.util.find_spec(name) is not None


def requires(*names: str) -> None:
    """Skip the running test (CI: fail it) unless every named component is here."""
    for name in names:
        if not have(name):
            hint = PROGRAMS[name][1] if name in PROGRAMS else "pip install -e '.[test]'"
            missing(f"needs {name}, which is not here: {hint}")


def missing(reason: str) -> None:
    """Something a test needs is not here: skip with `reason`, or fail in CI."""
    if in_ci():
        pytest.fail(f"CI=true and {reason}", pytrace=False)
    pytest.skip(reason, allow_module_level=True)
