"""A consumer group as a test sees it: its state, its members, what it has committed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from ..protocol.apis.describe_groups import DescribeGroupsRequest
from ..protocol.apis.find_coordinator import FindCoordinatorRequest
from ..protocol.apis.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup
from ..protocol.consumer_protocol import ConsumerProtocolAssignment
from ..protocol.errors import ErrorCode
from .durations import seconds
from .wire import Wire, check

#: How often a wait looks. Members come by requests of their own, which nothing here can see arrive.
LOOK_INTERVAL_S = 0.01
#: The first version of OffsetFetch that asks by group, and the last that names topics by name.
OFFSET_FETCH_VERSION = 9
#: The last version of DescribeGroups that describes a group that is not there as Dead.
DESCRIBE_GROUPS_VERSION = 5
#: How long a coordinator may take to come up: its topic is created when it is first looked for.
COORDINATOR_WITHIN_S = 5.0
_NO_COORDINATOR = {
    ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
}  # fmt: skip


class Member(NamedTuple):
    """One member of a group and the partitions it has."""

    member_id: str
    client_id: str
    group_instance_id: str | None
    partitions: tuple[tuple[str, int], ...]


class Group:
    """One group; made by `kafka.group(group_id)`."""

    def __init__(self, wire: Wire, group_id: str) -> None:
        self.group_id = group_id
        self._wire = wire

    @property
    def state(self) -> str:
        """Kafka's name of the state: Empty, PreparingRebalance, CompletingRebalance, Stable, Dead."""
        return str(self._describe().group_state)

    @property
    def members(self) -> list[Member]:
        """The members with their assignments."""
        return [
            Member(each.member_id, each.client_id, each.group_instance_id, _assigned(each.member_assignment))
            for each in self._describe().members
        ]

    def offsets(self) -> dict[tuple[str, int], int]:
        """(topic, partition) -> committed offset."""
        request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=self.group_id, topics=None)])
        group = self._ask(lambda: self._wire.call(request, OFFSET_FETCH_VERSION).groups[0])
        return {
            (topic.name, each.partition_index): each.committed_offset
            for topic in group.topics
            for each in topic.partitions
        }

    def wait_stable(self, members: int | None = None, within: str | float = "10s") -> list[Member]:
        """Wait until the group is Stable (with so many members), and return them; AssertionError otherwise."""
        deadline = time.monotonic() + seconds(within)
        while True:
            state, now = self.state, self.members
            if state == "Stable" and (members is None or len(now) == members):
                return now
            if time.monotonic() >= deadline:
                wanted = "" if members is None else f" with {members} members"
                raise AssertionError(
                    f"group {self.group_id!r} is not Stable{wanted} within {within}: {state} with {len(now)} members"
                )
            time.sleep(LOOK_INTERVAL_S)

    def _describe(self) -> Any:
        request = DescribeGroupsRequest(groups=[self.group_id])
        return self._ask(lambda: self._wire.call(request, DESCRIBE_GROUPS_VERSION).groups[0])

    def _ask(self, question: Callable[[], Any]) -> Any:
        """Ask the coordinator; as every client does, look for it first and again while it is not there yet."""
        deadline = time.monotonic() + COORDINATOR_WITHIN_S
        while True:
            group = question()
            if group.error_code not in _NO_COORDINATOR or time.monotonic() >= deadline:
                check(group.error_code)
                return group
            self._wire.call(FindCoordinatorRequest(coordinator_keys=[self.group_id]))
            time.sleep(LOOK_INTERVAL_S)


def _assigned(data: bytes) -> tuple[tuple[str, int], ...]:
    """Read a consumer's assignment: a version, then the message; other protocol types have none that we know."""
    if len(data) < 2:
        return ()
    from ..protocol import codec

    version = min(int.from_bytes(data[:2], "big"), ConsumerProtocolAssignment.VERSIONS.high)
    assignment = codec.decode(ConsumerProtocolAssignment, data, version, 2)
    return tuple(sorted((each.topic, index) for each in assignment.assigned_partitions for index in each.partitions))
