"""TLS on a listener: who is let in and as whom, which check a failure names, and certificates that change meanwhile.

Everything happens in memory: a client of Python's `ssl` on one side, the broker's connection on the other.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ottla.broker import receiving
from ottla.protocol.apis.api_versions import ApiVersionsRequest
from ottla.protocol.apis.heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.security.tls_stores import StoreError
from tests.support.certificates import Authority, Credential
from tests.support.tls_wires import TlsBench, TlsPeer, client
from tests.support.wires import turns


class Pki:
    """One authority, a broker's certificate, and the settings that name them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority()
        self.own = self.authority.issue("CN=broker", "localhost", "127.0.0.1")

    def settings(self, auth: str = "none", **more: str) -> dict[str, str]:
        return {
            "ssl.keystore.type": "PEM", "ssl.keystore.location": str(self.own.write_pem(self.folder / "broker.pem")),
            "ssl.truststore.type": "PEM", "ssl.truststore.location": str(self.authority.write(self.folder / "ca.pem")),
            "ssl.client.auth": auth, **more,
        }  # fmt: skip

    def bench(self, auth: str = "none", protocol: str = "SSL", **more: str) -> TlsBench:
        return TlsBench(protocol, **self.settings(auth, **more))

    def client(self, own: Credential | None = None, **attributes: Any) -> ssl.SSLContext:
        return client(self.authority, own, folder=self.folder, **attributes)


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path)


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """One connection may take as long as it likes, however slow the machine is."""
    monkeypatch.setattr(receiving, "TURN_S", 1000)


