"""Share groups as machines: epochs, assignments, share partitions, and that the log says all that must survive."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ottla.coordinator import Decision, GroupCoordinatorConfig, GroupShard, RequestContext, StoredRecord
from ottla.coordinator.groups.share.config import ShareConfig
from ottla.coordinator.groups.share.group import ShareGroup
from ottla.coordinator.groups.share.members import HeartbeatResult
from ottla.coordinator.groups.share.states import InitializeStates
from ottla.metadata.image import MetadataImage, PartitionImage, partition_record
from ottla.protocol.apis.delete_share_group_offsets import (
    DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsRequestTopic,
)
from ottla.protocol.apis.share_group_heartbeat import ShareGroupHeartbeatRequest
from ottla.protocol.errors import ErrorCode, KafkaError
from ottla.protocol.stored.consumer_offsets import RECORDS
from ottla.protocol.stored.metadata import RemoveTopicRecord, TopicRecord

NOW_MS = 1_700_000_000_000
RETRY_MS = 30_000
CONTEXT = RequestContext(1, "client", "/127.0.0.1")


def id_of(name: str) -> bytes:
    return name.encode().ljust(16, b"-")


def image(**topics: int) -> MetadataImage:
    """Topics by name with so many partitions."""
    records: list[Any] = []
    for name, count in topics.items():
        records.append(TopicRecord(name=name, topic_id=id_of(name)))
        records += [partition_record(id_of(name), n, PartitionImage(1, 0, 0, (1,), (1,))) for n in range(count)]
    return MetadataImage.empty().apply(records)


class Coordinator:
    """A shard with its log, and what the share coordinator has been asked to begin."""

    def __init__(self, metadata: MetadataImage) -> None:
        self.config = GroupCoordinatorConfig(share=ShareConfig(max_size=3))
        self.image = metadata
        self.shard = self.new_shard()
        self.log: list[StoredRecord] = []
        self.now_ms = NOW_MS
        self.asked: list[InitializeStates] = []

    def new_shard(self) -> GroupShard:
        shard = GroupShard(self.config)
        shard.image_changed(self.image, NOW_MS)
        return shard

    def start(self) -> Coordinator:
        self.shard.finish_loading(self.now_ms)
        return self

    def carry_out(self, decision: Decision) -> Any:
        for record in decision.records:
            self.shard.replay(record, len(self.log), self.now_ms)
            self.log.append(record)
        return decision.response

    def beat(self, member: str, epoch: int, *topics: str) -> Any:
        request = ShareGroupHeartbeatRequest(
            group_id="g", member_id=member, member_epoch=epoch, subscribed_topic_names=list(topics) or None
        )
        result: HeartbeatResult = self.carry_out(self.shard.share.heartbeat(request, CONTEXT, self.now_ms))
        if result.initialize is not None:
            self.asked.append(result.initialize)
        return result.response

    def initialized(self) -> None:
        """The share coordinator has begun what it was asked for."""
        for asked in self.asked:
            self.carry_out(self.shard.share.initialized("g", asked.partitions()))
        self.asked.clear()

    def change(self, metadata: MetadataImage) -> None:
        self.image = metadata
        for decision in self.shard.image_changed(metadata, self.now_ms):
            self.carry_out(decision)

    @property
    def group(self) -> ShareGroup:
        group = self.shard.state.find("g", ShareGroup)
        assert group is not None
        return group

    def types(self, first: int = 0) -> list[int]:
        return [RECORDS.decode_key(record.key).API_KEY for record in self.log[first:]]


def assigned(response: Any) -> Any:
    """Partitions by topic name, None if the answer holds none."""
    if response.assignment is None:
        return None
    return {t.topic_id.rstrip(b"-").decode(): t.partitions for t in response.assignment.topic_partitions}


def refused(error: ErrorCode) -> Any:
    return pytest.raises(KafkaError, match=error.name)


def test_joining_writes_what_kafka_writes_in_its_order() -> None:
    shares = Coordinator(image(t=2)).start()
    assert assigned(shares.beat("m", 0, "t")) == {}
    # Member, group epoch, target of the member, target epoch, current assignment, share partitions.
    assert shares.types() == [10, 11, 13, 12, 14, 15]
    assert shares.asked == [InitializeStates("g", 1, {id_of("t"): {0: -1, 1: -1}})]
    shares.initialized()
    first = len(shares.log)
    response = shares.beat("m", 1)
    assert (response.member_epoch, assigned(response)) == (2, {"t": [0, 1]})
    assert shares.types(first) == [11, 13, 12, 14]
    first = len(shares.log)
    assert assigned(shares.beat("m", 2)) is None
    assert shares.types(first) == []


def test_epochs_fence_members() -> None:
    shares = Coordinator(image(t=2)).start()
    shares.beat("m", 0, "t")
    shares.initialized()
    shares.beat("m", 1)
    with refused(ErrorCode.FENCED_MEMBER_EPOCH):
        shares.beat("m", 3)
    assert shares.beat("m", 1).member_epoch == 2, "the answer with the new epoch may have been lost"
    shares.beat("n", 0, "t")
    shares.beat("m", 2)
    with refused(ErrorCode.FENCED_MEMBER_EPOCH):
        shares.beat("m", 1)
    with refused(ErrorCode.UNKNOWN_MEMBER_ID):
        shares.beat("nobody", 1)
    assert shares.beat("m", 0, "t").member_epoch == 3


def test_a_group_has_room_for_so_many() -> None:
    shares = Coordinator(image(t=2)).start()
    for member in "abc":
        shares.beat(member, 0, "t")
    with refused(ErrorCode.GROUP_MAX_SIZE_REACHED):
        shares.beat("d", 0, "t")
    shares.beat("a", 0, "t")


def test_new_partitions_are_initialized_and_assigned() -> None:
    shares = Coordinator(image(t=1)).start()
    shares.beat("m", 0, "t")
    shares.initialized()
    shares.beat("m", 1)
    shares.change(image(t=3))
    response = shares.beat("m", 2)
    assert (response.member_epoch, assigned(response)) == (3, None)
    assert shares.asked == [InitializeStates("g", 3, {id_of("t"): {1: -1, 2: -1}})]
    shares.initialized()
    assert assigned(shares.beat("m", 3)) == {"t": [0, 1, 2]}


def test_an_initialization_that_fails_is_begun_again_at_once_one_that_is_lost_after_a_while() -> None:
    shares = Coordinator(image(t=1)).start()
    shares.beat("m", 0, "t")
    failed = shares.asked.pop()
    shares.carry_out(shares.shard.share.not_initialized("g", failed.partitions()))
    shares.beat("m", 1)
    assert len(shares.asked) == 1
    shares.asked.clear()
    shares.now_ms += RETRY_MS - 1
    shares.beat("m", 1)
    assert shares.asked == []
    shares.now_ms += 1
    shares.beat("m", 1)
    assert len(shares.asked) == 1


def test_a_topic_that_is_deleted_and_made_again_is_another_one() -> None:
    shares = Coordinator(image(t=1, u=1)).start()
    shares.beat("m", 0, "t", "u")
    shares.initialized()
    shares.beat("m", 1)
    shares.change(shares.image.apply([RemoveTopicRecord(topic_id=id_of("u"))]))
    assert set(shares.group.states.initialized) == {id_of("t")}
    assert assigned(shares.beat("m", 2)) == {"t": [0]}


def test_a_topic_that_went_while_nobody_looked_is_forgotten_at_the_next_start() -> None:
    shares = Coordinator(image(t=1, u=1)).start()
    shares.beat("m", 0, "t", "u")
    shares.initialized()
    shares.image = image(t=1)
    shares.shard = shares.new_shard()
    for offset, record in enumerate(shares.log):
        shares.shard.replay(record, offset, NOW_MS)
    shares.carry_out(shares.shard.finish_loading(NOW_MS))
    assert set(shares.group.states.initialized) == {id_of("t")}


def test_deleting_the_offsets_of_a_topic_goes_over_deleting() -> None:
    shares = Coordinator(image(t=2)).start()
    shares.beat("m", 0, "t")
    shares.initialized()
    shares.beat("m", -1)
    request = DeleteShareGroupOffsetsRequest(group_id="g", topics=[DeleteShareGroupOffsetsRequestTopic(topic_name="t")])
    for _ in range(2):  # a second time if the first was lost on its way to the share coordinator
        result = shares.carry_out(shares.shard.share.delete_offsets(request))
        assert result.delete.partitions == {id_of("t"): {0, 1}}
        assert (shares.group.states.initialized, shares.group.states.deleting) == ({}, {id_of("t"): "t"})
    shares.carry_out(shares.shard.share.deleted("g", [id_of("t")]))
    assert shares.group.states.deleting == {}


class Life(RuleBasedStateMachine):
    """Members come, go and change their minds, topics grow: at any time the log makes the same groups."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes = {"t": 2, "u": 1}
        self.shares = Coordinator(image(**self.sizes)).start()
        self.epochs: dict[str, int] = {}

    members = st.sampled_from(["one", "two", "three"])
    topics = st.lists(st.sampled_from(["t", "u", "absent"]), unique=True, min_size=1)

    @rule(member=members, topics=topics)
    def join(self, member: str, topics: list[str]) -> None:
        self.epochs[member] = self.shares.beat(member, 0, *topics).member_epoch

    @precondition(lambda self: self.epochs)
    @rule(data=st.data(), topics=st.none() | topics)
    def beat(self, data: st.DataObject, topics: list[str] | None) -> None:
        member = data.draw(st.sampled_from(sorted(self.epochs)))
        response = self.shares.beat(member, self.epochs[member], *(topics or ()))
        assert response.member_epoch >= self.epochs[member]
        self.epochs[member] = response.member_epoch

    @precondition(lambda self: self.epochs)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        member = data.draw(st.sampled_from(sorted(self.epochs)))
        self.shares.beat(member, -1)
        del self.epochs[member]

    @rule()
    def share_coordinator_answers(self) -> None:
        self.shares.initialized()

    @rule(name=st.sampled_from(["t", "u"]))
    def topic_grows(self, name: str) -> None:
        self.sizes[name] = min(self.sizes[name] + 1, 5)
        self.shares.change(image(**self.sizes))

    @rule()
    def settle(self) -> None:
        """After everybody's heartbeats and the share coordinator's answers, all partitions have a reader."""
        for _ in range(3):
            self.shares.initialized()
            for member in self.epochs:
                self.epochs[member] = self.shares.beat(member, self.epochs[member]).member_epoch
        if not self.epochs:
            return
        group = self.shares.group
        for name, size in self.sizes.items():
            readers = [one for one in group.members.values() if name in one.subscribed_topic_names]
            read = {p for one in readers for p in one.assigned_partitions.get(id_of(name), ())}
            assert not readers or read == set(range(size))

    @invariant()
    def the_log_says_all(self) -> None:
        shares = self.shares
        fresh = shares.new_shard()
        for offset, record in enumerate(shares.log):
            fresh.replay(record, offset, NOW_MS)
        fresh.finish_loading(NOW_MS)
        assert _told(fresh) == _told(shares.shard)

    @invariant()
    def nobody_has_what_it_did_not_ask_for(self) -> None:
        group = self.shares.shard.state.find("g", ShareGroup)
        for member in group.members.values() if group else ():
            named = {id_of(name) for name in member.subscribed_topic_names}
            assert set(member.assigned_partitions) <= named


def _told(shard: GroupShard) -> Any:
    group = shard.state.find("g", ShareGroup)
    if group is None:
        return None
    states = group.states._replace(written_ms=0)
    return (
        group.group_epoch, group.target_epoch, group.metadata_hash, dict(group.members), dict(group.target), states,
        {topic: dict(counts) for topic, counts in group.sharers.items()}, dict(group.name_counts),
    )  # fmt: skip


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
