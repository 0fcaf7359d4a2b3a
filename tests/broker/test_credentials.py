"""Work on passwords: addresses take turns, so that who guesses waits for himself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ottla.broker import credentials as module
from ottla.broker.credentials import Credentials


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> Iterator[Credentials]:
    monkeypatch.setattr(module, "threads", lambda: 1)
    broker: Any = None
    found = Credentials(broker)
    yield found
    found.stop()


async def test_an_address_with_much_to_verify_does_not_keep_others_waiting(credentials: Credentials) -> None:
    gate, order = threading.Event(), []

    def work(name: str) -> str:
        assert gate.wait(30)
        order.append(name)
        return name

    guesses = [asyncio.ensure_future(credentials.run(lambda: work("guess"), "10.0.0.9")) for _ in range(100)]
    honest = [asyncio.ensure_future(credentials.run(lambda: work("honest"), f"10.0.0.{n}")) for n in range(3)]
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*honest) == ["honest"] * 3
    await asyncio.gather(*guesses)
    assert [number for number, name in enumerate(order) if name == "honest"][-1] <= 4
    assert len(order) == 103


async def test_who_hangs_up_leaves_no_work_behind(credentials: Credentials) -> None:
    gate, done = threading.Event(), []
    first = asyncio.ensure_future(credentials.run(lambda: gate.wait(30), "a"))
    others = [asyncio.ensure_future(credentials.run(lambda n=n: done.append(n), "a")) for n in range(10)]
    await asyncio.sleep(0)
    for other in others[:9]:
        other.cancel()
    gate.set()
    await asyncio.gather(first, *others, return_exceptions=True)
    assert done == [9]


async def test_what_fails_is_raised_where_it_was_asked_for_and_the_next_goes_on(credentials: Credentials) -> None:
    def fail() -> None:
        raise ValueError("no such key")

    with pytest.raises(ValueError, match="no such key"):
        await credentials.run(fail, "a")
    assert await credentials.run(lambda: 7, "a") == 7


def test_half_of_the_processors_at_most_work_for_strangers() -> None:
    import os

    assert 1 <= module.threads() <= max(1, len(os.sched_getaffinity(0)) // 2)
