"""`ottla start` as its user meets it: one line when ready, a clean end, and trouble without a traceback."""

from __future__ import annotations

import resource
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ottla.protocol.errors import KafkaError
from ottla.testing.topics import Topic
from ottla.testing.wire import Wire
from tests.support.process import OttlaProcess

pytestmark = pytest.mark.slow


def put_and_count(process: OttlaProcess, *values: str) -> int:
    with closing(Wire(*process.address)) as wire:
        topic = Topic(wire, "t")
        topic.put(values)
        return len(topic.records())


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_line_when_ready_and_a_clean_end_within_two_seconds(tmp_path: Path, number: int) -> None:
    with OttlaProcess(tmp_path) as process:
        process.wait_ready()
        assert put_and_count(process, "a") == 1
        started = time.monotonic()
        code, out, err = process.end(number)
        assert time.monotonic() - started < 2
    assert (code, out) == (0, "")
    assert f"Data is in {tmp_path}" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("cleanly", [True, False], ids=["SIGTERM", "kill -9"])
def test_what_was_acknowledged_is_there_after_a_restart(tmp_path: Path, cleanly: bool) -> None:
    with OttlaProcess(tmp_path) as process:
        assert put_and_count(process.wait_ready(), "a", "b") == 2
        if cleanly:
            process.end()
        else:
            process.kill()
    with OttlaProcess(tmp_path) as process:
        assert put_and_count(process.wait_ready(), "c") == 3


def test_a_client_that_waits_does_not_delay_the_end(tmp_path: Path) -> None:
    with OttlaProcess(tmp_path) as process:
        process.wait_ready()
        put_and_count(process, "a")
        idle = socket.create_connection(process.address)
        started = time.monotonic()
        code, _, _ = process.end()
        idle.close()
    assert code == 0
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("arguments", "code", "cause", "step"),
    [
        (["--set", "log.retention.sm=1"], 2, "did you mean 'log.retention.ms'", "docs/configuration.md"),
        (["--set", "log.retention.ms=soon"], 2, "log.retention.ms", "docs/configuration.md"),
        (["--config", "/nowhere/server.properties"], 2, "no configuration file /nowhere/server.properties", "--config"),
        (["--data-dir", "/proc/ottla"], 1, "cannot use /proc/ottla", "--data-dir"),
        (["--data-dir", __file__], 1, "is a file, not a folder", "--data-dir"),
        (["--listen", "192.0.2.1:9092", "--allow-plaintext"], 1, "this machine has no address 192.0.2.1", "0.0.0.0"),
        (["--listen", "0.0.0.0:9092"], 2, "PLAINTEXT://0.0.0.0:9092 would let anybody", "--allow-plaintext"),
        (
            ["--listen", "nosuchhost.invalid:9092", "--allow-plaintext"],
            1,
            "cannot listen on nosuchhost.invalid:9092",
            "--listen",
        ),
    ],
)
def test_trouble_is_told_with_a_next_step(
    tmp_path: Path, arguments: list[str], code: int, cause: str, step: str
) -> None:
    with OttlaProcess(tmp_path, *arguments) as process:
        exit_code, out, err = process.wait()
    assert (exit_code, out) == (code, "")
    assert cause in err
    assert step in err.rpartition("next: ")[2]
    assert "Traceback" not in err


def test_a_disk_that_takes_no_more_ends_the_broker_and_is_named(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk, which a test cannot make."""
    with OttlaProcess(tmp_path) as process:
        process.wait_ready()
        assert put_and_count(process, "a") == 1
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (400_000, 400_000))
        with pytest.raises((AssertionError, OSError, KafkaError)):
            put_and_count(process, "b" * 500_000)
        code, _, err = process.wait()
    assert code == 1
    assert f"a file under {tmp_path} may not grow any further\n  next: look at the limit" in err
    assert "Traceback" not in err
    with OttlaProcess(tmp_path) as process:
        assert put_and_count(process.wait_ready(), "c") == 2


def test_a_taken_port_names_who_has_it(tmp_path: Path, taken_port: int) -> None:
    with OttlaProcess(tmp_path, listen=f"127.0.0.1:{taken_port}") as process:
        code, out, err = process.wait()
    assert (code, out) == (1, "")
    assert f"cannot listen on 127.0.0.1:{taken_port}: the port is taken by process" in err
    assert f"--listen 127.0.0.1:{taken_port + 1}" in err
    assert "Traceback" not in err


def test_a_locked_folder_names_who_has_it(tmp_path: Path) -> None:
    with OttlaProcess(tmp_path) as first:
        first.wait_ready()
        with OttlaProcess(tmp_path) as second:
            code, out, err = second.wait()
        assert (code, out) == (1, "")
        assert f"the data folder {tmp_path} is in use: process {first.pid} has locked it" in err
        assert "Traceback" not in err


def test_a_folder_of_another_node_is_refused(tmp_path: Path) -> None:
    with OttlaProcess(tmp_path) as process:
        process.wait_ready().end()
    with OttlaProcess(tmp_path, "--set", "node.id=7") as process:
        code, _, err = process.wait()
    assert code == 1
    assert "belongs to node 1" in err
    assert "next: start with node.id=1" in err
