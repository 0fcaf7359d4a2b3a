"""One question, two brokers: rows of requests as plain data, sent raw, answered, decoded and masked.

A `Row` is data: an API key and the fields of the request as dictionaries. It is sent in every version both brokers
advertise (or those it names); `{v}` inside a string becomes the version, so that a row that creates something creates
another thing per version. What a broker invents (topic ids, member ids, producer ids) is learned from its answers under
a name and put into later rows by `learned(name)`, so that the bytes sent differ only there.

An `Outcome` is what came back: the decoded answer with invented things masked and lists without meaning in their order
sorted, or `closed` if the broker hung up, or `silent` if it said nothing in time.
"""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ottla.protocol import apis, codec, framing
from ottla.protocol.errors import LocalProtocolError
from ottla.protocol.schema import Request, Response, Struct, Versions

API_VERSIONS_KEY = 18
METADATA_KEY = 3
FETCH_KEY = 1
ANSWER_S = 40.0
SILENCE_S = 1.5
#: Kafka answers a change when its controller has it, a moment before the broker itself knows; so the first row after
#: changes waits.
SETTLE_S = 0.5
ASK_AGAIN_S = 0.05
CHANGES = frozenset({19, 20, 33, 37, 43, 44, 45, 49, 57})
#: What passes by itself: LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER, COORDINATOR_LOAD_IN_PROGRESS, _NOT_AVAILABLE,
#: NOT_COORDINATOR, CONCURRENT_TRANSACTIONS. Rows that meet one are asked again.
PASSING = frozenset({5, 6, 14, 15, 16, 51})
PASSES_S = 10.0
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
#: Fields whose value is the broker's own: only whether it is set is compared.
INVENTED = {
    "cluster_id", "host", "port", "log_dir", "total_bytes", "usable_bytes", "session_id", "finalized_features_epoch",
    "last_timestamp", "log_append_time_ms", "producer_id", "documentation", "throttle_time_ms", "topic_id",
}  # fmt: skip


@dataclass(frozen=True)
class Learned:
    """Stands in a row for what the broker called something."""

    name: str


@dataclass(frozen=True)
class Computed:
    """Stands in a row for what is made of things learned: a batch with its producer's id."""

    make: Callable[[dict[str, Any]], Any]


def learned(name: str) -> Any:
    """What the broker answered earlier under `name`: `topic:NAME`, `member:GROUP`, `producer:ROW`, `session:ROW`."""
    return Learned(name)


@dataclass(frozen=True)
class Row:
    """One request to ask both brokers.

    `versions` narrows the versions it is sent in; `raw` is sent as the body instead of an encoded request, `frame` as
    everything after the size. `ordered`: the order of lists in the answer is part of it. `silent`: no answer is
    expected. `settled=False`: errors that usually pass are the answer.
    """

    name: str
    key: int
    fields: dict[str, Any] = field(default_factory=dict)
    versions: str = "0+"
    ordered: bool = False
    silent: bool = False
    raw: bytes | None = None
    frame: bytes | None = None
    settled: bool = True
    client_id: str | None = "differential"


@dataclass(frozen=True)
class Outcome:
    """What one broker did with one row in one version."""

    kind: str
    answer: Any = None


class Unsendable(Exception):
    """The row cannot be said in this version."""


def build(kind: type[Struct], fields: dict[str, Any], version: int, known: dict[str, Any]) -> Any:
    """The message of `fields`; fields that the version does not carry are left out."""
    made = kind()
    table = {declared.name: declared for declared in kind.FIELDS}
    for name, value in fields.items():
        declared = table[name]
        if version in declared.versions:
            if value is None and version not in declared.nullable:
                raise Unsendable(f"{name} is not nullable in version {version}")
            setattr(made, name, _value(declared.type, value, version, known))
    return made


