"""Batches: built and read back, patched, and refused for every way in which they can be wrong."""

from __future__ import annotations

import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.protocol.errors import ErrorCode, KafkaError
from ottla.records import batch as batch_module
from ottla.records.batch import (
    CRC_START,
    HEADER_SIZE,
    Compression,
    Record,
    RecordValidationError,
    TimestampType,
    build_batch,
    check_and_describe,
    check_batch,
    check_produce_request,
    crc32c,
    find_timestamp,
    iter_headers,
    patch,
    read_header,
    read_records,
)
from tests.records.conftest import Form
from tests.records.strategies import RECORDS, batches, options

THREE = [Record(0, 1000, b"a", b"1"), Record(0, 3000, b"b", None, (("h", b"x"),)), Record(0, 2000, None, b"3")]
ONE_OFFSET = 61  # of the first record in an uncompressed batch


def seal(data: bytearray) -> bytearray:
    """Give a batch that was tampered with the right size and checksum."""
    struct.pack_into(">i", data, 8, len(data) - 12)
    struct.pack_into(">I", data, 17, crc32c(data, CRC_START))
    return data


def refusal(data: bytes | bytearray, **how: object) -> KafkaError:
    with pytest.raises(KafkaError) as refused:
        check_and_describe(data, **how)  # type: ignore[arg-type]
    return refused.value


def with_records(payload: bytes, count: int = 1) -> bytearray:
    """A sealed batch around hand-made record bytes."""
    data = build_batch([Record(0, 0, b"", b"")] * max(count, 1))[:HEADER_SIZE] + payload
    struct.pack_into(">i", data, 57, count)
    return seal(data)


# Building and reading ------------------------------------------------------------------------------------------------


@given(records=RECORDS, how=options())
def test_what_is_built_is_good_and_reads_back(records: list[Record], how: dict[str, object]) -> None:
    data = build_batch(records, **how)  # type: ignore[arg-type]
    check = check_and_describe(data)
    header = check.header
    latest = max(-1, *(record.timestamp for record in records))
    appended = how["timestamp_type"] == TimestampType.LOG_APPEND_TIME
    expected = [
        record._replace(offset=header.base_offset + i, timestamp=header.max_timestamp if appended else record.timestamp)
        for i, record in enumerate(records)
    ]
    assert read_records(data) == expected
    assert header.max_timestamp == latest
    assert header.size == len(data)
    assert header.next_offset == header.base_offset + len(records)
    assert (header.producer_id, header.is_control) == (how["producer_id"], how["control"])
    if not appended:
        assert check.max_timestamp == latest
        assert latest == -1 or records[check.max_timestamp_delta].timestamp == latest


@given(records=RECORDS, how=options())
def test_both_forms_build_the_same_bytes(forms: dict[str, Form], records: list[Record], how: dict[str, object]) -> None:
    built = set()
    for form in forms.values():
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(batch_module, "_batch_cy", form.batch_cy)
            patched.setattr(batch_module, "_records_cy", form.records_cy)
            built.add(bytes(build_batch(records, **how)))  # type: ignore[arg-type]
    assert len(built) == 1


def test_a_batch_needs_a_record(form: Form) -> None:
    with pytest.raises(ValueError, match="at least one"):
        build_batch([])


def test_timestamps_too_far_apart_for_64_bits_are_an_error(form: Form) -> None:
    with pytest.raises(OverflowError):
        build_batch(
            [Record(0, -(1 << 62), None, None), Record(0, 1 << 62, None, None), Record(0, (1 << 63) - 1, None, None)]
        )


