"""The data folder: what a start finds, what a stop leaves, what people are told."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from ottla.log import checkpoints
from ottla.log.config import LogConfig
from ottla.log.errors import CorruptSidecarError, KafkaStorageError, LockedError
from ottla.log.files import DiskFiles, FaultyFiles, Files, MemoryFiles
from ottla.log.manager import LoadReport, LogManager
from ottla.protocol.errors import ErrorCode, KafkaError
from tests.log.support import NOW, batch, fill, values

ID = bytes(range(16))
OTHER_ID = bytes(range(16, 32))


def start(files: Files, *folders: str, config: LogConfig | None = None) -> tuple[LogManager, LoadReport]:
    manager = LogManager(files, folders or ("/data",), config or LogConfig())
    return manager, manager.load(NOW)


@pytest.mark.parametrize("clean", [True, False])
def test_a_restart_finds_the_logs_and_says_whether_the_stop_was_clean(clean: bool) -> None:
    files = MemoryFiles()
    manager, _ = start(files)
    fill(manager.create("orders", 0, ID, None, NOW), 5)
    fill(manager.create("a-b-c", 12, OTHER_ID, None, NOW), 3)
    manager.shutdown(clean, broker_epoch=7)
    assert files.exists("/data/.kafka_cleanshutdown") == clean
    manager, report = start(files)
    assert (report.loaded, report.clean, report.damaged) == (2, clean, [])
    log = manager.get("a-b-c", 12)
    assert log is not None
    assert len(values(log)) == 3
    assert manager.topic_id("orders", 0) == ID
    assert manager.get("orders", 1) is None
    assert manager.directories[0].last_broker_epoch == (7 if clean else -1)
    assert not files.exists("/data/.kafka_cleanshutdown")
    assert sorted(log.name for log in manager) == ["a-b-c-12", "orders-0"]
    assert len(manager) == 2


def test_checkpoints_have_kafkas_names_and_form() -> None:
    files = MemoryFiles()
    manager, _ = start(files)
    log = manager.create("orders", 3, ID, None, NOW)
    fill(log, 10)
    log.sync()
    log.delete_records_before(4)
    manager.high_watermark_of = lambda log: 8
    manager.checkpoint()
    assert files.read_all("/data/recovery-point-offset-checkpoint") == b"0\n1\norders 3 10\n"
    assert files.read_all("/data/log-start-offset-checkpoint") == b"0\n1\norders 3 4\n"
    assert files.read_all("/data/replication-offset-checkpoint") == b"0\n1\norders 3 8\n"
    assert files.read_all("/data/orders-3/partition.metadata") == b"version: 0\ntopic_id: AAECAwQFBgcICQoLDA0ODw"
    assert files.read_all("/data/orders-3/leader-epoch-checkpoint") == b"0\n1\n0 4\n"
    manager.shutdown(clean=False)
    manager, _ = start(files)
    found = manager.get("orders", 3)
    assert found is not None
    assert (found.log_start_offset, found.recovery_point) == (4, 10)
    assert manager.high_watermark_checkpoint("orders", 3) == 8
    assert manager.high_watermark_checkpoint("orders", 4) == 0


def test_a_damaged_checkpoint_only_costs_time() -> None:
    files = MemoryFiles()
    manager, _ = start(files)
    fill(manager.create("orders", 0, ID, None, NOW), 5)
    manager.shutdown()
    for name in ("recovery-point-offset-checkpoint", "log-start-offset-checkpoint"):
        files.replace(f"/data/{name}", b"\0\0garbage")
    files.remove("/data/.kafka_cleanshutdown")
    manager, report = start(files)
    assert report.damaged == []
    assert len(values(manager.get("orders", 0))) == 5  # type: ignore[arg-type]


def test_create_is_once_and_keeps_the_topic_id() -> None:
    files = MemoryFiles()
    manager, _ = start(files)
    log = manager.create("orders", 0, ID, None, NOW)
    assert manager.create("orders", 0, ID, None, NOW) is log
    with pytest.raises(KafkaError) as error:
        manager.create("orders", 0, OTHER_ID, None, NOW)
    assert error.value.code is ErrorCode.INCONSISTENT_TOPIC_ID
    manager.shutdown()
    files.remove("/data/orders-0/partition.metadata")
    manager, _ = start(files)
    assert manager.topic_id("orders", 0) is None
    manager.create("orders", 0, OTHER_ID, None, NOW)
    assert manager.topic_id("orders", 0) == OTHER_ID


def test_a_deleted_partition_is_gone_at_once_and_its_files_later() -> None:
    files = MemoryFiles()
    manager, _ = start(files, config=LogConfig(file_delete_delay_ms=100))
    fill(manager.create("orders", 0, ID, None, NOW), 5)
    manager.delete("orders", 0, NOW)
    manager.delete("orders", 0, NOW)
    assert manager.get("orders", 0) is None
    (name,) = manager.directories[0].folders()
    assert name.startswith("orders-0.")
    assert name.endswith("-delete")
    manager.purge_deleted(NOW + 99)
    assert manager.directories[0].folders() == [name]
    manager.purge_deleted(NOW + 100)
    assert manager.directories[0].folders() == []


def test_a_recreated_partition_does_not_inherit_the_offsets_of_its_forerunner() -> None:
    files = MemoryFiles()
    manager, _ = start(files)
    old = manager.create("orders", 0, ID, None, NOW)
    fill(old, 50)
    old.sync()
    old.delete_records_before(40)
    manager.checkpoint()
    manager.delete("orders", 0, NOW)
    fill(manager.create("orders", 0, OTHER_ID, None, NOW), 3)
    manager.shutdown(clean=False)
    manager, report = start(files)
    assert report.damaged == []
    found = manager.get("orders", 0)
    assert found is not None
    assert (found.log_start_offset, found.log_end_offset) == (0, 3)


def test_leftovers_of_deletion_go_at_the_next_start_and_strays_stay() -> None:
    files = MemoryFiles()
    manager, _ = start(files)
    for topic in ("gone", "stray", "x" * 249):
        fill(manager.create(topic, 0, ID, None, NOW), 1)
    manager.delete("gone", 0, NOW)
    manager.mark_stray("stray", 0, NOW)
    manager.delete("x" * 249, 0, NOW)
    assert all(len(name) <= 255 for name in manager.directories[0].folders())
    manager.shutdown()
    manager, report = start(files)
    assert report.loaded == 0
    manager.purge_deleted(NOW)
    (name,) = manager.directories[0].folders()
    assert name.endswith("-stray")


def test_other_folders_are_left_alone() -> None:
    files = MemoryFiles()
    for name in ("lost+found", "notes", "__cluster_metadata-0", "orders-0.0123456789abcdef-future"):
        files.mkdir(f"/data/{name}")
    _, report = start(files)
    assert report.loaded == 0
    assert len(files.list("/data")) == 4


def test_a_damaged_partition_is_reported_refused_and_remembered_and_the_others_serve() -> None:
    files = MemoryFiles()
    manager, _ = start(files)
    for topic in ("good", "bad"):
        log = manager.create(topic, 0, ID, None, NOW)
        fill(log, 10)
        log.sync()
    manager.checkpoint()
    manager.shutdown(clean=False)
    path = f"/data/bad-0/{0:020d}.log"
    data = bytearray(files.read_all(path))
    data[500] ^= 1
    files.replace(path, data)
    for _ in range(3):  # the damage is not forgotten by starting again, cleanly or not
        manager, report = start(files)
        assert (report.loaded, len(report.damaged)) == (1, 1)
        assert "bad-0" in report.damaged[0]
        with pytest.raises(KafkaStorageError):
            manager.get("bad", 0)
        assert manager.get("good", 0) is not None
        manager.checkpoint()
        manager.shutdown()
    assert checkpoints.parse_offsets(files.read_all("/data/recovery-point-offset-checkpoint")) == {
        ("good", 0): 10,
        ("bad", 0): 10,
    }


def test_a_second_broker_is_kept_out(tmp_path: Path) -> None:
    manager, _ = start(DiskFiles(), str(tmp_path))
    with pytest.raises(LockedError, match="locked by the process with pid"):
        start(DiskFiles(), str(tmp_path))
    manager.shutdown()
    start(DiskFiles(), str(tmp_path))[0].shutdown()


def test_new_partitions_go_where_the_fewest_are_and_not_into_a_dead_folder() -> None:
    files = MemoryFiles()
    manager, _ = start(files, "/a", "/b")
    places = [manager.create("orders", number, ID, None, NOW).directory[:2] for number in range(4)]
    assert places == ["/a", "/b", "/a", "/b"]
    manager.directory_of("orders", 0).health.fail(OSError(errno.EIO, "bad disk"))
    assert {manager.create("more", number, ID, None, NOW).directory[:2] for number in range(4)} == {"/b"}
    with pytest.raises(KafkaStorageError):
        manager.get("orders", 0).append_as_leader(batch("x"), 0, NOW)  # type: ignore[union-attr]
    assert manager.get("orders", 1).append_as_leader(batch("x"), 0, NOW).first_offset == 0  # type: ignore[union-attr]
    manager.checkpoint()
    manager.shutdown()
    assert not files.exists("/a/.kafka_cleanshutdown")
    assert files.exists("/b/.kafka_cleanshutdown")


def test_of_a_partition_in_two_folders_the_longer_log_is_served_and_the_other_kept() -> None:
    files = MemoryFiles()
    for folder, count in (("/a", 1), ("/b", 2)):
        manager, _ = start(files, folder)
        fill(manager.create("orders", 0, ID, None, NOW), count)
        manager.shutdown()
    manager, report = start(files, "/a", "/b")
    assert report.damaged == []
    assert "orders-0 lies in two folders: /b/orders-0 is served" in report.cut[0]
    log = manager.get("orders", 0)
    assert log is not None
    assert (log.directory, log.log_end_offset) == ("/b/orders-0", 2)
    assert [name for name in files.list("/a") if name.endswith("-stray")]


def test_a_failed_checkpoint_or_stop_ends_the_folder_and_leaves_no_marker() -> None:
    files = FaultyFiles()
    manager, _ = start(files)
    fill(manager.create("orders", 0, ID, None, NOW), 1)
    files.fail_syncs()
    with pytest.raises(KafkaStorageError):
        manager.checkpoint()
    files.fail_syncs(False)
    manager.shutdown()
    assert not files.exists("/data/.kafka_cleanshutdown")


def test_meta_properties_are_kept() -> None:
    files = MemoryFiles()
    manager = LogManager(files, ["/data"])
    assert manager.directories[0].read_properties() == {}
    manager.directories[0].write_properties({"version": "1", "node.id": "1", "cluster.id": "abc=", "directory.id": "x"})
    assert files.read_all("/data/meta.properties") == b"cluster.id=abc=\ndirectory.id=x\nnode.id=1\nversion=1\n"
    assert manager.directories[0].read_properties()["cluster.id"] == "abc="
    assert checkpoints.parse_properties(b"#comment\n\n a = b \n!x\n") == {"a": "b"}


def test_retention_writes_the_log_start_before_files_go() -> None:
    files = MemoryFiles()
    manager, _ = start(files)
    log = manager.create("orders", 0, ID, LogConfig(segment_bytes=1000, retention_bytes=1000), NOW)
    fill(log, 30)
    assert manager.apply_retention(NOW) > 1
    stored = checkpoints.parse_offsets(files.read_all("/data/log-start-offset-checkpoint"))
    assert stored == {("orders", 0): log.log_start_offset}


@pytest.mark.parametrize(
    "data",
    [
        b"version: 1\ntopic_id: AAECAwQFBgcICQoLDA0ODw",
        b"",
        b"version: 0\ntopic_id: AAE",
        b"\0" * 43,
        b"version: 0\ntopic_id: !!!",
    ],
)
def test_a_damaged_partition_metadata_is_found_out(data: bytes) -> None:
    with pytest.raises(CorruptSidecarError):
        checkpoints.parse_partition_metadata(data)


def test_the_marker_of_an_older_kafka_is_empty() -> None:
    assert [
        checkpoints.parse_clean_shutdown(data) for data in (b"", b"{}", b"[]", b'{"version":0,"brokerEpoch":5}')
    ] == [-1, -1, -1, 5]


def test_a_checkpoint_prepared_earlier_does_not_undo_a_later_one() -> None:
    files = MemoryFiles()
    manager, _ = start(files)
    log = manager.create("orders", 0, ID, None, NOW)
    fill(log, 10)
    log.sync()
    log.delete_records_before(2)
    in_a_thread = manager.prepare_checkpoint()
    log.delete_records_before(4)
    manager.checkpoint_log_starts()
    in_a_thread()
    assert files.read_all("/data/log-start-offset-checkpoint") == b"0\n1\norders 0 4\n"
    assert files.read_all("/data/recovery-point-offset-checkpoint") == b"0\n1\norders 0 10\n"


def test_a_topic_deleted_under_a_checkpoint_or_a_sync_is_no_failure_of_the_disk(tmp_path: Path) -> None:
    manager, _ = start(DiskFiles(), str(tmp_path))
    for number in range(2):
        fill(manager.create("orders", number, ID, None, NOW), 10)
    gone = manager.get("orders", 0)
    assert gone is not None
    checkpoint, sync = manager.prepare_checkpoint(), gone.prepare_sync()
    manager.delete("orders", 0, NOW)
    checkpoint()
    sync.run()
    assert manager.directories[0].health.failure is None
    manager.shutdown()
