"""Records of internal topics: coordinators' keys and values, the frame of metadata records."""

from __future__ import annotations

import pytest

from ottla.protocol.errors import RemoteProtocolError
from ottla.protocol.stored import consumer_offsets, metadata_frame, share_group_state, transaction_state
from ottla.protocol.stored.consumer_offsets import GroupMetadataKey, OffsetCommitKey, OffsetCommitValue
from ottla.protocol.stored.coordinator_records import RecordTable, UnknownRecordError, encode_key, encode_value
from ottla.protocol.stored.metadata import NoOpRecord, PartitionRecord, TopicRecord
from tests.protocol.messages import versions_of

TABLES = [consumer_offsets.RECORDS, transaction_state.RECORDS, share_group_state.RECORDS]
KEY = OffsetCommitKey(group="g", topic="t", partition=7)
VALUE = OffsetCommitValue(offset=42, metadata="m", commit_timestamp=5)


def test_key_and_value_are_prefixed() -> None:
    """As Kafka's tools show it: key type 1, then group, topic, partition; value version 3."""
    assert encode_key(KEY) == b"\0\1" + b"\0\1g" + b"\0\1t" + b"\0\0\0\7"
    value = encode_value(VALUE, 3)
    assert value is not None
    assert value[:10] == b"\0\3" + (42).to_bytes(8, "big")


@pytest.mark.parametrize("table", TABLES)
def test_every_record_type_comes_back_in_every_version(table: RecordTable) -> None:
    for number, record_type in table.types.items():
        assert number == record_type.key.API_KEY == record_type.value.API_KEY
        key = encode_key(record_type.key())
        assert table.decode_key(key) == record_type.key()
        assert table.decode(key, None) == (record_type.key(), None)
        for version in versions_of(record_type.value):
            pair = table.decode(key, encode_value(record_type.value(), version))
            assert pair == (record_type.key(), record_type.value())


def test_newest_version_is_written_unless_named() -> None:
    assert encode_value(VALUE) == encode_value(VALUE, 4)
    assert encode_value(None) is None


def test_unknown_types_and_versions_can_be_told_from_damage() -> None:
    with pytest.raises(UnknownRecordError):
        consumer_offsets.RECORDS.decode(b"\0\x63", None)
    with pytest.raises(UnknownRecordError):
        consumer_offsets.RECORDS.decode(encode_key(KEY), b"\0\x63")
    for key, value in ((b"\0", None), (b"\0\1\0", None), (encode_key(KEY), b""), (encode_key(KEY), b"\0\3\0")):
        with pytest.raises(RemoteProtocolError) as caught:
            consumer_offsets.RECORDS.decode(key, value)
        assert not isinstance(caught.value, UnknownRecordError)


def test_bytes_behind_a_value_are_left_alone() -> None:
    value = encode_value(VALUE)
    assert value is not None
    assert consumer_offsets.RECORDS.decode(encode_key(KEY), value + b"more") == (KEY, VALUE)


def test_tables_hold_all_types() -> None:
    assert [len(table.types) for table in TABLES] == [22, 1, 2]
    assert consumer_offsets.RECORDS.types[2].key is GroupMetadataKey


def test_metadata_records_come_back_in_every_version() -> None:
    assert len(metadata_frame.RECORD_TYPES) == 26
    for cls in metadata_frame.RECORD_TYPES.values():
        for version in versions_of(cls):
            assert metadata_frame.read(metadata_frame.write(cls(), version)) == (cls(), version)


def test_metadata_frame_is_three_varints() -> None:
    assert metadata_frame.write(NoOpRecord()) == b"\1\x14\0" + b"\0"
    assert metadata_frame.write(PartitionRecord())[:3] == b"\1\3\2"


@pytest.mark.parametrize("data", [b"", b"\1", b"\1\2", b"\0\2\0", b"\1\x63\0", b"\1\2\x09", b"\1\2\0\1"])
def test_damaged_metadata_frames_are_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        metadata_frame.read(data)


def test_bytes_behind_a_metadata_record_are_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="1 bytes follow a TopicRecord"):
        metadata_frame.read(metadata_frame.write(TopicRecord(name="t")) + b"x")
