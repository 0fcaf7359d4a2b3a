"""The target assignment: what every member shall have, computed when the group epoch has risen."""

from __future__ import annotations

from ....metadata.image import MetadataImage
from ...decision import Decision
from ..modern import hash_order
from ..modern.assignment import NOTHING, Assignment
from ..modern.assignor import GroupSpec, MemberSpec
from . import records
from .config import ASSIGNORS
from .group import ConsumerGroup
from .member import ConsumerMember

__all__ = ["retarget"]


def retarget(
    group: ConsumerGroup, old: ConsumerMember, new: ConsumerMember, epoch: int, assignor: str, image: MetadataImage,
    decision: Decision, *, homogeneous: bool,
) -> Assignment:  # fmt: skip
    """Compute the target for the group with `new` in it, and write what differs. Returns the target of `new`."""
    members = _specs(group, new, image)
    ids = {topic_id for member in members.values() for topic_id in member.topic_ids}
    found = (image.topics.by_id(topic_id) for topic_id in ids)
    counts = {topic.id: len(topic.partitions) for topic in found if topic is not None}
    spec = GroupSpec(members, homogeneous, group.target_owners, counts)
    target = ASSIGNORS[assignor](spec)
    for member_id in members:
        assignment = target.get(member_id, NOTHING)
        if group.target.get(member_id) != assignment:
            decision.records.append(records.target_assignment(group.group_id, member_id, assignment))
    decision.records.append(records.target_epoch(group.group_id, epoch))
    decision.notes.append(
        f"[GroupId {group.group_id}] Computed a new target assignment for epoch {epoch} with '{assignor}' assignor"
        f" for {len(members)} members"
    )
    return target.get(new.member_id, NOTHING)


def _specs(group: ConsumerGroup, new: ConsumerMember, image: MetadataImage) -> dict[str, MemberSpec]:
    """Describe the members to the assignor, in the order of Kafka's map of them."""
    members = dict(group.members)
    members[new.member_id] = new
    capacity = hash_order.capacity_grown_to(len(members))
    replaced = group.static_members.get(new.instance_id) if new.instance_id is not None else None
    if replaced is not None and replaced != new.member_id:
        members.pop(replaced, None)
    #: Members mostly read the same; topics are looked up once for each set of names.
    orders: dict[frozenset[str], tuple[bytes, ...]] = {}
    specs = {}
    for member_id in hash_order.by_string(members, capacity):
        member = members[member_id]
        names = group.topics_of(member)
        order = orders.get(names)
        if order is None:
            walked = hash_order.by_string(sorted(names), hash_order.capacity_for_copy(len(names)))
            found = (image.topics.get(name) for name in walked)
            orders[names] = order = tuple(topic.id for topic in found if topic is not None)
        target = group.target_of(member_id, new.instance_id if member is new else None)
        specs[member_id] = MemberSpec(
            member_id, member.instance_id, member.rack_id, len(names), frozenset(order), order, target
        )  # fmt: skip
    return specs
