"""The host that a TLS client asked for (SNI, RFC 6066), read from the first bytes it sent.

For the log alone: what a listener serves does not depend on it. Python's `sni_callback` would tell as well, but a name that is
not ASCII makes it print a traceback, for whoever sends one.
"""

from __future__ import annotations

_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME = 0
_RECORD_HEADER = 5
_RANDOM_END = 4 + 2 + 32
#: The longest name there is in DNS.
_NAME_MAX = 255


def server_name(data: bytes) -> str | None:
    """Return the name in a ClientHello; None where there is none, or the bytes are something else or not all there."""
    if len(data) < _RECORD_HEADER or data[0] != _HANDSHAKE:
        return None
    hello = data[_RECORD_HEADER:]
    if not hello or hello[0] != _CLIENT_HELLO:
        return None
    pos = _RANDOM_END
    for width in (1, 2, 1):  # session id, cipher suites, compression methods: each behind its length
        pos += width + int.from_bytes(hello[pos : pos + width], "big")
    pos += 2
    while pos + 4 <= len(hello):
        kind, size = int.from_bytes(hello[pos : pos + 2], "big"), int.from_bytes(hello[pos + 2 : pos + 4], "big")
        pos += 4
        if kind == _SERVER_NAME:
            return _name(hello[pos : pos + size])
        pos += size
    return None


def _name(extension: bytes) -> str | None:
    """Return the first name of a list: length of all, kind (0 is a host), length, name."""
    size = int.from_bytes(extension[3:5], "big")
    name = extension[5 : 5 + size]
    if len(extension) < 5 or extension[2] != 0 or not 0 < size <= _NAME_MAX or len(name) != size:
        return None
    return name.decode("ascii", "backslashreplace")
