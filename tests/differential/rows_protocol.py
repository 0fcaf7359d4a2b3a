"""Rows about the protocol itself: ApiVersions, and requests that no API knows."""

from __future__ import annotations

import struct
from typing import Any

from .wire import Row

API_VERSIONS = 18


def versions(name: str, **options: Any) -> Row:
    fields = {
        "client_software_name": options.pop("software", "ottla-tests"),
        "client_software_version": options.pop("software_version", "1.0"),
    }
    return Row(f"versions: {name}", API_VERSIONS, fields, **options)


def frame(name: str, data: bytes) -> Row:
    return Row(f"frame: {name}", API_VERSIONS, frame=data)


def header(key: int, version: int, client_id: bytes = b"\xff\xff") -> bytes:
    return struct.pack(">hhi", key, version, 77) + client_id


ROWS = [
    versions("empty software name", software="", versions="3+"),
    versions("bad software name", software="has spaces", versions="3+"),
    versions("software name ends in a dash", software="name-", versions="3+"),
    versions("empty software version", software_version="", versions="3+"),
    versions("bad software version", software_version="1.0!", versions="3+"),
    versions("null client id", client_id=None, software="bad name", versions="3+"),
    frame("ApiVersions of an unknown version", header(18, 99)),
    frame("ApiVersions of an unknown version with a body", header(18, 50) + b"\x00\x01\x02\x03"),
    frame("ApiVersions of a negative version", header(18, -1)),
    frame("ApiVersions v0 with bytes behind", header(18, 0) + b"rest"),
    frame("ApiVersions v3 cut off", header(18, 3) + b"\x00\x08abc"),
    frame("unknown key", header(999, 0)),
    frame("negative key", header(-1, 0)),
    frame("key of another listener", header(4, 0)),
    frame("controller's key", header(52, 0)),
    frame("Metadata of an unknown version", header(3, 99)),
    frame("Metadata of a negative version", header(3, -1)),
    frame("Produce v0", header(0, 0) + b"\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00"),
    frame("Produce v2", header(0, 2) + b"\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00"),
    frame("Fetch v3", header(1, 3)),
    frame("Fetch of a future version", header(1, 200)),
    frame("empty", b""),
    frame("three bytes", b"\x00\x12\x00"),
    frame("header cut off", b"\x00\x12\x00\x00\x00\x00"),
    frame("client id cut off", header(18, 0, b"\x00\x10abc")),
    frame("client id of negative length", header(18, 0, b"\xff\x00")),
    frame("client id not UTF-8", header(18, 0, b"\x00\x02\xff\xfe")),
    frame("Metadata v1 of a billion topics", header(3, 1) + struct.pack(">i", 1_000_000_000)),
    frame("Metadata v1 of minus two topics", header(3, 1) + struct.pack(">i", -2)),
    frame("Metadata v9 of a billion topics", header(3, 9) + b"\x00\x81\x94\xeb\xdc\x03"),
    frame("Metadata v9 with a varint of ten bytes", header(3, 9) + b"\x00" + b"\xff" * 10),
    frame("Metadata v9 of a billion tags", header(3, 9) + b"\x00\x01\x00\x00\x00\x81\x94\xeb\xdc\x03"),
    frame("Metadata v1 with a topic that is not UTF-8", header(3, 1) + struct.pack(">ih", 1, 2) + b"\xff\xfe"),
    frame("Metadata v1 with a null topic", header(3, 1) + struct.pack(">ih", 1, -1)),
    frame("Metadata v1 with bytes behind", header(3, 1) + struct.pack(">i", 0) + b"rest"),
    frame("Produce v9 cut off", header(0, 9) + b"\x00\x00\x00\x01"),
    frame("SaslHandshake without SASL", header(17, 1) + b"\x00\x05PLAIN"),
    frame("SaslAuthenticate without SASL", header(36, 0) + b"\x00\x00\x00\x00"),
]