def _value(kind: Any, value: Any, version: int, known: dict[str, Any]) -> Any:
    if isinstance(value, Learned):
        name = value.name.replace("{v}", str(version))
        if name not in known:
            raise Unsendable(f"nothing was learned as {name}")
        return known[name]
    if isinstance(value, Computed):
        try:
            return value.make(known)
        except KeyError as missing:
            raise Unsendable(f"nothing was learned as {missing}") from None
    if isinstance(value, list):
        return [_value(kind, item, version, known) for item in value]
    if isinstance(value, dict):
        return build(kind, value, version, known)
    return value.replace("{v}", str(version)) if isinstance(value, str) else value


class Peer:
    """One of the two brokers, and what it has told so far."""

    def __init__(self, name: str, bootstrap: str) -> None:
        host, _, port = bootstrap.rpartition(":")
        self.name = name
        self.address = (host, int(port))
        self.known: dict[str, Any] = {}
        self._connection: socket.socket | None = None
        self._correlation = 0
        self._changed = False
        self.api_versions = self._ask_versions()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask_versions(self) -> dict[int, Versions]:
        outcome = self.ask(Row("versions", API_VERSIONS_KEY), 0, masked=False)
        return {api.api_key: Versions(api.min_version, api.max_version) for api in outcome.answer.api_keys}

    def encode(self, row: Row, version: int) -> bytes:
        """The frame of a row, without its size."""
        if row.frame is not None:
            return row.frame
        self._correlation += 1
        header = struct.pack(">hhi", row.key, version, self._correlation)
        client_id = (
            b"\xff\xff" if row.client_id is None else struct.pack(">h", len(row.client_id)) + row.client_id.encode()
        )
        flexible = b"\x00" if framing.request_header_version(row.key, version) == 2 else b""
        if row.raw is not None:
            return header + client_id + flexible + row.raw
        try:
            body = codec.encode(build(apis.request_class(row.key), row.fields, version, self.known), version)
        except LocalProtocolError as error:
            raise Unsendable(str(error)) from error
        return header + client_id + flexible + body

    def ask(self, row: Row, version: int, *, masked: bool = True) -> Outcome:
        """Send the row and say what came back, once nothing in it is about to pass."""
        changes = row.key in CHANGES and row.frame is None
        if self._changed and not changes:
            time.sleep(SETTLE_S)
        self._changed = changes
        give_up = time.monotonic() + PASSES_S
        while True:
            outcome = self._ask(row, version, masked=masked)
            if not row.settled or not _passing(outcome.answer) or time.monotonic() > give_up:
                break
            time.sleep(ASK_AGAIN_S)
        return outcome

    def await_topics(self, names: set[str]) -> None:
        """Wait until the broker knows these topics: Kafka learns of them some time after they were created."""
        give_up = time.monotonic() + ANSWER_S
        while True:
            outcome = self._ask(Row("topics there", METADATA_KEY, {"topics": None}), 1, masked=False)
            if outcome.kind == "answer" and names <= {topic.name for topic in outcome.answer.topics}:
                return
            if time.monotonic() > give_up:
                raise TimeoutError(f"{self.name} does not know all of {sorted(names)}")
            time.sleep(ASK_AGAIN_S)

    def _ask(self, row: Row, version: int, *, masked: bool) -> Outcome:
        frame = self.encode(row, version)
        if self._connection is None:
            self._connection = socket.create_connection(self.address, timeout=ANSWER_S)
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection.settimeout(SILENCE_S if row.silent else ANSWER_S)
        try:
            self._connection.sendall(struct.pack(">i", len(frame)) + frame)
            size = struct.unpack(">i", self._read(4))[0]
            payload = self._read(size)
        except TimeoutError:
            self.close()
            return Outcome("silent")
        except (ConnectionError, EOFError):
            self.close()
            return Outcome("closed")
        return self._outcome(row, version, payload, masked=masked)

    def _read(self, size: int) -> bytes:
        assert self._connection is not None
        parts = []
        while size:
            part = self._connection.recv(min(size, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _outcome(self, row: Row, version: int, payload: bytes, *, masked: bool) -> Outcome:
        key = row.key
        if row.frame is not None:
            if len(row.frame) < 4:
                return Outcome("answer", payload)
            key, version = struct.unpack_from(">hh", row.frame)
        if key not in apis.API_KEYS:
            return Outcome("answer", payload[4:])
        kind = apis.response_class(key)
        if version not in kind.VERSIONS:  # ApiVersions answers what it does not know in version 0
            version = 0
        start = 5 if framing.response_header_version(key, version) == 1 else 4
        answer = codec.decode(kind, payload[start:], version)
        if not masked:
            return Outcome("answer", answer)
        self._learn(row, version, answer)
        return Outcome("answer", mask(answer, version, ordered=row.ordered))

    def _learn(self, row: Row, version: int, answer: Response) -> None:
        for holder in ("topics", "responses"):
            for topic in getattr(answer, holder, None) or ():
                name, topic_id = getattr(topic, "name", None), getattr(topic, "topic_id", bytes(16))
                if name and topic_id != bytes(16):
                    self.known[f"topic:{name}"] = bytes(topic_id)
        name = row.name.replace("{v}", str(version))
        for attribute in ("member_id", "producer_id", "producer_epoch", "session_id", "generation_id"):
            value = getattr(answer, attribute, None)
            if value not in (None, "", -1):
                self.known[f"{attribute}:{name}/{version}"] = value


def mask(value: Any, version: int, *, ordered: bool) -> Any:
    """A message as plain data that is equal for two brokers that mean the same."""
    if isinstance(value, Struct):
        plain: dict[str, Any] = {"": type(value).__name__}
        for declared in value.FIELDS:
            if version not in declared.versions:
                continue
            held = getattr(value, declared.name)
            if declared.name in INVENTED:
                plain[declared.name] = _mask_invented(declared.name, held)
            elif declared.name == "records" and held is not None:
                plain[declared.name] = _mask_records(bytes(held))
            else:
                plain[declared.name] = mask(held, version, ordered=ordered)
        return plain
    if isinstance(value, list):
        items = [mask(item, version, ordered=ordered) for item in value]
        return items if ordered else sorted(items, key=repr)
    if isinstance(value, str):
        return _UUID.sub("<uuid>", value)
    return bytes(value) if isinstance(value, memoryview) else value


def _passing(answer: Any) -> bool:
    if isinstance(answer, dict):
        codes = answer.get("error_code"), answer.get("partition_error_code")
        return any(code in PASSING for code in codes) or any(map(_passing, answer.values()))
    return isinstance(answer, list) and any(map(_passing, answer))


def _mask_invented(name: str, held: Any) -> str:
    zero_is_one = name == "producer_id"  # the first id there is
    unset = held in (None, "", -1, bytes(16)) or (held == 0 and not zero_is_one)
    return f"<{held!r}>" if unset else "<some>"


def _mask_records(data: bytes) -> Any:
    """Batches by their headers, without producer ids and without what only says when."""
    batches = []
    position = 0
    while position + 61 <= len(data):
        base, length, epoch, magic = struct.unpack_from(">qiib", data, position)
        attributes, last_delta = struct.unpack_from(">hi", data, position + 21)
        sequence, count = struct.unpack_from(">ii", data, position + 53)
        if position + 12 + length > len(data):
            break
        body = data[position + 61 : position + 12 + length]
        batches.append((base, epoch, magic, attributes, last_delta, sequence, count, body.hex()))
        position += 12 + length
    return batches, len(data) - position


def versions_of(row: Row, *peers: Peer) -> list[int]:
    """The versions in which a row is asked: those every peer advertises and the row names."""
    if row.frame is not None:
        return [0]
    wanted = Versions.parse(row.versions)
    kind: type[Request] = apis.request_class(row.key)
    ranges = [kind.VERSIONS, *(peer.api_versions[row.key] for peer in peers if row.key in peer.api_versions)]
    if row.raw is not None and wanted.high - wanted.low < 64:
        return list(range(wanted.low, wanted.high + 1))
    low = max(wanted.low, *(span.low for span in ranges))
    high = min(wanted.high, *(span.high for span in ranges))
    return list(range(low, high + 1))
