"""The five codecs of a record batch, with a cap on what decompression may yield.

For the batch checker, the builder and tools. Each codec is written as the Java client writes it and read as any
client writes it:

    gzip    RFC 1952; several members, one after another, are one stream
    snappy  xerial's stream is written: a 16-byte header, then raw blocks of at most 32 KiB, each behind its int32
            size. Read are that and one raw block alone, which librdkafka writes. The versions in the header are not
            looked at, because some producers write them little-endian.
    lz4     frame format, independent blocks, no content checksum (Java refuses linked blocks)
    zstd    frames with or without content size, one or several

Nothing is believed that a payload says about its own size. Output is taken in chunks, and where the cap is reached
the payload is refused, so that a bomb costs the cap, an eighth (as a bytearray grows) and a few chunks. A payload must
end where its last frame ends: what is cut off or left over is refused.

Which library does what, and why: docs/decisions/0010-compression-and-crc-libraries.md.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import cramjam
import lz4.frame
import zstandard

from ..protocol.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Compression(IntEnum):
    """The codec number in bits 0-2 of a batch's attributes."""

    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4


#: What one batch may hold decompressed. Kafka has no such limit; its default batch is 1 MiB compressed, which text
#: fills about ten-fold and the most repetitive logs thirty-fold. One batch is looked at at a time, so this is also
#: what a bomb costs a broker. Beyond it: MESSAGE_TOO_LARGE, at which a Java producer splits its batch and retries.
MAX_DECOMPRESSED_BYTES = 32 * 1024 * 1024

CHUNK_BYTES = 2 * 1024 * 1024  # output taken at a time: a usual batch comes in one piece and is not copied again
CHUNK_BYTES_MIN = 64 * 1024

XERIAL_MAGIC = b"\x82SNAPPY\x00"
XERIAL_HEADER = XERIAL_MAGIC + b"\x00\x00\x00\x01\x00\x00\x00\x01"  # version 1, readable by version 1
XERIAL_BLOCK_BYTES = 32 * 1024  # as snappy-java cuts; its reader takes any size
SNAPPY_RATIO_MAX = 22  # no three bytes of the format stand for more than 64: a claim beyond that is a lie

LZ4_LEVEL_DEFAULT = 9  # Kafka's name for lz4's fast mode; every other level means the high-compression mode
LZ4_LEVEL_HIGH_MIN = 3  # where the library's high-compression mode begins

ZSTD_LEVEL_DEFAULT = 3
ZSTD_WINDOW_BYTES_MAX = 1 << 27  # what level 22 of the Java client asks for; only touched pages cost memory
ZSTD_WINDOW_BYTES_KEPT = 8 << 20  # a context with a larger window is given back: it would hold on to that memory
ZSTD_SKIPPABLE_MAGIC = 0x184D2A50  # and the fifteen that follow
ZSTD_FRAME_HEADER_BYTES_MAX = 18
ZSTD_RLE_BLOCK = 1  # a block whose size says how often its one byte is repeated

GZIP_WINDOW_BITS = 31  # zlib's word for: gzip header and trailer


def compress(codec: Compression, data: Buffer, level: int | None = None) -> bytes:
    """Compress as the Java client would; `level` counts as Kafka's compression.<codec>.level does."""
    if codec == Compression.NONE:
        return bytes(data)
    if codec == Compression.GZIP:
        deflate = zlib.compressobj(-1 if level is None else level, zlib.DEFLATED, GZIP_WINDOW_BITS)
        return deflate.compress(data) + deflate.flush()
    if codec == Compression.SNAPPY:
        return _compress_xerial(data)
    if codec == Compression.LZ4:
        level = 0 if level in (None, LZ4_LEVEL_DEFAULT) else max(level, LZ4_LEVEL_HIGH_MIN)
        packed: bytes = lz4.frame.compress(
            data,
            compression_level=level,
            block_size=lz4.frame.BLOCKSIZE_MAX64KB,
            block_linked=False,
            content_checksum=False,
            store_size=False,
        )
        return packed
    return zstandard.ZstdCompressor(ZSTD_LEVEL_DEFAULT if level is None else level).compress(memoryview(data).cast("B"))


