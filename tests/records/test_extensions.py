"""The hot modules: one list, two forms, and nobody is fooled about which one runs."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ottla import _cython, _extensions
from tests.support.requires import requires

ROOT = Path(__file__).resolve().parent.parent.parent
SHOW = "from ottla import _extensions as e; print(sorted(set(e.live().values())))"


def run(code: str, folder: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "OTTLA_NO_EXTENSIONS"}
    env = {**inherited, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    return subprocess.run([sys.executable, "-c", code], env=env, cwd=folder, capture_output=True, text=True, check=True)


def test_every_hot_module_is_listed() -> None:
    found = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "ottla").rglob("_*_cy.py")}
    assert found == set(_extensions.HOT_MODULES)


def test_the_shim_has_every_name_the_hot_modules_take_from_cython() -> None:
    taken = {
        node.attr
        for name in _extensions.HOT_MODULES
        for node in ast.walk(ast.parse(_extensions.source(name).read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "cython"
    }
    assert {name for name in taken if not hasattr(_cython, name)} == set()
    assert len(Path(_cython.__file__).read_text().splitlines()) < 80


@pytest.mark.slow
def test_the_environment_forbids_the_compiled_form() -> None:
    assert run(SHOW, OTTLA_NO_EXTENSIONS="1").stdout.strip() == "[False]"


@pytest.mark.slow
def test_the_source_runs_where_cython_is_not_installed() -> None:
    without = "import sys; sys.modules['cython'] = None; "
    assert run(without + SHOW, OTTLA_NO_EXTENSIONS="1").stdout.strip() == "[False]"


@pytest.mark.slow
def test_a_source_newer_than_its_compiled_form_runs_instead_of_it_and_says_so(tmp_path: Path) -> None:
    if None in map(_extensions.compiled_file, _extensions.HOT_MODULES):
        pytest.skip("the hot modules are not compiled here: python setup.py build_ext --inplace")
    for name in ["setup.py", "ottla/__init__.py", "ottla/_cython.py", "ottla/_extensions.py"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for room in ("records", "protocol", "log", "client"):
        shutil.copytree(ROOT / "ottla" / room, tmp_path / "ottla" / room, ignore=shutil.ignore_patterns("__pycache__"))
    files = [tmp_path / _extensions.source(name).relative_to(ROOT) for name in _extensions.HOT_MODULES]
    for file in files:
        for compiled in file.parent.glob(f"{file.stem}.*.so"):
            os.utime(compiled, (2_000_000_000, 2_000_000_000))
        os.utime(file, (1_000_000_000, 1_000_000_000))
    fresh = run(SHOW, tmp_path)
    assert (fresh.stdout.strip(), fresh.stderr) == ("[True]", "")
    for file in files:
        os.utime(file, (2_000_000_001, 2_000_000_001))
    changed = run(SHOW, tmp_path)
    assert changed.stdout.strip() == "[False]"
    assert "newer than compiled" in changed.stderr
    (tmp_path / "setup.py").unlink()  # as in an installed wheel, where times mean nothing
    assert run(SHOW, tmp_path).stdout.strip() == "[True]"


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["cc", "/bin/false"])
def test_it_builds_with_and_without_a_compiler(tmp_path: Path, compiler: str) -> None:
    requires("gcc", "Cython", "setuptools")
    for name in ["setup.py", "pyproject.toml", "README.md", "LICENSE"]:
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, tmp_path / name)
    ignored = shutil.ignore_patterns("__pycache__", "*.so", "*_cy.c")
    shutil.copytree(ROOT / "ottla", tmp_path / "ottla", ignore=ignored)
    command = [sys.executable, "setup.py", "-q", "build", "--build-lib", "out"]
    flags = {"CC": compiler, "CFLAGS": "-O0"} if compiler == "/bin/false" else {"CFLAGS": "-O0"}
    subprocess.run(command, cwd=tmp_path, env={**os.environ, **flags}, check=True, capture_output=True)
    compiled = list((tmp_path / "out").rglob("*.so"))
    assert len(compiled) == (0 if compiler == "/bin/false" else len(_extensions.HOT_MODULES))
    shutil.copytree(tmp_path / "ottla", tmp_path / "out" / "ottla", dirs_exist_ok=True, ignore=ignored)
    assert run(SHOW, tmp_path / "out").stdout.strip() == f"[{bool(compiled)}]"
