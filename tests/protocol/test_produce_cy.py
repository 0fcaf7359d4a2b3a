"""The short way of Produce against the codec: the same requests mean the same, the same answers are the same bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla._extensions import load_source
from ottla.protocol import _produce_cy, codec
from ottla.protocol.apis.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
    TopicProduceResponse,
)
from ottla.protocol.errors import KafkaError, RemoteProtocolError
from ottla.records.batch import Record, build_batch, check_produce_request
from ottla.records.header import TRANSACTIONAL_MASK

CLIENT_ID = b"any"
FORMS = pytest.mark.parametrize(
    "short", [_produce_cy, load_source("ottla.protocol._produce_cy")], ids=["as it runs", "source"]
)
VERSIONS = st.integers(3, 13)
INT64 = st.integers(-(2**63), 2**63 - 1)
NAMES = st.text("abcXYZ019._-", min_size=1, max_size=249)
BATCHES = st.builds(
    lambda value, attributes: (
        build_batch([Record(0, 1, None, value)])[:22]
        + bytes([attributes])
        + build_batch([Record(0, 1, None, value)])[23:]
    ),
    st.binary(max_size=300),
    st.sampled_from([0, 1, 4, 0x10]),
)
ORDINARY = bytes(build_batch([Record(0, 1, None, b"value")]))
#: What a batch's low byte of attributes may say: plain, gzip, LogAppendTime, transactional.
BATCHES = st.sampled_from([0, 1, 8, 0x10]).map(lambda attributes: ORDINARY[:22] + bytes([attributes]) + ORDINARY[23:])
RECORDS = st.binary(max_size=300) | BATCHES | st.sampled_from([ORDINARY[:-1], ORDINARY * 2])
PARTITIONS = st.builds(PartitionProduceData, index=st.integers(-5, 2**31 - 1), records=st.none() | RECORDS)
TOPICS = st.builds(
    TopicProduceData,
    name=NAMES,
    topic_id=st.binary(min_size=16, max_size=16),
    partition_data=st.lists(PARTITIONS, min_size=1, max_size=2),
)
REQUESTS = st.builds(
    ProduceRequest,
    transactional_id=st.none() | st.just("t"),
    acks=st.sampled_from([-1, 0, 1, 7, -2]),
    timeout_ms=st.integers(-1, 2**31 - 1),
    topic_data=st.lists(TOPICS, min_size=1, max_size=2),
)


def frame_of(request: ProduceRequest, version: int) -> bytes:
    """A frame without its first ten bytes, which the short way does not look at."""
    tags = b"\0" if version >= 9 else b""
    return CLIENT_ID + tags + codec.encode(request, version)


def is_ordinary(request: ProduceRequest, version: int) -> bool:
    if version < 9 or request.transactional_id is not None or len(request.topic_data) != 1:
        return False
    partitions = request.topic_data[0].partition_data
    if len(partitions) != 1 or partitions[0].records is None:
        return False
    try:
        check_produce_request(partitions[0].records, version)
    except KafkaError:
        return False
    return not partitions[0].records[22] & TRANSACTIONAL_MASK


def same(short: Any, frame: bytes, version: int) -> bool:
    """Whether the short way takes the frame; if so, it must mean what the codec says."""
    found = short.read_produce(frame, len(CLIENT_ID), version)
    if found is None:
        return False
    request, end = codec.decoder(ProduceRequest, version)(frame, len(CLIENT_ID) + 1)
    assert end == len(frame)
    (topic,) = request.topic_data
    (partition,) = topic.partition_data
    assert request.transactional_id is None
    assert (found.acks, found.timeout_ms) == (request.acks, request.timeout_ms)
    assert frame[found.start : found.stop] == bytes(partition.records)
    assert int.from_bytes(found.destination[-4:], "big", signed=True) == partition.index
    name = topic.topic_id if version >= 13 else topic.name.encode()
    assert name in found.destination
    return True


@FORMS
@given(request=REQUESTS, version=VERSIONS)
def test_ordinary_requests_and_only_they_are_taken(short: Any, request: ProduceRequest, version: int) -> None:
    assert same(short, frame_of(request, version), version) == is_ordinary(request, version)


@FORMS
@given(request=REQUESTS, version=VERSIONS, data=st.data())
def test_what_is_taken_of_mutated_frames_is_what_the_codec_reads(
    short: Any, request: ProduceRequest, version: int, data: st.DataObject
) -> None:
    frame = bytearray(frame_of(request, version))
    for _ in range(data.draw(st.integers(1, 3))):
        frame[data.draw(st.integers(len(CLIENT_ID), len(frame) - 1))] = data.draw(st.integers(0, 255))
    del frame[data.draw(st.integers(len(CLIENT_ID), len(frame))) :]
    try:
        same(short, bytes(frame), version)
    except (RemoteProtocolError, UnicodeDecodeError):
        found = short.read_produce(bytes(frame), len(CLIENT_ID), version)
        # A name that is no UTF-8 is no partition's; the complete way is taken when it is not found.
        assert found is None or not _is_text(found.destination)


def _is_text(destination: bytes) -> bool:
    try:
        destination[1 if destination[0] < 128 else 2 : -5].decode()
    except UnicodeDecodeError:
        return False
    return True


@FORMS
@given(
    version=st.integers(9, 13), name=NAMES, index=st.integers(0, 2**31 - 1), offset=INT64, time=INT64, start=INT64,
    correlation_id=st.integers(-(2**31), 2**31 - 1),
)  # fmt: skip
def test_the_answer_is_the_codec_s(
    short: Any, version: int, name: str, index: int, offset: int, time: int, start: int, correlation_id: int
) -> None:
    topic_id = bytes(range(16))
    request = ProduceRequest(
        acks=1,
        topic_data=[
            TopicProduceData(
                name=name,
                topic_id=topic_id,
                partition_data=[PartitionProduceData(index=index, records=build_batch([Record(0, 1, None, b"r")]))],
            )
        ],
    )
    found = short.read_produce(frame_of(request, version), len(CLIENT_ID), version)
    answer = short.write_produce_answer(correlation_id, found.destination, offset, time, start)
    item = PartitionProduceResponse(index=index, base_offset=offset, log_append_time_ms=time, log_start_offset=start)
    response = ProduceResponse(
        responses=[TopicProduceResponse(name=name, topic_id=topic_id, partition_responses=[item])]
    )
    body = codec.encode(response, version)
    assert answer == (len(body) + 5).to_bytes(4, "big") + correlation_id.to_bytes(4, "big", signed=True) + b"\0" + body
