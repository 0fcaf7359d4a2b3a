"""How a consumer group is shown by ConsumerGroupDescribe."""

from __future__ import annotations

from ....metadata.image import TopicsImage
from ....protocol.apis.consumer_group_describe import Assignment as DescribedAssignment
from ....protocol.apis.consumer_group_describe import DescribedGroup, Member, TopicPartitions
from ....protocol.errors import ErrorCode
from ..modern.assignment import NOTHING, Assignment
from .group import ConsumerGroup
from .member import ConsumerMember

__all__ = ["describe_group"]

_CLASSIC, _CONSUMER = 0, 1


def describe_group(group: ConsumerGroup, default_assignor: str, topics: TopicsImage) -> DescribedGroup:
    """Show a group with all its members."""
    return DescribedGroup(
        error_code=ErrorCode.NONE, group_id=group.group_id, group_state=group.state_name,
        group_epoch=group.group_epoch, assignment_epoch=group.target_epoch,
        assignor_name=group.preferred_assignor(None, None) or default_assignor,
        members=[_member(group, member, topics) for member in group.members.values()],
    )  # fmt: skip


def _member(group: ConsumerGroup, member: ConsumerMember, topics: TopicsImage) -> Member:
    return Member(
        member_id=member.member_id, instance_id=member.instance_id, rack_id=member.rack_id,
        member_epoch=member.member_epoch, client_id=member.client_id, client_host=member.client_host,
        subscribed_topic_names=sorted(member.subscribed_topic_names),
        subscribed_topic_regex=member.subscribed_topic_regex,
        assignment=_assignment(member.assigned_partitions, topics),
        target_assignment=_assignment(group.target.get(member.member_id, NOTHING), topics),
        member_type=_CLASSIC if member.is_classic else _CONSUMER,
    )  # fmt: skip


def _assignment(assignment: Assignment, topics: TopicsImage) -> DescribedAssignment:
    found = ((topics.by_id(topic_id), partitions) for topic_id, partitions in assignment.items())
    return DescribedAssignment(
        topic_partitions=[
            TopicPartitions(topic_id=topic.id, topic_name=topic.name, partitions=sorted(partitions))
            for topic, partitions in found
            if topic is not None
        ]
    )
