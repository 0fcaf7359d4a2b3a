"""The documentation is true: links lead somewhere, examples run, and everything a user can name is described."""

from __future__ import annotations

import argparse
import functools
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from ottla.broker.dispatch import load_handlers
from ottla.cli.main import COMMANDS, parser
from ottla.metadata.configs.broker import BROKER
from ottla.metadata.configs.topic import TOPIC
from ottla.testing import Kafka
from ottla.testing.__main__ import Commands
from tests.support.requires import requires

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(
    [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "bench").glob("*.md"), *(ROOT / "changelog.d").glob("*.md")]
)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text))


def code_blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text()), re.MULTILINE):
        plain = unicodedata.normalize("NFC", heading.replace("`", "").lower())
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in _LINK.findall(without_code(page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    todo = [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        targets = ((page.parent / link.partition("#")[0]).resolve() for link in _LINK.findall(page.read_text()))
        for target in targets:
            todo += sorted(target.glob("*.md")) if target.is_dir() else [target] if target.exists() else []
    assert sorted(str(page.relative_to(ROOT)) for page in set(PAGES) - seen) == []


def test_every_command_and_flag_is_described() -> None:
    text = (DOCS / "cli.md").read_text()

    def missing(level: argparse.ArgumentParser) -> list[str]:
        found = []
        for action in level._actions:
            if isinstance(action, argparse._SubParsersAction):
                for choice in action.choices.values():
                    found += [] if f"`{choice.prog}" in text else [choice.prog]
                    found += missing(choice)
            else:
                found += [
                    flag
                    for flag in action.option_strings
                    if flag.startswith("--") and f"`{flag}" not in text and flag != "--help"
                ]
        return found

    assert missing(parser()) == []
    assert set(COMMANDS) <= set(re.findall(r"`ottla (\w+)", text))


def test_every_advertised_api_is_described_with_its_versions() -> None:
    rows = re.findall(r"^\| (\d+) \| (\w+) \| ([\d-]+) \|", (DOCS / "apis.md").read_text(), re.MULTILINE)
    served = [(str(entry.key), entry.name, str(entry.versions)) for entry in load_handlers().values()]
    assert rows == served, "docs/apis.md is made by: python tools/apis.py"


def test_every_config_is_described() -> None:
    text = (DOCS / "configuration.md").read_text()
    told = [row.name for table in (BROKER, TOPIC) for row in table.values() if not row.internal]
    assert [name for name in told if f"`{name}`" not in text] == []


def test_every_command_of_the_testing_process_is_described() -> None:
    text = (DOCS / "testing.md").read_text()
    assert [name for name in Commands.names() if f"`{name}`" not in text] == []


def test_every_public_method_of_the_fixture_is_described() -> None:
    text = (DOCS / "testing.md").read_text()
    public = [name for name in vars(Kafka) if not name.startswith("_")]
    internal = {"close", "running"}
    assert [name for name in public if name not in internal and f"kafka.{name}" not in text] == []


@pytest.mark.slow
@pytest.mark.clients
def test_the_examples_of_the_testing_page_run(tmp_path: Path) -> None:
    requires("confluent_kafka", "aiokafka")
    for number, block in enumerate(code_blocks(DOCS / "testing.md", "python"), 1):
        (tmp_path / f"test_example_{number}.py").write_text(block)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers -q\nasyncio_mode = auto\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b[1-9]\d* passed", done.stdout), "the page has examples, and they are tests"


@pytest.mark.slow
@pytest.mark.clients
def test_the_python_example_of_the_readme_runs(kafka: Kafka, capsys: pytest.CaptureFixture[str]) -> None:
    requires("confluent_kafka")
    (block,) = code_blocks(ROOT / "README.md", "python")
    assert "127.0.0.1:9092" in block
    exec(compile(block.replace("127.0.0.1:9092", kafka.bootstrap), "README.md", "exec"), {})
    assert "hello" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.clients
def test_the_kcat_example_of_the_readme_runs(kafka: Kafka) -> None:
    requires("kcat")
    (block,) = (block for block in code_blocks(ROOT / "README.md", "sh") if "kcat -" in block)
    script = block.replace("127.0.0.1:9092", kafka.bootstrap)
    done = subprocess.run(["timeout", "30", "bash", "-euc", script], capture_output=True, text=True, check=True)
    assert done.stdout == "hello\n"


def test_the_first_commands_of_the_readme_run(kafka: Kafka) -> None:
    (block,) = (block for block in code_blocks(ROOT / "README.md", "sh") if "ottla produce" in block)
    script = block.replace("ottla ", f"{sys.executable} -m ottla ").replace(" orders", f" orders -b {kafka.bootstrap}")
    done = subprocess.run(["timeout", "30", "bash", "-euc", script], capture_output=True, text=True, check=True)
    assert done.stdout == block.splitlines()[1].partition("# ")[2] + "\n"


@functools.cache
def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_spoken_of_exists(page: Path) -> None:
    named = set(re.findall(r"(?:`|^\s{4}|^)make ([a-z][a-z-]*)\b", page.read_text(), re.MULTILINE))
    assert named <= make_targets()