@pytest.fixture(autouse=True)
def spoken(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level("INFO", "ottla")
    return caplog


def served(peer: TlsPeer) -> bool:
    peer.send((ApiVersionsRequest(), 3))
    return peer.numbers() == [0]


# ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("at_once", [1, 100, 1 << 20])
async def test_requests_in_any_pieces_are_answered_in_order(pki: Pki, version: ssl.TLSVersion, at_once: int) -> None:
    bench = pki.bench()
    bench.handle(12, lambda context, request: HeartbeatResponse())
    peer = await bench.tls(pki.client(minimum_version=version, maximum_version=version)).shake()
    assert peer.connection.tls_version == version.name.replace("_", ".")
    frames = b"".join(
        peer.frame(HeartbeatRequest(group_id="g" * size, member_id="m"), 4)
        for size in (1, 400, 20_000 if at_once > 1 else 900)
    )
    peer.feed(frames, at_once)
    assert peer.numbers() == [0, 1, 2]


async def test_large_answers_arrive_whole(pki: Pki) -> None:
    bench = pki.bench()
    text = "x" * 32_000
    bench.handle(12, lambda context, request: HeartbeatResponse())
    peer = await bench.tls(pki.client()).shake()
    peer.connection._out += [memoryview(bytes([n]) * 700_000) for n in range(3)] + [b"", text.encode()]
    peer.connection._encoded += 3 * 700_000 + len(text)
    peer.connection._flush()
    plain = peer.read()
    assert plain == b"".join(bytes([n]) * 700_000 for n in range(3)) + text.encode()


async def test_what_comes_while_a_connection_is_not_read_is_worked_on_later(pki: Pki) -> None:
    bench = pki.bench()
    bench.handle(12, lambda context, request: HeartbeatResponse())
    peer = await bench.tls(pki.client()).shake()
    peer.connection._muted += 1
    peer.connection._read_or_not()
    peer.send(*[(HeartbeatRequest(group_id=str(n), member_id="m"), 4) for n in range(3)])
    assert peer.numbers() == []
    peer.connection._unmute()
    await turns()
    assert peer.numbers() == [0, 1, 2]


async def test_while_a_step_of_the_handshake_is_done_nothing_is_read(pki: Pki) -> None:
    """A client may send a megabyte with its last step, and that is no handshake (it was reset)."""
    bench = pki.bench()
    under_way: list[Any] = []
    bench.broker.newcomers.handshake = under_way.append
    peer = bench.tls(pki.client())
    for _ in range(2):
        peer._step()
        assert not peer.wire.reading
        step = under_way.pop()
        step.shake()
        step.shaken()
        assert peer.wire.reading
        peer._exchange()
    peer.send((ApiVersionsRequest(), 3))
    await turns()
    assert peer.numbers() == [0]


async def test_what_is_not_read_yet_counts_as_memory_of_requests(pki: Pki) -> None:
    bench = pki.bench()
    peer = await bench.tls(pki.client()).shake()
    memory = bench.broker.request_memory
    before = memory.used
    peer.connection._muted += 1
    peer.connection._read_or_not()
    for _ in range(20):
        peer.send((ApiVersionsRequest(), 3))
    assert peer.numbers() == []
    kept = peer.connection._incoming.pending
    assert memory.used == before + kept > before + 20 * 20
    peer.connection._unmute()
    await turns()
    assert peer.numbers() == list(range(20))
    assert memory.used == before
    peer.connection._muted += 1
    peer.connection._read_or_not()
    peer.send((ApiVersionsRequest(), 3))
    assert memory.used > before
    peer.connection.connection_lost(None)
    assert memory.used == before


async def test_the_end_of_the_stream_ends_the_connection_after_its_requests(pki: Pki) -> None:
    bench = pki.bench()
    peer = await bench.tls(pki.client()).shake()
    assert peer.tls is not None
    peer.tls.write(peer.frame(ApiVersionsRequest(), 3))
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.unwrap()
    peer._exchange()
    assert peer.wire.closed
    assert len(peer.wire.written) > 0


async def test_a_damaged_record_ends_the_connection(pki: Pki, spoken: pytest.LogCaptureFixture) -> None:
    peer = await pki.bench().tls(pki.client()).shake()
    assert peer.tls is not None
    peer.tls.write(peer.frame(ApiVersionsRequest(), 3))
    record = bytearray(peer.outgoing.read())
    record[-1] ^= 1
    peer.raw(bytes(record))
    assert peer.wire.closed
    assert "decryption failed" in spoken.text


async def test_renegotiation_is_refused(pki: Pki) -> None:
    peer = await pki.bench().tls(pki.client(maximum_version=ssl.TLSVersion.TLSv1_2)).shake()
    assert pki.bench().listener.tls.server is not None
    assert peer.bench.listener.tls.server.context.options & ssl.OP_NO_RENEGOTIATION  # type: ignore[union-attr]


# ── versions and ciphers ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("enabled", "offered", "spoken_version"),
    [
        ("TLSv1.2,TLSv1.3", "1.2-1.3", "TLSv1.3"), ("TLSv1.2,TLSv1.3", "1.2", "TLSv1.2"), ("TLSv1.2", "1.2-1.3", "TLSv1.2"),
        ("TLSv1.3", "1.2-1.3", "TLSv1.3"), ("TLSv1.3", "1.2", None), ("TLSv1.2", "1.3", None),
        ("TLSv1,TLSv1.1,TLSv1.2", "1.2-1.3", "TLSv1.2"),
    ],
)  # fmt: skip
async def test_versions(
    pki: Pki, spoken: pytest.LogCaptureFixture, enabled: str, offered: str, spoken_version: str | None
) -> None:
    low, _, high = offered.partition("-")
    versions = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
    context = pki.client(minimum_version=versions[low], maximum_version=versions[high or low])
    peer = await pki.bench(**{"ssl.enabled.protocols": enabled}).tls(context).shake()
    assert peer.connection.tls_version == spoken_version
    if spoken_version is None:
        assert peer.wire.closed
        assert "not enabled" in spoken.text
    else:
        assert served(peer)


async def test_a_client_of_tls_1_1_is_refused_and_told_so(pki: Pki, spoken: pytest.LogCaptureFixture) -> None:
    hello = bytes.fromhex("16030100310100002d0302" + "00" * 32 + "00000600350" + "02f000a" + "0100")
    peer = pki.bench().tls()
    peer.raw(hello)
    await turns()
    assert peer.wire.closed
    assert "TLS handshake failed" in spoken.text


