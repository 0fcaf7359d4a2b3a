"""A produced record passes the six steps of docs/a-records-way.md, in that order, and its bytes are not copied between."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import ottla
from ottla.protocol.apis.produce import ProduceRequest
from ottla.testing import Kafka

PACKAGE = Path(ottla.__file__).parent
PAGE = PACKAGE.parent / "docs" / "a-records-way.md"
#: Step -> (file, the function in it that takes the step).
STEPS = {
    1: ("broker/receiving.py", "buffer_updated"),
    2: ("broker/dispatch.py", "route"),
    3: ("broker/handlers/produce.py", "produce"),
    4: ("broker/partition.py", "append_as_leader"),
    5: ("log/log.py", "append_as_leader"),
    6: ("broker/purgatory.py", None),
}


#: Who takes step 3 for an ordinary request: one batch for one partition.
SHORT_WAY = ("broker/produce_short.py", "produce_short")


class Steps:
    """The functions that the broker's thread entered while a record was produced: (file, function), in order."""

    def __init__(self, third: tuple[str, str | None]) -> None:
        self.third = third
        self.entered: list[tuple[str, str]] = []

    def profile(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            path = Path(frame.f_code.co_filename)
            if path.is_relative_to(PACKAGE):
                self.entered.append((str(path.relative_to(PACKAGE)), frame.f_code.co_name))

    def first(self, file: str, function: str | None, after: int) -> int:
        """Where the step is taken first, at `after` or later; -1 if it is not."""
        for place in range(after, len(self.entered)):
            if self.entered[place][0] == file and function in (None, self.entered[place][1]):
                return place
        return -1


@pytest.fixture(params=["ordinary", "complete"])
def steps(kafka: Kafka, request: pytest.FixtureRequest) -> Iterator[Steps]:
    topic = kafka.topic("t", partitions=1)
    topic.put(["connect first, so that what is seen is one request"])
    thread = kafka._thread
    assert thread is not None
    steps = Steps(SHORT_WAY if request.param == "ordinary" else STEPS[3])
    topic._ensure()

    def watch() -> None:
        dispatcher = thread.broker.dispatcher
        dispatcher.intercept = None  # as in production
        if request.param == "complete":
            produce = dispatcher.entries[ProduceRequest.API_KEY]
            dispatcher.entries[ProduceRequest.API_KEY] = produce._replace(short=None)
            dispatcher._routes.clear()
        sys.setprofile(steps.profile)

    thread.call(watch)
    topic._produce(0, [topic.records()[0]], topic.put.__kwdefaults__["compression"])
    thread.call(lambda: sys.setprofile(None))
    yield steps


def test_a_record_takes_six_steps_in_order(steps: Steps) -> None:
    place = 0
    taken = []
    for number, (file, function) in (STEPS | {3: steps.third}).items():
        place = steps.first(file, function, place)
        assert place >= 0, f"step {number}, {file} {function or ''}, is not taken after {taken}"
        taken.append(steps.entered[place])
    assert steps.first("log/segment.py", "append", 0) > steps.first("log/log.py", "append_as_leader", 0)
    assert steps.first("broker/answering.py", "_flush", place) > place, "the answer leaves through 1"


def test_the_page_draws_these_steps() -> None:
    page = PAGE.read_text()
    written = dict(re.findall(r"^(\d)\. \*\*`([\w/]+\.py)`\*\*", page, re.MULTILINE))
    assert written == {str(number): file for number, (file, _) in STEPS.items()}
    assert f"`{SHORT_WAY[0]}`" in page
    for _, function in STEPS.values():
        assert function in (None, "buffer_updated", "route", "produce") or f"`{function}`" in page
