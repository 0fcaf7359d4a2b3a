"""Ten thousand partitions are opened in seconds, cost kilobytes, and hold no descriptors."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest

from ottla.log.config import LogConfig
from ottla.log.files import DiskFiles
from ottla.log.manager import LogManager
from tests.log.support import NOW, batch

PARTITIONS = 1000
OPEN_MS_MAX = 4.0  # per partition; 0.4 on an idle machine (bench), the rest is for a busy one
MEMORY_BYTES_MAX = 12_000


@pytest.mark.slow
def test_a_thousand_partitions_open_fast_small_and_without_descriptors(tmp_path: Path) -> None:
    manager = LogManager(DiskFiles(), [str(tmp_path)], LogConfig())
    manager.load(NOW)
    for number in range(PARTITIONS):
        log = manager.create(f"topic-{number % 10}", number // 10, bytes(16), None, NOW)
        log.append_as_leader(batch("x" * 100), 0, NOW)
    manager.shutdown()
    files = DiskFiles()
    manager = LogManager(files, [str(tmp_path)], LogConfig())
    tracemalloc.start()
    began = time.process_time()
    report = manager.load(NOW)
    took_ms = (time.process_time() - began) * 1000
    memory = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert (report.loaded, report.clean) == (PARTITIONS, True)
    assert took_ms / PARTITIONS < OPEN_MS_MAX
    assert memory / PARTITIONS < MEMORY_BYTES_MAX
    assert files.open_count <= 256
    assert manager.get("topic-3", 42).append_as_leader(batch("y"), 0, NOW).first_offset == 1  # type: ignore[union-attr]
    manager.shutdown()
