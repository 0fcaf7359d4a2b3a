"""Drives the two sides of a mechanism against each other, in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import count
from typing import Any

from ottla.security.mechanisms import (
    MECHANISMS,
    Authenticated,
    AuthenticationFailed,
    ClientInputs,
    ScramCredential,
    ServerInputs,
    Work,
    scram_keys,
)

PEPPER = b"p" * 32


def chance(seed: bytes) -> Callable[[int], bytes]:
    """Return random bytes that are the same in each run."""
    numbers = count()
    return lambda n: hashlib.shake_128(seed + str(next(numbers)).encode()).digest(n)


def credential(mechanism: str, password: str, salt: bytes = b"salt", iterations: int = 4096) -> ScramCredential:
    """Make the verifier of a password."""
    salted = scram_keys.salted_password(mechanism, password, salt, iterations)
    return scram_keys.credential_of(mechanism, salted, salt, iterations)


def server_inputs(mechanism: str, **others: Any) -> ServerInputs:
    return ServerInputs(**{"mechanism": mechanism, "now_ms": 0, "random": chance(b"s"), "pepper": PEPPER, **others})


def client_inputs(mechanism: str, username: str, password: str, **others: Any) -> ClientInputs:
    return ClientInputs(mechanism, 0, chance(b"c"), username=username, password=password, **others)


class Peer:
    """One side: does its own work, gives out messages."""

    def __init__(self, exchange: Any) -> None:
        self.exchange = exchange
        self.result: Authenticated | None = None
        self.done = False

    def start(self) -> bytes | None:
        return self._carry_on(None)

    def send(self, message: bytes) -> bytes | None:
        return self._carry_on(message)

    def _carry_on(self, value: Any) -> bytes | None:
        try:
            out = self.exchange.send(value)
            while isinstance(out, Work):
                out = self.exchange.send(out.function())
        except StopIteration as end:
            self.done, self.result = True, end.value
            return None if end.value is None else bytes(end.value.last_message)
        return None if out is None else bytes(out)


def new_server(inputs: ServerInputs) -> Peer:
    """Return a server's side that waits for the first message."""
    peer = Peer(MECHANISMS[inputs.mechanism].server(inputs))
    peer.start()
    return peer


def talk(server: ServerInputs, client: ClientInputs) -> Authenticated:
    """Run both sides to the end; raises `AuthenticationFailed`."""
    asked, asking = new_server(server), Peer(MECHANISMS[client.mechanism].client(client))
    message = asking.start()
    while not asked.done:
        assert message is not None
        challenge = asked.send(message)
        assert challenge is not None
        message = asking.send(challenge)
    assert asking.done, "the client expects more"
    assert asked.result is not None
    return asked.result


def refusal(function: Callable[..., Any], *arguments: Any) -> AuthenticationFailed:
    """Return how a call refuses."""
    try:
        function(*arguments)
    except AuthenticationFailed as problem:
        return problem
    raise AssertionError("it was accepted")
