"""What waits is told once, in order, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ottla.broker.purgatory import CommitQueue, Deferred, DelayedFetch
from ottla.protocol.errors import ErrorCode
from tests.support.wires import turns


def test_a_deferred_tells_its_result_whether_asked_before_or_after() -> None:
    early, late = Deferred(), Deferred()
    told: list[str] = []
    early.on_result(told.append)
    early.resolve("early")
    late.resolve("late")
    late.on_result(told.append)
    assert told == ["early", "late"]


def test_a_deferred_is_resolved_once() -> None:
    deferred, told = Deferred(), []
    deferred.on_result(told.append)
    deferred.resolve(1)
    deferred.resolve(2)
    assert (told, deferred.result) == ([1], 1)


def test_the_commit_queue_answers_what_lies_below_the_watermark() -> None:
    queue = CommitQueue()
    told: list[tuple[int, ErrorCode]] = []
    for end in (1, 3, 5):
        queue.add(end, lambda error, end=end: told.append((end, error)))  # type: ignore[misc]
    queue.advance(4)
    assert (told, len(queue)) == ([(1, ErrorCode.NONE), (3, ErrorCode.NONE)], 1)
    queue.fail(ErrorCode.KAFKA_STORAGE_ERROR)
    assert (told[2:], len(queue)) == ([(5, ErrorCode.KAFKA_STORAGE_ERROR)], 0)


def test_who_is_told_of_a_failure_may_wait_again() -> None:
    queue = CommitQueue()
    queue.add(1, lambda error: queue.add(2, lambda error: None))
    queue.fail(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    assert len(queue) == 1


class Place:
    """A partition, as far as a fetch waits on it."""

    def __init__(self) -> None:
        self.fetches_waiting: set[DelayedFetch] = set()

    def progress(self) -> None:
        for fetch in tuple(self.fetches_waiting):
            fetch.on_progress()


class Waiting:
    """A fetch on two partitions that is ready when the test says so."""

    def __init__(self, wait_s: float = 1000, answer: Callable[[], Any] = lambda: "answer") -> None:
        self.is_ready = False
        self.checks = 0
        self.places = [Place(), Place()]
        self.on_close: set[Callable[[], None]] = set()
        self.fetch = DelayedFetch(self.places, wait_s, self._ready, answer, self.on_close)  # type: ignore[arg-type]

    def _ready(self) -> bool:
        self.checks += 1
        return self.is_ready

    @property
    def left(self) -> int:
        """Places where the fetch is still known."""
        return len(self.on_close) + sum(len(place.fetches_waiting) for place in self.places)


async def test_a_fetch_is_answered_when_enough_has_come() -> None:
    waiting = Waiting()
    waiting.places[0].progress()
    await turns()
    assert (waiting.checks, waiting.fetch.answer.done) == (1, False)
    waiting.is_ready = True
    waiting.places[1].progress()
    await turns()
    assert waiting.fetch.answer.result == "answer"
    assert waiting.left == 0


async def test_a_burst_of_appends_is_one_look() -> None:
    waiting = Waiting()
    for _ in range(100):
        waiting.places[0].progress()
    await turns()
    assert waiting.checks == 1
    waiting.fetch.cancel()


async def test_when_time_is_up_a_fetch_is_answered_with_what_there_is() -> None:
    waiting = Waiting(wait_s=0)
    done = asyncio.Event()
    waiting.fetch.answer.on_result(lambda result: done.set())
    await done.wait()
    assert (waiting.fetch.answer.result, waiting.checks, waiting.left) == ("answer", 0, 0)


async def test_a_fetch_whose_connection_ends_is_forgotten() -> None:
    waiting = Waiting()
    for callback in tuple(waiting.on_close):
        callback()
    assert waiting.left == 0
    waiting.places[0].progress()
    await turns()
    assert not waiting.fetch.answer.done


async def test_what_goes_wrong_while_answering_is_the_answer() -> None:
    def fail() -> None:
        raise ValueError("a bug")

    waiting = Waiting(answer=fail)
    waiting.is_ready = True
    waiting.places[0].progress()
    await turns()
    assert isinstance(waiting.fetch.answer.result, ValueError)
