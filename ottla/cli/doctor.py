"""`ottla doctor`: what this machine offers a broker, each finding with what to do about it.

A finding is a row: what was looked at, what was seen, whether that is good, and the remedy. Exit code 1 if anything
would keep a broker from starting, 0 otherwise. Nothing is changed: the file written to time fsync is removed.
"""

from __future__ import annotations

import argparse
import errno
import importlib.metadata
import os
import platform
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .. import __version__
from . import ports
from .folders import default_data_dir

GOOD, POOR, BAD = "ok", "could be better", "problem"
#: Libraries a broker uses, and what each is for.
LIBRARIES = {
    "uvloop": "event loop", "google-crc32c": "checksums", "cramjam": "snappy", "lz4": "lz4", "zstandard": "zstd",
    "msgspec": "configuration files",
}  # fmt: skip
#: A connection, and an open segment, take a descriptor each; Kafka's own advice is 100,000 for a server.
OPEN_FILES_ADVISED, OPEN_FILES_NEEDED = 65_536, 1_024
SPACE_ADVISED_BYTES, SPACE_NEEDED_BYTES = 10 << 30, 64 << 20
FSYNC_SAMPLES, FSYNC_SLOW_MS = 15, 20.0
#: Characters a line where no terminal says how wide it is.
WIDTH_ELSEWHERE = 160


class Finding(NamedTuple):
    """One row of the report."""

    subject: str
    seen: str
    verdict: str
    remedy: str = ""


def run(arguments: argparse.Namespace) -> int:
    """Look at everything, print the table (or JSON), and say by the exit code whether a broker can start."""
    host, port = arguments.listen or ("127.0.0.1", 9092)
    folder = arguments.data_dir or default_data_dir()
    findings = [*versions(), *extensions(), *limits(), *listening(host, port), *disk(folder)]
    if arguments.json:
        import msgspec

        print(msgspec.json.encode([finding._asdict() for finding in findings]).decode())
    else:
        _print_table(findings)
    return 1 if any(finding.verdict == BAD for finding in findings) else 0


def versions() -> Iterator[Finding]:
    """Ottla, Python, and the libraries whose absence or slow twin costs speed."""
    yield Finding("Ottla", __version__, GOOD)
    yield Finding(
        "Python", f"{platform.python_implementation()} {platform.python_version()}, {platform.platform()}", GOOD
    )
    for name, use in LIBRARIES.items():
        try:
            seen, verdict, remedy = importlib.metadata.version(name), GOOD, ""
        except importlib.metadata.PackageNotFoundError:
            seen, verdict, remedy = "not installed", POOR if name == "uvloop" else BAD, f"pip install {name}"
        if name == "google-crc32c" and verdict == GOOD:
            import google_crc32c

            seen += f" ({google_crc32c.implementation})"
            if google_crc32c.implementation != "c":
                verdict, remedy = POOR, "no compiled wheel for this machine: checksums in Python are slow"
        yield Finding(f"{name} ({use})", seen, verdict, remedy)


def extensions() -> Iterator[Finding]:
    """Which hot modules run compiled, which as plain Python and why."""
    from .. import _extensions

    stale = _extensions.stale()
    for name, live in sorted(_extensions.live().items()):
        if live:
            yield Finding(name, "compiled", GOOD)
        elif _extensions.forbidden():
            yield Finding(name, "plain Python: OTTLA_NO_EXTENSIONS is set", POOR, "unset OTTLA_NO_EXTENSIONS")
        elif name in stale:
            yield Finding(name, "plain Python: changed since it was compiled", POOR, _extensions.BUILD_COMMAND)
        else:
            yield Finding(
                name, "plain Python", POOR, "install a C compiler (apt install gcc python3-dev), then pip install again"
            )


def limits() -> Iterator[Finding]:
    """Open files, processors, memory."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    remedy = f"LimitNOFILE={OPEN_FILES_ADVISED} of systemd, or nofile in /etc/security/limits.conf"
    if soft < hard:
        remedy = f"ulimit -n {min(OPEN_FILES_ADVISED, hard)} before the start, or " + remedy
    verdict = GOOD if soft >= OPEN_FILES_ADVISED else POOR if soft >= OPEN_FILES_NEEDED else BAD
    yield Finding("open files", f"{soft:,} (at most {hard:,})", verdict, "" if verdict == GOOD else remedy)
    yield Finding(
        "processors", str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()), GOOD
    )
    if sys.platform.startswith("linux"):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        yield Finding("memory", size_text(memory), GOOD)


def listening(host: str, port: int) -> Iterator[Finding]:
    """Whether a broker could listen here."""
    subject = f"port {host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
        yield Finding(subject, "free", GOOD)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            yield Finding(
                subject,
                f"taken by {ports.owner_of(port) or 'another process'}",
                BAD,
                f"ottla start --listen {host}:{port + 1}",
            )
        elif error.errno == errno.EACCES:
            yield Finding(subject, "belongs to root", BAD, "choose a port from 1024 up")
        else:
            yield Finding(subject, error.strerror or str(error), BAD, "choose an address of this machine")


def disk(folder: Path) -> Iterator[Finding]:
    """The data folder: there, writable, with room, and how long an fsync takes."""
    existing = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    note = "" if existing == folder else " (made at the first start)"
    if not existing.is_dir():
        yield Finding("data folder", f"{existing} is a file", BAD, "--data-dir names a folder")
        return
    if not os.access(existing, os.W_OK | os.X_OK):
        yield Finding(
            "data folder",
            f"{existing}: no permission to write",
            BAD,
            f"chown -R $USER {existing}, or another --data-dir",
        )
        return
    yield Finding("data folder", f"{folder}{note}", GOOD)
    free = shutil.disk_usage(existing).free
    verdict = GOOD if free >= SPACE_ADVISED_BYTES else POOR if free >= SPACE_NEEDED_BYTES else BAD
    yield Finding(
        "disk space", f"{size_text(free)} free", verdict, "" if verdict == GOOD else "free some, or another --data-dir"
    )
    try:
        took_ms = fsync_ms(existing)
    except OSError as error:
        yield Finding("fsync of 4 KB", error.strerror or str(error), BAD, "look at the kernel's log (dmesg)")
        return
    slow = took_ms > FSYNC_SLOW_MS
    remedy = "acks=all with durability=fsync waits this long: use a disk with power-loss protection" if slow else ""
    yield Finding("fsync of 4 KB", f"{took_ms:.2f} ms (median of {FSYNC_SAMPLES})", POOR if slow else GOOD, remedy)


def fsync_ms(folder: Path) -> float:
    """The median time from write to durable, in a file of its own that is gone afterwards."""
    samples = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(FSYNC_SAMPLES):
            started = time.perf_counter()
            os.write(file.fileno(), bytes(4096))
            os.fsync(file.fileno())
            samples.append((time.perf_counter() - started) * 1000)
    return statistics.median(samples)


def size_text(size: int) -> str:
    """Bytes as a person reads them."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if amount < 1024 or unit == "TiB":
            break
        amount /= 1024
    return f"{amount:.1f} {unit}"


def _print_table(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    colours = {GOOD: "green", POOR: "yellow", BAD: "bold red"}
    table = Table(box=None, pad_edge=False)
    for heading in ("", "seen", "", "what to do"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        table.add_row(
            finding.subject,
            Text(finding.seen),
            Text(finding.verdict, style=colours[finding.verdict]),
            Text(finding.remedy),
        )
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH_ELSEWHERE)
    console.print(table)