def test_headers_are_iterated_up_to_a_cut_batch(form: Form) -> None:
    data = build_batch(THREE) + build_batch(THREE, base_offset=3)
    assert [(pos, h.base_offset) for pos, h in iter_headers(data)] == [(0, 0), (len(data) // 2, 3)]
    for cut in range(len(data) // 2 + 1, len(data)):
        assert [h.base_offset for _, h in iter_headers(memoryview(data)[:cut])] == [0]


def test_iterating_ends_at_an_impossible_size(form: Form) -> None:
    data = build_batch(THREE)
    struct.pack_into(">i", data, 8, 48)
    with pytest.raises(KafkaError) as refused:
        list(iter_headers(data))
    assert refused.value.code == ErrorCode.CORRUPT_MESSAGE


def test_the_last_sequence_wraps_as_kafkas_does(form: Form) -> None:
    data = build_batch(THREE, producer_id=1, producer_epoch=0, base_sequence=(1 << 31) - 2)
    assert read_header(data).last_sequence == 0


@pytest.mark.parametrize("codec", list(Compression))
def test_a_record_is_found_by_time_and_offset(form: Form, codec: Compression) -> None:
    data = build_batch(THREE, base_offset=10, compression=codec)
    assert find_timestamp(data, 0, 1500) == (3000, 11)
    assert find_timestamp(data, 0, 1500, 12) == (2000, 12)
    assert find_timestamp(data, 0, 3001) is None


# Patching ------------------------------------------------------------------------------------------------------------


def test_offset_and_epoch_are_patched_under_the_same_checksum(form: Form) -> None:
    data = bytearray(b"....") + build_batch(THREE)
    before = read_header(data, 4)
    patch(data, 4, 1 << 40, 9)
    assert read_header(data, 4) == before._replace(base_offset=1 << 40, partition_leader_epoch=9)
    check_batch(data, 4, read_header(data, 4))


def test_log_append_time_is_patched_with_a_new_checksum(form: Form) -> None:
    data = build_batch(THREE, compression=Compression.ZSTD)
    patch(data, 0, 5, 1, log_append_time_ms=777)
    check = check_and_describe(data)
    assert check.header.timestamp_type == TimestampType.LOG_APPEND_TIME
    assert (check.max_timestamp, check.max_timestamp_delta) == (777, 0)
    assert [record.timestamp for record in read_records(data)] == [777, 777, 777]


def test_a_false_maximum_is_found_and_corrected(form: Form) -> None:
    data = build_batch(THREE)
    struct.pack_into(">q", data, 35, 1 << 50)
    check = check_and_describe(seal(data))
    assert (check.max_timestamp, check.max_timestamp_delta) == (3000, 1)
    patch(data, 0, 0, 0, max_timestamp=check.max_timestamp)
    assert check_and_describe(data).header.max_timestamp == 3000


# Refusing ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", list(Compression))
def test_a_change_of_any_byte_behind_the_checksum_is_seen(form: Form, codec: Compression) -> None:
    data = build_batch(THREE, compression=codec)
    for place in range(17, len(data)):
        data[place] ^= 0x10
        assert refusal(data).code == ErrorCode.CORRUPT_MESSAGE
        data[place] ^= 0x10
    check_and_describe(data)


@pytest.mark.parametrize("codec", list(Compression))
def test_a_batch_cut_anywhere_is_refused(form: Form, codec: Compression) -> None:
    data = build_batch(THREE, compression=codec)
    for size in range(len(data)):
        assert refusal(data[:size]).code == ErrorCode.CORRUPT_MESSAGE


@pytest.mark.parametrize(
    ("place", "value", "code"),
    [
        (16, b"\x00", ErrorCode.INVALID_RECORD),
        (16, b"\x01", ErrorCode.INVALID_RECORD),
        (16, b"\x03", ErrorCode.CORRUPT_MESSAGE),
        (16, b"\xff", ErrorCode.CORRUPT_MESSAGE),
        (8, b"\x7f\xff\xff\xff", ErrorCode.CORRUPT_MESSAGE),
        (8, b"\xff\xff\xff\xff", ErrorCode.CORRUPT_MESSAGE),
        (8, b"\x00\x00\x00\x30", ErrorCode.CORRUPT_MESSAGE),
    ],
)
def test_magic_and_size_are_judged_before_all_else(form: Form, place: int, value: bytes, code: ErrorCode) -> None:
    data = build_batch(THREE)
    data[place : place + len(value)] = value
    assert refusal(data).code == code


@pytest.mark.parametrize(
    ("count", "last"),
    [(0, 2), (-1, 2), (2, 2), (4, 2), (3, -1), (3, 1), (3, 3), (2**31 - 1, 2**31 - 2), (4, 3), (2, 1)],
)
def test_counts_must_agree(form: Form, count: int, last: int) -> None:
    data = build_batch(THREE)
    struct.pack_into(">i", data, 57, count)
    struct.pack_into(">i", data, 23, last)
    assert refusal(seal(data)).code == ErrorCode.INVALID_RECORD


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "ends before record 0"),
        (b"\x80", "ends before record 0"),
        (b"\x0e\0\0\0\1\1\0\0", "a header of record 0"),
        (b"\x0c\0\0\0\1\1\0\0", "bytes follow"),
        (b"\0\0\0\0\1\1\0", "a size in record 0"),
        (b"\1\0\0\0\1\1\0", "a size in record 0"),
        (b"\x0e\0\0\0\1\1\0", "a size in record 0"),
        (b"\x0a\0\0\0\1\1\0", "a header of record 0"),
        (b"\xff\xff\xff\xff\x0f\0\0\0\1\1\0", "a size in record 0"),
        (b"\xfe\xff\xff\xff\x0f\0\0\0\1\1\0", "a size in record 0"),
        (b"\x80\x80\x80\x80\x80\x00\0\0\0\1\1\0", "ends before record 0"),
        (b"\xfe\xff\xff\xff\x1f\0\0\0\1\1\0", "ends before record 0"),
        (b"\x0c\0\0\2\1\1\0", "the offset of record 0"),
        (b"\x0c\0\0\1\1\1\0", "the offset of record 0"),
        (b"\x0c\0\0\0\3\1\0", "a size in record 0"),
        (b"\x0c\0\0\0\1\3\0", "a size in record 0"),
        (b"\x0c\0\0\0\2\1\0", "a header of record 0"),
        (b"\x0c\0\0\0\1\1\1", "a header of record 0"),
        (b"\x0c\0\0\0\1\1\2", "a header of record 0"),
        (b"\x10\0\0\0\1\1\2\1\1", "a header of record 0"),
        (b"\x10\0\0\0\1\1\2\0\3", "a header of record 0"),
        (b"\x1e\0\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x02\0\1\1\0", "a size in record 0"),
    ],
)
def test_a_malformed_record_is_refused(form: Form, payload: bytes, reason: str) -> None:
    for produced in (True, False):
        error = refusal(with_records(payload), produced=produced)
        assert error.code == ErrorCode.INVALID_RECORD
        if produced:
            assert reason in error.message
    with pytest.raises(KafkaError):
        read_records(with_records(payload))


