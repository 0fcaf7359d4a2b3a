"""A broker that lies in Fetch: an error with its cause and place, soon, and bounded memory."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from ottla import Consumer
from ottla.client.errors import BrokerError, ClientError
from ottla.protocol.apis.fetch import FetchableTopicResponse, FetchResponse, PartitionData
from ottla.protocol.errors import ErrorCode
from ottla.records.batch import Compression, Record, build_batch
from tests.client import test_hostile as liars

GOOD = bytes(build_batch([Record(0, 0, None, b"good")]))


@pytest.fixture(autouse=True)
def fetch_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(liars.VERSIONS, 1, 12)


def answering(*answers: Any) -> Callable[[int, int, int], bytes]:
    """Fetch answered with these records, one after the other, the last one for ever."""
    left = list(answers)

    def answer(key: int, version: int, correlation_id: int) -> bytes:
        records = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(records, int):
            part = PartitionData(partition_index=0, error_code=records, high_watermark=9, records=None)
        else:
            part = PartitionData(partition_index=0, error_code=0, high_watermark=9, records=records)
        response = FetchResponse(responses=[FetchableTopicResponse(topic="t", partitions=[part])])
        return liars.frame(correlation_id, response, version, flexible=True)

    return answer


async def first(answer: Any, count: int = 1, **settings: Any) -> list[Any]:
    async with liars.liar({1: answer}) as it:
        options = {**liars.FAST, "isolation_level": "read_uncommitted", "fetch_max_wait_ms": 10, **settings}
        async with Consumer(f"127.0.0.1:{it.port}", **options) as consumer:
            consumer.assign({("t", 0): 0})
            found = []
            async for record in consumer:
                found.append(record.value)
                if len(found) == count:
                    break
            return found


def damaged() -> bytes:
    data = bytearray(GOOD)
    data[-2] ^= 0xFF
    return bytes(data)


def claiming(size: int) -> bytes:
    data = bytearray(GOOD)
    struct.pack_into(">i", data, 8, size)
    return bytes(data)


async def test_a_wrong_checksum_names_the_place_and_what_to_do() -> None:
    with pytest.raises(BrokerError, match="t-0 at offset 0: the checksum") as caught:
        await first(answering(damaged()))
    assert caught.value.code == ErrorCode.CORRUPT_MESSAGE
    assert "seek" in str(caught.value)
    assert not caught.value.retriable


async def test_a_checksum_that_is_not_asked_for_is_not_compared() -> None:
    assert len(await first(answering(damaged()), check_crcs=False)) == 1


@pytest.mark.parametrize("size", [-1, 3, 48, 1 << 20, 0x7FFFFFFF])
async def test_a_batch_that_lies_about_its_size(size: int) -> None:
    with pytest.raises(ClientError, match="no whole record batch"):
        await first(answering(claiming(size)))


async def test_a_bomb_is_refused_at_the_cap_and_costs_no_more() -> None:
    bomb = bytes(build_batch([Record(0, 0, None, bytes(64 << 20))], compression=Compression.ZSTD))
    tracemalloc.start()
    try:
        with pytest.raises(BrokerError, match=r"MESSAGE_TOO_LARGE.*exceed 4194304 bytes"):
            await first(answering(bomb), max_decompressed_bytes="4MiB")
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()


async def test_records_from_before_what_was_asked_are_no_answer() -> None:
    """Without an end of this the client would ask for ever."""
    with pytest.raises(ClientError, match="no whole record batch that reaches it"):
        await first(answering(GOOD, GOOD), count=2)


async def test_what_comes_right_after_errors_is_given() -> None:
    moved = int(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    assert await first(answering(moved, moved, b"", GOOD)) == [b"good"]


async def test_an_error_that_no_retry_helps_is_raised() -> None:
    with pytest.raises(BrokerError, match="TOPIC_AUTHORIZATION_FAILED"):
        await first(answering(int(ErrorCode.TOPIC_AUTHORIZATION_FAILED)))
