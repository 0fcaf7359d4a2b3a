"""`ottla consume` and `ottla produce`: formats, places, filters, ends; what one writes the other reads."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.support import Cli

ALL = ("-e", "--from-beginning")


def fill(cli: Cli, name: str) -> str:
    """Six records in two partitions: key, value, a header."""
    cli("topic", "create", name, "-p", "2")
    now_ms = round(time.time() * 1000)
    for partition in range(2):
        rows = [
            {"key": f"k{n % 3}", "value": f"v{n}", "headers": [["n", str(n)]], "timestamp": now_ms + n}
            for n in range(partition, 6, 2)
        ]
        cli("produce", name, "--json", "-p", str(partition), stdin="\n".join(map(json.dumps, rows)).encode())
    return name


@pytest.fixture
def topic(cli: Cli, name: str) -> str:
    return fill(cli, name)


_SHARED: dict[str | None, str] = {}


@pytest.fixture
def shared(cli: Cli) -> str:
    """The same, for tests that only read."""
    if cli.bootstrap not in _SHARED:
        _SHARED[cli.bootstrap] = fill(cli, "shared")
    return _SHARED[cli.bootstrap]


def test_every_word_of_a_format(cli: Cli, shared: str) -> None:
    found = cli("consume", shared, *ALL, "-p", "1", "-f", r"%t %p %o %k/%K %s/%S %h 100%%\t\x41\n")
    assert found.splitlines()[0] == f"{shared} 1 0 k1/2 v1/2 n=1 100%\tA"
    assert cli.call("consume", shared, *ALL, "-c", "1", "-p", "0", "-f", "%R%s").out == b"\0\0\0\2v0"
    assert cli("consume", shared, *ALL, "-c", "1", "-p", "0", "-K:") == "k0:v0\n"
    assert int(cli("consume", shared, *ALL, "-c", "1", "-f", "%T")) > 1_600_000_000_000
    assert "%q is no word" in cli.fails("consume", shared, "-f", "%q", code=2)


def test_the_properties_of_kafkas_console_consumer(cli: Cli, shared: str) -> None:
    on = [f"print.{each}=true" for each in ("partition", "offset", "key", "headers")]
    words = [word for each in on for word in ("--property", each)]
    found = cli("consume", shared, "-e", "--from-beginning", "--partition", "0", "--max-messages", "1", *words)
    assert found == "Partition:0\tOffset:0\tn:0\tk0\tv0\n"
    assert "print.key" in cli.fails("consume", shared, "--property", "print.keys=true", code=2)


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (("-o", "beginning", "-p", "0"), "v0 v2 v4"),
        (("-o", "1", "-p", "0"), "v2 v4"),
        (("-o", "-1"), "v4 v5"),
        (("-o", "end"), ""),
        (("-n", "3"), "v3 v4 v5"),
        (("-n", "0"), ""),
        (("--since", "1h", "-p", "1"), "v1 v3 v5"),
        (("-o", "s@1h", "-o", "e@30m"), ""),
        (("--from-beginning", "--until", "1h"), ""),
        (("--from-beginning", "--grep", "^v[45]"), "v4 v5"),
        (("--from-beginning", "--key", "k1"), "v1 v4"),
        (("--from-beginning", "-H", "n=3"), "v3"),
        (("--from-beginning", "-H", "m"), ""),
        (("--from-beginning", "--key", "k0", "-c", "1", "-p", "1"), "v3"),
    ],
)
def test_where_to_begin_and_what_to_leave_out(cli: Cli, shared: str, words: tuple[str, ...], values: str) -> None:
    found = cli("consume", shared, "-e", *words).split()
    assert (found if "-n" in words else sorted(found)) == values.split()


def test_what_consume_writes_as_json_produce_reads(cli: Cli, topic: str, name: str) -> None:
    odd = b'{"key": {"base64": "/w=="}, "value": null, "headers": [["h", null]], "timestamp": 1700000000000}\n'
    cli("produce", topic, "--json", "-p", "0", stdin=odd)
    lines = cli("consume", topic, *ALL, "--json")
    copy = f"{name}-copy"
    cli("topic", "create", copy, "-p", "1")
    cli("produce", copy, "--json", stdin=lines.encode())

    def told(text: str) -> list[tuple]:
        rows = [json.loads(line) for line in text.splitlines()]
        return [(str(r["key"]), r["value"], r["headers"], r["timestamp"]) for r in rows]

    assert sorted(told(cli("consume", copy, *ALL, "--json")), key=str) == sorted(told(lines), key=str)
    assert ("{'base64': '/w=='}", None, [["h", None]], 1_700_000_000_000) in told(lines)
    assert "line 1 is no record" in cli.fails("produce", copy, "--json", stdin=b"no\n")
    assert "line 1 is no record" in cli.fails("produce", copy, "--json", stdin=b'{"value": {"base64": "?"}}\n')


def test_nulls_files_and_delimiters(cli: Cli, name: str, tmp_path: Path) -> None:
    cli("topic", "create", name, "-p", "1")
    cli("produce", name, "-K:", "-Z", stdin=b"k:\n:v\nno delimiter\n")
    assert cli("consume", name, *ALL, "-K:", "-Z") == "k:NULL\nNULL:v\nNULL:no delimiter\n"
    whole, lines = tmp_path / "whole", tmp_path / "lines"
    whole.write_bytes(b"one\ntwo\n")
    lines.write_bytes(b"a;b;c")
    cli("produce", name, str(whole), "-k", "key", "-z", "gzip")
    cli("produce", name, "-l", str(lines), "-D", ";", "-c", "2", "--acks", "1")
    assert cli("consume", name, "-e", "-o", "3", "-D", "|") == "one\ntwo\n|a|b|"
    assert "there is no file" in cli.fails("produce", name, str(tmp_path / "none"), code=2)
    cli("produce", name, "--property", "parse.key=true", "--property", "key.separator=,", stdin=b"x,y\n")
    assert cli("consume", name, "-e", "-o", "-1", "-f", "%k %s") == "x y"


def test_a_long_line_that_comes_in_many_pieces(cli: Cli, name: str) -> None:
    cli("topic", "create", name, "-p", "1")
    cli("produce", name, "-D", "END", stdin=b"x" * 300_000 + b"ENDyEND" + b"z" * 65_535 + b"END")
    assert cli("consume", name, *ALL, "-f", "%S ") == "300000 1 65535 "


def test_a_group_goes_on_where_it_was(cli: Cli, topic: str, name: str) -> None:
    group = f"{name}-group"
    words = ("consume", topic, "--group", group, "--from-beginning")
    first = cli(*words, "-c", "2").split()
    rest = cli(*words, "-e").split()
    assert sorted(first + rest) == [f"v{number}" for number in range(6)]
    assert cli(*words, "--timeout-ms", "300") == ""
    assert "a group decides itself" in cli.fails(*words, "-p", "0", code=2)


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (("-o", "nowhere"), "is no offset"),
        (("--since", "yesterday"), "is no moment"),
        (("-o", "1", "-n", "2"), "several places"),
        (("-o", "stored"), "needs a group"),
        (("--grep", "("), "--grep"),
        (("-c", "0"), "nothing to read"),
        (("-X", "fetch.min.byts=1"), "did you mean 'fetch.min.bytes'"),
    ],
)
def test_misuse_is_told(cli: Cli, words: tuple[str, ...], cause: str) -> None:
    assert cause in cli.fails("consume", "topic", *words, code=2)


def test_a_topic_that_is_not_there(cli: Cli, shared: str) -> None:
    assert f"did you mean {shared}?" in cli.fails("consume", shared[:-1], "-e")
    assert "has no partition 5" in cli.fails("consume", shared, "-p", "5", code=2)
    assert "INVALID_TOPIC" in cli.fails("produce", "no good name!", stdin=b"x\n")


def spawn(cli: Cli, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "ottla", *words, "-b", str(cli.bootstrap)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_live_tail_ends_in_order_at_a_signal(cli: Cli, topic: str, number: int, code: int) -> None:
    tail = spawn(cli, "consume", topic, "-n", "2")
    assert tail.stdout is not None
    seen = [tail.stdout.readline(), tail.stdout.readline()]
    cli("produce", topic, "-p", "0", stdin=b"live\n")
    assert [*seen, tail.stdout.readline()] == [b"v4\n", b"v5\n", b"live\n"]
    tail.send_signal(number)
    out, err = tail.communicate(timeout=60)
    assert (tail.returncode, out, err) == (code, b"", b"")


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_ends_it_silently(cli: Cli, name: str) -> None:
    cli("topic", "create", name, "-p", "1")
    cli("produce", name, stdin=b"".join(b"line %d\n" % number for number in range(50_000)))
    tail = spawn(cli, "consume", name, "-e", "--from-beginning")
    assert tail.stdout is not None
    assert tail.stdout.readline() == b"line 0\n"
    tail.stdout.close()
    assert tail.stderr is not None
    assert tail.stderr.read() == b""
    tail.stderr.close()
    assert tail.wait(60) == 0
