"""Topics that Kafka keeps for itself."""

from __future__ import annotations

GROUP_METADATA = "__consumer_offsets"
TRANSACTION_STATE = "__transaction_state"
SHARE_GROUP_STATE = "__share_group_state"

#: What Metadata marks as internal and clients may not write to.
INTERNAL = frozenset({GROUP_METADATA, TRANSACTION_STATE, SHARE_GROUP_STATE})


def is_internal(topic: str) -> bool:
    """Tell whether a topic belongs to the broker."""
    return topic in INTERNAL
