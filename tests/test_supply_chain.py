"""The lock files hold what pyproject.toml asks for, with hashes; and the audit tells what it did and did not find out."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LISTS = ("run", "dev", "kerberos")
_ENTRY = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)([^\\\n]*)\\?\n((?:    --hash=\S+(?: \\)?\n)*)", re.MULTILINE)


def locked(name: str) -> dict[str, tuple[str, int]]:
    """Read a lock file: name to version and number of hashes."""
    text = (ROOT / "locks" / f"{name}.txt").read_text()
    return {canonicalize_name(m[1]): (m[2], m[4].count("--hash=sha256:")) for m in _ENTRY.finditer(text)}


def wanted() -> dict[str, list[Requirement]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    run = project["dependencies"]
    dev = [row for extra in ("clients", "test", "dev") for row in extras[extra] if not row.startswith("ottla[")]
    return {
        "run": [Requirement(row) for row in run],
        "dev": [Requirement(row) for row in run + dev],
        "kerberos": [Requirement(row) for row in extras["kerberos"]],
    }


@pytest.mark.parametrize("name", LISTS)
def test_every_locked_file_has_a_hash(name):
    found = locked(name)
    assert found
    assert [package for package, (_, hashes) in found.items() if not hashes] == []


@pytest.mark.parametrize("name", LISTS)
def test_the_lock_holds_what_the_project_asks_for(name):
    found = locked(name)
    stale = [
        f"{requirement}: {found.get(canonicalize_name(requirement.name), ('nothing', 0))[0]} is locked"
        for requirement in wanted()[name]
        if canonicalize_name(requirement.name) not in found
        or not requirement.specifier.contains(found[canonicalize_name(requirement.name)][0], prereleases=True)
    ]
    assert stale == [], "run: make lock"


def test_users_and_contributors_get_the_same_versions():
    dev = locked("dev")
    assert {package: version for package, (version, _) in locked("run").items() if dev[package][0] != version} == {}


def test_what_is_known_to_be_vulnerable_is_not_asked_for():
    """PyJWT below 2.15 confuses keys and algorithms (CVE-2026-102268 and others)."""
    version = tuple(int(part) for part in locked("run")["pyjwt"][0].split(".")[:2])
    assert version >= (2, 15)


@pytest.fixture
def audit(monkeypatch):
    spec = importlib.util.spec_from_file_location("audit", ROOT / "tools" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(found, *arguments):
        monkeypatch.setattr(module, "ask", lambda lists: found)
        monkeypatch.setattr(module.sys, "argv", ["audit.py", *arguments])
        return module.main()

    return run


GOOD = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["3"]}]}
UNKNOWN = {"name": "c", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("found", "strict", "code", "says"),
    [
        ([GOOD], False, 0, "1 dependencies audited, 0 vulnerable, 0 unknown"),
        ([GOOD, UNKNOWN], False, 0, "1 unknown"),
        ([GOOD, UNKNOWN], True, 1, "1 unknown"),
        ([GOOD, BAD], False, 1, "b 2: PYSEC-1, CVE-1; fixed in 3"),
        ([UNKNOWN], False, 0, "NOT AUDITED"),
        ([UNKNOWN], True, 1, "NOT AUDITED"),
        (None, False, 0, "NOT AUDITED"),
        (None, True, 1, "NOT AUDITED"),
    ],
)
def test_the_audit_never_says_that_all_is_well_when_it_asked_nobody(audit, capsys, found, strict, code, says):
    assert audit(found, *["--strict"] * strict) == code
    assert says in capsys.readouterr().out
