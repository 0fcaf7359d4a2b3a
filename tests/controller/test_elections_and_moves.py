"""Elections and reassignments that an administrator asks for, on images of three brokers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ottla.controller.elections import PREFERRED, UNCLEAN, elect_leaders
from ottla.controller.reassignments import alter_partition_reassignments, list_partition_reassignments
from ottla.metadata.image import BrokerImage, MetadataImage, PartitionImage, partition_record
from ottla.protocol.apis.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from ottla.protocol.apis.elect_leaders import ElectLeadersRequest
from ottla.protocol.apis.list_partition_reassignments import ListPartitionReassignmentsRequest
from ottla.protocol.errors import ErrorCode
from ottla.protocol.stored.metadata import TopicRecord

ID = b"\1" * 16


def image(*partitions: PartitionImage, dead: tuple[int, ...] = ()) -> MetadataImage:
    brokers = {i: BrokerImage(i, 1, bytes(16), (), fenced=i in dead) for i in (1, 2, 3)}
    records = [partition_record(ID, index, partition) for index, partition in enumerate(partitions)]
    return replace(MetadataImage.empty(), brokers=brokers).apply([TopicRecord(name="t", topic_id=ID), *records])


def elected(before: MetadataImage, kind: int) -> tuple[list[ErrorCode], PartitionImage]:
    decision = elect_leaders(before, ElectLeadersRequest(election_type=kind, topic_partitions=None))
    codes = [ErrorCode(row.error_code) for row in decision.response.replica_election_results[0].partition_result]
    topic = before.apply(decision.records).topics.get("t")
    assert topic is not None
    return codes, topic.partitions[0]


def test_the_preferred_leader_gets_its_partition_back() -> None:
    codes, after = elected(image(PartitionImage(2, 4, 7, (1, 2), (2, 1))), PREFERRED)
    assert codes == [ErrorCode.NONE]
    assert (after.leader, after.leader_epoch) == (1, 5)


def test_it_does_not_while_it_lags_or_is_dead() -> None:
    lags = PartitionImage(2, 4, 7, (1, 2), (2,))
    assert elected(image(lags), PREFERRED) == ([ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE], lags)
    dead = PartitionImage(2, 4, 7, (1, 2), (1, 2))
    assert elected(image(dead, dead=(1,)), PREFERRED)[0] == [ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE]


def test_an_unclean_election_takes_who_lives_and_says_so() -> None:
    codes, after = elected(image(PartitionImage(-1, 4, 7, (1, 2), (1,)), dead=(1,)), UNCLEAN)
    assert codes == [ErrorCode.NONE]
    assert (after.leader, after.isr, after.leader_recovery_state) == (2, (2,), 1)


def test_where_nobody_lives_nobody_is_elected() -> None:
    codes, _ = elected(image(PartitionImage(-1, 4, 7, (1, 2), (1,)), dead=(1, 2)), UNCLEAN)
    assert codes == [ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE]


def move(before: MetadataImage, replicas: list[int] | None, **options: Any) -> tuple[ErrorCode, MetadataImage]:
    wanted = ReassignableTopic(name="t", partitions=[ReassignablePartition(partition_index=0, replicas=replicas)])
    decision = alter_partition_reassignments(before, AlterPartitionReassignmentsRequest(topics=[wanted], **options))
    return ErrorCode(decision.response.responses[0].partitions[0].error_code), before.apply(decision.records)


def partition(of: MetadataImage) -> PartitionImage:
    topic = of.topics.get("t")
    assert topic is not None
    return topic.partitions[0]


def test_a_new_order_of_the_same_replicas_holds_at_once() -> None:
    code, after = move(image(PartitionImage(1, 0, 0, (1, 2), (1, 2))), [2, 1])
    assert code == ErrorCode.NONE
    assert partition(after).replicas == (2, 1)
    assert partition(after).leader == 1


def test_a_replica_that_goes_gives_its_leadership_away() -> None:
    _, after = move(image(PartitionImage(1, 3, 0, (1, 2), (1, 2))), [2])
    assert partition(after)[:1] + partition(after)[3:5] == (2, (2,), (2,))


def test_a_new_replica_is_added_first_listed_and_can_be_cancelled() -> None:
    code, moving = move(image(PartitionImage(1, 0, 0, (1, 2), (1, 2))), [3, 2])
    assert code == ErrorCode.NONE
    assert partition(moving).replicas == (3, 2, 1)
    assert partition(moving).isr == (1, 2)
    (topic,) = list_partition_reassignments(moving, ListPartitionReassignmentsRequest(topics=None)).topics
    assert (topic.partitions[0].adding_replicas, topic.partitions[0].removing_replicas) == ([3], [1])
    code, after = move(moving, None)
    assert code == ErrorCode.NONE
    assert sorted(partition(after).replicas) == [1, 2]
    assert list_partition_reassignments(after, ListPartitionReassignmentsRequest(topics=None)).topics == []


def test_the_factor_can_be_held() -> None:
    before = image(PartitionImage(1, 0, 0, (1, 2), (1, 2)))
    code, after = move(before, [1], allow_replication_factor_change=False)
    assert code == ErrorCode.INVALID_REPLICATION_FACTOR
    assert partition(after) == partition(before)
