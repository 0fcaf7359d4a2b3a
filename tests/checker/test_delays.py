"""Some dozens of the matrix of delays on a broker in this process; all of it is `python -m tests.checker.delays`.

Also that the recorded shapes are what the one client that is always here sends.
"""

from __future__ import annotations

import pytest

from tests.support.in_process import RunningBroker

from .delays import Case, cases, run
from .record import record
from .shapes import SHAPES

NOW_MS = 1_700_000_000_000  # the broker's clock


def test_the_matrix_is_as_large_as_promised() -> None:
    assert len(list(cases())) >= 500
    assert {case.shape.name for case in cases()} >= {"java-3.9", "java-4.2", "librdkafka", "franz-go"}


def some(name: str) -> list[Case]:
    """One case per request, connection and way to go on; each at another moment, with another end."""
    found: dict[tuple[object, ...], list[Case]] = {}
    for case in cases([name]):
        found.setdefault((case.request, case.given_up, case.fresh), []).append(case)
    return [group[(5 * number) % len(group)] for number, group in enumerate(found.values())]


@pytest.mark.slow
@pytest.mark.parametrize("name", [shape.name for shape in SHAPES])
async def test_nothing_late_takes_effect_in_a_later_transaction(name: str) -> None:
    async with RunningBroker() as broker:
        results = await run(broker.port, some(name), NOW_MS)
    assert [(str(each.case), each.wrong) for each in results if each.wrong] == []
    assert all(each.answer != "not sent" for each in results)


@pytest.mark.slow
@pytest.mark.clients
async def test_librdkafka_sends_what_its_shape_says() -> None:
    (shape,) = (shape for shape in SHAPES if shape.name == "librdkafka")
    assert await record("librdkafka") == shape.sends
