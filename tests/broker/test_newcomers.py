"""Who has not authenticated costs little: how many there may be, what they may send, and how long they have."""

from __future__ import annotations

import asyncio
import struct
import threading
import tracemalloc
from typing import Any

import pytest

from ottla.broker import newcomers as module
from ottla.broker.dispatch import PendingAnswer
from ottla.broker.newcomers import Newcomers
from ottla.security.principal import USER, Principal
from tests.support.certificates import Authority
from tests.support.tls_wires import TlsBench, client
from tests.support.wires import Bench, Peer, turns

KIB = 1024
PLAIN = {
    "connection.failed.authentication.delay.ms": "0",
    "sasl.enabled.mechanisms": "PLAIN",
    "listener.name.secure.plain.sasl.jaas.config":
        'org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="secret";',
}  # fmt: skip


class SaslBench(TlsBench):
    """A listener SASL_PLAINTEXT."""

    def __init__(self, **sets: str) -> None:
        super().__init__("SASL_PLAINTEXT", **PLAIN, **sets)

    @property
    def newcomers(self) -> Newcomers:
        found: Newcomers = self.broker.newcomers
        return found


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(module, "NEWCOMERS_MAX", 5)
    return 5


# ── how many ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_one_too_many_drives_out_the_one_that_waited_longest(few: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ottla")
    bench = SaslBench()
    peers = [bench.connect() for _ in range(few + 2)]
    assert [peer.wire.aborted for peer in peers] == [True, True] + [False] * few
    assert len(bench.newcomers) == few
    assert bench.newcomers.driven_out == 2
    assert "the slowest" in caplog.text


async def test_who_has_authenticated_or_is_gone_leaves_the_place(few: int) -> None:
    bench = SaslBench()
    peers = [bench.connect() for _ in range(few)]
    peers[0].connection.authenticated(Principal(USER, "alice"))
    peers[1].connection.connection_lost(None)
    assert len(bench.newcomers) == few - 2
    more = [bench.connect() for _ in range(3)]
    assert [peer.wire.aborted for peer in (peers[0], *more)] == [False] * 4
    assert peers[2].wire.aborted


async def test_connections_that_wait_for_us_stay_and_the_new_one_goes(few: int) -> None:
    own = Authority().issue("CN=broker", "localhost")
    bench = TlsBench(**{
        "ssl.keystore.type": "PEM", "ssl.keystore.key": own.key_pem(), "ssl.keystore.certificate.chain": own.chain_pem,
    })  # fmt: skip
    peers = [bench.tls(client(None)) for _ in range(few)]
    for peer in peers:
        peer._step()
    assert bench.tls(client(None)).wire.aborted
    await turns()
    for peer in peers:
        await peer.shake()
    assert all(peer.connection.tls_version for peer in peers)
    assert len(bench.broker.newcomers) == 0


async def test_who_waits_for_our_threads_behind_tls_does_not_give_way() -> None:
    bench = secret_bench()
    peer = await bench.tls(client(None)).shake()
    assert peer.connection.waits_for_peer
    peer.connection._serial = PendingAnswer(1, bench.route(18, 0))  # a login that is worked on
    assert not peer.connection.waits_for_peer


async def test_what_openssl_keeps_of_a_newcomer_is_small() -> None:
    """While a connection is not read, what the socket gave last stays encrypted and is counted nowhere."""
    bench = secret_bench()
    peer = await bench.tls(client(None)).shake()
    assert len(peer.connection.get_buffer(-1)) <= 16 * KIB
    peer.connection.authenticated(Principal(USER, "alice"))
    assert len(peer.connection.get_buffer(-1)) > 64 * KIB


def secret_bench() -> TlsBench:
    """A listener SASL_SSL."""
    own = Authority().issue("CN=broker", "localhost")
    return TlsBench("SASL_SSL", **PLAIN, **{
        "ssl.keystore.type": "PEM", "ssl.keystore.key": own.key_pem(), "ssl.keystore.certificate.chain": own.chain_pem,
    })  # fmt: skip


