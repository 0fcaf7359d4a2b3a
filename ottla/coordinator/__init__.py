"""Coordinators: groups and their offsets (and, later, transactions), as machines without I/O.

`GroupShard` is one partition of `__consumer_offsets`; the broker's shell (`broker/group_coordinator`) feeds it
requests and carries out its decisions. What a decision is: `decision`.
"""

from __future__ import annotations

from .config import GroupCoordinatorConfig
from .decision import Completion, Decision, Reply, RequestContext, StoredRecord, Ticket, Timer, TimerKey
from .records import partition_for
from .shard import GroupShard

__all__ = [
    "Completion", "Decision", "GroupCoordinatorConfig", "GroupShard", "Reply", "RequestContext", "StoredRecord",
    "Ticket", "Timer", "TimerKey", "partition_for",
]  # fmt: skip
