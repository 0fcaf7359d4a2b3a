"""The records of `__consumer_offsets`, in the bytes Apache Kafka 4.2 writes.

A key begins with an int16 that says what the record is, a value with the int16 version of its schema:

    key    ┌──────┬───────────────────────────┐     value  ┌─────────┬──────────────────┐
           │ type │ fields, group id first    │            │ version │ fields           │
           └──────┴───────────────────────────┘            └─────────┴──────────────────┘
    0, 1   the offset a group committed for a partition (0 is the type of Kafka before 0.9)
    2      the state of a classic group: generation, protocol, leader, members and their assignments
    3-8, 16   consumer groups (KIP-848)     10-15 share groups (KIP-932)     17-23 streams groups (KIP-1071)

A value of null is a tombstone. Of types that no kind of group owns (`kind`), the keys are kept, so that deleting or
converting the group they belong to can bury them too.
Values are written in the versions of Kafka's `GroupCoordinatorRecordHelpers`: GroupMetadata 3, OffsetCommit 4,
or 1 where the request set its own retention time.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct as Layout
from typing import NamedTuple

from ...protocol.errors import RemoteProtocolError
from ...protocol.schema import ZERO_UUID, Data
from ...protocol.stored.consumer_offsets import (
    RECORDS,
    GroupMetadataKey,
    GroupMetadataValue,
    LegacyOffsetCommitKey,
    LegacyOffsetCommitValue,
    OffsetCommitKey,
    OffsetCommitValue,
)
from ...protocol.stored.coordinator_records import UnknownRecordError, encode_key, encode_value
from ..decision import StoredRecord
from ..shard import UnreadableRecordError

__all__ = [
    "GroupKey", "OffsetAndMetadata", "OffsetKey", "group_metadata_record",
    "group_tombstone", "offset_commit_record", "offset_tombstone", "parse", "parse_group_metadata",
    "parse_key", "parse_offset_commit",
]  # fmt: skip

GROUP_METADATA_VALUE_VERSION = 3
OFFSET_COMMIT_VALUE_VERSION = 4
#: Longer keys are not remembered, so that no client fills much memory with them.
REMEMBERED_KEY_MAX = 256
#: The last version whose value has `expire_timestamp`.
OFFSET_COMMIT_VALUE_VERSION_WITH_EXPIRY = 1

_new_tuple = tuple.__new__
#: The commit that nearly all are, v4 without metadata, by one call instead of one per field: version, offset, leader epoch,
#: the length of the metadata plus one, timestamp; then the tagged topic id, or no tags. `codec` reads and writes the same.
_PLAIN_OFFSET = Layout(">hqibq")
_NO_TAGS = b"\x00"
_TOPIC_ID_TAG = b"\x01\x00\x10"
_WITHOUT_TOPIC_ID = _PLAIN_OFFSET.size + len(_NO_TAGS)
_TOPIC_ID_AT = _PLAIN_OFFSET.size + len(_TOPIC_ID_TAG)
_WITH_TOPIC_ID = _TOPIC_ID_AT + len(ZERO_UUID)


class OffsetKey(NamedTuple):
    """Key of a committed offset."""

    group_id: str
    topic: str
    partition: int


class GroupKey(NamedTuple):
    """Key of any other record: what it is and the group it belongs to."""

    record_type: int
    group_id: str


class OffsetAndMetadata(NamedTuple):
    """A committed offset as it is kept in memory."""

    committed_offset: int
    leader_epoch: int
    metadata: str
    commit_timestamp_ms: int
    #: -1: the retention of the broker counts, not one that the commit brought along.
    expire_timestamp_ms: int = -1
    topic_id: bytes = ZERO_UUID
    #: Where the record lies in the partition; orders commits inside and outside of transactions.
    record_offset: int = -1


@lru_cache(maxsize=8192)  # A group commits the same few partitions again and again.
def _offset_key(group_id: str, topic: str, partition: int) -> bytes:
    return encode_key(OffsetCommitKey(group=group_id, topic=topic, partition=partition))


def offset_commit_record(group_id: str, topic: str, partition: int, offset: OffsetAndMetadata) -> StoredRecord:
    """Write a committed offset."""
    expires = offset.expire_timestamp_ms != -1
    if not expires and not offset.metadata:
        data = _PLAIN_OFFSET.pack(
            OFFSET_COMMIT_VALUE_VERSION, offset.committed_offset, offset.leader_epoch, 1, offset.commit_timestamp_ms
        )
        tail = _NO_TAGS if offset.topic_id == ZERO_UUID else _TOPIC_ID_TAG + offset.topic_id
        return _new_tuple(StoredRecord, (_offset_key(group_id, topic, partition), data + tail))
    version = OFFSET_COMMIT_VALUE_VERSION_WITH_EXPIRY if expires else OFFSET_COMMIT_VALUE_VERSION
    value = OffsetCommitValue(
        offset=offset.committed_offset, leader_epoch=offset.leader_epoch, metadata=offset.metadata,
        commit_timestamp=offset.commit_timestamp_ms, expire_timestamp=offset.expire_timestamp_ms,
        topic_id=offset.topic_id,
    )  # fmt: skip
    return StoredRecord(_offset_key(group_id, topic, partition), encode_value(value, version))


def offset_tombstone(group_id: str, topic: str, partition: int) -> StoredRecord:
    """Delete a committed offset."""
    return StoredRecord(_offset_key(group_id, topic, partition), None)


def group_metadata_record(group_id: str, value: GroupMetadataValue) -> StoredRecord:
    """Write the state of a classic group."""
    key = encode_key(GroupMetadataKey(group=group_id))
    return StoredRecord(key, encode_value(value, GROUP_METADATA_VALUE_VERSION))


def group_tombstone(group_id: str) -> StoredRecord:
    """Delete a classic group."""
    return StoredRecord(encode_key(GroupMetadataKey(group=group_id)), None)


def parse_key(key: bytes | None) -> OffsetKey | GroupKey | None:
    """Read a key; None if it is of a type that no Kafka up to 4.2 writes."""
    if key is None:
        raise UnreadableRecordError("a record of __consumer_offsets without a key")
    return _parse_key(key) if len(key) > REMEMBERED_KEY_MAX else _remembered_key(key)


def _parse_key(key: bytes) -> OffsetKey | GroupKey | None:
    try:
        parsed = RECORDS.decode_key(key)
    except UnknownRecordError:
        return None
    except RemoteProtocolError as error:
        raise UnreadableRecordError(f"key {key[:32]!r}: {error}") from error
    if isinstance(parsed, OffsetCommitKey | LegacyOffsetCommitKey):
        return OffsetKey(parsed.group, parsed.topic, parsed.partition)
    if isinstance(parsed, GroupMetadataKey):
        return GroupKey(parsed.API_KEY, parsed.group)
    group_id: str = parsed.group_id  # type: ignore[attr-defined]  # every other key has it
    return GroupKey(parsed.API_KEY, group_id)


#: A group writes the same few keys again and again.
_remembered_key = lru_cache(maxsize=8192)(_parse_key)


def parse(record: StoredRecord) -> tuple[Data, Data | None]:
    """Read a record of a known type, key and value."""
    try:
        return RECORDS.decode(record.key, record.value)
    except RemoteProtocolError as error:
        raise UnreadableRecordError(f"value of key {record.key[:32]!r}: {error}") from error


def parse_offset_commit(key: bytes, value: bytes, record_offset: int = -1) -> OffsetAndMetadata:
    """Read the value of a committed offset, of any version."""
    plain = _plain_offset(value, record_offset)
    if plain is not None:
        return plain
    stored = _parse_value(key, value)
    if isinstance(stored, LegacyOffsetCommitValue):
        return OffsetAndMetadata(stored.offset, -1, stored.metadata, stored.commit_timestamp)
    assert isinstance(stored, OffsetCommitValue)
    return OffsetAndMetadata(
        stored.offset, stored.leader_epoch, stored.metadata, stored.commit_timestamp, stored.expire_timestamp,
        stored.topic_id, record_offset,
    )  # fmt: skip


def _plain_offset(value: bytes, record_offset: int) -> OffsetAndMetadata | None:
    """Read what `offset_commit_record` writes of a plain commit; None if it is of any other form."""
    size = len(value)
    if size == _WITHOUT_TOPIC_ID:
        if value[-1:] != _NO_TAGS:
            return None
        topic_id = ZERO_UUID
    elif size == _WITH_TOPIC_ID and value[_PLAIN_OFFSET.size : _TOPIC_ID_AT] == _TOPIC_ID_TAG:
        topic_id = value[_TOPIC_ID_AT:]
    else:
        return None
    version, offset, leader_epoch, metadata, timestamp = _PLAIN_OFFSET.unpack_from(value)
    if version != OFFSET_COMMIT_VALUE_VERSION or metadata != 1:
        return None
    return _new_tuple(OffsetAndMetadata, (offset, leader_epoch, "", timestamp, -1, topic_id, record_offset))


def parse_group_metadata(key: bytes, value: bytes) -> GroupMetadataValue:
    """Read the value of a classic group, of any version."""
    stored = _parse_value(key, value)
    assert isinstance(stored, GroupMetadataValue)
    return stored


def _parse_value(key: bytes, value: bytes) -> Data | None:
    return parse(StoredRecord(key, value))[1]