def decompress(codec: int, data: Buffer, max_bytes: int = MAX_DECOMPRESSED_BYTES) -> bytes | bytearray:
    """Decompress the records of a batch.

    Raises UNSUPPORTED_COMPRESSION_TYPE for a number that names no codec, MESSAGE_TOO_LARGE beyond `max_bytes`,
    INVALID_RECORD for anything that is not a whole payload of that codec: the checksum was right, so that the retry
    which CORRUPT_MESSAGE asks for would bring the same bytes.
    """
    reader = _READERS.get(codec)
    if reader is None:
        raise KafkaError(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, f"Unknown compression type id: {codec}")
    try:
        return reader(memoryview(data).cast("B"), max_bytes)
    except (zlib.error, zstandard.ZstdError, cramjam.DecompressionError, RuntimeError, _MalformedError) as error:
        name = Compression(codec).name.lower()
        raise KafkaError(ErrorCode.INVALID_RECORD, f"The records are no valid {name} data: {error}") from error


class _MalformedError(Exception):
    """What a library did not notice: a payload that ends early, goes on too long, or claims the impossible."""


def _too_large(max_bytes: int) -> KafkaError:
    return KafkaError(ErrorCode.MESSAGE_TOO_LARGE, f"The records of the batch exceed {max_bytes} bytes decompressed.")


def _collect(read: Callable[[int], bytes], input_bytes: int, max_bytes: int) -> bytes | bytearray:
    """All that `read(at most so many bytes)` gives until it gives nothing."""
    chunk_bytes = min(CHUNK_BYTES, max(CHUNK_BYTES_MIN, 8 * input_bytes), max_bytes + 1)
    first = read(chunk_bytes)
    if len(first) > max_bytes:
        raise _too_large(max_bytes)
    chunk = read(chunk_bytes)
    if not chunk:
        return first
    output = bytearray(first)
    while chunk:
        if len(output) + len(chunk) > max_bytes:
            raise _too_large(max_bytes)
        output += chunk
        chunk = read(chunk_bytes)
    return output


def _read_none(data: memoryview, max_bytes: int) -> bytes:
    if len(data) > max_bytes:
        raise _too_large(max_bytes)
    return bytes(data)


def _read_gzip(data: memoryview, max_bytes: int) -> bytes | bytearray:
    member = zlib.decompressobj(GZIP_WINDOW_BITS)
    rest: Buffer = data

    def read(size: int) -> bytes:
        nonlocal member, rest
        while True:
            if member.eof:
                rest = member.unused_data
                if not rest:
                    return b""
                member = zlib.decompressobj(GZIP_WINDOW_BITS)
            chunk = member.decompress(rest, size)
            rest = member.unconsumed_tail
            if chunk:
                return chunk
            if not member.eof:
                raise _MalformedError("it ends within a member")

    return _collect(read, len(data), max_bytes)


def _read_lz4(data: memoryview, max_bytes: int) -> bytes | bytearray:
    frame: Any = lz4.frame.LZ4FrameDecompressor()
    rest: Buffer = data

    def read(size: int) -> bytes:
        nonlocal rest
        if frame.eof:
            return b""
        chunk: bytes = frame.decompress(rest, size)
        rest = b""  # what is not yet read, the frame keeps
        if not chunk and not frame.eof:
            raise _MalformedError("it ends within the frame")
        return chunk

    output = _collect(read, len(data), max_bytes)
    if frame.unused_data:
        raise _MalformedError("bytes follow the frame")
    return output


