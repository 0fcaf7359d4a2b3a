"""Who may do what: every principal of a table asks both brokers every request of `rows_authorization`.

    python -m tests.differential.authorization KAFKA_ADMIN,KAFKA_SASL OTTLA_ADMIN,OTTLA_SASL [part of a cell's name]

There is a principal for every (type of resource, operation, how it is allowed or denied), and each has the rules that say
so from the beginning; so each is one connection, and a cell is one request:

    none       no rule                                 deny       may do everything but this
    allow      this, on the resources by their names   all        may do everything
    prefixed   this, on names that begin with auth-    super      a super user
    wildcard   this, on all
"""

from __future__ import annotations

import re
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ottla.broker.authorization import TABLE
from ottla.protocol import codec
from ottla.protocol.apis.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse
from ottla.protocol.apis.sasl_handshake import SaslHandshakeRequest
from ottla.protocol.framing import frame_request
from ottla.security import acl as a

from . import rows_acls
from .batches import batch
from .compare import differences
from .rows_authorization import GROUP, MISSING, NEW, READ, ROWS, TOPIC, TOPICS, TRANSACTIONAL_ID
from .wire import ASK_AGAIN_S, SETTLE_S, Outcome, Peer, Row

DESCRIBE_ACLS = 29
SUPER, NOBODY, ANYBODY = "super", "none", "all"
SUPER_USERS = f"User:ANONYMOUS;User:{SUPER}"
PASSWORD = "a-password"
OPERATIONS = {
    a.TOPIC: (a.ALL, a.READ, a.WRITE, a.CREATE, a.DELETE, a.ALTER, a.DESCRIBE, a.DESCRIBE_CONFIGS, a.ALTER_CONFIGS),
    a.GROUP: (a.ALL, a.READ, a.DELETE, a.DESCRIBE, a.DESCRIBE_CONFIGS, a.ALTER_CONFIGS),
    a.CLUSTER: (
        a.ALL, a.CREATE, a.ALTER, a.DESCRIBE, a.CLUSTER_ACTION, a.DESCRIBE_CONFIGS, a.ALTER_CONFIGS, a.IDEMPOTENT_WRITE
    ),
    a.TRANSACTIONAL_ID: (a.ALL, a.DESCRIBE, a.WRITE),
}  # fmt: skip
#: The resources by their names.
NAMES = {
    a.TOPIC: TOPICS, a.GROUP: (GROUP, "auth-s", "auth-st", "auth-c", "auth-no-group"), a.CLUSTER: (a.CLUSTER_NAME,),
    a.TRANSACTIONAL_ID: (TRANSACTIONAL_ID,),
}  # fmt: skip
PREFIX = "auth-"
#: Makes the topic where the state of share groups is kept.
SHARE_PARTITION = "auth-s:AAAAAAAAAAAAAAAAAAAABw:0"
WAYS = ("allow", "deny", "prefixed", "wildcard")


class Who(NamedTuple):
    """A principal and its rules."""

    name: str
    rules: tuple[tuple[int, str, int, int, int], ...]


def principals() -> Iterator[Who]:
    """Make all of them."""
    everything = tuple(
        (kind, "*" if kind != a.CLUSTER else a.CLUSTER_NAME, a.LITERAL, a.ALL, a.ALLOW) for kind in OPERATIONS
    )
    yield Who(NOBODY, ())
    yield Who(ANYBODY, everything)
    yield Who(SUPER, ())
    for kind, operations in OPERATIONS.items():
        for operation in operations:
            for way in WAYS if kind != a.CLUSTER else WAYS[:2]:
                name = f"{way}-{a.OPERATIONS[operation]}-{a.RESOURCE_TYPES[kind]}".lower()
                names = (*NAMES[kind], f"auth-own-{name}") if kind == a.TOPIC else NAMES[kind]
                if way == "allow":
                    rules = tuple((kind, each, a.LITERAL, operation, a.ALLOW) for each in names)
                elif way == "deny":
                    rules = everything + tuple((kind, each, a.LITERAL, operation, a.DENY) for each in names)
                elif way == "prefixed":
                    rules = ((kind, PREFIX, a.PREFIXED, operation, a.ALLOW),)
                else:
                    rules = ((kind, "*", a.LITERAL, operation, a.ALLOW),)
                yield Who(name, rules)


PRINCIPALS = tuple(principals())


def jaas() -> str:
    """Write the principals as PLAIN users."""
    users = " ".join(f'user_{who.name}="{PASSWORD}"' for who in PRINCIPALS)
    return f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"