@pytest.mark.parametrize(
    ("suites", "client_suite", "cipher"),
    [
        ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ALL", "ECDHE-ECDSA-CHACHA20-POLY1305"),
        ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256", None),
    ],
)
async def test_cipher_suites_by_javas_names(
    pki: Pki, spoken: pytest.LogCaptureFixture, suites: str, client_suite: str, cipher: str | None
) -> None:
    context = pki.client(maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(client_suite)
    peer = await pki.bench(**{"ssl.cipher.suites": suites}).tls(context).shake()
    assert peer.tls is not None
    assert (peer.tls.cipher() or [None])[0] == cipher
    if cipher is None:
        assert "no cipher suite in common" in spoken.text


@pytest.mark.parametrize(
    ("suites", "version"),
    [("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLSv1.2"), ("TLS_AES_128_GCM_SHA256", "TLSv1.3")],
)
async def test_suites_of_one_version_leave_that_version_alone(pki: Pki, suites: str, version: str) -> None:
    peer = await pki.bench(**{"ssl.cipher.suites": suites}).tls(pki.client()).shake()
    assert peer.connection.tls_version == version


# ── who is let in ───────────────────────────────────────────────────────────────────────────────────────────────────

Make = Callable[[Pki], Credential | None]
CERTIFICATES: dict[str, tuple[Make, str]] = {
    "none": (lambda pki: None, ""),
    "good": (lambda pki: pki.authority.issue("CN=alice"), ""),
    "expired": (lambda pki: pki.authority.issue("CN=alice", begin=-9, days=-1), "certificate has expired"),
    "not yet valid": (lambda pki: pki.authority.issue("CN=alice", begin=1), "certificate is not yet valid"),
    "of another authority": (lambda pki: Authority("CN=Other CA").issue("CN=alice"), "unable to get local issuer certificate"),
    "of a false authority of the same name": (lambda pki: Authority().issue("CN=alice"), "certificate"),
    "for servers only": (lambda pki: pki.authority.issue("CN=alice", usage="server"), "unsuitable certificate purpose"),
    "below an intermediate": (lambda pki: Authority("CN=Between", above=pki.authority).issue("CN=alice"), ""),
}  # fmt: skip


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("auth", ["none", "requested", "required"])
@pytest.mark.parametrize("shown", CERTIFICATES)
async def test_client_certificates(
    pki: Pki, spoken: pytest.LogCaptureFixture, shown: str, auth: str, version: str
) -> None:
    make, problem = CERTIFICATES[shown]
    bench = pki.bench(auth, **{"ssl.enabled.protocols": version})
    peer = await bench.tls(pki.client(make(pki))).shake()
    if auth == "required" and shown == "none":
        problem = "the client showed no certificate, and ssl.client.auth=required"
    if auth == "none" or not problem:
        name = "CN=alice" if auth != "none" and shown != "none" else "ANONYMOUS"
        assert str(peer.connection.principal) == f"User:{name}"
        assert served(peer)
    else:
        assert peer.wire.closed
        assert problem in spoken.text
        assert "TLS handshake failed" in spoken.text
        assert peer.problem is not None or peer.alert is not None
        assert bench.broker.metrics.requests_by_key[18] == 0
    counts = bench.listener.authentications
    assert (counts.successes, counts.failures) == ((0, 1) if peer.wire.closed else (1, 0))


@pytest.mark.parametrize(
    ("context_of", "what"),
    [
        (lambda pki: client(Authority("CN=Other CA")), "its signer is unknown to it"),
        (lambda pki: pki.client(), "another host name"),
    ],
    ids=["client of another authority", "client that asked for another host"],
)  # fmt: skip
async def test_a_client_that_does_not_accept_the_broker_is_told_in_the_log(
    pki: Pki, spoken: pytest.LogCaptureFixture, context_of: Callable[[Pki], ssl.SSLContext], what: str
) -> None:
    host = "localhost" if "signer" in what else "elsewhere.example"
    peer = await pki.bench().tls(context_of(pki), host).shake()
    assert isinstance(peer.problem, ssl.SSLCertVerificationError)
    await turns()
    assert what in spoken.text


async def test_a_name_that_the_broker_does_not_have_is_no_reason_to_refuse(pki: Pki) -> None:
    context = pki.client()
    context.check_hostname = False
    assert served(await pki.bench().tls(context, "sni.example").shake())


async def test_inside_sasl_a_certificate_is_no_principal(pki: Pki) -> None:
    sasl = {"sasl.enabled.mechanisms": "PLAIN", "listener.name.secure.plain.sasl.jaas.config":
            'org.apache.kafka.common.security.plain.PlainLoginModule required user_a="b";'}  # fmt: skip
    peer = await pki.bench("requested", "SASL_SSL", **sasl).tls(pki.client(pki.authority.issue("CN=alice"))).shake()
    assert peer.connection.authentication is not None
    assert str(peer.connection.principal) == "User:ANONYMOUS"
    assert len(peer.bench.broker.newcomers) == 1


# ── principals ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("rules", "name", "principal"),
    [
        ("DEFAULT", "CN=alice,OU=dev,O=Acme,C=DE", "CN=alice,OU=dev,O=Acme,C=DE"),
        ("RULE:^CN=(.*?),.*$/$1/U", "CN=alice,OU=dev", "ALICE"),
        ("RULE:^CN=(.*?),OU=ops.*$/$1/, RULE:^CN=(.*?),OU=(.*?)$/$1@$2/L, DEFAULT", "CN=Alice,OU=Dev", "alice@dev"),
        ("RULE:^CN=(.*?),OU=ops$/$1/", "CN=alice,OU=dev", None),
    ],
)  # fmt: skip
async def test_a_certificates_name_becomes_a_principal(
    pki: Pki, spoken: pytest.LogCaptureFixture, rules: str, name: str, principal: str | None
) -> None:
    bench = pki.bench("required", **{"ssl.principal.mapping.rules": rules})
    peer = await bench.tls(pki.client(pki.authority.issue(name))).shake()
    if principal is None:
        assert peer.wire.closed
        assert "No rules apply to CN=alice,OU=dev" in spoken.text
    else:
        assert peer.connection.principal.name == principal


