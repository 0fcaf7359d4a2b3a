"""Codecs: what they write is read back, what others write is read, and no payload costs more than its cap."""

from __future__ import annotations

import gzip
import os
import struct
import tracemalloc

import cramjam
import lz4.frame
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ottla.protocol.errors import ErrorCode, KafkaError
from ottla.records.batch import Record, build_batch, check_and_describe
from ottla.records.compression import CHUNK_BYTES, XERIAL_HEADER, Compression, compress, decompress
from tests.records.conftest import Form

CODECS = [codec for codec in Compression if codec]
TEXT = b"a line of a log that says nothing, again and again; " * 3000
MIB = 1024 * 1024
LEVELS = [
    (Compression.GZIP, 1), (Compression.GZIP, 9), (Compression.LZ4, 1), (Compression.LZ4, 9), (Compression.LZ4, 17),
    (Compression.ZSTD, -5), (Compression.ZSTD, 1), (Compression.ZSTD, 19),
]  # fmt: skip


def refusal(codec: int, data: bytes, cap: int = MIB) -> ErrorCode:
    with pytest.raises(KafkaError) as refused:
        decompress(codec, data, cap)
    return refused.value.code


@given(codec=st.sampled_from(list(Compression)), data=st.binary(max_size=2000), times=st.integers(1, 60))
def test_what_is_compressed_is_read_back(codec: Compression, data: bytes, times: int) -> None:
    assert decompress(codec, compress(codec, data * times)) == data * times


@pytest.mark.parametrize(("codec", "level"), LEVELS)
def test_every_level_of_kafka_is_taken(codec: Compression, level: int) -> None:
    assert decompress(codec, compress(codec, TEXT, level)) == TEXT


@pytest.mark.parametrize("codec", CODECS)
def test_output_in_many_chunks_is_joined(codec: Compression) -> None:
    data = os.urandom(1000) * 3000
    assert decompress(codec, compress(codec, data)) == data


def test_gzip_of_several_members_is_one_stream() -> None:
    parts = [gzip.compress(b"one "), gzip.compress(b""), gzip.compress(TEXT), gzip.compress(b"!")]
    assert decompress(Compression.GZIP, b"".join(parts)) == b"one " + TEXT + b"!"


def test_snappy_is_read_raw_as_librdkafka_writes_it() -> None:
    assert decompress(Compression.SNAPPY, bytes(cramjam.snappy.compress_raw(TEXT))) == TEXT


def test_snappy_is_read_with_any_version_words_and_joined_streams() -> None:
    block = bytes(cramjam.snappy.compress_raw(b"hello"))
    little_endian = XERIAL_HEADER[:8] + b"\1\0\0\0\1\0\0\0"
    stream = little_endian + struct.pack(">i", len(block)) + block
    assert decompress(Compression.SNAPPY, stream) == b"hello"
    assert decompress(Compression.SNAPPY, stream + stream) == b"hellohello"


def test_snappy_is_written_in_blocks_that_java_takes() -> None:
    packed = compress(Compression.SNAPPY, TEXT)
    assert packed.startswith(XERIAL_HEADER)
    sizes, pos = [], len(XERIAL_HEADER)
    while pos < len(packed):
        (size,) = struct.unpack_from(">i", packed, pos)
        sizes.append(cramjam.snappy.decompress_raw_len(packed[pos + 4 : pos + 4 + size]))
        pos += 4 + size
    assert max(sizes) == 32 * 1024
    assert sum(sizes) == len(TEXT)


def test_lz4_is_written_as_java_demands() -> None:
    info = lz4.frame.get_frame_info(compress(Compression.LZ4, TEXT))
    assert (info["block_linked"], info["content_checksum"], info["block_size"]) == (False, False, 64 * 1024)


def test_lz4_is_read_with_linked_blocks_and_checksums_too() -> None:
    for options in (
        {"block_linked": True},
        {"content_checksum": True},
        {"block_checksum": True},
        {"store_size": False},
    ):
        assert decompress(Compression.LZ4, lz4.frame.compress(TEXT, **options)) == TEXT


