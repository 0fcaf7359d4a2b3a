"""A shard is filled from batches: plain ones, those of transactions, and what it does not know."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.coordinator import GroupCoordinatorConfig, GroupShard, StoredRecord
from ottla.coordinator.groups.records import (
    OffsetAndMetadata,
    group_tombstone,
    offset_commit_record,
    offset_tombstone,
)
from ottla.coordinator.loading import Loader
from ottla.coordinator.shard import UnreadableRecordError
from ottla.protocol.apis.offset_fetch import OffsetFetchRequestGroup, OffsetFetchRequestTopics
from ottla.protocol.stored.consumer_offsets import ConsumerGroupMetadataKey, ConsumerGroupMetadataValue
from ottla.protocol.stored.coordinator_records import encode_key, encode_value
from ottla.records.batch import Record, build_batch

NOW_MS = 1_700_000_000_000


def commit(offset: int, partition: int = 0, group_id: str = "g") -> StoredRecord:
    return offset_commit_record(group_id, "t", partition, OffsetAndMetadata(offset, -1, "", NOW_MS))


class Log:
    """Bytes of a partition, batch by batch."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.end = 0

    def add(self, *records: StoredRecord, producer_id: int = -1, control: bool = False) -> Log:
        rows = [Record(n, NOW_MS, record.key, record.value) for n, record in enumerate(records)]
        transactional = producer_id >= 0
        self.data += build_batch(
            rows, base_offset=self.end, producer_id=producer_id, producer_epoch=0 if transactional else -1,
            transactional=transactional, control=control,
        )  # fmt: skip
        self.end += len(records)
        return self

    def end_transaction(self, producer_id: int, committed: bool) -> Log:
        key = b"\x00\x00" + (b"\x00\x01" if committed else b"\x00\x00")
        return self.add(StoredRecord(key, b"\x00\x00\x00\x00\x00\x00"), producer_id=producer_id, control=True)

    def load(self, from_offset: int = 0) -> GroupShard:
        shard = GroupShard(GroupCoordinatorConfig())
        loader = Loader(shard, from_offset)
        loader.feed(bytes(self.data), NOW_MS)
        loader.finish(NOW_MS)
        assert loader.next_offset == self.end
        shard.finish_loading(NOW_MS)
        return shard


def fetch(shard: GroupShard, group_id: str = "g", stable: bool = False) -> dict[int, int]:
    found = shard.fetch_offsets(OffsetFetchRequestGroup(group_id=group_id, topics=None), require_stable=stable)
    return {part.partition_index: part.committed_offset for topic in found.topics for part in topic.partitions}


def test_the_last_record_of_a_key_counts() -> None:
    shard = Log().add(commit(1), commit(2, 1)).add(commit(3)).add(offset_tombstone("g", "t", 1)).load()
    assert fetch(shard) == {0: 3}


def test_a_committed_transaction_counts_when_its_marker_comes() -> None:
    log = Log().add(commit(1)).add(commit(2), producer_id=7)
    assert fetch(log.load()) == {0: 1}
    assert fetch(log.end_transaction(7, committed=True).load()) == {0: 2}


def test_an_aborted_transaction_never_counts() -> None:
    assert fetch(Log().add(commit(1)).add(commit(2), producer_id=7).end_transaction(7, committed=False).load()) == {
        0: 1
    }


def test_a_plain_commit_after_a_transactional_one_is_the_newer_word() -> None:
    assert fetch(Log().add(commit(1), producer_id=7).add(commit(2)).end_transaction(7, committed=True).load()) == {0: 2}


def test_a_partition_in_an_open_transaction_is_unstable() -> None:
    shard = Log().add(commit(1)).add(commit(2), producer_id=7).load()
    topics = [OffsetFetchRequestTopics(name="t", partition_indexes=[0, 1])]
    request = OffsetFetchRequestGroup(group_id="g", topics=topics)
    stable, plain = (shard.fetch_offsets(request, require_stable=flag) for flag in (True, False))
    assert [part.error_code for part in stable.topics[0].partitions] == [88, 0]
    assert [part.committed_offset for part in plain.topics[0].partitions] == [1, -1]


def test_a_tombstone_ends_what_a_transaction_had_pending() -> None:
    log = Log().add(commit(1), producer_id=7).add(offset_tombstone("g", "t", 0)).end_transaction(7, committed=True)
    assert fetch(log.load()) == {}


def test_a_batch_may_begin_before_the_first_offset_that_counts() -> None:
    assert fetch(Log().add(commit(1), commit(2, 1)).load(from_offset=1)) == {1: 2}


def test_records_of_kinds_that_only_a_later_kafka_knows_do_no_harm() -> None:
    shard = Log().add(StoredRecord(b"\x03\xe7future", b"x"), commit(5)).load()
    assert fetch(shard) == {0: 5}
    assert set(shard.delete_group("g").records) == {offset_tombstone("g", "t", 0), group_tombstone("g")}


def test_a_group_of_another_kind_is_buried_with_its_own_records() -> None:
    key = encode_key(ConsumerGroupMetadataKey(group_id="g"))
    log = Log().add(StoredRecord(key, encode_value(ConsumerGroupMetadataValue(epoch=3))), commit(5))
    decision = log.load().delete_group("g")
    assert {offset_tombstone("g", "t", 0), StoredRecord(key, None)} <= set(decision.records)
    after = log.add(*decision.records).load()
    assert after.list_groups([], []) == []
    assert after.delete_group("g").records == []


@pytest.mark.parametrize("record", [StoredRecord(b"\x00\x01\x00", b""), StoredRecord(commit(1).key, b"\x00\x09zzz")])
def test_bytes_that_contradict_their_type_stop_the_load(record: StoredRecord) -> None:
    with pytest.raises(UnreadableRecordError):
        Log().add(record).load()


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-1, 1), st.none() | st.integers(0, 99)), max_size=12))
def test_loading_at_once_is_replaying_one_by_one(steps: list[tuple[int, int, int | None]]) -> None:
    """Gathering by key changes nothing: commits, tombstones, two producers with open transactions."""
    log, reference = Log(), GroupShard(GroupCoordinatorConfig())
    for partition, producer_id, offset in steps:
        if producer_id >= 0 and offset is None:
            log.end_transaction(producer_id, committed=partition > 0)
            reference.replay_end_marker(producer_id, partition > 0)
            continue
        record = offset_tombstone("g", "t", partition) if offset is None else commit(offset, partition)
        reference.replay(record, log.end, NOW_MS, producer_id)
        log.add(record, producer_id=producer_id)
    if log.end:
        assert fetch(log.load()) == fetch(reference)
