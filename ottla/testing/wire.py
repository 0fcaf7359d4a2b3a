"""Blocking connections that speak the protocol: how the fixture itself seeds, reads and asks.

It goes through the broker's front door, so what `kafka.topic(...).put(...)` does is what a producer does. The versions
are the newest that the broker serves. Its client id is the script's, whose faults do not touch it.
"""

from __future__ import annotations

import itertools
import socket
import struct
from typing import Any

from ..protocol import codec
from ..protocol.apis import response_class
from ..protocol.apis.api_versions import ApiVersionsRequest
from ..protocol.errors import ErrorCode, KafkaError
from ..protocol.framing import frame_request, response_header_version
from ..protocol.schema import Request
from .faults import OWN_CLIENT_ID

#: Longer than any long poll made here; an answer that takes longer is a broker that hangs.
ANSWER_TIMEOUT_S = 30.0


class Wire:
    """Connections to one broker, made when needed: as many as there are calls at a time. Use from any thread."""

    client_id = OWN_CLIENT_ID

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._idle: list[socket.socket] = []
        self._newest: dict[int, int] = {}
        self._correlation_ids = itertools.count(1)

    def call(self, request: Request, version: int | None = None) -> Any:
        """Send the request and return its response; `version` only where the newest is not wanted."""
        connection = self._idle.pop() if self._idle else self._connect()
        try:
            if version is None:
                version = min(self._newest[request.API_KEY], type(request).VERSIONS.high)
            response = self._exchange(connection, request, version)
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return response

    def close(self) -> None:
        """End the connections that nobody is using; the next call makes another."""
        while self._idle:
            self._idle.pop().close()

    def _connect(self) -> socket.socket:
        try:
            connection = socket.create_connection(self._address, timeout=ANSWER_TIMEOUT_S)
        except ConnectionRefusedError as error:
            host, port = self._address[:2]
            why = f"no broker at {host}:{port}: it was stopped or killed, and kafka.start() brings it back"
            raise ConnectionRefusedError(why) from error
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._newest:
            hello = ApiVersionsRequest(client_software_name=OWN_CLIENT_ID, client_software_version="1")
            served = self._exchange(connection, hello, 3)
            self._newest = {api.api_key: api.max_version for api in served.api_keys}
        return connection

    def _exchange(self, connection: socket.socket, request: Request, version: int) -> Any:
        key = request.API_KEY
        parts = codec.encoder(type(request), version)(request)
        frame = frame_request(key, version, next(self._correlation_ids), self.client_id, list(parts))
        connection.sendall(b"".join(frame))
        (size,) = struct.unpack(">i", _receive(connection, 4))
        answer = _receive(connection, size)
        start = 5 if response_header_version(key, version) else 4
        response, _ = codec.decoder(response_class(key), version)(answer, start)
        return response


def _receive(connection: socket.socket, size: int) -> bytes:
    data = bytearray(size)
    view, filled = memoryview(data), 0
    while filled < size:
        count = connection.recv_into(view[filled:])
        if count == 0:
            raise ConnectionResetError("the broker closed the connection")
        filled += count
    return bytes(data)


def check(code: int, message: str | None = None) -> None:
    """Raise the KafkaError of a response's code, unless it is none."""
    if code != ErrorCode.NONE:
        raise KafkaError(ErrorCode(code), message or ErrorCode(code).message)
