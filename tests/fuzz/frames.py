"""Hostile request frames: realistic ones of every API and version, then damaged in many ways.

    for data in mutated_frames(seed=7, count=1000):     # bytes as they would arrive on a connection, size included
        ...

The same seed gives the same frames. `judge(data)` runs one through framing and decoder as a broker would, without a
broker; anything but a message or a refusal is an exception and so a bug. As a campaign:

    python -m tests.fuzz.frames --count 10000000 [--seed N] [--processes N]
"""

from __future__ import annotations

import argparse
import os
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing import Pool
from random import Random

from ottla.protocol import codec
from ottla.protocol.apis import API_KEYS, request_class
from ottla.protocol.errors import RemoteProtocolError
from ottla.protocol.framing import frame_request, read_request_header
from ottla.protocol.wire import write_uvarint
from tests.protocol.messages import random_message, versions_of

#: Numbers that break arithmetic on lengths: signs, off by one, the ends of each width, a billion.
EDGES = (
    0,
    1,
    -1,
    -2,
    127,
    128,
    255,
    256,
    32_767,
    32_768,
    -32_768,
    65_535,
    1_000_000_000,
    2**31 - 1,
    -(2**31),
    2**63 - 1,
)
#: What else arrives on an open port.
OTHER_PROTOCOLS = (
    bytes.fromhex("16030100a5010000a10303") + bytes(range(160)),  # a TLS ClientHello
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"\0" * 64,
    b"\xff" * 64,
)
#: Frames made afresh before the supply is renewed: making one costs much more than damaging it.
FRAMES_PER_VERSION = 3
#: A frame that grew beyond this is cut; size is tested elsewhere, here it would only cost time.
FRAME_BYTES_MAX = 1 << 16

Mutation = Callable[[Random, bytearray, list[bytes]], None]


def request_frames(random: Random) -> list[bytes]:
    """Make honest frames, without their size: a few of each API and version."""
    frames = []
    for key in API_KEYS:
        cls = request_class(key)
        for version in versions_of(cls):
            for _ in range(FRAMES_PER_VERSION):
                parts = codec.encoder(cls, version)(random_message(random, cls, version))
                client_id = random.choice((None, "", "fuzz", "ä" * 40))
                frames.append(b"".join(frame_request(key, version, random.getrandbits(31), client_id, parts))[4:])
    return frames


def _position(random: Random, frame: bytearray, width: int = 1) -> int:
    return random.randrange(max(len(frame) - width + 1, 1))


def flip_bits(random: Random, frame: bytearray, frames: list[bytes]) -> None:
    """Flip one to eight bits."""
    for _ in range(random.randint(1, 8)):
        if frame:
            frame[_position(random, frame)] ^= 1 << random.randrange(8)


def set_bytes(random: Random, frame: bytearray, frames: list[bytes]) -> None:
    """Set one byte to a value at an edge, as a compact length or count would be."""
    if frame:
        frame[_position(random, frame)] = random.choice((0, 1, 2, 0x7E, 0x7F, 0x80, 0x81, 0xFE, 0xFF))


def set_number(random: Random, frame: bytearray, frames: list[bytes]) -> None:
    """Overwrite two, four or eight bytes with a number at an edge, as a length or count would be."""
    width = random.choice((2, 4, 4, 8))
    if len(frame) >= width:
        pos = _position(random, frame, width)
        frame[pos : pos + width] = (random.choice(EDGES) % (1 << 8 * width)).to_bytes(width, "big")


def insert_varint(random: Random, frame: bytearray, frames: list[bytes]) -> None:
    """Replace a byte by a varint: a huge compact length, count, tag or tag size, or one that never ends."""
    number = write_uvarint(random.choice(EDGES) % (1 << 32))
    pos = _position(random, frame)
    frame[pos : pos + random.randint(0, 1)] = random.choice((number, number, b"\xff" * random.randint(4, 12)))


def truncate(random: Random, frame: bytearray, frames: list[bytes]) -> None:
    """Cut the end off."""
    del frame[_position(random, frame) :]


def append(random: Random, frame: bytearray, frames: list[bytes]) -> None:
    """Put bytes behind the end."""
    frame += random.randbytes(random.choice((1, 2, 8, 300)))


def delete(random: Random, frame: bytearray, frames: list[bytes]) -> None:
    """Take a piece out of the middle."""
    pos = _position(random, frame)
    del frame[pos : pos + random.randint(1, 16)]


def repeat(random: Random, frame: bytearray, frames: list[bytes]) -> None:
    """Say a piece several times."""
    pos = _position(random, frame)
    frame[pos:pos] = frame[pos : pos + random.randint(1, 32)] * random.choice((1, 2, 50))


