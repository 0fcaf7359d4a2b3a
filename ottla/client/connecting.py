"""Makes a connection usable: DNS, TCP, TLS, ApiVersions, SASL, in this order, and says which of them failed.

    dns ──► tcp ──► tls ──► versions ──► sasl ──► a Connection that knows what its broker speaks

All addresses of a name are tried in turn (client.dns.lookup). The whole has socket.connection.setup.timeout.ms.
ApiVersions is asked first, before the login as in Java's client; a broker that does not know our version of it answers in
version 0 with those that it knows (KIP-511).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..protocol.apis.api_versions import ApiVersionsRequest
from ..protocol.errors import ErrorCode
from . import sasl, tls
from .errors import AuthenticationError, ClientError, ConfigError, ConnectError, ConnectionLostError, broker_error
from .net import Address, Connection
from .telemetry.windows import ConnectionStatistics

if TYPE_CHECKING:
    from .config import Config

#: How much of what it has not read a broker may leave in our memory before `Connection.drain` waits.
WRITE_BUFFER_BYTES = 1 << 20
_STAGE_HINTS = {
    "dns": "does the name exist, and is advertised.listeners of the broker a name that this machine knows?",
    "tcp": "is the broker running, and may this machine reach it?",
    "tls": "does security.protocol fit the broker's listener, and does ssl.ca.location know who signed its certificate?",
    "versions": "is this a Kafka broker, and does security.protocol fit its listener?",
    "sasl": "do security.protocol and sasl.mechanism fit the broker's listener?",
}


class Connector:
    """Connects to the brokers of one client; keeps the TLS context, which takes long to make."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.uses_tls = config.security_protocol in ("SSL", "SASL_SSL")
        self.uses_sasl = config.security_protocol.startswith("SASL")
        if self.uses_sasl and config.sasl_mechanism is None:
            raise ConfigError(f"security.protocol={config.security_protocol} needs sasl.mechanism")
        self._context: ssl.SSLContext | None = None
        #: For telemetry: connections made, and how long their requests took.
        self.statistics = ConnectionStatistics(time.monotonic)

    async def connect(self, address: Address, node_id: int) -> Connection:
        """Return a connection that is ready for requests, or raise `ConnectError`."""
        timeout_s = self.config.socket_connection_setup_timeout_ms / 1000
        stage = ["dns"]
        name = f"{node_id} ({address})" if node_id >= 0 else str(address)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._connect(address, node_id, stage, timeout_s)
        except TimeoutError:
            why = f"{stage[0]}: not done after {timeout_s:g} s"
            raise ConnectError(why, stage=stage[0], broker=name, hint=_STAGE_HINTS[stage[0]]) from None
        except (AuthenticationError, ConfigError):
            raise
        except ClientError as problem:
            raise ConnectError(
                f"{stage[0]}: {problem.message}",
                stage=stage[0],
                broker=name,
                hint=problem.hint or _STAGE_HINTS[stage[0]],
            ) from problem
        except OSError as problem:
            why = f"{stage[0]}: {problem.strerror or problem}"
            raise ConnectError(why, stage=stage[0], broker=name, hint=_STAGE_HINTS[stage[0]]) from problem

    async def _connect(self, address: Address, node_id: int, stage: list[str], timeout_s: float) -> Connection:
        loop = asyncio.get_running_loop()
        if self.uses_tls and self._context is None:
            self._context = await loop.run_in_executor(None, tls.context, self.config)
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        stage[0] = "tcp"
        sock = await self._tcp(loop, found)
        config = self.config

        def make() -> Connection:
            return Connection(address, node_id, config.client_id, config.receive_message_max_bytes)

        extra: dict[str, Any] = {}
        if self.uses_tls:
            stage[0] = "tls"
            extra = {"ssl": self._context, "server_hostname": address.host, "ssl_handshake_timeout": timeout_s}
        try:
            transport, connection = await loop.create_connection(make, sock=sock, **extra)
        except BaseException:
            sock.close()
            raise
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        connection.latency_ms = self.statistics.connected(node_id)
        try:
            stage[0] = "versions"
            await ask_versions(connection, timeout_s)
            if self.uses_sasl:
                stage[0] = "sasl"
                await sasl.authenticate(connection, config, timeout_s)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _tcp(self, loop: asyncio.AbstractEventLoop, found: list[Any]) -> socket.socket:
        problem: OSError | None = None
        for family, kind, protocol, _, target in found:
            sock = socket.socket(family, kind, protocol)
            try:
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                if self.config.send_buffer_bytes > 0:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.config.send_buffer_bytes)
                if self.config.receive_buffer_bytes > 0:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.config.receive_buffer_bytes)
                await loop.sock_connect(sock, target)
                return sock
            except OSError as error:
                problem = error
                sock.close()
            except BaseException:
                sock.close()
                raise
        raise problem or OSError("the name has no address")


async def ask_versions(connection: Connection, timeout_s: float) -> None:
    """Learn which APIs the broker serves, in which versions, and the features of its cluster."""
    version = ApiVersionsRequest.VERSIONS.high
    answer = await _versions(connection, version, timeout_s)
    if answer.error_code == ErrorCode.UNSUPPORTED_VERSION:
        theirs = next((row.max_version for row in answer.api_keys if row.api_key == ApiVersionsRequest.API_KEY), 0)
        answer = await _versions(connection, min(theirs, version), timeout_s)
    if answer.error_code:
        raise broker_error(answer.error_code, api="ApiVersions", broker=connection.name)
    connection.versions = {row.api_key: (row.min_version, row.max_version) for row in answer.api_keys}
    connection.features = {row.name: row.max_version_level for row in answer.finalized_features}


async def _versions(connection: Connection, version: int, timeout_s: float) -> Any:
    request = ApiVersionsRequest(client_software_name="ottla", client_software_version=__version__)
    if not connection.is_open:
        raise ConnectionLostError("the broker closed the connection", broker=connection.name)
    return await connection.send(request, version, timeout_s)
