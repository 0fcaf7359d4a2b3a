"""Mutated frames that hit something: requests of the served APIs that name a topic, group and offsets that exist.

Random names end at the first look-up of a handler. Here names, ids, partitions and records of a random message are
replaced by real ones, most of the time, before the frame is damaged as `tests.fuzz.frames` does.

    prey      a topic with 3 partitions, never deleted by these frames (random names may hit it all the same)
    limits    creating partitions is limited to `PARTITIONS_MAX` a request, so that what is measured is not metadata
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from random import Random
from typing import Any

from ottla.broker.dispatch import Entry
from ottla.protocol import codec
from ottla.protocol.errors import RemoteProtocolError
from ottla.protocol.framing import frame_request, read_request_header
from ottla.protocol.schema import Primitive, Struct
from tests.fuzz.frames import FRAME_BYTES_MAX, MUTATIONS, mutated_frames
from tests.protocol.messages import random_message
from tests.support.in_process import batch

PREY = "prey"
PREY_PARTITIONS = 3
GROUP = "prey-group"
CREATE_TOPICS, DELETE_TOPICS, CREATE_PARTITIONS = 19, 20, 37
PARTITIONS_MAX = 20
#: Honest frames made per API and version.
FRAMES_PER_VERSION = 4
NAMES = frozenset({"name", "topic", "topic_name", "resource_name"})
GROUPS = frozenset({"group_id", "key"})
INDEXES = frozenset({"partition_index", "partition", "index"})
INDEX_LISTS = frozenset({"partitions", "partition_indexes"})
EPOCHS = frozenset({"current_leader_epoch", "last_fetched_epoch", "leader_epoch", "session_id", "session_epoch"})
OFFSETS = frozenset({"fetch_offset", "offset", "committed_offset", "timestamp"})
WAITS = frozenset({"max_wait_ms", "timeout_ms", "session_timeout_ms", "rebalance_timeout_ms"})


class Aim:
    """Makes frames; `topic_id` is that of the prey."""

    def __init__(self, seed: int, served: dict[int, Entry], topic_id: bytes) -> None:
        self.random = Random(seed)
        self._served = served
        self._topic_id = topic_id
        self._frames = [
            self._honest(entry, version)
            for entry in served.values()
            for version in range(entry.versions.low, entry.versions.high + 1)
            for _ in range(FRAMES_PER_VERSION)
        ]

    def _honest(self, entry: Entry, version: int) -> bytes:
        message = random_message(self.random, entry.request, version)
        self._aim(message, version, entry.key)
        parts = codec.encoder(entry.request, version)(message)
        return b"".join(frame_request(entry.key, version, self.random.getrandbits(31), "fuzz", parts))[4:]

    def _aim(self, message: Struct, version: int, key: int) -> None:
        random = self.random
        for field in type(message).FIELDS:
            value = getattr(message, field.name)
            if version not in field.versions or random.random() < 0.1:
                continue
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, Struct):
                    self._aim(inner, version, key)
            if field.name in INDEX_LISTS and field.array and isinstance(field.type, Primitive):
                aimed: Any = [self.random.randrange(PREY_PARTITIONS + 1) for _ in range(random.randrange(4))]
            else:
                aimed = self._aimed(field.name, value, key)
            if aimed is not None:
                setattr(message, field.name, aimed)

    def _aimed(self, name: str, value: Any, key: int) -> Any:
        random = self.random
        if name in NAMES and isinstance(value, str) and key not in (CREATE_TOPICS, DELETE_TOPICS, CREATE_PARTITIONS):
            return PREY
        if name in GROUPS and isinstance(value, str):
            return GROUP
        if name == "topic_id" and key != DELETE_TOPICS:
            return self._topic_id
        if name in INDEXES and isinstance(value, int):
            return random.randrange(PREY_PARTITIONS + 1)
        if name in EPOCHS:
            return random.choice((-1, -1, 0, 1))
        if name in OFFSETS:
            return random.choice((-2, -1, 0, 1, 5, 1000))
        if name in WAITS:
            return random.choice((0, 1, 10, 6000))
        if name == "acks":
            return random.choice((-1, 0, 1))
        if name == "transactional_id":
            return None
        if name == "records":
            values = [random.randbytes(random.choice((0, 10, 200))) for _ in range(random.randint(1, 5))]
            return batch(*values, compression=random.randrange(5))
        return None

    def frames(self, count: int) -> Iterator[bytes]:
        """Yield `count` frames with their sizes; one in ten is not damaged."""
        random = self.random
        for _ in range(count):
            frame = bytearray(random.choice(self._frames))
            if random.random() >= 0.1:
                for _ in range(random.choice((1, 1, 2))):
                    random.choice(MUTATIONS)(random, frame, self._frames)
            del frame[FRAME_BYTES_MAX:]
            yield struct.pack(">i", len(frame)) + frame


def hostile_frames(seed: int, count: int, served: dict[int, Entry], topic_id: bytes) -> Iterator[bytes]:
    """Yield `count` frames, two of three aimed."""
    aimed = Aim(seed, served, topic_id).frames(count)
    for number, wild in enumerate(mutated_frames(seed, count)):
        yield next(aimed) if number % 3 else wild


def outcome(data: bytes, served: dict[int, Entry]) -> Any:
    """Foretell what a broker finds: the decoded request, or None for what ends the connection."""
    if len(data) < 5 or struct.unpack_from(">i", data)[0] != len(data) - 4:
        return None
    frame = memoryview(data)[4:]
    try:
        key, version, _, _, pos = read_request_header(frame)
        if key not in served or version not in served[key].versions:
            return None
        return codec.decoder(served[key].request, version)(frame, pos)[0]
    except RemoteProtocolError:
        return None


def costs_too_much(request: Any) -> bool:
    """Whether a request would create more than the campaign wants to look after."""
    if request is None or request.API_KEY not in (CREATE_TOPICS, CREATE_PARTITIONS) or request.validate_only:
        return False
    if request.API_KEY == CREATE_PARTITIONS:
        return any(topic.count > PARTITIONS_MAX for topic in request.topics)
    return any(topic.num_partitions > PARTITIONS_MAX for topic in request.topics)