def test_zstd_is_read_without_content_size_and_across_frames() -> None:
    unsized = zstandard.ZstdCompressor(write_content_size=False, write_checksum=True).compress(TEXT)
    skippable = struct.pack("<II", 0x184D2A50, 3) + b"abc"
    stream = zstandard.ZstdCompressor().compressobj()
    streamed = stream.compress(TEXT) + stream.flush()
    assert decompress(Compression.ZSTD, unsized + skippable + unsized + streamed) == TEXT * 3


@pytest.mark.parametrize("codec", CODECS)
def test_a_payload_cut_or_overlong_is_refused(codec: Compression) -> None:
    packed = compress(codec, TEXT)
    cuts = {0, 1, 4, 8, 15, 17, len(packed) // 2, len(packed) - 1, len(packed) - 4}
    for bad in [packed[:cut] for cut in cuts] + [packed + b"\x01\x02"]:
        if codec == Compression.SNAPPY and len(bad) == len(XERIAL_HEADER):
            continue  # an empty stream
        assert refusal(codec, bad) == ErrorCode.INVALID_RECORD


@pytest.mark.parametrize("codec", CODECS)
@given(noise=st.binary(max_size=200))
def test_noise_is_refused_or_small(codec: Compression, noise: bytes) -> None:
    for data in (noise, compress(codec, b"some text")[:10] + noise):
        try:
            decompress(codec, data, 10_000)
        except KafkaError as error:
            assert error.code in (ErrorCode.INVALID_RECORD, ErrorCode.MESSAGE_TOO_LARGE)


@pytest.mark.parametrize("codec", [-1, 5, 99])
def test_a_number_that_names_no_codec_is_refused(codec: int) -> None:
    assert refusal(codec, b"data") == ErrorCode.UNSUPPORTED_COMPRESSION_TYPE


@pytest.mark.parametrize("codec", list(Compression))
def test_the_cap_is_exact(codec: Compression) -> None:
    packed = compress(codec, TEXT)
    assert decompress(codec, packed, len(TEXT)) == TEXT
    assert refusal(codec, packed, len(TEXT) - 1) == ErrorCode.MESSAGE_TOO_LARGE


# Bombs ---------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("codec", CODECS)
def test_a_bomb_costs_no_more_than_the_cap(form: Form, codec: Compression) -> None:
    """64 MiB of zeros in a sound batch under a cap of 4 MiB: refused, and no more taken than growing to the cap takes."""
    data = build_batch([Record(0, 0, None, bytes(64 * MIB))], compression=codec)
    tracemalloc.start()
    try:
        with pytest.raises(KafkaError) as refused:
            check_and_describe(data, max_decompressed_bytes=4 * MIB)
        assert refused.value.code == ErrorCode.MESSAGE_TOO_LARGE
        assert tracemalloc.get_traced_memory()[1] < 4 * MIB + 5 * CHUNK_BYTES
    finally:
        tracemalloc.stop()


def test_a_snappy_block_that_claims_gigabytes_is_not_believed() -> None:
    claim = b"\xff\xff\xff\xff\x0f" + b"\0" * 100
    tracemalloc.start()
    try:
        assert refusal(Compression.SNAPPY, claim, 1 << 40) == ErrorCode.INVALID_RECORD
        assert refusal(Compression.SNAPPY, XERIAL_HEADER + struct.pack(">i", len(claim)) + claim, 1 << 40) == (
            ErrorCode.INVALID_RECORD
        )
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_many_gzip_members_of_nothing_end() -> None:
    assert decompress(Compression.GZIP, gzip.compress(b"") * 2000) == b""


def test_a_zstd_frame_with_a_giant_window_is_refused() -> None:
    frame = b"\x28\xb5\x2f\xfd" + bytes([0, 0xA0]) + b"\x01\x00\x00"  # window of 2^30 bytes, one empty last block
    assert refusal(Compression.ZSTD, frame) == ErrorCode.INVALID_RECORD