# ── revocation ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_revoked_certificate_is_refused_once_the_list_says_so(
    pki: Pki, spoken: pytest.LogCaptureFixture
) -> None:
    alice, bob = pki.authority.issue("CN=alice"), pki.authority.issue("CN=bob")
    crl = pki.folder / "revoked.pem"
    crl.write_text(pki.authority.revoke(alice))
    bench = pki.bench("required", **{"ottla.ssl.crl.location": str(crl)})
    assert (await bench.tls(pki.client(alice)).shake()).wire.closed
    assert "certificate revoked" in spoken.text
    before = await bench.tls(pki.client(bob)).shake()
    assert served(before)
    crl.write_text(pki.authority.revoke(bob))
    os.utime(crl, (1, 1))
    bench.listener.tls.reload_if_changed()
    assert (await bench.tls(pki.client(bob)).shake()).wire.closed
    assert not before.wire.closed


async def test_a_list_that_is_out_of_date_lets_nobody_in(pki: Pki, spoken: pytest.LogCaptureFixture) -> None:
    crl = pki.folder / "revoked.pem"
    crl.write_text(pki.authority.revoke(days=-1))
    bench = pki.bench("required", **{"ottla.ssl.crl.location": str(crl)})
    assert (await bench.tls(pki.client(pki.authority.issue())).shake()).wire.closed
    assert "CRL has expired" in spoken.text


