"""`ottla produce`: sends each line of stdin as a record, each line of files, or each file whole.

The synchronous producer is what fits here: stdin is read by the main thread, which Ctrl-C reaches, and records go out on the
I/O thread meanwhile; when its buffer is full, reading waits. Whatever was read is acknowledged before the command ends.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from . import asking, connection
from .output import progress
from .printing import check_properties, from_json, unescape
from .trouble import FAILED, MISUSED, Trouble

CHUNK_BYTES = 1 << 16
#: No broker takes a record that comes near to it.
LINE_BYTES_MAX = 256 << 20
#: How long a topic may take to appear. A broker that makes topics by itself does so at once.
FIND_MS = 3_000
_PROPERTIES = ("parse.key", "key.separator", "null.marker")


class Item(NamedTuple):
    """One record to send."""

    value: bytes | None
    key: bytes | None = None
    headers: Any = None
    partition: int | None = None
    timestamp_ms: int | None = None


class Reader:
    """Makes records of lines."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        properties = check_properties(arguments.properties, _PROPERTIES)
        delimiter = arguments.key_delimiter
        if properties.get("parse.key", "").lower() == "true" and delimiter is None:
            delimiter = properties.get("key.separator", "\\t")
        self.key_delimiter = None if delimiter is None else unescape(delimiter).encode()
        self.delimiter = unescape(arguments.delimiter).encode()
        if not self.delimiter or self.key_delimiter == b"":
            raise Trouble("a delimiter has at least one letter", "as in -K: and -D '\\n'", MISUSED)
        marker = properties.get("null.marker")
        self.null_marker = b"" if arguments.null else None if marker is None else marker.encode()
        self.key = None if arguments.key is None else arguments.key.encode()
        self.headers = [(name, value.encode()) for name, value in arguments.headers or ()] or None
        self.lines = 0

    def item(self, line: bytes) -> Item:
        """The record of one line."""
        self.lines += 1
        if self.arguments.json:
            return self._json(line)
        key, value = self.key, line
        if self.key_delimiter is not None:
            before, found, after = line.partition(self.key_delimiter)
            if found:
                key, value = before, after
            elif any(name == "parse.key" for name, _ in self.arguments.properties):
                raise Trouble(
                    f"line {self.lines} has no key separator", "it is set by --property key.separator=", FAILED
                )
        return Item(self._null(value), self._null(key), self.headers, self.arguments.partition)

    def _null(self, text: bytes | None) -> bytes | None:
        return None if text is None or (self.null_marker is not None and text == self.null_marker) else text

    def _json(self, line: bytes) -> Item:
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("it is no object")
            headers = [(str(name), from_json(value)) for name, value in row.get("headers") or ()]
            timestamp = row.get("timestamp")
            if timestamp is not None and not isinstance(timestamp, int):
                raise ValueError("timestamp is no number of milliseconds")
            return Item(
                from_json(row.get("value")),
                self.key if row.get("key") is None else from_json(row["key"]),
                [*headers, *(self.headers or ())] or None,
                self.arguments.partition,
                timestamp if timestamp is None or timestamp >= 0 else None,
            )
        except (ValueError, TypeError) as error:
            raise Trouble(
                f"line {self.lines} is no record: {error}",
                'lines look like {"key": "k", "value": "v", "headers": [["name", "text"]]}; a dict {"base64": ...} is bytes', FAILED,
            ) from error  # fmt: skip

    def split(self, source: BinaryIO) -> Iterator[list[bytes]]:
        """The lines of a file as they come, those of a chunk together; one without an end counts too."""
        rest = bytearray()
        read = getattr(source, "read1", source.read)
        while chunk := read(CHUNK_BYTES):
            looked = max(0, len(rest) - len(self.delimiter) + 1)
            rest += chunk
            if rest.find(self.delimiter, looked) < 0:
                if len(rest) > LINE_BYTES_MAX:
                    raise Trouble(
                        f"line {self.lines + 1} has more than {LINE_BYTES_MAX} bytes", "is -D what ends a record?"
                    )
                continue
            *lines, last = bytes(rest).split(self.delimiter)
            rest = bytearray(last)
            yield lines
        if rest:
            yield [bytes(rest)]


def run(arguments: argparse.Namespace) -> int:
    """Send it all."""
    reader = Reader(arguments)
    more = {
        "compression_type": arguments.compression, "acks": arguments.acks, "partitioner_class": arguments.partitioner,
        "partitioner_ignore_keys": None,
    }  # fmt: skip
    if arguments.acks is not None and arguments.acks not in ("all", "-1"):
        more["enable_idempotence"] = "false"
    return asking.telling(lambda: _send(arguments, reader, connection.config(arguments, **more)))


def _send(arguments: argparse.Namespace, reader: Reader, config: Any) -> int:
    from ..client.producer.blocking import Producer

    for name in arguments.files:
        if not Path(name).is_file():
            raise Trouble(f"there is no file {name}", "without files, lines of stdin are sent", MISUSED)
    with Producer[Any, Any](config) as producer:
        _find(producer, arguments.topic)  # a topic that is not there is told before anything is read
        left = arguments.count
        for items in _sources(arguments, reader):
            chosen = items if left is None else items[:left]
            for value, key, headers, partition, timestamp_ms in chosen:
                producer.enqueue(
                    arguments.topic, value, key, headers=headers, partition=partition, timestamp_ms=timestamp_ms
                )
            if left is not None:
                left -= len(chosen)
                if left <= 0:
                    break
            if not arguments.files and sys.stdin.isatty():
                producer.flush()  # a person wants to know now
    return 0


def _find(producer: Any, topic: str) -> None:
    """See that the topic is there, or is made by asking for it; a person does not wait max.block.ms to be told of a slip."""
    from ..client.errors import BrokerError, ClientTimeoutError
    from ..protocol.errors import ErrorCode

    config = producer.config
    try:
        producer.partitions(topic, timeout_ms=config.max_block_ms if config.is_set("max_block_ms") else FIND_MS)
    except (BrokerError, ClientTimeoutError) as error:
        if isinstance(error, BrokerError) and error.code != ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
            raise
        known = asking.topics(config)  # with the patience of all commands: what was slow is not what is missing
        if topic not in known:
            raise asking.no_topic(topic, known) from error


def _sources(arguments: argparse.Namespace, reader: Reader) -> Iterator[list[Item]]:
    """Records, in the portions in which they come."""
    if not arguments.files:
        if sys.stdin.isatty():
            print("a record a line; Ctrl-D ends", file=sys.stderr)
        for lines in reader.split(sys.stdin.buffer):
            yield [reader.item(line) for line in lines]
        return
    total = sum(Path(name).stat().st_size for name in arguments.files)
    with progress("sending", total, "bytes") as advance:
        for name in arguments.files:
            if not arguments.lines:
                value = Path(name).read_bytes()
                yield [Item(reader._null(value), reader.key, reader.headers, arguments.partition)]
                advance(len(value))
                continue
            with Path(name).open("rb") as file:
                for lines in reader.split(file):
                    yield [reader.item(line) for line in lines]
                    advance(sum(map(len, lines)) + len(lines) * len(reader.delimiter))
