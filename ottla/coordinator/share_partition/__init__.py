"""One share group's records in flight in one partition, as a machine without I/O (KIP-932).

`in_flight` holds what is known of each record, `partition` the machine, `acquire` how records are handed out, `decision`
what the machine answers. The shell is `broker/share`.
"""

from __future__ import annotations

from .decision import Acknowledgement, Acquired, DeadLetter, Outcome, StateWrite
from .partition import LogBatch, SharePartition, Wanted
from .settings import SharePartitionSettings
from .states import AcknowledgeType, RecordState

__all__ = [
    "AcknowledgeType", "Acknowledgement", "Acquired", "DeadLetter", "LogBatch", "Outcome", "RecordState",
    "SharePartition", "SharePartitionSettings", "StateWrite", "Wanted",
]  # fmt: skip
