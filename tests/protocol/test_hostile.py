"""Bytes that claim more than they are cost no more memory than a small multiple of what was received."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from ottla.protocol import codec
from ottla.protocol.apis.metadata import MetadataRequest
from ottla.protocol.codec_decode import decoder_source
from ottla.protocol.errors import RemoteProtocolError
from ottla.protocol.schema import Data, Primitive, Request, Struct
from tests.protocol.messages import message_classes, random_message

#: A refusal: the exception, its text, a few frames.
REFUSAL_BYTES = 40_000
#: The densest elements (empty structs with lists in them) take this many times their bytes on the wire; 56 was measured.
OBJECTS_PER_BYTE_MAX = 80


@pytest.fixture(autouse=True)
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def peak_of(decode: Any, data: bytes) -> tuple[Any, int]:
    """Decode and return the message or None, and the most memory that was in use meanwhile."""
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    try:
        message = decode(data, 0)[0]
    except RemoteProtocolError:
        message = None
    return message, tracemalloc.get_traced_memory()[1] - before


@pytest.mark.parametrize("count", [2**31 - 1, 1_000_000_000, 100_000])
def test_claimed_elements_are_not_believed(count: int) -> None:
    message, peak = peak_of(codec.decoder(MetadataRequest, 1), struct.pack(">i", count) + bytes(20))
    assert message is None
    assert peak < REFUSAL_BYTES


def test_claims_in_varints_are_not_believed() -> None:
    for claim in (b"\xff\xff\xff\xff\x0f", b"\xff\xff\xff\xff\x07", b"\x81\x80\x80\x08", b"\xff" * 12):
        message, peak = peak_of(codec.decoder(MetadataRequest, 12), claim + bytes(20))
        assert message is None
        assert peak < REFUSAL_BYTES


def flood(cls: type[Struct], version: int, flexible: bool, bytes_wanted: int) -> Iterator[Any]:
    """Make a message for each of its arrays, in which that array is filled with the cheapest elements."""
    for field in cls.FIELDS:
        if version not in field.versions:
            continue
        if field.array:
            cheapest = field.type.default if isinstance(field.type, Primitive) else field.type()
            per_element = 1 if isinstance(field.type, Primitive) else 8
            yield cls(**{field.name: [cheapest] * (bytes_wanted // per_element)})
            if not isinstance(field.type, Primitive):
                for inner in flood(field.type, version, flexible, bytes_wanted):
                    yield cls(**{field.name: [inner]})
        elif not isinstance(field.type, Primitive):
            for inner in flood(field.type, version, flexible, bytes_wanted):
                yield cls(**{field.name: inner})


def requests() -> list[type[Data]]:
    return [cls for cls in message_classes() if issubclass(cls, Request)]


@pytest.mark.slow
@pytest.mark.parametrize("cls", requests(), ids=lambda cls: cls.__name__)
def test_objects_cost_a_bounded_multiple_of_their_bytes(cls: type[Data]) -> None:
    """Whichever array of a request is flooded, memory stays within a fixed factor of the bytes, and is estimated right.

    The estimate decides about frames of megabytes: with room for four fifths of what a message takes it is refused.
    """
    version = cls.VERSIONS.high
    for message in flood(cls, version, version in cls.FLEXIBLE, 4_000):
        data = codec.encode(message, version)
        decoded, peak = peak_of(codec.decoder(cls, version), data)
        assert decoded == message
        assert peak < REFUSAL_BYTES + OBJECTS_PER_BYTE_MAX * len(data)
        decode = decoder_with_room(cls, version, (peak - REFUSAL_BYTES) * 4 // 5)
        assert peak < 2 * REFUSAL_BYTES or peak_of(decode, data)[0] is None


def decoder_with_room(cls: type[Data], version: int, room: int) -> Any:
    """Compile a decoder that may take only so much memory."""
    text, scope = decoder_source(cls, version, version in cls.FLEXIBLE, max(room, 0))
    scope.update(malformed=(IndexError, struct.error, UnicodeDecodeError), unreadable=RemoteProtocolError)
    exec(text, scope)
    return scope["decode"]


@pytest.mark.slow
def test_a_frame_of_many_megabytes_meets_the_limit() -> None:
    """Ten million topics of an empty name in 20 MiB, sent in earnest, are refused before they fill memory."""
    count = 10_000_000
    data = struct.pack(">i", count) + bytes(2 * count)
    message, peak = peak_of(codec.decoder(MetadataRequest, 1), data)
    assert message is None
    assert peak < codec.REQUEST_OBJECTS_MEMORY_MAX


@pytest.mark.slow
def test_many_small_arrays_meet_the_limit() -> None:
    """The limit is one for the message, not for each array."""
    from ottla.protocol.apis.fetch import FetchRequest

    topic = b"\0\0" + struct.pack(">i", 100) + bytes(1600)
    data = struct.pack(">iiiibi", -1, 0, 0, 0, 0, 12_000) + topic * 12_000
    message, peak = peak_of(codec.decoder(FetchRequest, 4), data)
    assert message is None
    assert peak < 1.5 * codec.REQUEST_OBJECTS_MEMORY_MAX


@pytest.mark.slow
def test_a_million_unknown_tags_meet_the_limit() -> None:
    tags = b"".join(b"\x80\x80\x40\x00" for _ in range(1000)) * 1000
    body = b"\x01" + b"\x01\x00" + b"\xc0\x84\x3d" + tags  # no topics, two booleans, a million tags
    message, peak = peak_of(codec.decoder(MetadataRequest, 12), body)
    assert message is None or message.unknown_tags == {1 << 20: b""}
    assert peak < codec.REQUEST_OBJECTS_MEMORY_MAX


@pytest.mark.slow
def test_lengths_beyond_the_end_take_no_memory() -> None:
    """Random messages whose lengths are all turned to the highest cost no more than the refusal."""
    random = Random(5)
    for cls in requests():
        version = cls.VERSIONS.high
        data = codec.encode(random_message(random, cls, version), version)
        decode = codec.decoder(cls, version)
        for pos in range(0, len(data), 7):
            _, peak = peak_of(decode, data[:pos] + b"\x7f\xff\xff\xff" + data[pos + 4 :])
            assert peak < REFUSAL_BYTES + OBJECTS_PER_BYTE_MAX * len(data)
