"""A cluster for the command line: Ottla in this process, and with the marker `java` Apache Kafka."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ottla.testing.kafka import Kafka
from tests.cli.support import Cli
from tests.support.kafka_jvm import KafkaJvm
from tests.support.requires import requires


@pytest.fixture(scope="package")
def ottla_cluster() -> Iterator[str]:
    broker = Kafka(
        {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }
    )
    yield broker.bootstrap
    broker.close()


@pytest.fixture(scope="package")
def kafka_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    requires("java", "mvn")
    directory: Path = tmp_path_factory.mktemp("cli-kafka")
    settings = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    with KafkaJvm(directory, properties=settings) as broker:
        yield broker.bootstrap


@pytest.fixture(params=["ottla", pytest.param("kafka", marks=[pytest.mark.java, pytest.mark.slow])])
def cli(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """The command line on a cluster that several tests share: each has topics and groups of its own."""
    monkeypatch.setenv("OTTLA_CONFIG", str(tmp_path / "none.toml"))
    monkeypatch.delenv("OTTLA_PROFILE", raising=False)
    return Cli(request.getfixturevalue(f"{request.param}_cluster"))


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name that no other test of the cluster uses."""
    return request.node.originalname.replace("test_", "")[:60] + f"-{abs(hash(request.node.name)) % 10_000}"
