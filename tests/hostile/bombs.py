"""Record batches whose records are far larger than they look: decompression bombs for each codec."""

from __future__ import annotations

import struct
import zlib

import google_crc32c
import lz4.frame
import zstandard

from tests.differential.batches import varint

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
NAMES = {GZIP: "gzip", SNAPPY: "snappy", LZ4: "lz4", ZSTD: "zstd"}
#: What a bomb becomes. More than any broker should make of a message of at most 1 MiB.
UNPACKED_BYTES = 200 << 20
_CHUNK = bytes(1 << 20)


def _batch(attributes: int, payload: bytes) -> bytes:
    tail = struct.pack(">hiqqqhii", attributes, 0, 1_700_000_000_000, 1_700_000_000_000, -1, -1, -1, 1) + payload
    return struct.pack(">qiibI", 0, 9 + len(tail), 0, 2, google_crc32c.value(tail)) + tail


def _record_head(size: int) -> bytes:
    """The beginning of one record whose value is `size` zeros."""
    body = b"\x00" + varint(0) + varint(0) + varint(-1) + varint(size)
    return varint(len(body) + size + 1) + body


def _gzip() -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [deflate.compress(_record_head(UNPACKED_BYTES))]
    parts += [deflate.compress(_CHUNK) for _ in range(UNPACKED_BYTES // len(_CHUNK))]
    return b"".join([*parts, deflate.compress(b"\x00"), deflate.flush()])


def _lz4() -> bytes:
    context = lz4.frame.LZ4FrameCompressor(block_size=lz4.frame.BLOCKSIZE_MAX4MB)
    parts = [context.begin(), context.compress(_record_head(UNPACKED_BYTES))]
    parts += [context.compress(_CHUNK) for _ in range(UNPACKED_BYTES // len(_CHUNK))]
    return b"".join([*parts, context.compress(b"\x00"), context.flush()])


def _zstd() -> bytes:
    packer = zstandard.ZstdCompressor(level=3).compressobj()
    parts = [packer.compress(_record_head(UNPACKED_BYTES))]
    parts += [packer.compress(_CHUNK) for _ in range(UNPACKED_BYTES // len(_CHUNK))]
    return b"".join([*parts, packer.compress(b"\x00"), packer.flush()])


def _snappy() -> bytes:
    """Snappy packs zeros 21 to 1 only, so its bomb lies: a raw block that says it holds 2 GiB, then a literal of one byte."""
    length = bytearray()
    left = (1 << 31) - 1
    while left > 127:
        length.append(left & 127 | 128)
        left >>= 7
    length.append(left)
    return bytes(length) + b"\x00a"


def bomb(codec: int) -> bytes:
    """One batch of one record, compressed."""
    return _batch(codec, {GZIP: _gzip, SNAPPY: _snappy, LZ4: _lz4, ZSTD: _zstd}[codec]())
