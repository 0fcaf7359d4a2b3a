"""Records of `__consumer_offsets`: bytes as Kafka writes them, and a group's place in the topic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.coordinator.groups.records import (
    GroupKey,
    OffsetAndMetadata,
    OffsetKey,
    group_metadata_record,
    group_tombstone,
    offset_commit_record,
    offset_tombstone,
    parse_group_metadata,
    parse_key,
    parse_offset_commit,
)
from ottla.coordinator.shard import UnreadableRecordError, java_string_hash, partition_for
from ottla.protocol.stored.consumer_offsets import (
    ConsumerGroupMetadataKey,
    GroupMetadataValue,
    MemberMetadata,
    OffsetCommitValue,
    StreamsGroupTopologyKey,
)
from ottla.protocol.stored.coordinator_records import encode_key, encode_value


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0), ("a", 97), ("group", 98629247), ("polygenelubricants", -(2**31)), ("ä", 228), ("😀", 1772899)],
)
def test_strings_hash_as_in_java(text: str, expected: int) -> None:
    assert java_string_hash(text) == expected


def test_the_hash_without_a_positive_twin_goes_to_partition_zero() -> None:
    assert partition_for("polygenelubricants", 50) == 0


@given(st.text(), st.integers(1, 100))
def test_every_group_has_a_partition(group_id: str, count: int) -> None:
    assert 0 <= partition_for(group_id, count) < count


def test_a_commit_is_written_as_kafka_4_2_writes_it() -> None:
    """Key type 1; value version 4, flexible: offset, leader epoch, metadata, timestamp, topic id as tag 0."""
    record = offset_commit_record("g", "t", 7, OffsetAndMetadata(5, 3, "m", 1000, -1, bytes(range(16))))
    assert record.key == bytes.fromhex("0001 0001 67 0001 74 00000007")
    assert record.value == bytes.fromhex(
        "0004 0000000000000005 00000003 02 6d 00000000000003e8 01 00 10 000102030405060708090a0b0c0d0e0f"
    )


def test_a_commit_with_its_own_retention_is_written_in_version_1() -> None:
    record = offset_commit_record("g", "t", 7, OffsetAndMetadata(5, 3, "m", 1000, 2000))
    assert record.value == bytes.fromhex("0001 0000000000000005 0001 6d 00000000000003e8 00000000000007d0")


@given(st.integers(0, 2**63 - 1), st.integers(-1, 2**31 - 1), st.text(max_size=50), st.binary(min_size=16, max_size=16))
def test_commits_are_read_as_written(offset: int, epoch: int, metadata: str, topic_id: bytes) -> None:
    commit = OffsetAndMetadata(offset, epoch, metadata, 1000, -1, topic_id, 9)
    record = offset_commit_record("g", "t", 7, commit)
    assert parse_key(record.key) == OffsetKey("g", "t", 7)
    assert record.value is not None
    assert parse_offset_commit(record.key, record.value, 9) == commit


def test_groups_are_written_in_version_3_and_read_as_written() -> None:
    value = GroupMetadataValue(
        protocol_type="consumer", generation=3, protocol="range", leader="m", current_state_timestamp=5,
        members=[MemberMetadata(member_id="m", group_instance_id="i", client_id="c", client_host="/127.0.0.1",
                                rebalance_timeout=1, session_timeout=2, subscription=b"s", assignment=b"a")],
    )  # fmt: skip
    record = group_metadata_record("g", value)
    assert record.value is not None
    assert record.value[:2] == b"\x00\x03"
    assert parse_key(record.key) == GroupKey(2, "g")
    assert parse_group_metadata(record.key, record.value) == value


@pytest.mark.parametrize("metadata", ["", "m"])
@pytest.mark.parametrize("topic_id", [bytes(16), bytes(range(16))])
def test_a_plain_commit_has_the_bytes_of_the_codec(metadata: str, topic_id: bytes) -> None:
    """The short way of commits without metadata writes and reads what the schema says."""
    offset = OffsetAndMetadata(7, 3, metadata, 1_700_000_000_000, -1, topic_id, 5)
    record = offset_commit_record("g", "t", 1, offset)
    value = OffsetCommitValue(
        offset=7, leader_epoch=3, metadata=metadata, commit_timestamp=1_700_000_000_000, topic_id=topic_id
    )
    assert record.value == encode_value(value, 4)
    assert parse_offset_commit(record.key, record.value, 5) == offset


def test_tombstones_have_the_key_of_what_they_delete() -> None:
    value = GroupMetadataValue(protocol=None, leader=None)
    assert group_tombstone("g") == (group_metadata_record("g", value).key, None)
    offset = OffsetAndMetadata(1, -1, "", 0)
    assert offset_tombstone("g", "t", 0) == (offset_commit_record("g", "t", 0, offset).key, None)


def test_keys_of_other_kinds_of_groups_name_their_group() -> None:
    assert parse_key(encode_key(ConsumerGroupMetadataKey(group_id="g"))) == GroupKey(3, "g")
    assert parse_key(encode_key(StreamsGroupTopologyKey(group_id="g"))) == GroupKey(23, "g")


def test_a_key_of_the_future_is_not_ours_to_judge() -> None:
    assert parse_key(b"\x03\xe7whatever") is None


@given(st.binary(max_size=40))
def test_any_bytes_are_a_key_or_refused(data: bytes) -> None:
    try:
        parse_key(data)
    except UnreadableRecordError:
        pass