def splice(random: Random, frame: bytearray, frames: list[bytes]) -> None:
    """Go on with the end of another frame."""
    other = random.choice(frames)
    frame[_position(random, frame) :] = other[random.randrange(len(other)) :]


def set_version(random: Random, frame: bytearray, frames: list[bytes]) -> None:
    """Claim another API or version for the same body."""
    if len(frame) >= 4:
        key = random.choice((*API_KEYS, random.choice(EDGES) % (1 << 16)))
        version = random.choice((0, 1, 2, 5, 9, 13, 99, 0x7FFF, 0x8000, 0xFFFF))
        struct.pack_into(">HH", frame, 0, random.choice((key, struct.unpack_from(">H", frame)[0])), version)


def add_tags(random: Random, frame: bytearray, frames: list[bytes]) -> None:
    """Replace a zero byte, maybe an empty tag section, by tags: known and unknown, twice, out of order, ill-sized."""
    pos = frame.find(0, _position(random, frame))
    if pos < 0:
        return
    section = bytearray(write_uvarint(random.choice((1, 2, 3, 200))))
    for _ in range(random.randint(1, 4)):
        value = random.randbytes(random.choice((0, 1, 5, 17)))
        size = random.choice((len(value), len(value), len(value) + 1, 1_000_000_000))
        section += write_uvarint(random.choice((0, 1, 2, 5, 300, 2**31))) + write_uvarint(size) + value
    frame[pos : pos + 1] = section


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits, set_bytes, set_number, insert_varint, truncate, append, delete, repeat, splice, set_version, add_tags,
)  # fmt: skip


def mutated_frames(seed: int, count: int) -> Iterator[bytes]:
    """Yield `count` runs of bytes to be sent to a broker, most of them a frame with its right size.

    One in twenty is honest; one in forty lies about its size; a few are no Kafka at all.
    """
    random = Random(seed)
    frames = request_frames(random)
    for _ in range(count):
        if random.random() < 0.01:
            yield random.choice((*OTHER_PROTOCOLS, random.randbytes(random.randint(0, 200))))
            continue
        frame = bytearray(random.choice(frames))
        if random.random() >= 0.05:
            for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
                random.choice(MUTATIONS)(random, frame, frames)
        del frame[FRAME_BYTES_MAX:]
        size = len(frame)
        if random.random() < 0.025:
            size = random.choice((*EDGES[:-1], size + 1, size - 1, size // 2)) & 0xFFFFFFFF
        yield struct.pack(">I", size) + frame


def judge(data: bytes) -> str:
    """Say what a broker would make of the bytes, as one word; every other exception than a refusal passes through."""
    if len(data) < 4:
        return "short"
    (size,) = struct.unpack_from(">i", data)
    if not 0 <= size <= len(data) - 4:
        return "size"
    frame = memoryview(data)[4 : 4 + size]
    try:
        key, version, _, _, pos = read_request_header(frame)
        if key not in API_KEYS or version not in request_class(key).VERSIONS:
            return "unsupported"
        message, _ = codec.decoder(request_class(key), version)(frame, pos)
    except RemoteProtocolError:
        return "refused"
    again = codec.encode(message, version)
    # Bytes are compared, because a float that is not a number does not equal itself.
    assert codec.encode(codec.decode(type(message), again, version), version) == again, f"{message} does not come back"
    return "message"


def campaign(seed: int, count: int) -> Counter[str]:
    """Judge `count` frames; an AssertionError or any other exception names the frame that caused it."""
    verdicts: Counter[str] = Counter()
    for number, data in enumerate(mutated_frames(seed, count)):
        try:
            verdicts[judge(data)] += 1
        except Exception as error:
            error.add_note(f"frame {number} of seed {seed}: {data.hex()}")
            raise
    return verdicts


def _slice(work: tuple[int, int]) -> Counter[str]:
    return campaign(*work)


def main() -> int:
    """Run the campaign with a progress bar."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    parser = argparse.ArgumentParser(description="Run mutated frames through framing and decoder.")
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    step = 20_000
    works = [(options.seed + i, min(step, options.count - i * step)) for i in range(-(-options.count // step))]
    verdicts: Counter[str] = Counter()
    began = time.monotonic()
    columns = (TextColumn("frames"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress, Pool(options.processes) as pool:
        task = progress.add_task("frames", total=options.count)
        for found in pool.imap_unordered(_slice, works):
            verdicts += found
            progress.update(task, advance=found.total())
    print(f"{verdicts.total()} frames in {time.monotonic() - began:.0f} s: {dict(verdicts.most_common())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
