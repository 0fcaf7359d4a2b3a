"""House rules that a program can judge, so that no reviewer has to (CONTRIBUTING.md)."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "ottla"
#: Rooms that decide and do not act; time comes in as `now_ms`, randomness as an argument.
PURE = [
    "protocol", "records", "coordinator", "controller", "metadata/image.py", "metadata/delta.py", "metadata/configs",
    "broker/quotas", "broker/telemetry", "client/consumer/assignors", "client/consumer/classic_group.py",
    "client/consumer/modern_group.py", "client/consumer/positions.py", "client/consumer/fetch_session.py",
    "client/consumer/steps.py",
]  # fmt: skip
#: Standard modules that touch the world, each with what it would let in.
IMPURE_MODULES = {
    "asyncio": "an event loop", "concurrent": "threads", "multiprocessing": "processes", "random": "chance",
    "secrets": "chance", "select": "sockets", "selectors": "sockets", "signal": "signals", "socket": "sockets",
    "ssl": "sockets", "subprocess": "processes", "threading": "threads", "time": "a clock", "uvloop": "an event loop",
}  # fmt: skip
#: Seventy lines of code, a signature and a docstring: what still fits on a screen.
FUNCTION_LINES_MAX = 75
FILE_LINES_MAX = 600
UNFINISHED = re.compile(r"\bTODO\b|\bFIXME\b|\bXXX\b|NotImplementedError|not implemented", re.IGNORECASE)
NO_TEST_SLEEPS = re.compile(r"\b(?:time|asyncio)\.sleep\(\s*[0-9.]*[1-9]")


@functools.cache
def sources(folder: Path) -> list[tuple[Path, str, ast.Module]]:
    found = []
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text()
        found.append((path, text, ast.parse(text, str(path))))
    return found


def place(path: Path, line: int = 0) -> str:
    return f"{path.relative_to(ROOT)}:{line}" if line else str(path.relative_to(ROOT))


def imported_modules(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0], node.lineno


@pytest.mark.parametrize("room", PURE)
def test_a_pure_room_reaches_no_clock_socket_thread_or_chance(room: str) -> None:
    found = []
    for path, _, tree in sources(PACKAGE):
        if not path.is_relative_to(PACKAGE / room):
            continue
        for module, line in imported_modules(tree):
            if module in IMPURE_MODULES:
                found.append(f"{place(path, line)} imports {module}: {IMPURE_MODULES[module]}")
        found += [
            f"{place(path, node.lineno)} is async"
            for node in ast.walk(tree)
            if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith)
        ]
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in {"urandom", "uuid4", "uuid1"}:
                found.append(f"{place(path, node.lineno)} reads chance")
    assert found == []


def test_functions_fit_on_a_screen() -> None:
    found = [
        f"{place(path, node.lineno)} {node.name}: {node.end_lineno - node.lineno + 1} lines"
        for path, _, tree in sources(PACKAGE)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert found == []


def test_files_have_one_subject() -> None:
    found = [f"{place(path)}: {text.count(chr(10))} lines" for path, text, _ in sources(PACKAGE)
             if text.count("\n") > FILE_LINES_MAX]  # fmt: skip
    assert found == []


def test_every_module_says_what_it_is_for() -> None:
    found = [place(path) for path, text, tree in sources(PACKAGE) if text.strip() and not ast.get_docstring(tree)]
    assert found == []


def test_nothing_is_left_for_later() -> None:
    """But for librdkafka's own words for an error."""
    found = [f"{place(path, number)} {line.strip()[:90]}" for path, text, _ in sources(PACKAGE)
             if path != PACKAGE / "compat" / "confluent_kafka" / "errors.py"
             for number, line in enumerate(text.splitlines(), 1) if UNFINISHED.search(line)]  # fmt: skip
    assert found == []


def test_no_exception_is_swallowed() -> None:
    """A handler that only passes, or that catches everything without a name, hides a fault."""
    found = []
    for path, _, tree in sources(PACKAGE):
        for node in ast.walk(tree):
            if not isinstance(node, ast.ExceptHandler):
                continue
            if node.type is None:
                found.append(f"{place(path, node.lineno)} bare except")
            if all(isinstance(statement, ast.Pass | ast.Continue) for statement in node.body):
                broad = isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}
                if broad or all(isinstance(statement, ast.Pass) for statement in node.body):
                    found.append(f"{place(path, node.lineno)} swallows an exception")
    assert found == []


def test_init_files_only_name_what_a_room_offers() -> None:
    """Code lives in a module with a name. (The table of API keys is protocol/apis' public face.)"""
    found = [
        f"{place(path, node.lineno)} {node.name}"
        for path, _, tree in sources(PACKAGE)
        if path.name == "__init__.py" and path.parent.name != "apis"
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name != "__getattr__"
    ]
    assert found == []


def test_no_test_waits_by_the_clock() -> None:
    """A test waits for something to happen; only the drivers of foreign processes poll, with a deadline."""
    found = [f"{place(path, number)} {line.strip()[:90]}" for path, text, _ in sources(ROOT / "tests")
             for number, line in enumerate(text.splitlines(), 1)
             if NO_TEST_SLEEPS.search(line) and path.name.startswith("test_")]  # fmt: skip
    assert found == []


def test_tests_lie_where_their_room_is() -> None:
    """tests/<room>/ mirrors ottla/<room>/: a stray folder is a room that was renamed or removed."""
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    others = {"support", "checker", "oracle", "golden", "clients", "bench", "differential", "fuzz", "hostile", "scripts", "crash", "java", "parity", "simulation",
              "suites", "ops", "__pycache__"}  # fmt: skip
    stray = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()} - rooms - others
    assert stray == set()
