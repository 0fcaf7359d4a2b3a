"""What the shell may ask of any coordinator: one partition of an internal topic as a state machine.

Groups, transactions and share state are three such machines. Each adds the requests it answers; what stands here is
what `broker/coordinators/shard_host` needs to load it, to run its timers and to carry its decisions out.

    replay(records of the log) … finish_loading()       after a start, or when leadership arrives
    (requests)                                          each gives a `Decision`
    on_timer, on_appended, clean_up                     events from the shell
    unload()                                            leadership is gone, or the log has failed

Invariant: what must survive changes in `replay` and `replay_end_marker` only, so that replaying the log into a fresh
shard gives the same state.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

from ..protocol.errors import ErrorCode
from .decision import Completion, Decision, StoredRecord, TimerKey

__all__ = ["NO_PRODUCER_ID", "Shard", "UnreadableRecordError", "append_error", "partition_for"]

#: The producer id of a record outside of any transaction.
NO_PRODUCER_ID = -1

#: How the failure of an append is told to whoever asked (Kafka's CoordinatorOperationExceptionHelper).
_APPEND_ERRORS = {
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_ENOUGH_REPLICAS: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.REQUEST_TIMED_OUT: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_LEADER_OR_FOLLOWER: ErrorCode.NOT_COORDINATOR,
    ErrorCode.KAFKA_STORAGE_ERROR: ErrorCode.NOT_COORDINATOR,
    ErrorCode.MESSAGE_TOO_LARGE: ErrorCode.UNKNOWN_SERVER_ERROR,
    ErrorCode.RECORD_LIST_TOO_LARGE: ErrorCode.UNKNOWN_SERVER_ERROR,
    ErrorCode.INVALID_FETCH_SIZE: ErrorCode.UNKNOWN_SERVER_ERROR,
}


def java_string_hash(text: str) -> int:
    """Compute `String.hashCode` of Java: over UTF-16 units, as a signed 32-bit number."""
    value = 0
    units = text.encode("utf-16-be", "surrogatepass")
    for high, low in zip(units[::2], units[1::2], strict=True):
        value = (31 * value + (high << 8 | low)) & 0xFFFFFFFF
    return value - 0x100000000 if value & 0x80000000 else value


#: Keys up to this length are remembered with their hash; no client can fill much memory with them.
_REMEMBERED_LENGTH_MAX = 128
_remembered_hash = lru_cache(maxsize=8192)(java_string_hash)


def partition_for(key: str, partition_count: int) -> int:
    """Find the partition of an internal topic that holds a key (a group id, a transactional id), as every Kafka broker does."""
    hashed = _remembered_hash(key) if len(key) <= _REMEMBERED_LENGTH_MAX else java_string_hash(key)
    # Kafka's Utils.abs: the one value without a positive counterpart becomes 0.
    return (0 if hashed == -(2**31) else abs(hashed)) % partition_count


class UnreadableRecordError(Exception):
    """Bytes in an internal topic that contradict their own type."""


class Shard(Protocol):
    """One partition's machine."""

    def replay(self, record: StoredRecord, record_offset: int, now_ms: int, producer_id: int = NO_PRODUCER_ID) -> None:
        """Apply one record of the log; `producer_id` is that of the transaction it belongs to."""

    def replay_end_marker(self, producer_id: int, committed: bool) -> None:
        """Apply the control record that ends a transaction."""

    def finish_loading(self, now_ms: int) -> Decision:
        """The log has been read: take up the work."""

    def unload(self) -> Decision:
        """Send everybody who waits away; the shard is not used after it."""

    def on_timer(self, key: TimerKey, now_ms: int) -> Decision:
        """A timer that a decision asked for has fired."""

    def on_appended(self, completion: Completion, error: ErrorCode, now_ms: int) -> Decision:
        """The records of a decision are committed (`error` is NONE), or will never be."""

    def clean_up(self, now_ms: int) -> list[Decision]:
        """Drop what has expired; the shell asks from time to time."""


def append_error(error: ErrorCode) -> ErrorCode:
    """Translate why an append failed into what a client is told."""
    return _APPEND_ERRORS.get(error, error)
