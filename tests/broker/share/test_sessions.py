"""Share sessions: how much all members together may follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ottla.broker.share import sessions as module
from ottla.broker.share.sessions import PartitionId, ShareSessions
from ottla.protocol.errors import ErrorCode, KafkaError


class Connection:
    """As far as a session knows it."""

    def __init__(self) -> None:
        self.on_close: set[Callable[[], None]] = set()


def named(*indexes: int) -> list[tuple[PartitionId, bool]]:
    return [(PartitionId(bytes(16), index), False) for index in indexes]


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> ShareSessions:
    monkeypatch.setattr(module, "PARTITIONS_MAX", 3)
    return ShareSessions(10, lambda lost: None)


def refused(call: Callable[..., object], *arguments: Any) -> ErrorCode:
    with pytest.raises(KafkaError) as caught:
        call(*arguments)
    return caught.value.code


def test_all_sessions_together_follow_no_more_than_a_bound(sessions: ShareSessions) -> None:
    """Whoever names partitions that are not there, on many connections, must not fill the memory."""
    connection: Any = Connection()
    first = sessions.open("g", "one", connection, named(0, 1, 1))
    assert refused(sessions.open, "g", "two", Connection(), named(0, 1)) is ErrorCode.SHARE_SESSION_LIMIT_REACHED
    second = sessions.open("g", "two", Connection(), named(0))  # type: ignore[arg-type]
    assert refused(sessions.add, second, named(0, 1)) is ErrorCode.SHARE_SESSION_LIMIT_REACHED
    assert len(second.partitions) == 1

    sessions.add(first, named(0, 1))
    sessions.open("g", "one", connection, named(4, 5))
    assert sessions.partitions == 3, "the old session gave its place back"
    for callback in tuple(connection.on_close):
        callback()
    sessions.add(second, named(0, 1, 2))
    assert [cached.must_answer for cached in second.partitions.values()] == [False, True, True]