def _read_zstd(data: memoryview, max_bytes: int) -> bytes | bytearray:
    window_bytes = _walk_zstd(data)
    context = _idle_zstd.pop() if _idle_zstd else zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES_MAX)
    with context.stream_reader(data, read_size=max(1, len(data)), read_across_frames=True) as reader:
        output = _collect(reader.read, len(data), max_bytes)
    if window_bytes <= ZSTD_WINDOW_BYTES_KEPT:
        _idle_zstd.append(context)
    return output


#: Contexts nobody uses: making one takes longer than reading a small batch. A list, because batches are read in threads
#: too and each needs its own; it grows no longer than there are such threads. One that met an error is not used again.
_idle_zstd: list[zstandard.ZstdDecompressor] = []


def _walk_zstd(data: memoryview) -> int:
    """Go from block to block to the end of the last frame, and give the largest window that a frame asks for.

    The stream reader would take a cut stream for a whole one.
    """
    position, size, window_bytes = 0, len(data), 0
    while True:
        magic = int.from_bytes(data[position : position + 4], "little")
        if magic & 0xFFFFFFF0 == ZSTD_SKIPPABLE_MAGIC:
            position += 8 + int.from_bytes(data[position + 4 : position + 8], "little")
        else:
            header = data[position : position + ZSTD_FRAME_HEADER_BYTES_MAX]
            frame = zstandard.get_frame_parameters(header)
            position += zstandard.frame_header_size(header)
            window_bytes = max(window_bytes, frame.window_size)
            block = 0
            while not block & 1:
                if position + 3 > size:
                    raise _MalformedError("it ends within a frame")
                block = int.from_bytes(data[position : position + 3], "little")
                position += 3 + (1 if block >> 1 & 3 == ZSTD_RLE_BLOCK else block >> 3)
            position += 4 * frame.has_checksum
        if position > size:
            raise _MalformedError("it ends within a frame")
        if position == size:
            return window_bytes


def _compress_xerial(data: Buffer) -> bytes:
    parts = [XERIAL_HEADER]
    view = memoryview(data).cast("B")
    for start in range(0, len(view), XERIAL_BLOCK_BYTES):
        block = bytes(cramjam.snappy.compress_raw(view[start : start + XERIAL_BLOCK_BYTES]))
        parts += (len(block).to_bytes(4, "big"), block)
    return b"".join(parts)


def _read_snappy(data: memoryview, max_bytes: int) -> bytearray:
    if data[:8] != XERIAL_MAGIC:
        return _read_snappy_blocks([data], max_bytes)
    blocks = []
    position, size = 0, len(data)
    while position < size:
        if data[position : position + 8] == XERIAL_MAGIC:  # streams may be joined, each with its header
            position += len(XERIAL_HEADER)
            if position > size:
                raise _MalformedError("it ends within the header")
            continue
        start = position + 4
        position = start + int.from_bytes(data[position:start], "big")
        if start > size or position > size:
            raise _MalformedError("it ends within a block")
        blocks.append(data[start:position])
    return _read_snappy_blocks(blocks, max_bytes)


def _read_snappy_blocks(blocks: list[memoryview], max_bytes: int) -> bytearray:
    """Read raw blocks into one buffer of the size they claim, once the claims were found possible."""
    claims = []
    for block in blocks:
        claimed = cramjam.snappy.decompress_raw_len(block)
        if claimed > SNAPPY_RATIO_MAX * len(block):
            raise _MalformedError(f"a block of {len(block)} bytes claims to hold {claimed}")
        claims.append(claimed)
    if sum(claims) > max_bytes:
        raise _too_large(max_bytes)
    output = bytearray(sum(claims))
    position = 0
    with memoryview(output) as view:
        for block, claimed in zip(blocks, claims, strict=True):
            cramjam.snappy.decompress_raw_into(block, view[position : position + claimed])
            position += claimed
    return output


_READERS: dict[int, Callable[[memoryview, int], bytes | bytearray]] = {
    Compression.NONE: _read_none,
    Compression.GZIP: _read_gzip,
    Compression.SNAPPY: _read_snappy,
    Compression.LZ4: _read_lz4,
    Compression.ZSTD: _read_zstd,
}
