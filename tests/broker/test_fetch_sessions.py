"""Fetch sessions: who may go on, what is remembered, who makes room."""

from __future__ import annotations

import random

import pytest

from ottla.broker.fetch_sessions import EVICTION_MS, FetchedPartition, FetchSession, FetchSessions, sent
from ottla.protocol.apis.fetch import (
    EpochEndOffset,
    FetchPartition,
    FetchRequest,
    FetchTopic,
    ForgottenTopic,
    PartitionData,
)
from ottla.protocol.errors import ErrorCode, KafkaError
from ottla.protocol.schema import ZERO_UUID

T1, T2 = bytes(15) + b"\1", bytes(15) + b"\2"
BY_NAME, BY_ID = 12, 13


def cache(slots: int = 10) -> FetchSessions:
    return FetchSessions(slots, random.Random(7))


def request(
    session_id: int, epoch: int, *wanted: tuple[str, int, int], forget: tuple[tuple[str, int], ...] = ()
) -> FetchRequest:
    """A request for (topic, partition, offset)s."""
    return FetchRequest(
        session_id=session_id, session_epoch=epoch,
        topics=[
            FetchTopic(topic=topic, partitions=[FetchPartition(partition=index, fetch_offset=offset)])
            for topic, index, offset in wanted
        ],
        forgotten_topics_data=[ForgottenTopic(topic=topic, partitions=[index]) for topic, index in forget],
    )  # fmt: skip


def offsets(partitions: list[FetchedPartition]) -> dict[tuple[str, int], int]:
    return {(partition.topic, partition.index): partition.fetch_offset for partition in partitions}


def opened(sessions: FetchSessions, *wanted: tuple[str, int, int], now_ms: int = 0) -> FetchSession:
    _, session, incremental = sessions.begin(request(0, 0, *wanted), BY_NAME, now_ms)
    assert session is not None
    assert not incremental
    return session


def refused(sessions: FetchSessions, wanted: FetchRequest, version: int = BY_NAME) -> ErrorCode:
    with pytest.raises(KafkaError) as caught:
        sessions.begin(wanted, version, 0)
    return caught.value.code


def test_epoch_0_opens_a_session_and_reads_everything_it_names() -> None:
    sessions = cache()
    partitions, session, incremental = sessions.begin(request(0, 0, ("a", 0, 5), ("b", 1, 6)), BY_NAME, 0)
    assert session is not None
    assert session.id > 0
    assert (session.epoch, incremental, len(sessions)) == (1, False, 1)
    assert offsets(partitions) == {("a", 0): 5, ("b", 1): 6}


def test_the_next_epochs_read_what_was_named_with_the_changes() -> None:
    sessions = cache()
    session = opened(sessions, ("a", 0, 5), ("b", 1, 6))
    partitions, again, incremental = sessions.begin(request(session.id, 1, ("a", 0, 9), ("c", 0, 1)), BY_NAME, 0)
    assert (again, incremental) == (session, True)
    assert offsets(partitions) == {("a", 0): 9, ("b", 1): 6, ("c", 0): 1}
    partitions, _, _ = sessions.begin(request(session.id, 2, forget=(("b", 1), ("never", 0))), BY_NAME, 0)
    assert offsets(partitions) == {("a", 0): 9, ("c", 0): 1}


def test_any_other_epoch_and_any_other_session_are_refused() -> None:
    sessions = cache()
    session = opened(sessions, ("a", 0, 0))
    assert refused(sessions, request(session.id, 2)) == ErrorCode.INVALID_FETCH_SESSION_EPOCH
    assert refused(sessions, request(session.id + 1, 1)) == ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    assert refused(sessions, request(session.id, 1), BY_ID) == ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR
    sessions.begin(request(session.id, 1), BY_NAME, 0)
    assert refused(sessions, request(session.id, 1)) == ErrorCode.INVALID_FETCH_SESSION_EPOCH, "a repeated request"


def test_a_refused_request_changes_nothing() -> None:
    sessions = cache()
    session = opened(sessions, ("a", 0, 5))
    refused(sessions, request(session.id, 7, ("a", 0, 100), ("b", 0, 1)))
    partitions, _, _ = sessions.begin(request(session.id, 1), BY_NAME, 0)
    assert offsets(partitions) == {("a", 0): 5}


