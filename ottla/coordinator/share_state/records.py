"""The records of `__share_group_state`, in the bytes Apache Kafka 4.2 writes.

    snapshot (0)    everything about a share partition; a value of null says that it is deleted
    update (1)      what changed since the last snapshot: batches laid over, perhaps a start offset (-1: as before)

Both keys are group, topic id, partition. Updates of one share partition share a key and each counts, so the topic is
never compacted: what is before the oldest snapshot that is still needed is deleted (`redundant`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ...protocol.errors import RemoteProtocolError
from ...protocol.schema import Data
from ...protocol.stored.coordinator_records import UnknownRecordError, encode_key, encode_value
from ...protocol.stored.share_group_state import (
    RECORDS,
    ShareSnapshotKey,
    ShareSnapshotValue,
    ShareUpdateKey,
    ShareUpdateValue,
)
from ...protocol.stored.share_group_state import StateBatch as StoredBatch
from ..decision import StoredRecord
from ..shard import UnreadableRecordError
from .batches import StateBatch

__all__ = [
    "SharePartitionKey",
    "from_stored",
    "parse",
    "snapshot_record",
    "snapshot_tombstone",
    "to_stored",
    "update_record",
]


class SharePartitionKey(NamedTuple):
    """One partition, as one share group sees it."""

    group_id: str
    topic_id: bytes
    partition: int


def to_stored(batches: Iterable[StateBatch]) -> list[StoredBatch]:
    """Write batches as they stand in both values."""
    return [
        StoredBatch(
            first_offset=one.first_offset, last_offset=one.last_offset, delivery_state=one.delivery_state,
            delivery_count=one.delivery_count,
        )
        for one in batches
    ]  # fmt: skip


def from_stored(batches: Iterable[StoredBatch]) -> list[StateBatch]:
    """Read batches of either value."""
    return [StateBatch(b.first_offset, b.last_offset, b.delivery_state, b.delivery_count) for b in batches]


def snapshot_record(key: SharePartitionKey, value: ShareSnapshotValue) -> StoredRecord:
    """Write everything about a share partition."""
    return StoredRecord(_snapshot_key(key), encode_value(value))


def snapshot_tombstone(key: SharePartitionKey) -> StoredRecord:
    """Delete the state of a share partition."""
    return StoredRecord(_snapshot_key(key), None)


def update_record(key: SharePartitionKey, value: ShareUpdateValue) -> StoredRecord:
    """Write what changed."""
    stored = ShareUpdateKey(group_id=key.group_id, topic_id=key.topic_id, partition=key.partition)
    return StoredRecord(encode_key(stored), encode_value(value))


def _snapshot_key(key: SharePartitionKey) -> bytes:
    return encode_key(ShareSnapshotKey(group_id=key.group_id, topic_id=key.topic_id, partition=key.partition))


def parse(record: StoredRecord) -> tuple[SharePartitionKey, Data | None] | None:
    """Read a record; None if it is of a type or version that no Kafka up to 4.2 writes."""
    try:
        key, value = RECORDS.decode(record.key, record.value)
    except UnknownRecordError:
        return None
    except RemoteProtocolError as error:
        raise UnreadableRecordError(f"share state under key {record.key[:32]!r}: {error}") from error
    assert isinstance(key, ShareSnapshotKey | ShareUpdateKey)
    return SharePartitionKey(key.group_id, key.topic_id, key.partition), value