async def test_what_handshakes_hold_is_bounded_and_the_slowest_gives_way() -> None:
    own = Authority().issue("CN=broker", "localhost")
    bench = TlsBench(**{
        "ssl.keystore.type": "PEM", "ssl.keystore.key": own.key_pem(), "ssl.keystore.certificate.chain": own.chain_pem,
    })  # fmt: skip
    newcomers = bench.broker.newcomers
    newcomers.memory.limit = 20 * KIB
    slow = [bench.tls() for _ in range(4)]
    for peer in slow:
        peer.raw(b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03" + bytes(6000))  # the beginning of a long ClientHello
        await turns()
    assert [peer.wire.aborted for peer in slow] == [True, False, False, False]
    honest = await bench.tls(client(None)).shake()
    assert honest.connection.tls_version is not None
    assert newcomers.memory.used <= 20 * KIB
    for peer in slow:
        peer.connection.connection_lost(None)
    assert (newcomers.memory.used, len(newcomers)) == (0, 0)


async def test_a_plain_listener_has_no_newcomers(few: int) -> None:
    bench = Bench()
    bench.broker.newcomers = Newcomers()
    assert not any(bench.connect().wire.aborted for _ in range(few + 3))
    assert len(bench.broker.newcomers) == 0


async def test_handshakes_are_done_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN_S", -1.0)
    done: list[int] = []

    class Step:
        def __init__(self, number: int) -> None:
            self.number = number

        def shake(self) -> None:
            """Nothing."""

        def shaken(self) -> None:
            done.append(self.number)

    newcomers: Any = Newcomers()
    for number in range(5):
        newcomers.handshake(Step(number))
    for turn in range(5):
        await turns(1)
        assert done == list(range(turn + 1))


# ── what they send ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("size", "refused"), [(512 * KIB, False), (512 * KIB + 1, True), (100 << 20, True), (0, True), (-1, True)]
)
def test_a_frame_before_authentication_has_512_kib(size: int, refused: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ottla")
    peer = SaslBench().connect()
    peer.feed(struct.pack(">i", size))
    assert peer.wire.closed is refused
    if refused:
        assert f"a request of {size} bytes was announced; the limit is 524288" in caplog.text


def test_the_limit_is_a_setting_and_ends_with_authentication() -> None:
    peer = SaslBench(**{"listener.name.secure.sasl.server.max.receive.size": "100"}).connect()
    assert peer.connection.frame_bytes_max == 100
    peer.connection.authenticated(Principal(USER, "alice"))
    assert peer.connection.frame_bytes_max == 100 << 20


def test_a_claimed_size_costs_nothing_before_it_is_sent() -> None:
    """CVE-2022-34917: memory for what an unauthenticated frame claims."""
    bench = SaslBench()
    peers = [bench.connect() for _ in range(500)]
    tracemalloc.start()
    for peer in peers:
        peer.feed(struct.pack(">i", 512 * KIB) + bytes(60))
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert taken <= 500 * 8 * KIB
    assert bench.newcomers.memory.used <= 500 * 4 * KIB


def test_all_of_them_together_hold_no_more_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = SaslBench()
    bench.newcomers.memory.limit = 1024 * KIB
    peers = [bench.connect() for _ in range(20)]
    for peer in peers:
        peer.feed(struct.pack(">i", 512 * KIB))
    for _ in range(8):
        for peer in peers:
            pour(peer, 32 * KIB)
    assert bench.newcomers.memory.used <= (1024 + 512 + 20 * 4) * KIB  # the first always comes to its end
    assert bench.broker.request_memory.used == 0
    assert not all(peer.wire.reading for peer in peers)
    for _ in range(7):
        bench.listener.sweep()
    assert any(peer.wire.aborted for peer in peers)


def test_what_is_held_moves_with_the_connection() -> None:
    bench = SaslBench()
    peer = bench.connect()
    peer.feed(struct.pack(">i", 1000) + bytes(10))
    held = bench.newcomers.memory.used
    assert held > 0
    peer.connection.authenticated(Principal(USER, "alice"))
    assert (bench.newcomers.memory.used, bench.broker.request_memory.used) == (0, held)
    peer.connection.connection_lost(None)
    assert bench.broker.request_memory.used == 0


def pour(peer: Peer, size: int) -> None:
    """Send as much as is read."""
    while size and peer.wire.reading and not peer.wire.closed:
        part = min(size, len(peer.connection.get_buffer(-1)))
        peer.feed(bytes(part))
        size -= part


def _uvarint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


#: Headers and bodies of requests that anybody may send, which claim far more than they have.
AMPLIFIERS = {
    "tagged fields in the header": struct.pack(">hhih", 18, 3, 1, -1) + _uvarint(20_000_000),
    "tagged fields in the body": struct.pack(">hhih", 18, 3, 1, -1) + b"\0\x02a\x02b" + _uvarint(20_000_000),
    "one tagged field of 2 GiB": struct.pack(">hhih", 18, 3, 1, -1) + _uvarint(1) + _uvarint(0) + _uvarint(1 << 31),
    "many empty tagged fields": struct.pack(">hhih", 18, 3, 1, -1) + _uvarint(200_000) + b"".join(_uvarint(n) + b"\0" for n in range(120_000)),
    "a client id of 32 KiB that is not there": struct.pack(">hhih", 18, 3, 1, 32_767),
    "a mechanism of 32 KiB that is not there": struct.pack(">hhih", 17, 1, 1, -1) + struct.pack(">h", 32_767),
    "a token of 2 GiB": struct.pack(">hhih", 36, 1, 1, -1) + struct.pack(">i", (1 << 31) - 1),
}  # fmt: skip


@pytest.mark.parametrize("name", AMPLIFIERS)
async def test_claims_before_authentication_make_no_objects(name: str) -> None:
    """CVE-2026-111115, CVE-2026-111108: counts in unauthenticated frames."""
    body = AMPLIFIERS[name]
    bench = SaslBench()
    bench.connect().feed(struct.pack(">i", len(body)) + body)  # routes and modules are made
    peer = bench.connect()
    tracemalloc.start()
    peer.feed(struct.pack(">i", len(body)) + body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 64 * KIB + 4 * len(body)
    assert peer.wire.closed


@pytest.mark.parametrize("key", [0, 1, 3, 10, 19, 22, 32, 44, 68])
async def test_no_other_request_is_handled_before_authentication(key: int) -> None:
    bench = SaslBench()
    called: list[int] = []
    bench.handle(12, lambda context, request: called.append(1))
    peer = bench.connect()
    body = struct.pack(">hhih", key, 0, 1, -1) + bytes(20)
    peer.feed(struct.pack(">i", len(body)) + body)
    await turns()
    assert peer.wire.closed
    assert bench.broker.metrics.requests_by_key[key] == 0


# ── how long ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "sent", [b"", b"\0\0", struct.pack(">i", 100) + b"x" * 50], ids=["nothing", "half a size", "half"]
)
def test_authentication_has_28_seconds(sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ottla")
    peer = SaslBench().connect()
    if sent:
        peer.feed(sent)
    peer.sweep(28)
    assert not peer.wire.closed
    peer.sweep(1)
    assert peer.wire.closed
    assert "within 28 s" in caplog.text


def test_a_byte_a_second_is_over_after_28_seconds() -> None:
    peer = SaslBench().connect()
    peer.feed(struct.pack(">i", 500_000))
    for _ in range(29):
        if not peer.wire.closed:
            peer.feed(b"x")
            peer.sweep(1)
    assert peer.wire.closed


def test_who_is_made_to_wait_is_not_slow() -> None:
    """A connection quota holds new connections; that time is not theirs."""
    peer = SaslBench().connect()
    peer.connection._muted += 1
    peer.sweep(60)
    assert not peer.wire.closed
    peer.connection._muted -= 1
    peer.sweep(29)
    assert peer.wire.closed


def test_who_is_in_may_be_slow() -> None:
    peer = SaslBench().connect()
    peer.connection.authenticated(Principal(USER, "alice"))
    peer.sweep(100)
    assert not peer.wire.closed


# ── threads ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Held:
    """A handshake whose step takes as long as the test wants."""

    def __init__(self) -> None:
        self.may_go_on, self.is_over = threading.Event(), asyncio.Event()
        self.thread = ""

    def shake(self) -> None:
        self.thread = threading.current_thread().name
        assert self.may_go_on.wait(30)

    def shaken(self) -> None:
        self.is_over.set()


async def test_handshakes_are_done_in_threads_while_the_loop_goes_on() -> None:
    newcomers, handshakes = Newcomers(2), [Held() for _ in range(5)]
    try:
        for each in handshakes:
            newcomers.handshake(each)
        for each in reversed(handshakes[:2]):  # two are under way, and the loop is here
            each.may_go_on.set()
            await asyncio.wait_for(each.is_over.wait(), 30)
        for each in handshakes[2:]:
            each.may_go_on.set()
            await asyncio.wait_for(each.is_over.wait(), 30)
        assert {each.thread for each in handshakes} <= {"handshakes-0", "handshakes-1"}
    finally:
        newcomers.stop()


async def test_what_comes_during_a_step_is_for_the_next_one() -> None:
    """Two parts of a ClientHello, the second while a thread has the first; and the same for who leaves meanwhile."""
    bench = secret_bench()
    steps: list[Any] = []
    bench.broker.newcomers.handshake = steps.append
    peers = [bench.tls(client(None)) for _ in range(2)]
    for peer in peers:
        peer._step()
        hello = peer.connection._early.pop()
        peer.connection._early.append(hello[:100])
        peer.connection.shake()
        peer.raw(hello[100:])
    assert len(steps) == 2  # one step of each; what came is for the next
    peers[1].connection.connection_lost(None)
    for peer in peers:
        peer.connection.shaken()
    assert steps[2:] == [peers[0].connection]
    del bench.broker.newcomers.handshake
    peers[0].connection.shake()
    peers[0].connection.shaken()
    await peers[0].shake()
    assert peers[0].connection.tls_version
    assert not peers[1].connection.tls_version