async def test_the_whole_chain_is_looked_up_in_the_lists(pki: Pki, spoken: pytest.LogCaptureFixture) -> None:
    """A revoked intermediate authority takes with it whom it vouched for; one without a list vouches for nobody."""
    between = Authority("CN=Between", above=pki.authority)
    alice, crl = between.issue("CN=alice"), pki.folder / "revoked.pem"
    crl.write_text(pki.authority.revoke() + between.revoke())
    bench = pki.bench("required", **{"ottla.ssl.crl.location": str(crl)})
    assert served(await bench.tls(pki.client(alice)).shake())
    crl.write_text(pki.authority.revoke(between) + between.revoke())
    os.utime(crl, (1, 1))
    bench.listener.tls.reload_if_changed()
    assert (await bench.tls(pki.client(alice)).shake()).wire.closed
    assert "certificate revoked" in spoken.text
    crl.write_text(pki.authority.revoke())
    os.utime(crl, (2, 2))
    bench.listener.tls.reload_if_changed()
    assert (await bench.tls(pki.client(alice)).shake()).wire.closed
    assert "unable to get certificate CRL" in spoken.text


async def test_an_intermediate_authority_may_be_all_that_is_trusted(pki: Pki) -> None:
    """As with Java, whose truststores need no root."""
    between = Authority("CN=Between", above=pki.authority)
    store = {"ssl.truststore.location": str(between.write(pki.folder / "between.pem"))}
    bench = pki.bench("required", **store)
    assert served(await bench.tls(pki.client(between.issue("CN=alice"))).shake())
    assert (await bench.tls(pki.client(pki.authority.issue("CN=bob"))).shake()).wire.closed


async def test_a_resumed_session_ends_with_its_certificate(
    pki: Pki, spoken: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS 1.2 may leave the certificate out of a second handshake, and OpenSSL does not look at it again."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(days=60)

    bench = pki.bench("required")
    context = pki.client(pki.authority.issue("CN=alice"), maximum_version=ssl.TLSVersion.TLSv1_2)
    first = await bench.tls(context).shake()
    assert first.tls is not None

    async def again() -> TlsPeer:
        peer = bench.tls()
        peer.tls = context.wrap_bio(
            peer.incoming, peer.outgoing, server_hostname="localhost", session=first.tls.session
        )
        return await peer.shake()

    second = await again()
    assert second.tls is not None
    assert second.tls.session_reused
    assert second.connection.principal.name == "CN=alice"
    monkeypatch.setattr("ottla.broker.tls_connection.datetime", Later)
    assert (await again()).wire.closed
    assert "certificate has expired (its session was resumed)" in spoken.text


# ── the name a client asks for ──────────────────────────────────────────────────────────────────────────────────────


async def test_the_log_says_which_name_a_client_wanted_and_which_there_are(
    pki: Pki, spoken: pytest.LogCaptureFixture
) -> None:
    peer = await pki.bench().tls(pki.client(), host="kafka.elsewhere").shake()
    assert peer.wire.closed
    assert "it asked for kafka.elsewhere, the certificate is for 127.0.0.1, localhost" in spoken.text


async def test_any_name_is_served_as_kafka_does(pki: Pki) -> None:
    context = pki.client(check_hostname=False)
    assert served(await pki.bench().tls(context, host="kafka.elsewhere").shake())


# ── what is no TLS ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "looks like HTTP"), (b"\x00\x00\x00\x14\x00\x12\x00\x03" + bytes(16), "looks like Kafka"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not TLS"), (b"\x16\x03\x01\xff\xff" + bytes(64), "TLS handshake failed"), (bytes(64), "TLS handshake failed"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "unexpected message"),
    ],
)  # fmt: skip
async def test_other_bytes_are_refused_with_a_hint(
    pki: Pki, spoken: pytest.LogCaptureFixture, data: bytes, hint: str
) -> None:
    peer = pki.bench().tls()
    peer.raw(data)
    await turns()
    assert peer.wire.closed
    assert hint in spoken.text


