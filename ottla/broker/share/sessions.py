"""Share sessions: which partitions a member of a share group reads here, and in which order its requests come (KIP-932).

A session belongs to a group and a member and hangs on a connection. Its epoch grows by one with every ShareFetch and
ShareAcknowledge, so that a request that is repeated or lost is noticed:

    epoch 0     ShareFetch only: begin anew (what the old session held stays held until its locks end)
    n           must be the next one; names what is added to the session and what is forgotten
    -1          the last request: acknowledgements are taken, then everything the member holds is released

The broker has room for `group.share.max.share.sessions`, and for PARTITIONS_MAX partitions in all of them, whether there
are such partitions or not. When a connection ends, so do its sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from ...protocol.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from ..connection import Connection

INITIAL_EPOCH = 0
FINAL_EPOCH = -1
LAST_EPOCH = 0x7FFFFFFF
#: What all sessions together may follow; an enemy may name any number.
PARTITIONS_MAX = 100_000


class PartitionId(NamedTuple):
    """A partition as share requests name it."""

    topic_id: bytes
    partition_index: int


class CachedPartition:
    """A partition of a session."""

    __slots__ = ("id", "known", "must_answer")

    def __init__(self, partition: PartitionId, known: bool, must_answer: bool) -> None:
        self.id = partition
        #: Whether its topic was there when it was named.
        self.known = known
        #: The next answer carries it even if there is nothing to say.
        self.must_answer = must_answer

    def is_news(self, has_records: bool, has_error: bool) -> bool:
        """Tell whether an answer must carry this partition, and remember it."""
        news = has_records or has_error or self.must_answer
        self.must_answer = has_error
        return news


class ShareSession:
    """One member's session."""

    __slots__ = ("connection", "epoch", "group_id", "member_id", "on_close", "partitions")

    def __init__(self, group_id: str, member_id: str, connection: Connection, on_close: Callable[[], None]) -> None:
        self.group_id = group_id
        self.member_id = member_id
        self.epoch = 1
        self.connection = connection
        self.on_close = on_close
        #: In the order in which they are read.
        self.partitions: dict[PartitionId, CachedPartition] = {}

    def advance(self) -> None:
        """A request of this epoch has been taken."""
        self.epoch = 1 if self.epoch == LAST_EPOCH else self.epoch + 1

    def sent(self, partition: PartitionId) -> None:
        """Read a partition that returned records after the others next time."""
        self.partitions[partition] = self.partitions.pop(partition)


class ShareSessions:
    """All sessions of a broker."""

    __slots__ = ("_limit", "_members", "_on_lost", "_sessions")

    def __init__(self, limit: int, on_lost: Callable[[ShareSession], None]) -> None:
        """`on_lost` is called with a session whose connection has ended, after it was removed."""
        self._limit = limit
        self._on_lost = on_lost
        self._sessions: dict[tuple[str, str], ShareSession] = {}
        self._members: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def partitions(self) -> int:
        """How many partitions the sessions have, counted once for each session."""
        return sum(len(session.partitions) for session in self._sessions.values())

    def has_members(self, group_id: str) -> bool:
        """Whether a group has a session here."""
        return group_id in self._members

    def find(self, group_id: str, member_id: str) -> ShareSession:
        """Return a session; raises SHARE_SESSION_NOT_FOUND."""
        session = self._sessions.get((group_id, member_id))
        if session is None:
            raise KafkaError(ErrorCode.SHARE_SESSION_NOT_FOUND)
        return session

    def open(
        self, group_id: str, member_id: str, connection: Connection, partitions: Iterable[tuple[PartitionId, bool]]
    ) -> ShareSession:
        """Begin a session, in place of the member's old one; raises SHARE_SESSION_LIMIT_REACHED."""
        old = self._sessions.get((group_id, member_id))
        if old is not None:
            self.remove(old)
        named = dict(partitions)
        if len(self._sessions) >= self._limit or self.partitions + len(named) > PARTITIONS_MAX:
            raise KafkaError(ErrorCode.SHARE_SESSION_LIMIT_REACHED)
        session = ShareSession(group_id, member_id, connection, lambda: self._lost(session))
        for partition, known in named.items():
            session.partitions[partition] = CachedPartition(partition, known, must_answer=False)
        connection.on_close.add(session.on_close)
        self._sessions[group_id, member_id] = session
        self._members[group_id] = self._members.get(group_id, 0) + 1
        return session

    def take(self, group_id: str, member_id: str, epoch: int) -> ShareSession:
        """Return the session that expects this epoch next, and let it go on."""
        session = self.find(group_id, member_id)
        if session.epoch != epoch:
            raise KafkaError(ErrorCode.INVALID_SHARE_SESSION_EPOCH)
        session.advance()
        return session

    def add(self, session: ShareSession, partitions: Iterable[tuple[PartitionId, bool]]) -> None:
        """Let a session follow more; new partitions are answered once in any case. Raises SHARE_SESSION_LIMIT_REACHED."""
        new = {partition: known for partition, known in partitions if partition not in session.partitions}
        if new and self.partitions + len(new) > PARTITIONS_MAX:
            raise KafkaError(ErrorCode.SHARE_SESSION_LIMIT_REACHED)
        for partition, known in new.items():
            session.partitions[partition] = CachedPartition(partition, known, must_answer=True)

    def remove(self, session: ShareSession) -> None:
        """End a session; the records its member holds are the caller's business."""
        if self._sessions.get((session.group_id, session.member_id)) is not session:
            return
        del self._sessions[session.group_id, session.member_id]
        session.connection.on_close.discard(session.on_close)
        left = self._members[session.group_id] - 1
        if left:
            self._members[session.group_id] = left
        else:
            del self._members[session.group_id]

    def _lost(self, session: ShareSession) -> None:
        self.remove(session)
        self._on_lost(session)
