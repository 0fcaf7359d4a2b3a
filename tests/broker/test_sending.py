"""Answers go to the socket at once, in order, and nothing is lost where it takes only a part."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.broker.sending import send, unsent


class Transport:
    """What was left to the event loop."""

    def __init__(self) -> None:
        self.queued = b""
        self.closing = self.aborted = False

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return len(self.queued)

    def write(self, data: Any) -> None:
        self.queued += data

    def writelines(self, parts: list[Any]) -> None:
        self.queued += b"".join(parts)

    def abort(self) -> None:
        self.aborted = True


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def test_what_the_socket_takes_is_gone_at_once(pair: tuple[socket.socket, socket.socket]) -> None:
    transport = Transport()
    send(transport, pair[0].fileno(), [b"one", b"two"], 6)
    assert (pair[1].recv(100), transport.queued) == (b"onetwo", b"")


def test_what_it_does_not_take_is_left_to_the_loop_and_later_answers_wait_behind_it(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    transport = Transport()
    parts = [os.urandom(1 << 20), os.urandom(1 << 20)]
    send(transport, pair[0].fileno(), parts, 2 << 20)
    send(transport, pair[0].fileno(), [b"later"], 5)
    pair[1].setblocking(False)
    arrived = pair[1].recv(4 << 20)
    while True:
        try:
            arrived += pair[1].recv(4 << 20)
        except BlockingIOError:
            break
    assert 0 < len(arrived) < 2 << 20
    assert arrived + transport.queued == b"".join(parts) + b"later"


@pytest.mark.parametrize("descriptor", [-1, None])
def test_without_a_socket_or_on_a_closing_one_the_transport_has_all(
    pair: tuple[socket.socket, socket.socket], descriptor: int | None
) -> None:
    transport = Transport()
    transport.closing = descriptor is None
    send(transport, pair[0].fileno() if descriptor is None else descriptor, [b"one"], 3)
    assert transport.queued == b"one"


def test_a_peer_that_is_gone_ends_the_connection(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].close()
    transport = Transport()
    send(transport, pair[0].fileno(), [b"one"], 3)
    assert transport.aborted


@given(st.lists(st.binary(min_size=1, max_size=5), min_size=1), st.integers(0, 100))
def test_the_rest_is_what_was_not_sent(parts: list[bytes], sent: int) -> None:
    whole = b"".join(parts)
    assert b"".join(unsent(parts, min(sent, len(whole)))) == whole[sent:]
