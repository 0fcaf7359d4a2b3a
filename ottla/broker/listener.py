"""One listening address: accepts connections, counts them, and looks after those that are slow.

The limit of connections is `max.connections`, and never so many that logs would find no file descriptors: a peer who
opens connections must not be able to stop the disk. One too many is closed at once, before anything is read.

Every `SWEEP_INTERVAL_S` all connections are looked at (`Connection.sweep`), by a clock that counts these sweeps: cheap to
read at every request, and a test turns it by hand.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from ..metadata.configs.connection_limits import address_limits
from .authentication import SaslAuthentication
from .connection import Authentication, Connection
from .connection_limits import SWEEP_INTERVAL_S
from .listener_security import ListenerSecurity
from .loggers import one_line
from .request_memory import PRESSURE_DEADLINE_S
from .sasl_listener import AuthenticationCounts, SaslListener
from .spare_buffers import SpareBuffers

if TYPE_CHECKING:
    from ..metadata.configs.resolve import Levels
    from .server import Broker
    from .tls_listener import TlsListener

log = logging.getLogger("ottla.broker.listener")

#: One buffer per listener. Large enough that a burst of small requests is one system call.
SHARED_BUFFER_SIZE = 256 * 1024
#: Closed connections that are logged one by one between two sweeps; of the others only the number, so that a peer cannot
#: fill the disk with our log.
REFUSALS_LOGGED_MAX = 10
#: Characters of such a reason: it may hold what the peer said, an algorithm of 60 KiB in a token.
REASON_MAX = 500
#: Connections that the system keeps for us while the loop is busy.
ACCEPT_BACKLOG = 1024
#: Connections that the loop accepts in one turn, where it takes more than one (asyncio's own).
ACCEPT_AT_ONCE = 16
#: File descriptors that connections leave to logs (`disk_files.OPEN_FILES_MAX`) and everything else.
FILES_RESERVED = 384
#: How often the files of certificates are looked at.
CERTIFICATE_CHECK_TICKS = 5
TICKS_A_DAY = int(86_400 / SWEEP_INTERVAL_S)
#: How long `stop` waits for requests under way to give up, and for connections to be gone: a broker is down within 2 s.
STOP_DEADLINE_S = 0.5


class Listener:
    """One listening address and its connections."""

    #: Numbers the connections of all listeners in the order in which they are accepted.
    numbers = count(1)

    def __init__(
        self, broker: Broker, name: str, host: str, port: int, protocol: str = "PLAINTEXT", levels: Levels | None = None
    ) -> None:
        config = broker.config
        levels = levels or config.levels
        self.security = ListenerSecurity(name, protocol, levels)
        self.broker = broker
        self.metrics = broker.metrics
        self.dispatcher = broker.dispatcher
        self.route = broker.dispatcher.route
        self.name = name
        self.host = host
        self.port = port
        self.shared = memoryview(bytearray(SHARED_BUFFER_SIZE))
        #: Where TLS connections receive; what they decrypt goes to `shared`.
        self.encrypted = memoryview(bytearray(SHARED_BUFFER_SIZE if self.security.uses_tls else 0))
        self._connection = Connection
        self.tls: TlsListener | None = None
        if self.security.uses_tls:
            from .tls_connection import TlsConnection  # X.509 comes with them
            from .tls_listener import TlsListener

            self._connection = TlsConnection
            self.tls = TlsListener(self.security)
        self.spare = SpareBuffers()
        self.request_bytes_max: int = config.integer("socket.request.max.bytes")
        self.connections_max = 0
        self.connections_per_ip_max = 0
        #: Addresses that may hold more or fewer connections than others.
        self.connections_by_ip_max: Mapping[str, int] = {}
        self.authentications = AuthenticationCounts()
        self.tasks: set[asyncio.Future[Any]] = set()
        self.sasl = SaslListener(self) if self.security.uses_sasl else None
        self.configure(levels)
        self.idle_ticks_max = config.integer("connections.max.idle.ms") / 1000 / SWEEP_INTERVAL_S
        #: Sweeps so far: a clock that costs nothing to read.
        self.ticks = 0
        self.connections: set[Connection] = set()
        self._per_ip: dict[str, int] = {}
        #: Connections closed for a reason since the last sweep.
        self._refusals = 0
        #: Made by `stop`: resolved when the last connection is gone.
        self._emptied: asyncio.Future[None] | None = None
        #: Bound and not yet served; each belongs to one of `_servers` afterwards.
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self._sweeper: asyncio.TimerHandle | None = None

    def configure(self, levels: Levels) -> None:
        """Take over what may change while the broker runs."""
        self.security.levels = levels
        if self.tls is not None:
            self.tls.configure()
        if self.sasl is not None:
            self.sasl.configure()
        own = levels.for_listener(self.name, "max.connections")
        wanted = levels.integer("max.connections") if own is None else min(int(own), levels.integer("max.connections"))
        files_max = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.connections_max = min(wanted, max(files_max - FILES_RESERVED, 1))
        self.connections_per_ip_max, self.connections_by_ip_max = address_limits(levels)

    async def open(self) -> None:
        """Make ready what it serves with and take the port; raises what keeps it from that."""
        if self.tls is not None:
            self.tls.start()
        if self.sasl is not None:
            await self.broker.key_sets.start(self.sasl.offers.values())
        await self.bind()

    async def bind(self) -> None:
        """Take the port, before anything is done that needs it; raises OSError if somebody serves on it.

        With port 0 the system chooses; `port` says which afterwards. Clients are refused until `start`, which raises
        OSError if another process bound the port in the same moment and was faster.
        """
        found = await asyncio.get_running_loop().getaddrinfo(
            self.host or None, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, kind, protocol, _, address in dict.fromkeys(found):
            try:
                sock = socket.socket(family, kind, protocol)
            except OSError:
                if family == socket.AF_INET6 and len(found) > 1:
                    continue  # all addresses are meant, and this kernel has no IPv6
                raise
            self._sockets.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(address)
        self.port = self._sockets[0].getsockname()[1]

    async def start(self) -> None:
        """Accept connections on what `bind` took."""
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            sock.listen(ACCEPT_BACKLOG)  # here and not in the loop: uvloop's tells nobody that it failed
        while self._sockets:
            server = await loop.create_server(
                lambda: self._connection(self), sock=self._sockets[0], backlog=ACCEPT_AT_ONCE, start_serving=False
            )
            self._servers.append(server)  # before it serves: who is cancelled meanwhile must find it to close it
            sock = self._sockets.pop(0)
            await server.start_serving()
            sock.listen(ACCEPT_BACKLOG)  # the loop's own backlog is what it accepts at once
        self._sweeper = loop.call_later(SWEEP_INTERVAL_S, self._sweep_again)

    async def stop(self) -> None:
        """Stop accepting, then end all connections. When this returns, no task and no connection is left."""
        self._emptied = asyncio.get_running_loop().create_future()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for sock in self._sockets:
            sock.close()
        for server in self._servers:
            server.close()
        for task in tuple(self.tasks):
            task.cancel()
        for connection in tuple(self.connections):
            connection.close()
        if self.tasks:
            _, left = await asyncio.wait(self.tasks, timeout=STOP_DEADLINE_S)
            for task in left:
                log.error("a request did not end when it was told to: %s", task)
        await asyncio.sleep(0)
        for connection in tuple(self.connections):
            connection.abort()
        if self.connections:
            await asyncio.wait([self._emptied], timeout=STOP_DEADLINE_S)

    def authentication_of(self, connection: Connection) -> Authentication | None:
        """Return what a client of this listener must get past before its requests are handled; None where nothing."""
        return None if self.sasl is None else SaslAuthentication(connection, self.sasl)

    def admit(self, connection: Connection) -> bool:
        """Count a connection in; False if it is one too many."""
        metrics = self.broker.metrics
        metrics.connections_accepted += 1
        if self._emptied is not None:
            return False  # the system accepted it before `stop`, and it was made after
        from_here = self._per_ip.get(connection.peer_host, 0)
        from_here_max = self.connections_by_ip_max.get(connection.peer_host, self.connections_per_ip_max)
        if len(self.connections) >= self.connections_max or from_here >= from_here_max:
            metrics.connections_refused += 1
            return False
        self._per_ip[connection.peer_host] = from_here + 1
        self.connections.add(connection)
        metrics.connections_open += 1
        if self.broker.throttling.connections.active:
            self.broker.throttling.admit(connection)
        return True

    def forget(self, connection: Connection) -> None:
        """Count a connection out."""
        if connection in self.connections:
            self.connections.discard(connection)
            self.broker.metrics.connections_open -= 1
            left = self._per_ip[connection.peer_host] - 1
            if left:
                self._per_ip[connection.peer_host] = left
            else:
                del self._per_ip[connection.peer_host]
            if self._emptied is not None and not self.connections and not self._emptied.done():
                self._emptied.set_result(None)

    def log_closing(self, peer_host: str, reason: str) -> None:
        """Log why a connection is closed, as long as that does not happen too often."""
        self._refusals += 1
        if self._refusals <= REFUSALS_LOGGED_MAX:
            text = reason if len(reason) <= REASON_MAX else f"{reason[:REASON_MAX]}…"
            log.info("closing connection from %s: %s", peer_host, one_line(text))

    def sweep(self) -> None:
        """Let time pass by one tick, and close who is too slow."""
        self.ticks += 1
        if self._refusals > REFUSALS_LOGGED_MAX:
            log.info("closed %d more connections for such reasons", self._refusals - REFUSALS_LOGGED_MAX)
        self._refusals = 0
        self.broker.request_memory.relieve(self.ticks, PRESSURE_DEADLINE_S / SWEEP_INTERVAL_S)
        if self.security.uses_sasl:
            self.broker.newcomers.memory.relieve(self.ticks, PRESSURE_DEADLINE_S / SWEEP_INTERVAL_S)
        if self.tls is not None and self.ticks % CERTIFICATE_CHECK_TICKS == 0:
            self.tls.reload_if_changed()
            if self.ticks % TICKS_A_DAY == 0:
                self.tls.warn_if_ending(datetime.now(UTC))
        for connection in tuple(self.connections):
            connection.sweep(self.ticks)

    def _sweep_again(self) -> None:
        self._sweeper = asyncio.get_running_loop().call_later(SWEEP_INTERVAL_S, self._sweep_again)
        self.sweep()
