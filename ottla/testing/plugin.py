"""The pytest plugin: the fixtures `kafka` and `kafka_factory`, and what a failing test shows.

pytest imports this module in every run of every project that has Ottla installed, so it imports nothing of Ottla until a
test asks for a fixture.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .kafka import Kafka

#: How many lines about requests a failing test shows, the last ones.
SHOWN = 40
_BROKERS = pytest.StashKey[list[Any]]()


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker, so that --strict-markers knows it."""
    config.addinivalue_line("markers", "kafka(config=…): settings of the broker behind the `kafka` fixture (Ottla)")


@pytest.fixture
def kafka_factory(request: pytest.FixtureRequest) -> Iterator[Callable[..., Kafka]]:
    """Make as many brokers as the test wants; each is stopped when the test is over."""
    from .kafka import Kafka

    made: list[Kafka] = request.node.stash.setdefault(_BROKERS, [])

    def make(config: dict[str, Any] | None = None) -> Kafka:
        broker = Kafka(config)
        made.append(broker)
        return broker

    yield make
    for broker in made:
        broker.close()
    made.clear()


@pytest.fixture
def kafka(request: pytest.FixtureRequest, kafka_factory: Callable[..., Kafka]) -> Kafka:
    """A Kafka-compatible broker, empty, in memory, on a TCP port of its own: `kafka.bootstrap`. See docs/testing.md."""
    marker = request.node.get_closest_marker("kafka")
    given = {} if marker is None else marker.kwargs
    if (marker is not None and marker.args) or given.keys() - {"config"}:
        raise pytest.UsageError("@pytest.mark.kafka takes config={...}, settings of the broker, and nothing else")
    return kafka_factory(**given)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failing test what its brokers were asked."""
    report = yield
    brokers = item.stash.get(_BROKERS, None)
    if brokers and report.when == "call" and report.failed:
        from . import trace

        for broker in brokers:
            seen = broker.requests()
            told = trace.lines(seen)
            left_out = [f"… {len(told) - SHOWN} lines before"] if len(told) > SHOWN else []
            title = f"the last of {len(seen)} requests to {broker!r}"
            report.sections.append((title, "\n".join([*left_out, *told[-SHOWN:]])))
    return report
