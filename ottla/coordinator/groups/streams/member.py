"""One member of a streams group: a stream thread, as its records describe it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from ....protocol.apis import streams_group_describe as describe
from ..modern.hash_order import by_string
from .tasks import NOTHING_ASSIGNED, AssignedTasks, TaskSets

__all__ = ["Endpoint", "MemberState", "StreamsMember"]


class MemberState(IntEnum):
    """How far a member has come with its target."""

    STABLE = 1
    #: It has to give tasks back first.
    UNREVOKED_TASKS = 2
    #: It waits for tasks that others have to give back.
    UNRELEASED_TASKS = 3
    #: Written by a newer release.
    UNKNOWN = 127


class Endpoint(NamedTuple):
    """Where other instances of the application reach the member, for interactive queries."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class StreamsMember:
    """The stored state of a member; a change makes a new one."""

    member_id: str
    member_epoch: int = 0
    previous_member_epoch: int = 0
    state: MemberState = MemberState.STABLE
    instance_id: str | None = None
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    rebalance_timeout_ms: int = -1
    topology_epoch: int = -1
    process_id: str = ""
    user_endpoint: Endpoint | None = None
    client_tags: dict[str, str] = field(default_factory=dict)
    assigned: AssignedTasks = NOTHING_ASSIGNED
    pending_revocation: AssignedTasks = NOTHING_ASSIGNED

    def is_reconciled_to(self, assignment_epoch: int) -> bool:
        """Whether it has what that target gave it."""
        return self.state is MemberState.STABLE and self.member_epoch == assignment_epoch

    def describe(self, target: TaskSets | None) -> describe.Member:
        """Show it to an administrator."""
        endpoint = self.user_endpoint
        shown = describe.Member(
            member_id=self.member_id,
            member_epoch=self.member_epoch,
            instance_id=self.instance_id,
            rack_id=self.rack_id,
            client_id=self.client_id,
            client_host=self.client_host,
            topology_epoch=self.topology_epoch,
            process_id=self.process_id,
            client_tags=[
                describe.KeyValue(key=key, value=self.client_tags[key]) for key in by_string(self.client_tags)
            ],
            assignment=_describe(self.assigned),
        )
        if endpoint is not None:
            shown.user_endpoint = describe.Endpoint(host=endpoint.host, port=endpoint.port)
        if target is not None:
            shown.target_assignment = _describe(target)
        return shown


def _describe(tasks: AssignedTasks | TaskSets) -> describe.Assignment:
    active, standby, warmup = (
        [
            describe.TaskIds(subtopology_id=key, partitions=sorted(partitions))
            for key, partitions in sorted(role.items())
        ]
        for role in tasks
    )
    return describe.Assignment(active_tasks=active, standby_tasks=standby, warmup_tasks=warmup)