def test_the_final_epoch_closes_the_session_and_is_answered_without_one() -> None:
    sessions = cache()
    session = opened(sessions, ("a", 0, 0))
    partitions, none, _ = sessions.begin(request(session.id, -1, ("b", 0, 3)), BY_NAME, 0)
    assert (offsets(partitions), none, len(sessions)) == ({("b", 0): 3}, None, 0)


def test_epoch_0_of_a_known_session_begins_a_new_one_in_its_place() -> None:
    sessions = cache()
    session = opened(sessions, ("a", 0, 0))
    _, fresh, _ = sessions.begin(request(session.id, 0, ("b", 0, 0)), BY_NAME, 0)
    assert fresh is not None
    assert fresh.id != session.id
    assert len(sessions) == 1


def test_a_session_that_follows_nothing_any_more_is_closed() -> None:
    sessions = cache()
    session = opened(sessions, ("a", 0, 0))
    assert sessions.begin(request(session.id, 1, forget=(("a", 0),)), BY_NAME, 0) == ([], None, False)
    assert len(sessions) == 0


def test_a_session_may_begin_with_nothing_and_grow() -> None:
    sessions = cache()
    session = opened(sessions)
    partitions, _, incremental = sessions.begin(request(session.id, 1, ("a", 0, 5)), BY_NAME, 0)
    assert offsets(partitions) == {("a", 0): 5}
    assert incremental


def test_the_epoch_after_the_last_is_1() -> None:
    sessions = cache()
    session = opened(sessions, ("a", 0, 0))
    session.epoch = 0x7FFFFFFF
    sessions.begin(request(session.id, 0x7FFFFFFF), BY_NAME, 0)
    assert session.epoch == 1


def test_the_same_name_with_another_id_is_another_partition() -> None:
    sessions = cache()
    first = FetchRequest(session_epoch=0, topics=[FetchTopic(topic_id=T1, partitions=[FetchPartition(partition=0)])])
    _, session, _ = sessions.begin(first, BY_ID, 0)
    assert session is not None
    second = FetchRequest(
        session_id=session.id, session_epoch=1,
        topics=[FetchTopic(topic_id=T2, partitions=[FetchPartition(partition=0)])],
        forgotten_topics_data=[ForgottenTopic(topic_id=T1, partitions=[0])],
    )  # fmt: skip
    partitions, _, _ = sessions.begin(second, BY_ID, 0)
    assert [partition.topic_id for partition in partitions] == [T2]


# ── room ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_full_cache_leaves_a_client_without_a_session() -> None:
    sessions = cache(slots=1)
    opened(sessions, ("a", 0, 0))
    partitions, session, _ = sessions.begin(request(0, 0, ("b", 0, 4)), BY_NAME, EVICTION_MS - 1)
    assert (offsets(partitions), session) == ({("b", 0): 4}, None)


def test_the_session_that_was_not_used_for_the_longest_makes_room() -> None:
    sessions = cache(slots=2)
    oldest, used = opened(sessions, ("a", 0, 0)), opened(sessions, ("b", 0, 0))
    oldest, used = used, oldest
    sessions.begin(request(used.id, 1), BY_NAME, 10)
    opened(sessions, ("c", 0, 0), now_ms=EVICTION_MS)
    assert refused(sessions, request(oldest.id, 1)) == ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    sessions.begin(request(used.id, 2), BY_NAME, EVICTION_MS)


def test_sessions_follow_no_more_than_a_bound_together() -> None:
    """They outlive their connections: whoever opens many with many names must not fill the memory."""
    sessions = FetchSessions(10, random.Random(7), partitions_max=3)
    first = opened(sessions, ("one", 0, 0), ("one", 1, 0))
    named = (("x", 0, 0), ("x", 1, 0))
    partitions, session, _ = sessions.begin(request(0, 0, *named), BY_NAME, 0)
    assert session is None, "four would be too many"
    assert len(partitions) == 2, "without a session everything is read all the same"
    opened(sessions, ("y", 0, 0))

    opened(sessions, *named, now_ms=EVICTION_MS)
    assert refused(sessions, request(first.id, 1)) is ErrorCode.FETCH_SESSION_ID_NOT_FOUND, (
        "it was not used and made room"
    )


