"""Frames and headers: what stands around a message on a connection.

    ┌──────┬──────────────────────────────────────────────────────────────┬──────────┐
    │ size │ api key  version  correlation id  client id  [tags]          │ request  │
    │ i32  │ i16      i16      i32             i16 + text  from header v2 │          │
    └──────┴──────────────────────────────────────────────────────────────┴──────────┘
    ┌──────┬──────────────────────────────┬──────────┐
    │ size │ correlation id  [tags]       │ response │      `size` does not count itself
    └──────┴──────────────────────────────┴──────────┘

A flexible request has a header of version 2, the others of version 1; a flexible response has 1, the others 0. Two
exceptions: the client id never became compact, and the response to ApiVersions keeps header 0, because a client that
sent a version unknown to the broker must be able to read the answer (KIP-511).
"""

from __future__ import annotations

from functools import cache
from struct import Struct, error

from .apis import request_class, response_class
from .errors import RemoteProtocolError
from .wire import Buffer, read_uvarint

API_VERSIONS_KEY = 18

_FIXED = Struct(">hhih")
_SIZE_AND_ID = Struct(">ii")
_SIZE_ID_AND_TAGS = Struct(">iix")


@cache
def request_header_version(key: int, version: int) -> int:
    """Return the version of the header that precedes this request; 1 if we do not know the API."""
    try:
        return 2 if version in request_class(key).FLEXIBLE else 1
    except KeyError:
        return 1


@cache
def response_header_version(key: int, version: int) -> int:
    """Return the version of the header that precedes the response."""
    return 1 if key != API_VERSIONS_KEY and version in response_class(key).FLEXIBLE else 0


def read_request_header(frame: Buffer) -> tuple[int, int, int, str | None, int]:
    """Read a request's header from a frame without its size.

    Returns API key, version, correlation id, client id, and where the body begins. Whether key and version are
    served is for the caller to judge: the header is readable either way.
    """
    try:
        key, version, correlation_id, length = _FIXED.unpack_from(frame)
        pos = _FIXED.size
        client_id = None
        if length >= 0:
            stop = pos + length
            if stop > len(frame):
                raise RemoteProtocolError(f"the client id claims {length} bytes, the frame has {len(frame) - pos} left")
            client_id = str(frame[pos:stop], "utf-8")
            pos = stop
        if request_header_version(key, version) == 2:
            count = frame[pos]
            pos += 1
            if count:
                pos = _skip_tags(frame, pos - 1)
    except (IndexError, error, UnicodeDecodeError) as problem:
        raise RemoteProtocolError(f"request header: {problem}") from None
    return key, version, correlation_id, client_id, pos


def _skip_tags(frame: Buffer, pos: int) -> int:
    """Return the position behind a tag section; the header has no tag that we know."""
    count, pos = read_uvarint(frame, pos)
    for _ in range(count):
        _, pos = read_uvarint(frame, pos)
        size, pos = read_uvarint(frame, pos)
        pos += size
        if pos > len(frame):
            raise RemoteProtocolError("a tagged field of the request header ends beyond the frame")
    return pos


def frame_response(correlation_id: int, header_version: int, parts: list[Buffer]) -> list[Buffer]:
    """Put size and header before the parts of an encoded response; few parts in, as few out."""
    head = _SIZE_ID_AND_TAGS if header_version else _SIZE_AND_ID
    prefix = head.pack(head.size - 4 + sum(map(len, parts)), correlation_id)
    if not parts:
        return [prefix]
    return [prefix + parts[0], *parts[1:]] if type(parts[0]) is bytes else [prefix, *parts]


def frame_request(
    key: int, version: int, correlation_id: int, client_id: str | None, parts: list[Buffer]
) -> list[Buffer]:
    """Put size and header before the parts of an encoded request."""
    name = b"" if client_id is None else client_id.encode()
    prefix = _FIXED.pack(key, version, correlation_id, -1 if client_id is None else len(name)) + name
    if request_header_version(key, version) == 2:
        prefix += b"\0"
    size = len(prefix) + sum(map(len, parts))
    return [size.to_bytes(4, "big") + prefix, *parts]
