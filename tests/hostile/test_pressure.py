"""Slow, idle, greedy and many clients: each is bounded, and honest ones are served meanwhile."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ottla.broker.request_memory import UNREAD_MEMORY_MAX
from tests.differential.batches import batch

from .broker import MIB, Victim, ask_versions, closed_within, frame, header, read_answer
from .cases import FETCH, JOIN_GROUP, PRODUCE, TOPIC, prepare

pytestmark = pytest.mark.slow
#: The deadlines of the listener, shortened so that a test can wait for them.
SHORT = {"SWEEP_INTERVAL_S": 0.1, "FRAME_DEADLINE_S": 1.0, "UNREAD_DEADLINE_S": 2.0}
#: How much later than its deadline a client is closed at most, on a busy machine.
LATENESS_S = 4.0
HONEST_S = 2.0
#: Longer than it takes to make a thousand connections on a busy machine.
IDLE_S = 6


@contextlib.contextmanager
def clients(victim: Victim, count: int) -> Iterator[list[socket.socket]]:
    connections = []
    try:
        for _ in range(count):
            connections.append(victim.connect())
        yield connections
    finally:
        for connection in connections:
            connection.close()


def serves_honest_clients(victim: Victim) -> bool:
    began = time.monotonic()
    return victim.alive() and time.monotonic() - began < HONEST_S


def test_one_byte_at_a_time_ends_at_the_deadline(tmp_path: Path) -> None:
    with Victim(tmp_path, constants=SHORT) as victim, victim.connect() as slow:
        began = time.monotonic()
        slow.settimeout(0.2)
        with contextlib.suppress(ConnectionError):
            for byte in struct.pack(">i", 1000) + bytes(1000):
                slow.sendall(bytes([byte]))
                try:
                    if slow.recv(1) == b"":
                        break
                except TimeoutError:
                    continue
        assert SHORT["FRAME_DEADLINE_S"] <= time.monotonic() - began < SHORT["FRAME_DEADLINE_S"] + LATENESS_S
        assert serves_honest_clients(victim)


def test_a_claimed_100_mib_costs_what_was_sent(tmp_path: Path) -> None:
    with Victim(tmp_path, constants=SHORT) as victim:
        assert victim.alive()
        before = victim.memory()
        with clients(victim, 200) as connections:
            for connection in connections:
                connection.sendall(struct.pack(">i", 100 * MIB) + b"only this")
            assert victim.alive()
            assert victim.memory() - before < 32 * MIB  # 64 KiB of buffer each, and the connections
            assert closed_within(connections[-1], SHORT["FRAME_DEADLINE_S"] + LATENESS_S) is not None


def test_1000_idle_connections_do_not_disturb_and_end(tmp_path: Path) -> None:
    with Victim(tmp_path, f"connections.max.idle.ms={IDLE_S * 1000}", constants=SHORT) as victim:
        assert victim.alive()
        before, files_before = victim.memory(), victim.open_files()
        with clients(victim, 1000) as connections:
            assert all(map(ask_versions, connections[::100]))
            assert serves_honest_clients(victim)
            assert victim.memory() - before < 32 * MIB
            assert closed_within(connections[1], IDLE_S + LATENESS_S) is not None
            assert closed_within(connections[-1], IDLE_S + LATENESS_S) is not None
        _until(lambda: victim.open_files() <= files_before + 10)


def test_a_client_that_asks_and_never_reads_is_bounded_and_ends(tmp_path: Path) -> None:
    with Victim(tmp_path, "message.max.bytes=2000000", constants=SHORT) as victim:
        prepare(victim)
        _fill(victim, 40)
        before = victim.memory()
        victim.forget_peak()
        with clients(victim, 30) as connections:
            greedy = _fetch(50 * MIB) * 20
            for connection in connections:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                connection.sendall(greedy)
            assert serves_honest_clients(victim)
            growth = victim.peak_memory() - before
            # The bound, an answer that is being made, and one whose memory is being given back.
            assert growth < UNREAD_MEMORY_MAX + 128 * MIB, f"{growth / MIB:.0f} MiB for 30 clients that do not read"
            time_left = SHORT["UNREAD_DEADLINE_S"] + LATENESS_S
            assert closed_within_unread(connections[0], time_left)  # the first got most


def closed_within_unread(connection: socket.socket, seconds: float) -> bool:
    """Whether the broker gives the connection up while nobody reads: writing to it fails then."""
    give_up = time.monotonic() + seconds
    probe = _fetch(1)
    try:
        while time.monotonic() < give_up:
            connection.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                connection.sendall(probe)
                time.sleep(SHORT["SWEEP_INTERVAL_S"])
    except ConnectionError:
        return True
    return False


def _fetch(max_bytes: int) -> bytes:
    name = struct.pack(">h", len(TOPIC)) + TOPIC
    body = struct.pack(">iiiib", -1, 0, 0, max_bytes, 0) + b"\x00\x00\x00\x01" + name
    return frame(header(FETCH, 4) + body + struct.pack(">iiqi", 1, 0, 0, max_bytes))


def _fill(victim: Victim, mebibytes: int) -> None:
    records = batch(b"x" * 1_000_000)
    body = struct.pack(">hhi", -1, 1, 10000) + b"\x00\x00\x00\x01" + struct.pack(">h", len(TOPIC)) + TOPIC
    produce = frame(header(PRODUCE, 3) + body + struct.pack(">iii", 1, 0, len(records)) + records)
    with victim.connect() as connection:
        for _ in range(mebibytes):
            connection.sendall(produce)
            answer = read_answer(connection)
            assert answer is not None and struct.unpack_from(">h", answer, 4 + 4 + 2 + len(TOPIC) + 4 + 4) == (0,)


def test_big_requests_behind_one_that_waits_are_not_all_kept(tmp_path: Path) -> None:
    """A join waits for the rebalance; what the client sends meanwhile stays in its own send buffer."""
    with Victim(tmp_path, "group.initial.rebalance.delay.ms=60000") as victim:
        assert victim.alive()
        before = victim.memory()
        victim.forget_peak()
        subscription = b"\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff"
        protocol = b"\x00\x05range" + struct.pack(">i", len(subscription)) + subscription
        join = (
            header(JOIN_GROUP, 0)
            + b"\x00\x01g"
            + struct.pack(">i", 30000)
            + b"\x00\x00\x00\x08consumer\x00\x00\x00\x01"
            + protocol
        )
        with clients(victim, 4) as connections:
            for connection in connections:
                connection.sendall(frame(join))
                connection.settimeout(0.5)
                with contextlib.suppress(TimeoutError):
                    for _ in range(20):
                        connection.sendall(frame(header(18, 0) + bytes(10 * MIB)))
            assert serves_honest_clients(victim)
            growth = victim.peak_memory() - before
            assert growth < 4 * 32 * MIB, f"{growth / MIB:.0f} MiB for 4 clients"


def test_connection_limits_are_exact(tmp_path: Path) -> None:
    with Victim(tmp_path, "max.connections=50") as victim, clients(victim, 50) as connections:
        assert all(map(ask_versions, connections))
        with victim.connect() as one_too_many:
            assert closed_within(one_too_many, LATENESS_S) is not None
        connections.pop().close()
        _until(lambda: _is_served(victim))


def test_a_flood_of_connections_leaves_the_log_its_files(tmp_path: Path) -> None:
    """Connections are refused before the process has no file descriptor left to write records with."""
    with Victim(tmp_path, files_max=600) as victim:
        prepare(victim)
        with clients(victim, 50) as honest:
            assert all(map(ask_versions, honest))
            with clients(victim, 700):
                assert all(map(ask_versions, honest))
                _fill(victim_of(honest, victim), 1)
        _until(lambda: _is_served(victim))


def victim_of(connections: list[socket.socket], victim: Victim) -> Victim:
    """The victim, but over a connection that it has already let in."""
    let_in = connections[-1]

    class _Through:
        def connect(self, timeout_s: float = 10.0) -> contextlib.AbstractContextManager[socket.socket]:
            return contextlib.nullcontext(let_in)

    return _Through()  # type: ignore[return-value]


def _is_served(victim: Victim) -> bool:
    with victim.connect() as connection:
        try:
            return ask_versions(connection)
        except ConnectionError:
            return False


def _until(holds: object, seconds: float = LATENESS_S) -> None:
    give_up = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < give_up


def test_connections_that_come_and_go_leave_nothing(tmp_path: Path) -> None:
    with Victim(tmp_path) as victim:
        assert victim.alive()
        before, files_before = victim.memory(), victim.open_files()
        for number in range(3000):
            with victim.connect() as connection:
                connection.sendall((b"", b"\x00", frame(header(18, 0)), struct.pack(">i", 500) + b"half")[number % 4])
        assert victim.alive()
        _until(lambda: victim.open_files() <= files_before + 2)
        assert victim.memory() - before < 16 * MIB
