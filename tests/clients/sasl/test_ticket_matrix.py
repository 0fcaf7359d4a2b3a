"""Real clients log in by tickets and tokens; `python -m tests.clients.sasl.ticket_matrix` holds Apache Kafka against the same table."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import kerberos
from tests.support.requires import missing, requires

from .ticket_brokers import TicketBrokers
from .ticket_cases import KERBEROS_CLIENTS, SHORT
from .ticket_matrix import Result, tries

pytestmark = [pytest.mark.clients, pytest.mark.java, pytest.mark.slow]


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TicketBrokers]:
    requires("gssapi", "java", "mvn", "kcat", "go", "confluent_kafka", "kafka", "aiokafka")
    if lacking := kerberos.missing():
        missing(f"needs {', '.join(lacking)}: apt install krb5-kdc krb5-admin-server krb5-user")
    with TicketBrokers("ottla", Path(tmp_path_factory.mktemp("tickets"))) as found:
        yield found


@pytest.fixture(scope="module")
def results(brokers: TicketBrokers) -> list[Result]:
    return tries(brokers, cases=SHORT)


def counts(brokers: TicketBrokers, name: str) -> dict[str, float]:
    """Read a counter of logins, by listener."""
    with urllib.request.urlopen(f"http://127.0.0.1:{brokers.metrics_port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    pattern = rf'^kafka_server_socket_server_metrics_{name}_total{{listener="(\w+)"}} (\S+)$'
    return {listener: float(value) for listener, value in re.findall(pattern, text, re.M)}


def test_every_client_gets_in_by_what_holds_and_by_nothing_else(results: list[Result]) -> None:
    assert [result.failure for result in results if result.failure] == []
    assert len(results) == sum(len(case.clients) for case in SHORT) >= 140
    assert {result.client for result in results} == set(KERBEROS_CLIENTS)


def test_sessions_began_anew_on_the_same_connection(brokers: TicketBrokers, results: list[Result]) -> None:
    """Those of Java, librdkafka and franz-go; kafka-python and aiokafka open another connection."""
    anew, failed = counts(brokers, "successful_reauthentication"), counts(brokers, "failed_reauthentication")
    assert anew["KERBEROS_BRIEF"] >= 4
    assert anew["OAUTH_BRIEF"] >= 6
    assert anew["TOKENS_BRIEF"] >= 8
    assert not any(failed.values()), failed


def test_who_was_refused_was_refused_by_the_broker(brokers: TicketBrokers, results: list[Result]) -> None:
    """And did not give up by itself: a wrong token is every client's one try or more."""
    wrong = sum(len(case.clients) for case in SHORT if case.listener == "OAUTH" and not case.works)
    assert counts(brokers, "failed_authentication")["OAUTH"] >= wrong
