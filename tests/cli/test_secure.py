"""`ottla secure init`: a folder with which TLS and passwords run at once, and nothing in it for other eyes."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from ottla.broker.bootstrap_users import read_users
from ottla.broker.config import BrokerConfig, ConfigError, read_file
from ottla.cli import user
from ottla.cli.main import main
from tests.support.in_process import RunningBroker
from tests.support.requires import requires

OPEN = {"ca.pem"}
FILES = {
    "ca.pem", "ca.key", "broker.pem", "client.pem", "users", "server.properties", "client-java.properties",
    "client-librdkafka.properties", "client-python.json",
}  # fmt: skip


def init(folder: Path, *more: str) -> Path:
    assert main(["secure", "init", str(folder), *more]) == 0
    return folder


def test_files_with_secrets_are_their_owners_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = init(tmp_path / "secure")
    assert {path.name for path in folder.iterdir()} == FILES
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == (0o644 if path.name in OPEN else 0o600), path.name
    password = json.loads((folder / "client-python.json").read_text())["sasl_plain_password"]
    out = capsys.readouterr().out
    assert "ottla start --config" in out
    assert password not in out
    assert password not in (folder / "users").read_text()
    assert password not in (folder / "server.properties").read_text()


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = init(tmp_path / "secure")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert main(["secure", "init", str(folder)]) == 2
    assert "nothing is overwritten" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_without_a_host_only_this_machine_is_served_and_with_one_all(tmp_path: Path) -> None:
    near = BrokerConfig.load(init(tmp_path / "a") / "server.properties")
    assert [str(listener) for listener in near.listeners] == ["SASL_SSL://127.0.0.1:9093", "SSL://127.0.0.1:9094"]
    far = BrokerConfig.load(init(tmp_path / "b", "--host", "kafka.example", "--port", "7000") / "server.properties")
    assert [str(listener) for listener in far.listeners] == ["SASL_SSL://:7000", "SSL://:7001"]
    assert [str(x) for x in far.advertised_listeners()] == ["SASL_SSL://kafka.example:7000", "SSL://kafka.example:7001"]
    assert not far.exposed_listeners


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """What the config says, on ports of the system's choice."""
    found = read_file(init(tmp_path / "secure") / "server.properties")
    found["listeners"] = "SASL_SSL://127.0.0.1:0,SSL://127.0.0.1:0"
    del found["advertised.listeners"]
    return found


async def test_a_python_client_gets_in_with_its_file(tmp_path: Path, settings: dict[str, str]) -> None:
    requires("aiokafka")
    import aiokafka
    import aiokafka.helpers

    client: dict[str, Any] = json.loads((tmp_path / "secure/client-python.json").read_text())
    context = aiokafka.helpers.create_ssl_context(cafile=client.pop("ssl_cafile"))
    async with RunningBroker(**settings) as running:
        client["bootstrap_servers"] = f"127.0.0.1:{running.port}"
        producer = aiokafka.AIOKafkaProducer(**client, ssl_context=context)
        await producer.start()
        assert (await producer.send_and_wait("orders", b"one", timestamp_ms=1_700_000_000_000)).offset == 0
        await producer.stop()


async def test_a_client_with_a_certificate_is_the_same_user(tmp_path: Path, settings: dict[str, str]) -> None:
    requires("aiokafka")
    import aiokafka
    import aiokafka.helpers

    folder = tmp_path / "secure"
    context = aiokafka.helpers.create_ssl_context(
        cafile=str(folder / "ca.pem"), certfile=str(folder / "client.pem"), keyfile=str(folder / "client.pem")
    )
    async with RunningBroker(**settings) as running:
        port = running.broker.listeners[1].port
        producer = aiokafka.AIOKafkaProducer(
            bootstrap_servers=f"127.0.0.1:{port}", security_protocol="SSL", ssl_context=context
        )
        await producer.start()
        assert (await producer.send_and_wait("orders", b"one", timestamp_ms=1_700_000_000_000)).offset == 0
        names = {connection.principal.name for connection in running.broker.listeners[1].connections}
        await producer.stop()
    assert names == {"admin"}


def test_the_users_file_is_checked_line_by_line(tmp_path: Path) -> None:
    assert read_users(None) == []
    (record,) = read_users(str(init(tmp_path / "secure") / "users"))
    assert (record.name, record.mechanism, record.iterations) == (
        "admin",
        2,
        user.ITERATIONS,
    )  # or the number would tell that he exists
    bad = tmp_path / "bad"
    for text in (
        "admin",
        "admin SCRAM-SHA-1 4096 AA== AA== AA==",
        "admin SCRAM-SHA-256 many AA== AA== AA==",
        "a b 1 ! ! !",
    ):
        bad.write_text(text)
        with pytest.raises(ConfigError, match="line 1 of"):
            read_users(str(bad))
    with pytest.raises(ConfigError, match="cannot read"):
        read_users(str(tmp_path / "nowhere"))


async def test_a_data_folder_that_knows_none_of_the_users_is_told_of(
    tmp_path: Path, settings: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """The trap of who tried `ottla start` before: the new password is refused for no reason that one sees."""
    async with RunningBroker() as running:
        running.sets = settings
        await running.restart()
        (warning,) = [each for each in caplog.messages if "can log in" in each]
        assert str(tmp_path / "secure" / "users") in warning
    caplog.clear()
    async with RunningBroker(**settings) as running:
        await running.restart()
        (tmp_path / "secure" / "users").unlink()
        await running.restart()
    assert not [each for each in caplog.messages if "can log in" in each]