async def test_an_endless_handshake_is_cut(pki: Pki, spoken: pytest.LogCaptureFixture) -> None:
    peer = pki.bench().tls()
    peer.raw(b"\x16\x03\x01\x40\x00\x01\x03\x00\x00" + bytes(200))
    for _ in range(5):
        if not peer.wire.closed:
            peer.raw(bytes(100_000))
    await turns()
    assert peer.wire.closed


@pytest.mark.parametrize("sent", [b"", b"\x16\x03", "hello"])
async def test_a_handshake_has_ten_seconds(pki: Pki, spoken: pytest.LogCaptureFixture, sent: bytes | str) -> None:
    bench = pki.bench()
    peer = bench.tls(pki.client() if sent == "hello" else None)
    if isinstance(sent, str):
        peer._step()
    else:
        peer.raw(sent)
    await turns()
    peer.sweep(10)
    assert not peer.wire.closed
    peer.sweep(1)
    assert peer.wire.closed
    assert "not complete within 10 s" in spoken.text


async def test_a_byte_a_second_does_not_prolong_a_handshake(pki: Pki) -> None:
    peer = pki.bench().tls()
    for _ in range(12):
        if not peer.wire.closed:
            peer.raw(b"\x16")
            peer.sweep(1)
        await turns()
    assert peer.wire.closed


# ── stores ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _inline(pki: Pki, password: str | None = None) -> dict[str, str]:
    return {
        "ssl.keystore.type": "PEM", "ssl.keystore.key": pki.own.key_pem(password), "ssl.keystore.certificate.chain": pki.own.chain_pem,
        "ssl.truststore.type": "PEM", "ssl.truststore.certificates": pki.authority.pem,
        **({"ssl.key.password": password} if password else {}),
    }  # fmt: skip


STORES: dict[str, Callable[[Pki], dict[str, str]]] = {
    "PEM file": lambda pki: pki.settings(),
    "PEM file, encrypted": lambda pki: {**pki.settings(), "ssl.keystore.location": str(pki.own.write_pem(pki.folder / "e.pem", "pw")), "ssl.key.password": "pw"},
    "PEM inline": _inline,
    "PEM inline, one line": lambda pki: {k: v.replace("\n", " \n") for k, v in _inline(pki).items()},
    "PEM inline, encrypted": lambda pki: _inline(pki, "secret"),
    "PKCS12": lambda pki: {"ssl.keystore.type": "PKCS12", "ssl.keystore.location": str(pki.own.write_pkcs12(pki.folder / "k.p12", "pw")), "ssl.keystore.password": "pw"},
    "PKCS12 under Java's default name": lambda pki: {"ssl.keystore.location": str(pki.own.write_pkcs12(pki.folder / "k.jks", "pw")), "ssl.keystore.password": "pw"},
    "RSA key": lambda pki: {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(pki.authority.issue("CN=broker", "localhost", kind="rsa").write_pem(pki.folder / "r.pem"))},
}  # fmt: skip


@pytest.mark.parametrize("store", STORES)
async def test_stores(pki: Pki, store: str) -> None:
    assert served(await TlsBench(**STORES[store](pki)).tls(pki.client()).shake())


