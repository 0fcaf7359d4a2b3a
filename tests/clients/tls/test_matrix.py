"""Real clients connect with TLS, rightly and wrongly; `python -m tests.clients.tls.matrix` holds Apache Kafka against the same table."""

from __future__ import annotations

import pytest

from tests.support.requires import requires

from .cases import CASES
from .matrix import CLIENTS, run

pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.java]


def test_every_client_gets_in_where_it_may_and_nowhere_else() -> None:
    requires("go", "java", "mvn", "confluent_kafka", "kafka", "aiokafka")
    results = run("ottla", list(CLIENTS))
    assert [result.failure for result in results if result.failure] == []
    assert len(results) == sum(len(CLIENTS) - len(case.without) for case in CASES) >= 100
