"""The same log, compacted by Apache Kafka and by us: the same records, in the same batches; and its tools read ours."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ottla.log.config import LogConfig
from ottla.log.files import DiskFiles
from ottla.log.log import Log
from ottla.log.manager import LogManager
from ottla.records.batch import read_records
from tests.golden import admin
from tests.log.cleaner.history import History
from tests.support.jars import KAFKA, class_path, jars
from tests.support.kafka_folder import _wait as wait
from tests.support.kafka_jvm import KafkaJvm
from tests.support.requires import requires

CONFIGS = {"cleanup.policy": "compact", "segment.bytes": "1048576", "min.cleanable.dirty.ratio": "0.01"}
CLEANER = {"log.cleaner.backoff.ms": "200", "log.initial.task.delay.ms": "500"}


def fill(bootstrap: str) -> None:
    """Some megabytes with every kind of batch that compaction treats in a way of its own."""
    import confluent_kafka as ck

    value = os.urandom(600).hex()
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        plain = ck.Producer({"bootstrap.servers": bootstrap, "compression.type": codec, "linger.ms": 5, "log_level": 0})
        for number in range(400):
            tombstone = number % 17 == 0
            plain.produce("t", key=f"{number % 90}", value=None if tombstone else f"{codec} {number} {value}")
        plain.flush()
    for number in range(6):
        sender = ck.Producer({"bootstrap.servers": bootstrap, "transactional.id": f"x{number % 3}", "log_level": 0})
        sender.init_transactions(30)
        sender.begin_transaction()
        for index in range(150):
            sender.produce("t", key=f"{index % 40}", value=f"transaction {number} {index} {value}")
        sender.flush()
        if number % 2:
            sender.abort_transaction(30)
        else:
            sender.commit_transaction(30)
    plain = ck.Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 0})
    for number in range(1200):
        plain.produce("t", key=f"end {number % 20}", value=f"{number} {value}")
    plain.flush()


def batches(folder: Path) -> list[tuple[object, ...]]:
    """Every batch but those of the last segment: header fields without time and checksum, and the records."""
    log = Log.open(DiskFiles(), str(folder), LogConfig(cleanup_policy=frozenset({"compact"})), now_ms=0, holes=True)
    found: list[tuple[object, ...]] = []
    for segment in log.segments[:-1]:
        for position, header in segment.walk(0):
            records = read_records(segment.file.pread(header.size, position))
            found.append(
                (header.base_offset, header.last_offset, header.attributes, header.producer_id, header.producer_epoch,
                 header.base_sequence, header.max_timestamp, header.record_count, records)
            )  # fmt: skip
    log.close(clean=False)
    return found


def clean_here(data: Path) -> None:
    """All that our cleaner would do with the log of this data folder."""
    config = LogConfig(segment_bytes=1048576, cleanup_policy=frozenset({"compact"}), min_cleanable_dirty_ratio=0.01)
    manager = LogManager(DiskFiles(), [str(data)], config)
    manager.load(int(time.time() * 1000), foreign=True)
    log = manager.get("t", 0)
    assert log is not None
    history = History.__new__(History)
    history.log, history.manager, history.now_ms = log, manager, int(time.time() * 1000)
    assert history.clean().records_kept > 0
    log.config = replace(log.config)
    manager.shutdown()


@pytest.mark.java
@pytest.mark.slow
def test_the_same_log_compacted_here_and_by_kafka_keeps_the_same_batches(tmp_path: Path) -> None:
    requires("java", "mvn")
    with KafkaJvm(tmp_path / "kafka", properties={"log.cleaner.enable": "false"}) as kafka:
        with socket.create_connection(("127.0.0.1", kafka.port)) as connection:
            admin.ask(connection, admin.creates(admin.topic("t", 1, configs=CONFIGS)))
        fill(kafka.bootstrap)
    theirs, ours = tmp_path / "kafka" / "data", tmp_path / "ours"
    before = batches(theirs / "t-0")
    ours.mkdir()
    shutil.copytree(theirs / "t-0", ours / "t-0")
    with KafkaJvm(tmp_path / "kafka", properties=CLEANER):
        checkpoint = theirs / "cleaner-offset-checkpoint"
        wait(lambda: checkpoint.exists() and "t 0 " in checkpoint.read_text())
    clean_here(ours)
    assert (ours / "cleaner-offset-checkpoint").read_text() == f"0\n1\n{_entry(theirs)}\n"
    expected, found = batches(theirs / "t-0"), batches(ours / "t-0")
    assert sum(row[7] for row in expected) < sum(row[7] for row in before) / 2  # type: ignore[misc]
    assert found == expected
    dump(ours / "t-0")


def _entry(data: Path) -> str:
    lines = (data / "cleaner-offset-checkpoint").read_text().splitlines()
    return next(line for line in lines if line.startswith("t 0 "))


def dump(folder: Path) -> None:
    """Kafka's DumpLogSegments finds nothing wrong with any file."""
    suffixes = (".log", ".index", ".timeindex", ".txnindex", ".snapshot")
    names = sorted(str(path) for path in folder.iterdir() if path.suffix in suffixes and path.stat().st_size)
    made = subprocess.run(
        ["java", "-Xmx256m", "-cp", class_path(jars("kafka", KAFKA)), "kafka.tools.DumpLogSegments",
         "--deep-iteration", "--files", ",".join(names)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    words = ("mismatch", "corrupt", "invalid bytes", "exception", "not found", "out of order")
    assert [
        line for line in (made.stdout + made.stderr).splitlines() if any(word in line.lower() for word in words)
    ] == []
    assert made.stdout.count("isvalid: true") == made.stdout.count("isvalid:") > 10
