"""SASL PLAIN: users of the JAAS entry and of SCRAM credentials, and Kafka's words for what is refused."""

from __future__ import annotations

import pytest

from ottla.security.mechanisms import MECHANISMS
from ottla.security.principal import Principal

from .drive import Peer, client_inputs, credential, new_server, refusal, server_inputs, talk

STORED = {
    ("carol", "SCRAM-SHA-256"): credential("SCRAM-SHA-256", "c-256"),
    ("dave", "SCRAM-SHA-512"): credential("SCRAM-SHA-512", "d-512"),
    ("alice", "SCRAM-SHA-512"): credential("SCRAM-SHA-512", "stored"),
}


def server():
    return server_inputs(
        "PLAIN", jaas={"username": "admin", "password": "x", "user_alice": "a-secret", "user_bob": "bøb"},
        credential=lambda user, mechanism: STORED.get((user, mechanism)),
        decoy=lambda number, mechanism: next((user for user, kind in STORED if kind == mechanism), ""),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("user", "password"), [("alice", "a-secret"), ("bob", "bøb"), ("carol", "c-256"), ("dave", "d-512")]
)
def test_users_of_the_file_and_of_the_cluster(user, password):
    assert talk(server(), client_inputs("PLAIN", user, password)).principal == Principal("User", user)


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("alice", "wrong"),
        ("alice", "stored"),  # the file's entry is the one that counts
        ("nobody", "x"),
        ("admin", "x"),  # the broker's own name is no user unless it is named as one
        ("carol", "d-512"),
        ("alice", "a-secret\u0000"[:-1] + "x"),
    ],
)
def test_wrong_password_and_unknown_user_get_one_sentence(user, password):
    problem = refusal(talk, server(), client_inputs("PLAIN", user, password))
    assert problem.message_for_client == "Authentication failed: Invalid username or password"


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (b"", "Invalid SASL/PLAIN response: expected 3 tokens, got 1"),
        (b"alice\0a-secret", "Invalid SASL/PLAIN response: expected 3 tokens, got 2"),
        (b"\0a\0b\0c", "Invalid SASL/PLAIN response: expected 3 tokens, got 4"),
        (b"\0a\0b\0c\0d\0e", "Invalid SASL/PLAIN response: expected 3 tokens, got 4"),
        (b"\0\0secret", "Authentication failed: username not specified"),
        (b"\0alice\0", "Authentication failed: password not specified"),
        (b"root\0alice\0wrong", "Authentication failed: Invalid username or password"),
        (
            b"root\0alice\0a-secret",
            "Authentication failed: Client requested an authorization id that is different from username",
        ),
    ],
)
def test_what_is_refused_is_refused_in_kafkas_words(message, says):
    assert refusal(new_server(server()).send, message).message_for_client == says


def test_the_users_own_authorization_id():
    peer = new_server(server())
    peer.send(b"alice\0alice\0a-secret")
    assert peer.result is not None


def test_a_client_does_not_send_what_cannot_be_told_apart():
    refusal(Peer(MECHANISMS["PLAIN"].client(client_inputs("PLAIN", "a\0b", "c"))).start)


@pytest.mark.parametrize("user", ["alice", "nobody"])
def test_strangers_buy_no_work_where_all_users_stand_in_the_file(user):
    exchange = MECHANISMS["PLAIN"].server(server_inputs("PLAIN", jaas={"user_alice": "a-secret"}))
    next(exchange)
    refusal(exchange.send, f"\0{user}\0guess".encode())  # at once: no `Work` came before


def test_of_the_mechanisms_only_those_that_users_have_are_derived():
    stored = {("carol", "SCRAM-SHA-256"): STORED["carol", "SCRAM-SHA-256"]}
    asked = []
    inputs = server_inputs(
        "PLAIN", credential=lambda *key: asked.append(key[1]) or stored.get(key),
        decoy=lambda number, mechanism: "carol" if mechanism == "SCRAM-SHA-256" else "",
    )  # fmt: skip
    assert talk(inputs, client_inputs("PLAIN", "carol", "c-256")).principal == Principal("User", "carol")
    assert asked == ["SCRAM-SHA-256"]
