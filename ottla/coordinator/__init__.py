"""Coordinators: groups and their offsets, transactions, state of share groups, as machines without I/O.

What a machine answers is told in `decision`, what the shell may ask of any of them in `shard`. One folder per internal
topic: `groups/` (`__consumer_offsets`), `transactions/` (`__transaction_state`), `share_state/` (`__share_group_state`); and
`share_partition/`, which has no topic of its own. The shell is `broker/coordinators`.
"""

from __future__ import annotations

from .decision import Completion, Decision, Reply, RequestContext, StoredRecord, Ticket, Timer, TimerKey
from .groups.config import GroupCoordinatorConfig
from .groups.shard import GroupShard
from .shard import Shard, partition_for

__all__ = [
    "Completion", "Decision", "GroupCoordinatorConfig", "GroupShard", "Reply", "RequestContext", "Shard",
    "StoredRecord",    "Ticket", "Timer", "TimerKey", "partition_for",
]  # fmt: skip