class Login(Peer):
    """One principal at one broker."""

    def __init__(self, name: str, bootstrap: str, user: str, known: dict[str, Any], api_versions: Any) -> None:
        host, _, port = bootstrap.rpartition(":")
        self.name, self.address, self.user = name, (host, int(port)), user
        self.known, self.api_versions = dict(known), api_versions
        self._connection: socket.socket | None = None
        self._correlation, self._changed = 0, False

    def _ask(self, row: Row, version: int, *, masked: bool) -> Outcome:
        if self._connection is None:
            self._connection = socket.create_connection(self.address, timeout=40)
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._log_in(self._connection)
        return super()._ask(row, version, masked=masked)

    def _log_in(self, connection: socket.socket) -> None:
        token = f"\0{self.user}\0{PASSWORD}".encode()
        for request, version in (
            (SaslHandshakeRequest(mechanism="PLAIN"), 1), (SaslAuthenticateRequest(auth_bytes=token), 1)
        ):  # fmt: skip
            parts = codec.encoder(type(request), version)(request)
            connection.sendall(b"".join(frame_request(request.API_KEY, version, 1, "cells", parts)))
            payload = self._read(struct.unpack(">i", self._read(4))[0])
        answer = codec.decode(SaslAuthenticateResponse, payload[4:], 1)
        assert not answer.error_code, f"{self.name} does not let {self.user} in: {answer}"


@dataclass(frozen=True)
class Cell:
    """One principal, one request in one version, and where the brokers differ."""

    who: str
    row: str
    version: int
    path: str
    expected: Any
    got: Any

    def __str__(self) -> str:
        return f"{self.who}: {self.row}, v{self.version}: {self.path}: Kafka {self.expected!r}, Ottla {self.got!r}"


def prepare(admin: Peer) -> None:
    """Make what the requests are about, and all rules, and wait until they count."""
    # Most cells are refusals, and each is a line of the audit log.
    quiet = {"name": "kafka.authorizer.logger", "config_operation": 0, "value": "ERROR"}
    loggers = {"resource_type": 8, "resource_name": "1", "configs": [quiet]}
    admin.ask(Row("a quiet audit log", 44, {"resources": [loggers], "validate_only": False}), 1)
    own = [f"auth-own-{who.name}" for who in PRINCIPALS]
    made = [
        {
            "name": name,
            "num_partitions": 2 if name == TOPIC else 1,
            "replication_factor": 1,
            "assignments": [],
            "configs": [],
        }
        for name in (TOPIC, READ, *own)
    ]
    admin.ask(Row("make topics", 19, {"topics": made, "timeout_ms": 30_000}), 7)
    admin.await_topics({TOPIC, READ, *own})
    produced = [{"name": READ, "partition_data": [{"index": 0, "records": batch(b"v")}]}]
    admin.ask(
        Row("a record", 0, {"transactional_id": None, "acks": -1, "timeout_ms": 5000, "topic_data": produced}), 11
    )
    admin.ask(Row("coordinator", 10, {"coordinator_keys": [GROUP], "key_type": 0}), 4)
    admin.ask(Row("coordinator", 10, {"coordinator_keys": [TRANSACTIONAL_ID], "key_type": 1}), 4)
    admin.ask(Row("coordinator", 10, {"coordinator_keys": [SHARE_PARTITION], "key_type": 2}), 6)
    offsets = [{"partition_index": 0, "committed_offset": 1, "committed_metadata": ""}]
    commit = {"group_id": GROUP, "generation_id_or_member_epoch": -1, "member_id": ""}
    admin.ask(Row("commit", 8, {**commit, "topics": [{"name": READ, "partitions": offsets}]}), 8)
    admin.ask(Row("producer", 22, {"transactional_id": TRANSACTIONAL_ID, "transaction_timeout_ms": 60_000}), 4)
    rules = [
        {
            "resource_type": kind, "resource_name": name, "resource_pattern_type": pattern, "principal": f"User:{who.name}",
            "host": "*", "operation": operation, "permission_type": permission,
        }
        for who in PRINCIPALS
        for kind, name, pattern, operation, permission in who.rules
    ]  # fmt: skip
    created = admin.ask(Row("rules", 30, {"creations": rules}), 3)
    assert not any(each["error_code"] for each in created.answer["results"]), created
    _await_rules(admin, len(rules))
    for name in (TOPIC, READ):
        asked = {"topics": [{"name": name}], "allow_auto_topic_creation": False}
        admin.ask(Row("ids", 3, asked), 12)


def _await_rules(admin: Peer, count: int) -> None:
    anything = {
        "resource_type_filter": a.ANY, "resource_name_filter": None, "pattern_type_filter": a.ANY,
        "principal_filter": None, "host_filter": None, "operation": a.ANY, "permission_type": a.ANY,
    }  # fmt: skip
    for _ in range(int(30 / ASK_AGAIN_S)):
        outcome = admin._ask(Row("all rules", 29, anything), 3, masked=False)
        if sum(len(each.acls) for each in outcome.answer.resources) == count:
            return
    raise TimeoutError(f"{admin.name} has not all of {count} rules")


