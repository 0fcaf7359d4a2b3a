"""What a hostile or broken client may send, one case each, and what the broker does about it.

A case is run against a live broker (`Target`: an address) and says in a few words what happened; `ottla` and `kafka` are
what is expected of each. The table in docs/hostile-input.md is made from this list: `python -m tests.hostile.table`.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ottla.protocol import codec
from ottla.protocol.apis.create_topics import CreatableTopic, CreateTopicsRequest
from ottla.protocol.errors import ErrorCode
from tests.differential.batches import batch

from .bombs import NAMES, bomb
from .broker import closed_within, frame, header, read_answer

CLOSED = "closed"
ANSWERED = "answered"
CLOSES_S = 10.0
BILLION = 1_000_000_000
PRODUCE, FETCH, METADATA, API_VERSIONS, CREATE_TOPICS, JOIN_GROUP = 0, 1, 3, 18, 19, 11
#: Topic of the cases that need one; `prepare` makes it.
TOPIC = b"hostile"


class Target(Protocol):
    """A broker that listens somewhere."""

    def connect(self, timeout_s: float = 10.0) -> socket.socket: ...


@dataclass(frozen=True)
class Case:
    """`kafka` is None where Apache Kafka is not asked: its deadlines are minutes, or the case looks inside the process."""

    name: str
    run: Callable[[Target], str]
    ottla: str
    kafka: str | None
    why: str


def prepare(target: Target) -> None:
    """Make the topic and wait until it can be written to."""
    request = CreateTopicsRequest(
        topics=[CreatableTopic(name=TOPIC.decode(), num_partitions=1, replication_factor=1, assignments=[], configs=[])]
    )
    with target.connect() as connection:
        connection.sendall(frame(header(CREATE_TOPICS, 2) + codec.encode(request, 2)))
        assert read_answer(connection) is not None
        while _produced(connection, batch(b"first")) in (3, 5, 6):
            continue


def _produced(connection: socket.socket, records: bytes) -> int | None:
    """Produce with acks=1 in version 9; the error code, or None if the broker closed."""
    body = struct.pack(">bhi", 0, 1, 10000) + b"\x02" + bytes([len(TOPIC) + 1]) + TOPIC + b"\x02" + struct.pack(">i", 0)
    connection.sendall(
        frame(header(PRODUCE, 9) + b"\x00" + body + _uvarint(len(records) + 1) + records + b"\x00\x00\x00")
    )
    answer = read_answer(connection)
    if answer is None:
        return None
    code: int = struct.unpack_from(">h", answer, 5 + 1 + 1 + len(TOPIC) + 1 + 4)[0]
    return code


def _uvarint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def sends(data: bytes) -> Callable[[Target], str]:
    """Send bytes and see whether an answer or the end comes."""

    def run(target: Target) -> str:
        with target.connect(CLOSES_S) as connection:
            connection.sendall(data)
            try:
                answer = read_answer(connection)
            except TimeoutError:
                return "waits for more"
        if answer is None:
            return CLOSED
        (code,) = struct.unpack_from(">h", answer, 4)
        if data[4:6] == b"\x00\x12" and code:
            return f"{ErrorCode(code).name} in version 0"
        return ANSWERED

    return run


def half_a_frame(target: Target) -> str:
    with target.connect() as connection:
        connection.sendall(struct.pack(">i", 1000) + b"half")
        connection.shutdown(socket.SHUT_WR)
        return CLOSED if closed_within(connection, CLOSES_S) is not None else "stays open"


def reset_in_a_frame(target: Target) -> str:
    with target.connect() as connection:
        connection.sendall(struct.pack(">i", 1000) + b"half")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return CLOSED


def bombs(codec_number: int) -> Callable[[Target], str]:
    def run(target: Target) -> str:
        with target.connect(60.0) as connection:
            code = _produced(connection, bomb(codec_number))
            return CLOSED if code is None else ErrorCode(code).name

    return run


def produces(records: bytes) -> Callable[[Target], str]:
    def run(target: Target) -> str:
        with target.connect() as connection:
            code = _produced(connection, records)
            return CLOSED if code is None else ErrorCode(code).name

    return run


_TLS = bytes.fromhex("16030100a5010000a10303") + bytes(range(160))
_HTTP = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

CASES = [
    Case("a frame of 2 GiB", sends(b"\x7f\xff\xff\xff" + b"x" * 100), CLOSED, CLOSED, "above socket.request.max.bytes"),
    Case(
        "a frame of one byte more than allowed",
        sends(struct.pack(">i", 104857601) + b"x" * 100),
        CLOSED,
        CLOSED,
        "as above",
    ),
    Case("a frame of size -1", sends(b"\xff\xff\xff\xff"), CLOSED, CLOSED, "a size counts bytes"),
    Case("a frame of size -2147483648", sends(b"\x80\x00\x00\x00"), CLOSED, CLOSED, "as above"),
    Case("a frame of size 0", sends(b"\x00\x00\x00\x00"), CLOSED, CLOSED, "no room for a header"),
    Case("a frame of three bytes", sends(frame(b"\x00\x12\x00")), CLOSED, CLOSED, "no room for a header"),
    Case(
        "a TLS ClientHello", sends(_TLS), CLOSED, CLOSED, "read as a size it is 369 MB; the log says what it looks like"
    ),
    Case(
        "an HTTP request", sends(_HTTP), CLOSED, CLOSED, "read as a size it is 1.2 GB; the log says what it looks like"
    ),
    Case("an SSH banner", sends(b"SSH-2.0-OpenSSH_9.2\r\n"), CLOSED, CLOSED, "as above"),
    Case("an API key that does not exist", sends(frame(header(999, 0))), CLOSED, CLOSED, "it has no form of answer"),
    Case("a negative API key", sends(frame(header(-1, 0))), CLOSED, CLOSED, "as above"),
    Case("an API of controllers", sends(frame(header(52, 0))), CLOSED, CLOSED, "as above"),
    Case(
        "ApiVersions in version 99",
        sends(frame(header(API_VERSIONS, 99) + b"\x00\x01\x01\x00")),
        "UNSUPPORTED_VERSION in version 0",
        "UNSUPPORTED_VERSION in version 0",
        "so that a newer client can begin (KIP-511)",
    ),
    Case(
        "Metadata in version 99",
        sends(frame(header(METADATA, 99) + b"\x00" * 8)),
        CLOSED,
        CLOSED,
        "no known form of answer",
    ),
    Case("Metadata in version -1", sends(frame(header(METADATA, -1) + b"\x00" * 8)), CLOSED, CLOSED, "as above"),
    Case(
        "a billion topics in 4 bytes (v1)",
        sends(frame(header(METADATA, 1) + struct.pack(">i", BILLION))),
        CLOSED,
        CLOSED,
        "a count is held against the bytes that are there",
    ),
    Case(
        "a billion topics in 5 bytes (v9, compact)",
        sends(frame(header(METADATA, 9) + b"\x00" + _uvarint(BILLION))),
        CLOSED,
        CLOSED,
        "as above",
    ),
    Case(
        "a billion partitions in a Fetch",
        sends(
            frame(
                header(FETCH, 4) + struct.pack(">iiiibi", -1, 0, 0, 0, 0, 1) + b"\x00\x01t" + struct.pack(">i", BILLION)
            )
        ),
        CLOSED,
        CLOSED,
        "as above",
    ),
    Case(
        "a billion tagged fields in the header",
        sends(frame(header(METADATA, 9) + _uvarint(BILLION))),
        CLOSED,
        CLOSED,
        "as above",
    ),
    Case(
        "a tagged field of a billion bytes",
        sends(frame(header(METADATA, 9) + b"\x01\x05" + _uvarint(BILLION))),
        CLOSED,
        CLOSED,
        "as above",
    ),
    Case(
        "a varint that never ends",
        sends(frame(header(METADATA, 9) + b"\x00" + b"\xff" * 30)),
        CLOSED,
        CLOSED,
        "five bytes at most",
    ),
    Case(
        "30 million empty topic names",
        sends(frame(header(METADATA, 1) + struct.pack(">i", 30_000_000) + b"\x00\x00" * 30_000_000)),
        CLOSED,
        None,
        "objects made of one request take at most 64 MiB",
    ),
    Case(
        "a client id of 32,767 bytes",
        sends(frame(header(API_VERSIONS, 0, 1, b"c" * 32767))),
        ANSWERED,
        ANSWERED,
        "it is allowed",
    ),
    Case(
        "a client id longer than the frame",
        sends(frame(header(API_VERSIONS, 0)[:8] + b"\x7f\xffabc")),
        CLOSED,
        CLOSED,
        "",
    ),
    Case(
        "a client id that is not UTF-8",
        sends(frame(header(API_VERSIONS, 0, 1, b"\xff\xfe"))),
        CLOSED,
        ANSWERED,
        "Kafka replaces the characters; here what is no text is refused",
    ),
    Case(
        "a topic name that is not UTF-8",
        sends(frame(header(METADATA, 1) + struct.pack(">ih", 1, 2) + b"\xff\xfe")),
        CLOSED,
        ANSWERED,
        "as above",
    ),
    Case("half a frame, then the end", half_a_frame, CLOSED, CLOSED, "nothing is kept"),
    Case("half a frame, then a reset", reset_in_a_frame, CLOSED, CLOSED, "nothing is kept"),
    Case(
        "a batch with a wrong checksum", produces(batch(b"x", crc_off_by=1)), "CORRUPT_MESSAGE", "CORRUPT_MESSAGE", ""
    ),
    Case("a batch of a billion records", produces(batch(b"x", count=BILLION)), "INVALID_RECORD", "INVALID_RECORD", ""),
    Case(
        "a batch of -1 records", produces(batch(b"x", count=-1, last_delta=0)), "INVALID_RECORD", "INVALID_RECORD", ""
    ),
    Case(
        "a record longer than its batch",
        produces(batch(records=b"\xfe\xff\xff\xff\x0f" + b"x" * 20, count=1)),
        "INVALID_RECORD",
        "INVALID_RECORD",
        "",
    ),
    Case(
        "a batch with more than message.max.bytes",
        produces(batch(b"x" * 2_000_000)),
        "MESSAGE_TOO_LARGE",
        "MESSAGE_TOO_LARGE",
        "",
    ),
    *(
        Case(
            f"a {name} bomb",
            bombs(number),
            "INVALID_RECORD" if name == "snappy" else "MESSAGE_TOO_LARGE",
            None,
            "a lying length" if name == "snappy" else "200 MiB of zeros; unpacking stops at 32 MiB",
        )
        for number, name in NAMES.items()
    ),
]