def test_a_session_that_grows_beyond_the_bound_ends() -> None:
    sessions = FetchSessions(10, random.Random(7), partitions_max=2)
    session = opened(sessions, ("one", 0, 0))
    sessions.begin(request(session.id, 1, ("one", 1, 0)), BY_NAME, 0)
    assert refused(sessions, request(session.id, 2, ("one", 2, 0))) is ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    assert len(sessions) == 0
    opened(sessions, ("one", 0, 0), ("one", 1, 0))  # what it followed was given back


def test_what_ends_gives_its_place_back() -> None:
    sessions = FetchSessions(10, random.Random(7), partitions_max=2)
    for _ in range(3):
        session = opened(sessions, ("one", 0, 0), ("one", 1, 0))
        sessions.begin(request(session.id, 1, forget=(("one", 0), ("one", 1))), BY_NAME, 0)
        session = opened(sessions, ("one", 0, 0), ("one", 1, 0))
        sessions.begin(request(session.id, -1), BY_NAME, 0)
        session = opened(sessions, ("one", 0, 0), ("one", 1, 0))
        sessions.forget(session)


def test_no_session_follows_a_name_that_no_topic_can_have() -> None:
    sessions = cache()
    assert sessions.begin(request(0, 0, ("x" * 250, 0, 0)), BY_NAME, 0)[1] is None
    session = opened(sessions, ("x" * 249, 0, 0))
    wanted = request(session.id, 1, ("x" * 30_000, 0, 0))
    assert refused(sessions, wanted) is ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    assert len(sessions) == 0


def test_a_partition_named_twice_is_read_once() -> None:
    """As with Kafka: where it is named last, with a session and without."""
    twice = (("one", 0, 3), ("two", 0, 0), ("one", 0, 5))
    for epoch in (0, -1):
        partitions, _, _ = cache().begin(request(0, epoch, *twice), BY_NAME, 0)
        assert [(partition.topic, partition.fetch_offset) for partition in partitions] == [("one", 5), ("two", 0)]


def test_a_full_request_forgets_nothing() -> None:
    partitions, _, _ = cache().begin(request(0, 0, ("one", 0, 0), ("one", 1, 0), forget=(("one", 1),)), BY_NAME, 0)
    assert len(partitions) == 2


def test_without_slots_there_are_no_sessions() -> None:
    sessions = cache(slots=0)
    assert sessions.begin(request(0, 0, ("a", 0, 0)), BY_NAME, 0)[1] is None


# ── what is news ────────────────────────────────────────────────────────────────────────────────────────────────────


def data(high_watermark: int = 5, log_start: int = 0, error: int = 0, diverging: int = -1) -> PartitionData:
    return PartitionData(
        partition_index=0, error_code=error, high_watermark=high_watermark, log_start_offset=log_start,
        diverging_epoch=EpochEndOffset(epoch=diverging, end_offset=1),
    )  # fmt: skip


def followed() -> FetchedPartition:
    partition = FetchedPartition("a", ZERO_UUID, FetchPartition(partition=0))
    assert partition.is_news(data(), 0), "the first answer is"
    return partition


def test_nothing_new_is_left_out() -> None:
    assert not followed().is_news(data(), 0)


@pytest.mark.parametrize(
    ("answer", "size"),
    [(data(), 1), (data(high_watermark=6), 0), (data(log_start=1), 0), (data(diverging=3), 0), (data(error=6), 0)],
)
def test_records_watermarks_and_errors_are_news(answer: PartitionData, size: int) -> None:
    assert followed().is_news(answer, size)


def test_an_error_is_told_each_time_and_its_end_too() -> None:
    partition = followed()
    failed = data(high_watermark=-1, log_start=-1, error=6)
    assert partition.is_news(failed, 0)
    assert partition.is_news(failed, 0)
    assert partition.is_news(data(), 0)
    assert not partition.is_news(data(), 0)


def test_a_partition_that_was_read_comes_last_next_time() -> None:
    session = opened(cache(), ("a", 0, 0), ("b", 0, 0), ("c", 0, 0))
    sent(session, session.partitions["a", ZERO_UUID, 0])
    assert [topic for topic, _, _ in session.partitions] == ["b", "c", "a"]
    gone = FetchedPartition("gone", ZERO_UUID, FetchPartition(partition=0))
    sent(session, gone)
    assert len(session.partitions) == 3
