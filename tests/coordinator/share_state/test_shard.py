"""The share coordinator's machine: what it answers, what it writes, and that its log says all it knows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ottla.coordinator import Decision, StoredRecord
from ottla.coordinator.loading import Loader
from ottla.coordinator.share_state.batches import StateBatch
from ottla.coordinator.share_state.config import ShareCoordinatorConfig
from ottla.coordinator.share_state.records import SharePartitionKey
from ottla.coordinator.share_state.shard import ShareStateShard
from ottla.coordinator.share_state.state import ShareState, ShareStateSummary
from ottla.protocol.errors import ErrorCode, KafkaError
from ottla.protocol.stored.share_group_state import RECORDS, ShareSnapshotValue, ShareUpdateValue
from ottla.records.batch import Record, build_batch

NOW_MS = 1_700_000_000_000
COLD_MS = 300_000
KEY = SharePartitionKey("g", bytes(range(16)), 0)


class Coordinator:
    """A shard with its log."""

    def __init__(self, updates: int = 3) -> None:
        self.config = ShareCoordinatorConfig(updates, COLD_MS)
        self.shard = ShareStateShard(self.config)
        self.log: list[StoredRecord] = []
        self.now_ms = NOW_MS
        self.log_start = 0

    def write_down(self, decision: Decision) -> Any:
        for record in decision.records:
            self.shard.replay(record, len(self.log), self.now_ms)
            self.log.append(record)
        return decision.response

    def initialize(self, state_epoch: int = 1, start_offset: int = -1, key: SharePartitionKey = KEY) -> None:
        decision = self.shard.initialize(key, state_epoch, start_offset, topic_known=True, now_ms=self.now_ms)
        self.write_down(decision)

    def read(self, leader_epoch: int = 0, key: SharePartitionKey = KEY) -> ShareState:
        state: ShareState = self.write_down(self.shard.read(key, leader_epoch, topic_known=True, now_ms=self.now_ms))
        return state

    def write(
        self, *batches: StateBatch, start_offset: int = -1, leader_epoch: int = 0, state_epoch: int = 1,
        key: SharePartitionKey = KEY,
    ) -> None:  # fmt: skip
        self.write_down(
            self.shard.write(
                key, state_epoch=state_epoch, leader_epoch=leader_epoch, start_offset=start_offset,
                delivery_complete_count=0, batches=batches, topic_known=True, now_ms=self.now_ms,
            )
        )  # fmt: skip

    def clean_up(self) -> int:
        decisions = self.shard.clean_up(self.now_ms)
        for decision in decisions:
            self.write_down(decision)
        return len(decisions)

    def kinds(self) -> str:
        """One letter per record: snapshot, update, tombstone."""
        values = [RECORDS.decode(*record)[1] for record in self.log]
        return "".join("t" if v is None else "s" if isinstance(v, ShareSnapshotValue) else "u" for v in values)

    def value(self, index: int = -1) -> Any:
        return RECORDS.decode(*self.log[index])[1]

    def reloaded(self, first: int = 0) -> ShareStateShard:
        """A fresh shard that has read the log from an offset on."""
        rows = [Record(n, NOW_MS, record.key, record.value) for n, record in enumerate(self.log[first:])]
        shard = ShareStateShard(self.config)
        loader = Loader(shard, first, compacted=False)
        if rows:
            loader.feed(bytes(build_batch(rows, base_offset=first)), NOW_MS)
        loader.finish(NOW_MS)
        shard.finish_loading(NOW_MS)
        return shard


def refused(error: ErrorCode, match: str = "") -> Any:
    return pytest.raises(KafkaError, match=f"{error.name}.*{match}")


def test_updates_are_written_until_a_snapshot_says_everything_again() -> None:
    shares = Coordinator(updates=3)
    shares.initialize(start_offset=10)
    for number in range(5):
        shares.write(StateBatch(10 + number, 10 + number, 2, 1))
    assert shares.kinds() == "suuusu"
    snapshot = shares.value(4)
    assert (snapshot.snapshot_epoch, snapshot.start_offset, len(snapshot.state_batches)) == (1, 10, 1)
    assert shares.read() == ShareState(1, 10, (StateBatch(10, 14, 2, 1),))


def test_the_start_offset_moves_and_takes_what_is_before_it_along() -> None:
    shares = Coordinator()
    shares.initialize(start_offset=0)
    shares.write(StateBatch(0, 9, 2, 1), StateBatch(10, 19, 0, 1))
    shares.write(start_offset=15)
    assert shares.read() == ShareState(1, 15, (StateBatch(15, 19, 0, 1),))


def test_a_reader_with_a_higher_leader_epoch_fences_the_one_before() -> None:
    shares = Coordinator()
    shares.initialize()
    shares.read(leader_epoch=5)
    assert isinstance(shares.value(), ShareUpdateValue)
    before = len(shares.log)
    shares.read(leader_epoch=5)
    assert len(shares.log) == before, "nothing to note"
    with refused(ErrorCode.FENCED_LEADER_EPOCH):
        shares.read(leader_epoch=4)
    with refused(ErrorCode.FENCED_LEADER_EPOCH):
        shares.write(leader_epoch=4)
    shares.write(leader_epoch=-1)


def test_an_initialization_fences_who_holds_the_state_of_before() -> None:
    shares = Coordinator()
    shares.initialize(state_epoch=1, start_offset=0)
    shares.write(StateBatch(0, 9, 2, 1))
    shares.initialize(state_epoch=3, start_offset=7)
    assert shares.read() == ShareState(3, 7, ())
    with refused(ErrorCode.FENCED_STATE_EPOCH):
        shares.write(state_epoch=1)
    with refused(ErrorCode.FENCED_STATE_EPOCH):
        shares.initialize(state_epoch=2)
    assert shares.value().snapshot_epoch == 1


def test_state_that_was_never_initialized_is_not_there() -> None:
    shares = Coordinator()
    with refused(ErrorCode.INVALID_REQUEST, "Read operation on uninitialized"):
        shares.read()
    with refused(ErrorCode.INVALID_REQUEST, "Write operation on uninitialized"):
        shares.write()
    assert shares.shard.summary(KEY, topic_known=True) == ShareStateSummary(0, 0, -1, -1)
    assert shares.shard.delete(KEY, topic_known=True).records == []


@pytest.mark.parametrize(("start_offset", "count"), [(-1, -1), (0, 0), (7, 0)])
def test_done_deliveries_are_counted_from_a_known_start(start_offset: int, count: int) -> None:
    shares = Coordinator()
    shares.initialize(4, start_offset)
    assert shares.shard.summary(KEY, topic_known=True) == ShareStateSummary(4, 0, start_offset, count)


def test_unknown_topics_and_partitions_are_refused_after_fencing() -> None:
    shares = Coordinator()
    shares.initialize(state_epoch=2)
    negative = KEY._replace(partition=-1)
    with refused(ErrorCode.INVALID_REQUEST, "negative"):
        shares.shard.initialize(negative, 1, 0, topic_known=False, now_ms=0)
    with refused(ErrorCode.FENCED_STATE_EPOCH):
        shares.shard.initialize(KEY, 1, 0, topic_known=False, now_ms=0)
    with refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION):
        shares.shard.initialize(KEY, 2, 0, topic_known=False, now_ms=0)
    with refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION):
        shares.shard.summary(KEY, topic_known=False)
    with refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION):
        shares.shard.delete(KEY, topic_known=False)


def test_deleted_topics_take_their_state_along() -> None:
    shares = Coordinator()
    other = KEY._replace(topic_id=bytes(16))
    shares.initialize()
    shares.initialize(key=other)
    for decision in shares.shard.topics_deleted({KEY.topic_id}):
        shares.write_down(decision)
    assert shares.kinds() == "sst"
    with refused(ErrorCode.INVALID_REQUEST):
        shares.read()
    shares.read(key=other)


def test_the_log_is_needed_from_the_oldest_last_snapshot_on() -> None:
    shares = Coordinator(updates=1)
    a, b = KEY, KEY._replace(partition=1)
    shares.initialize(key=a)
    shares.initialize(key=b)
    assert shares.shard.needed_from() == 0
    shares.write(key=a)
    shares.write(key=a)
    assert (shares.kinds(), shares.shard.needed_from()) == ("ssus", 1)
    shares.write_down(shares.shard.delete(b, topic_known=True))
    assert shares.shard.needed_from() == 3
    shares.write_down(shares.shard.delete(a, topic_known=True))
    assert shares.shard.needed_from() == 5


def test_cold_partitions_are_written_again_while_something_else_happens() -> None:
    shares = Coordinator(updates=100)
    a, b = KEY, KEY._replace(partition=1)
    shares.initialize(key=a)
    shares.initialize(key=b)
    assert shares.clean_up() == 0, "too young"
    shares.now_ms += COLD_MS
    assert shares.clean_up() == 0, "nothing has happened since"
    shares.write(key=a)
    assert shares.clean_up() == 2
    assert shares.shard.needed_from() == 3
    shares.now_ms += COLD_MS
    assert shares.clean_up() == 0, "its own snapshots are no news"
    assert shares.value().create_timestamp == NOW_MS


def test_records_of_types_to_come_are_left_alone() -> None:
    shares = Coordinator()
    shares.shard.replay(StoredRecord(b"\x00\x63", b"\x00\x00"), 0, NOW_MS)
    assert shares.shard.needed_from() == 0


class Against(RuleBasedStateMachine):
    """Whatever is asked: a fresh shard that reads the log, from where it is still needed, knows the same."""

    def __init__(self) -> None:
        super().__init__()
        self.shares = Coordinator(updates=2)

    keys = st.builds(lambda partition: KEY._replace(partition=partition), st.integers(0, 2))
    batches = st.lists(
        st.builds(
            lambda first, length, state, count: StateBatch(first, first + length, state, count),
            st.integers(0, 20), st.integers(0, 5), st.sampled_from([0, 2, 4]), st.integers(1, 3),
        ),
        max_size=3,
    )  # fmt: skip

    def ask(self, decide: Any) -> None:
        try:
            self.shares.write_down(decide())
        except KafkaError as error:
            assert error.code in (
                ErrorCode.INVALID_REQUEST, ErrorCode.FENCED_LEADER_EPOCH, ErrorCode.FENCED_STATE_EPOCH,
            )  # fmt: skip

    @rule(key=keys, state_epoch=st.integers(-1, 3), start_offset=st.integers(-1, 10))
    def initialize(self, key: SharePartitionKey, state_epoch: int, start_offset: int) -> None:
        shard, now_ms = self.shares.shard, self.shares.now_ms
        self.ask(lambda: shard.initialize(key, state_epoch, start_offset, topic_known=True, now_ms=now_ms))

    @rule(key=keys, leader_epoch=st.integers(-1, 3))
    def read(self, key: SharePartitionKey, leader_epoch: int) -> None:
        self.ask(lambda: self.shares.shard.read(key, leader_epoch, topic_known=True, now_ms=self.shares.now_ms))

    @rule(
        key=keys, epochs=st.tuples(st.integers(-1, 3), st.integers(-1, 3)), start=st.integers(-1, 15), written=batches
    )
    def write(self, key: SharePartitionKey, epochs: tuple[int, int], start: int, written: list[StateBatch]) -> None:
        self.ask(
            lambda: self.shares.shard.write(
                key, state_epoch=epochs[0], leader_epoch=epochs[1], start_offset=start, delivery_complete_count=0,
                batches=written, topic_known=True, now_ms=self.shares.now_ms,
            )
        )  # fmt: skip

    @rule(key=keys)
    def delete(self, key: SharePartitionKey) -> None:
        self.ask(lambda: self.shares.shard.delete(key, topic_known=True))

    @rule()
    def clean_up(self) -> None:
        self.shares.now_ms += COLD_MS
        self.shares.clean_up()

    @invariant()
    def the_log_says_all(self) -> None:
        shares = self.shares
        for first in (0, shares.shard.needed_from()):
            fresh = shares.reloaded(first)
            for partition in range(3):
                key = KEY._replace(partition=partition)
                assert _told(fresh, key) == _told(shares.shard, key)


def _told(shard: ShareStateShard, key: SharePartitionKey) -> Any:
    state = shard._states.get(key)
    return None if state is None else (state.to_state(), state.to_summary(), state.snapshot_epoch, state.update_count)


TestAgainst = Against.TestCase
TestAgainst.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
