"""Every principal is told by Ottla what Apache Kafka tells it: the same requests to both, the answers equal."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from ottla.broker.authorization import TABLE
from ottla.protocol.apis import API_KEYS
from tests.support.kafka_jvm import KafkaJvm, free_port
from tests.support.process import OttlaProcess

from . import tools_acls
from .authorization import PRINCIPALS, SUPER_USERS, Cell, compare, jaas
from .rows_authorization import ROWS
from .test_kafka import PROPERTIES
from .tools import title

CELLS_MIN = 1_500
UNKNOWN_SERVER_ERROR = -1
#: Row, path, and why Ottla says something else there.
KNOWN = [
    ("produce*", "*.error_message", "Kafka leaves the text of a partition's error null; Ottla says what is wrong"),
    (
        "acl create: *",
        "results*",
        "Kafka fails with an exception of its own at ANY and MATCH; Ottla says INVALID_REQUEST",
    ),
    ("acl describe: * 0", "outcome", "Kafka closes the connection; Ottla says that the filter is not known"),
]
_AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": SUPER_USERS,
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT",
    "listener.name.sasl.sasl.enabled.mechanisms": "PLAIN",
}


def _is_known(cell: Cell) -> bool:
    if (
        fnmatchcase(cell.row, "acl create: *")
        and cell.path.endswith("error_code")
        and cell.expected != UNKNOWN_SERVER_ERROR
    ):
        return False
    return any(fnmatchcase(cell.row, row) and fnmatchcase(cell.path, path) for row, path, _ in KNOWN)


def secured_kafka(folder: Path) -> tuple[KafkaJvm, tuple[str, str]]:
    """An Apache Kafka with StandardAuthorizer: one listener for super users, one on which everybody has a name."""
    admin, sasl, controller = free_port(), free_port(), free_port()
    listeners = f"PLAINTEXT://127.0.0.1:{admin},SASL://127.0.0.1:{sasl}"
    properties = {
        **PROPERTIES, **_AUTHORIZER, "listener.name.sasl.plain.sasl.jaas.config": jaas(),
        "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller}", "advertised.listeners": listeners,
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
    }  # fmt: skip
    kafka = KafkaJvm(folder, admin, properties, ("--feature", "eligible.leader.replicas.version=0"))
    return kafka, (f"127.0.0.1:{admin}", f"127.0.0.1:{sasl}")


def secured_ottla(folder: Path) -> tuple[OttlaProcess, tuple[str, str]]:
    """The same of Ottla."""
    admin, sasl = free_port(), free_port()
    properties = {
        **PROPERTIES, **_AUTHORIZER, "listener.name.sasl.plain.sasl.jaas.config": jaas(), "node.id": "1",
        "listeners": f"PLAINTEXT://127.0.0.1:{admin},SASL://127.0.0.1:{sasl}",
    }  # fmt: skip
    folder.mkdir()
    file = folder / "server.properties"
    file.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
    ottla = OttlaProcess(folder / "data", "--config", str(file), listen=None)
    return ottla, (f"127.0.0.1:{admin}", f"127.0.0.1:{sasl}")


def test_every_api_that_asks_has_rows() -> None:
    rows = {row.key for row in ROWS}
    #: Delegation tokens have their own conversations.
    asks = {key for key, asked in TABLE.items() if asked.needs} - {38, 41}
    assert {API_KEYS[key].name for key in asks - rows} == set()
    assert len(PRINCIPALS) > 80


@pytest.mark.java
@pytest.mark.slow
def test_every_principal_is_told_what_apache_kafka_tells_it(tmp_path: Path) -> None:
    kafka, kafka_at = secured_kafka(tmp_path / "kafka")
    ottla, ottla_at = secured_ottla(tmp_path / "ottla")
    found: list[Cell] = []
    with kafka, ottla:
        ottla.wait_ready()
        asked = compare(kafka_at, ottla_at, found.append, all_cells=False)
        printed = {title(outcome.command): outcome.differences() for outcome in tools_acls.compare(kafka_at, ottla_at)}
    unknown = [cell for cell in found if not _is_known(cell)]
    assert not unknown, "\n".join(map(str, [f"{len(unknown)} differences", *unknown[:40]]))
    assert asked >= CELLS_MIN
    assert {line: differing for line, differing in printed.items() if differing} == {}
