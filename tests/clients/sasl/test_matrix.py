"""Real clients log in by every mechanism, rightly and wrongly; CI's short form of tests/clients/sasl/matrix.py."""

from __future__ import annotations

import pytest

from tests.support.requires import requires

from .cases import CASES, FEW
from .drivers import CLIENTS
from .matrix import run

pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.java]


def test_every_client_logs_in_where_it_may_and_nowhere_else() -> None:
    requires("go", "javac", "confluent_kafka", "kafka", "aiokafka")
    results = run("ottla", list(CLIENTS), short=True)
    assert [result.failure for result in results if result.failure] == []
    assert len(results) == (len(CLIENTS) - 1) * len(CASES) + len(FEW) >= 120