def test_the_smallest_record_and_overlong_varints_are_good(form: Form) -> None:
    check_and_describe(with_records(b"\x0c\0\0\0\1\1\0"))
    check_and_describe(with_records(b"\x8c\x80\0\0\0\0\1\1\0"))
    check_and_describe(with_records(b"\x10\0\0\0\1\1\2\0\1"))


def test_a_timestamp_beyond_64_bits_is_refused(form: Form) -> None:
    data = with_records(b"\x0c\0\2\0\1\1\0")
    struct.pack_into(">q", data, 27, (1 << 63) - 1)
    assert "64-bit" in refusal(seal(data)).message
    data = with_records(b"\x0c\0\1\0\1\1\0")
    struct.pack_into(">q", data, 27, -(1 << 63))
    assert "64-bit" in refusal(seal(data)).message


def test_gaps_are_good_in_a_compacted_batch_only(form: Form) -> None:
    records = [Record(12, 1, b"a", b""), Record(15, 2, b"b", b"")]
    data = build_batch(records, base_offset=10, keep_offsets=True, last_offset_delta=8)
    assert check_and_describe(data, produced=False).max_timestamp_delta == 5
    assert [record.offset for record in read_records(data)] == [12, 15]
    assert refusal(data).code == ErrorCode.INVALID_RECORD
    struct.pack_into(">i", data, 23, 4)
    assert "offset of record 1" in refusal(seal(data), produced=False).message


@pytest.mark.parametrize("codec", list(Compression))
def test_a_record_without_key_is_named_where_the_topic_is_compacted(form: Form, codec: Compression) -> None:
    data = build_batch(THREE * 2, compression=codec)
    check_and_describe(data)
    error = refusal(data, compacted=True)
    assert isinstance(error, RecordValidationError)
    assert error.code == ErrorCode.INVALID_RECORD
    assert [index for index, _ in error.record_errors] == [2, 5]


def test_the_errors_that_are_named_are_limited(form: Form) -> None:
    error = refusal(build_batch([Record(0, 0, None, b"")] * 1500), compacted=True)
    assert isinstance(error, RecordValidationError)
    assert len(error.record_errors) == 1000


def test_a_timestamp_out_of_bounds_is_named(form: Form) -> None:
    error = refusal(build_batch([*THREE, Record(0, -1, b"", b"")]), timestamp_low=1500, timestamp_high=2500)
    assert isinstance(error, RecordValidationError)
    assert error.code == ErrorCode.INVALID_TIMESTAMP
    assert [index for index, _ in error.record_errors] == [0, 1]


@pytest.mark.parametrize("codec", [5, 6, 7])
def test_an_unknown_codec_is_refused_by_name(form: Form, codec: int) -> None:
    data = build_batch(THREE)
    data[22] |= codec
    assert refusal(seal(data)).code == ErrorCode.UNSUPPORTED_COMPRESSION_TYPE


@pytest.mark.parametrize("codec", [c for c in Compression if c])
def test_damage_under_a_right_checksum_is_refused(form: Form, codec: Compression) -> None:
    data = build_batch(THREE, compression=codec)
    for payload in (b"", data[HEADER_SIZE:-1], data[HEADER_SIZE:] + b"\0\0", b"\0" * 20):
        refusal(seal(data[:HEADER_SIZE] + payload))


