"""Each trouble of a start names its cause and a next step."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from ottla.cli import ports
from ottla.cli import trouble as troubles
from ottla.cli.main import main
from ottla.cli.trouble import explain
from ottla.log.errors import KafkaStorageError, LockedError
from ottla.metadata.log import MetadataLogError
from ottla.security.tls_stores import StoreError

FOLDER = Path("/data/ottla")


def trouble(error: BaseException) -> str:
    found = explain(error, FOLDER, "127.0.0.1", 9092)
    assert found is not None
    assert found.exit_code != 0
    return str(found)


def os_error(number: int, filename: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), filename) if filename else OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("error", "cause", "next_step"),
    [
        (os_error(errno.EADDRINUSE), "the port is taken by", "--listen 127.0.0.1:9093"),
        (os_error(errno.EACCES), "ports below 1024 belong to root", "9092"),
        (os_error(errno.EADDRNOTAVAIL), "this machine has no address 127.0.0.1", "0.0.0.0"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known", "--listen"),
        (os_error(errno.EACCES, "/data/ottla/x"), "cannot write to /data/ottla/x: permission denied", "--data-dir"),
        (os_error(errno.EROFS, "/data/ottla"), "the file system is read-only", "--data-dir"),
        (os_error(errno.ENOSPC), "no space left for the data folder /data/ottla", "free some space"),
        (os_error(errno.EIO), "I/O error", "dmesg"),
        (
            StoreError("listener SSL: there is no key for TLS"),
            "listener SSL: there is no key for TLS",
            "ottla secure init",
        ),
        (os_error(errno.EFBIG), "may not grow any further", "ulimit -f"),
        (os_error(errno.EMFILE), "too many open files", "ulimit -n"),
        (os_error(errno.ENOTDIR, "/data"), "/data is a file, not a folder", "--data-dir"),
        (LockedError("/data/ottla/.lock", 4711), "process 4711 has locked it", "--data-dir"),
        (LockedError("/data/ottla/.lock", None), "another process has locked it", "--data-dir"),
    ],
)
def test_trouble_names_cause_and_next_step(error: BaseException, cause: str, next_step: str) -> None:
    text = trouble(error)
    assert cause in text.splitlines()[0]
    assert next_step in text.splitlines()[1]


def test_the_cause_behind_a_storage_error_is_told() -> None:
    error = KafkaStorageError("log directory failed")
    error.__cause__ = os_error(errno.ENOSPC)
    assert "no space left" in trouble(error)


def test_a_bug_keeps_its_traceback() -> None:
    assert explain(AssertionError("impossible"), FOLDER, "127.0.0.1", 9092) is None


def test_the_process_that_holds_a_port_is_named() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        assert str(os.getpid()) in str(ports.owner_of(listening.getsockname()[1]))


def test_a_file_that_cannot_be_read_is_no_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    link = tmp_path / "00000000000000000000.log"
    link.symlink_to(link)  # a loop: an error of the system that root meets, too
    assert main(["log", "dump", str(link)]) == 1
    assert "cannot read" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "dump", str(tmp_path / "nothing")]) == 2
    assert "there is no file" in capsys.readouterr().err


def test_a_full_disk_is_named_where_sqlite_says_io_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(troubles, "FREE_BYTES_MIN", 1 << 62)
    found = explain(MetadataLogError("disk I/O error"), tmp_path / "not" / "yet", "127.0.0.1", 9092)
    assert found is not None
    assert "no space left" in found.cause


def test_the_folder_to_own_is_one_that_is_there(tmp_path: Path) -> None:
    denied = PermissionError(errno.EACCES, "denied", str(tmp_path / "a" / "b"))
    found = explain(denied, tmp_path / "a" / "b", "127.0.0.1", 9092)
    assert found is not None
    assert f"chown -R $USER {tmp_path})" in found.next_step
