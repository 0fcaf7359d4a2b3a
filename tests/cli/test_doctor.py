"""`ottla doctor` looks and tells; it changes nothing."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from ottla import _extensions
from ottla.cli import doctor
from ottla.cli.main import main


def test_a_free_port_and_a_good_folder_are_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json", "--data-dir", str(tmp_path / "new"), "--listen", "127.0.0.1:0"]) == 0
    findings = {each["subject"]: each for each in json.loads(capsys.readouterr().out)}
    assert findings["data folder"]["seen"].endswith("(made at the first start)")
    assert findings["port 127.0.0.1:0"]["seen"] == "free"
    assert "ms (median" in findings["fsync of 4 KB"]["seen"]
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_a_problem_with_a_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        assert main(["doctor", "--data-dir", str(tmp_path), "--listen", f"127.0.0.1:{port}"]) == 1
    out = capsys.readouterr().out
    assert "taken by process" in " ".join(out.split())
    assert "ottla start" in out


def test_a_file_in_place_of_the_folder_is_a_problem(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("")
    (finding,) = doctor.disk(place)
    assert finding.verdict == doctor.BAD
    assert "is a file" in finding.seen


def test_a_stale_module_is_told_from_a_missing_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_extensions, "live", lambda: {"ottla.one": True, "ottla.old": False, "ottla.never": False})
    monkeypatch.setattr(_extensions, "forbidden", lambda: False)
    monkeypatch.setattr(_extensions, "stale", lambda: ["ottla.old"])
    found = {finding.subject: finding for finding in doctor.extensions()}
    assert found["ottla.one"].verdict == doctor.GOOD
    assert found["ottla.old"].seen == "plain Python: changed since it was compiled"
    assert found["ottla.old"].remedy == _extensions.BUILD_COMMAND
    assert found["ottla.never"].seen == "plain Python"
    assert "install a C compiler" in found["ottla.never"].remedy


def test_every_library_named_is_installed() -> None:
    assert [each for each in doctor.versions() if each.verdict == doctor.BAD] == []


def test_sizes_are_told_as_people_read_them() -> None:
    assert [doctor.size_text(n) for n in (0, 1023, 1536, 5 << 30)] == ["0.0 B", "1023.0 B", "1.5 KiB", "5.0 GiB"]
