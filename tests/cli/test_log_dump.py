"""`ottla log dump` prints what the files say, and names what is damaged."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from ottla.cli.main import main
from ottla.log import checkpoints
from ottla.log.leader_epochs import LeaderEpochs
from ottla.log.transaction_index import AbortedTransaction, encode
from ottla.protocol.stored import metadata_frame
from ottla.protocol.stored.consumer_offsets import OffsetCommitKey, OffsetCommitValue
from ottla.protocol.stored.coordinator_records import encode_key, encode_value
from ottla.protocol.stored.metadata import TopicRecord
from ottla.records.batch import Compression, Record, build_batch

TIME = 1_700_000_000_000
SEGMENT = "00000000000000000000.log"


@pytest.fixture
def partition(tmp_path: Path) -> Path:
    folder = tmp_path / "orders-0"
    folder.mkdir()
    return folder


def write(path: Path, *parts: bytes | bytearray) -> Path:
    path.write_bytes(b"".join(map(bytes, parts)))
    return path


def dump(path: Path, capsys: pytest.CaptureFixture[str], *flags: str, code: int = 0) -> list[dict[str, Any]]:
    assert main(["log", "dump", "--json", *flags, str(path)]) == code
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def batch(offset: int, *records: Record, **options: Any) -> bytearray:
    return build_batch(records, base_offset=offset, **options)


def test_a_segment_shows_its_batches_and_records(partition: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(
        partition / SEGMENT,
        batch(
            0,
            Record(0, TIME, b"k", b"v", (("h", b"x"),)),
            Record(1, TIME + 1, None, b"\xff"),
            compression=Compression.LZ4,
        ),
        batch(2, Record(0, TIME, b"gone", None)),
    )
    rows = dump(path, capsys, "--records")
    assert [row["kind"] for row in rows] == ["batch", "record", "record", "batch", "record"]
    assert [(row["base_offset"], row["last_offset"], row["compression"]) for row in rows if row["kind"] == "batch"] == [
        (0, 1, "lz4"), (2, 2, "none"),
    ]  # fmt: skip
    assert rows[1] | {"file": ""} == {
        "file": "", "kind": "record", "offset": 0, "timestamp": TIME, "key": "k", "value": "v", "headers": [["h", "x"]],
    }  # fmt: skip
    assert rows[2]["value"] == {"base64": "/w=="}
    assert rows[4]["value"] is None


def test_people_get_a_table(partition: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(partition / SEGMENT, batch(0, Record(0, TIME, b"k", b"v")))
    assert main(["log", "dump", "--records", str(path)]) == 0
    heading, row, record = capsys.readouterr().out.splitlines()
    assert heading.split()[:3] == ["position", "base_offset", "last_offset"]
    assert row.split()[:4] == ["0", "0", "0", "1"]
    assert record.split() == ["|", "0", "2023-11-14T22:13:20.000", "'k'", "→", "'v'"]


def test_a_flipped_bit_is_named(partition: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = batch(0, Record(0, TIME, b"k", b"v"))
    bad = bytearray(good)
    bad[-1] ^= 1
    rows = dump(write(partition / SEGMENT, bad), capsys, code=1)
    assert "CRC" in rows[0]["fault"].upper() or "checksum" in rows[0]["fault"]


def test_a_torn_tail_is_named(partition: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = batch(0, Record(0, TIME, b"k", b"v"))
    rows = dump(write(partition / SEGMENT, whole, whole[:30]), capsys, code=1)
    assert rows[-1]["fault"] == "30 bytes of a batch that is cut off at the end"


def test_offsets_that_go_back_are_named(partition: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = dump(
        write(partition / SEGMENT, batch(5, Record(0, TIME, b"", b"")), batch(5, Record(0, TIME, b"", b""))),
        capsys,
        code=1,
    )
    assert rows[1]["fault"] == "offset 5 after 5"


def test_an_index_is_held_against_its_log(partition: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = batch(0, Record(0, TIME, b"a", b"a")), batch(1, Record(0, TIME, b"b", b"b"))
    write(partition / SEGMENT, first, second)
    index = write(partition / "00000000000000000000.index", struct.pack(">II", 1, len(first)), bytes(80))
    rows = dump(index, capsys)
    assert rows[0] | {"file": ""} == {"file": "", "kind": "entry", "offset": 1, "position": len(first)}
    assert rows[1]["note"] == "80 bytes allocated and not used"
    write(index, struct.pack(">II", 7, len(first)))
    assert dump(index, capsys, code=1)[0]["fault"] == "no batch with this offset begins there"


def test_a_time_index_shows_times(partition: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(partition / "00000000000000000100.timeindex", struct.pack(">qI", TIME, 3), bytes(24))
    rows = dump(path, capsys)
    assert (rows[0]["timestamp"], rows[0]["offset"]) == (TIME, 103)


def test_a_damaged_index_is_named(partition: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(partition / "00000000000000000000.timeindex", struct.pack(">qIqI", 5, 3, 4, 9))
    assert dump(path, capsys, code=1)[-1]["fault"] == "time index is not ascending"


def test_small_files_are_read(partition: Path, capsys: pytest.CaptureFixture[str]) -> None:
    epochs = LeaderEpochs()
    epochs.assign(3, 0)
    epochs.assign(5, 1042)
    assert [(row["leader_epoch"], row["start_offset"]) for row in dump(write(partition / "leader-epoch-checkpoint", epochs.to_bytes()), capsys)] == [(3, 0), (5, 1042)]  # fmt: skip
    offsets = write(partition / "recovery-point-offset-checkpoint", checkpoints.format_offsets({("t", 1): 7}))
    (row,) = dump(offsets, capsys)
    assert (row["topic"], row["partition"], row["offset"]) == ("t", 1, 7)
    aborted = write(partition / "00000000000000000000.txnindex", encode([AbortedTransaction(9, 1, 4, 5)]))
    (row,) = dump(aborted, capsys)
    assert (row["producer_id"], row["first_offset"], row["last_offset"]) == (9, 1, 4)
    topic_id = write(partition / "partition.metadata", checkpoints.format_partition_metadata(bytes(range(16))))
    assert dump(topic_id, capsys)[0]["topic_id"] == checkpoints.format_uuid(bytes(range(16)))
    properties = write(partition / "meta.properties", b"#c\nnode.id=1\n")
    assert dump(properties, capsys)[0]["value"] == "1"


def test_records_of_internal_topics_are_decoded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    groups = tmp_path / "__consumer_offsets-3"
    groups.mkdir()
    key, value = (
        encode_key(OffsetCommitKey(group="g", topic="t", partition=2)),
        encode_value(OffsetCommitValue(offset=77)),
    )
    rows = dump(write(groups / SEGMENT, batch(0, Record(0, TIME, key, value))), capsys, "--records")
    assert rows[1]["decoded"]["key"] == {"message": "OffsetCommitKey", "group": "g", "topic": "t", "partition": 2}
    assert rows[1]["decoded"]["value"]["offset"] == 77
    cluster = tmp_path / "__cluster_metadata-0"
    cluster.mkdir()
    record = metadata_frame.write(TopicRecord(name="orders", topic_id=bytes(range(16))))
    rows = dump(write(cluster / SEGMENT, batch(0, Record(0, TIME, None, record))), capsys, "--records")
    assert rows[1]["decoded"] == {"message": "TopicRecord", "name": "orders", "topic_id": "AAECAwQFBgcICQoLDA0ODw"}


@pytest.mark.parametrize("name", ["Makefile", "nothing.log"])
def test_a_file_that_is_none_is_told(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    if name == "Makefile":
        (tmp_path / name).write_text("")
    assert main(["log", "dump", str(tmp_path / name)]) == 2
    assert "next:" in capsys.readouterr().err
