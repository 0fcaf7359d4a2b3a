"""Sending at once, past the event loop's queue.

uvloop keeps what is written until the end of its turn. With many connections that turns client and broker into a pair
that work in alternation: no client has its answer before the last request of the turn is done. So an answer goes to the
socket directly when nothing is queued before it; what the socket does not take is left to the transport, which waits
for the client and tells the connection when that is slow.
"""

from __future__ import annotations

import os
import struct
from typing import Any

#: Buffers one `writev` takes; Linux's and every BSD's limit.
BUFFERS_MAX = 1024
#: More buffers than this, if they are small, are cheaper joined than listed.
SMALL_BYTES = 16 * 1024

_HEAD = struct.Struct(">ii")
_HEAD_FLEXIBLE = struct.Struct(">iix")


def frame_answer(parts: list[Any], correlation_id: int, flexible: bool) -> tuple[list[Any], int]:
    """Put size and header before an encoded answer; returns what to send and how many bytes that is."""
    head = _HEAD_FLEXIBLE if flexible else _HEAD
    if len(parts) == 1:
        size = head.size + len(parts[0])
        return [head.pack(size - 4, correlation_id) + parts[0]], size
    size = head.size + sum(map(len, parts))
    return [head.pack(size - 4, correlation_id), *parts], size


def send(transport: Any, descriptor: int, parts: list[Any], size: int) -> None:
    """Send `parts`, `size` bytes in all. `descriptor` is the transport's socket, or -1 to leave all to the transport.

    A transport that is closing may have given its descriptor to another connection already: it is never written to.
    """
    if len(parts) > 1 and size < SMALL_BYTES:
        parts = [b"".join(parts)]
    if descriptor >= 0 and not transport.is_closing() and not transport.get_write_buffer_size():
        try:
            sent = os.write(descriptor, parts[0]) if len(parts) == 1 else os.writev(descriptor, parts[:BUFFERS_MAX])
        except BlockingIOError:
            sent = 0
        except OSError:
            transport.abort()  # the peer is gone; `connection_lost` follows
            return
        if sent == size:
            return
        parts = unsent(parts, sent)
    if len(parts) == 1:
        transport.write(parts[0])
    else:
        transport.writelines(parts)


def unsent(parts: list[Any], sent: int) -> list[Any]:
    """Return what is left of `parts` after their first `sent` bytes."""
    for place, part in enumerate(parts):
        if sent < len(part):
            return [memoryview(part)[sent:], *parts[place + 1 :]]
        sent -= len(part)
    return []
