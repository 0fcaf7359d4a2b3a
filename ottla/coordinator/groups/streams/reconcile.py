"""The next step of a member towards its target, so that no task is ever active twice.

                       has tasks it shall not have, and still owns them
      STABLE ─────────────────────────────────────────────────────────► UNREVOKED_TASKS   (epoch stays)
        │ ▲                                                                    │ heartbeat without them: epoch + 1
        │ │ all it shall have                                                  ▼
        │ └──────────────────────────────────────────────────────────── next target
        │         a task it shall have is still with another process           │
        └──────────────────────────────────────────────────────────────► UNRELEASED_TASKS  (epoch of the target)

An active task is free when no process has it as active, and the member's own process has it in no other role; a standby
or warm-up task is free when the member's own process has it in no role, for the members of a process share its state
directory. An active task remembers the epoch of the target that gave it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from ....protocol.errors import ErrorCode, KafkaError
from .member import MemberState, StreamsMember
from .tasks import NOTHING_ASSIGNED, AssignedTasks, EpochTasks, Tasks, TaskSets

__all__ = ["TaskOwners", "reconcile"]


class TaskOwners(Protocol):
    """Which processes have a task now, whether assigned or still to be given back."""

    def active_process(self, subtopology_id: str, partition: int) -> str | None:
        """The process that has it as active."""

    def standby_processes(self, subtopology_id: str, partition: int) -> frozenset[str] | set[str]:
        """The processes that have it as standby."""

    def warmup_processes(self, subtopology_id: str, partition: int) -> frozenset[str] | set[str]:
        """The processes that have it as warm-up."""


def reconcile(
    member: StreamsMember, target_epoch: int, target: TaskSets, owned: TaskSets | None, owners: TaskOwners
) -> StreamsMember:
    """Move a member on; the same member if it has to wait. `owned` is what it says it has, if it says so."""
    if member.state is MemberState.STABLE:
        if member.member_epoch == target_epoch:
            return member
        epoch = member.member_epoch
    elif member.state is MemberState.UNREVOKED_TASKS:
        if owned is None or owned.overlaps(member.pending_revocation):
            return member
        epoch = member.member_epoch + 1
    elif member.state is MemberState.UNRELEASED_TASKS:
        epoch = member.member_epoch
    else:
        if owned is None or owned:
            why = "The streams group member is in a unknown state. The member must abandon all its tasks and rejoin."
            raise KafkaError(ErrorCode.FENCED_MEMBER_EPOCH, why)
        epoch = target_epoch
    return _next(member, epoch, target_epoch, target, owned, owners)


def _next(
    member: StreamsMember, epoch: int, target_epoch: int, target: TaskSets, owned: TaskSets | None, owners: TaskOwners
) -> StreamsMember:
    process_id = member.process_id

    def with_own_process(key: str, partition: int) -> bool:
        return process_id in owners.standby_processes(key, partition) or process_id in owners.warmup_processes(
            key, partition
        )

    def active_taken(key: str, partition: int) -> bool:
        return owners.active_process(key, partition) is not None or with_own_process(key, partition)

    def copy_taken(key: str, partition: int) -> bool:
        return owners.active_process(key, partition) == process_id or with_own_process(key, partition)

    had = member.assigned
    active, active_over, active_new, active_waits = _split_active(had.active, target.active, target_epoch, active_taken)
    standby, standby_over, standby_new, standby_waits = _split(had.standby, target.standby, copy_taken)
    warmup, warmup_over, warmup_new, warmup_waits = _split(had.warmup, target.warmup, copy_taken)
    over = AssignedTasks(active_over, standby_over, warmup_over)
    kept = AssignedTasks(active, standby, warmup)
    if over and (owned is None or owned.overlaps(over)):
        return _moved(member, MemberState.UNREVOKED_TASKS, epoch, kept, over)
    waits = active_waits or standby_waits or warmup_waits
    new = AssignedTasks(active_new, standby_new, warmup_new)
    state = MemberState.UNRELEASED_TASKS if waits else MemberState.STABLE
    return _moved(member, state, target_epoch, kept.merge(new) if new else kept, NOTHING_ASSIGNED)


def _moved(
    member: StreamsMember, state: MemberState, epoch: int, assigned: AssignedTasks, pending: AssignedTasks
) -> StreamsMember:
    return replace(
        member,
        state=state,
        member_epoch=epoch,
        previous_member_epoch=member.member_epoch,
        assigned=assigned,
        pending_revocation=pending,
    )


_Taken = Callable[[str, int], bool]


def _split(had: Tasks, target: Tasks, taken: _Taken) -> tuple[Tasks, Tasks, Tasks, bool]:
    """Sort tasks into those kept, those to give back, those given now; and whether one has to be waited for."""
    kept: dict[str, frozenset[int]] = {}
    over: dict[str, frozenset[int]] = {}
    new: dict[str, frozenset[int]] = {}
    waits = False
    for key in dict.fromkeys((*target, *had)):
        now, wanted = had.get(key, frozenset()), target.get(key, frozenset())
        free = frozenset(partition for partition in wanted - now if not taken(key, partition))
        waits |= len(free) < len(wanted - now)
        for result, partitions in ((kept, now & wanted), (over, now - wanted), (new, free)):
            if partitions:
                result[key] = partitions
    return kept, over, new, waits


def _split_active(
    had: EpochTasks, target: Tasks, target_epoch: int, taken: _Taken
) -> tuple[EpochTasks, EpochTasks, EpochTasks, bool]:
    partitions = {key: frozenset(epochs) for key, epochs in had.items()}
    kept, over, new, waits = _split(partitions, target, taken)

    def with_epochs(tasks: Tasks) -> EpochTasks:
        return {key: {partition: had[key][partition] for partition in each} for key, each in tasks.items()}

    given = {key: dict.fromkeys(each, target_epoch) for key, each in new.items()}
    return with_epochs(kept), with_epochs(over), given, waits
