"""Control batches: markers are written, read, and their malformed forms refused."""

from __future__ import annotations

import pytest

from ottla.protocol.errors import ErrorCode, KafkaError
from ottla.records.batch import Record, check_and_describe, read_records
from ottla.records.control import (
    ControlType,
    EndTransactionMarker,
    build_end_transaction_marker,
    build_leader_change,
    control_type,
    read_end_transaction_marker,
)
from tests.records.conftest import Form


@pytest.mark.parametrize("committed", [True, False])
def test_a_marker_reads_back_and_takes_no_sequence(form: Form, committed: bool) -> None:
    marker = EndTransactionMarker(committed, 3)
    data = build_end_transaction_marker(marker, producer_id=9, producer_epoch=2, timestamp_ms=1000, base_offset=44)
    header = check_and_describe(data).header
    assert (header.is_control, header.is_transactional, header.base_sequence) == (True, True, -1)
    assert (header.producer_id, header.producer_epoch) == (9, 2)
    (record,) = read_records(data)
    assert record.offset == 44
    assert read_end_transaction_marker(record) == marker


def test_other_types_are_no_markers_and_unknown_ones_no_error(form: Form) -> None:
    (record,) = read_records(build_leader_change(1, [1, 2, 3], timestamp_ms=5))
    assert control_type(record.key) == ControlType.LEADER_CHANGE
    assert read_end_transaction_marker(record) is None
    assert control_type(b"\0\0\0\x63") == ControlType.UNKNOWN
    assert control_type(b"\0\1\0\1more") == ControlType.COMMIT


@pytest.mark.parametrize(
    ("key", "value"),
    [(None, b""), (b"\0\0\0", b""), (b"\xff\xff\0\1", b"\0\0\0\0\0\1"), (b"\0\0\0\1", None), (b"\0\0\0\1", b"\0\0\0\0\0"),
     (b"\0\0\0\1", b"\xff\xff\0\0\0\1")],
)  # fmt: skip
def test_a_malformed_marker_is_refused(key: bytes | None, value: bytes | None) -> None:
    with pytest.raises(KafkaError) as refused:
        read_end_transaction_marker(Record(0, 0, key, value))
    assert refused.value.code == ErrorCode.INVALID_RECORD
