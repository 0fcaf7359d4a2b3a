"""The files are Kafka's: we open what Apache Kafka wrote, write what it would have written, and it reads ours."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from ottla.log.config import LogConfig
from ottla.log.files import DiskFiles, MemoryFiles
from ottla.log.log import Log
from ottla.log.manager import LogManager
from ottla.records.batch import iter_headers, read_records
from tests.log.support import NOW
from tests.log.test_recovery import rich_log
from tests.support.jars import KAFKA, class_path, jars
from tests.support.requires import requires

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "kafka-data"
CONFIG = LogConfig(segment_ms=600, index_interval_bytes=200, retention_ms=-1)


def golden_files() -> MemoryFiles:
    files = MemoryFiles()
    for path in sorted((GOLDEN / "data").rglob("*")):
        name = "/data/" + str(path.relative_to(GOLDEN / "data"))
        if path.is_dir():
            files.mkdir(name)
        else:
            files.mkdir(name.rpartition("/")[0])
            files.open(name, create=True).append(path.read_bytes())
    return files


def records_of(log: Log, committed: bool) -> list[list[object]]:
    """What a consumer would read, control batches and aborted transactions left out as a client does."""
    end = log.stable_offset(log.log_end_offset) if committed else log.log_end_offset
    found: list[list[object]] = []
    for segment in log.segments:
        if segment.base_offset >= end:
            break
        data = log.read(segment.base_offset, 1 << 20, end)
        aborted = log.aborted_transactions(segment.base_offset, end)
        for position, header in iter_headers(data):
            marker_of_abort = [first for producer, first in aborted if producer == header.producer_id]
            skipped = committed and header.is_transactional and any(
                first <= header.base_offset <= last for first, last in _ranges(log, header.producer_id, marker_of_abort)
            )  # fmt: skip
            if not header.is_control and not skipped:
                found += [
                    [
                        record.offset,
                        record.timestamp,
                        record.key and record.key.decode(),
                        record.value and record.value.decode(),
                    ]
                    for record in read_records(data, position)
                ]
    return found


def _ranges(log: Log, producer_id: int, firsts: list[int]) -> list[tuple[int, int]]:
    entries = [entry for segment in log.segments for entry in log.aborted_of(segment)]
    return [
        (e.first_offset, e.last_offset) for e in entries if e.producer_id == producer_id and e.first_offset in firsts
    ]


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("sidecars", [True, False])
def test_a_folder_of_apache_kafka_reads_the_same_records(clean: bool, sidecars: bool) -> None:
    files = golden_files()
    if not clean:
        files.remove("/data/.kafka_cleanshutdown")
    if not sidecars:
        for name in files.list("/data/golden-0"):
            if not name.endswith((".log", ".metadata")):
                files.remove(f"/data/golden-0/{name}")
    manager = LogManager(files, ["/data"], CONFIG)
    report = manager.load(NOW)
    assert (report.loaded, report.clean, report.cut, report.damaged) == (1, clean, [], [])
    log = manager.get("golden", 0)
    assert log is not None
    expected = json.loads((GOLDEN / "expected.json").read_text())
    assert records_of(log, committed=False) == expected["read_uncommitted"]
    assert records_of(log, committed=True) == expected["read_committed"]
    assert log.log_end_offset == 89
    assert log.leader_epochs.entries() == [(0, 0)]
    assert len(manager.topic_id("golden", 0) or b"") == 16


def test_the_indexes_made_anew_are_those_that_kafka_wrote() -> None:
    files = golden_files()
    kept = {name: files.read_all(f"/data/golden-0/{name}") for name in files.list("/data/golden-0")}
    for name in kept:
        if not name.endswith((".log", ".metadata")):
            files.remove(f"/data/golden-0/{name}")
    log = Log.open(files, "/data/golden-0", CONFIG, now_ms=NOW, clean=False)
    log.close()
    for name, data in kept.items():
        assert files.read_all(f"/data/golden-0/{name}") == data, name


def test_the_same_batches_make_the_same_files_as_in_kafka() -> None:
    """Rolls, indexes, snapshots, transaction index, epochs: byte for byte what Kafka made of this history."""
    golden = golden_files()
    source = Log.open(golden, "/data/golden-0", CONFIG, now_ms=NOW)
    files = MemoryFiles()
    log = Log.open(files, "/data/golden-0", CONFIG, now_ms=NOW)
    offset = 0
    while offset < source.log_end_offset:
        for position, header in iter_headers(data := source.read(offset, 1)):
            log.append_as_follower(bytes(data)[position : position + header.size], NOW)
            offset = header.next_offset
    log.close()
    ours = {name: files.read_all(f"/data/golden-0/{name}") for name in files.list("/data/golden-0")}
    theirs = {name: golden.read_all(f"/data/golden-0/{name}") for name in golden.list("/data/golden-0")}
    del theirs["partition.metadata"]
    extra = {name for name in ours if name not in theirs}
    assert all(name.endswith(".txnindex") and not ours[name] for name in extra), extra
    assert {name: ours[name] for name in theirs} == theirs


@pytest.mark.java
@pytest.mark.slow
def test_kafkas_dump_tool_finds_nothing_wrong_with_our_files(tmp_path: Path) -> None:
    requires("java", "mvn")
    folder = tmp_path / "orders-0"
    memory = rich_log()
    memory.sync()
    memory.close()
    folder.mkdir()
    for name in memory.files.list("/data/orders-0"):
        (folder / name).write_bytes(memory.files.read_all(f"/data/orders-0/{name}"))
    libs = class_path(jars("kafka", KAFKA))
    suffixes = (".log", ".index", ".timeindex", ".txnindex", ".snapshot")
    names = sorted(str(path) for path in folder.iterdir() if path.suffix in suffixes and path.stat().st_size)

    def dump(*arguments: str) -> str:
        made = subprocess.run(
            ["java", "-Xmx256m", "-cp", libs, "kafka.tools.DumpLogSegments", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        bad = [line for line in (made.stdout + made.stderr).splitlines()
               if any(word in line.lower() for word in ("mismatch", "corrupt", "invalid bytes", "exception", "not found", "out of order"))]  # fmt: skip
        assert bad == []
        return made.stdout

    text = dump("--deep-iteration", "--print-data-log", "--files", ",".join(names))
    assert text.count("| offset:") == len(_all_records(folder))
    assert text.count("isvalid: true") == text.count("isvalid:") > 50
    indexes = ",".join(name for name in names if name.endswith("index") and not name.endswith(".txnindex"))
    assert "passed sanity check" in dump("--index-sanity-check", "--files", indexes)
    dump("--verify-index-only", "--files", indexes)


def _all_records(folder: Path) -> list[object]:
    log = Log.open(DiskFiles(), str(folder), CONFIG, now_ms=NOW)
    found: list[object] = []
    for segment in log.segments:
        data = log.read(segment.base_offset, 1 << 24)
        for position, _ in iter_headers(data):
            found += read_records(data, position)
    return found


@pytest.mark.java
@pytest.mark.slow
def test_kafkas_dump_tool_finds_a_fault_that_we_plant(tmp_path: Path) -> None:
    """The check above can fail."""
    requires("java", "mvn")
    folder = tmp_path / "golden-0"
    shutil.copytree(GOLDEN / "data" / "golden-0", folder)
    index = folder / f"{0:020d}.index"
    index.write_bytes(index.read_bytes()[:-1] + b"\x07")
    made = subprocess.run(
        ["java", "-Xmx256m", "-cp", class_path(jars("kafka", KAFKA)), "kafka.tools.DumpLogSegments", "--files", str(index)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode != 0 or "mismatch" in (made.stdout + made.stderr).lower()
