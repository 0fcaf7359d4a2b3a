"""Sets of tasks. A task is one partition number of one subtopology; a member runs it as active, standby or warm-up.

    Tasks        subtopology id -> partitions                           what a member owns, or shall have
    EpochTasks   subtopology id -> partition -> assignment epoch        active tasks, with the epoch that gave them

The epoch of an active task decides whether an offset that a member commits with an older epoch of its own is late
(KAFKA-20066): the task was its own already then, or it was not. No subtopology stands in a set without partitions where
this module made it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

__all__ = ["NOTHING_ASSIGNED", "NO_TASKS", "AssignedTasks", "EpochTasks", "TaskSets", "Tasks", "tasks_of"]

Tasks = Mapping[str, frozenset[int]]
EpochTasks = Mapping[str, Mapping[int, int]]


def tasks_of(task_ids: Iterable[Any]) -> dict[str, frozenset[int]]:
    """Read a list of TaskIds, of a request or a record."""
    return {each.subtopology_id: frozenset(each.partitions) for each in task_ids}


class AssignedTasks(NamedTuple):
    """What a member has, or has to give back: the active tasks with the epochs in which they were given."""

    active: EpochTasks
    standby: Tasks
    warmup: Tasks

    def __bool__(self) -> bool:
        return bool(self.active or self.standby or self.warmup)

    def merge(self, other: AssignedTasks) -> AssignedTasks:
        """Unite two sets; of two epochs, the other's counts."""
        active = {key: dict(partitions) for key, partitions in self.active.items()}
        for key, epochs in other.active.items():
            active.setdefault(key, {}).update(epochs)
        return AssignedTasks(active, _union(self.standby, other.standby), _union(self.warmup, other.warmup))


class TaskSets(NamedTuple):
    """What a member owns, as it says, or what it shall have, as the assignor says."""

    active: Tasks
    standby: Tasks
    warmup: Tasks

    def __bool__(self) -> bool:
        return bool(self.active or self.standby or self.warmup)

    def overlaps(self, other: AssignedTasks) -> bool:
        """Whether a task stands in both in the same role."""
        return (
            any(not partitions.isdisjoint(other.active.get(key, ())) for key, partitions in self.active.items())
            or any(not partitions.isdisjoint(other.standby.get(key, ())) for key, partitions in self.standby.items())
            or any(not partitions.isdisjoint(other.warmup.get(key, ())) for key, partitions in self.warmup.items())
        )


def _union(one: Tasks, other: Tasks) -> dict[str, frozenset[int]]:
    keys = dict.fromkeys((*one, *other))
    return {key: one.get(key, frozenset()) | other.get(key, frozenset()) for key in keys}


NO_TASKS = TaskSets({}, {}, {})
NOTHING_ASSIGNED = AssignedTasks({}, {}, {})
