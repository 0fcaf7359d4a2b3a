"""What a client speaks that does not speak Kafka: for the log line of a connection whose first bytes are no size.

Read as a size, the first four bytes of any of these are far beyond every limit, so they are never taken for a request.
"""

from __future__ import annotations

_HTTP = (b"GET", b"POS", b"PUT", b"HEA", b"OPT", b"DEL", b"CON", b"PAT", b"PRI")


def hint(start: bytes) -> str:
    """Say in parentheses what the bytes look like, or nothing."""
    if start[:1] == b"\x16":
        return " (this looks like TLS: the listener speaks plaintext)"
    if start[:3] in _HTTP:
        return " (this looks like HTTP: the listener speaks Kafka's protocol)"
    if start[:3] == b"SSH":
        return " (this looks like SSH: the listener speaks Kafka's protocol)"
    return ""