async def test_a_chain_is_sent_in_its_order_whatever_the_file_says(pki: Pki) -> None:
    between = Authority("CN=Between", above=Authority("CN=Upper", above=pki.authority))
    own = between.issue("CN=broker", "localhost")
    own.chain = [own.chain[1], own.chain[2], own.chain[0]]
    settings = {**pki.settings(), "ssl.keystore.location": str(own.write_pem(pki.folder / "chain.pem"))}
    assert served(await TlsBench(**settings).tls(pki.client()).shake())


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"ssl.keystore.location": None}, "there is no key for TLS"),
        ({"ssl.keystore.location": "/nowhere/k.pem"}, "cannot read /nowhere/k.pem: No such file"),
        ({"ssl.keystore.password": "x"}, "SSL key store password cannot be specified with PEM format, only key password may be specified"),
        ({"ssl.keystore.key": "x"}, "SSL private key is specified, but certificate chain is not specified."),
        ({"ssl.keystore.certificate.chain": "x"}, "SSL certificate chain is specified, but private key is not specified"),
        ({"ssl.keystore.key": "x", "ssl.keystore.certificate.chain": "x"}, "Both SSL key store location and separate private key are specified."),
        ({"ssl.keystore.type": "PKCS12"}, "SSL key store is specified, but key store password is not specified."),
        ({"ssl.keystore.type": "JKS", "ssl.keystore.key": "x"}, "SSL private key can be specified only for PEM, but key store type is JKS."),
        ({"ssl.keystore.type": "PKCS12", "ssl.keystore.password": "x"}, "cannot be read as PKCS12"),
        ({"ssl.key.password": "x"}, "is not encrypted, and ssl.key.password is set"),
        ({"ssl.keystore.type": "BKS", "ssl.keystore.password": "x"}, "keytool -importkeystore"),
        ({"ssl.keystore.location": None, "ssl.keystore.password": "x"}, "SSL key store is not specified, but key store password is specified."),
        ({"ssl.truststore.certificates": "x"}, "Both SSL trust store location and separate trust certificates are specified."),
        ({"ssl.truststore.location": None, "ssl.truststore.certificates": "x"}, "No matching CERTIFICATE entries"),
        ({"ssl.truststore.location": None, "ssl.truststore.certificates": "x", "ssl.truststore.type": "JKS"}, "SSL trust store certs can be specified only for PEM, but trust store type is JKS."),
        ({"ssl.truststore.location": None, "ssl.truststore.password": "x"}, "SSL trust store is not specified, but trust store password is specified."),
        ({"ssl.truststore.password": "x"}, "SSL trust store password cannot be specified for PEM format."),
        ({"ssl.enabled.protocols": "TLSv1.1"}, "leaves no TLS version"),
        ({"ssl.enabled.protocols": "TLSv9"}, "names TLSv9"),
        ({"ssl.cipher.suites": "TLS_NO_SUCH"}, "Unsupported CipherSuite: TLS_NO_SUCH"),
        ({"ssl.principal.mapping.rules": "default"}, "Invalid rule: `default`"),
        ({"ottla.ssl.crl.location": __file__}, "is no certificate revocation list"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_served_are_refused_in_kafkas_words(
    pki: Pki, change: dict[str, str | None], problem: str
) -> None:
    settings = {name: value for name, value in {**pki.settings(), **change}.items() if value is not None}
    with pytest.raises(StoreError, match=r"listener SECURE: ") as raised:
        TlsBench(**settings)
    assert problem in str(raised.value)


@pytest.mark.parametrize("password", [None, "wrong"])
def test_an_encrypted_key_needs_its_password_and_an_error_never_shows_it(pki: Pki, password: str | None) -> None:
    path = pki.own.write_pem(pki.folder / "e.pem", "right")
    settings = {
        **pki.settings(),
        "ssl.keystore.location": str(path),
        **({"ssl.key.password": password} if password else {}),
    }
    with pytest.raises(StoreError, match=r"ssl\.key\.password") as raised:
        TlsBench(**settings)
    assert "right?" in str(raised.value) or "missing" in str(raised.value)
    assert "wrong" not in str(raised.value)


def test_a_key_without_its_certificate_is_refused(pki: Pki) -> None:
    stranger = Credential(pki.own.key, pki.authority.issue("CN=broker").chain)
    settings = {**pki.settings(), "ssl.keystore.location": str(stranger.write_pem(pki.folder / "s.pem"))}
    with pytest.raises(StoreError, match="no certificate of the SSL key store belongs to its private key"):
        TlsBench(**settings)


# ── listeners of their own ──────────────────────────────────────────────────────────────────────────────────────────


async def test_a_listeners_own_settings_win(pki: Pki) -> None:
    other = Authority("CN=Other CA")
    own = other.issue("CN=broker", "localhost").write_pem(pki.folder / "other.pem")
    bench = pki.bench(
        **{"listener.name.secure.ssl.keystore.location": str(own), "listener.name.secure.ssl.client.auth": "required"}
    )
    refused = await bench.tls(pki.client()).shake()
    assert refused.problem is not None
    peer = await bench.tls(client(other, pki.authority.issue("CN=alice"), folder=pki.folder)).shake()
    assert peer.connection.principal.name == "CN=alice"


# ── new certificates ────────────────────────────────────────────────────────────────────────────────────────────────


def serial_of(peer: TlsPeer) -> str:
    assert peer.tls is not None
    certificate: Any = peer.tls.getpeercert()
    return str(certificate["serialNumber"])


def touch(path: Path) -> None:
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 10**9))


