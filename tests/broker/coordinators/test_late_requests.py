"""Which requests of an old producer are late, by the connection they come over."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ottla.broker.coordinators import late_requests
from ottla.broker.coordinators.late_requests import LateRequests
from ottla.protocol.errors import KafkaError

ADD_PARTITIONS, ADD_OFFSETS, END, COMMIT_OFFSETS = 24, 25, 26, 28


def connection(number: int) -> Any:
    return SimpleNamespace(number=number)


def said(*asked: tuple[int, int], late: LateRequests | None = None, producer_id: int = 1) -> list[bool]:
    """Note (connection, API) pairs; whether each was in time."""
    found = late or LateRequests()
    return [found.note(connection(number), key, producer_id) for number, key in asked]


def test_what_was_repeated_over_a_newer_connection_is_late() -> None:
    assert said((1, ADD_PARTITIONS), (2, END), (2, ADD_PARTITIONS), (1, END)) == [True, True, True, False]


def test_connections_count_from_when_they_were_accepted_not_from_when_they_were_used() -> None:
    assert said((1, END), (3, END), (2, END)) == [True, True, False]


def test_a_connection_that_was_given_up_for_one_api_is_given_up_for_all_that_it_carried() -> None:
    both = ((1, ADD_OFFSETS), (1, END))
    assert said(*both, (2, END), (1, ADD_OFFSETS)) == [True, True, True, False]
    assert said(*both, (3, END), (2, ADD_OFFSETS)) == [True, True, True, False]


def test_what_comes_first_over_a_connection_that_was_given_up_is_late() -> None:
    assert said((1, END), (2, END), (1, ADD_OFFSETS), (2, ADD_OFFSETS)) == [True, True, False, True]


def test_connections_of_their_own_do_not_make_each_other_late() -> None:
    """librdkafka's TxnOffsetCommit goes another way than its EndTxn."""
    assert all(said((1, COMMIT_OFFSETS), (2, END), (1, COMMIT_OFFSETS), (2, END), (3, END), (1, COMMIT_OFFSETS)))


def test_producers_do_not_make_each_other_late() -> None:
    late = LateRequests()
    assert said((2, END), late=late) == [True]
    assert said((1, END), late=late, producer_id=2) == [True]


def test_a_late_request_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_requests, "PRODUCERS_MAX", 2)
    late = LateRequests()
    late.check(connection(2), END, 1)
    with pytest.raises(KafkaError, match="NOT_COORDINATOR"):
        late.check(connection(1), END, 1)
    late.check(connection(2), END, 2)
    late.check(connection(2), END, 3)
    late.check(connection(1), END, 1)  # forgotten: only so many are remembered
