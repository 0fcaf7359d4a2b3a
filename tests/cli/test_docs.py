"""docs/cli.md: its examples run and print what the page says, and its tables are those of the commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ottla.testing import Kafka
from tools.cli import page

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
EXAMPLES = re.findall(r"^```console\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_tables_are_of_this_version() -> None:
    assert page(PAGE.read_text()) == PAGE.read_text(), "python tools/cli.py writes them"


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_prints_what_the_page_says(kafka: Kafka, tmp_path: Path, number: int) -> None:
    (tmp_path / "config.toml").write_text(f'default = "it"\n[profiles.it]\nbootstrap.servers = "{kafka.bootstrap}"\n')
    env = {
        **os.environ,
        "OTTLA_CONFIG": str(tmp_path / "config.toml"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    env.pop("OTTLA_PROFILE", None)
    for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", EXAMPLES[number], re.MULTILINE):
        done = subprocess.run(["bash", "-c", command], env=env, capture_output=True, text=True, check=False, timeout=60)
        pattern = "".join(".*" if line == "..." else re.escape(line) + "\n" for line in expected.splitlines())
        assert re.fullmatch(pattern, done.stdout, re.DOTALL), (command, done.stdout, done.stderr)
        assert (done.returncode, done.stderr) == (0, "")
