"""Batches that Apache Kafka wrote are read as Kafka reads them, checked good, and refused where Kafka refuses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ottla.protocol.errors import ErrorCode, KafkaError
from ottla.records.batch import (
    Compression,
    Record,
    build_batch,
    check_and_describe,
    check_produce_request,
    empty_batch,
    read_header,
    read_records,
)
from ottla.records.control import (
    EndTransactionMarker,
    build_end_transaction_marker,
    build_leader_change,
    read_end_transaction_marker,
)
from tests.records.conftest import Form
from tests.records.reading import as_text

GOLDEN = Path(__file__).parent.parent / "golden" / "records"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.txt") if not path.stem.startswith("old-"))
#: Golden batches that no producer may send: made by compaction.
NOT_PRODUCED = {"compacted", "empty"}


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.batch").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_kafka_is_read_as_kafka_reads_it(form: Form, name: str) -> None:
    assert as_text(golden(name)) == (GOLDEN / f"{name}.txt").read_text().splitlines()


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_kafka_is_good(form: Form, name: str) -> None:
    data = golden(name)
    check = check_and_describe(data, produced=name not in NOT_PRODUCED)
    assert check.header == read_header(data)
    assert check.max_timestamp == check.header.max_timestamp


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_a_batch_of_several_compressed_blocks_is_read_and_good(form: Form, codec: str) -> None:
    data = golden(f"many-{codec}")
    expected = [
        Record(
            5000 + i,
            1700000000000 + i,
            None if i % 7 == 0 else b"key-%d" % (i % 10),
            b"line %d" % i + b" of a log " * 12,
        )
        for i in range(500)
    ]
    assert check_and_describe(data).max_timestamp_delta == 499
    assert read_records(data) == expected


@pytest.mark.parametrize("name", ["old-magic-0", "old-magic-1", "old-magic-1-gzip"])
def test_message_sets_of_old_are_refused_with_kafkas_error(form: Form, name: str) -> None:
    for check in (check_and_describe, lambda data: check_produce_request(data, 3)):
        with pytest.raises(KafkaError) as refused:
            check(golden(name))
        assert refused.value.code == ErrorCode.INVALID_RECORD


@pytest.mark.parametrize("name", ["three-none", "nulls", "headers", "idempotent", "commit", "abort", "leader-change"])
def test_an_uncompressed_batch_is_built_to_the_byte_as_kafka_builds_it(form: Form, name: str) -> None:
    data = golden(name)
    header = read_header(data)
    built = build_batch(
        read_records(data),
        base_offset=header.base_offset,
        producer_id=header.producer_id,
        producer_epoch=header.producer_epoch,
        base_sequence=header.base_sequence,
        transactional=header.is_transactional,
        control=header.is_control,
        leader_epoch=header.partition_leader_epoch,
    )
    assert bytes(built) == data


def test_a_compacted_batch_is_built_to_the_byte_as_kafka_builds_it(form: Form) -> None:
    data = golden("compacted")
    built = build_batch(read_records(data), base_offset=10, keep_offsets=True, last_offset_delta=9, leader_epoch=7)
    assert bytes(built) == data


def test_an_emptied_batch_is_built_to_the_byte_as_kafka_builds_it(form: Form) -> None:
    records = [Record(0, 5, b"k", b"v")] * 5
    full = build_batch(
        records, base_offset=30, producer_id=4242, producer_epoch=3, base_sequence=20, leader_epoch=7,
        compression=Compression.GZIP,
    )  # fmt: skip
    assert bytes(empty_batch(read_header(full))) == golden("empty")


@pytest.mark.parametrize(("name", "marker"), [("commit", (True, 12)), ("abort", (False, 13))])
def test_transaction_markers_are_kafkas_to_the_byte(form: Form, name: str, marker: tuple[bool, int]) -> None:
    data = golden(name)
    (record,) = read_records(data)
    expected = EndTransactionMarker(*marker)
    assert read_end_transaction_marker(record) == expected
    built = build_end_transaction_marker(
        expected,
        producer_id=4243,
        producer_epoch=1,
        timestamp_ms=record.timestamp,
        base_offset=record.offset,
        leader_epoch=7,
    )
    assert bytes(built) == data


def test_a_leader_change_is_kafkas_to_the_byte(form: Form) -> None:
    built = build_leader_change(1, [1, 2], timestamp_ms=1700000000002, leader_epoch=5)
    assert bytes(built) == golden("leader-change")
