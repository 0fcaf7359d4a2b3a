"""After a change of leader: what if the new leader's log is shorter than what was read (KIP-320)? And replicas nearby (KIP-392)."""

from __future__ import annotations

import pytest

from ottla.client.consumer.positions import Position, Positions, Stage
from ottla.client.consumer.starting import Starter
from ottla.client.errors import BrokerError


class NoCluster:
    """Enough of a cluster for a Starter that asks nothing."""

    class config:
        isolation_level = "read_uncommitted"


def position(*, delivered: int, fetch: int) -> Position:
    it = Position("t", 0)
    it.start_at(0)
    it.delivered, it.delivered_epoch, it.processed = delivered, 3, delivered
    it.fetch_offset, it.fetch_epoch = fetch, 3
    it.stage = Stage.CHECK
    return it


async def checked(it: Position, start: str | None, end: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> Starter:
    starter = Starter(NoCluster(), start, "g")  # type: ignore[arg-type]

    async def epoch_ends(_: object, asked: dict[tuple[str, int], int]) -> dict[tuple[str, int], tuple[int, int]]:
        assert asked == {("t", 0): 3}
        return {("t", 0): end}

    monkeypatch.setattr("ottla.client.consumer.starting.epoch_ends", epoch_ends)
    await starter.check([it])
    return starter


async def test_a_log_that_has_what_was_read_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    it = position(delivered=5, fetch=9)
    await checked(it, None, (3, 9), monkeypatch)
    assert (it.stage, it.fetch_offset) == (Stage.FETCH, 9)


async def test_what_was_fetched_and_not_given_is_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    it = position(delivered=5, fetch=9)
    turn = it.turn
    starter = await checked(it, None, (3, 7), monkeypatch)
    assert (it.fetch_offset, it.delivered, it.processed) == (5, 5, 5)
    assert it.turn > turn
    assert starter.truncations == [(("t", 0), 9, 7)]


async def test_what_was_given_and_is_gone_is_an_error_or_follows_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BrokerError, match=r"truncated to offset 4 .epoch 2.; 5 was read already"):
        await checked(position(delivered=5, fetch=5), None, (2, 4), monkeypatch)
    it = position(delivered=5, fetch=5)
    await checked(it, "latest", (2, 4), monkeypatch)
    assert it.fetch_offset == 4


async def test_an_epoch_that_the_broker_does_not_know_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    it = position(delivered=5, fetch=9)
    await checked(it, None, (-1, -1), monkeypatch)
    assert (it.stage, it.fetch_offset) == (Stage.FETCH, 9)


def test_a_preferred_replica_is_asked_for_a_while() -> None:
    it = Position("t", 0)
    assert it.replica(1, 0) == 1
    it.prefer(2, 0)
    assert it.replica(1, 299_999) == 2
    assert it.replica(1, 300_000) == 1


def test_only_what_was_processed_is_to_be_committed_and_only_once() -> None:
    positions = Positions()
    (it,) = positions.add([("t", 0)])
    assert positions.to_commit() == {}
    it.start_at(5, 1)
    it.committed = 5
    it.delivered = 9
    assert positions.to_commit() == {}
    it.processed, it.processed_epoch = 7, 2
    assert positions.to_commit() == {("t", 0): (7, 2)}
    it.passed(12)  # a marker behind what is in hand: that is not processed yet
    assert it.processed == 7
