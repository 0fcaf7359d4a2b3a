"""The sticky task assignor: tasks stay where they are, and load is even over processes and their members.

A member is one stream thread; the members of one process id share state stores, so a standby beside its active task in
one process would be worth nothing. Two rounds:

    active    1 to the member that had the task, while it has less than its share
              2 to a member that had it as standby, likewise
              3 to the least loaded process, there to the least loaded member
    standby   1 to the member that had the task as active, 2 to one that had it as standby, while below its share
              3 to the least loaded process that does not have the task; if there is none, the task gets fewer copies

The share of a member is the number of tasks by the number of members, rounded up; whenever one member is full, it is
computed anew for the rest. Kafka 4.2 assigns no warm-up tasks.

The result is exactly that of Kafka's StickyTaskAssignor, ties included (`modern.hash_order`, `priority_queue`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..modern.hash_order import by_string
from .priority_queue import PriorityQueue
from .tasks import Tasks, TaskSets

__all__ = ["MemberSpec", "SubtopologySpec", "TaskId", "assign_tasks"]

#: The load of a process that has no members yet, as Kafka sets it.
_NO_CAPACITY_LOAD = -1.0


class TaskId(NamedTuple):
    """One task."""

    subtopology_id: str
    partition: int


class MemberSpec(NamedTuple):
    """What the assignor knows of a member: where it runs and what it was given before."""

    process_id: str
    active: Tasks
    standby: Tasks


class SubtopologySpec(NamedTuple):
    """What the assignor knows of a subtopology."""

    tasks: int
    stateful: bool


class _Member(NamedTuple):
    process: _Process
    member_id: str


class _Process:
    """The members of one process id, and what they get."""

    __slots__ = ("_by_load", "_task_count", "active", "counts", "load", "process_id", "standby", "tasks")

    def __init__(self, process_id: str) -> None:
        self.process_id = process_id
        self.load = _NO_CAPACITY_LOAD
        #: By member: how many tasks it has.
        self.counts: dict[str, int] = {}
        self._task_count = 0
        self.tasks: set[TaskId] = set()
        self.active: dict[str, set[TaskId]] = {}
        self.standby: dict[str, set[TaskId]] = {}
        self._by_load: PriorityQueue[str] | None = None

    def add_member(self, member_id: str) -> None:
        self.counts[member_id] = 0
        self.load = self._task_count / len(self.counts)

    def give(self, member_id: str, task: TaskId, role: dict[str, set[TaskId]]) -> int:
        """Give a task to one member; how many it then has."""
        self._by_load = None
        return self._give(member_id, task, role)

    def give_to_least_loaded(self, task: TaskId, role: dict[str, set[TaskId]]) -> int:
        """Give a task to whichever member has the fewest; how many it then has."""
        if self._by_load is None:
            self._by_load = PriorityQueue(lambda member_id: self.counts[member_id], by_string(self.counts))
        member_id = self._by_load.poll()
        assert member_id is not None, "a process is made with its first member"
        count = self._give(member_id, task, role)
        self._by_load.add(member_id)
        return count

    def _give(self, member_id: str, task: TaskId, role: dict[str, set[TaskId]]) -> int:
        self.tasks.add(task)
        role.setdefault(member_id, set()).add(task)
        self.counts[member_id] += 1
        self._task_count += 1
        self.load = self._task_count / len(self.counts)
        return self.counts[member_id]


class _Quota:
    """How many tasks a member shall have, while the number of tasks and of members below their share shrinks."""

    __slots__ = ("_members", "_tasks", "share")

    def __init__(self, tasks: int, members: int) -> None:
        self._tasks = tasks
        self._members = members
        self.share = self._compute()

    def _compute(self) -> int:
        return -(-self._tasks // self._members) if self._members else 0

    def member_has(self, count: int) -> None:
        """Note that a member has this many now; if that is its share, the rest is shared out anew."""
        if count == self.share:
            self._members -= 1
            self._tasks -= count
            self.share = self._compute()


class _Assignment:
    """The state of one run."""

    def __init__(
        self, members: Mapping[str, MemberSpec], subtopologies: Mapping[str, SubtopologySpec], num_standby_replicas: int
    ) -> None:
        self.replicas = num_standby_replicas
        self.ordered = dict(sorted(subtopologies.items()))
        active = sum(spec.tasks for spec in self.ordered.values())
        standby = sum(spec.tasks for spec in self.ordered.values() if spec.stateful) * num_standby_replicas
        self.active_quota = _Quota(active, len(members))
        self.total_quota = _Quota(active + standby, len(members))
        self.processes: dict[str, _Process] = {}
        self.had_active: dict[TaskId, _Member] = {}
        self.had_standby: dict[TaskId, list[_Member]] = {}
        for member_id in by_string(members):
            spec = members[member_id]
            process = self.processes.setdefault(spec.process_id, _Process(spec.process_id))
            process.add_member(member_id)
            member = _Member(process, member_id)
            for task in _task_ids(spec.active):
                self.had_active[task] = member
            for task in _task_ids(spec.standby):
                self.had_standby.setdefault(task, []).append(member)
        self._process_order = by_string(self.processes, len(members))

    # -- active tasks ----------------------------------------------------------------------------------------------

    def assign_active(self) -> None:
        tasks = [TaskId(name, index) for name, spec in self.ordered.items() for index in range(spec.tasks)]
        # The first assignment goes by subtopology; going by partition now keeps what it put together.
        tasks.sort(key=lambda task: (task.partition, task.subtopology_id))
        tasks = [task for task in tasks if not self._stays(task, self.had_active.get(task))]
        tasks = [task for task in tasks if not self._stays(task, _least_loaded(self.had_standby.get(task), None))]
        tasks.sort()
        queue = self._by_load()
        for task in tasks:
            process = queue.poll()
            assert process is not None, "nobody asks for an assignment to no members"
            self._count_active(process.give_to_least_loaded(task, process.active))
            queue.add(process)

    def _stays(self, task: TaskId, member: _Member | None) -> bool:
        if member is None or member.process.counts[member.member_id] >= self.active_quota.share:
            return False
        self._count_active(member.process.give(member.member_id, task, member.process.active))
        return True

    def _count_active(self, count: int) -> None:
        self.active_quota.member_has(count)
        self.total_quota.member_has(count)

    def _by_load(self) -> PriorityQueue[_Process]:
        return PriorityQueue(lambda process: process.load, [self.processes[key] for key in self._process_order])

    # -- standby tasks ---------------------------------------------------------------------------------------------

    def assign_standby(self) -> None:
        tasks = [
            TaskId(name, index) for name, spec in self.ordered.items() if spec.stateful for index in range(spec.tasks)
        ]
        tasks.sort(key=lambda task: (task.partition, task.subtopology_id), reverse=True)
        missing: list[tuple[TaskId, int]] = []
        for task in tasks:
            for copy in range(self.replicas):
                if not self._copy_stays(task):
                    missing.append((task, self.replicas - copy))
                    break
        missing.sort(key=lambda each: each[0], reverse=True)
        queue = self._by_load()
        for task, copies in missing:
            for _ in range(copies):
                if not self._copy_to_least_loaded(queue, task):
                    break  # Not enough processes for so many copies.

    def _copy_stays(self, task: TaskId) -> bool:
        member = self.had_active.get(task)
        if member is not None and task not in member.process.tasks and self._give_copy(task, member):
            return True
        member = _least_loaded(self.had_standby.get(task), task)
        return member is not None and self._give_copy(task, member)

    def _give_copy(self, task: TaskId, member: _Member) -> bool:
        if member.process.counts[member.member_id] >= self.total_quota.share:
            return False
        self.total_quota.member_has(member.process.give(member.member_id, task, member.process.standby))
        return True

    def _copy_to_least_loaded(self, queue: PriorityQueue[_Process], task: TaskId) -> bool:
        passed = []
        found = False
        while not found:
            process = queue.poll()
            if process is None:
                break
            passed.append(process)
            if task not in process.tasks:
                self.total_quota.member_has(process.give_to_least_loaded(task, process.standby))
                found = True
        for process in reversed(passed):
            queue.add(process)
        return found


def _task_ids(tasks: Tasks) -> list[TaskId]:
    return [TaskId(name, partition) for name, partitions in tasks.items() for partition in partitions]


def _least_loaded(members: list[_Member] | None, task: TaskId | None) -> _Member | None:
    """Choose among those that had a task as standby; with `task`, none whose process has it already.

    As in Kafka, the process of the *first* decides in the end whether there is one at all.
    """
    if not members:
        return None
    first = candidate = members[0]
    process_load, member_load = first.process.load, first.process.counts[first.member_id]
    for member in members[1:]:
        process = member.process
        if process.load < process_load and (task is None or task not in process.tasks):
            count = process.counts[member.member_id]
            if count < member_load:
                process_load, member_load, candidate = process.load, count, member
    return candidate if task is None or task not in first.process.tasks else None


def assign_tasks(
    members: Mapping[str, MemberSpec], subtopologies: Mapping[str, SubtopologySpec], num_standby_replicas: int
) -> dict[str, TaskSets]:
    """Decide who shall have which task. Every member is in the result; `members` is in the order of Kafka's map."""
    run = _Assignment(members, subtopologies, num_standby_replicas)
    if members:
        run.assign_active()
        if num_standby_replicas > 0:
            run.assign_standby()
    result = {}
    for member_id, spec in members.items():
        process = run.processes[spec.process_id]
        active, standby = process.active.get(member_id, set()), process.standby.get(member_id, set())
        result[member_id] = TaskSets(_by_subtopology(active), _by_subtopology(standby), {})
    return result


def _by_subtopology(tasks: set[TaskId]) -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    for task in sorted(tasks):
        found.setdefault(task.subtopology_id, set()).add(task.partition)
    return {key: frozenset(partitions) for key, partitions in found.items()}
