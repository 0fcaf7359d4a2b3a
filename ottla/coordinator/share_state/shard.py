"""One partition of `__share_group_state` as a state machine: the share coordinator (KIP-932).

    initialize ─► snapshot          begins anew, with a new state epoch; what others still hold in memory is fenced
    read ─► (update)                a reader with a higher leader epoch is the new leader; the old one is fenced
    write ─► update … or snapshot   after so many updates the whole state is written again
    summary                         for administrators; changes nothing
    delete ─► tombstone

Each decides for one share partition and raises Kafka's error, or gives a `Decision` whose response is what was asked
for. `topic_known` says whether the metadata has the partition; what is fenced comes before what is unknown.

A log of updates only grows. Snapshots let its beginning go (`needed_from`), and share partitions that nobody writes are
written again from time to time so that they do not hold it back (`clean_up`) - unless nothing at all happens.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...protocol.errors import ErrorCode, KafkaError
from ...protocol.stored.share_group_state import ShareSnapshotValue, ShareUpdateValue
from ..decision import Completion, Decision, StoredRecord, TimerKey
from ..shard import NO_PRODUCER_ID
from .batches import StateBatch, combine
from .config import ShareCoordinatorConfig
from .records import SharePartitionKey, parse, snapshot_record, snapshot_tombstone, to_stored, update_record
from .redundant import Redundant
from .state import NOT_INITIALIZED, SharePartitionState, ShareStateSummary

__all__ = ["ShareStateShard"]


class ShareStateShard:
    """The share partitions whose key hashes to one partition of `__share_group_state`."""

    __slots__ = ("_config", "_has_news", "_redundant", "_states")

    def __init__(self, config: ShareCoordinatorConfig) -> None:
        self._config = config
        self._states: dict[SharePartitionKey, SharePartitionState] = {}
        self._redundant = Redundant()
        #: Something other than `clean_up` has written since the last one.
        self._has_news = False

    # -- replay ------------------------------------------------------------------------------------------------

    def replay(self, record: StoredRecord, record_offset: int, now_ms: int, producer_id: int = NO_PRODUCER_ID) -> None:
        """Apply one record of the log."""
        parsed = parse(record)
        if parsed is None:
            return
        key, value = parsed
        if value is None:
            self._states.pop(key, None)
            self._redundant.deleted(key, record_offset)
            self._has_news = True
            return
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = SharePartitionState()
        if isinstance(value, ShareSnapshotValue):
            state.apply_snapshot(value)
            self._redundant.snapshot(key, record_offset)
            self._has_news = self._has_news or value.write_timestamp == value.create_timestamp
        else:
            assert isinstance(value, ShareUpdateValue)
            state.apply_update(value)
            self._has_news = True

    def replay_end_marker(self, producer_id: int, committed: bool) -> None:
        """Nobody writes share state in a transaction."""

    def finish_loading(self, now_ms: int) -> Decision:
        """Nothing begins by itself."""
        return Decision()

    def unload(self) -> Decision:
        """Nobody waits here: the host answers whose records are not committed."""
        return Decision()

    # -- requests ----------------------------------------------------------------------------------------------

    def initialize(
        self, key: SharePartitionKey, state_epoch: int, start_offset: int, *, topic_known: bool, now_ms: int
    ) -> Decision:
        """InitializeShareGroupState of one partition."""
        _check_partition(key)
        state = self._states.get(key)
        if state is not None:
            _check_epoch(state_epoch, state.highest_state_epoch, ErrorCode.FENCED_STATE_EPOCH)
        _check_topic(topic_known)
        value = ShareSnapshotValue(
            snapshot_epoch=0 if state is None else state.snapshot_epoch + 1,
            state_epoch=state_epoch,
            leader_epoch=0,
            start_offset=start_offset,
            # From an offset that was set the lag can be counted; from one that is still to be found it cannot.
            delivery_complete_count=-1 if start_offset == NOT_INITIALIZED else 0,
            create_timestamp=now_ms,
            write_timestamp=now_ms,
            state_batches=[],
        )
        return Decision(records=[snapshot_record(key, value)])

    def read(self, key: SharePartitionKey, leader_epoch: int, *, topic_known: bool, now_ms: int) -> Decision:
        """ReadShareGroupState of one partition. The response is a `ShareState`."""
        _check_partition(key)
        state = self._states.get(key)
        if state is None:
            raise KafkaError(ErrorCode.INVALID_REQUEST, "Read operation on uninitialized share partition not allowed.")
        if state.highest_leader_epoch > leader_epoch:
            raise KafkaError(ErrorCode.FENCED_LEADER_EPOCH)
        _check_topic(topic_known)
        decision = Decision(response=state.to_state())
        if leader_epoch not in (NOT_INITIALIZED, state.highest_leader_epoch):
            count = state.delivery_complete_count
            decision.records.append(self._changed(key, state, leader_epoch, state.start_offset, count, (), now_ms))
        return decision

    def write(
        self, key: SharePartitionKey, *, state_epoch: int, leader_epoch: int, start_offset: int,
        delivery_complete_count: int, batches: Sequence[StateBatch], topic_known: bool, now_ms: int,
    ) -> Decision:  # fmt: skip
        """WriteShareGroupState of one partition."""
        _check_partition(key)
        state = self._states.get(key)
        if state is None:
            raise KafkaError(ErrorCode.INVALID_REQUEST, "Write operation on uninitialized share partition not allowed.")
        _check_epoch(leader_epoch, state.highest_leader_epoch, ErrorCode.FENCED_LEADER_EPOCH)
        _check_epoch(state_epoch, state.highest_state_epoch, ErrorCode.FENCED_STATE_EPOCH)
        _check_topic(topic_known)
        # Only a read makes somebody the leader; a write does not move the epoch.
        record = self._changed(key, state, state.leader_epoch, start_offset, delivery_complete_count, batches, now_ms)
        return Decision(records=[record])

    def _changed(
        self, key: SharePartitionKey, state: SharePartitionState, leader_epoch: int, start_offset: int,
        delivery_complete_count: int, batches: Sequence[StateBatch], now_ms: int,
    ) -> StoredRecord:  # fmt: skip
        if state.update_count < self._config.snapshot_update_records_per_snapshot:
            update = ShareUpdateValue(
                snapshot_epoch=state.snapshot_epoch,
                leader_epoch=leader_epoch,
                start_offset=start_offset,
                delivery_complete_count=delivery_complete_count,
                state_batches=to_stored(combine(batches, start_offset)),
            )
            return update_record(key, update)
        if start_offset == NOT_INITIALIZED:
            start_offset = state.start_offset
        snapshot = ShareSnapshotValue(
            snapshot_epoch=state.snapshot_epoch + 1,
            state_epoch=state.state_epoch,
            leader_epoch=leader_epoch,
            start_offset=start_offset,
            delivery_complete_count=delivery_complete_count,
            create_timestamp=now_ms,
            write_timestamp=now_ms,
            state_batches=to_stored(combine([*state.batches, *batches], start_offset)),
        )
        return snapshot_record(key, snapshot)

    def delete(self, key: SharePartitionKey, *, topic_known: bool) -> Decision:
        """DeleteShareGroupState of one partition; it is no error if there is no state."""
        _check_partition(key)
        _check_topic(topic_known)
        return Decision(records=[snapshot_tombstone(key)] if key in self._states else [])

    def summary(self, key: SharePartitionKey, *, topic_known: bool) -> ShareStateSummary:
        """ReadShareGroupStateSummary of one partition; of one without state, that of a new one."""
        _check_partition(key)
        _check_topic(topic_known)
        return (self._states.get(key) or SharePartitionState()).to_summary()

    # -- events ------------------------------------------------------------------------------------------------

    def needed_from(self) -> int:
        """Return the offset of the first record that is still needed."""
        return self._redundant.needed_from()

    def topics_deleted(self, topic_ids: set[bytes]) -> list[Decision]:
        """Topics are gone, and with them the state of their share partitions."""
        return [Decision(records=[snapshot_tombstone(key)]) for key in self._states if key.topic_id in topic_ids]

    def clean_up(self, now_ms: int) -> list[Decision]:
        """Write share partitions again whose last snapshot is old, so that the log before it can go."""
        if not self._has_news:
            return []
        self._has_news = False
        interval_ms = self._config.cold_partition_snapshot_interval_ms
        return [
            Decision(records=[snapshot_record(key, state.to_snapshot(now_ms))])
            for key, state in self._states.items()
            if now_ms - state.write_timestamp_ms >= interval_ms
        ]

    def on_timer(self, key: TimerKey, now_ms: int) -> Decision:
        """No decision here asks for a timer."""
        raise AssertionError(f"an unknown timer: {key}")

    def on_appended(self, completion: Completion, error: ErrorCode, now_ms: int) -> Decision:
        """No decision here has a completion."""
        raise AssertionError(f"an unknown completion: {completion}")


def _check_partition(key: SharePartitionKey) -> None:
    if key.partition < 0:
        raise KafkaError(ErrorCode.INVALID_REQUEST, "The partition id cannot be a negative number.")


def _check_topic(topic_known: bool) -> None:
    if not topic_known:
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)


def _check_epoch(named: int, highest: int, error: ErrorCode) -> None:
    """Fence who names an epoch that is over; -1 names none."""
    if named != NOT_INITIALIZED and highest > named:
        raise KafkaError(error)