@given(data=batches(), place=st.integers(0, 10_000), value=st.integers(1, 255), sealed=st.booleans())
def test_a_mutated_batch_is_judged_alike_by_both_forms(
    forms: dict[str, Form], data: bytearray, place: int, value: int, sealed: bool
) -> None:
    """Refused with an error of Kafka, or good and readable; never anything else, and compiled as uncompiled."""
    data[place % len(data)] ^= value
    if sealed:
        struct.pack_into(">I", data, 17, crc32c(data, CRC_START))
    seen = []
    for form in forms.values():
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(batch_module, "_batch_cy", form.batch_cy)
            patched.setattr(batch_module, "_records_cy", form.records_cy)
            try:
                seen.append(str((check_and_describe(data), read_records(data))))
            except KafkaError as error:
                seen.append(str(error))
    assert len(set(seen)) == 1


@given(data=batches(), place=st.integers(0, 10_000), value=st.integers(1, 255))
def test_a_mutation_is_refused_or_outside_of_what_the_producer_said(data: bytearray, place: int, value: int) -> None:
    records = [record[1:] for record in read_records(data)]
    place %= len(data)
    data[place] ^= value
    try:
        check_and_describe(data)
    except KafkaError:
        return
    assert place < 8 or 12 <= place < 16  # base offset and leader epoch: the broker's to assign
    assert [record[1:] for record in read_records(data)] == records


@given(payload=st.binary(max_size=80), count=st.integers(0, 5))
def test_garbage_is_judged_without_harm(forms: dict[str, Form], payload: bytes, count: int) -> None:
    data = with_records(payload, count)
    for form in forms.values():
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(batch_module, "_batch_cy", form.batch_cy)
            patched.setattr(batch_module, "_records_cy", form.records_cy)
            try:
                read_records(data)
            except KafkaError as error:
                assert error.code == ErrorCode.INVALID_RECORD


@pytest.mark.parametrize(
    "payload",
    [
        b"\xfe\xff\xff\xff\x0f" + b"\0" * 20,  # a record of 2 GiB
        b"\x18\0\0\0\xfe\xff\xff\xff\x0f\0\0\0\0",  # a key of 2 GiB
        b"\x18\0\0\0\1\xfe\xff\xff\xff\x0f\0\0\0",  # a value of 2 GiB
        b"\x18\0\0\0\1\1\xfe\xff\xff\xff\x0f\0\0",  # two thousand million headers
    ],
)
def test_a_size_that_lies_takes_no_memory(form: Form, payload: bytes) -> None:
    data = with_records(payload)
    struct.pack_into(">i", data, 57, 1)
    tracemalloc.start()
    try:
        for produced in (True, False):
            refusal(data, produced=produced)
        with pytest.raises(KafkaError):
            read_records(data)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_positions_outside_of_the_buffer_are_the_callers_mistake(form: Form) -> None:
    data = build_batch(THREE)
    for pos, end in ((-1, 10), (0, len(data) + 1), (len(data), 10)):
        with pytest.raises(IndexError):
            check_and_describe(data, pos, end)
    with pytest.raises(IndexError):
        read_header(data, len(data) - HEADER_SIZE + 1)
    with pytest.raises(KafkaError):
        read_records(data, 1)


# Produce requests ----------------------------------------------------------------------------------------------------


def test_a_produce_request_brings_one_batch_of_a_codec_it_knows(form: Form) -> None:
    one, zstd = build_batch(THREE), build_batch(THREE, compression=Compression.ZSTD)
    check_produce_request(one, 3)
    check_produce_request(zstd, 7)
    for data, version, code in [
        (b"", 9, ErrorCode.INVALID_RECORD),
        (one + one, 9, ErrorCode.INVALID_RECORD),
        (one[:-1], 9, ErrorCode.INVALID_RECORD),
        (one + b"\0", 9, ErrorCode.INVALID_RECORD),
        (one[:16] + b"\3" + one[17:], 9, ErrorCode.CORRUPT_MESSAGE),
        (zstd, 6, ErrorCode.UNSUPPORTED_COMPRESSION_TYPE),
    ]:
        with pytest.raises(KafkaError) as refused:
            check_produce_request(data, version)
        assert refused.value.code == code


def test_any_kind_of_buffer_is_taken(form: Form) -> None:
    data = build_batch(THREE, compression=Compression.LZ4)
    padded = bytearray(b"xx") + data + b"yy"
    for buffer in (
        bytes(data),
        data,
        memoryview(data),
        memoryview(padded)[2:-2],
        memoryview(padded).toreadonly()[2:-2],
    ):
        assert check_and_describe(buffer).header.record_count == 3
        assert len(read_records(buffer)) == 3
    assert check_and_describe(padded, 2, len(padded) - 2).header.record_count == 3
