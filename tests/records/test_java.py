"""Apache Kafka's own classes read our batches, and judge any batch as we do."""

from __future__ import annotations

import random
import struct
import subprocess
from pathlib import Path

import pytest

from ottla.protocol.errors import ErrorCode, KafkaError
from ottla.records.batch import (
    CRC_START,
    HEADER_SIZE,
    Compression,
    Record,
    TimestampType,
    build_batch,
    check_and_describe,
    check_produce_request,
    crc32c,
    read_header,
)
from ottla.records.control import EndTransactionMarker, build_end_transaction_marker, build_leader_change
from tests.records.reading import as_text
from tests.support.jars import KAFKA, class_path, jars

pytestmark = [pytest.mark.java, pytest.mark.slow]

PROGRAM = Path(__file__).parent / "java" / "Batches.java"
SEED = 20261121
MUTATIONS = 4000
TELLING = [8, 16, 21, 22, 23, 26, 57, 60, 61, 62, 63]  # bytes of the header and the first record that decide most
#: Where Kafka's decompressors and enums throw what it has no code for, and we answer with a code.
NO_CODE = "UNKNOWN_SERVER_ERROR"


def java(command: str, data: bytes) -> list[str]:
    arguments = ["java", "-XX:TieredStopAtLevel=1", "-cp", class_path(jars("kafka", KAFKA)), str(PROGRAM), command]
    done = subprocess.run(arguments, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return done.stdout.decode().splitlines()


def samples() -> list[bytearray]:
    headers = (("trace", b"\0\1"), ("", None), ("gr\u00fc\u00dfe", b""))
    few = [Record(0, 1700000000000, b"k", b"v", headers), Record(0, 5, None, None), Record(0, 1700000000001, b"", b"")]
    many = [Record(0, 1700000000000 + i, b"k%d" % (i % 9), b"line %d of a log " % i * 20) for i in range(900)]
    big = [Record(0, 1, None, random.Random(SEED).randbytes(300_000))]
    found = []
    for codec in Compression:
        found += [build_batch(rs, base_offset=7, compression=codec, leader_epoch=3) for rs in (few, many, big)]
        found.append(
            build_batch(few, compression=codec, producer_id=8, producer_epoch=1, base_sequence=2, transactional=True)
        )
    for codec, level in [
        (Compression.GZIP, 1), (Compression.GZIP, 9), (Compression.LZ4, 1), (Compression.LZ4, 17),
        (Compression.ZSTD, -3), (Compression.ZSTD, 19),
    ]:  # fmt: skip
        found.append(build_batch(many, compression=codec, level=level))
    found.append(build_batch(few, timestamp_type=TimestampType.LOG_APPEND_TIME))
    marker = EndTransactionMarker(True, 4)
    found.append(build_end_transaction_marker(marker, producer_id=8, producer_epoch=1, timestamp_ms=3))
    found.append(build_leader_change(1, [1, 2], timestamp_ms=4))
    return found


def test_kafka_reads_our_batches_as_we_do() -> None:
    """All codecs and levels; iterated and validated (ensureValid) by Kafka's MemoryRecords."""
    data = b"".join(samples())
    assert java("read", struct.pack(">i", len(data)) + data) == as_text(data)


def our_judgement(data: bytes, compacted: bool) -> str:
    try:
        check_produce_request(data, 9)
        check = check_and_describe(data, compacted=compacted)
        # What the log adds for a client's append.
        if check.header.is_control or (check.header.producer_id >= 0 and check.header.base_sequence < 0):
            return "refused INVALID_RECORD"
        if check.header.timestamp_type == TimestampType.LOG_APPEND_TIME:
            return "refused INVALID_TIMESTAMP"
    except KafkaError as error:
        return f"refused {error.code.name}"
    return f"ok {check.max_timestamp}"


def mutate(chance: random.Random, data: bytearray) -> bytes:
    data = bytearray(data)
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        # Not the base offset: Kafka stumbles over one that is not 0 in a compressed batch; a broker assigns it anyway.
        anywhere = chance.randrange(8, len(data))
        place = anywhere if chance.random() < 0.7 else chance.choice(TELLING)
        place = min(place, len(data) - 1)
        data[place] = chance.choice([0, 1, 2, 3, 0x7F, 0x80, 0xFF, data[place] ^ 1, chance.randrange(256)])
    if chance.random() < 0.15:
        data = data[: chance.randrange(len(data))]
    elif chance.random() < 0.15:
        data += chance.randbytes(chance.randrange(1, 20))
        struct.pack_into(">i", data, 8, len(data) - 12)
    if len(data) >= 61 and chance.random() < 0.9:
        struct.pack_into(">I", data, 17, crc32c(data, CRC_START))
    return bytes(data)


def test_kafka_refuses_what_we_refuse_and_takes_what_we_take() -> None:
    """Mutations of good batches, judged by ProduceRequest.validateRecords, ensureValid and LogValidator, and by us.

    Stricter than Kafka we are on purpose, never laxer; each such difference is one of those that `_batch_cy` names.
    """
    chance = random.Random(SEED)
    records = [
        [Record(0, 1000 + i, None if i % 3 == 0 else b"key", b"value" * i, (("h", b"x"),) * (i % 2)) for i in range(n)]
        for n in (1, 2, 5)
    ]
    cases = []
    for _ in range(MUTATIONS):
        data = build_batch(chance.choice(records), compression=chance.choice([Compression.NONE, *Compression]))
        cases.append((chance.random() < 0.3, mutate(chance, data) if chance.random() < 0.97 else bytes(data)))
    theirs = java("validate", b"".join(struct.pack(">bi", c, len(d)) + d for c, d in cases))
    assert len(theirs) == len(cases)
    laxer, other, stricter = [], [], 0
    for (compacted, data), their in zip(cases, theirs, strict=True):
        our = our_judgement(data, compacted)
        if our == their or (our.startswith("refused") and NO_CODE in their):
            continue
        if our.startswith("refused") and their.startswith("ok"):
            stricter += 1
        elif our.startswith("ok") and their.startswith("refused"):
            laxer.append((their, our, compacted, data.hex()))
        elif is_whole(data):
            other.append((their, our, compacted, data.hex()))
    assert laxer == []
    assert other == []
    assert stricter < MUTATIONS / 20


def is_whole(data: bytes) -> bool:
    """Whether one batch fills the buffer; of others it depends on the rest which of two codes Kafka gives."""
    return len(data) >= HEADER_SIZE and read_header(data).size == len(data)


def test_kafka_has_the_codes_that_we_name() -> None:
    """An intact batch of each kind of fault."""
    good = build_batch([Record(0, 5, b"k", b"v")])
    keyless = build_batch([Record(0, 5, None, b"v")])
    control = build_end_transaction_marker(
        EndTransactionMarker(True, 1), producer_id=1, producer_epoch=0, timestamp_ms=1
    )
    torn = bytearray(good)
    torn[-1] ^= 1
    cases = [
        (False, good),
        (True, good),
        (False, keyless),
        (True, keyless),
        (False, control),
        (False, torn),
        (False, good + good),
    ]
    answers = java("validate", b"".join(struct.pack(">bi", c, len(d)) + d for c, d in cases))
    assert answers == [our_judgement(bytes(data), compacted) for compacted, data in cases]
    assert answers[5] == f"refused {ErrorCode.CORRUPT_MESSAGE.name}"
