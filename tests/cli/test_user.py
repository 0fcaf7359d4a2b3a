"""`ottla user`: a secret is made, shown once, and works; rules go with it; a folder and a running broker are asked alike."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ottla.cli.main import main
from ottla.cli.user import rule
from ottla.security import acl
from tests.support.process import OttlaProcess
from tests.support.sasl_talk import SCRAM_256, SCRAM_512, Talk

pytestmark = pytest.mark.slow
SETTINGS = {
    "listeners": "SASL_PLAINTEXT://127.0.0.1:0",
    "sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512,PLAIN",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:admin",
    "connection.failed.authentication.delay.ms": "0",
}


def call(*words: str) -> tuple[int, str, str]:
    """Run the command: exit code, what it printed, what it complained."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["user", *words])
    return code, out.getvalue(), err.getvalue()


def user(*words: str) -> dict:
    """Return what the command prints for programs."""
    code, out, err = call(*words, "--json")
    assert code == 0, err
    return json.loads(out)


def fails(*words: str) -> str:
    code, out, err = call(*words)
    assert code != 0, out
    return err


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("user") / "data"


@pytest.fixture(scope="module")
def admin(data_dir: Path) -> Path:
    """How to log in as the first user, who was made in the folder before the broker was ever started."""
    made = user("create", "admin", "--data-dir", str(data_dir))
    path = data_dir.parent / "admin.properties"
    path.write_text(
        "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512\n"
        "sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required "
        f'username="admin" password="{made["secret"]}";\n'
    )
    return path


@pytest.fixture(scope="module")
def broker(data_dir: Path, admin: Path) -> Iterator[OttlaProcess]:
    words = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    with OttlaProcess(data_dir, *words, listen=None) as process:
        yield process.wait_ready()


def logs_in(broker: OttlaProcess, mechanism: str, name: str, secret: str) -> bool:
    async def talk() -> list[str]:
        async with Talk(broker.address[1]) as it:
            await it.handshake(mechanism)
            await it.login(mechanism, name, secret)
            return it.lines

    return asyncio.run(talk())[-1] == "authenticated for 0 ms"


def test_the_life_of_a_user(broker: OttlaProcess, admin: Path) -> None:
    there = "--bootstrap", broker.bootstrap, "--command-config", str(admin)
    made = user("create", "alice", "--acl", "read,describe:topic:orders", "--acl", "read:group:g-*", *there)
    assert made["name"] == "alice"
    assert len(made["secret"]) == 40
    assert logs_in(broker, SCRAM_512, "alice", made["secret"])
    assert logs_in(broker, "PLAIN", "alice", made["secret"])
    assert not logs_in(broker, SCRAM_256, "alice", made["secret"])
    assert user("list", *there).keys() == {"admin", "alice"}

    assert "user alice exists" in fails("create", "alice", *there)
    rotated = user("rotate", "alice", *there)
    assert rotated["secret"] != made["secret"]
    assert logs_in(broker, SCRAM_512, "alice", rotated["secret"])
    assert not logs_in(broker, SCRAM_512, "alice", made["secret"])

    code, out, _ = call("revoke", "alice", *there)
    assert code == 0
    assert "1 credential(s), 3 rule(s)" in out
    assert not logs_in(broker, SCRAM_512, "alice", rotated["secret"])
    assert "there is no user alice" in fails("revoke", "alice", *there)
    assert "there is no user alice" in fails("rotate", "alice", *there)


def test_a_folder_is_changed_while_its_broker_runs(broker: OttlaProcess, data_dir: Path) -> None:
    made = user("create", "bob", "--mechanism", SCRAM_256, "--mechanism", SCRAM_512, "--data-dir", str(data_dir))
    end = time.monotonic() + 20
    while not all(logs_in(broker, mechanism, "bob", made["secret"]) for mechanism in (SCRAM_256, SCRAM_512)):
        assert time.monotonic() < end, "the broker does not follow its log"


def test_who_may_not_make_users_makes_none(broker: OttlaProcess, admin: Path, tmp_path: Path) -> None:
    made = user("create", "carol", "--bootstrap", broker.bootstrap, "--command-config", str(admin))
    carol = tmp_path / "carol.properties"
    text = admin.read_text().replace('username="admin"', 'username="carol"')
    old = text.split('password="')[1].split('"')[0]
    carol.write_text(text.replace(old, made["secret"]))
    err = fails("create", "dave", "--bootstrap", broker.bootstrap, "--command-config", str(carol))
    assert "CLUSTER_AUTHORIZATION_FAILED" in err or "authoriz" in err.lower()
    assert made["secret"] not in err


def test_a_wrong_password_is_named_as_such(broker: OttlaProcess, admin: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.properties"
    wrong.write_text(admin.read_text().replace('password="', 'password="x'))
    err = fails("list", "--bootstrap", broker.bootstrap, "--command-config", str(wrong))
    assert "invalid credentials" in err
    assert "next:" in err


def test_files_of_the_broker_are_its_own(broker: OttlaProcess, data_dir: Path) -> None:
    files = [path for path in data_dir.rglob("*") if path.is_file()]
    assert len(files) > 2
    assert {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in files if path.stat().st_mode & 0o077} == {}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("read:topic:orders", ((acl.READ,), acl.TOPIC, acl.LITERAL, "orders")),
        ("read,write:topic:logs-*", ((acl.READ, acl.WRITE), acl.TOPIC, acl.PREFIXED, "logs-")),
        ("ALL:Topic:*", ((acl.ALL,), acl.TOPIC, acl.LITERAL, "*")),
        (
            "describe-configs:cluster:kafka-cluster",
            ((acl.DESCRIBE_CONFIGS,), acl.CLUSTER, acl.LITERAL, "kafka-cluster"),
        ),
        ("write:transactional-id:tx:1", ((acl.WRITE,), acl.TRANSACTIONAL_ID, acl.LITERAL, "tx:1")),
    ],
)
def test_how_a_rule_is_written(text: str, wanted: tuple) -> None:
    assert rule(text) == wanted


@pytest.mark.parametrize(
    "text", ["", "read", "read:topic", "read:topic:", "fly:topic:x", "read:planet:x", "any:topic:x"]
)
def test_what_is_no_rule(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not OPERATION"):
        rule(text)
    assert call("create", "x", "--acl", text, "--data-dir", "/nonexistent")[0] == 2
