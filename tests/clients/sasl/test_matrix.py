"""Real clients log in by every mechanism, rightly and wrongly; CI's short form of tests/clients/sasl/matrix.py."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.requires import requires

from .brokers import SaslBrokers
from .cases import CASES, FEW
from .drivers import CLIENTS
from .matrix import run

pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.java]


def test_every_client_logs_in_where_it_may_and_nowhere_else() -> None:
    requires("go", "javac", "confluent_kafka", "kafka", "aiokafka")
    results = run("ottla", list(CLIENTS), short=True)
    assert [result.failure for result in results if result.failure] == []
    assert len(results) == (len(CLIENTS) - 1) * len(CASES) + len(FEW) >= 120


def test_debians_kcat_logs_in_although_it_says_its_nonce_twice(tmp_path: Path) -> None:
    """librdkafka before 2.6.1, whose final message Apache Kafka takes, too."""
    requires("kcat")
    with SaslBrokers("ottla", tmp_path) as brokers:
        codes = {}
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"):
            for secret in ("alice-secret", "wrong"):
                settings = {
                    "security.protocol": "SASL_PLAINTEXT",
                    "sasl.mechanism": mechanism,
                    "sasl.username": "alice",
                    "sasl.password": secret,
                }
                words = [word for key, value in settings.items() for word in ("-X", f"{key}={value}")]
                command = [
                    "kcat",
                    "-L",
                    "-m",
                    "20" if secret != "wrong" else "2",
                    "-b",
                    f"127.0.0.1:{brokers.ports['ALL']}",
                    *words,
                ]
                codes[mechanism, secret] = subprocess.run(command, capture_output=True, check=False).returncode
    assert codes == {key: int(key[1] == "wrong") for key in codes}
