"""The published examples run under the shims: some of kafka-python's README here, all by `python -m tests.compat.examples`.

The sdist of kafka-python holds its README; those of the two others hold no examples, so theirs want `--source`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.compat.examples.cases import LIBRARIES
from tests.compat.examples.running import shimmed
from tests.support.requires import requires

_CACHE = Path.home() / ".cache" / "ottla-tests" / "sdists"
_VERSION = "3.0.12"


def test_only_the_imports_are_changed() -> None:
    before = "import asyncio\nfrom kafka.errors import KafkaError\n    from confluent_kafka import Producer\nimport aiokafka\n# kafka\n"
    assert shimmed(before) == (
        "import asyncio\nfrom ottla.compat.kafka.errors import KafkaError\n"
        "    from ottla.compat.confluent_kafka import Producer\nfrom ottla.compat import aiokafka\n# kafka\n"
    )


def test_every_example_is_expected_to_say_something_or_to_end() -> None:
    for cases in LIBRARIES.values():
        for case in cases:
            assert case.expect or case.closing or case.skip or not case.endless or 0 not in case.codes, case.path


def source() -> Path:
    """kafka-python's sdist, unpacked."""
    folder = _CACHE / f"kafka_python-{_VERSION}"
    if not folder.exists():
        _CACHE.mkdir(parents=True, exist_ok=True)
        pip = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "--no-binary",
            ":all:",
        ]
        subprocess.run([*pip, f"kafka-python=={_VERSION}", "-d", str(_CACHE)], check=True)
        subprocess.run(["tar", "xzf", f"{folder}.tar.gz", "-C", str(_CACHE)], check=True)
    return folder


@pytest.mark.clients
def test_kafka_pythons_readme(tmp_path: Path) -> None:
    requires("kafka")
    (tmp_path / "kafka-python").symlink_to(source())
    command = [sys.executable, "-m", "tests.compat.examples", "--source", str(tmp_path)]
    done = subprocess.run(
        [*command, "--only", r"^kafka-python README.rst#(1$|2$|7,|14$)"], capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert "4 examples on ottla with the shim, 0 wrong" in done.stdout, done.stdout + done.stderr
