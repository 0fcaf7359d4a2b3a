"""What groups have committed: offsets by group, topic and partition, replayed from `__consumer_offsets`.

How it works
------------
`Offsets` is a plain nested table. `OffsetStore` holds one that counts, and beside it one per open transaction:

    replay(commit, producer_id = -1)  ──────────────► committed
    replay(commit, producer_id = p)   ──► pending[p] ──┐
    replay_end_marker(p, committed)                    ├─ commit ──► committed   (if not older than what is there)
                                                       └─ abort  ──► forgotten
    replay(tombstone)                 ──► gone from committed and from every pending table

A partition with an offset in an open transaction is *unstable*: who asks for stable offsets is told to wait.
Only `replay…` changes anything here; everything else reads. The rules are those of Kafka's OffsetMetadataManager.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ..shard import NO_PRODUCER_ID
from .records import OffsetAndMetadata, OffsetKey

__all__ = ["OffsetStore", "Offsets"]


class Offsets:
    """Offsets by group, topic, partition; holds no empty dict."""

    __slots__ = ("_by_group",)

    def __init__(self) -> None:
        self._by_group: dict[str, dict[str, dict[int, OffsetAndMetadata]]] = {}

    def get(self, group_id: str, topic: str, partition: int) -> OffsetAndMetadata | None:
        """Look one offset up."""
        return self._by_group.get(group_id, {}).get(topic, {}).get(partition)

    def of_group(self, group_id: str) -> dict[str, dict[int, OffsetAndMetadata]]:
        """Give the offsets of a group, by topic and partition. The caller does not write to them."""
        return self._by_group.get(group_id, {})

    def put(self, key: OffsetKey, offset: OffsetAndMetadata) -> None:
        """Set one offset."""
        group_id, topic, partition = key
        topics = self._by_group.get(group_id)
        partitions = None if topics is None else topics.get(topic)
        if partitions is None:
            partitions = self._by_group.setdefault(group_id, {}).setdefault(topic, {})
        partitions[partition] = offset

    def remove(self, key: OffsetKey) -> bool:
        """Delete one offset; whether it was there."""
        topics = self._by_group.get(key.group_id, {})
        partitions = topics.get(key.topic, {})
        if partitions.pop(key.partition, None) is None:
            return False
        if not partitions:
            del topics[key.topic]
        if not topics:
            del self._by_group[key.group_id]
        return True

    def items(self) -> Iterator[tuple[OffsetKey, OffsetAndMetadata]]:
        """Walk through all offsets."""
        for group_id, topics in self._by_group.items():
            for topic, partitions in topics.items():
                for partition, offset in partitions.items():
                    yield OffsetKey(group_id, topic, partition), offset


class OffsetStore:
    """All committed offsets of one partition of `__consumer_offsets`, and those in open transactions."""

    __slots__ = ("_open", "_pending", "committed")

    def __init__(self) -> None:
        self.committed = Offsets()
        #: By producer id. Invariant: the keys of all tables in it are those of `_open`.
        self._pending: dict[int, Offsets] = {}
        #: By group, then (topic, partition): the producers with an open transaction that commits it.
        self._open: dict[str, dict[tuple[str, int], set[int]]] = {}

    def replay(self, key: OffsetKey, value: OffsetAndMetadata | None, producer_id: int = NO_PRODUCER_ID) -> None:
        """Apply one record; None as value is a tombstone."""
        if value is not None and producer_id == NO_PRODUCER_ID:
            self.committed.put(key, value)
            return
        partition = (key.topic, key.partition)
        if value is None:
            self.committed.remove(key)
            producer_ids = self._open.get(key.group_id, {}).get(partition, set())
            for open_producer_id in tuple(producer_ids):
                self._close(key, open_producer_id)
        else:
            self._pending.setdefault(producer_id, Offsets()).put(key, value)
            self._open.setdefault(key.group_id, {}).setdefault(partition, set()).add(producer_id)

    def replay_end_marker(self, producer_id: int, committed: bool) -> None:
        """Apply the end of a transaction: its offsets count from now on, or never."""
        pending = self._pending.get(producer_id)
        if pending is None:
            return
        for key, offset in tuple(pending.items()):
            self._close(key, producer_id)
            if not committed:
                continue
            existing = self.committed.get(*key)
            # A plain commit made while the transaction was open is the newer word of the group.
            if existing is None or offset.record_offset > existing.record_offset:
                self.committed.put(key, offset)

    def _close(self, key: OffsetKey, producer_id: int) -> None:
        partitions = self._open[key.group_id]
        producer_ids = partitions[key.topic, key.partition]
        producer_ids.discard(producer_id)
        if not producer_ids:
            del partitions[key.topic, key.partition]
        if not partitions:
            del self._open[key.group_id]
        pending = self._pending[producer_id]
        pending.remove(key)
        if not any(True for _ in pending.items()):
            del self._pending[producer_id]

    def is_unstable(self, group_id: str, topic: str, partition: int) -> bool:
        """Whether an open transaction has an offset for this partition."""
        return (topic, partition) in self._open.get(group_id, {})

    def has_open_transactions(self, group_id: str) -> bool:
        """Whether any partition of the group is unstable."""
        return group_id in self._open

    def keys_of_group(self, group_id: str) -> list[OffsetKey]:
        """Every partition for which the group has an offset, counting or pending."""
        keys = [
            OffsetKey(group_id, topic, partition)
            for topic, partitions in self.committed.of_group(group_id).items()
            for partition in partitions
        ]
        known = set(keys)
        pending = (OffsetKey(group_id, topic, partition) for topic, partition in self._open.get(group_id, {}))
        return keys + [key for key in pending if key not in known]

    def keys_of_topics(self, topics: Iterable[tuple[str, bytes]], zero_id: bytes) -> list[OffsetKey]:
        """Every offset that belongs to one of the deleted topics (name, id)."""
        deleted = dict(topics)
        found: dict[OffsetKey, None] = {}
        for table in (self.committed, *self._pending.values()):
            for key, offset in table.items():
                topic_id = deleted.get(key.topic)
                if topic_id is not None and offset.topic_id in (zero_id, topic_id):
                    found[key] = None
        return list(found)

    def expired_keys(
        self, group_id: str, is_subscribed: Callable[[str], bool], is_expired: Callable[[OffsetAndMetadata], bool]
    ) -> tuple[list[OffsetKey], bool]:
        """Find the offsets of a group that are due, and whether nothing of it remains without them."""
        expired: list[OffsetKey] = []
        nothing_remains = not self.has_open_transactions(group_id)
        for topic, partitions in self.committed.of_group(group_id).items():
            subscribed = is_subscribed(topic)
            for partition, offset in partitions.items():
                if not subscribed and is_expired(offset) and not self.is_unstable(group_id, topic, partition):
                    expired.append(OffsetKey(group_id, topic, partition))
                else:
                    nothing_remains = False
        return expired, nothing_remains
