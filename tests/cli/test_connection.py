"""Which cluster a command talks to: flags over files over profiles; and what is said of a cluster that is not there."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from ottla.cli import connection
from ottla.cli.completion import candidates
from ottla.cli.main import parser
from ottla.cli.trouble import Trouble
from tests.cli.support import Cli
from tests.support.kafka_jvm import free_port
from tests.support.process import OttlaProcess

PROFILES = """
default = "local"
[profiles.local]
bootstrap.servers = "local:1"
[profiles.prod]
config = "client.properties"
client.id = "me"
acks = 1
[profiles.quoted]
"bootstrap.servers" = ["a:1", "b:2"]
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "config.toml").write_text(PROFILES)
    (tmp_path / "client.properties").write_text("bootstrap.servers=prod:9\nclient.id=file\nsasl.mechanism: PLAIN\n")
    monkeypatch.setenv("OTTLA_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.delenv("OTTLA_PROFILE", raising=False)
    return tmp_path


def found(*words: str) -> dict[str, str]:
    return connection.settings(parser().parse_args(words))


def test_what_wins(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found("topic", "list") == {"bootstrap.servers": "local:1"}
    prod = {"bootstrap.servers": "prod:9", "client.id": "me", "acks": "1", "sasl.mechanism": "PLAIN"}
    assert found("--profile", "prod", "topic", "list") == found("topic", "list", "--profile", "prod") == prod
    monkeypatch.setenv("OTTLA_PROFILE", "quoted")
    assert found("topic", "list") == {"bootstrap.servers": "a:1,b:2"}
    file = str(files / "client.properties")
    words = ("topic", "list", "--config", file, "-b", "flag:1", "-X", "client.id=x", "-X", "acks=0")
    assert found(*words) == {"bootstrap.servers": "flag:1", "client.id": "x", "acks": "0", "sasl.mechanism": "PLAIN"}
    words = ("-b", "root:1", "-X", "client.id=root", "topic", "list", "-X", "acks=0")
    assert found(*words) == {"bootstrap.servers": "root:1", "client.id": "root", "acks": "0"}
    assert found("user", "list", "--command-config", file)["client.id"] == "file"


def test_without_a_file_it_is_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTTLA_PROFILE", raising=False)
    monkeypatch.delenv("OTTLA_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert connection.profiles_file() == tmp_path / "ottla" / "config.toml"
    assert found("topic", "list") == {"bootstrap.servers": "127.0.0.1:9092"}


def test_what_is_wrong_with_a_file_is_told(files: Path) -> None:
    with pytest.raises(Trouble, match=r"no profile 'no'.*\n.*there are: local, prod, quoted"):
        found("--profile", "no", "topic", "list")
    with pytest.raises(Trouble, match="cannot read"):
        found("topic", "list", "--config", str(files / "none"))
    (files / "config.toml").write_text("profiles = 1")
    with pytest.raises(Trouble, match="no table of tables"):
        found("topic", "list")
    (files / "config.toml").write_text("[")
    with pytest.raises(Trouble, match="is not TOML"):
        found("topic", "list")


def test_a_cluster_that_is_not_there(files: Path) -> None:
    err = Cli("127.0.0.1:1").fails("topic", "list")
    assert "127.0.0.1:1: tcp: " in err
    assert "check -b HOST:PORT" in err
    err = Cli("no.such.host.invalid:1").fails("topic", "list")
    assert "dns" in err


def test_completion(cli: Cli, files: Path, name: str) -> None:
    assert candidates(["gro"]) == ["group"]
    assert candidates(["topic", "de"]) == ["delete", "delete-records", "describe"]
    assert "--from-beginning" in candidates(["consume", "--f"])
    assert candidates(["--profile", "p"]) == ["prod"]
    assert candidates(["config", "get", "b"]) == ["broker"]
    assert candidates(["start", "--listen", "x"]) == []
    cli("topic", "create", name)
    assert candidates(["consume", "-b", str(cli.bootstrap), name[:-1]]) == [name]
    assert candidates(["topic", "delete", "-b", str(cli.bootstrap), name, name[:-1]]) == []
    assert candidates(["consume", "-b", "127.0.0.1:1", "x"]) == []
    for shell in ("bash", "zsh", "fish"):
        assert "ottla completion words --" in cli("completion", shell)
    assert cli("completion", "words", "--", "topic", "cr") == "create\n"


def test_settings_need_no_flags() -> None:
    assert connection.settings(argparse.Namespace(bootstrap="x:1"))["bootstrap.servers"] == "x:1"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["client-java.properties", "client-librdkafka.properties"])
def test_the_files_of_secure_init_reach_its_broker(tmp_path: Path, name: str) -> None:
    folder, port = tmp_path / "secure", free_port()
    nowhere = Cli(None)
    nowhere("secure", "init", str(folder), "--port", str(port))
    client = str(folder / name)
    with OttlaProcess(tmp_path / "data", "--config", str(folder / "server.properties"), listen=None) as process:
        process.wait_ready()
        assert nowhere("topic", "create", "orders", "--config", client) == "created orders\n"
        assert nowhere.call("produce", "orders", "--config", client, stdin=b"a book\n").code == 0
        assert nowhere("consume", "orders", "-e", "--from-beginning", "--config", client) == "a book\n"
        wrong = 'sasl.jaas.config=ScramLoginModule required username="admin" password="wrong";'
        assert "invalid credentials" in nowhere.fails(
            "topic", "list", "--config", client, "-X", wrong, "-X", "sasl.password=wrong"
        )
