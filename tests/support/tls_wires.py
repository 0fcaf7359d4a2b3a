"""A TLS connection without a socket: a client of `ssl` in memory talks to the broker's connection by hand.

`TlsBench` has a listener with certificates; `peer = bench.tls()` opens a connection, `await peer.shake()` does the
handshake, `peer.send(...)` and `peer.answers()` are those of `wires.Peer`, encrypted on their way.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from ottla.broker.listener import Listener
from ottla.broker.newcomers import Newcomers
from ottla.broker.tls_connection import TlsConnection
from tests.support.certificates import Authority, Credential
from tests.support.wires import Bench, Peer, Wire, turns


class TlsBench(Bench):
    """A listener that serves TLS with the given `ssl.*` settings."""

    def __init__(self, protocol: str = "SSL", **sets: str) -> None:
        super().__init__(**sets)
        self.broker.newcomers = Newcomers()
        self.listener = Listener(self.broker, "SECURE", "127.0.0.1", 0, protocol)
        if self.listener.tls is not None:
            self.listener.tls.start()

    def tls(self, context: ssl.SSLContext | None = None, host: str = "localhost") -> TlsPeer:
        return TlsPeer(self, context, host)


class TlsPeer(Peer):
    """A client behind TLS; without a context it speaks whatever bytes the test gives."""

    connection: TlsConnection

    def __init__(self, bench: TlsBench, context: ssl.SSLContext | None, host: str) -> None:
        self.bench = bench
        self.wire = Wire()
        self.connection = TlsConnection(bench.listener)
        self.wire.connection = self.connection
        self.connection.connection_made(self.wire)
        self.sent: dict[int, tuple[int, int]] = {}
        self._read = 0
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=host) if context else None
        self.problem: ssl.SSLError | None = None
        self._taken = 0
        self.plain = bytearray()

    async def shake(self) -> TlsPeer:
        """Do the handshake, or as much of it as there will be."""
        for _ in range(8):
            self._step()
            await turns()
        return self

    def _step(self) -> None:
        assert self.tls is not None
        try:
            if self.problem is None:
                self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as problem:
            self.problem = problem
        self._exchange()

    def _exchange(self, at_once: int = 1 << 30) -> None:
        if self.outgoing.pending and not self.wire.closed:
            super().feed(self.outgoing.read(), at_once)
        fresh = bytes(self.wire.written[self._taken :])
        self._taken += len(fresh)
        self.incoming.write(fresh)

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        super().feed(data)

    def feed(self, data: bytes, at_once: int = 1 << 30) -> None:
        assert self.tls is not None
        self.tls.write(data)
        self._exchange(at_once)

    def read(self) -> bytes:
        """What came, decrypted; raises the alert that the broker sent instead."""
        assert self.tls is not None
        self._exchange()
        try:
            while data := self.tls.read(1 << 20):
                self.plain += data
        except ssl.SSLWantReadError:
            pass
        return bytes(self.plain)

    def answers(self) -> list[tuple[int, Any]]:
        data = self.read()
        encrypted, self.wire.written = self.wire.written, bytearray(data)
        try:
            return super().answers()
        finally:
            self.wire.written = encrypted

    @property
    def alert(self) -> str | None:
        """The reason of the alert that the broker sent."""
        try:
            self.read()
        except ssl.SSLError as problem:
            return problem.reason
        return None


def client(
    authority: Authority | None, own: Credential | None = None, *, folder: Path | None = None, **attributes: Any
) -> ssl.SSLContext:
    """A client that trusts an authority and may show a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authority is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    else:
        context.load_verify_locations(cadata=authority.pem)
    if own is not None:
        assert folder is not None
        context.load_cert_chain(own.write_pem(folder / f"client-{id(own)}.pem"))
    for name, value in attributes.items():
        setattr(context, name, value)
    return context
