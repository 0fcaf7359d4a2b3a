"""What may become of a record that a share group reads, and what its consumers may say of it.

                      acquire                       accept
      AVAILABLE ───────────────────► ACQUIRED ───────────────────► ACKNOWLEDGED
          ▲                           │  │  │
          └───────────────────────────┘  │  └── reject, gap, ──────► ARCHIVED
            release, lock timeout,       │      delivery limit         ▲
            session closed               │                             │ written to the dead-letter topic
                                         └── the same, where ──────► ARCHIVING
                                             there is one (KIP-1191)

The numbers are those of the wire and of `__share_group_state`.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["TERMINAL", "AcknowledgeType", "RecordState"]


class RecordState(IntEnum):
    """Where a record stands."""

    AVAILABLE = 0
    ACQUIRED = 1
    ACKNOWLEDGED = 2
    ARCHIVING = 3
    ARCHIVED = 4


#: Nothing happens to these any more; the start offset moves over them.
TERMINAL = frozenset({RecordState.ACKNOWLEDGED, RecordState.ARCHIVED})


class AcknowledgeType(IntEnum):
    """What a consumer says of a record it was handed. GAP: there is no record at this offset."""

    GAP = 0
    ACCEPT = 1
    RELEASE = 2
    REJECT = 3
    RENEW = 4