def versions(row: Row, *peers: Peer) -> list[int]:
    """Those versions of a row that both brokers serve."""
    wanted = map(int, row.versions.split(","))
    return [
        version
        for version in wanted
        if all(row.key in peer.api_versions and version in peer.api_versions[row.key] for peer in peers)
    ]


def is_about(who: Who, row: Row) -> bool:
    """Whether the API asks about the one type of resource for which a principal has rules."""
    kinds = {rule[0] for rule in who.rules if who.name.endswith(a.RESOURCE_TYPES[rule[0]].lower())}
    return not kinds or any(need.kind in kinds for need in TABLE[row.key].needs)


def _for(row: Row, who: Who) -> Row:
    """Fill in what only this principal has."""
    if row.name != "delete own":
        return row
    return replace(row, fields={**row.fields, "topics": [{"name": f"auth-own-{who.name}"}]})


def compare(
    kafka: tuple[str, str],
    ottla: tuple[str, str],
    tell: Callable[[Cell], None],
    words: tuple[str, ...] = (),
    *,
    all_cells: bool = True,
) -> int:
    """Ask every cell of both, given the addresses of each's listener for the administrator and of that with SASL.

    Without `all_cells`, principals do not ask what has nothing to do with the type of resource that they are about.
    """
    admins = Peer("Apache Kafka", kafka[0]), Peer("Ottla", ottla[0])
    asked = 0
    with ThreadPoolExecutor(2) as both:
        list(both.map(prepare, admins))
        for who in PRINCIPALS:
            peers = [
                Login(admin.name, addresses[1], who.name, admin.known, admin.api_versions)
                for admin, addresses in zip(admins, (kafka, ottla), strict=True)
            ]
            script = [
                (_for(row, who), version)
                for row in ROWS
                for version in versions(row, *peers)
                if all(word in f"{who.name}: {row.name}" for word in words) and (all_cells or is_about(who, row))
            ]
            expected, got = both.map(lambda peer, script=script: [_answer(peer, *each) for each in script], peers)
            for (row, version), one, other in zip(script, expected, got, strict=True):
                asked += 1
                if one.kind != other.kind:
                    tell(Cell(who.name, row.name, version, "outcome", one.kind, other.kind))
                    continue
                for path, left, right in differences(one.answer, other.answer):
                    if _needs(left) != _needs(right):
                        tell(Cell(who.name, row.name, version, path, left, right))
            for peer in peers:
                peer.close()
    if not words:
        asked += _compare_acls(admins, tell)
    for admin in admins:
        admin.close()
    return asked


def _compare_acls(admins: tuple[Peer, Peer], tell: Callable[[Cell], None]) -> int:
    """Ask what the ACL APIs say to a super user, each row in the newest version."""
    for row in rows_acls.ROWS:
        one, other = (_answer(admin, row, 3) for admin in admins)
        if row.key != DESCRIBE_ACLS:
            time.sleep(SETTLE_S / 5)  # Kafka's broker learns of it from its controller
        if one.kind != other.kind:
            tell(Cell("super user", row.name, 3, "outcome", one.kind, other.kind))
            continue
        for path, left, right in differences(one.answer, other.answer):
            tell(Cell("super user", row.name, 3, path, left, right))
    return len(rows_acls.ROWS)


def _needs(value: Any) -> Any:
    """Which request it was, Kafka says by the text of an object of its own."""
    return (
        re.sub(r"^Request (?:Request\(.*\)|\w+) needs", "Request <which> needs", value)
        if isinstance(value, str)
        else value
    )


def _answer(peer: Peer, row: Row, version: int) -> Outcome:
    peer._changed = row.key in (
        19,
        20,
        30,
        31,
        33,
        37,
        43,
        44,
        45,
        49,
        57,
    )  # changes nothing that a later row would see
    return peer.ask(row, version)


def main(arguments: list[str]) -> int:
    """Print where two brokers differ."""
    pairs = [tuple(word.split(",")) for word in arguments[:2]]
    found: list[Cell] = []
    asked = compare(pairs[0], pairs[1], found.append, tuple(arguments[2:]))  # type: ignore[arg-type]
    for cell in found:
        print(cell)
    print(f"{asked} cells, {len(found)} differences")
    return min(len(found), 1)


__all__ = ["MISSING", "NEW", "PRINCIPALS", "ROWS", "Cell", "compare", "jaas"]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