async def test_a_changed_file_is_taken_over_and_connections_live_on(pki: Pki, spoken: pytest.LogCaptureFixture) -> None:
    bench = pki.bench()
    before = await bench.tls(pki.client()).shake()
    pki.own = pki.authority.issue("CN=broker", "localhost", "127.0.0.1")
    touch(pki.own.write_pem(pki.folder / "broker.pem"))
    for _ in range(5):
        bench.listener.sweep()
    after = await bench.tls(pki.client()).shake()
    assert serial_of(before) != serial_of(after)
    assert served(before)
    assert served(after)
    assert "listener SECURE has a new certificate" in spoken.text


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda pki: (pki.folder / "broker.pem").write_text("-----BEGIN"), "No matching"),
        (lambda pki: (pki.folder / "broker.pem").unlink(), "No such file"),
        (lambda pki: pki.authority.issue("CN=other", "localhost", "127.0.0.1").write_pem(pki.folder / "broker.pem"), "DistinguishedName does not match"),
        (lambda pki: pki.authority.issue("CN=broker", "else").write_pem(pki.folder / "broker.pem"), "SubjectAltNames do not match"),
        (lambda pki: (pki.folder / "ca.pem").write_text(""), "No matching CERTIFICATE"),
    ],
    ids=["torn", "gone", "another name", "other alternative names", "empty truststore"],
)  # fmt: skip
async def test_a_new_certificate_that_cannot_be_used_leaves_the_old_and_is_said_once(
    pki: Pki, spoken: pytest.LogCaptureFixture, spoil: Callable[[Pki], object], problem: str
) -> None:
    bench = pki.bench()
    before = serial_of(await bench.tls(pki.client()).shake())
    spoil(pki)
    for _ in range(20):
        bench.listener.sweep()
    assert serial_of(await bench.tls(pki.client()).shake()) == before
    said = [line for line in spoken.messages if "goes on with its old certificate" in line]
    assert len(said) == 1
    assert problem in said[0]


async def test_names_may_change_where_that_is_allowed(pki: Pki) -> None:
    bench = pki.bench(**{"ssl.allow.dn.changes": "true", "ssl.allow.san.changes": "true"})
    before = serial_of(await bench.tls(pki.client()).shake())
    touch(pki.authority.issue("CN=other", "localhost").write_pem(pki.folder / "broker.pem"))
    bench.listener.tls.reload_if_changed()
    assert serial_of(await bench.tls(pki.client()).shake()) != before


@pytest.mark.parametrize(
    ("days", "said"), [(30, ""), (10, "is valid until"), (-1, "has expired at")], ids=["good", "ending", "over"]
)
async def test_the_log_speaks_of_a_certificate_before_its_end(
    pki: Pki, spoken: pytest.LogCaptureFixture, days: int, said: str
) -> None:
    pki.own = pki.authority.issue("CN=broker", "localhost", begin=-9, days=days)
    bench = pki.bench()
    assert [said in line for line in spoken.messages if "certificate of listener" in line] == ([True] if said else [])
    spoken.clear()
    bench.listener.ticks = 86_399
    bench.listener.sweep()
    assert len(spoken.messages) == (1 if said else 0)
