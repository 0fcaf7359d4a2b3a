"""A connection behind TLS: the same as any other between two layers of encryption.

    socket ──recv──► listener.encrypted ─► BIO ─► OpenSSL ─► shared or own buffer ─► Receiving
    Answering ─► OpenSSL ─► BIO ─► sending.send ──► socket

OpenSSL works on memory (two BIOs), not on the socket: so the handshake has a deadline and a turn (`newcomers`), its
failure has a reason, decrypted bytes land where plain ones would, and answers leave at once (`sending`). Nothing of
OpenSSL is made before the peer's first byte, so that a connection that says nothing costs no more than elsewhere.

Steps of the handshake are done in a thread. While one waits for that or is there (`_shaking`) the loop touches neither OpenSSL
nor the BIOs of this connection: what arrives meanwhile is kept in `_early`, and the end of the connection leaves them as they are.

While the connection is not read (backlog, memory, throttling) what was received stays encrypted in the BIO, at most one read of
256 KiB, and counts as memory of requests (`queued.max.request.bytes`).
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..security.principal import USER, Principal
from ..security.principal_mapping import MappingError
from ..security.tls import ServerTls, explain
from .connection import Connection
from .connection_limits import SWEEP_INTERVAL_S
from .newcomers import HANDSHAKE_DEADLINE_S
from .sending import SMALL_BYTES, send

if TYPE_CHECKING:
    from .listener import Listener

log = logging.getLogger("ottla.broker.connection")

#: What OpenSSL puts into one record, and so takes at once.
_RECORD = 16 * 1024
#: Encrypted bytes of an answer are handed to the socket when they are so many.
_SEND_BYTES = 256 * 1024
#: More than any ClientHello and any chain of certificates that OpenSSL takes.
_HANDSHAKE_BYTES_MAX = 256 * 1024
#: Who has not authenticated sends no more at once: while it is not read, what was received stays in the BIO uncounted.
_NEWCOMER_BYTES = 16 * 1024
#: So much of what came first is kept while the handshake lasts, to say what was wrong with it.
_BEGIN_BYTES = 2 * 1024


class TlsConnection(Connection):
    """One client of a TLS listener."""

    __slots__ = (
        "_begin",
        "_begun_at",
        "_early",
        "_encrypted",
        "_incoming",
        "_kept",
        "_outgoing",
        "_problem",
        "_queued",
        "_received",
        "_shaking",
        "_tls",
        "tls_version",
    )

    def __init__(self, listener: Listener) -> None:
        super().__init__(listener)
        self._tls: ssl.SSLObject | None = None
        #: Encrypted bytes on their way into OpenSSL and out of it.
        self._incoming: Any = None
        self._outgoing: Any = None
        #: True once the handshake is complete.
        self._encrypted = False
        #: A step of the handshake waits for its turn or is being done.
        self._shaking = False
        #: How the last step ended: None, or what is still to come (`SSLWantReadError`), or what was wrong.
        self._problem: Exception | None = None
        #: What the peer sent for the handshake and no step has seen.
        self._early: list[bytes] = []
        #: Going on with what was received waits for its turn.
        self._queued = False
        #: Bytes that stay encrypted while the connection is not read, as they are counted.
        self._kept = 0
        #: The peer's first bytes.
        self._begin = b""
        self._begun_at = listener.ticks
        #: How much the peer sent for the handshake.
        self._received = 0
        self.tls_version: str | None = None

    @property
    def waits_for_peer(self) -> bool:
        return not self._shaking and not self._queued and super().waits_for_peer

    def opened(self) -> None:
        if self.join_newcomers():
            self.memory = self.broker.newcomers.memory
        else:
            self.abort()

    # ── the handshake ───────────────────────────────────────────────────────────────────────────────────────────

    def get_buffer(self, sizehint: int) -> Any:
        return self._listener.encrypted if self._new_since < 0 else self._listener.encrypted[:_NEWCOMER_BYTES]

    def buffer_updated(self, nbytes: int) -> None:
        if self._closing:
            return
        if self._encrypted:
            self._incoming.write(self._listener.encrypted[:nbytes])
            self._decrypt()
            return
        data = bytes(self._listener.encrypted[:nbytes])
        self._begin = self._begin or data[:_BEGIN_BYTES]
        self._received += nbytes
        if self._received > _HANDSHAKE_BYTES_MAX:
            self._fail("more bytes than a handshake has")
            return
        self._early.append(data)
        self.broker.newcomers.hold(self, nbytes, self._listener.ticks)
        if not self._shaking and not self._closing:
            self._take_step()

    def _take_step(self) -> None:
        """Have a step done. What the peer sends meanwhile, it may be a megabyte of requests, stays in the socket."""
        self._shaking = True
        self._muted += 1
        self._read_or_not()
        self.broker.newcomers.handshake(self)

    @property
    def _server(self) -> ServerTls:
        tls = self._listener.tls
        assert tls is not None
        assert tls.server is not None
        return tls.server

    def shake(self) -> None:
        """Go on with the handshake as far as what was received allows; in a thread."""
        try:
            self._shake()
        except Exception as problem:  # noqa: BLE001 - the loop sees what it is
            self._problem = problem
        else:
            self._problem = None

    def _shake(self) -> None:
        if self._closing:
            return
        if self._tls is None:
            self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self._tls = self._server.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while self._early:  # one by one: the loop may add more at any time
            self._incoming.write(self._early.pop(0))
        self._tls.do_handshake()

    def shaken(self) -> None:
        """Send what the handshake has to say, and see whether it is over."""
        self._shaking = False
        self._muted -= 1
        if self._closing:
            return
        self._read_or_not()
        if self._problem is None:
            self._send_encrypted()
            self._finish()
        elif not isinstance(self._problem, ssl.SSLError):
            self.broker.metrics.uncaught_exceptions += 1
            self._fail(f"a bug of ours: {type(self._problem).__name__}: {self._problem}")
        elif not isinstance(self._problem, ssl.SSLWantReadError):
            self._fail(explain(self._problem, self._begin, self._server.host_names()))
        else:
            self._send_encrypted()
            if self._early:  # it came while the step was done
                self._take_step()

    def _finish(self) -> None:
        """The handshake is complete: know the client by its certificate, and go on as without TLS."""
        assert self._tls is not None
        self._encrypted = True
        self._begin, self._problem = b"", None
        if self._early:  # it came while the last step was done, and is no handshake any more
            self._incoming.write(b"".join(self._early))
            self._early = []
        self.memory.release(self)
        self.memory = self.broker.request_memory
        self.tls_version = self._tls.version()
        certificate = self._tls.getpeercert(True)
        if (
            certificate is not None
            and self._tls.session_reused
            and self._server.has_expired(certificate, datetime.now(UTC))
        ):
            self._fail("the client's certificate is refused: certificate has expired (its session was resumed)")
            return
        if certificate is not None and not self._listener.security.uses_sasl:
            try:
                self.principal = Principal(USER, self._server.principal_name(certificate))
            except (MappingError, ValueError) as problem:
                self._fail(f"the client's certificate gives no principal: {problem}")
                return
        self.established()
        if self.authentication is None:
            self.leave_newcomers()
            self._listener.authentications.successes += 1
            self._listener.authentications.without_reauthentication += 1
        if not self._closing:
            self._decrypt()

    def _fail(self, reason: str) -> None:
        """End a handshake; OpenSSL's alert tells the peer."""
        self.broker.metrics.invalid_requests += 1
        self._listener.authentications.failures += 1
        self._listener.log_closing(self.peer_host, f"TLS handshake failed: {reason}")
        self._send_encrypted()
        self._encrypted = False
        self.close()

    # ── bytes ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _decrypt(self) -> None:
        """Hand on what was received, as far as it may be handed on now."""
        tls, incoming, more = self._tls, self._incoming, True
        assert tls is not None
        while more and self._reading and not self._closing:
            room = super().get_buffer(-1)
            filled, size = 0, len(room)
            try:
                while filled < size:
                    count: Any = tls.read(size - filled, room[filled:] if filled else room)
                    if not count:
                        more = False
                        self._end_of_stream(filled)
                        return
                    filled += count
                    if not incoming.pending and not tls.pending():
                        more = False
                        break
            except ssl.SSLWantReadError:
                more = False
            except ssl.SSLError as problem:
                self.refuse(f"its TLS records cannot be read: {explain(problem)}")
                return
            if filled:
                super().buffer_updated(filled)
        if self._outgoing.pending:  # an answer of TLS itself: a new key
            self._send_encrypted()
        if (incoming.pending or self._kept) and not self._closing:
            self._count_kept(incoming.pending)

    def _count_kept(self, pending: int) -> None:
        more, self._kept = pending - self._kept, pending
        if more > 0:
            self.memory.hold(self, more, self._listener.ticks)
        elif more < 0:
            self.memory.release(self, -more)

    def _end_of_stream(self, filled: int) -> None:
        """The peer said that it sends no more: work on what came before, then end."""
        if filled:
            super().buffer_updated(filled)
        self.close()

    def _read_or_not(self) -> None:
        super()._read_or_not()
        if self._reading and self._encrypted and not self._queued and self._incoming.pending and not self._closing:
            self._queued = True
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._queued = False
        if not self._closing:
            self._decrypt()

    def _flush(self) -> None:
        out = self._out
        if not out or self._transport is None or self._tls is None:
            return
        self._out = []
        size = len(out[0]) if len(out) == 1 else sum(map(len, out))
        self._encoded -= size
        self._listener.metrics.bytes_out += size
        write, outgoing = self._tls.write, self._outgoing
        if len(out) > 1 and size < SMALL_BYTES:
            out = [b"".join(out)]
        try:
            for part in out:
                if len(part) <= _RECORD:
                    if len(part):
                        write(part)
                    continue
                view, pos = memoryview(part), 0
                while pos < len(view):
                    pos += write(view[pos : pos + _RECORD])
                    if outgoing.pending >= _SEND_BYTES:
                        self._send_encrypted()
        except ssl.SSLError as problem:
            self.abort_for(f"TLS failed: {explain(problem)}")
            return
        self._send_encrypted()

    def _send_encrypted(self) -> None:
        if self._shaking or self._outgoing is None or self._transport is None:
            return
        if self._outgoing.pending:
            data = self._outgoing.read()
            send(self._transport, self._descriptor, [data], len(data))

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────

    def close(self) -> None:
        """Send what is ready, say that nothing follows, and end the connection."""
        if not self._closing and self._encrypted and self._tls is not None:
            self._flush()
            try:
                self._tls.unwrap()
            except ssl.SSLError as problem:  # the peer's own good-bye is not waited for
                log.debug("%s: %s", self.peer_host, problem)
            self._send_encrypted()
        super().close()

    def sweep(self, ticks: int) -> None:
        if self._muted:
            self._begun_at = ticks  # it is we who keep it waiting
        if (
            not self._encrypted
            and not self._closing
            and ticks - self._begun_at > HANDSHAKE_DEADLINE_S / SWEEP_INTERVAL_S
        ):
            self._fail(f"it was not complete within {HANDSHAKE_DEADLINE_S:.0f} s")
            return
        super().sweep(ticks)
